"""Keys in use: Encrypt to Hash, their parameters, masks, states and limits, and each error table."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import keywrap

from kmip_server.engine.context import Policy
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import CryptographicParameters, UsageLimits
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    BlockCipherMode,
    DigitalSignatureAlgorithm,
    EncodingOption,
    HashingAlgorithm,
    KeyFormatType,
    ObjectType,
    Operation,
    PaddingMethod,
    RecommendedCurve,
    ResultReason,
    SecretDataType,
    UsageLimitsUnit,
    ValidityIndicator,
    WrappingMethod,
)
from kmip_server.protocol.objects import (
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingSpecification,
    SecretData,
)
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.check import CheckRequest
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    EncryptRequest,
    HashRequest,
    MACRequest,
    MACVerifyRequest,
    RNGRetrieveRequest,
    RNGSeedRequest,
    SignatureVerifyRequest,
    SignRequest,
)
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.payloads.rekey import RekeyRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_0, V1_2, V1_4, Version
from tests.support.engine import SERVED, Engine, Refused, child, request_message
from tests.support.requests import (
    A,
    M,
    attribute,
    create,
    create_key_pair,
    name,
    parameters,
    register_key,
    revoke,
    template,
)

R = ResultReason
CBC = parameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5)
GCM = parameters(block_cipher_mode=BlockCipherMode.GCM, tag_length=16)
IV = bytes(range(16))


def active(engine: Engine, request: Any = None, operation: Operation = Operation.CREATE) -> str:
    uid: str = engine.call(operation, request or create()).unique_identifier
    engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
    return uid


def refusal(engine: Engine, operation: Operation, request: Any, version: Version = V1_4) -> ResultReason:
    with pytest.raises(Refused) as refused:
        engine.call(operation, request, version=version)
    return refused.value.reason


def encrypt(
    uid: str | None, data: bytes = b"data", given: CryptographicParameters | None = CBC, **more: Any
) -> EncryptRequest:
    return EncryptRequest(
        unique_identifier=uid, cryptographic_parameters=given, data=data, **({"iv_counter_nonce": IV} | more)
    )


# --- Encrypt and Decrypt ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "iv"),
    [
        (CBC, IV),
        (parameters(block_cipher_mode=BlockCipherMode.ECB, padding_method=PaddingMethod.PKCS5), None),
        (parameters(block_cipher_mode=BlockCipherMode.CTR), IV),
        (parameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.ANSI_X9_23), IV),
        (parameters(block_cipher_mode=BlockCipherMode.AESKEYWRAPPADDING), None),
    ],
)
def test_what_is_encrypted_decrypts(engine: Engine, given: CryptographicParameters, iv: bytes | None) -> None:
    uid = active(engine)
    done = engine.call(Operation.ENCRYPT, encrypt(uid, b"some data", given, iv_counter_nonce=iv))
    back = DecryptRequest(
        unique_identifier=uid, cryptographic_parameters=given, data=done.data, iv_counter_nonce=iv
    )
    assert done.data != b"some data"
    assert done.iv_counter_nonce is None
    assert engine.call(Operation.DECRYPT, back).data == b"some data"


@pytest.mark.parametrize("version", [V1_2, V1_4])
def test_a_gcm_tag_has_its_field_from_1_4_and_follows_the_data_before(engine: Engine, version: Version) -> None:
    uid = active(engine)
    done = engine.call(Operation.ENCRYPT, encrypt(uid, b"12345", GCM, iv_counter_nonce=IV[:12]), version=version)
    if version == V1_4:
        assert len(done.data) == 5
        assert len(done.authenticated_encryption_tag) == 16
    else:
        assert len(done.data) == 21
    back = DecryptRequest(
        unique_identifier=uid,
        cryptographic_parameters=GCM,
        data=done.data,
        iv_counter_nonce=IV[:12],
        authenticated_encryption_tag=getattr(done, "authenticated_encryption_tag", None),
    )
    assert engine.call(Operation.DECRYPT, back, version=version).data == b"12345"


def test_additional_data_is_authenticated(engine: Engine) -> None:
    uid = active(engine)
    request = encrypt(uid, b"x", GCM, iv_counter_nonce=IV[:12], authenticated_encryption_additional_data=b"about")
    done = engine.call(Operation.ENCRYPT, request)
    back = DecryptRequest(
        unique_identifier=uid,
        cryptographic_parameters=GCM,
        data=done.data,
        iv_counter_nonce=IV[:12],
        authenticated_encryption_tag=done.authenticated_encryption_tag,
        authenticated_encryption_additional_data=b"about",
    )
    assert engine.call(Operation.DECRYPT, back).data == b"x"
    wrong = replace(back, authenticated_encryption_additional_data=b"other")
    assert refusal(engine, Operation.DECRYPT, wrong) == R.CRYPTOGRAPHIC_FAILURE


def test_a_random_iv_comes_back(engine: Engine) -> None:
    uid = active(engine)
    given = replace(CBC, random_iv=True)
    done = engine.call(Operation.ENCRYPT, encrypt(uid, b"x", given, iv_counter_nonce=None), version=V1_2)
    assert len(done.iv_counter_nonce) == 16
    again = engine.call(Operation.ENCRYPT, encrypt(uid, b"x", given, iv_counter_nonce=None), version=V1_2)
    assert again.iv_counter_nonce != done.iv_counter_nonce


def test_parameters_may_come_with_the_key(engine: Engine) -> None:
    uid = active(engine, create(attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, CBC)))
    done = engine.call(Operation.ENCRYPT, encrypt(uid, b"x", None))
    back = DecryptRequest(unique_identifier=uid, data=done.data, iv_counter_nonce=IV)
    assert engine.call(Operation.DECRYPT, back).data == b"x"


@pytest.mark.parametrize("padding", [PaddingMethod.OAEP, PaddingMethod.PKCS1_V1_5])
def test_rsa_encrypts_with_the_public_key(engine: Engine, padding: PaddingMethod) -> None:
    pair = engine.call(Operation.CREATE_KEY_PAIR, create_key_pair(A.RSA, 2048))
    for uid in (pair.private_key_unique_identifier, pair.public_key_unique_identifier):
        engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
    given = parameters(padding_method=padding, hashing_algorithm=HashingAlgorithm.SHA_256)
    done = engine.call(Operation.ENCRYPT, encrypt(pair.public_key_unique_identifier, b"x", given))
    back = DecryptRequest(
        unique_identifier=pair.private_key_unique_identifier, cryptographic_parameters=given, data=done.data
    )
    assert engine.call(Operation.DECRYPT, back).data == b"x"


def test_whatever_is_wrong_with_a_ciphertext_is_told_alike(engine: Engine) -> None:
    uid = active(engine)
    told = set()
    for data in (b"", b"short", bytes(16), bytes(32)):
        with pytest.raises(Refused) as refused:
            engine.call(
                Operation.DECRYPT,
                DecryptRequest(unique_identifier=uid, cryptographic_parameters=CBC, data=data, iv_counter_nonce=IV),
            )
        told.add((refused.value.reason, refused.value.message))
    assert len(told) == 1


# --- who may not --------------------------------------------------------------------------------


def _pre_active(engine: Engine) -> EncryptRequest:
    return encrypt(engine.call(Operation.CREATE, create()).unique_identifier)


def _deactivated(engine: Engine) -> EncryptRequest:
    uid = active(engine)
    engine.call(Operation.REVOKE, revoke(uid))
    return encrypt(uid)


def _masked(engine: Engine) -> EncryptRequest:
    return encrypt(active(engine, create(mask=M.DECRYPT)))


def _secret(engine: Engine) -> EncryptRequest:
    block = KeyBlock(key_format_type=KeyFormatType.OPAQUE, key_value=KeyValue(key_material=b"x" * 16))
    request = RegisterRequest(
        object_type=ObjectType.SECRET_DATA,
        template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.ENCRYPT)),
        managed_object=SecretData(secret_data_type=SecretDataType.SEED, key_block=block),
    )
    return encrypt(active(engine, request, Operation.REGISTER))


def _stopped(engine: Engine) -> EncryptRequest:
    return encrypt(active(engine, create(attribute(Tag.PROTECT_STOP_DATE, engine.clock.now()))))


REFUSED = [
    (lambda engine: encrypt("absent"), R.ITEM_NOT_FOUND),
    (_pre_active, R.PERMISSION_DENIED),
    (_deactivated, R.PERMISSION_DENIED),
    (_masked, R.PERMISSION_DENIED),
    (_secret, R.PERMISSION_DENIED),
    (_stopped, R.PERMISSION_DENIED),
    (lambda engine: encrypt(active(engine), iv_counter_nonce=None), R.INVALID_MESSAGE),
    (lambda engine: encrypt(active(engine), iv_counter_nonce=b"short"), R.INVALID_FIELD),
    (lambda engine: encrypt(active(engine), given=None), R.INVALID_FIELD),
    (
        lambda engine: encrypt(active(engine), given=parameters(block_cipher_mode=BlockCipherMode.PCBC)),
        R.INVALID_FIELD,
    ),
    (
        lambda engine: encrypt(active(engine), given=replace(CBC, padding_method=PaddingMethod.NONE)),
        R.CRYPTOGRAPHIC_FAILURE,
    ),
    (lambda engine: replace(encrypt(active(engine)), data=None), R.INVALID_MESSAGE),
]


@pytest.mark.parametrize("version", [V1_2, V1_4])
@pytest.mark.parametrize(("make", "reason"), REFUSED)
def test_the_error_table_of_encrypt(engine: Engine, make: Any, reason: ResultReason, version: Version) -> None:
    request = make(engine)
    assert refusal(engine, Operation.ENCRYPT, request, version) == reason


def test_operations_in_parts_are_refused_where_the_answer_cannot_hold_a_correlation_value(engine: Engine) -> None:
    request = replace(encrypt(active(engine)), init_indicator=True)
    item = encode_structure(request, V1_4)
    reply = engine.exchange(request_message(V1_2, [(int(Operation.ENCRYPT), item, None)]))
    assert child(reply, Tag.BATCH_ITEM, Tag.RESULT_REASON) == R.FEATURE_NOT_SUPPORTED


def test_what_was_encrypted_can_be_decrypted_after_revocation(engine: Engine) -> None:
    uid = active(engine)
    done = engine.call(Operation.ENCRYPT, encrypt(uid))
    engine.call(Operation.REVOKE, revoke(uid))
    back = DecryptRequest(unique_identifier=uid, cryptographic_parameters=CBC, data=done.data, iv_counter_nonce=IV)
    assert engine.call(Operation.DECRYPT, back).data == b"data"


def test_usage_limits_are_debited_and_end(engine: Engine) -> None:
    limits = UsageLimits(usage_limits_total=10, usage_limits_unit=UsageLimitsUnit.BYTE)
    uid = active(engine, create(attribute(Tag.USAGE_LIMITS, limits)))
    engine.call(Operation.ENCRYPT, encrypt(uid, b"123456"))
    assert refusal(engine, Operation.ENCRYPT, encrypt(uid, b"123456")) == R.PERMISSION_DENIED
    engine.call(Operation.ENCRYPT, encrypt(uid, b"1234"))
    left = engine.call(
        Operation.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=uid, attribute_names=(Tag.USAGE_LIMITS,))
    )
    assert left.attributes[0].value.usage_limits_count == 0
    # A refusal costs nothing.
    assert refusal(engine, Operation.ENCRYPT, encrypt(uid, b"1")) == R.PERMISSION_DENIED


def test_weak_algorithms_are_refused_with_the_name_of_the_setting(engine: Engine, tmp_path: Any) -> None:
    with pytest.raises(Refused, match="protocol.weak_algorithms"):
        engine.call(Operation.CREATE, create(algorithm=A.TRIPLE_DES, length=168))
    with pytest.raises(Refused, match="protocol.weak_algorithms"):
        engine.call(Operation.CREATE_KEY_PAIR, create_key_pair(A.RSA, 1024))
    (tmp_path / "weak").mkdir()
    lenient = Engine(tmp_path / "weak", Policy(served=SERVED, weak_algorithms=True))
    uid = active(lenient, create(algorithm=A.TRIPLE_DES, length=168))
    done = lenient.call(Operation.ENCRYPT, encrypt(uid, iv_counter_nonce=IV[:8]))
    assert len(done.data) == 8
    lenient.close()


# --- Sign, MAC, Hash, random --------------------------------------------------------------------

SIGNATURES = [
    (A.RSA, 2048, parameters(padding_method=PaddingMethod.PSS, hashing_algorithm=HashingAlgorithm.SHA_256)),
    (A.RSA, 2048, parameters(padding_method=PaddingMethod.PKCS1_V1_5, hashing_algorithm=HashingAlgorithm.SHA_384)),
    (A.RSA, 2048, parameters(digital_signature_algorithm=DigitalSignatureAlgorithm.SHA_256_WITH_RSA_ENCRYPTION)),
    (A.ECDSA, 256, parameters(digital_signature_algorithm=DigitalSignatureAlgorithm.ECDSA_WITH_SHA256)),
    (A.EC, 384, parameters(hashing_algorithm=HashingAlgorithm.SHA_384)),
]


@pytest.mark.parametrize(("algorithm", "length", "given"), SIGNATURES)
def test_signatures(engine: Engine, algorithm: Any, length: int, given: CryptographicParameters) -> None:
    pair = engine.call(Operation.CREATE_KEY_PAIR, create_key_pair(algorithm, length))
    private, public = pair.private_key_unique_identifier, pair.public_key_unique_identifier
    for uid in (private, public):
        engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
    request = SignRequest(unique_identifier=private, cryptographic_parameters=given, data=b"contract")
    signature = engine.call(Operation.SIGN, request).signature_data
    for data, valid in ((b"contract", ValidityIndicator.VALID), (b"other", ValidityIndicator.INVALID)):
        verify = SignatureVerifyRequest(
            unique_identifier=public, cryptographic_parameters=given, data=data, signature_data=signature
        )
        assert engine.call(Operation.SIGNATURE_VERIFY, verify).validity_indicator == valid
    if given.hashing_algorithm is not None:
        digest = hashlib.new(given.hashing_algorithm.title.replace("-", "").lower(), b"contract").digest()
        verify = SignatureVerifyRequest(
            unique_identifier=public, cryptographic_parameters=given, digested_data=digest, signature_data=signature
        )
        assert engine.call(Operation.SIGNATURE_VERIFY, verify).validity_indicator == ValidityIndicator.VALID


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        (Operation.SIGN, SignRequest(unique_identifier="absent", data=b"x")),
        (Operation.SIGNATURE_VERIFY, SignatureVerifyRequest(unique_identifier="absent", data=b"x")),
        (Operation.MAC, MACRequest(unique_identifier="absent", data=b"x")),
        (Operation.MAC_VERIFY, MACVerifyRequest(unique_identifier="absent", data=b"x")),
        (Operation.DECRYPT, DecryptRequest(unique_identifier="absent", data=b"x")),
    ],
)
@pytest.mark.parametrize("version", [V1_2, V1_4])
def test_absent_keys(engine: Engine, operation: Operation, request_: Any, version: Version) -> None:
    assert refusal(engine, operation, request_, version) == R.ITEM_NOT_FOUND


def test_macs(engine: Engine) -> None:
    key = os.urandom(20)
    uid = active(
        engine, register_key(key, algorithm=A.HMAC_SHA1, mask=M.MAC_GENERATE | M.MAC_VERIFY), Operation.REGISTER
    )
    done = engine.call(Operation.MAC, MACRequest(unique_identifier=uid, data=b"data"))
    assert done.mac_data == hmac.digest(key, b"data", "sha1")
    for given, valid in ((done.mac_data, ValidityIndicator.VALID), (bytes(20), ValidityIndicator.INVALID)):
        verify = MACVerifyRequest(unique_identifier=uid, data=b"data", mac_data=given)
        assert engine.call(Operation.MAC_VERIFY, verify).validity_indicator == valid


def test_hash_and_random(engine: Engine) -> None:
    given = parameters(hashing_algorithm=HashingAlgorithm.SHA_256)
    done = engine.call(Operation.HASH, HashRequest(cryptographic_parameters=given, data=b"data"))
    assert done.data == hashlib.sha256(b"data").digest()
    assert len(engine.call(Operation.RNG_RETRIEVE, RNGRetrieveRequest(data_length=100)).data) == 100
    assert engine.call(Operation.RNG_SEED, RNGSeedRequest(data=b"12345")).data_length == 5
    assert refusal(engine, Operation.RNG_RETRIEVE, RNGRetrieveRequest(data_length=0)) == R.INVALID_FIELD
    assert refusal(engine, Operation.RNG_RETRIEVE, RNGRetrieveRequest(data_length=1 << 30)) == R.INVALID_FIELD


# --- Get, wrapped and converted -----------------------------------------------------------------


def wrapped_get(uid: str, kek: str, **more: Any) -> GetRequest:
    information = EncryptionKeyInformation(
        unique_identifier=kek, cryptographic_parameters=more.pop("cryptographic_parameters", None)
    )
    specification = KeyWrappingSpecification(
        wrapping_method=more.pop("wrapping_method", WrappingMethod.ENCRYPT),
        encryption_key_information=information,
        **more,
    )
    return GetRequest(unique_identifier=uid, key_wrapping_specification=specification)


def test_wrapped_without_a_mode_is_rfc_3394_of_the_encoded_key_value(engine: Engine) -> None:
    kek_bytes, key = os.urandom(32), os.urandom(32)
    kek = active(engine, register_key(kek_bytes), Operation.REGISTER)
    uid = engine.call(Operation.REGISTER, register_key(key)).unique_identifier
    block = engine.call(Operation.GET, wrapped_get(uid, kek)).managed_object.key_block
    opened = ttlv.decode(keywrap.aes_key_unwrap(kek_bytes, block.key_value))
    assert opened[0] == Tag.KEY_VALUE
    assert opened[2] == [(Tag.KEY_MATERIAL, ttlv.BYTE_STRING, key)]
    told = block.key_wrapping_data.encryption_key_information
    assert told.unique_identifier == kek
    assert told.cryptographic_parameters.block_cipher_mode == BlockCipherMode.NISTKEYWRAP


def test_wrapped_un_encoded(engine: Engine) -> None:
    kek_bytes, key = os.urandom(16), os.urandom(20)
    kek = active(engine, register_key(kek_bytes), Operation.REGISTER)
    uid = engine.call(Operation.REGISTER, register_key(key, algorithm=A.HMAC_SHA1)).unique_identifier
    given = parameters(block_cipher_mode=BlockCipherMode.AESKEYWRAPPADDING)
    request = wrapped_get(uid, kek, cryptographic_parameters=given, encoding_option=EncodingOption.NO_ENCODING)
    block = engine.call(Operation.GET, request).managed_object.key_block
    assert keywrap.aes_key_unwrap_with_padding(kek_bytes, block.key_value.key_material) == key


def test_the_error_table_of_a_wrapped_get(engine: Engine) -> None:
    uid, kek = engine.call(Operation.CREATE, create()).unique_identifier, active(engine)
    secret = _secret(engine).unique_identifier
    assert secret is not None
    sleeping = engine.call(Operation.CREATE, create()).unique_identifier
    masked = active(engine, create(mask=M.ENCRYPT))
    cases = [
        (wrapped_get(uid, "absent"), R.ITEM_NOT_FOUND),
        (wrapped_get(uid, secret), R.ILLEGAL_OPERATION),
        (wrapped_get(uid, sleeping), R.PERMISSION_DENIED),
        (wrapped_get(uid, masked), R.PERMISSION_DENIED),
        (wrapped_get(uid, kek, wrapping_method=WrappingMethod.TR_31), R.FEATURE_NOT_SUPPORTED),
        (
            wrapped_get(
                uid, kek, cryptographic_parameters=parameters(block_cipher_mode=BlockCipherMode.X9_102_AKW1)
            ),
            R.INVALID_FIELD,
        ),
        (
            wrapped_get(uid, kek, encoding_option=EncodingOption.NO_ENCODING, attribute_names=(Tag.NAME,)),
            R.ENCODING_OPTION_ERROR,
        ),
        (GetRequest(unique_identifier=uid, key_format_type=KeyFormatType.PKCS_1), R.KEY_FORMAT_TYPE_NOT_SUPPORTED),
    ]
    for request, reason in cases:
        assert refusal(engine, Operation.GET, request) == reason


def test_another_clients_key_does_not_wrap(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    theirs = engine.call(Operation.CREATE, create(), principal="two").unique_identifier
    engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=theirs), principal="two")
    assert refusal(engine, Operation.GET, wrapped_get(uid, theirs)) == R.ITEM_NOT_FOUND


@pytest.mark.parametrize("wanted", [KeyFormatType.PKCS_1, KeyFormatType.PKCS_8])
def test_private_keys_in_other_formats(engine: Engine, wanted: KeyFormatType) -> None:
    pair = engine.call(Operation.CREATE_KEY_PAIR, create_key_pair(A.RSA, 2048))
    request = GetRequest(unique_identifier=pair.private_key_unique_identifier, key_format_type=wanted)
    block = engine.call(Operation.GET, request).managed_object.key_block
    assert block.key_format_type == wanted


def test_curves_by_name(engine: Engine) -> None:
    from kmip_server.protocol.attribute_values import CryptographicDomainParameters

    domain = CryptographicDomainParameters(recommended_curve=RecommendedCurve.P_521)
    request = create_key_pair(A.ECDSA, 521, attribute(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, domain))
    pair = engine.call(Operation.CREATE_KEY_PAIR, request)
    found = engine.call(Operation.GET, GetRequest(unique_identifier=pair.public_key_unique_identifier))
    assert found.managed_object.key_block.cryptographic_length == 521


# --- Re-key and Check ---------------------------------------------------------------------------


def test_rekey_moves_the_name_and_the_dates(engine: Engine) -> None:
    now = engine.clock.now()
    given = (
        name("rotated"),
        attribute(Tag.OPERATION_POLICY_NAME, "default"),
        attribute(Tag.ACTIVATION_DATE, now - 100),
        attribute(Tag.DEACTIVATION_DATE, now + 900),
    )
    old = engine.call(Operation.CREATE, create(*given)).unique_identifier
    new = engine.call(Operation.RE_KEY, RekeyRequest(unique_identifier=old, offset=50)).unique_identifier
    assert engine.call(Operation.LOCATE, LocateRequest(attributes=(name("rotated"),))).unique_identifiers == (new,)

    def one(uid: str, tag: Tag) -> Any:
        found = engine.call(
            Operation.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=uid, attribute_names=(tag,))
        )
        return found.attributes[0].value if found.attributes else None

    assert one(new, Tag.ACTIVATION_DATE) == now + 50
    assert one(new, Tag.DEACTIVATION_DATE) == now + 1050
    assert one(new, Tag.OPERATION_POLICY_NAME) == "default"
    assert one(old, Tag.NAME) is None
    assert one(old, Tag.LINK).linked_object_identifier == new
    assert one(new, Tag.LINK).linked_object_identifier == old
    again = RekeyRequest(unique_identifier=old)
    assert refusal(engine, Operation.RE_KEY, again) == R.PERMISSION_DENIED


@pytest.mark.parametrize("version", [V1_0, V1_4])
def test_the_error_table_of_rekey(engine: Engine, version: Version) -> None:
    uid = engine.call(Operation.CREATE, create(attribute(Tag.DEACTIVATION_DATE, 1 << 40))).unique_identifier
    pair = engine.call(Operation.CREATE_KEY_PAIR, create_key_pair(A.EC, 256))
    dated = RekeyRequest(
        unique_identifier=uid, offset=5, template_attribute=template(attribute(Tag.ACTIVATION_DATE, 7))
    )
    cases = [
        (RekeyRequest(unique_identifier="absent"), R.ITEM_NOT_FOUND),
        (RekeyRequest(unique_identifier=pair.private_key_unique_identifier), R.PERMISSION_DENIED),
        (dated, R.INVALID_MESSAGE),
        (RekeyRequest(unique_identifier=uid, offset=5), R.ILLEGAL_OPERATION),
    ]
    for request, reason in cases:
        assert refusal(engine, Operation.RE_KEY, request, version) == reason


@pytest.mark.parametrize("version", [V1_0, V1_4])
def test_check_says_what_is_at_fault(engine: Engine, version: Version) -> None:
    limits = UsageLimits(usage_limits_total=10, usage_limits_unit=UsageLimitsUnit.BYTE)
    uid = engine.call(
        Operation.CREATE, create(attribute(Tag.USAGE_LIMITS, limits), mask=M.ENCRYPT)
    ).unique_identifier
    good = CheckRequest(
        unique_identifier=uid, usage_limits_count=10, cryptographic_usage_mask=M.ENCRYPT, lease_time=60
    )
    assert engine.call(Operation.CHECK, good, version=version).unique_identifier == uid
    bad = CheckRequest(
        unique_identifier=uid, usage_limits_count=11, cryptographic_usage_mask=M.SIGN, lease_time=1 << 20
    )
    with pytest.raises(Refused) as refused:
        engine.call(Operation.CHECK, bad, version=version)
    assert refused.value.reason == R.PERMISSION_DENIED
    assert refused.value.payload is not None
    told = {tag: value for tag, _, value in refused.value.payload[2]}
    assert told == {Tag.USAGE_LIMITS_COUNT: 11, Tag.CRYPTOGRAPHIC_USAGE_MASK: M.SIGN, Tag.LEASE_TIME: 1 << 20}
