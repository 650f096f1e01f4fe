"""Encryption with symmetric keys: a row for each mode, a function for each kind of mode.

Strategy: what a mode is (IV length, padding or none, a tag or none) is a row; three functions do the work. All
that can be wrong with a ciphertext is told in one sentence, so that nobody learns from the difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import padding as paddings
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from kmip_server.crypto import wrapping
from kmip_server.crypto.algorithms import expanded, require_strong, symmetric_row
from kmip_server.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
)
from kmip_server.protocol.enums import BlockCipherMode as M
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import PaddingMethod as P

_CIPHERS: dict[A, Callable[[bytes], Any]] = {A.AES: AES, A.TRIPLE_DES: lambda key: TripleDES(expanded(key))}
_KEY_WRAPS = {
    M.NISTKEYWRAP: (wrapping.wrap, wrapping.unwrap),
    M.AESKEYWRAPPADDING: (wrapping.wrap_with_padding, wrapping.unwrap_with_padding),
}
DEFAULT_TAG_LENGTH = 16
GCM_IV_LENGTH = 12
_TAG_LENGTHS = frozenset({4, 8, 12, 13, 14, 15, 16})
_WRONG = "the data does not decrypt with this key and these parameters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypted:
    """`tag` is None but for authenticated modes."""

    data: bytes
    tag: bytes | None = field(default=None)


def iv_length(algorithm: A, mode: M | None) -> int:
    """Bytes of IV, counter or nonce that the mode takes; 0 where it takes none."""
    if mode in (M.CBC, M.CTR):
        return symmetric_row(algorithm).block
    return GCM_IV_LENGTH if mode == M.GCM else 0


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
    """Encrypt `data`. `tag_length` in bytes; all of it where it is not given.

    Raises UnsupportedCryptographicParameters, BadCryptographicParameters, MissingInitializationVector,
    CryptographicFailure for data that is no whole number of blocks where nothing pads it.
    """
    require_strong(algorithm.title, symmetric_row(algorithm).weak, weak_allowed)
    if mode in _KEY_WRAPS:
        _require_aes(algorithm, mode)
        return Encrypted(data=_KEY_WRAPS[mode][0](key, data))
    if mode == M.GCM:
        length = _gcm_tag_length(algorithm, tag_length)
        context = _cipher(algorithm, key, modes.GCM(_gcm_iv(iv))).encryptor()
        context.authenticate_additional_data(aad)
        encrypted = context.update(data) + context.finalize()
        return Encrypted(data=encrypted, tag=context.tag[:length])
    encryptor = _cipher(algorithm, key, _mode(algorithm, mode, iv)).encryptor()
    plain = _padded(algorithm, mode, padding, data)
    return Encrypted(data=encryptor.update(plain) + encryptor.finalize())


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
    """Decrypt `data`. Raises as `encrypt`, and CryptographicFailure, in one sentence, for whatever is wrong."""
    symmetric_row(algorithm)
    if mode in _KEY_WRAPS:
        _require_aes(algorithm, mode)
        return _KEY_WRAPS[mode][1](key, data)
    if mode == M.GCM:
        length = _gcm_tag_length(algorithm, tag_length if tag_length is not None else len(tag or b""))
        if tag is None or len(tag) != length:
            raise CryptographicFailure(_WRONG)
        context = _cipher(algorithm, key, modes.GCM(_gcm_iv(iv), tag, min_tag_length=length)).decryptor()
        context.authenticate_additional_data(aad)
        try:
            return context.update(data) + context.finalize()
        except InvalidTag as error:
            raise CryptographicFailure(_WRONG) from error
    decryptor = _cipher(algorithm, key, _mode(algorithm, mode, iv)).decryptor()
    try:
        plain = decryptor.update(data) + decryptor.finalize()
        return _unpadded(algorithm, mode, padding, plain)
    except ValueError as error:
        raise CryptographicFailure(_WRONG) from error


# --- parts --------------------------------------------------------------------------------------


def _cipher(algorithm: A, key: bytes, mode: modes.Mode) -> Cipher[Any]:
    cipher = _CIPHERS.get(algorithm)
    if cipher is None:
        raise UnsupportedCryptographicParameters(f"{algorithm.title} keys do not encrypt")
    try:
        return Cipher(cipher(key), mode)
    except ValueError as error:
        raise BadCryptographicParameters(
            f"the key or the IV/Counter/Nonce has not the length that {algorithm.title} takes"
        ) from error


def _mode(algorithm: A, mode: M | None, iv: bytes | None) -> modes.Mode:
    if mode == M.ECB:
        return modes.ECB()  # noqa: S305 - the client's choice; key wrapping and test cases need it
    if mode not in (M.CBC, M.CTR):
        raise UnsupportedCryptographicParameters(
            f"the Block Cipher Mode {mode.title} is not served" if mode else "a Block Cipher Mode must be given"
        )
    if iv is None:
        raise MissingInitializationVector(f"{mode.title} needs an IV/Counter/Nonce")
    if len(iv) != symmetric_row(algorithm).block:
        raise BadCryptographicParameters("the IV/Counter/Nonce has not the length of a block")
    return modes.CBC(iv) if mode == M.CBC else modes.CTR(iv)


def _gcm_iv(iv: bytes | None) -> bytes:
    if iv is None:
        raise MissingInitializationVector("GCM needs an IV/Counter/Nonce")
    if not 8 <= len(iv) <= 128:
        raise BadCryptographicParameters("the IV/Counter/Nonce of GCM has 8 to 128 bytes; 12 is best")
    return iv


def _gcm_tag_length(algorithm: A, tag_length: int | None) -> int:
    _require_aes(algorithm, M.GCM)
    length = tag_length or DEFAULT_TAG_LENGTH
    if length not in _TAG_LENGTHS:
        raise BadCryptographicParameters("a tag of GCM has 4, 8 or 12 to 16 bytes")
    return length


def _require_aes(algorithm: A, mode: M) -> None:
    if algorithm != A.AES:
        raise UnsupportedCryptographicParameters(f"{mode.title} is served with AES only")


# --- padding ------------------------------------------------------------------------------------


def _padded(algorithm: A, mode: M | None, padding: P | None, data: bytes) -> bytes:
    """`data` filled up to whole blocks. Without a Padding Method it must be whole already."""
    block = symmetric_row(algorithm).block
    if mode == M.CTR:
        return data
    missing = block - len(data) % block
    if padding in (None, P.NONE):
        if missing != block:
            raise CryptographicFailure("the data is no whole number of blocks, and no Padding Method is given")
        return data
    if padding == P.PKCS5:
        return data + bytes([missing]) * missing
    if padding == P.ANSI_X9_23:
        return data + bytes(missing - 1) + bytes([missing])
    if padding == P.ISO_10126:
        return data + os.urandom(missing - 1) + bytes([missing])
    if padding == P.ZEROS:
        return data + bytes(missing % block)
    raise UnsupportedCryptographicParameters(f"the Padding Method {padding.title} is not one of block ciphers")


def _unpadded(algorithm: A, mode: M | None, padding: P | None, plain: bytes) -> bytes:
    """Take the padding off again. Raises ValueError where it is not there."""
    if mode == M.CTR or padding in (None, P.NONE):
        return plain
    block = symmetric_row(algorithm).block
    if padding == P.ZEROS:
        return plain.rstrip(b"\0")
    if padding == P.ISO_10126:
        if not plain or not 1 <= plain[-1] <= block:
            raise ValueError
        return plain[: -plain[-1]]
    if padding not in (P.PKCS5, P.ANSI_X9_23):
        raise UnsupportedCryptographicParameters(f"the Padding Method {padding.title} is not one of block ciphers")
    scheme = paddings.PKCS7(block * 8) if padding == P.PKCS5 else paddings.ANSIX923(block * 8)
    unpadder = scheme.unpadder()
    return unpadder.update(plain) + unpadder.finalize()
