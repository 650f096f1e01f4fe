"""The wrapping key in a file, for machines that have no PKCS#11 library. This is not an HSM.

Strategy: the same `Holder` as a token. The key's file is sealed by a passphrase (Argon2id, AES-256-GCM);
whoever has both files has every key, and the server says so at every start.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmip_server.errors import KeyStoreUnavailable, SealBroken, SettingsError
from kmip_server.keystore.holder import secret_from

log = logging.getLogger(__name__)

_SCHEME = "software AES-GCM"
_BOUND = b"kmip-server sealing key"
_FILE_BOUND = b"kmip-server software keystore 1"
# RFC 9106 section 4, second recommended option.
_COST = {"memory_cost": 64 * 1024, "time_cost": 3, "parallelism": 4}


class SoftwareHolder:
    """Implements `Holder` with a sealed file."""

    def __init__(self, key_file: Path, passphrase_file: Path) -> None:
        self._key_file = key_file
        self._passphrase_file = passphrase_file
        self._cipher: AESGCM | None = None

    @property
    def description(self) -> str:
        return f"software keystore {self._key_file}"

    def open(self) -> None:
        log.warning("keystore.kind is software: keys are protected by a passphrase file, not by an HSM")
        passphrase = secret_from(self._passphrase_file, "passphrase")
        try:
            stored = json.loads(secret_from(self._key_file, "keystore"))
            salt, nonce = bytes.fromhex(stored["salt"]), bytes.fromhex(stored["nonce"])
            key = AESGCM(_stretched(passphrase, salt)).decrypt(nonce, bytes.fromhex(stored["key"]), _FILE_BOUND)
        except InvalidTag as error:
            raise SettingsError(
                f"the passphrase in {self._passphrase_file} does not open {self._key_file}"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"the keystore file {self._key_file} is damaged; restore it") from error
        self._cipher = AESGCM(key)

    def create(self) -> None:
        """Make the file, mode 0600. Refuses where there is one."""
        passphrase = secret_from(self._passphrase_file, "passphrase")
        salt, nonce = os.urandom(16), os.urandom(12)
        sealed = AESGCM(_stretched(passphrase, salt)).encrypt(nonce, os.urandom(32), _FILE_BOUND)
        text = json.dumps({"salt": salt.hex(), "nonce": nonce.hex(), "key": sealed.hex()})
        try:
            descriptor = os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SettingsError(f"{self._key_file} cannot be made: {error.strerror}") from error

    def encrypt(self, key: bytes) -> tuple[str, bytes]:
        nonce = os.urandom(12)
        return _SCHEME, nonce + self._opened().encrypt(nonce, key, _BOUND)

    def decrypt(self, scheme: str, encrypted: bytes) -> bytes:
        if scheme != _SCHEME:
            raise SealBroken(f"a sealing key is encrypted by {scheme!r}, not by this software keystore")
        try:
            return self._opened().decrypt(encrypted[:12], encrypted[12:], _BOUND)
        except (InvalidTag, ValueError) as error:
            raise SealBroken("a sealing key does not open with the key of the software keystore") from error

    def random(self, length: int) -> bytes:
        return os.urandom(length)

    def begin_anew(self) -> None:
        """There is nothing between this and its file."""

    def close(self) -> None:
        self._cipher = None

    def _opened(self) -> AESGCM:
        if self._cipher is None:
            raise KeyStoreUnavailable("the software keystore is not open")
        return self._cipher


def _stretched(passphrase: str, salt: bytes) -> bytes:
    return hash_secret_raw(
        passphrase.encode(),
        salt,
        _COST["time_cost"],
        _COST["memory_cost"],
        _COST["parallelism"],
        32,
        Type.ID,
    )
