"""Encryption with symmetric keys, whole or in parts.

Strategy: what a mode is stands in `ciphers.py`; here it is done, in two ways. Where data can flow, each part is
answered as it comes; otherwise the parts are kept until the last. Authenticated data is always kept when it is
decrypted: nothing of it is told before its tag is verified. Encrypting everything at once is the same with one
part. All that can be wrong with a ciphertext is told in one sentence, so that nobody learns from the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from kmip_server.crypto import nonces
from kmip_server.crypto.algorithms import require_strong, symmetric_row
from kmip_server.crypto.ciphers import CIPHERS, ModeRow, mode_row, title_of
from kmip_server.crypto.padding import PaddingRow, padding_row
from kmip_server.errors import BadCryptographicParameters, CryptographicFailure, InvalidTagLength
from kmip_server.protocol.enums import BlockCipherMode as M
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import PaddingMethod as P

_WRONG = "the data does not decrypt with this key and these parameters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypted:
    """`tag` is None but for authenticated modes."""

    data: bytes
    tag: bytes | None = field(default=None)


class Encryption(Protocol):
    """One encryption: `update` with each part, `finalize` once. What they return, in its order, is the result.

    Both raise CryptographicFailure for data that does not fit, e.g. no whole blocks where nothing pads them.
    """

    keeps_data: bool
    """Whether the parts are kept until the last."""

    def update(self, data: bytes) -> bytes: ...

    def finalize(self) -> Encrypted: ...


class Decryption(Protocol):
    """One decryption. Both raise CryptographicFailure, in one sentence, for whatever is wrong."""

    keeps_data: bool

    def update(self, data: bytes) -> bytes: ...

    def finalize(self, tag: bytes | None = None, *, behind: int = 0) -> bytes:
        """The rest. In an authenticated mode the tag is `tag`, or the last `behind` bytes of the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How to encrypt: what of the Cryptographic Parameters concerns a cipher, the IV, and the additional data."""

    mode: M | None = None
    padding: P | None = None
    iv: bytes | None = None
    aad: bytes = b""
    tag_length: int | None = None
    """Bytes; the whole tag where it is not given."""
    counter_length: int | None = None
    """Bits."""
    initial_counter_value: int | None = None


def encryption(algorithm: A, key: bytes, how: How, *, weak_allowed: bool = False) -> Encryption:
    """Begin to encrypt.

    Raises UnsupportedCryptographicParameters, BadCryptographicParameters, InvalidTagLength,
    MissingInitializationVector.
    """
    require_strong(algorithm.title, symmetric_row(algorithm).weak, weak_allowed)
    row = mode_row(algorithm, how.mode)
    tag_length = _tag_length(row, how.tag_length)
    iv = nonces.require_iv(title_of(algorithm, how.mode), row.ivs, how.iv)
    _require_key(algorithm, key, how.mode)
    if row.flowing is None:
        return _Sealing(row, key, iv, how.aad, tag_length)
    cipher, room = _cipher(algorithm, key, row, iv, how)
    padding = padding_row(how.padding) if row.padded else None
    context = cipher.encryptor()
    if row.tags:
        context.authenticate_additional_data(how.aad)
    return _FlowingEncryption(context, padding, symmetric_row(algorithm).block, room, tag_length)


def decryption(algorithm: A, key: bytes, how: How) -> Decryption:
    """Begin to decrypt. Raises as `encryption`, but for what is weak: old data can always be opened."""
    row = mode_row(algorithm, how.mode)
    if how.tag_length is not None:
        _tag_length(row, how.tag_length)
    iv = nonces.require_iv(title_of(algorithm, how.mode), row.ivs, how.iv)
    _require_key(algorithm, key, how.mode)
    if row.open_ is not None:
        return _Opening(row, key, iv, how.aad, how.tag_length)
    cipher, room = _cipher(algorithm, key, row, iv, how)
    padding = padding_row(how.padding) if row.padded else None
    return _FlowingDecryption(cipher.decryptor(), padding, symmetric_row(algorithm).block, room)


def encrypt(
    algorithm: A,
    key: bytes,
    *,
    mode: M | None,
    padding: P | None,
    iv: bytes | None,
    data: bytes,
    aad: bytes = b"",
    tag_length: int | None = None,
    weak_allowed: bool = False,
) -> Encrypted:
    """Encrypt all of `data`. Raises as `encryption`, and CryptographicFailure for data that does not fit."""
    how = How(mode=mode, padding=padding, iv=iv, aad=aad, tag_length=tag_length)
    begun = encryption(algorithm, key, how, weak_allowed=weak_allowed)
    first = begun.update(data)
    last = begun.finalize()
    return Encrypted(data=first + last.data, tag=last.tag)


def decrypt(
    algorithm: A,
    key: bytes,
    *,
    mode: M | None,
    padding: P | None,
    iv: bytes | None,
    data: bytes,
    aad: bytes = b"",
    tag: bytes | None = None,
    tag_length: int | None = None,
) -> bytes:
    """Decrypt all of `data`. Raises as `decryption`, and CryptographicFailure for whatever is wrong."""
    begun = decryption(algorithm, key, How(mode=mode, padding=padding, iv=iv, aad=aad, tag_length=tag_length))
    return begun.update(data) + begun.finalize(tag)


def usual_tag_length(algorithm: A, mode: M | None) -> int:
    """Bytes of the tag where Tag Length is not given; 0 where the mode makes none."""
    row = mode_row(algorithm, mode)
    return row.tags[-1] if row.tags else 0


# --- data that flows ----------------------------------------------------------------------------


class _Flowing:
    """What both directions have: the library's context, and the room that the IV leaves."""

    keeps_data = False

    def __init__(self, context: Any, padding: PaddingRow | None, block: int, room: int | None) -> None:
        self._context = context
        self._padding = padding
        self._block = block
        self._room = room
        self._length = 0

    def _advanced(self, data: bytes) -> bytes:
        self._length += len(data)
        if self._room is not None and self._length > self._room:
            raise CryptographicFailure("the counter would repeat: this IV/Counter/Nonce is good for less data")
        done: bytes = self._context.update(data)
        return done


class _FlowingEncryption(_Flowing):
    def __init__(
        self, context: Any, padding: PaddingRow | None, block: int, room: int | None, tag_length: int
    ) -> None:
        super().__init__(context, padding, block, room)
        self._tag_length = tag_length

    def update(self, data: bytes) -> bytes:
        return self._advanced(data)

    def finalize(self) -> Encrypted:
        filling = b""
        if self._padding is not None:
            filling = self._padding.filling(self._block - self._length % self._block, self._block)
        data = self._context.update(filling) + self._context.finalize()
        return Encrypted(data=data, tag=self._context.tag[: self._tag_length] if self._tag_length else None)


class _FlowingDecryption(_Flowing):
    """The last block waits, since it may hold the padding."""

    _waiting = b""

    def update(self, data: bytes) -> bytes:
        plain = self._advanced(data)
        if self._padding is None:
            return plain
        plain = self._waiting + plain
        ready = max(len(plain) - self._block, 0)
        self._waiting = plain[ready:]
        return plain[:ready]

    def finalize(self, tag: bytes | None = None, *, behind: int = 0) -> bytes:  # noqa: ARG002 - there is none
        try:
            plain = self._waiting + self._context.finalize()
            return plain if self._padding is None else self._padding.removed(plain, self._block)
        except ValueError as error:
            raise CryptographicFailure(_WRONG) from error


# --- data that is kept --------------------------------------------------------------------------


class _Kept:
    """Parts that wait for the last one."""

    keeps_data = True

    def __init__(self, row: ModeRow, key: bytes, iv: bytes, aad: bytes, tag_length: int | None) -> None:
        self._row = row
        self._key = key
        self._iv = iv
        self._aad = aad
        self._tag_length = tag_length
        self._data = bytearray()

    def update(self, data: bytes) -> bytes:
        self._data += data
        return b""


class _Sealing(_Kept):
    def finalize(self) -> Encrypted:
        assert self._row.seal is not None
        assert self._tag_length is not None
        data, tag = self._row.seal(self._key, self._iv, self._aad, bytes(self._data), self._tag_length)
        return Encrypted(data=data, tag=tag if self._row.tags else None)


class _Opening(_Kept):
    def finalize(self, tag: bytes | None = None, *, behind: int = 0) -> bytes:
        assert self._row.open_ is not None
        data = bytes(self._data)
        if behind:
            data, tag = data[:-behind], data[-behind:]
        tag = tag or b""
        # Short tags are easier to guess: the length is the request's or the key's to say, not the ciphertext's.
        if self._row.tags and len(tag) != (self._tag_length or self._row.tags[-1]):
            raise CryptographicFailure(_WRONG)
        try:
            return self._row.open_(self._key, self._iv, self._aad, data, tag)
        except (InvalidTag, ValueError) as error:
            raise CryptographicFailure(_WRONG) from error


# --- parts --------------------------------------------------------------------------------------


def _tag_length(row: ModeRow, asked: int | None) -> int:
    """Bytes of the tag; 0 in a mode that makes none, whatever is asked for."""
    if not row.tags:
        return 0
    if asked is None:
        return row.tags[-1]
    if asked not in row.tags:
        raise InvalidTagLength(f"Tag Length is one of {', '.join(str(each) for each in row.tags)} bytes")
    return asked


def _require_key(algorithm: A, key: bytes, mode: M | None) -> None:
    """Raise BadCryptographicParameters for a key that the algorithm does not take in this mode."""
    if mode == M.XTS:
        half = len(key) // 2
        if len(key) not in (32, 64) or key[:half] == key[half:]:
            raise BadCryptographicParameters("XTS takes a key of 256 or 512 bits whose halves differ")
        return
    try:
        fits = mode is None or algorithm != A.AES or len(key) in (16, 24, 32)
        CIPHERS[algorithm].primitive(key)
    except ValueError:
        fits = False
    if not fits:
        raise BadCryptographicParameters(f"the key has not the length that {algorithm.title} takes")


def _cipher(algorithm: A, key: bytes, row: ModeRow, iv: bytes, how: How) -> tuple[Cipher[Any], int | None]:
    """The library's cipher, and how much data it is good for."""
    assert row.flowing is not None
    room = row.room
    if algorithm == A.CHACHA20:
        block, room = nonces.chacha20_block(iv, how.counter_length, how.initial_counter_value)
        return Cipher(ChaCha20(key, block), None), room
    if row.counter:
        iv, room = nonces.counter_block(
            iv, symmetric_row(algorithm).block, how.counter_length, how.initial_counter_value
        )
    make: Callable[[bytes], Any] = CIPHERS[algorithm].primitive
    return Cipher(make(key), row.flowing(iv)), room
