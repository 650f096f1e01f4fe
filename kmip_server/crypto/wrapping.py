"""AES key wrap: RFC 3394 (NIST Key Wrap) and RFC 5649 (with padding)."""

from __future__ import annotations

from cryptography.hazmat.primitives import keywrap

from kmip_server.errors import CryptographicFailure

_WRONG_LENGTH = "AES key wrap takes a multiple of 8 bytes, at least 16; use AES Key Wrap Padding"


def wrap(key: bytes, data: bytes) -> bytes:
    """`data` wrapped by an AES `key`; 8 bytes longer. Raises CryptographicFailure. RFC 3394 section 2.2.1."""
    try:
        return keywrap.aes_key_wrap(key, data)
    except ValueError as error:
        raise CryptographicFailure(_WRONG_LENGTH) from error


def wrap_with_padding(key: bytes, data: bytes) -> bytes:
    """`data` of any length wrapped by an AES `key`. Raises CryptographicFailure. RFC 5649 section 4.1."""
    try:
        return keywrap.aes_key_wrap_with_padding(key, data)
    except ValueError as error:
        raise CryptographicFailure("the data cannot be wrapped by this key") from error


def unwrap(key: bytes, data: bytes) -> bytes:
    """What was wrapped. Raises CryptographicFailure where the key or the data is not right."""
    try:
        return keywrap.aes_key_unwrap(key, data)
    except (ValueError, keywrap.InvalidUnwrap) as error:
        raise CryptographicFailure("the data does not unwrap with this key") from error


def unwrap_with_padding(key: bytes, data: bytes) -> bytes:
    """What was wrapped with padding. Raises CryptographicFailure where the key or the data is not right."""
    try:
        return keywrap.aes_key_unwrap_with_padding(key, data)
    except (ValueError, keywrap.InvalidUnwrap) as error:
        raise CryptographicFailure("the data does not unwrap with this key") from error
