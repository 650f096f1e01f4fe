"""What each mode takes and refuses: keys, IVs, counters, tags, padding, and data in parts of any size."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmip_server.crypto import algorithms, ciphers, hashing, mac, nonces, padding, symmetric
from kmip_server.crypto.ciphers import CIPHERS
from kmip_server.crypto.symmetric import How
from kmip_server.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidTagLength,
    KmipError,
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
)
from kmip_server.protocol.enums import BlockCipherMode as M
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import HashingAlgorithm as H
from kmip_server.protocol.enums import PaddingMethod as P

KEY = bytes(range(32))
IV = bytes(range(0x80, 0x90))
WAYS = [(algorithm, mode) for algorithm, row in CIPHERS.items() for mode in row.modes]


def usual(algorithm: A, mode: M | None) -> tuple[bytes, How]:
    """A key and parameters that fit."""
    row = CIPHERS[algorithm].modes[mode]
    bits = max(b for b in algorithms.SYMMETRIC[algorithm].lengths if b <= 256)
    key = algorithms.with_parity(algorithm, KEY[: algorithms.symmetric_key_bytes(algorithm, bits)])
    iv = IV[: row.random_iv] if row.ivs else None
    return key, How(mode=mode, padding=P.PKCS5 if row.padded else None, iv=iv)


def encrypted(algorithm: A, key: bytes, how: How, *parts: bytes) -> symmetric.Encrypted:
    begun = symmetric.encryption(algorithm, key, how, weak_allowed=True)
    data = b"".join(begun.update(part) for part in parts)
    last = begun.finalize()
    return symmetric.Encrypted(data=data + last.data, tag=last.tag)


def decrypted(algorithm: A, key: bytes, how: How, tag: bytes | None, *parts: bytes) -> bytes:
    begun = symmetric.decryption(algorithm, key, how)
    data = b"".join(begun.update(part) for part in parts)
    return data + begun.finalize(tag)


@pytest.mark.parametrize(("algorithm", "mode"), WAYS)
@settings(max_examples=15, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_parts_of_any_size_are_the_whole(algorithm: A, mode: M | None, parts: list[bytes]) -> None:
    key, how = usual(algorithm, mode)
    plain = b"".join(parts)
    try:
        whole = encrypted(algorithm, key, how, plain)
    except CryptographicFailure:
        with pytest.raises(CryptographicFailure):
            encrypted(algorithm, key, how, *parts)
        return
    assert encrypted(algorithm, key, how, *parts) == whole
    size = max(1, len(whole.data) // 3)
    pieces = [whole.data[at : at + size] for at in range(0, len(whole.data), size)]
    assert decrypted(algorithm, key, how, whole.tag, *pieces) == plain


@pytest.mark.parametrize(("algorithm", "mode"), WAYS)
def test_an_iv_is_needed_where_the_mode_takes_one(algorithm: A, mode: M | None) -> None:
    key, _ = usual(algorithm, mode)
    row = CIPHERS[algorithm].modes[mode]
    if not row.ivs:
        assert ciphers.random_iv_length(algorithm, mode, None) == 0
        return
    without = How(mode=mode)
    wrong = How(mode=mode, iv=bytes(max(row.ivs) + 1))
    for begin in (symmetric.encryption, symmetric.decryption):
        more = {"weak_allowed": True} if begin is symmetric.encryption else {}
        with pytest.raises(MissingInitializationVector):
            begin(algorithm, key, without, **more)
        with pytest.raises(BadCryptographicParameters):
            begin(algorithm, key, wrong, **more)
    assert ciphers.random_iv_length(algorithm, mode, None) in row.ivs


@pytest.mark.parametrize(("algorithm", "mode"), WAYS)
def test_a_key_of_another_length_is_refused(algorithm: A, mode: M | None) -> None:
    _, how = usual(algorithm, mode)
    for begin in (symmetric.encryption, symmetric.decryption):
        more = {"weak_allowed": True} if begin is symmetric.encryption else {}
        with pytest.raises(BadCryptographicParameters):
            begin(algorithm, bytes(3), how, **more)


@pytest.mark.parametrize(("algorithm", "mode"), [way for way in WAYS if CIPHERS[way[0]].modes[way[1]].tags])
def test_tags(algorithm: A, mode: M | None) -> None:
    key, how = usual(algorithm, mode)
    row = CIPHERS[algorithm].modes[mode]
    for length in range(33):
        asked = How(mode=mode, iv=how.iv, aad=b"about", tag_length=length)
        if length not in row.tags:
            with pytest.raises(InvalidTagLength):
                symmetric.encryption(algorithm, key, asked)
            with pytest.raises(InvalidTagLength):
                symmetric.decryption(algorithm, key, asked)
            continue
        done = encrypted(algorithm, key, asked, b"some data")
        assert done.tag is not None
        assert len(done.tag) == length
        assert decrypted(algorithm, key, asked, done.tag, done.data) == b"some data"
        for wrong in (None, b"", done.tag[:-1], done.tag + b"\0", bytes([done.tag[0] ^ 1]) + done.tag[1:]):
            with pytest.raises(CryptographicFailure):
                decrypted(algorithm, key, asked, wrong, done.data)
        with pytest.raises(CryptographicFailure):
            decrypted(algorithm, key, How(mode=mode, iv=how.iv, aad=b"other"), done.tag, done.data)


@pytest.mark.parametrize("mode", [m for m in M if m not in CIPHERS[A.AES].modes])
def test_modes_that_are_not_served_are_refused_by_name(mode: M) -> None:
    with pytest.raises(UnsupportedCryptographicParameters, match=mode.title.replace("-", ".")):
        symmetric.encryption(A.AES, KEY, How(mode=mode, iv=IV))


@pytest.mark.parametrize("algorithm", [A.SKIPJACK, A.MARS, A.TWOFISH, A.RC5, A.ARIA, A.POLY1305, A.ONE_TIME_PAD])
def test_algorithms_that_are_not_served(algorithm: A) -> None:
    with pytest.raises(UnsupportedCryptographicParameters):
        symmetric.encryption(algorithm, KEY, How(), weak_allowed=True)
    with pytest.raises(UnsupportedCryptographicParameters):
        mac.begin(algorithm, KEY)


@pytest.mark.parametrize("algorithm", [a for a in CIPHERS if algorithms.SYMMETRIC[a].weak])
def test_what_is_weak_opens_old_data_and_protects_none(algorithm: A) -> None:
    mode = next(iter(CIPHERS[algorithm].modes))
    key, how = usual(algorithm, mode)
    done = encrypted(algorithm, key, how, b"old data")
    with pytest.raises(UnsupportedCryptographicParameters, match=r"protocol\.weak_algorithms"):
        symmetric.encryption(algorithm, key, how)
    assert decrypted(algorithm, key, how, None, done.data) == b"old data"
    if ciphers.has_cmac(algorithm):
        with pytest.raises(UnsupportedCryptographicParameters):
            mac.begin(algorithm, key, weak_allowed=False)
        assert mac.mac_verify(algorithm, key, b"x", mac.mac(algorithm, key, b"x"))


# --- XTS, CCM -----------------------------------------------------------------------------------


def test_xts_wants_two_keys_and_a_data_unit() -> None:
    how = How(mode=M.XTS, iv=IV)
    for key in (bytes(32), bytes(16), KEY[:24], KEY + KEY):
        with pytest.raises(BadCryptographicParameters, match="halves"):
            symmetric.encryption(A.AES, key, how)
    for size in (0, 15, (16 << 20) + 1):
        with pytest.raises(CryptographicFailure):
            encrypted(A.AES, KEY, how, bytes(size))
        with pytest.raises(CryptographicFailure):
            decrypted(A.AES, KEY, how, None, bytes(size))
    assert len(encrypted(A.AES, bytes(range(64)), how, bytes(17)).data) == 17


def test_keys_of_xts_are_made_and_used_for_nothing_else() -> None:
    assert algorithms.symmetric_key_length(A.AES, 512, weak_allowed=False) == 512
    for mode in (M.ECB, M.CBC, M.CTR, M.GCM, M.CCM, M.NISTKEYWRAP):
        iv = None if mode in (M.ECB, M.NISTKEYWRAP) else IV[:12] if mode in (M.GCM, M.CCM) else IV
        with pytest.raises(BadCryptographicParameters, match="length"):
            symmetric.encryption(A.AES, bytes(range(64)), How(mode=mode, iv=iv))


def test_ccm_takes_as_much_as_its_nonce_leaves_room_for() -> None:
    short = How(mode=M.CCM, iv=bytes(13))
    assert len(encrypted(A.AES, KEY, short, bytes(0xFFFF)).data) == 0xFFFF
    with pytest.raises(CryptographicFailure):
        encrypted(A.AES, KEY, short, bytes(0x10000))
    assert len(encrypted(A.AES, KEY, How(mode=M.CCM, iv=bytes(12)), bytes(0x10000)).data) == 0x10000


# --- counters -----------------------------------------------------------------------------------


def test_ctr_of_rfc_3686() -> None:
    """Section 6, test vector 1: the counter block is nonce, IV and the counter 1."""
    key = bytes.fromhex("ae6852f8121067cc4bf7a5765577f39e")
    expected = bytes.fromhex("e4095d4fb7a7b3792d6175a3261311b8")
    plain = b"Single block msg"
    nonce = bytes.fromhex("00000030" + "00" * 8)
    for how in (
        How(mode=M.CTR, iv=nonce, initial_counter_value=1),
        How(mode=M.CTR, iv=nonce, initial_counter_value=1, counter_length=32),
        How(mode=M.CTR, iv=nonce + bytes(3) + b"\1"),
        How(mode=M.CTR, iv=nonce + bytes(3) + b"\1", counter_length=32, initial_counter_value=1),
    ):
        assert encrypted(A.AES, key, how, plain).data == expected


@pytest.mark.parametrize(
    "how",
    [
        How(mode=M.CTR, iv=IV[:12]),
        How(mode=M.CTR, iv=IV[:7], initial_counter_value=1),
        How(mode=M.CTR, iv=IV[:12], initial_counter_value=1, counter_length=64),
        How(mode=M.CTR, iv=IV[:12], initial_counter_value=-1),
        How(mode=M.CTR, iv=IV[:15], initial_counter_value=256),
        How(mode=M.CTR, iv=IV, initial_counter_value=5, counter_length=32),
        How(mode=M.CTR, iv=IV, counter_length=0),
        How(mode=M.CTR, iv=IV, counter_length=129),
    ],
)
def test_counters_that_contradict_the_iv(how: How) -> None:
    with pytest.raises(BadCryptographicParameters):
        symmetric.encryption(A.AES, KEY, how)


def test_a_counter_never_runs_into_its_nonce() -> None:
    how = How(mode=M.CTR, iv=IV[:15], initial_counter_value=254)
    assert len(encrypted(A.AES, KEY, how, bytes(32)).data) == 32
    for parts in ((bytes(33),), (bytes(32), b"\0")):
        with pytest.raises(CryptographicFailure, match="repeat"):
            encrypted(A.AES, KEY, how, *parts)
        with pytest.raises(CryptographicFailure, match="repeat"):
            decrypted(A.AES, KEY, how, None, *parts)
    assert nonces.chacha20_block(bytes(12), None, 0)[1] == (1 << 32) * 64
    assert nonces.chacha20_block(bytes(12), None, 0x7FFFFFFF)[1] == ((1 << 31) + 1) * 64


def test_chacha20_counts_in_little_endian_before_the_nonce() -> None:
    assert nonces.chacha20_block(b"n" * 12, 32, 1)[0] == b"\1\0\0\0" + b"n" * 12
    assert nonces.chacha20_block(b"n" * 8, 64, 0x0102)[0] == b"\2\1\0\0\0\0\0\0" + b"n" * 8
    for counter_length, initial in ((None, -1), (64, 0), (31, 0)):
        with pytest.raises(BadCryptographicParameters):
            nonces.chacha20_block(b"n" * 12, counter_length, initial)
    # From a later block on, the key stream is the same.
    for nonce in (IV[:8], IV[:12]):
        whole = encrypted(A.CHACHA20, KEY, How(iv=nonce), bytes(192)).data
        later = encrypted(A.CHACHA20, KEY, How(iv=nonce, initial_counter_value=2), bytes(64)).data
        assert later == whole[128:]


# --- IVs that the server makes ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "mode", "iv_length", "counter_length", "expected"),
    [
        (A.AES, M.CBC, None, None, 16),
        (A.AES, M.CBC, 128, None, 16),
        (A.TRIPLE_DES, M.CBC, None, None, 8),
        (A.AES, M.GCM, None, None, 12),
        (A.AES, M.GCM, 1024, None, 128),
        (A.AES, M.CTR, None, None, 16),
        (A.AES, M.CTR, None, 32, 12),
        (A.AES, M.CTR, 96, None, 12),
        (A.AES, M.CCM, 104, None, 13),
        (A.CHACHA20, None, None, None, 12),
        (A.CHACHA20, None, None, 32, 12),
        (A.CHACHA20POLY1305, M.AEAD, 96, None, 12),
    ],
)
def test_lengths_of_random_ivs(
    algorithm: A, mode: M | None, iv_length: int | None, counter_length: int | None, expected: int
) -> None:
    assert ciphers.random_iv_length(algorithm, mode, iv_length, counter_length) == expected


@pytest.mark.parametrize(
    ("algorithm", "mode", "iv_length", "counter_length"),
    [
        (A.AES, M.CBC, 96, None),
        (A.AES, M.GCM, 64, None),
        (A.AES, M.GCM, 97, None),
        (A.AES, M.GCM, 0, None),
        (A.AES, M.GCM, -96, None),
        (A.AES, M.CCM, 56, None),
        (A.AES, M.CTR, 64, None),
        (A.AES, M.CTR, None, 64),
        (A.AES, M.CTR, None, 33),
        (A.CHACHA20, None, 64, None),
        (A.CHACHA20, None, None, 64),
    ],
)
def test_random_ivs_that_the_mode_has_not_or_that_would_repeat(
    algorithm: A, mode: M | None, iv_length: int | None, counter_length: int | None
) -> None:
    with pytest.raises(BadCryptographicParameters):
        ciphers.random_iv_length(algorithm, mode, iv_length, counter_length)


# --- padding ------------------------------------------------------------------------------------


def plain_of(padded: bytes, method: P, *parts: bytes) -> bytes:
    """What comes out when `padded`, as it is, was encrypted."""
    cipher = encrypted(A.AES, KEY, How(mode=M.ECB), padded).data
    return decrypted(A.AES, KEY, How(mode=M.ECB, padding=method), None, cipher)


@pytest.mark.parametrize(
    ("method", "padded", "plain"),
    [
        (P.PKCS5, b"twelve bytes" + b"\4" * 4, b"twelve bytes"),
        (P.PKCS5, b"\x10" * 16, b""),
        (P.ANSI_X9_23, b"twelve bytes\0\0\0\4", b"twelve bytes"),
        (P.ISO_10126, b"twelve bytes\x91\x07\xaa\4", b"twelve bytes"),
        (P.SSL3, b"twelve bytes\x91\x07\xaa\3", b"twelve bytes"),
        (P.SSL3, b"fifteen bytes..\0", b"fifteen bytes.."),
        (P.ZEROS, b"twelve bytes\0\0\0\0", b"twelve bytes"),
        (P.ZEROS, b"sixteen bytes.. ", b"sixteen bytes.. "),
        # No more zeros than can have been added.
        (P.ZEROS, bytes(16), b"\0"),
        (P.ZEROS, bytes(32), bytes(17)),
        (P.NONE, bytes(16), bytes(16)),
    ],
)
def test_paddings_byte_by_byte(method: P, padded: bytes, plain: bytes) -> None:
    assert plain_of(padded, method) == plain
    row = padding.padding_row(method)
    filled = plain + row.filling(16 - len(plain) % 16, 16)
    if method in (P.ISO_10126, P.SSL3):
        assert (len(filled), filled[-1]) == (len(padded), padded[-1])
    elif method != P.ZEROS or plain != bytes(17):
        assert filled == padded


@pytest.mark.parametrize(
    ("method", "padded"),
    [
        (P.PKCS5, bytes(16)),
        (P.PKCS5, bytes(15) + b"\x11"),
        (P.PKCS5, b"twelve bytes\1\1\1\4"),
        (P.ANSI_X9_23, b"twelve bytes\1\1\1\4"),
        (P.ANSI_X9_23, bytes(16)),
        (P.ISO_10126, bytes(16)),
        (P.ISO_10126, bytes(15) + b"\x11"),
        (P.SSL3, bytes(15) + b"\x10"),
    ],
)
def test_whatever_is_wrong_with_a_padding_is_told_alike(method: P, padded: bytes) -> None:
    with pytest.raises(CryptographicFailure) as wrong:
        plain_of(padded, method)
    with pytest.raises(CryptographicFailure) as short:
        decrypted(A.AES, KEY, How(mode=M.ECB, padding=method), None, b"no whole block")
    assert wrong.value.message == short.value.message


@pytest.mark.parametrize("method", [P.OAEP, P.PKCS1_V1_5, P.PSS, P.X9_31])
def test_paddings_of_rsa_are_not_those_of_block_ciphers(method: P) -> None:
    with pytest.raises(UnsupportedCryptographicParameters, match="Padding Method"):
        symmetric.encryption(A.AES, KEY, How(mode=M.CBC, iv=IV, padding=method))


# --- MACs and hashes ----------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [H.MD2, H.MD4, H.TIGER, H.WHIRLPOOL])
def test_hashes_that_are_not_served(algorithm: H) -> None:
    for begin in (hashing.digesting, lambda h: mac.begin(mac.hmac_of(h), KEY)):
        with pytest.raises(UnsupportedCryptographicParameters, match=algorithm.title):
            begin(algorithm)


def test_hmac_with_hashes_that_no_algorithm_names() -> None:
    """RFC 2104 by hand, with SHA-512/256, whose block has 128 bytes."""
    key = KEY + bytes(96)
    inner = hashing.digest(H.SHA_512_256, bytes(b ^ 0x36 for b in key) + b"data")
    outer = hashing.digest(H.SHA_512_256, bytes(b ^ 0x5C for b in key) + inner)
    assert mac.mac(mac.hmac_of(H.SHA_512_256), KEY, b"data") == outer


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(WAYS),
    st.binary(max_size=70),
    st.one_of(st.none(), st.binary(max_size=20)),
    st.one_of(st.none(), st.integers(-5, 200)),
    st.one_of(st.none(), st.integers(-5, 1 << 31)),
    st.one_of(st.none(), st.sampled_from(list(P))),
    st.one_of(st.none(), st.binary(max_size=17)),
)
def test_whatever_is_asked_for_only_typed_errors_are_raised(
    way: tuple[A, M | None],
    data: bytes,
    iv: bytes | None,
    counter_length: int | None,
    initial: int | None,
    method: P | None,
    tag: bytes | None,
) -> None:
    algorithm, mode = way
    key, _ = usual(algorithm, mode)
    how = How(
        mode=mode,
        iv=iv,
        padding=method,
        counter_length=counter_length,
        initial_counter_value=initial,
        tag_length=counter_length,
    )
    for act in (
        lambda: encrypted(algorithm, key, how, data),
        lambda: decrypted(algorithm, key, how, tag, data),
        lambda: ciphers.random_iv_length(algorithm, mode, initial, counter_length),
    ):
        try:
            act()
        except KmipError:
            continue
