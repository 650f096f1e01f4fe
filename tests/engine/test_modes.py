"""Encrypt, Decrypt, MAC and Hash with every algorithm: what goes through the protocol, and each refusal's reason."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from kmip_server import errors
from kmip_server.crypto import algorithms
from kmip_server.crypto.ciphers import CIPHERS
from kmip_server.engine.context import Policy
from kmip_server.protocol.attribute_values import CryptographicParameters
from kmip_server.protocol.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    HashingAlgorithm,
    Operation,
    PaddingMethod,
    QueryFunction,
    ResultReason,
    ValidityIndicator,
)
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    EncryptRequest,
    HashRequest,
    MACRequest,
    MACVerifyRequest,
)
from kmip_server.protocol.payloads.discovery import QueryRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest
from kmip_server.protocol.versions import V1_2, V1_4, V2_1, Version
from tests.engine.test_use import active, encrypt, refusal
from tests.support.engine import SERVED, Engine, told
from tests.support.requests import A, create, parameters, register_key

R, B, P = ResultReason, BlockCipherMode, PaddingMethod
IV = bytes(range(16))
DATA = b"sixteen bytes..sixteen bytes.."


@pytest.fixture
def lenient(tmp_path: Path) -> Iterator[Engine]:
    """An engine on which weak algorithms are switched on."""
    (tmp_path / "weak").mkdir()
    made = Engine(tmp_path / "weak", Policy(served=SERVED, weak_algorithms=True))
    yield made
    made.close()


def made(engine: Engine, algorithm: CryptographicAlgorithm) -> str:
    """An Active key of an algorithm that 1.4 may not know."""
    request = create(algorithm=algorithm, length=None)
    uid: str = engine.call(Operation.CREATE, request, version=V2_1).unique_identifier
    engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
    return uid


def back(uid: str, given: CryptographicParameters, done: Any, iv: bytes | None) -> DecryptRequest:
    return DecryptRequest(
        unique_identifier=uid,
        cryptographic_parameters=given,
        data=done.data,
        iv_counter_nonce=iv,
        authenticated_encryption_tag=done.authenticated_encryption_tag,
    )


@pytest.mark.parametrize(
    ("algorithm", "mode"), [(a, m) for a, row in CIPHERS.items() for m in row.modes if m != B.NISTKEYWRAP]
)
def test_every_cipher_in_every_mode_with_a_key_made_here(
    lenient: Engine, algorithm: CryptographicAlgorithm, mode: BlockCipherMode | None
) -> None:
    uid = made(lenient, algorithm)
    row = CIPHERS[algorithm].modes[mode]
    given = parameters(
        block_cipher_mode=mode,
        padding_method=P.PKCS5 if row.padded else None,
        cryptographic_algorithm=algorithm,
        random_iv=True,
    )
    done = lenient.call(Operation.ENCRYPT, encrypt(uid, DATA, given, iv_counter_nonce=None), version=V2_1)
    assert done.data != DATA
    assert (done.iv_counter_nonce is None) == (not row.ivs)
    assert (done.authenticated_encryption_tag is None) == (not row.tags)
    opening = back(uid, given, done, done.iv_counter_nonce)
    assert lenient.call(Operation.DECRYPT, opening, version=V2_1).data == DATA


@pytest.mark.parametrize("algorithm", [a for a in CIPHERS if algorithms.SYMMETRIC[a].weak])
def test_weak_keys_come_in_and_open_but_do_not_protect(engine: Engine, algorithm: CryptographicAlgorithm) -> None:
    row = algorithms.SYMMETRIC[algorithm]
    key = bytes(range(algorithms.symmetric_key_bytes(algorithm, row.default)))
    mode = next(iter(CIPHERS[algorithm].modes))
    given = parameters(block_cipher_mode=mode)
    uid = active(engine, register_key(key, algorithm=algorithm), Operation.REGISTER)
    iv = bytes(8) if CIPHERS[algorithm].modes[mode].ivs else None
    for request, operation in (
        (create(algorithm=algorithm, length=None), Operation.CREATE),
        (encrypt(uid, bytes(8), given, iv_counter_nonce=iv), Operation.ENCRYPT),
    ):
        assert refusal(engine, operation, request, V2_1) == told(UNSUPPORTED, operation)
    old = DecryptRequest(unique_identifier=uid, cryptographic_parameters=given, data=bytes(8), iv_counter_nonce=iv)
    assert len(engine.call(Operation.DECRYPT, old).data) == 8


@pytest.mark.parametrize("algorithm", [A.SKIPJACK, A.TWOFISH, A.POLY1305, A.ARIA, A.ONE_TIME_PAD])
def test_what_cannot_be_used_can_be_kept(engine: Engine, algorithm: CryptographicAlgorithm) -> None:
    # In 2.1, as 1.4 does not know every one of them.
    request_ = register_key(bytes(10), algorithm=algorithm)
    uid = engine.call(Operation.REGISTER, request_, version=V2_1).unique_identifier
    engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
    got = engine.call(Operation.GET, GetRequest(unique_identifier=uid), version=V2_1)
    assert got.managed_object.key_block.key_value.key_material == bytes(10)
    mac = MACRequest(unique_identifier=uid, data=b"x")
    for request, operation in (
        (create(algorithm=algorithm, length=None), Operation.CREATE),
        (encrypt(uid, DATA, parameters(block_cipher_mode=B.CBC)), Operation.ENCRYPT),
        (mac, Operation.MAC),
    ):
        assert refusal(engine, operation, request, V2_1) == told(UNSUPPORTED, operation)


def test_chacha20_as_openssl_does_it(engine: Engine) -> None:
    key = bytes(range(32))
    uid = active(engine, register_key(key, algorithm=A.CHACHA20), Operation.REGISTER)
    for nonce, start in ((IV[:8], bytes(8)), (IV[:12], bytes(4)), (IV[:8], b"\5" + bytes(7))):
        expected = Cipher(ChaCha20(key, start + nonce), None).encryptor().update(DATA)
        given = parameters(initial_counter_value=start[0] or None)
        assert engine.call(Operation.ENCRYPT, encrypt(uid, DATA, given, iv_counter_nonce=nonce)).data == expected


def test_ctr_with_the_counter_apart(engine: Engine) -> None:
    uid = active(engine)
    whole = parameters(block_cipher_mode=B.CTR)
    apart = parameters(block_cipher_mode=B.CTR, counter_length=32, initial_counter_value=1)
    block = IV[:12] + b"\0\0\0\1"
    expected = engine.call(Operation.ENCRYPT, encrypt(uid, DATA, whole, iv_counter_nonce=block)).data
    assert engine.call(Operation.ENCRYPT, encrypt(uid, DATA, apart, iv_counter_nonce=IV[:12])).data == expected
    made = replace(apart, random_iv=True)
    done = engine.call(Operation.ENCRYPT, encrypt(uid, DATA, made, iv_counter_nonce=None))
    assert len(done.iv_counter_nonce) == 12
    assert engine.call(Operation.DECRYPT, back(uid, made, done, done.iv_counter_nonce)).data == DATA


def test_a_random_iv_has_the_length_that_is_asked_for(engine: Engine) -> None:
    uid = active(engine)
    for bits in (96, 128, 1024):
        given = parameters(block_cipher_mode=B.GCM, random_iv=True, iv_length=bits)
        done = engine.call(Operation.ENCRYPT, encrypt(uid, DATA, given, iv_counter_nonce=None))
        assert len(done.iv_counter_nonce) == bits // 8
        assert engine.call(Operation.DECRYPT, back(uid, given, done, done.iv_counter_nonce)).data == DATA


@pytest.mark.parametrize("mode", [B.CCM, B.GCM])
def test_before_1_4_a_tag_follows_the_data(engine: Engine, mode: BlockCipherMode) -> None:
    uid = active(engine)
    given = parameters(block_cipher_mode=mode, tag_length=12)
    done = engine.call(Operation.ENCRYPT, encrypt(uid, DATA, given, iv_counter_nonce=IV[:12]), version=V1_2)
    assert len(done.data) == len(DATA) + 12
    request = DecryptRequest(
        unique_identifier=uid, cryptographic_parameters=given, data=done.data, iv_counter_nonce=IV[:12]
    )
    for version in (V1_2, V1_4):
        assert engine.call(Operation.DECRYPT, request, version=version).data == DATA
    for wrong in (done.data[:5], b"", done.data[:-1]):
        assert refusal(engine, Operation.DECRYPT, replace(request, data=wrong)) == R.CRYPTOGRAPHIC_FAILURE


# --- refusals -----------------------------------------------------------------------------------

BAD, UNSUPPORTED = errors.BadCryptographicParameters, errors.UnsupportedCryptographicParameters
FAILURE, MISSING, TAG = errors.CryptographicFailure, errors.MissingInitializationVector, errors.InvalidTagLength
WRONG: list[tuple[dict[str, Any], bytes | None, bytes, type[errors.KmipError]]] = [
    # parameters, IV, data, reason
    ({}, IV, DATA, BAD),
    ({"block_cipher_mode": B.CBC}, None, DATA, MISSING),
    ({"block_cipher_mode": B.CBC}, b"", DATA, BAD),
    ({"block_cipher_mode": B.CBC}, IV[:15], DATA, BAD),
    ({"block_cipher_mode": B.CBC}, IV, DATA, FAILURE),
    ({"block_cipher_mode": B.ECB}, None, DATA, FAILURE),
    ({"block_cipher_mode": B.CBC, "padding_method": P.OAEP}, IV, DATA, UNSUPPORTED),
    ({"block_cipher_mode": B.CFB}, None, DATA, MISSING),
    ({"block_cipher_mode": B.OFB}, IV[:8], DATA, BAD),
    ({"block_cipher_mode": B.CTR}, IV[:12], DATA, BAD),
    ({"block_cipher_mode": B.CTR, "initial_counter_value": 250}, IV[:15], bytes(16 * 7), FAILURE),
    ({"block_cipher_mode": B.CTR, "random_iv": True, "iv_length": 64}, None, DATA, BAD),
    ({"block_cipher_mode": B.GCM}, None, DATA, MISSING),
    ({"block_cipher_mode": B.GCM}, IV[:7], DATA, BAD),
    ({"block_cipher_mode": B.GCM, "tag_length": 1}, IV[:12], DATA, TAG),
    ({"block_cipher_mode": B.GCM, "tag_length": 32}, IV[:12], DATA, TAG),
    ({"block_cipher_mode": B.CCM}, IV[:6], DATA, BAD),
    ({"block_cipher_mode": B.CCM}, IV[:14], DATA, BAD),
    ({"block_cipher_mode": B.CCM, "tag_length": 5}, IV[:12], DATA, TAG),
    ({"block_cipher_mode": B.XTS}, IV, b"under a block", FAILURE),
    ({"block_cipher_mode": B.XTS}, None, DATA, MISSING),
    ({"block_cipher_mode": B.NISTKEYWRAP}, None, b"9 bytes..", FAILURE),
    *(
        ({"block_cipher_mode": mode}, IV, DATA, UNSUPPORTED)
        for mode in (B.PCBC, B.CMAC, B.CBC_MAC, B.AEAD, B.X9_102_AESKW, B.X9_102_TDKW, B.X9_102_AKW1, B.X9_102_AKW2)
    ),
    ({"block_cipher_mode": B.CBC, "cryptographic_algorithm": A.CAMELLIA}, IV, DATA, BAD),
]


@pytest.mark.parametrize(("given", "iv", "data", "error"), WRONG)
def test_the_errors_of_encrypt(
    engine: Engine, given: dict[str, Any], iv: bytes | None, data: bytes, error: type[errors.KmipError]
) -> None:
    uid = active(engine)
    request = encrypt(uid, data, parameters(**given), iv_counter_nonce=iv)
    assert refusal(engine, Operation.ENCRYPT, request, V2_1) == told(error, Operation.ENCRYPT)
    decrypting = DecryptRequest(
        unique_identifier=uid, cryptographic_parameters=parameters(**given), data=data, iv_counter_nonce=iv
    )
    # A Random IV is not made for Decrypt.
    expected = MISSING if "random_iv" in given else error
    assert refusal(engine, Operation.DECRYPT, decrypting, V2_1) == told(expected, Operation.DECRYPT)


@pytest.mark.parametrize(
    ("algorithm", "given", "iv", "error"),
    [
        (A.CHACHA20, {}, None, MISSING),
        (A.CHACHA20, {}, IV, BAD),
        (A.CHACHA20, {"initial_counter_value": -1}, IV[:12], BAD),
        (A.CHACHA20, {"block_cipher_mode": B.CTR}, IV[:12], UNSUPPORTED),
        (A.CHACHA20POLY1305, {}, IV[:8], BAD),
        (A.CHACHA20POLY1305, {"tag_length": 4}, IV[:12], TAG),
        (A.CAMELLIA, {"block_cipher_mode": B.GCM}, IV[:12], UNSUPPORTED),
        (A.HMAC_SHA256, {"block_cipher_mode": B.CBC}, IV, UNSUPPORTED),
    ],
)
def test_the_errors_of_other_ciphers(
    engine: Engine,
    algorithm: CryptographicAlgorithm,
    given: dict[str, Any],
    iv: bytes | None,
    error: type[errors.KmipError],
) -> None:
    uid = active(engine, create(algorithm=algorithm, length=None))
    request = encrypt(uid, DATA, parameters(**given), iv_counter_nonce=iv)
    assert refusal(engine, Operation.ENCRYPT, request, V2_1) == told(error, Operation.ENCRYPT)


def test_random_iv_is_not_made_where_it_is_not_asked_for(engine: Engine) -> None:
    uid = active(engine)
    given = parameters(block_cipher_mode=B.CTR, random_iv=False, initial_counter_value=1)
    request = encrypt(uid, DATA, given, iv_counter_nonce=None)
    assert refusal(engine, Operation.ENCRYPT, request, V2_1) == told(MISSING, Operation.ENCRYPT)


# --- MAC and Hash -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "algorithm", [A.AES, A.CAMELLIA, A.SEED, A.SM4, A.TRIPLE_DES, A.DES, A.IDEA, A.CAST5, A.BLOWFISH]
)
@pytest.mark.parametrize("mode", [None, B.CMAC])
def test_cmac_with_every_block_cipher(
    lenient: Engine, algorithm: CryptographicAlgorithm, mode: BlockCipherMode | None
) -> None:
    uid = made(lenient, algorithm)
    given = parameters(block_cipher_mode=mode)
    computed = lenient.call(
        Operation.MAC, MACRequest(unique_identifier=uid, cryptographic_parameters=given, data=DATA)
    )
    assert len(computed.mac_data) == algorithms.SYMMETRIC[algorithm].block
    for data, expected in ((DATA, ValidityIndicator.VALID), (DATA[:-1], ValidityIndicator.INVALID)):
        request = MACVerifyRequest(
            unique_identifier=uid, cryptographic_parameters=given, data=data, mac_data=computed.mac_data
        )
        assert lenient.call(Operation.MAC_VERIFY, request).validity_indicator == expected


@pytest.mark.parametrize("mode", [B.CBC_MAC, B.GCM, B.CBC, B.CCM])
def test_modes_that_make_no_mac(engine: Engine, mode: BlockCipherMode) -> None:
    given = parameters(block_cipher_mode=mode)
    request = MACRequest(unique_identifier=active(engine), cryptographic_parameters=given, data=DATA)
    assert refusal(engine, Operation.MAC, request, V2_1) == told(UNSUPPORTED, Operation.MAC)


@pytest.mark.parametrize(
    ("hashing", "name"),
    [
        (HashingAlgorithm.SHA_1, "sha1"),
        (HashingAlgorithm.SHA_256, "sha256"),
        (HashingAlgorithm.SHA_512_224, "sha512_224"),
        (HashingAlgorithm.SHA3_384, "sha3_384"),
        (HashingAlgorithm.RIPEMD_160, "ripemd160"),
    ],
)
def test_hash_and_hmac_as_hashlib_does_them(engine: Engine, hashing: HashingAlgorithm, name: str) -> None:
    given = parameters(hashing_algorithm=hashing)
    hashed = engine.call(Operation.HASH, HashRequest(cryptographic_parameters=given, data=DATA))
    assert hashed.data == hashlib.new(name, DATA).digest()
    key = bytes(range(64))
    uid = active(engine, register_key(key, algorithm=A.HMAC_SHA512), Operation.REGISTER)
    made = engine.call(Operation.MAC, MACRequest(unique_identifier=uid, cryptographic_parameters=given, data=DATA))
    assert made.mac_data == hmac.new(key, DATA, name).digest()


@pytest.mark.parametrize("version", [V1_4, V2_1])
def test_hashes_that_are_not_served(engine: Engine, version: Version) -> None:
    expected = told(UNSUPPORTED, Operation.HASH, version)
    for hashing in (HashingAlgorithm.MD2, HashingAlgorithm.WHIRLPOOL, HashingAlgorithm.TIGER, HashingAlgorithm.MD4):
        given = parameters(hashing_algorithm=hashing)
        request = HashRequest(cryptographic_parameters=given, data=DATA)
        assert refusal(engine, Operation.HASH, request, version) == expected


def test_query_says_that_operations_in_parts_are_served(engine: Engine) -> None:
    asked = QueryRequest(query_functions=(int(QueryFunction.QUERY_CAPABILITIES),))
    (capabilities,) = engine.call(Operation.QUERY, asked).capability_information
    assert capabilities.streaming_capability is True
    assert engine.call(Operation.QUERY, asked, version=V1_2).capability_information == ()


def test_keys_for_xts_are_made_of_512_bits(engine: Engine) -> None:
    uid = active(engine, create(length=512))
    given = parameters(block_cipher_mode=B.XTS)
    done = engine.call(Operation.ENCRYPT, encrypt(uid, DATA, given))
    assert engine.call(Operation.DECRYPT, back(uid, given, done, IV)).data == DATA
    other = encrypt(uid, DATA, parameters(block_cipher_mode=B.GCM), iv_counter_nonce=IV[:12])
    assert refusal(engine, Operation.ENCRYPT, other, V2_1) == told(BAD, Operation.ENCRYPT)


def test_a_key_that_is_not_active_does_not_encrypt(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create(algorithm=A.CHACHA20, length=256)).unique_identifier
    request = EncryptRequest(unique_identifier=uid, data=DATA, iv_counter_nonce=IV[:12])
    assert refusal(engine, Operation.ENCRYPT, request, V2_1) == R.WRONG_KEY_LIFECYCLE_STATE
    engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
    assert len(engine.call(Operation.ENCRYPT, request).data) == len(DATA)
