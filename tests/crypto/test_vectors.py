"""Known answers from the standards, and properties that hold for all."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmip_server.crypto import algorithms, hashing, mac, symmetric, wrapping
from kmip_server.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidAttributeValue,
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
)
from kmip_server.protocol.enums import BlockCipherMode as Mode
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import HashingAlgorithm as H
from kmip_server.protocol.enums import PaddingMethod as P


def h(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


# NIST SP 800-38A, appendix F: the first two blocks.
KEY_128 = h("2b7e151628aed2a6abf7158809cf4f3c")
KEY_256 = h("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
PLAIN = h("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
IV = h("000102030405060708090a0b0c0d0e0f")
COUNTER = h("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
MODES = [
    (KEY_128, Mode.ECB, None, "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"),
    (KEY_256, Mode.ECB, None, "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"),
    (KEY_128, Mode.CBC, IV, "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"),
    (KEY_256, Mode.CBC, IV, "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"),
    (KEY_128, Mode.CTR, COUNTER, "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"),
    (KEY_256, Mode.CTR, COUNTER, "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"),
]


@pytest.mark.parametrize(("key", "mode", "iv", "expected"), MODES)
def test_sp_800_38a(key: bytes, mode: Mode, iv: bytes | None, expected: str) -> None:
    done = symmetric.encrypt(A.AES, key, mode=mode, padding=None, iv=iv, data=PLAIN)
    assert done.data == h(expected)
    assert symmetric.decrypt(A.AES, key, mode=mode, padding=None, iv=iv, data=done.data) == PLAIN


def test_gcm_test_case_4() -> None:
    """McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B."""
    key, iv = h("feffe9928665731c6d6a8f9467308308"), h("cafebabefacedbaddecaf888")
    plain = h(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    aad = h("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    done = symmetric.encrypt(A.AES, key, mode=Mode.GCM, padding=None, iv=iv, data=plain, aad=aad)
    assert done.data[:16] == h("42831ec2217774244b7221b784d0d49c")
    assert done.tag == h("5bc94fbc3221a5db94fae95ae7121a47")
    short = symmetric.encrypt(A.AES, key, mode=Mode.GCM, padding=None, iv=iv, data=plain, aad=aad, tag_length=12)
    assert short.tag == done.tag[:12]


@pytest.mark.parametrize(
    ("kek", "key", "expected"),
    [  # RFC 3394 sections 4.1, 4.6
        (
            "000102030405060708090A0B0C0D0E0F",
            "00112233445566778899AABBCCDDEEFF",
            "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5",
        ),
        (
            "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
            "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F",
            "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21",
        ),
    ],
)
def test_rfc_3394(kek: str, key: str, expected: str) -> None:
    assert wrapping.wrap(h(kek), h(key)) == h(expected)
    assert wrapping.unwrap(h(kek), h(expected)) == h(key)
    with pytest.raises(CryptographicFailure):
        wrapping.unwrap(h(kek), h(expected)[:-1] + b"\0")
    with pytest.raises(CryptographicFailure):
        wrapping.wrap(h(kek), b"too short")


@pytest.mark.parametrize(
    ("key", "expected"),
    [  # RFC 5649 section 6
        (
            "c37b7e6492584340bed12207808941155068f738",
            "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
        ),
        ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
    ],
)
def test_rfc_5649(key: str, expected: str) -> None:
    kek = h("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
    assert wrapping.wrap_with_padding(kek, h(key)) == h(expected)
    assert wrapping.unwrap_with_padding(kek, h(expected)) == h(key)


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [  # RFC 4231 section 4.3; RFC 2202 section 3
        (A.HMAC_SHA1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (A.HMAC_SHA224, "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"),
        (A.HMAC_SHA256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            A.HMAC_SHA384,
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            A.HMAC_SHA512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ],
)
def test_hmac(algorithm: A, expected: str) -> None:
    assert mac.mac(algorithm, b"Jefe", b"what do ya want for nothing?") == h(expected)
    assert mac.mac_verify(algorithm, b"Jefe", b"what do ya want for nothing?", h(expected))
    assert not mac.mac_verify(algorithm, b"Jefe", b"what do ya want for nothing!", h(expected))


def test_cmac() -> None:
    """RFC 4493 section 4, examples 1 and 2."""
    assert mac.mac(A.AES, KEY_128, b"") == h("bb1d6929e95937287fa37d129b756746")
    assert mac.mac(A.AES, KEY_128, PLAIN[:16]) == h("070a16b46b4d4144f79bdd9dd04a287c")


def test_hashes() -> None:
    """FIPS 180-4 and FIPS 202: "abc"."""
    assert hashing.digest(H.SHA_1, b"abc") == h("a9993e364706816aba3e25717850c26c9cd0d89d")
    assert hashing.digest(H.SHA_256, b"abc").hex().startswith("ba7816bf8f01cfea")
    assert hashing.digest(H.SHA3_256, b"abc").hex().startswith("3a985da74fe225b2")
    with pytest.raises(UnsupportedCryptographicParameters):
        hashing.digest(H.TIGER, b"abc")


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
    st.sampled_from([P.PKCS5, P.ANSI_X9_23, P.ISO_10126]),
    st.sampled_from([Mode.CBC, Mode.ECB]),
)
def test_padding_comes_off_again(data: bytes, padding: P, mode: Mode) -> None:
    iv = IV if mode == Mode.CBC else None
    done = symmetric.encrypt(A.AES, KEY_128, mode=mode, padding=padding, iv=iv, data=data)
    assert symmetric.decrypt(A.AES, KEY_128, mode=mode, padding=padding, iv=iv, data=done.data) == data


@settings(max_examples=100)
@given(
    st.binary(max_size=80),
    st.sampled_from([Mode.CBC, Mode.ECB, Mode.CTR, Mode.GCM, Mode.NISTKEYWRAP]),
    st.binary(max_size=17),
)
def test_hostile_ciphertexts_raise_typed_errors_only(data: bytes, mode: Mode, iv: bytes) -> None:
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
    ],
)
def test_keys_that_are_not_made(algorithm: A, length: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        algorithms.symmetric_key_length(algorithm, length, weak_allowed=False)
