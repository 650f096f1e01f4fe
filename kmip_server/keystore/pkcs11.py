"""The wrapping key in a PKCS#11 token.

Strategy: the token holds one AES-256 key that never leaves it; sealing keys are encrypted by it as data.
Tokens differ in what they can do, so how is a row of `SCHEMES`, best first, chosen by what the token says of
its mechanisms. Each thread has its own session. Looking for token objects and making them is serialised,
because SoftHSM is not safe there. A wrong PIN is never tried twice: it would lock the token.
"""

from __future__ import annotations

import hmac
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, PKCS11Error

from kmip_server.errors import KeyStoreUnavailable, SealBroken, SettingsError
from kmip_server.keystore import module, softhsm
from kmip_server.keystore.holder import secret_from

WRAPPING_KEY = "kmip-server wrapping key"
_BOUND = b"kmip-server sealing key"


# --- how a token encrypts -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to encrypt a sealing key as data."""

    name: str
    mechanisms: tuple[Mechanism, ...]
    """What the token must have."""
    encrypt: Callable[[Any, bytes], bytes]
    decrypt: Callable[[Any, bytes], bytes]


def _gcm_encrypt(key: Any, data: bytes) -> bytes:
    nonce = os.urandom(12)
    sealed: bytes = key.encrypt(
        data, mechanism=Mechanism.AES_GCM, mechanism_param=pkcs11.GCMParams(nonce, _BOUND, 128)
    )
    return nonce + sealed


def _gcm_decrypt(key: Any, encrypted: bytes) -> bytes:
    parameters = pkcs11.GCMParams(encrypted[:12], _BOUND, 128)
    data: bytes = key.decrypt(encrypted[12:], mechanism=Mechanism.AES_GCM, mechanism_param=parameters)
    return data


def _cbc_mac_key(key: Any, iv: bytes) -> bytes:
    """A key to authenticate with, which only the token can make again: its encryption of a fixed text."""
    made: bytes = key.encrypt(_BOUND.ljust(32, b"\0"), mechanism=Mechanism.AES_CBC, mechanism_param=iv)
    return sha256(made).digest()


_FIXED_IV = bytes(16)


def _cbc_encrypt(key: Any, data: bytes) -> bytes:
    iv = os.urandom(16)
    encrypted: bytes = key.encrypt(data, mechanism=Mechanism.AES_CBC, mechanism_param=iv)
    tag = hmac.digest(_cbc_mac_key(key, _FIXED_IV), iv + encrypted, "sha256")
    return iv + encrypted + tag


def _cbc_decrypt(key: Any, encrypted: bytes) -> bytes:
    body, tag = encrypted[:-32], encrypted[-32:]
    if not hmac.compare_digest(hmac.digest(_cbc_mac_key(key, _FIXED_IV), body, "sha256"), tag):
        raise SealBroken("a sealing key does not open: its record was changed")
    data: bytes = key.decrypt(body[16:], mechanism=Mechanism.AES_CBC, mechanism_param=body[:16])
    return data


SCHEMES = (
    Scheme("AES-GCM", (Mechanism.AES_GCM,), _gcm_encrypt, _gcm_decrypt),
    Scheme("AES-CBC-HMAC", (Mechanism.AES_CBC,), _cbc_encrypt, _cbc_decrypt),
)


# --- the token ----------------------------------------------------------------------------------


class TokenHolder:
    """One token of one module. Implements `Holder`."""

    def __init__(self, module_path: str, label: str, pin_file: Path, softhsm_folder: Path | None = None) -> None:
        """Nothing is loaded yet: that is for `open`, in the process that will use it.

        `softhsm_folder`: where the instance's own SoftHSM token lives, if it has one.
        """
        self._module_path = module_path
        self._label = label
        self._pin_file = pin_file
        self._softhsm_folder = softhsm_folder
        self._objects = threading.Lock()
        self._local = threading.local()
        self._token: Any = None
        self._pin = ""
        self._process = 0
        self._schemes: tuple[Scheme, ...] = ()

    @property
    def description(self) -> str:
        return f"token {self._label!r} of {Path(self._module_path).name}"

    def open(self) -> None:
        self._find_token()
        try:
            self._schemes = self._usable_schemes()
            self._key()
        except KeyStoreUnavailable as error:
            raise SettingsError(error.message) from error

    def create(self) -> None:
        """Make the wrapping key in the token. Refuses where there is one."""
        self._find_token()
        session = self._session()
        with self._objects:
            try:
                if list(session.get_objects({Attribute.LABEL: WRAPPING_KEY})):
                    raise SettingsError(
                        f"the {self.description} holds a wrapping key already; use another token or --join"
                    )
                session.generate_key(
                    KeyType.AES,
                    256,
                    label=WRAPPING_KEY,
                    store=True,
                    template={
                        Attribute.SENSITIVE: True,
                        Attribute.EXTRACTABLE: False,
                        Attribute.PRIVATE: True,
                        Attribute.ENCRYPT: True,
                        Attribute.DECRYPT: True,
                        Attribute.WRAP: False,
                        Attribute.UNWRAP: False,
                        Attribute.SIGN: False,
                        Attribute.VERIFY: False,
                    },
                )
            except PKCS11Error as error:
                raise SettingsError(f"the {self.description} made no key: {_named(error)}") from error

    def initialise_softhsm(self, pin: str, so_pin: str) -> None:
        """Make the token itself, in the instance's own SoftHSM folder."""
        assert self._softhsm_folder is not None
        softhsm.create_folder(self._softhsm_folder)
        try:
            loaded = module.load(self._module_path)
            module.initialise_token(self._module_path, loaded.get_slots()[0].slot_id, self._label, so_pin)
            with loaded.get_token(token_label=self._label).open(rw=True, so_pin=so_pin) as session:
                session.init_pin(pin)
        except PKCS11Error as error:
            raise SettingsError(f"the {self.description} could not be made: {_named(error)}") from error

    # --- in service ---------------------------------------------------------------------------

    def encrypt(self, key: bytes) -> tuple[str, bytes]:
        scheme = self._schemes[0]
        return scheme.name, self._with_key(lambda wrapping: scheme.encrypt(wrapping, key))

    def decrypt(self, scheme: str, encrypted: bytes) -> bytes:
        found = next((each for each in SCHEMES if each.name == scheme), None)
        if found is None:
            raise SealBroken(f"a sealing key is encrypted by the scheme {scheme}, which this server does not know")
        try:
            return self._with_key(lambda wrapping: found.decrypt(wrapping, encrypted))
        except KeyStoreUnavailable as error:
            if isinstance(error.__cause__, _CIPHERTEXT_ERRORS):
                raise SealBroken("a sealing key does not open with the key in the token") from error
            raise

    def random(self, length: int) -> bytes:
        def ask(session: Any) -> bytes:
            made: bytes = session.generate_random(length * 8)
            return made

        return self._translated(lambda: ask(self._session()))

    def close(self) -> None:
        session = getattr(self._local, "session", None)
        self._local = threading.local()
        if session is not None and self._process == os.getpid():
            try:
                session.close()
            except PKCS11Error:
                return

    # --- sessions and objects -----------------------------------------------------------------

    def _find_token(self) -> None:
        """Load the module in this process and find the token. Raises SettingsError."""
        if self._softhsm_folder is not None and softhsm.is_softhsm(self._module_path):
            softhsm.configure(self._softhsm_folder)
        self._pin = secret_from(self._pin_file, "PIN")
        loaded = module.load(self._module_path)
        try:
            self._token = loaded.get_token(token_label=self._label)
        except pkcs11.NoSuchToken as error:
            raise SettingsError(
                f"the module {self._module_path} has no token with the label {self._label!r}; "
                "list them with: pkcs11-tool --module MODULE -L"
            ) from error
        except pkcs11.MultipleTokensReturned as error:
            raise SettingsError(
                f"several tokens have the label {self._label!r}; give them labels of their own"
            ) from error
        except PKCS11Error as error:
            raise SettingsError(f"the module {self._module_path} failed: {_named(error)}") from error
        self._process = os.getpid()
        self._local = threading.local()
        try:
            self._session()
        except KeyStoreUnavailable as error:
            raise SettingsError(error.message) from error

    def _session(self) -> Any:
        """This thread's session. A wrong PIN is remembered and not tried again."""
        session = getattr(self._local, "session", None)
        if session is not None:
            return session
        if self._token is None or not self._pin:
            raise KeyStoreUnavailable(f"the {self.description} is not open")
        try:
            session = self._open_session()
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange) as error:
            self._pin = ""
            raise KeyStoreUnavailable(
                f"the PIN in {self._pin_file} is not that of the {self.description}"
            ) from error
        except pkcs11.PinLocked as error:
            self._pin = ""
            raise KeyStoreUnavailable(f"the PIN of the {self.description} is locked; unlock it first") from error
        except PKCS11Error as error:
            raise KeyStoreUnavailable(f"the {self.description} opens no session: {_named(error)}") from error
        self._local.session = session
        return session

    def _open_session(self) -> Any:
        try:
            return self._token.open(rw=True, user_pin=self._pin)
        except pkcs11.UserAlreadyLoggedIn:
            # Login belongs to the process, sessions to threads.
            return self._token.open(rw=True)

    def _key(self) -> Any:
        """The wrapping key, as this thread's session knows it."""
        key = getattr(self._local, "key", None)
        if key is None:
            session = self._session()
            with self._objects:
                try:
                    key = session.get_key(object_class=ObjectClass.SECRET_KEY, label=WRAPPING_KEY)
                except pkcs11.NoSuchKey as error:
                    raise KeyStoreUnavailable(
                        f"the {self.description} does not hold the key {WRAPPING_KEY!r}; "
                        "restore the token from a backup"
                    ) from error
                except PKCS11Error as error:
                    raise KeyStoreUnavailable(f"the {self.description} failed: {_named(error)}") from error
            self._local.key = key
        return key

    def _with_key(self, use: Callable[[Any], bytes]) -> bytes:
        return self._translated(lambda: use(self._key()))

    def _translated(self, call: Callable[[], bytes]) -> bytes:
        """Call the module; after a failure this thread starts over with a new session."""
        try:
            return call()
        except PKCS11Error as error:
            self._local.session = self._local.key = None
            raise KeyStoreUnavailable(f"the {self.description} failed: {_named(error)}") from error

    def _usable_schemes(self) -> tuple[Scheme, ...]:
        try:
            present = set(self._token.slot.get_mechanisms())
        except PKCS11Error as error:
            raise KeyStoreUnavailable(f"the {self.description} lists no mechanisms: {_named(error)}") from error
        usable = tuple(scheme for scheme in SCHEMES if present.issuperset(scheme.mechanisms))
        if not usable:
            raise KeyStoreUnavailable(f"the {self.description} has none of AES-GCM and AES-CBC")
        return usable


# SoftHSM answers a wrong GCM tag with CKR_GENERAL_ERROR, as if the device had failed.
_CIPHERTEXT_ERRORS = (
    pkcs11.EncryptedDataInvalid,
    pkcs11.EncryptedDataLenRange,
    pkcs11.GeneralError,
)


def _named(error: PKCS11Error) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
