"""HMAC with every hash, CMAC with every block cipher."""

from __future__ import annotations

import hmac as constant_time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import cmac, hmac
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from kmip_server.crypto.algorithms import SYMMETRIC, expanded, require_strong
from kmip_server.crypto.hashing import hash_of
from kmip_server.errors import BadCryptographicParameters, UnsupportedCryptographicParameters
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import HashingAlgorithm as H

HMACS: dict[A, H] = {
    A.HMAC_MD5: H.MD5,
    A.HMAC_SHA1: H.SHA_1,
    A.HMAC_SHA224: H.SHA_224,
    A.HMAC_SHA256: H.SHA_256,
    A.HMAC_SHA384: H.SHA_384,
    A.HMAC_SHA512: H.SHA_512,
    A.HMAC_SHA3_224: H.SHA3_224,
    A.HMAC_SHA3_256: H.SHA3_256,
    A.HMAC_SHA3_384: H.SHA3_384,
    A.HMAC_SHA3_512: H.SHA3_512,
}
_BY_HASH = {hashing: algorithm for algorithm, hashing in HMACS.items()}
_CMACS: dict[A, Callable[[bytes], Any]] = {A.AES: AES, A.TRIPLE_DES: lambda key: TripleDES(expanded(key))}


def hmac_of(hashing_algorithm: H) -> A:
    """The HMAC with this hash. Raises UnsupportedCryptographicParameters where there is none."""
    algorithm = _BY_HASH.get(hashing_algorithm)
    if algorithm is None:
        raise UnsupportedCryptographicParameters(f"HMAC with {hashing_algorithm.title} is not served")
    return algorithm


def mac(algorithm: A, key: bytes, data: bytes, *, weak_allowed: bool = True) -> bytes:
    """The MAC of `data`, whole. RFC 2104, RFC 4493.

    Raises UnsupportedCryptographicParameters for an algorithm that makes none, BadCryptographicParameters for a
    key that does not fit it.
    """
    row = SYMMETRIC.get(algorithm)
    if row is not None:
        require_strong(algorithm.title, row.weak, weak_allowed)
    if algorithm in HMACS:
        context: hmac.HMAC | cmac.CMAC = hmac.HMAC(key, hash_of(HMACS[algorithm]))
    elif algorithm in _CMACS:
        try:
            context = cmac.CMAC(_CMACS[algorithm](key))
        except ValueError as error:
            raise BadCryptographicParameters(f"the key is not one of {algorithm.title}") from error
    else:
        raise UnsupportedCryptographicParameters(f"{algorithm.title} makes no MAC")
    context.update(data)
    return context.finalize()


def mac_verify(algorithm: A, key: bytes, data: bytes, given: bytes) -> bool:
    """Whether `given` is the MAC of `data`, compared in constant time."""
    return constant_time.compare_digest(mac(algorithm, key, data), given)
