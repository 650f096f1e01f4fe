"""Hash functions by their KMIP names."""

from __future__ import annotations

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

BROKEN = frozenset({H.MD5, H.SHA_1})
"""Collisions can be made: no new signature is made over these unless weak algorithms are switched on."""


def hash_of(algorithm: H) -> hashes.HashAlgorithm:
    """The hash function. Raises UnsupportedCryptographicParameters for one that is not served."""
    made = HASHES.get(algorithm)
    if made is None:
        raise UnsupportedCryptographicParameters(f"the Hashing Algorithm {algorithm.title} is not served")
    return made()


def digest(algorithm: H, data: bytes) -> bytes:
    """The digest of `data`."""
    context = hashes.Hash(hash_of(algorithm))
    context.update(data)
    return context.finalize()
