"""Padding of block ciphers: a row for each Padding Method.

Strategy: a row says what fills the last block and what takes it off again. Whatever is wrong with a padding is a
ValueError without words; `symmetric.py` tells every wrong ciphertext in one sentence.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import padding as library

from kmip_server.errors import CryptographicFailure, UnsupportedCryptographicParameters
from kmip_server.protocol.enums import PaddingMethod as P


@dataclass(frozen=True, slots=True)
class PaddingRow:
    """One Padding Method."""

    filling: Callable[[int, int], bytes]
    """(missing, block) -> the bytes to append; `missing` is 1 to `block`, `block` for data of whole blocks."""
    removed: Callable[[bytes, int], bytes]
    """(last block, block) -> the block without its padding. Raises ValueError where there is none."""


def _no_filling(missing: int, block: int) -> bytes:
    if missing != block:
        raise CryptographicFailure("the data is no whole number of blocks, and no Padding Method is given")
    return b""


def _without_pkcs7(last: bytes, block: int) -> bytes:
    unpadder = library.PKCS7(block * 8).unpadder()
    return unpadder.update(last) + unpadder.finalize()


def _without_x923(last: bytes, block: int) -> bytes:
    unpadder = library.ANSIX923(block * 8).unpadder()
    return unpadder.update(last) + unpadder.finalize()


def _without_counted(last: bytes, block: int) -> bytes:
    """ISO 10126: the last byte counts the padding, itself included; the rest of it is random."""
    if not last or not 1 <= last[-1] <= block:
        raise ValueError
    return last[: -last[-1]]


def _without_ssl3(last: bytes, block: int) -> bytes:
    """RFC 6101 section 5.2.3.2: the last byte counts the padding before it."""
    if not last or last[-1] >= block:
        raise ValueError
    return last[: -last[-1] - 1]


def _without_zeros(last: bytes, block: int) -> bytes:
    """No more zeros than can have been added; those of the data itself cannot be told from them."""
    kept = last.rstrip(b"\0")
    return last[: max(len(kept), len(last) - block + 1)]


_NONE = PaddingRow(_no_filling, lambda last, _: last)
PADDINGS: dict[P, PaddingRow] = {
    P.NONE: _NONE,
    P.PKCS5: PaddingRow(lambda missing, _: bytes([missing]) * missing, _without_pkcs7),
    P.ANSI_X9_23: PaddingRow(lambda missing, _: bytes(missing - 1) + bytes([missing]), _without_x923),
    P.ISO_10126: PaddingRow(lambda missing, _: os.urandom(missing - 1) + bytes([missing]), _without_counted),
    P.SSL3: PaddingRow(lambda missing, _: os.urandom(missing - 1) + bytes([missing - 1]), _without_ssl3),
    P.ZEROS: PaddingRow(lambda missing, block: bytes(missing % block), _without_zeros),
}


def padding_row(method: P | None) -> PaddingRow:
    """The row; without a method nothing is padded. Raises UnsupportedCryptographicParameters."""
    if method is None:
        return _NONE
    row = PADDINGS.get(method)
    if row is None:
        raise UnsupportedCryptographicParameters(f"the Padding Method {method.title} is not one of block ciphers")
    return row
