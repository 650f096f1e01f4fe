"""The wrapping key in a PKCS#11 token.

Strategy: the token holds one AES-256 key that never leaves it; sealing keys are encrypted by it as data, in
one of the ways of `schemes.py`. Each thread has its own session, opened when it first asks; a thread whose call
failed starts over with a new one, so the token may go and come back. Looking for token objects and making them
is serialised, because SoftHSM is not safe there. A PIN that was refused is never tried twice: that would lock
the token. At start a fault is a SettingsError with a sentence for the operator; in service it is
KeyStoreUnavailable.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pkcs11
from pkcs11 import Attribute, KeyType, ObjectClass, PKCS11Error, TokenFlag

from kmip_server.errors import KeyStoreUnavailable, SealBroken, SettingsError
from kmip_server.keystore import module, softhsm
from kmip_server.keystore.holder import one_at_a_time, secret_from
from kmip_server.keystore.schemes import SCHEMES, Scheme, scheme_named
from kmip_server.keystore.sealing import KEY_BYTES

_T = TypeVar("_T")
WRAPPING_KEY = "kmip-server wrapping key"
_TEMPLATE = {
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.PRIVATE: True,
    Attribute.ENCRYPT: True,
    Attribute.DECRYPT: True,
    Attribute.WRAP: False,
    Attribute.UNWRAP: False,
    Attribute.SIGN: False,
    Attribute.VERIFY: False,
}
_OPENINGS, _PAUSE_SECONDS = 5, 0.1
"""Tries to open the token, and the pause between two: others may be at its files."""
_LOOKS = 3
"""Tries to find the token: SoftHSM can fail once while another process makes or destroys token objects."""
# SoftHSM answers a wrong GCM tag with CKR_GENERAL_ERROR, as if the device had failed.
_CIPHERTEXT_ERRORS = (pkcs11.EncryptedDataInvalid, pkcs11.EncryptedDataLenRange, pkcs11.GeneralError)


@dataclass(slots=True)
class _Access:
    """What one thread has of the token."""

    session: Any
    key: Any = None
    """The wrapping key, as the session knows it."""


class TokenHolder:
    """One token of one module. Implements `Holder`.

    A thread's session stays open until the thread calls `close`: for threads that live as long as the holder.
    """

    def __init__(
        self,
        module_path: str,
        label: str,
        pin_file: Path,
        softhsm_folder: Path | None = None,
        *,
        absent_folder: Path | None = None,
    ) -> None:
        """Nothing is loaded yet: that is for `open`, in the process that will use it.

        `softhsm_folder`: where the instance's own SoftHSM token lives, if it has one. `absent_folder`: where it
        would live; SoftHSM's own configuration says where the token is, but people may want to know.
        """
        self._module_path = module_path
        self._label = label
        self._pin_file = pin_file
        self._softhsm_folder = softhsm_folder
        self._absent_folder = absent_folder
        self._process = 0
        self._reset()

    def _reset(self) -> None:
        self._objects = threading.Lock()
        self._logging_in = threading.Lock()
        self._local = threading.local()
        self._token: Any = None
        self._pin = ""
        self._refused = ""
        self._schemes: tuple[Scheme, ...] = ()

    @property
    def description(self) -> str:
        return f"token {self._label!r} of {Path(self._module_path).name}"

    # --- at start -----------------------------------------------------------------------------

    def open(self) -> None:
        """Find the token and the wrapping key, and log in. Raises SettingsError."""
        for left in reversed(range(_OPENINGS)):
            try:
                with one_at_a_time(self._pin_file):
                    self._open()
                return
            except KeyStoreUnavailable as error:
                if self._refused or not left:
                    raise SettingsError(error.message) from error
                time.sleep(_PAUSE_SECONDS)

    def _open(self) -> None:
        self._prepare()
        self._schemes = self._usable_schemes()
        self._translated(lambda: self._require_kept_inside(self._key()))

    def create(self) -> None:
        """Make the wrapping key in the token. Refuses where there is one. Raises SettingsError."""
        try:
            self._prepare()
            session = self._open_session(rw=True)
        except KeyStoreUnavailable as error:
            raise SettingsError(error.message) from error
        try:
            with self._objects:
                if list(session.get_objects({Attribute.LABEL: WRAPPING_KEY})):
                    raise SettingsError(
                        f"the {self.description} holds a wrapping key already; use another token or --join"
                    )
                session.generate_key(KeyType.AES, KEY_BYTES * 8, label=WRAPPING_KEY, store=True, template=_TEMPLATE)
        except PKCS11Error as error:
            raise SettingsError(f"the {self.description} made no key: {_named(error)}") from error
        finally:
            _close(session)

    def initialise_softhsm(self, pin: str, so_pin: str) -> None:
        """Make the token itself, in the instance's own SoftHSM folder. Raises SettingsError."""
        assert self._softhsm_folder is not None
        softhsm.create_folder(self._softhsm_folder)
        try:
            loaded = module.load(self._module_path)
            slot = next(s for s in loaded.get_slots() if not s.get_token().flags & TokenFlag.TOKEN_INITIALIZED)
            module.initialise_token(self._module_path, slot.slot_id, self._label, so_pin)
            with loaded.get_token(token_label=self._label).open(rw=True, so_pin=so_pin) as session:
                session.init_pin(pin)
        except (PKCS11Error, StopIteration) as error:
            raise SettingsError(f"the {self.description} could not be made: {_named(error)}") from error

    def _prepare(self) -> None:
        """Read the PIN, load the module here, find the token. Raises SettingsError, KeyStoreUnavailable."""
        if self._softhsm_folder is not None and softhsm.is_softhsm(self._module_path):
            softhsm.configure(self._softhsm_folder)
        self._reset()
        self._pin = secret_from(self._pin_file, "PIN")
        self._process = os.getpid()
        module.load(self._module_path)
        try:
            self._token = self._found()
        except pkcs11.NoSuchToken as error:
            raise SettingsError(self._no_token()) from error
        except pkcs11.MultipleTokensReturned as error:
            raise SettingsError(
                f"several tokens have the label {self._label!r}; give them labels of their own"
            ) from error
        except PKCS11Error as error:
            raise KeyStoreUnavailable(
                f"the module {self._module_path} failed: {_named(error)}; see its own log"
            ) from error

    def _no_token(self) -> str:
        if self._softhsm_folder is not None:
            folder = self._softhsm_folder / "tokens"
            return f"the folder {folder} has no token {self._label!r}; restore it, or a backup"
        text = f"the module {self._module_path} has no token with the label {self._label!r}"
        if self._absent_folder is not None:
            return f"{text}, nor is there a folder {self._absent_folder} of its own; restore it, or a backup"
        return f"{text}; list them with: pkcs11-tool --module {self._module_path} -L"

    def _usable_schemes(self) -> tuple[Scheme, ...]:
        try:
            present = set(self._token.slot.get_mechanisms())
        except PKCS11Error as error:
            raise KeyStoreUnavailable(f"the {self.description} lists no mechanisms: {_named(error)}") from error
        usable = tuple(scheme for scheme in SCHEMES if present.issuperset(scheme.mechanisms))
        if not usable:
            raise KeyStoreUnavailable(f"the {self.description} has none of AES-GCM and AES-CBC; use another token")
        return usable

    def _require_kept_inside(self, key: Any) -> None:
        """A wrapping key that could be taken out of the token protects nothing."""
        if not key[Attribute.SENSITIVE] or key[Attribute.EXTRACTABLE]:
            raise SettingsError(
                f"the key {WRAPPING_KEY!r} in the {self.description} can be taken out of it; "
                "make it anew, sensitive and not extractable"
            )

    # --- in service ---------------------------------------------------------------------------

    def encrypt(self, key: bytes) -> tuple[str, bytes]:
        """By the best scheme that gives the key back: some tokens list mechanisms that do not work."""
        failure = KeyStoreUnavailable(f"the {self.description} is not open")
        for scheme in self._schemes:
            try:
                encrypted = self._with_key(scheme.encrypt, key)
                if self._with_key(scheme.decrypt, encrypted) == key:
                    return scheme.name, encrypted
                failure = KeyStoreUnavailable(f"the {self.description} decrypts {scheme.name} wrongly")
            except KeyStoreUnavailable as error:
                failure = error
        raise failure

    def decrypt(self, scheme: str, encrypted: bytes) -> bytes:
        """Where the token says that the bytes are wrong, or that it failed, ask it for something it can do."""
        found = scheme_named(scheme, encrypted)
        try:
            return self._with_key(found.decrypt, encrypted)
        except KeyStoreUnavailable as error:
            if not isinstance(error.__cause__, _CIPHERTEXT_ERRORS):
                raise
        known = bytes(range(KEY_BYTES))
        if self._with_key(found.decrypt, self._with_key(found.encrypt, known)) != known:
            raise KeyStoreUnavailable(f"the {self.description} decrypts {found.name} wrongly")
        try:
            return self._with_key(found.decrypt, encrypted)
        except KeyStoreUnavailable as error:
            if not isinstance(error.__cause__, _CIPHERTEXT_ERRORS):
                raise
            raise SealBroken("a sealing key does not open with the key in the token") from error

    def random(self, length: int) -> bytes:
        def ask() -> bytes:
            made: bytes = self._access().session.generate_random(length * 8)
            return made

        return self._translated(ask)

    def begin_anew(self) -> None:
        """With the module itself. Raises SettingsError."""
        self._forget()
        module.begin_anew(self._module_path)

    def close(self) -> None:
        """End the calling thread's session. Nobody else is logged out by it."""
        self._forget()

    # --- sessions and objects -----------------------------------------------------------------

    def _with_key(self, use: Callable[[Any, bytes], bytes], data: bytes) -> bytes:
        return self._translated(lambda: use(self._key(), data))

    def _translated(self, call: Callable[[], _T]) -> _T:
        """Call the module; after a failure this thread starts over with a new session."""
        try:
            return call()
        except PKCS11Error as error:
            self._forget()
            raise KeyStoreUnavailable(f"the {self.description} failed: {_named(error)}") from error

    def _access(self) -> _Access:
        """This thread's session. Raises KeyStoreUnavailable."""
        if self._process != os.getpid():
            raise KeyStoreUnavailable(f"the {self.description} is not open in this process")
        access: _Access | None = getattr(self._local, "access", None)
        if access is None:
            access = self._local.access = _Access(self._open_session())
        return access

    def _key(self) -> Any:
        """The wrapping key, for this thread's session. Raises KeyStoreUnavailable, PKCS11Error."""
        access = self._access()
        if access.key is None:
            try:
                with self._objects:
                    access.key = access.session.get_key(object_class=ObjectClass.SECRET_KEY, label=WRAPPING_KEY)
            except pkcs11.NoSuchKey as error:
                self._forget()
                raise KeyStoreUnavailable(
                    f"the {self.description} does not hold the key {WRAPPING_KEY!r}; "
                    "restore the token from a backup"
                ) from error
            except pkcs11.MultipleObjectsReturned as error:
                raise KeyStoreUnavailable(
                    f"the {self.description} holds several keys {WRAPPING_KEY!r}; rename all but the right one"
                ) from error
        return access.key

    def _open_session(self, *, rw: bool = False) -> Any:
        """A new session, logged in. One thread at a time, so that a wrong PIN is tried once."""
        with self._logging_in:
            if self._refused or not self._pin:
                raise KeyStoreUnavailable(self._refused or f"the {self.description} is not open")
            session = None
            try:
                if self._token is None:
                    module.initialise(self._module_path)
                    self._token = self._found()
                session = self._token.open(rw=rw)
                module.login(self._module_path, session.handle, self._pin)
            except module.PinRefused as error:
                _close(session)
                self._pin = ""
                self._refused = f"{self.description}: the PIN in {self._pin_file} {error}"
                raise KeyStoreUnavailable(self._refused) from error
            except (PKCS11Error, SettingsError) as error:
                _close(session)
                self._token = None
                raise KeyStoreUnavailable(f"the {self.description} opens no session: {_named(error)}") from error
            return session

    def _found(self) -> Any:
        """The token, by its label. Raises PKCS11Error."""
        loaded = module.load(self._module_path)
        for _ in range(_LOOKS - 1):
            try:
                return loaded.get_token(token_label=self._label)
            except (pkcs11.NoSuchToken, pkcs11.MultipleTokensReturned):
                raise
            except PKCS11Error:
                continue
        return loaded.get_token(token_label=self._label)

    def _forget(self) -> None:
        """Give up this thread's session; the next one looks for the token again."""
        access: _Access | None = getattr(self._local, "access", None)
        self._local.access = None
        self._token = None
        if access is not None and self._process == os.getpid():
            _close(access.session)


def _close(session: Any) -> None:
    """Close a session that may be broken already."""
    if session is not None:
        with suppress(PKCS11Error):
            session.close()


def _named(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
