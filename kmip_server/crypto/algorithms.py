"""What each algorithm is: key lengths, block size, whether it needs a mode, whether it is weak.

Strategy: rows, not code. Weak algorithms can be registered, fetched, and used to open what they once protected;
only new protection with them (a new key, Encrypt, MAC) is refused, unless `protocol.weak_algorithms` is on. Weak is
what can be attacked in practice: ciphers with short keys or with blocks of 64 bits (NIST SP 800-131A; "Sweet32",
CVE-2016-2183), RC4, and HMAC-MD5. An algorithm without a row can be registered, kept and fetched, not used.
"""

from __future__ import annotations

from dataclasses import dataclass

from kmip_server.errors import InvalidAttributeValue, UnsupportedCryptographicParameters
from kmip_server.protocol.enums import CryptographicAlgorithm as A


@dataclass(frozen=True, slots=True, kw_only=True)
class SymmetricRow:
    """One symmetric algorithm. Lengths in bits."""

    lengths: tuple[int, ...]
    default: int
    block: int = 0
    """Bytes; 0 where it is no block cipher."""
    weak: bool = False


_HMAC_LENGTHS = tuple(range(40, 8193, 8))


def _hmac(default: int, weak: bool = False) -> SymmetricRow:
    return SymmetricRow(lengths=_HMAC_LENGTHS, default=default, weak=weak)


SYMMETRIC: dict[A, SymmetricRow] = {
    # 512 bits are the two keys of XTS-AES-256, 256 also those of XTS-AES-128 (NIST SP 800-38E).
    A.AES: SymmetricRow(lengths=(128, 192, 256, 512), default=256, block=16),
    A.CHACHA20: SymmetricRow(lengths=(256,), default=256),
    A.CHACHA20POLY1305: SymmetricRow(lengths=(256,), default=256),
    A.CAMELLIA: SymmetricRow(lengths=(128, 192, 256), default=256, block=16),
    A.SEED: SymmetricRow(lengths=(128,), default=128, block=16),
    A.SM4: SymmetricRow(lengths=(128,), default=128, block=16),
    # With and without the parity bits: 112 and 168 bits are 16 and 24 bytes.
    A.TRIPLE_DES: SymmetricRow(lengths=(112, 168, 128, 192), default=168, block=8, weak=True),
    A.DES: SymmetricRow(lengths=(56, 64), default=56, block=8, weak=True),
    A.IDEA: SymmetricRow(lengths=(128,), default=128, block=8, weak=True),
    A.CAST5: SymmetricRow(lengths=tuple(range(40, 129, 8)), default=128, block=8, weak=True),
    A.BLOWFISH: SymmetricRow(lengths=tuple(range(32, 449, 8)), default=128, block=8, weak=True),
    A.RC2: SymmetricRow(lengths=(128,), default=128, block=8, weak=True),
    A.RC4: SymmetricRow(lengths=(40, 56, 64, 80, 128, 160, 192, 256), default=128, weak=True),
    # HMAC keys as long as the hash's output (RFC 2104 section 3). HMAC-SHA1 is not weak: collisions do not
    # help against it, and arrays use it.
    A.HMAC_SHA1: _hmac(160),
    A.HMAC_SHA224: _hmac(224),
    A.HMAC_SHA256: _hmac(256),
    A.HMAC_SHA384: _hmac(384),
    A.HMAC_SHA512: _hmac(512),
    A.HMAC_SHA3_224: _hmac(224),
    A.HMAC_SHA3_256: _hmac(256),
    A.HMAC_SHA3_384: _hmac(384),
    A.HMAC_SHA3_512: _hmac(512),
    A.HMAC_MD5: _hmac(128, weak=True),
}

_WITH_PARITY = frozenset({A.DES, A.TRIPLE_DES})

RSA_LENGTHS = (1024, 2048, 3072, 4096)
RSA_DEFAULT = 2048
RSA_MINIMUM = 2048
"""Bits. Shorter keys are weak (NIST SP 800-131A)."""
PRIVATE_MAXIMUM = 4096
"""Bits of any number of a private key of RSA or DSA that is validated and used. The cost grows with the third
power: to test the primes of an RSA key of 8192 bits would keep a processor busy for half a minute."""


def require_strong(what: str, weak: bool, weak_allowed: bool) -> None:
    """Raise UnsupportedCryptographicParameters for new protection that is weak and not switched on."""
    if weak and not weak_allowed:
        raise UnsupportedCryptographicParameters(
            f"{what} is weak; the administrator can allow it with protocol.weak_algorithms"
        )


def symmetric_row(algorithm: A) -> SymmetricRow:
    """The row. Raises UnsupportedCryptographicParameters for an algorithm that is not served."""
    row = SYMMETRIC.get(algorithm)
    if row is None:
        raise UnsupportedCryptographicParameters(f"symmetric keys of {algorithm.title} are not served")
    return row


def symmetric_key_length(algorithm: A, length: int | None, *, weak_allowed: bool) -> int:
    """The length in bits of a key to be made: as asked for, or the default.

    Raises InvalidAttributeValue for a length that the algorithm does not have.
    """
    row = symmetric_row(algorithm)
    require_strong(algorithm.title, row.weak, weak_allowed)
    if length is None:
        return row.default
    if length not in row.lengths:
        raise InvalidAttributeValue(f"{algorithm.title} has no keys of {length} bits")
    return length


def symmetric_key_bytes(algorithm: A, length: int) -> int:
    """How many bytes a key of `length` bits has."""
    return length // 7 if algorithm in _WITH_PARITY and length % 7 == 0 else length // 8


def with_parity(algorithm: A, key: bytes) -> bytes:
    """The key with the parity bits that DES wants: each byte has an odd number of ones."""
    if algorithm not in _WITH_PARITY:
        return key
    return bytes((b & 0xFE) | (1 ^ ((b >> 1).bit_count() & 1)) for b in key)


def expanded(key: bytes) -> bytes:
    """A DES key, or a 3DES key of two parts, in its form of three (NIST SP 800-67 section 3.2)."""
    return {8: key * 3, 16: key + key[:8]}.get(len(key), key)


def quantum_safe_bits(algorithm: A, length: int | None) -> int:
    """How long a key is where a quantum computer gains little: 0 for public-key algorithms, which it breaks.

    NIST IR 8105 section 2: symmetric keys and hashes are to be larger, what rests on factoring or discrete
    logarithms is secure no more.
    """
    return (length or 0) if algorithm in SYMMETRIC and not SYMMETRIC[algorithm].weak else 0
