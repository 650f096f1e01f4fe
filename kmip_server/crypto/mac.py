"""HMAC with every hash, CMAC with every block cipher.

Strategy: two kinds, each by a table. What is no safe MAC of a managed key is refused by name: CBC-MAC, which can be
forged for messages of different lengths and which no library that we use makes; Poly1305, whose key may serve one
message only, where a Managed Object serves many; GMAC, which needs an IV that the MAC operation has no field for.
"""

from __future__ import annotations

import hashlib
import hmac as standard
from dataclasses import dataclass

from cryptography.hazmat.primitives import cmac, hmac

from kmip_server.crypto.algorithms import SYMMETRIC, require_strong
from kmip_server.crypto.ciphers import CIPHERS, has_cmac
from kmip_server.crypto.hashing import Digesting, HashlibDigesting, hash_of, hashlib_name
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


@dataclass(frozen=True, slots=True)
class HMACOf:
    """HMAC with a hash; the enumeration of algorithms does not name every one, e.g. SHA-512/256."""

    hashing_algorithm: H


def hmac_of(hashing_algorithm: H) -> A | HMACOf:
    """The HMAC with this hash."""
    return _BY_HASH.get(hashing_algorithm) or HMACOf(hashing_algorithm)


def begin(algorithm: A | HMACOf, key: bytes, *, weak_allowed: bool = True) -> Digesting:
    """Begin a MAC. RFC 2104; NIST SP 800-38B.

    Raises UnsupportedCryptographicParameters for an algorithm that makes none, BadCryptographicParameters for a
    key that does not fit it.
    """
    if isinstance(algorithm, HMACOf):
        return _hmac(algorithm.hashing_algorithm, key)
    row = SYMMETRIC.get(algorithm)
    if row is not None:
        require_strong(algorithm.title, row.weak, weak_allowed)
    if algorithm in HMACS:
        return _hmac(HMACS[algorithm], key)
    if not has_cmac(algorithm):
        raise UnsupportedCryptographicParameters(f"{algorithm.title} makes no MAC")
    try:
        return cmac.CMAC(CIPHERS[algorithm].primitive(key))
    except ValueError as error:
        raise BadCryptographicParameters(f"the key is not one of {algorithm.title}") from error


def _hmac(hashing_algorithm: H, key: bytes) -> Digesting:
    name = hashlib_name(hashing_algorithm)
    if name is not None:
        return HashlibDigesting(standard.new(key, digestmod=lambda: hashlib.new(name)))
    return hmac.HMAC(key, hash_of(hashing_algorithm))


def mac(algorithm: A | HMACOf, key: bytes, data: bytes, *, weak_allowed: bool = True) -> bytes:
    """The MAC of `data`, whole. Raises as `begin`."""
    context = begin(algorithm, key, weak_allowed=weak_allowed)
    context.update(data)
    return context.finalize()


def mac_verify(algorithm: A | HMACOf, key: bytes, data: bytes, given: bytes) -> bool:
    """Whether `given` is the MAC of `data`, compared in constant time."""
    return matches(mac(algorithm, key, data), given)


def matches(computed: bytes, given: bytes) -> bool:
    """Whether two MACs are the same, compared in constant time."""
    return standard.compare_digest(computed, given)
