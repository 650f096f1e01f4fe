"""Properties that hold for all keys, ciphertexts and formats; known answers are in `test_known_answers.py`."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmip_server.crypto import algorithms, symmetric, wrapping
from kmip_server.crypto.ciphers import CIPHERS
from kmip_server.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidAttributeValue,
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
)
from kmip_server.protocol.enums import BlockCipherMode as Mode
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import PaddingMethod as P


def h(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


KEY_128 = h("2b7e151628aed2a6abf7158809cf4f3c")
IV = h("000102030405060708090a0b0c0d0e0f")


def test_key_wrap_tells_what_is_wrong() -> None:
    wrapped = wrapping.wrap(KEY_128, bytes(16))
    with pytest.raises(CryptographicFailure):
        wrapping.unwrap(KEY_128, wrapped[:-1] + b"\0")
    with pytest.raises(CryptographicFailure):
        wrapping.wrap(KEY_128, b"too short")


def test_3des_has_its_parity_and_both_lengths() -> None:
    for length, size in ((112, 16), (168, 24), (128, 16), (192, 24)):
        assert algorithms.symmetric_key_bytes(A.TRIPLE_DES, length) == size
    key = algorithms.with_parity(A.TRIPLE_DES, os.urandom(24))
    assert all(byte.bit_count() % 2 for byte in key)
    for used in (key, key[:16]):
        done = symmetric.encrypt(
            A.TRIPLE_DES, used, mode=Mode.CBC, padding=P.PKCS5, iv=bytes(8), data=b"x", weak_allowed=True
        )
        back = symmetric.decrypt(A.TRIPLE_DES, used, mode=Mode.CBC, padding=P.PKCS5, iv=bytes(8), data=done.data)
        assert back == b"x"


@settings(max_examples=50)
@given(
    st.binary(max_size=70),
    st.sampled_from([P.PKCS5, P.ANSI_X9_23, P.ISO_10126, P.SSL3]),
    st.sampled_from([Mode.CBC, Mode.ECB]),
)
def test_padding_comes_off_again(data: bytes, padding: P, mode: Mode) -> None:
    iv = IV if mode == Mode.CBC else None
    done = symmetric.encrypt(A.AES, KEY_128, mode=mode, padding=padding, iv=iv, data=data)
    assert symmetric.decrypt(A.AES, KEY_128, mode=mode, padding=padding, iv=iv, data=done.data) == data


@settings(max_examples=100)
@given(
    st.binary(max_size=80),
    st.sampled_from(list(CIPHERS[A.AES].modes)),
    st.binary(max_size=17),
)
def test_hostile_ciphertexts_raise_typed_errors_only(data: bytes, mode: Mode | None, iv: bytes) -> None:
    try:
        symmetric.decrypt(A.AES, KEY_128, mode=mode, padding=P.PKCS5, iv=iv or None, data=data, tag=data[-16:])
    except (CryptographicFailure, BadCryptographicParameters, MissingInitializationVector):
        return


@pytest.mark.parametrize(
    ("algorithm", "length", "error"),
    [
        (A.AES, 129, InvalidAttributeValue),
        (A.TRIPLE_DES, 168, UnsupportedCryptographicParameters),
        (A.HMAC_MD5, 128, UnsupportedCryptographicParameters),
        (A.BLOWFISH, 128, UnsupportedCryptographicParameters),
        (A.DES, 56, UnsupportedCryptographicParameters),
        (A.RC4, 128, UnsupportedCryptographicParameters),
        (A.CHACHA20, 128, InvalidAttributeValue),
        (A.SKIPJACK, 80, UnsupportedCryptographicParameters),
        (A.POLY1305, 256, UnsupportedCryptographicParameters),
    ],
)
def test_keys_that_are_not_made(algorithm: A, length: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        algorithms.symmetric_key_length(algorithm, length, weak_allowed=False)
