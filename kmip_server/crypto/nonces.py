"""IV, counter and nonce: what each mode takes, what the server makes, and how counting starts.

Strategy: the length of an IV that the client gives speaks for itself. Where the server makes one (Random IV), IV
Length and Counter Length say its form, and what comes back is all that decrypting needs. A counter that would run
into the nonce beside it, or around, ends the data first: the `room` in bytes. The server keeps no invocation
counter ("The server does not store or otherwise manage the IV/Counter/Nonce", KMIP 1.4 §4.29), so it makes no IV of
a Fixed and an Invocation Field; one that the client has built so is taken as any other.
"""

from __future__ import annotations

from collections.abc import Sequence

from kmip_server.errors import BadCryptographicParameters, MissingInitializationVector

MINIMUM_RANDOM_NONCE = 12
"""Bytes. A shorter random nonce repeats too soon (NIST SP 800-38D section 8.2.2)."""


def require_iv(title: str, lengths: Sequence[int], iv: bytes | None) -> bytes:
    """The IV as it is given; b"" where none is taken. `lengths` in bytes.

    Raises MissingInitializationVector, BadCryptographicParameters.
    """
    if not lengths:
        return b""
    if iv is None:
        raise MissingInitializationVector(f"{title} needs an IV/Counter/Nonce")
    if len(iv) not in lengths:
        raise BadCryptographicParameters(f"the IV/Counter/Nonce of {title} has {told(lengths)} bytes")
    return iv


def told(lengths: Sequence[int]) -> str:
    """Lengths as a phrase: "8 or 12", "4, 6 or 8", "7 to 13"."""
    if len(lengths) > 2 and lengths[-1] - lengths[0] == len(lengths) - 1:
        return f"{lengths[0]} to {lengths[-1]}"
    *others, last = (str(length) for length in lengths)
    return f"{', '.join(others)} or {last}" if others else last


# --- counters -----------------------------------------------------------------------------------


def counter_block(
    iv: bytes, block: int, counter_length: int | None, initial_counter_value: int | None
) -> tuple[bytes, int | None]:
    """The first counter block of CTR, and how many bytes it is good for (None: more than there can be).

    A whole block is the first counter block itself: Counter Length says how many of its last bits count, and
    Initial Counter Value may only repeat what stands there. A shorter IV is followed by the counter, big-endian,
    and Initial Counter Value says where it starts (for RFC 3686, at 1). `counter_length` in bits.
    """
    missing = block - len(iv)
    if initial_counter_value is not None and initial_counter_value < 0:
        raise BadCryptographicParameters("Initial Counter Value is not negative")
    if counter_length is None:
        counter_length = missing * 8 or (block * 8)
    if not 0 < counter_length <= block * 8 or (missing and counter_length != missing * 8):
        raise BadCryptographicParameters("Counter Length is not the length of what follows the IV/Counter/Nonce")
    end = 1 << counter_length
    if missing:
        if initial_counter_value is None:
            raise BadCryptographicParameters(
                "an IV/Counter/Nonce shorter than a block needs an Initial Counter Value"
            )
        if initial_counter_value >= end:
            raise BadCryptographicParameters("Initial Counter Value is longer than the counter")
        iv += initial_counter_value.to_bytes(missing, "big")
    value = int.from_bytes(iv, "big") % end
    if initial_counter_value not in (None, value):
        raise BadCryptographicParameters("Initial Counter Value is not what stands in the IV/Counter/Nonce")
    return iv, (end - value) * block if counter_length < block * 8 else None


def chacha20_block(
    nonce: bytes, counter_length: int | None, initial_counter_value: int | None
) -> tuple[bytes, int]:
    """Counter and nonce as OpenSSL takes them, 16 bytes, and how many bytes they are good for.

    With 12 bytes of nonce the counter has 32 bits (RFC 8439 section 2.3), with 8 it has 64 (as first published);
    little-endian both, and from 0 unless Initial Counter Value says otherwise.
    """
    value, size = initial_counter_value or 0, 16 - len(nonce)
    if counter_length not in (None, size * 8):
        raise BadCryptographicParameters("Counter Length is not the length that the IV/Counter/Nonce leaves")
    if value < 0:
        raise BadCryptographicParameters("Initial Counter Value is not negative")
    return value.to_bytes(size, "little") + nonce, ((1 << size * 8) - value) * 64


# --- what the server makes ----------------------------------------------------------------------


def random_length(lengths: Sequence[int], usual: int, wanted: int | None) -> int:
    """How many random bytes to make for an IV: `usual`, or what the client wants (bits).

    Raises BadCryptographicParameters where the mode has no such IV, or it would repeat too soon.
    """
    if wanted is None:
        return usual
    length = wanted // 8
    if wanted % 8 or length not in lengths:
        raise BadCryptographicParameters(f"IV Length is not one of {told([each * 8 for each in lengths])} bits")
    if length < min(MINIMUM_RANDOM_NONCE, usual):
        raise BadCryptographicParameters(f"a Random IV has at least {MINIMUM_RANDOM_NONCE * 8} bits")
    return length
