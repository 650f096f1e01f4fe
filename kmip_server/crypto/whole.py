"""The ways of encrypting that need all of the data at once: a pair of functions for each.

Strategy: `seal(key, iv, aad, data, tag_length) -> (ciphertext, tag)` and `open_(key, iv, aad, data, tag) -> data`.
Authenticated data is opened here only, whole: nothing of it is told before its tag is verified. The openers raise
InvalidTag or ValueError for whatever is wrong; `symmetric.py` tells it in one sentence.
"""

from __future__ import annotations

import hmac as constant_time
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4, ChaCha20

from kmip_server.crypto import wrapping
from kmip_server.errors import CryptographicFailure

Seal = Callable[[bytes, bytes, bytes, bytes, int], tuple[bytes, bytes]]
Open = Callable[[bytes, bytes, bytes, bytes, bytes], bytes]

_POLY1305_TAG = 16


def open_gcm_with(cipher: type[AES] | type[SM4]) -> Open:
    """The opener of GCM with a block cipher. NIST SP 800-38D section 7.2."""

    def open_gcm(key: bytes, iv: bytes, aad: bytes, data: bytes, tag: bytes) -> bytes:
        context = Cipher(cipher(key), modes.GCM(iv, tag, min_tag_length=len(tag))).decryptor()
        context.authenticate_additional_data(aad)
        return context.update(data) + context.finalize()

    return open_gcm


def seal_ccm(key: bytes, iv: bytes, aad: bytes, data: bytes, tag_length: int) -> tuple[bytes, bytes]:
    """AES in CCM. NIST SP 800-38C section 6.1."""
    if len(data) >= 1 << 8 * (15 - len(iv)):
        raise CryptographicFailure(f"CCM takes less data with an IV/Counter/Nonce of {len(iv)} bytes")
    sealed = AESCCM(key, tag_length).encrypt(iv, data, aad)
    return sealed[:-tag_length], sealed[-tag_length:]


def open_ccm(key: bytes, iv: bytes, aad: bytes, data: bytes, tag: bytes) -> bytes:
    """AES in CCM. NIST SP 800-38C section 6.2."""
    return AESCCM(key, len(tag)).decrypt(iv, data + tag, aad)


def seal_chacha20_poly1305(key: bytes, iv: bytes, aad: bytes, data: bytes, tag_length: int) -> tuple[bytes, bytes]:
    """RFC 8439 section 2.8."""
    sealed = ChaCha20Poly1305(key).encrypt(iv, data, aad)
    return sealed[: len(data)], sealed[len(data) :][:tag_length]


def open_chacha20_poly1305(key: bytes, iv: bytes, aad: bytes, data: bytes, tag: bytes) -> bytes:
    """RFC 8439 section 2.8. The library takes no truncated tag: for one, the whole tag is computed and compared."""
    if len(tag) == _POLY1305_TAG:
        return ChaCha20Poly1305(key).decrypt(iv, data + tag, aad)
    # The first block of the key stream makes the key of Poly1305, so the data begins at the counter 1.
    plain = Cipher(ChaCha20(key, (1).to_bytes(4, "little") + iv), None).decryptor().update(data)
    computed = seal_chacha20_poly1305(key, iv, aad, plain, len(tag))[1]
    if not constant_time.compare_digest(computed, tag):
        raise InvalidTag
    return plain


def seal_xts(key: bytes, iv: bytes, _aad: bytes, data: bytes, _tag_length: int) -> tuple[bytes, bytes]:
    """AES in XTS: one data unit, whose number is the IV. NIST SP 800-38E."""
    _require_data_unit(data)
    return Cipher(AES(key), modes.XTS(iv)).encryptor().update(data), b""


def open_xts(key: bytes, iv: bytes, _aad: bytes, data: bytes, _tag: bytes) -> bytes:
    """AES in XTS. NIST SP 800-38E."""
    _require_data_unit(data)
    return Cipher(AES(key), modes.XTS(iv)).decryptor().update(data)


def _require_data_unit(data: bytes) -> None:
    if not 16 <= len(data) <= 16 << 20:
        raise CryptographicFailure("a data unit of XTS has from 16 bytes to 16 MiB")


def seal_wrap(key: bytes, _iv: bytes, _aad: bytes, data: bytes, _tag_length: int) -> tuple[bytes, bytes]:
    """NIST SP 800-38F, KW."""
    return wrapping.wrap(key, data), b""


def open_wrap(key: bytes, _iv: bytes, _aad: bytes, data: bytes, _tag: bytes) -> bytes:
    """NIST SP 800-38F, KW."""
    return wrapping.unwrap(key, data)


def seal_wrap_padding(key: bytes, _iv: bytes, _aad: bytes, data: bytes, _tag_length: int) -> tuple[bytes, bytes]:
    """NIST SP 800-38F, KWP."""
    return wrapping.wrap_with_padding(key, data), b""


def open_wrap_padding(key: bytes, _iv: bytes, _aad: bytes, data: bytes, _tag: bytes) -> bytes:
    """NIST SP 800-38F, KWP."""
    return wrapping.unwrap_with_padding(key, data)
