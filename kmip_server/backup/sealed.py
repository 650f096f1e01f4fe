"""A file sealed to a passphrase, written and read as a stream.

Strategy: Argon2id makes a key of the passphrase; the content is cut into chunks, each under AES-256-GCM with a
counter as nonce and, as associated data, whether it is the last (the STREAM construction of Hoang, Reyhanitabar,
Rogaway and Vizár, 2015). So chunks cannot be dropped, swapped, repeated or cut off unseen, and a backup of any
size needs one chunk of memory.

    magic (8) | memory KiB (4) | passes (4) | lanes (4) | salt (16) | chunks: length (4) | ciphertext and tag
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmip_server.errors import SettingsError

MAGIC = b"KMSBACK1"
CHUNK = 1 << 20
MINIMUM_PASSPHRASE = 12
"""Characters. The whole instance lies behind it."""

_HEADER = struct.Struct(">8sIII16s")
_LENGTH = struct.Struct(">I")
# RFC 9106 section 4, second recommended option.
_MEMORY_KIB, _PASSES, _LANES = 64 * 1024, 3, 4
_MAX_MEMORY_KIB = 1024 * 1024
_WRONG = "the backup does not open: the passphrase is wrong, or the file is damaged or cut short"


def _key(passphrase: str, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
    return hash_secret_raw(passphrase.encode(), salt, passes, memory_kib, lanes, 32, Type.ID)


def _nonce(counter: int) -> bytes:
    return counter.to_bytes(12, "big")


class SealedWriter:
    """A writable binary file that seals what is written. `close` writes the last chunk; without it, the file does
    not open again."""

    def __init__(self, target: BinaryIO, passphrase: str) -> None:
        """Raises SettingsError for a passphrase that is too short."""
        if len(passphrase) < MINIMUM_PASSPHRASE:
            raise SettingsError(f"the passphrase of a backup has at least {MINIMUM_PASSPHRASE} characters")
        salt = os.urandom(16)
        target.write(_HEADER.pack(MAGIC, _MEMORY_KIB, _PASSES, _LANES, salt))
        self._cipher = AESGCM(_key(passphrase, salt, _MEMORY_KIB, _PASSES, _LANES))
        self._target = target
        self._buffer = bytearray()
        self._counter = 0

    def write(self, data: bytes) -> int:
        self._buffer += data
        while len(self._buffer) > CHUNK:
            self._seal(bytes(self._buffer[:CHUNK]), last=False)
            del self._buffer[:CHUNK]
        return len(data)

    def close(self) -> None:
        self._seal(bytes(self._buffer), last=True)
        self._buffer.clear()

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._counter), chunk, b"last" if last else b"more")
        self._counter += 1
        self._target.write(_LENGTH.pack(len(sealed) | (0x80000000 if last else 0)) + sealed)


class SealedReader:
    """A readable binary file of what a `SealedWriter` sealed. Every byte it gives is authenticated."""

    def __init__(self, source: BinaryIO, passphrase: str) -> None:
        """Raises SettingsError where the file is no backup."""
        header = source.read(_HEADER.size)
        if len(header) != _HEADER.size or not header.startswith(MAGIC):
            raise SettingsError("the file is not a backup of this server")
        _, memory_kib, passes, lanes, salt = _HEADER.unpack(header)
        if not (8 <= memory_kib <= _MAX_MEMORY_KIB and 1 <= passes <= 32 and 1 <= lanes <= 16):
            raise SettingsError(_WRONG)
        self._cipher = AESGCM(_key(passphrase, salt, memory_kib, passes, lanes))
        self._chunks = self._open(source)
        self._buffer = b""

    def _open(self, source: BinaryIO) -> Iterator[bytes]:
        counter, last = 0, False
        while not last:
            prefix = source.read(4)
            if len(prefix) != 4:
                raise SettingsError(_WRONG)
            word = _LENGTH.unpack(prefix)[0]
            last, length = bool(word & 0x80000000), word & 0x7FFFFFFF
            if not 16 <= length <= CHUNK + 16:
                raise SettingsError(_WRONG)
            try:
                yield self._cipher.decrypt(_nonce(counter), source.read(length), b"last" if last else b"more")
            except InvalidTag as error:
                raise SettingsError(_WRONG) from error
            counter += 1
        if source.read(1):
            raise SettingsError(_WRONG)

    def read(self, size: int = -1) -> bytes:
        parts = [self._buffer]
        have = len(self._buffer)
        while size < 0 or have < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(chunk)
            have += len(chunk)
        data = b"".join(parts)
        cut = len(data) if size < 0 else size
        self._buffer = data[cut:]
        return data[:cut]
