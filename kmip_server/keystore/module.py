"""Loading a PKCS#11 module so that threads may use it.

Strategy: python-pkcs11 calls C_Initialize(NULL), which tells the module that only one thread will come;
SoftHSM then crashes when two do. Here C_Initialize is called first, with CKF_OS_LOCKING_OK, through the
module's own function list. A module is initialised in the process that uses it, never before a fork.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

from kmip_server.errors import SettingsError

_CKF_OS_LOCKING_OK = 2
_CKR_OK = 0
_CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191


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
    """The beginning of CK_FUNCTION_LIST: version, C_Initialize, and the functions that follow, as addresses."""

    _fields_ = (
        ("major", ctypes.c_ubyte),
        ("minor", ctypes.c_ubyte),
        ("functions", ctypes.c_void_p * 68),
    )


_INITIALISE_TOKEN = 9
"""The place of C_InitToken in the function list (PKCS#11 2.40 section 5)."""


def initialise_token(path: str, slot: int, label: str, so_pin: str) -> None:
    """Make an empty token in a slot: python-pkcs11 has no call for it. Raises SettingsError."""
    call = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)(
        function_list(path).functions[_INITIALISE_TOKEN]
    )
    pin = so_pin.encode()
    result = call(slot, pin, len(pin), label.encode().ljust(32, b" "))
    if result != _CKR_OK:
        raise SettingsError(f"the PKCS#11 module {path} made no token (0x{result:X})")


_loaded: dict[tuple[str, int], Any] = {}


def function_list(path: str) -> FunctionList:
    """The module's own table of functions."""
    library = ctypes.CDLL(path)
    pointer = ctypes.POINTER(FunctionList)()
    result = library.C_GetFunctionList(ctypes.byref(pointer))
    if result != _CKR_OK:
        raise SettingsError(f"the PKCS#11 module {path} has no function list (0x{result:X})")
    return pointer.contents


def initialise(path: str) -> None:
    """C_Initialize with locking by the operating system's means."""
    arguments = _InitializeArguments(flags=_CKF_OS_LOCKING_OK)
    call = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.POINTER(_InitializeArguments))(function_list(path).functions[0])
    result = call(ctypes.byref(arguments))
    if result not in (_CKR_OK, _CKR_CRYPTOKI_ALREADY_INITIALIZED):
        raise SettingsError(f"the PKCS#11 module {path} cannot be initialised (0x{result:X})")


def load(path: str) -> Any:
    """The module as python-pkcs11 has it, once for each process. Raises SettingsError."""
    key = (path, os.getpid())
    if key not in _loaded:
        try:
            from pkcs11 import PKCS11Error, _pkcs11

            initialise(path)

            class Module(_pkcs11.lib):
                def initialize(self) -> None:
                    """Done already, with locking."""

            _loaded[key] = Module(path)
        except (OSError, AttributeError, PKCS11Error) as error:
            raise SettingsError(f"the PKCS#11 module {path} cannot be loaded: {error}") from error
    return _loaded[key]
