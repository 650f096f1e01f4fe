"""Hash functions by their KMIP names.

Strategy: two tables, since `cryptography` has all but RIPEMD-160, which OpenSSL has behind `hashlib`. MD2, MD4,
Tiger and Whirlpool are refused: no library that we use has them. A digest protects nothing by itself, so none is
refused for being weak; new signatures (`BROKEN`) and HMAC-MD5 are.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from cryptography.hazmat.primitives import hashes

from kmip_server.errors import UnsupportedCryptographicParameters
from kmip_server.protocol.enums import HashingAlgorithm as H

HASHES: dict[H, type[hashes.HashAlgorithm]] = {
    H.MD5: hashes.MD5,
    H.SHA_1: hashes.SHA1,
    H.SHA_224: hashes.SHA224,
    H.SHA_256: hashes.SHA256,
    H.SHA_384: hashes.SHA384,
    H.SHA_512: hashes.SHA512,
    H.SHA_512_224: hashes.SHA512_224,
    H.SHA_512_256: hashes.SHA512_256,
    H.SHA3_224: hashes.SHA3_224,
    H.SHA3_256: hashes.SHA3_256,
    H.SHA3_384: hashes.SHA3_384,
    H.SHA3_512: hashes.SHA3_512,
}

BY_HASHLIB: dict[H, str] = {H.RIPEMD_160: "ripemd160"}
"""For Hash and HMAC alone, where this machine's OpenSSL has them."""

BROKEN = frozenset({H.MD5, H.SHA_1})
"""Collisions can be made: no new signature is made over these unless weak algorithms are switched on."""


class Digesting(Protocol):
    """A digest or a MAC in the making: `update` with each part, `finalize` once."""

    def update(self, data: bytes) -> None: ...

    def finalize(self) -> bytes: ...


class HashlibDigesting:
    """What `hashlib` and `hmac` make, in the words of `cryptography`."""

    def __init__(self, made: HashlibObject) -> None:
        self._made = made

    def update(self, data: bytes) -> None:
        self._made.update(data)

    def finalize(self) -> bytes:
        return self._made.digest()


class HashlibObject(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


def hash_of(algorithm: H) -> hashes.HashAlgorithm:
    """The hash function. Raises UnsupportedCryptographicParameters for one that is not served."""
    made = HASHES.get(algorithm)
    if made is None:
        raise UnsupportedCryptographicParameters(f"the Hashing Algorithm {algorithm.title} is not served")
    return made()


def hashlib_name(algorithm: H) -> str | None:
    """The name by which `hashlib` has the hash; None where it is not one of its, or this machine lacks it."""
    name = BY_HASHLIB.get(algorithm)
    return name if name in hashlib.algorithms_available else None


def digesting(algorithm: H) -> Digesting:
    """Begin a digest. Raises UnsupportedCryptographicParameters for one that is not served."""
    name = hashlib_name(algorithm)
    if name is not None:
        return HashlibDigesting(hashlib.new(name))
    return hashes.Hash(hash_of(algorithm))


def digest(algorithm: H, data: bytes) -> bytes:
    """The digest of `data`."""
    context = digesting(algorithm)
    context.update(data)
    return context.finalize()
