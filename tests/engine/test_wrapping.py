"""Wrapped Get and wrapped Register: every method and encoding, opened again by other code; every error."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import cmac, hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from kmip_server.engine.context import Policy
from kmip_server.errors import UnsupportedCryptographicParameters
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import CryptographicParameters, Link, UsageLimits
from kmip_server.protocol.enums import (
    BlockCipherMode,
    EncodingOption,
    HashingAlgorithm,
    KeyFormatType,
    KeyWrapType,
    LinkType,
    ObjectType,
    Operation,
    PaddingMethod,
    ResultReason,
    SecretDataType,
    UsageLimitsUnit,
    WrappingMethod,
)
from kmip_server.protocol.objects import (
    WRAPPED_ATTRIBUTE_NAMES,
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingData,
    KeyWrappingSpecification,
    MACSignatureKeyInformation,
    PrivateKey,
    PublicKey,
    SecretData,
    SymmetricKey,
    key_value_of,
)
from kmip_server.protocol.payloads.attributes import AddAttributeRequest, GetAttributesRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_0, V1_4, V2_1, Version
from tests.support.engine import SERVED, Engine, Refused, told
from tests.support.requests import A, M, attribute, create, name, parameters, register_key, revoke, template

R, Mode, Method = ResultReason, BlockCipherMode, WrappingMethod
EVERY_USE = M.WRAP_KEY | M.UNWRAP_KEY | M.MAC_GENERATE | M.MAC_VERIFY | M.SIGN | M.VERIFY
NO_ENCODING, TTLV_ENCODING = EncodingOption.NO_ENCODING, EncodingOption.TTLV_ENCODING
ACTIVE = attribute(Tag.ACTIVATION_DATE, 0)
KEY = bytes(range(32))
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


# --- making requests ----------------------------------------------------------------------------


def kek(engine: Engine, key: bytes, *more: Any, algorithm: A = A.AES, mask: M = EVERY_USE) -> str:
    request = register_key(key, ACTIVE, *more, algorithm=algorithm, mask=mask)
    uid: str = engine.call(Operation.REGISTER, request).unique_identifier
    return uid


def key_to_wrap(engine: Engine, key: bytes = KEY, *more: Any) -> str:
    uid: str = engine.call(Operation.REGISTER, register_key(key, *more)).unique_identifier
    return uid


def pair(engine: Engine, private: Any, algorithm: A) -> tuple[str, str]:
    """A registered pair, each half linked to the other."""
    der, free = serialization.Encoding.DER, serialization.NoEncryption()
    halves = (
        (
            ObjectType.PUBLIC_KEY,
            PublicKey,
            KeyFormatType.X_509,
            private.public_key().public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo),
        ),
        (
            ObjectType.PRIVATE_KEY,
            PrivateKey,
            KeyFormatType.PKCS_8,
            private.private_bytes(der, serialization.PrivateFormat.PKCS8, free),
        ),
    )
    made: list[str] = []
    for object_type, cls, key_format_type, material in halves:
        block = KeyBlock(
            key_format_type=key_format_type,
            key_value=KeyValue(key_material=material),
            cryptographic_algorithm=algorithm,
            cryptographic_length=private.key_size,
        )
        request = RegisterRequest(
            object_type=object_type,
            template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, EVERY_USE), ACTIVE),
            managed_object=cls(key_block=block),
        )
        made.append(engine.call(Operation.REGISTER, request).unique_identifier)
    for one, other, link_type in ((0, 1, LinkType.PRIVATE_KEY_LINK), (1, 0, LinkType.PUBLIC_KEY_LINK)):
        link = Link(link_type=link_type, linked_object_identifier=made[other])
        request = AddAttributeRequest(unique_identifier=made[one], attribute=attribute(Tag.LINK, link))
        engine.call(Operation.ADD_ATTRIBUTE, request)
    return made[0], made[1]


def specification(
    method: Method = Method.ENCRYPT,
    *,
    by: str | None = None,
    given: CryptographicParameters | None = None,
    mac: str | None = None,
    mac_given: CryptographicParameters | None = None,
    **more: Any,
) -> KeyWrappingSpecification:
    return KeyWrappingSpecification(
        wrapping_method=method,
        encryption_key_information=by
        and EncryptionKeyInformation(unique_identifier=by, cryptographic_parameters=given),  # type: ignore[arg-type]
        mac_signature_key_information=mac
        and MACSignatureKeyInformation(unique_identifier=mac, cryptographic_parameters=mac_given),  # type: ignore[arg-type]
        **more,
    )


def get(engine: Engine, uid: str, *, version: Version = V1_4, **more: Any) -> KeyBlock:
    request = GetRequest(unique_identifier=uid, **more)
    block: KeyBlock = engine.call(Operation.GET, request, version=version).managed_object.key_block
    return block


def wrapped_get(engine: Engine, uid: str, wanted: KeyWrappingSpecification, version: Version = V1_4) -> KeyBlock:
    return get(engine, uid, version=version, key_wrapping_specification=wanted)


def register_block(engine: Engine, block: KeyBlock, *more: Any, version: Version = V1_4) -> str:
    request = RegisterRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.ENCRYPT), *more),
        managed_object=SymmetricKey(key_block=block),
    )
    uid: str = engine.call(Operation.REGISTER, request, version=version).unique_identifier
    return uid


def attributes_of(engine: Engine, uid: str, tag: Tag, version: Version = V2_1) -> list[Any]:
    request = GetAttributesRequest(unique_identifier=uid, attribute_names=(tag,))
    return [each.value for each in engine.call(Operation.GET_ATTRIBUTES, request, version=version).attributes]


def refusal(engine: Engine, request: GetRequest, version: Version = V1_4) -> ResultReason:
    with pytest.raises(Refused) as refused:
        engine.call(Operation.GET, request, version=version)
    return refused.value.reason


def wrapped_bytes(block: KeyBlock) -> bytes:
    if isinstance(block.key_value, KeyValue):
        assert isinstance(block.key_value.key_material, bytes)
        return block.key_value.key_material
    assert block.key_value is not None
    return block.key_value


def material_in(data: bytes, option: EncodingOption | None) -> bytes:
    """The Key Material in what was wrapped, read by hand."""
    if option == NO_ENCODING:
        return data
    # 420045 Key Value, Structure; 420043 Key Material, Byte String.
    assert data[:4].hex() == "42004501"
    assert data[8:12].hex() == "42004308"
    return data[16 : 16 + int.from_bytes(data[12:16], "big")]


# --- known answers ------------------------------------------------------------------------------

RFC_3394 = [
    ("000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF", "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"),
    ("000102030405060708090A0B0C0D0E0F1011121314151617", "00112233445566778899AABBCCDDEEFF", "96778B25AE6CA435F92B5B97C050AED2468AB8A17AD84E5D"),
    ("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", "00112233445566778899AABBCCDDEEFF", "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"),
    ("000102030405060708090A0B0C0D0E0F1011121314151617", "00112233445566778899AABBCCDDEEFF0001020304050607", "031D33264E15D33268F24EC260743EDCE1C6C7DDEE725A936BA814915C6762D2"),
    ("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", "00112233445566778899AABBCCDDEEFF0001020304050607", "A8F9BC1612C68B3FF6E6F4FBE30E71E4769C8B80A32CB8958CD5D17D6B254DA1"),
    ("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F", "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"),
]  # fmt: skip
RFC_5649 = [
    ("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "c37b7e6492584340bed12207808941155068f738", "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"),
    ("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
]  # fmt: skip


def secret(engine: Engine, value: bytes, *more: Any) -> str:
    block = KeyBlock(key_format_type=KeyFormatType.RAW, key_value=KeyValue(key_material=value))
    request = RegisterRequest(
        object_type=ObjectType.SECRET_DATA,
        template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M(0)), *more),
        managed_object=SecretData(secret_data_type=SecretDataType.SEED, key_block=block),
    )
    uid: str = engine.call(Operation.REGISTER, request).unique_identifier
    return uid


@pytest.mark.parametrize(
    ("mode", "key", "data", "expected"),
    [(None, *each) for each in RFC_3394]
    + [(Mode.NISTKEYWRAP, *each) for each in RFC_3394]
    + [(Mode.AESKEYWRAPPADDING, *each) for each in RFC_5649],
)
def test_the_answers_of_rfc_3394_and_rfc_5649(
    engine: Engine, mode: Mode | None, key: str, data: str, expected: str
) -> None:
    by = kek(engine, bytes.fromhex(key))
    given = None if mode is None else parameters(block_cipher_mode=mode)
    wanted = specification(by=by, given=given, encoding_option=NO_ENCODING)
    block = wrapped_get(engine, secret(engine, bytes.fromhex(data)), wanted)
    assert wrapped_bytes(block).hex() == expected.lower()


# --- every method and encoding ------------------------------------------------------------------


def _pkcs7(plain: bytes) -> bytes:
    return plain[: -plain[-1]]


def _cipher(cipher: Any, mode: Any, data: bytes) -> bytes:
    decryptor = Cipher(cipher, mode).decryptor()
    return decryptor.update(data) + decryptor.finalize()


PKCS5 = PaddingMethod.PKCS5
Open = Callable[[bytes, bytes, Any], bytes]
BY_AES: dict[str, tuple[CryptographicParameters | None, Open]] = {
    "no mode": (None, lambda k, d, iv: keywrap.aes_key_unwrap(k, d)),
    "NIST key wrap": (
        parameters(block_cipher_mode=Mode.NISTKEYWRAP),
        lambda k, d, iv: keywrap.aes_key_unwrap(k, d),
    ),
    "AES key wrap padding": (
        parameters(block_cipher_mode=Mode.AESKEYWRAPPADDING),
        lambda k, d, iv: keywrap.aes_key_unwrap_with_padding(k, d),
    ),
    "ECB": (
        parameters(block_cipher_mode=Mode.ECB, padding_method=PKCS5),
        lambda k, d, iv: _pkcs7(_cipher(AES(k), modes.ECB(), d)),
    ),
    "CBC": (
        parameters(block_cipher_mode=Mode.CBC, padding_method=PKCS5),
        lambda k, d, iv: _pkcs7(_cipher(AES(k), modes.CBC(iv), d)),
    ),
    "CTR": (parameters(block_cipher_mode=Mode.CTR), lambda k, d, iv: _cipher(AES(k), modes.CTR(iv), d)),
    "GCM": (parameters(block_cipher_mode=Mode.GCM), lambda k, d, iv: AESGCM(k).decrypt(iv, d, None)),
    "GCM, long IV": (
        parameters(block_cipher_mode=Mode.GCM, iv_length=128, tag_length=16),
        lambda k, d, iv: AESGCM(k).decrypt(iv, d, None),
    ),
}
WITH_IV = ("CBC", "CTR", "GCM", "GCM, long IV")


@pytest.mark.parametrize("option", [None, TTLV_ENCODING, NO_ENCODING])
@pytest.mark.parametrize("way", BY_AES)
def test_encrypt(engine: Engine, way: str, option: EncodingOption | None) -> None:
    given, opens = BY_AES[way]
    by_key = os.urandom(32)
    uid = key_to_wrap(engine)
    wanted = specification(by=kek(engine, by_key), given=given, encoding_option=option)
    block = wrapped_get(engine, uid, wanted)
    told = block.key_wrapping_data
    assert told is not None
    assert isinstance(block.key_value, KeyValue) == (option == NO_ENCODING)
    assert (told.wrapping_method, told.encoding_option) == (Method.ENCRYPT, option)
    assert (told.mac_signature, told.mac_signature_key_information) == (None, None)
    assert told.encryption_key_information is not None
    assert told.encryption_key_information.cryptographic_parameters is not None
    assert (told.iv_counter_nonce is not None) == (way in WITH_IV)
    assert material_in(opens(by_key, wrapped_bytes(block), told.iv_counter_nonce), option) == KEY
    # Wrapped again, it has another IV; it comes in clear still; and what came out comes in again.
    again = wrapped_get(engine, uid, wanted).key_wrapping_data
    assert again is not None
    assert again.iv_counter_nonce is None or again.iv_counter_nonce != told.iv_counter_nonce
    assert_comes_back(engine, block)


def assert_comes_back(engine: Engine, block: KeyBlock) -> None:
    """Registered wrapped, the key is kept as it is, and unwrapped when a client wants it so."""
    uid = register_block(engine, block)
    assert get(engine, uid) == block
    assert get(engine, uid, key_wrap_type=KeyWrapType.AS_REGISTERED) == block
    clear = get(engine, uid, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    assert clear.key_value == KeyValue(key_material=KEY)
    assert clear.key_wrapping_data is None
    assert attributes_of(engine, uid, Tag.DIGEST)[0].digest_value == hashlib.sha256(KEY).digest()


def test_3des_wraps_where_it_is_allowed(tmp_path: Path) -> None:
    key, given = os.urandom(24), parameters(block_cipher_mode=Mode.CBC, padding_method=PKCS5)
    for weak in (True, False):
        folder = tmp_path / str(weak)
        folder.mkdir()
        engine = Engine(folder, Policy(served=SERVED, weak_algorithms=weak))
        by = kek(engine, key, algorithm=A.TRIPLE_DES)
        wanted = specification(by=by, given=given, encoding_option=NO_ENCODING)
        uid = key_to_wrap(engine)
        if weak:
            block = wrapped_get(engine, uid, wanted)
            assert block.key_wrapping_data is not None
            iv: Any = block.key_wrapping_data.iv_counter_nonce
            assert _pkcs7(_cipher(TripleDES(key), modes.CBC(iv), wrapped_bytes(block))) == KEY
        else:
            request = GetRequest(unique_identifier=uid, key_wrapping_specification=wanted)
            assert refusal(engine, request) == R.INVALID_FIELD
            assert refusal(engine, request, V2_1) == told(UnsupportedCryptographicParameters, Operation.GET)
        engine.close()


OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


@pytest.mark.parametrize("option", [TTLV_ENCODING, NO_ENCODING])
@pytest.mark.parametrize(
    ("given", "scheme"),
    [
        (parameters(padding_method=PaddingMethod.OAEP, hashing_algorithm=HashingAlgorithm.SHA_256), OAEP),
        (parameters(padding_method=PaddingMethod.PKCS1_V1_5), padding.PKCS1v15()),
    ],
)
def test_a_public_rsa_key_wraps_what_fits(
    engine: Engine, given: CryptographicParameters, scheme: Any, option: EncodingOption
) -> None:
    public, _ = pair(engine, RSA_KEY, A.RSA)
    wanted = specification(by=public, given=given, encoding_option=option)
    block = wrapped_get(engine, key_to_wrap(engine), wanted)
    assert material_in(RSA_KEY.decrypt(wrapped_bytes(block), scheme), option) == KEY
    assert_comes_back(engine, block)
    long = GetRequest(unique_identifier=secret(engine, bytes(250)), key_wrapping_specification=wanted)
    assert refusal(engine, long) == R.CRYPTOGRAPHIC_FAILURE


PSS = parameters(padding_method=PaddingMethod.PSS, hashing_algorithm=HashingAlgorithm.SHA_256)
SHA256 = parameters(hashing_algorithm=HashingAlgorithm.SHA_256)


def _cmac(key: bytes, data: bytes) -> bytes:
    context = cmac.CMAC(AES(key))
    context.update(data)
    return context.finalize()


def authenticator(engine: Engine, kind: str) -> tuple[str, CryptographicParameters | None, Callable[..., None]]:
    """A MAC or signing key, its parameters, and an independent check."""
    key = os.urandom(32)
    if kind == "HMAC":

        def check_hmac(data: bytes, made: bytes) -> None:
            assert made == hmac.new(key, data, hashlib.sha256).digest()

        return kek(engine, key, algorithm=A.HMAC_SHA256), None, check_hmac
    if kind == "CMAC":

        def check_cmac(data: bytes, made: bytes) -> None:
            assert made == _cmac(key, data)

        return kek(engine, key), parameters(cryptographic_algorithm=A.AES), check_cmac
    if kind == "RSA":
        scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        public = RSA_KEY.public_key()
        # Named by its public half: the standard allows either.
        named = pair(engine, RSA_KEY, A.RSA)[0]
        return named, PSS, lambda data, made: public.verify(made, data, scheme, hashes.SHA256())
    verify = EC_KEY.public_key().verify
    return (
        pair(engine, EC_KEY, A.ECDSA)[1],
        SHA256,
        lambda data, made: verify(made, data, ec.ECDSA(hashes.SHA256())),
    )


@pytest.mark.parametrize("option", [None, TTLV_ENCODING, NO_ENCODING])
@pytest.mark.parametrize("kind", ["HMAC", "CMAC", "RSA", "ECDSA"])
@pytest.mark.parametrize("method", [Method.MAC_SIGN, Method.ENCRYPT_THEN_MAC_SIGN, Method.MAC_SIGN_THEN_ENCRYPT])
def test_macs_and_signatures(engine: Engine, method: Method, kind: str, option: EncodingOption | None) -> None:
    mac, mac_given, check = authenticator(engine, kind)
    by_key = os.urandom(16)
    by = None if method == Method.MAC_SIGN else kek(engine, by_key)
    given = by and parameters(block_cipher_mode=Mode.CTR)
    wanted = specification(
        method,
        by=by,
        given=given,
        mac=mac,
        mac_given=mac_given,
        encoding_option=option,  # type: ignore[arg-type]
    )
    block = wrapped_get(engine, key_to_wrap(engine), wanted)
    told = block.key_wrapping_data
    assert told is not None
    assert told.mac_signature_key_information is not None
    assert told.mac_signature_key_information.unique_identifier == mac
    assert told.mac_signature_key_information.cryptographic_parameters is not None
    sent = clear = wrapped_bytes(block)
    if by is not None:
        iv: Any = told.iv_counter_nonce
        clear = _cipher(AES(by_key), modes.CTR(iv), sent)
    assert material_in(clear, option) == KEY
    check(sent if method == Method.ENCRYPT_THEN_MAC_SIGN else clear, told.mac_signature)
    assert_comes_back(engine, block)
    assert_forgeries_are_noticed(engine, block)


def assert_forgeries_are_noticed(engine: Engine, block: KeyBlock) -> None:
    data = wrapped_bytes(block)
    spoiled: Any = data[:-1] + bytes([data[-1] ^ 1])
    if isinstance(block.key_value, KeyValue):
        spoiled = KeyValue(key_material=spoiled)
    changed = KeyBlock(
        key_format_type=block.key_format_type,
        key_value=spoiled,
        cryptographic_algorithm=block.cryptographic_algorithm,
        cryptographic_length=block.cryptographic_length,
        key_wrapping_data=block.key_wrapping_data,
    )
    request = GetRequest(unique_identifier=register_block(engine, changed), key_wrap_type=KeyWrapType.NOT_WRAPPED)
    assert refusal(engine, request) == R.CRYPTOGRAPHIC_FAILURE


# --- attributes along ---------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_1])
def test_attributes_are_wrapped_along(engine: Engine, version: Version) -> None:
    by_key = os.urandom(32)
    uid = key_to_wrap(engine, KEY, name("wrapped along"), attribute(Tag.OBJECT_GROUP, "group"))
    wanted = specification(by=kek(engine, by_key), attribute_names=(Tag.NAME, Tag.STATE, Tag.CONTACT_INFORMATION))
    block = wrapped_get(engine, uid, wanted, version)
    value = key_value_of(ttlv.decode(keywrap.aes_key_unwrap(by_key, wrapped_bytes(block)))[2], version)
    assert [each.key for each in value.attributes] == [Tag.NAME, Tag.STATE]
    assert value.attributes[0].value.name_value == "wrapped along"
    assert value.key_material == KEY


def test_attribute_names_as_the_table_of_2_1_has_them(engine: Engine) -> None:
    items = [(Tag.ATTRIBUTE_NAME, ttlv.TEXT_STRING, "Name"), (Tag.ATTRIBUTE_REFERENCE, ttlv.ENUMERATION, Tag.STATE)]
    assert WRAPPED_ATTRIBUTE_NAMES[2].decode(items, V2_1) == (Tag.NAME, Tag.STATE)


def test_what_was_wrapped_along_is_read_at_registration(engine: Engine) -> None:
    """The server can look in: attributes that the key brings inside are the object's."""
    by = kek(engine, os.urandom(32))
    uid = key_to_wrap(engine, KEY, attribute(Tag.OBJECT_GROUP, "inside"))
    block = wrapped_get(engine, uid, specification(by=by, attribute_names=(Tag.OBJECT_GROUP,)))
    copy = register_block(engine, block)
    assert attributes_of(engine, copy, Tag.OBJECT_GROUP) == ["inside"]
    clear = get(engine, copy, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    assert clear.key_value == KeyValue(key_material=KEY)


# --- registered wrapped -------------------------------------------------------------------------


def foreign_block(**more: Any) -> KeyBlock:
    """A key wrapped by a key that is not on the server."""
    data = KeyWrappingData(
        wrapping_method=more.pop("method", Method.ENCRYPT),
        encryption_key_information=EncryptionKeyInformation(unique_identifier=more.pop("by", "elsewhere")),
        **more,
    )
    return KeyBlock(
        key_format_type=KeyFormatType.RAW,
        key_value=bytes(range(40)),
        cryptographic_algorithm=A.AES,
        cryptographic_length=256,
        key_wrapping_data=data,
    )


def test_what_cannot_be_looked_into_is_taken_at_the_clients_word(engine: Engine) -> None:
    block = foreign_block()
    uid = register_block(engine, block)
    assert get(engine, uid) == block
    assert attributes_of(engine, uid, Tag.CRYPTOGRAPHIC_LENGTH) == [256]
    assert attributes_of(engine, uid, Tag.DIGEST) == []
    assert attributes_of(engine, uid, Tag.LINK) == []


def test_a_wrapping_key_link_points_to_a_key_of_ones_own(engine: Engine) -> None:
    by = kek(engine, os.urandom(32))
    uid = register_block(engine, foreign_block(by=by))
    link = Link(link_type=LinkType.WRAPPING_KEY_LINK, linked_object_identifier=by)
    assert attributes_of(engine, uid, Tag.LINK) == [link]
    # Clients of 1.x do not know the Link Type.
    assert attributes_of(engine, uid, Tag.LINK, V1_4) == []
    theirs = engine.call(Operation.CREATE, create(ACTIVE), principal="two").unique_identifier
    assert attributes_of(engine, register_block(engine, foreign_block(by=theirs)), Tag.LINK) == []


def test_unwrapping_needs_a_key_of_ones_own(engine: Engine) -> None:
    by_key = os.urandom(32)
    theirs = engine.call(
        Operation.REGISTER, register_key(by_key, ACTIVE, mask=EVERY_USE), principal="two"
    ).unique_identifier
    block = foreign_block(by=theirs)
    uid = register_block(engine, block)
    request = GetRequest(unique_identifier=uid, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    absent = GetRequest(
        unique_identifier=register_block(engine, foreign_block()), key_wrap_type=KeyWrapType.NOT_WRAPPED
    )
    assert refusal(engine, request) == refusal(engine, absent) == R.ITEM_NOT_FOUND
    assert refusal(engine, request, V2_1) == refusal(engine, absent, V2_1) == R.WRAPPING_OBJECT_NOT_FOUND


@pytest.mark.parametrize(
    ("mask", "after", "reason"),
    [
        (M.WRAP_KEY, None, R.PERMISSION_DENIED),
        (EVERY_USE, "revoked", None),
        (EVERY_USE, "destroyed", R.PERMISSION_DENIED),
    ],
)
def test_what_a_key_must_be_to_unwrap(
    engine: Engine, mask: M, after: str | None, reason: ResultReason | None
) -> None:
    by_key = os.urandom(32)
    by = kek(engine, by_key, mask=mask | M.WRAP_KEY)
    uid = register_block(engine, wrapped_get(engine, key_to_wrap(engine), specification(by=by)))
    if after:
        engine.call(Operation.REVOKE, revoke(by))
    if after == "destroyed":
        engine.call(Operation.DESTROY, DestroyRequest(unique_identifier=by))
    request = GetRequest(unique_identifier=uid, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    if reason is None:
        # What was protected once is opened by a Deactivated key too.
        assert engine.call(Operation.GET, request).managed_object.key_block.key_value.key_material == KEY
    else:
        assert refusal(engine, request) == reason


def test_wrapped_anew_under_another_key(engine: Engine) -> None:
    first, second_key = kek(engine, os.urandom(32)), os.urandom(32)
    second = kek(engine, second_key)
    uid = register_block(engine, wrapped_get(engine, key_to_wrap(engine), specification(by=first)))
    wanted = specification(by=second, encoding_option=NO_ENCODING)
    block = get(engine, uid, key_wrap_type=KeyWrapType.NOT_WRAPPED, key_wrapping_specification=wanted)
    assert keywrap.aes_key_unwrap(second_key, wrapped_bytes(block)) == KEY
    for wrap_type in (None, KeyWrapType.AS_REGISTERED):
        request = GetRequest(unique_identifier=uid, key_wrap_type=wrap_type, key_wrapping_specification=wanted)
        assert refusal(engine, request) == R.ILLEGAL_OPERATION


def test_what_a_registered_wrapping_must_say(engine: Engine) -> None:
    beside = foreign_block(encoding_option=NO_ENCODING)
    value = KeyValue(key_material=bytes(24), attributes=(attribute(Tag.OBJECT_GROUP, "beside"),))
    nobody = KeyWrappingData(wrapping_method=Method.ENCRYPT)
    for changes, reason in (
        ({"key_value": value}, R.ENCODING_OPTION_ERROR),
        ({"key_wrapping_data": nobody}, R.INVALID_FIELD),
        ({"key_value": None}, R.INVALID_FIELD),
    ):
        fields = {each: getattr(beside, each) for each in beside.__slots__} | changes
        with pytest.raises(Refused) as refused:
            register_block(engine, KeyBlock(**fields))
        assert refused.value.reason == reason


def test_tr_31_is_kept_but_not_unwrapped(engine: Engine) -> None:
    block = foreign_block(method=Method.TR_31)
    uid = register_block(engine, block)
    assert get(engine, uid) == block
    request = GetRequest(unique_identifier=uid, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    assert refusal(engine, request) == R.FEATURE_NOT_SUPPORTED
    assert refusal(engine, request, V2_1) == R.KEY_WRAP_TYPE_NOT_SUPPORTED


# --- Sensitive and Extractable ------------------------------------------------------------------


def test_a_sensitive_key_leaves_only_encrypted(engine: Engine) -> None:
    by, mac = kek(engine, os.urandom(32)), kek(engine, os.urandom(32), algorithm=A.HMAC_SHA256)
    uid = key_to_wrap(engine, KEY, attribute(Tag.SENSITIVE, True))
    assert refusal(engine, GetRequest(unique_identifier=uid)) == R.SENSITIVE
    signed = specification(Method.MAC_SIGN, mac=mac)
    assert refusal(engine, GetRequest(unique_identifier=uid, key_wrapping_specification=signed)) == R.SENSITIVE
    block = wrapped_get(engine, uid, specification(by=by))
    # Registered wrapped, it leaves as it came, but not in clear.
    copy = register_block(engine, block, attribute(Tag.SENSITIVE, True))
    assert get(engine, copy) == block
    unwrapped = GetRequest(unique_identifier=copy, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    assert refusal(engine, unwrapped) == R.SENSITIVE
    anew = get(engine, copy, key_wrap_type=KeyWrapType.NOT_WRAPPED, key_wrapping_specification=specification(by=by))
    assert anew.key_value == block.key_value
    # A MAC alone hides nothing, whoever made it.
    readable = wrapped_get(engine, key_to_wrap(engine), signed)
    shown = register_block(engine, readable, attribute(Tag.SENSITIVE, True))
    assert refusal(engine, GetRequest(unique_identifier=shown)) == R.SENSITIVE


def test_a_key_that_is_not_extractable_never_leaves(engine: Engine) -> None:
    by = kek(engine, os.urandom(32))
    uid = key_to_wrap(engine, KEY, attribute(Tag.EXTRACTABLE, False))
    for wanted in (None, specification(by=by)):
        request = GetRequest(unique_identifier=uid, key_wrapping_specification=wanted)
        assert refusal(engine, request) == R.NOT_EXTRACTABLE


# --- errors of a wrapped Get --------------------------------------------------------------------

CASES: dict[str, tuple[Callable[[Engine], KeyWrappingSpecification], ResultReason, ResultReason]] = {
    "no such key": (lambda e: specification(by="absent"), R.ITEM_NOT_FOUND, R.WRAPPING_OBJECT_NOT_FOUND),
    "no such MAC key": (
        lambda e: specification(Method.MAC_SIGN, mac="absent"),
        R.ITEM_NOT_FOUND,
        R.WRAPPING_OBJECT_NOT_FOUND,
    ),
    "not a key": (lambda e: specification(by=secret(e, b"x")), R.ILLEGAL_OPERATION, R.INVALID_OBJECT_TYPE),
    "a MAC by what is no key": (
        lambda e: specification(Method.MAC_SIGN, mac=secret(e, b"x")),
        R.ILLEGAL_OPERATION,
        R.INVALID_OBJECT_TYPE,
    ),
    "a mask that does not wrap": (
        lambda e: specification(by=kek(e, KEY, mask=M.ENCRYPT)),
        R.PERMISSION_DENIED,
        R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
    ),
    "a mask that does not MAC": (
        lambda e: specification(Method.MAC_SIGN, mac=kek(e, KEY, mask=M.WRAP_KEY)),
        R.PERMISSION_DENIED,
        R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
    ),
    "not Active": (
        lambda e: specification(by=key_to_wrap(e)),
        R.PERMISSION_DENIED,
        R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
    ),
    "past its Protect Stop Date": (
        lambda e: specification(by=kek(e, KEY, attribute(Tag.PROTECT_STOP_DATE, 1))),
        R.PERMISSION_DENIED,
        R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
    ),
    "a private key without its public half": (
        lambda e: specification(by=lonely_private_key(e)),
        R.PERMISSION_DENIED,
        R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
    ),
    "a public key that does not encrypt": (
        lambda e: specification(by=pair(e, EC_KEY, A.ECDSA)[0]),
        R.PERMISSION_DENIED,
        R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
    ),
    "destroyed": (lambda e: specification(by=destroyed(e)), R.PERMISSION_DENIED, R.WRAPPING_OBJECT_DESTROYED),
    "parameters that the key does not have": (
        lambda e: specification(
            by=kek(e, KEY, attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, parameters(block_cipher_mode=Mode.GCM))),
            given=parameters(block_cipher_mode=Mode.NISTKEYWRAP),
        ),
        R.ITEM_NOT_FOUND,
        R.BAD_CRYPTOGRAPHIC_PARAMETERS,
    ),
    "TR-31": (
        lambda e: specification(Method.TR_31, by=kek(e, KEY)),
        R.FEATURE_NOT_SUPPORTED,
        R.FEATURE_NOT_SUPPORTED,
    ),
    "Encrypt without a key": (lambda e: specification(), R.INVALID_MESSAGE, R.MISSING_DATA),
    "Encrypt with a MAC key": (
        lambda e: specification(by=kek(e, KEY), mac=kek(e, KEY)),
        R.INVALID_FIELD,
        R.INVALID_FIELD,
    ),
    "MAC/sign with an encryption key": (
        lambda e: specification(Method.MAC_SIGN, by=kek(e, KEY), mac=kek(e, KEY)),
        R.INVALID_FIELD,
        R.INVALID_FIELD,
    ),
    "attributes un-encoded": (
        lambda e: specification(by=kek(e, KEY), encoding_option=NO_ENCODING, attribute_names=(Tag.NAME,)),
        R.ENCODING_OPTION_ERROR,
        R.ENCODING_OPTION_ERROR,
    ),
    "a mode that does not wrap": (
        lambda e: specification(by=kek(e, KEY), given=parameters(block_cipher_mode=Mode.X9_102_AKW1)),
        R.INVALID_FIELD,
        told(UnsupportedCryptographicParameters, Operation.GET),
    ),
    "usage limits that are spent": (
        lambda e: specification(by=kek(e, KEY, attribute(Tag.USAGE_LIMITS, limits(0)))),
        R.PERMISSION_DENIED,
        R.USAGE_LIMIT_EXCEEDED,
    ),
}


def limits(total: int) -> UsageLimits:
    return UsageLimits(usage_limits_total=total, usage_limits_unit=UsageLimitsUnit.OBJECT)


def destroyed(engine: Engine) -> str:
    uid: str = engine.call(Operation.CREATE, create()).unique_identifier
    engine.call(Operation.DESTROY, DestroyRequest(unique_identifier=uid))
    return uid


def lonely_private_key(engine: Engine) -> str:
    uid = pair(engine, RSA_KEY, A.RSA)[1]
    block = get(engine, uid)
    request = RegisterRequest(
        object_type=ObjectType.PRIVATE_KEY,
        template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, EVERY_USE), ACTIVE),
        managed_object=PrivateKey(key_block=block),
    )
    made: str = engine.call(Operation.REGISTER, request).unique_identifier
    return made


@pytest.mark.parametrize("case", CASES)
def test_errors(engine: Engine, case: str) -> None:
    made, in_1_4, in_2_1 = CASES[case]
    wanted = made(engine)
    request = GetRequest(unique_identifier=key_to_wrap(engine, os.urandom(16)), key_wrapping_specification=wanted)
    assert refusal(engine, request) == in_1_4
    assert refusal(engine, request, V2_1) == in_2_1


def test_a_key_does_not_wrap_itself(engine: Engine) -> None:
    by = kek(engine, os.urandom(32))
    request = GetRequest(unique_identifier=by, key_wrapping_specification=specification(by=by))
    assert refusal(engine, request) == R.ILLEGAL_OPERATION


def test_what_has_no_key_block_is_not_wrapped(engine: Engine) -> None:
    by = kek(engine, os.urandom(32))
    valueless = KeyBlock(key_format_type=KeyFormatType.RAW, cryptographic_algorithm=A.AES, cryptographic_length=128)
    uid = register_block(engine, valueless)
    request = GetRequest(unique_identifier=uid, key_wrapping_specification=specification(by=by))
    assert refusal(engine, request) == R.ILLEGAL_OPERATION
    assert refusal(engine, request, V2_1) == R.KEY_VALUE_NOT_PRESENT


def test_the_keys_own_parameters_are_used_and_told(engine: Engine) -> None:
    own = parameters(block_cipher_mode=Mode.CBC, padding_method=PKCS5)
    by_key = os.urandom(32)
    by = kek(engine, by_key, attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, own))
    for given in (None, parameters(block_cipher_mode=Mode.CBC)):
        block = wrapped_get(engine, key_to_wrap(engine), specification(by=by, given=given))
        told = block.key_wrapping_data
        assert told is not None
        assert told.encryption_key_information is not None
        assert told.encryption_key_information.cryptographic_parameters == own
        iv: Any = told.iv_counter_nonce
        assert material_in(_pkcs7(_cipher(AES(by_key), modes.CBC(iv), wrapped_bytes(block))), None) == KEY


def test_wrapping_takes_from_the_usage_limits(engine: Engine) -> None:
    by = kek(engine, os.urandom(32), attribute(Tag.USAGE_LIMITS, limits(2)))
    mac = kek(engine, os.urandom(32), attribute(Tag.USAGE_LIMITS, limits(1)), algorithm=A.HMAC_SHA256)
    uid = key_to_wrap(engine)
    both = specification(Method.ENCRYPT_THEN_MAC_SIGN, by=by, mac=mac)
    wrapped_get(engine, uid, both)
    # The MAC key is spent: nothing leaves, and the other key keeps what it has.
    request = GetRequest(unique_identifier=uid, key_wrapping_specification=both)
    assert refusal(engine, request, V2_1) == R.USAGE_LIMIT_EXCEEDED
    assert [each.usage_limits_count for each in attributes_of(engine, by, Tag.USAGE_LIMITS)] == [1]


def test_a_key_that_is_not_active_yet_wraps_once_it_is(engine: Engine) -> None:
    by = key_to_wrap(engine, os.urandom(32))
    request = GetRequest(unique_identifier=key_to_wrap(engine), key_wrapping_specification=specification(by=by))
    assert refusal(engine, request) == R.PERMISSION_DENIED
    engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=by))
    engine.call(Operation.GET, request)
