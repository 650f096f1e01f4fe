"""Loading a PKCS#11 module so that threads may use it, and the calls that python-pkcs11 does not make.

Strategy: python-pkcs11 calls C_Initialize(NULL), which tells the module that only one thread will come;
SoftHSM then crashes when two do. Here C_Initialize is called first, with CKF_OS_LOCKING_OK, through the
module's own function list. A module is initialised in the process that uses it, never before a fork.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

from pkcs11 import PKCS11Error, _pkcs11

from kmip_server.errors import SettingsError

_CKF_OS_LOCKING_OK = 2
_CKU_USER = 1
_CKR_OK = 0
_CKR_USER_ALREADY_LOGGED_IN = 0x100
_CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191

# The functions of CK_FUNCTION_LIST that are called by name here, and their place in it (PKCS#11 2.40 section 5).
FUNCTIONS = {
    "C_Initialize": 0,
    "C_Finalize": 1,
    "C_GetTokenInfo": 6,
    "C_GetMechanismList": 7,
    "C_InitToken": 9,
    "C_OpenSession": 12,
    "C_CloseSession": 13,
    "C_Login": 18,
    "C_FindObjectsInit": 26,
    "C_EncryptInit": 29,
    "C_DecryptInit": 33,
    "C_GenerateRandom": 64,
}

# What C_Login answers to a PIN that must not be tried again, and what to tell the operator.
_PIN_REFUSALS = {
    0xA0: "is wrong; correct it before you start again, for tokens lock after a few wrong PINs",
    0xA1: "has characters that the token does not take; correct it",
    0xA2: "is too long or too short for the token; correct it",
    0xA3: "has expired; set a new one in the token",
    0xA4: "is locked after wrong PINs; unlock it as the token's Security Officer",
    0x102: "was never set in the token; set it as the token's Security Officer",
}


class PinRefused(Exception):
    """The token does not take the PIN. The text goes on from "the PIN"."""


class _InitializeArguments(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS: four functions that we do not give, flags, and nothing reserved."""

    _fields_ = (
        ("create_mutex", ctypes.c_void_p),
        ("destroy_mutex", ctypes.c_void_p),
        ("lock_mutex", ctypes.c_void_p),
        ("unlock_mutex", ctypes.c_void_p),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_void_p),
    )


class FunctionList(ctypes.Structure):
    """CK_FUNCTION_LIST of PKCS#11 2.x: the version, and the functions as addresses."""

    _fields_ = (
        ("major", ctypes.c_ubyte),
        ("minor", ctypes.c_ubyte),
        ("functions", ctypes.c_void_p * 68),
    )


_loaded: dict[tuple[str, int], Any] = {}
"""Modules by path and process. A parent's entries stay: closing them in a child would unload the module."""


def load(path: str) -> Any:
    """The module as python-pkcs11 has it, once for each process, initialised. Raises SettingsError."""
    key = (path, os.getpid())
    if key not in _loaded:
        try:
            initialise(path)
            _loaded[key] = _kept(_Module(path))
        except (OSError, AttributeError, PKCS11Error) as error:
            raise SettingsError(
                f"the PKCS#11 module {path} cannot be loaded: {error}; install it, or correct keystore.token"
            ) from error
    return _loaded[key]


def _kept(module: _Module) -> _Module:
    """The module with a reference that nobody gives back: at the interpreter's end it would be unloaded when its
    class is gone already, and python-pkcs11 complains of that on the screen."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(module))
    return module


def function_list(path: str) -> FunctionList:
    """The module's own table of functions. Raises OSError, AttributeError where it is no PKCS#11 module."""
    library = ctypes.CDLL(path)
    pointer = ctypes.POINTER(FunctionList)()
    result = library.C_GetFunctionList(ctypes.byref(pointer))
    if result != _CKR_OK:
        raise SettingsError(f"the PKCS#11 module {path} has no function list (0x{result:X})")
    return pointer.contents


def initialise(path: str) -> None:
    """C_Initialize with locking by the operating system's means; nothing happens where it has been done.

    A child that finds its parent's initialisation ends that first: sessions do not survive a fork (PKCS#11 2.40
    section 5.4).
    """
    arguments = _InitializeArguments(flags=_CKF_OS_LOCKING_OK)
    call = _function(path, "C_Initialize", ctypes.POINTER(_InitializeArguments))
    result = call(ctypes.byref(arguments))
    if result == _CKR_CRYPTOKI_ALREADY_INITIALIZED and _is_inherited(path):
        _function(path, "C_Finalize", ctypes.c_void_p)(None)
        result = call(ctypes.byref(arguments))
    if result not in (_CKR_OK, _CKR_CRYPTOKI_ALREADY_INITIALIZED):
        raise SettingsError(f"the PKCS#11 module {path} cannot be initialised (0x{result:X}); see its own log")


def begin_anew(path: str) -> None:
    """C_Finalize and C_Initialize: every session of the process is gone. Raises SettingsError.

    A module may keep what it once saw of its tokens: SoftHSM does not find one again whose files were away, and
    others hold on to a connection that is dead.
    """
    _function(path, "C_Finalize", ctypes.c_void_p)(None)
    initialise(path)


def login(path: str, session: int, pin: str) -> None:
    """C_Login as the user. Raises PinRefused, PKCS11Error.

    Not python-pkcs11's: that one leaves the session open where the login fails, and logs every thread out when
    the session which logged in is closed.
    """
    encoded = pin.encode()
    call = _function(path, "C_Login", ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong)
    result = call(session, _CKU_USER, encoded, len(encoded))
    if result in _PIN_REFUSALS:
        raise PinRefused(_PIN_REFUSALS[result])
    if result not in (_CKR_OK, _CKR_USER_ALREADY_LOGGED_IN):
        raise PKCS11Error(f"C_Login answered 0x{result:X}")


def initialise_token(path: str, slot: int, label: str, so_pin: str) -> None:
    """Make an empty token in a slot: python-pkcs11 has no call for it. Raises SettingsError."""
    call = _function(path, "C_InitToken", ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
    pin = so_pin.encode()
    result = call(slot, pin, len(pin), label.encode().ljust(32, b" "))
    if result != _CKR_OK:
        raise SettingsError(f"the PKCS#11 module {path} made no token (0x{result:X}); see its own log")


class _Module(_pkcs11.lib):
    """python-pkcs11's module, which finds C_Initialize done."""

    def initialize(self) -> None:
        """Done already, with locking."""


def _function(path: str, name: str, *arguments: Any) -> Any:
    return ctypes.CFUNCTYPE(ctypes.c_ulong, *arguments)(function_list(path).functions[FUNCTIONS[name]])


def _is_inherited(path: str) -> bool:
    """Whether this process's parent had the module initialised, and this process has not."""
    return (path, os.getpid()) not in _loaded and any(loaded == path for loaded, _ in _loaded)
