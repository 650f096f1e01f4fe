"""Key Format Types in the engine: what is registered, made, used and given, in 1.x and in 2.x."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kmip_server.crypto import asymmetric, conversion
from kmip_server.engine.context import Policy
from kmip_server.errors import KeyFormatTypeNotSupported
from kmip_server.protocol.attribute_values import CryptographicDomainParameters, CryptographicParameters
from kmip_server.protocol.enums import (
    HashingAlgorithm,
    KeyCompressionType,
    KeyFormatType,
    ObjectType,
    Operation,
    PaddingMethod,
    RecommendedCurve,
    ResultReason,
    ValidityIndicator,
)
from kmip_server.protocol.objects import (
    KeyBlock,
    KeyValue,
    PrivateKey,
    PublicKey,
    SymmetricKey,
    TransparentMaterial,
)
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.create import CreateKeyPairRequest
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    EncryptRequest,
    SignatureVerifyRequest,
    SignRequest,
)
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.transparent import (
    TransparentDHPublicKey,
    TransparentECPublicKey,
    TransparentSymmetricKey,
    transparent_material,
)
from kmip_server.protocol.versions import LATEST, V1_0, V1_2, V1_4, V2_1, Version
from tests.support.engine import SERVED, Engine, Refused, told
from tests.support.requests import A, M, attribute, create, parameters, template

C, F, R = RecommendedCurve, KeyFormatType, ResultReason
UNCOMPRESSED = KeyCompressionType.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED
COMPRESSED = KeyCompressionType.EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_PRIME
SHA_256 = parameters(hashing_algorithm=HashingAlgorithm.SHA_256)
USES = M.SIGN | M.VERIFY | M.ENCRYPT | M.DECRYPT


def registered(
    engine: Engine,
    material: bytes | TransparentMaterial,
    form: KeyFormatType,
    *attributes: Any,
    private: bool,
    version: Version = V1_4,
    compression: KeyCompressionType | None = None,
) -> str:
    """Register an asymmetric key, Active at once, and return its Unique Identifier."""
    block = KeyBlock(
        key_format_type=form, key_compression_type=compression, key_value=KeyValue(key_material=material)
    )
    given = template(
        attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, USES),
        attribute(Tag.ACTIVATION_DATE, engine.clock.now()),
        *attributes,
    )
    request = RegisterRequest(
        object_type=ObjectType.PRIVATE_KEY if private else ObjectType.PUBLIC_KEY,
        template_attribute=given,
        managed_object=PrivateKey(key_block=block) if private else PublicKey(key_block=block),
    )
    uid: str = engine.call(Operation.REGISTER, request, version=version).unique_identifier
    return uid


def block_of(engine: Engine, uid: str, version: Version = V1_4, **more: Any) -> KeyBlock:
    found = engine.call(Operation.GET, GetRequest(unique_identifier=uid, **more), version=version)
    block: KeyBlock = found.managed_object.key_block
    return block


def values(engine: Engine, uid: str, tag: Tag, version: Version = V2_1) -> list[Any]:
    request = GetAttributesRequest(unique_identifier=uid, attribute_names=(tag,))
    found = engine.call(Operation.GET_ATTRIBUTES, request, version=version)
    return [each.value for each in found.attributes]


def key_pair(
    engine: Engine, algorithm: A, *common: Any, version: Version = V1_4, length: int | None = None
) -> tuple[str, str]:
    given = [attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm), attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, USES)]
    if length is not None:
        given.append(attribute(Tag.CRYPTOGRAPHIC_LENGTH, length))
    request = CreateKeyPairRequest(common_template_attribute=template(*given, *common))
    made = engine.call(Operation.CREATE_KEY_PAIR, request, version=version)
    for uid in (made.private_key_unique_identifier, made.public_key_unique_identifier):
        engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid), version=version)
    return made.private_key_unique_identifier, made.public_key_unique_identifier


def domain(curve: RecommendedCurve | None = None, qlength: int | None = None) -> Any:
    value = CryptographicDomainParameters(recommended_curve=curve, qlength=qlength)
    return attribute(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, value)


def signs(engine: Engine, private: str, public: str, given: CryptographicParameters, version: Version) -> None:
    request = SignRequest(unique_identifier=private, cryptographic_parameters=given, data=b"contract")
    signature = engine.call(Operation.SIGN, request, version=version).signature_data
    for data, valid in ((b"contract", ValidityIndicator.VALID), (b"other", ValidityIndicator.INVALID)):
        verify = SignatureVerifyRequest(
            unique_identifier=public, cryptographic_parameters=given, data=data, signature_data=signature
        )
        told = engine.call(Operation.SIGNATURE_VERIFY, verify, version=version)
        assert told.validity_indicator == valid


# --- what is made -------------------------------------------------------------------------------

MADE = [
    (V1_0, A.RSA, F.PKCS_1, F.PKCS_1),
    (V1_4, A.ECDSA, F.ECPRIVATEKEY, F.X_509),
    (V2_1, A.RSA, F.PKCS_1, F.PKCS_1),
    (V2_1, A.ECDSA, F.TRANSPARENT_EC_PRIVATE_KEY, F.TRANSPARENT_EC_PUBLIC_KEY),
    (V2_1, A.ED25519, F.PKCS_8, F.X_509),
    (V2_1, A.ED448, F.PKCS_8, F.X_509),
]


@pytest.mark.parametrize(("version", "algorithm", "private_form", "public_form"), MADE)
def test_what_is_made_has_the_default_format_of_the_version(
    engine: Engine, version: Version, algorithm: A, private_form: F, public_form: F
) -> None:
    for uid, form in zip(key_pair(engine, algorithm, version=version), (private_form, public_form), strict=True):
        block = block_of(engine, uid, version)
        assert block.key_format_type == form
        assert values(engine, uid, Tag.KEY_FORMAT_TYPE) == [form]
        (digest,) = values(engine, uid, Tag.DIGEST)
        assert digest.key_format_type == form
        assert block.key_value is not None
        if isinstance(block.key_value.key_material, bytes):
            assert digest.digest_value == hashlib.sha256(block.key_value.key_material).digest()


def test_a_weak_dsa_pair_is_transparent_and_signs(tmp_path: Any) -> None:
    engine = Engine(tmp_path, Policy(served=SERVED, weak_algorithms=True))
    private, public = key_pair(engine, A.DSA, domain(qlength=160), length=1024)
    assert block_of(engine, private).key_format_type == F.TRANSPARENT_DSA_PRIVATE_KEY
    assert block_of(engine, public).key_format_type == F.TRANSPARENT_DSA_PUBLIC_KEY
    signs(engine, private, public, SHA_256, V1_4)
    engine.close()


@pytest.mark.parametrize("form", [F.PKCS_8, F.TRANSPARENT_RSA_PRIVATE_KEY])
def test_a_client_of_2_x_names_the_format(engine: Engine, form: F) -> None:
    request = CreateKeyPairRequest(
        common_template_attribute=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, A.RSA), attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, USES)
        ),
        private_key_template_attribute=template(attribute(Tag.KEY_FORMAT_TYPE, form)),
    )
    made = engine.call(Operation.CREATE_KEY_PAIR, request, version=V2_1)
    uid = made.private_key_unique_identifier
    assert block_of(engine, uid, V2_1).key_format_type == form
    assert values(engine, uid, Tag.KEY_FORMAT_TYPE) == [form]
    # One Digest in the format asked for, one in the default format (KMIP 2.1 §4.26).
    assert [each.key_format_type for each in values(engine, uid, Tag.DIGEST)] == [form, F.PKCS_1]
    assert block_of(engine, made.public_key_unique_identifier, V2_1).key_format_type == F.PKCS_1


def test_a_format_that_a_key_does_not_have_fails_the_request(engine: Engine) -> None:
    request = CreateKeyPairRequest(
        common_template_attribute=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, A.RSA), attribute(Tag.KEY_FORMAT_TYPE, F.ECPRIVATEKEY)
        )
    )
    with pytest.raises(Refused) as refused:
        engine.call(Operation.CREATE_KEY_PAIR, request, version=V2_1)
    assert refused.value.reason == R.KEY_FORMAT_TYPE_NOT_SUPPORTED


def test_a_symmetric_key_is_made_in_the_format_asked_for(engine: Engine) -> None:
    asked = create(attribute(Tag.KEY_FORMAT_TYPE, F.TRANSPARENT_SYMMETRIC_KEY))
    uid = engine.call(Operation.CREATE, asked, version=V2_1).unique_identifier
    assert block_of(engine, uid, V2_1).key_format_type == F.TRANSPARENT_SYMMETRIC_KEY
    raw = block_of(engine, uid, V2_1, key_format_type=F.RAW)
    assert len(raw.key_value.key_material) == 32
    assert [each.key_format_type for each in values(engine, uid, Tag.DIGEST)] == [
        F.TRANSPARENT_SYMMETRIC_KEY,
        F.RAW,
    ]


@pytest.mark.parametrize(
    ("algorithm", "given", "curve", "length"),
    [
        (A.ECDSA, [], C.P_256, 256),
        (A.ECDSA, [domain(C.SECP256K1)], C.SECP256K1, 256),
        (A.ECDH, [domain(C.CURVE25519)], C.CURVE25519, 256),
        (A.EC, [domain(C.CURVE448)], C.CURVE448, 448),
        (A.ED448, [], None, 456),
    ],
)
def test_the_curve_stands_in_the_attributes(
    engine: Engine, algorithm: A, given: list[Any], curve: C | None, length: int
) -> None:
    for uid in key_pair(engine, algorithm, *given, version=V2_1):
        assert values(engine, uid, Tag.CRYPTOGRAPHIC_LENGTH) == [length]
        assert values(engine, uid, Tag.CRYPTOGRAPHIC_ALGORITHM) == [algorithm]
        told = values(engine, uid, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)
        assert [each.recommended_curve for each in told] == ([curve] if curve else [])


@pytest.mark.parametrize("algorithm", [A.ED25519, A.ED448])
def test_eddsa_signs(engine: Engine, algorithm: A) -> None:
    private, public = key_pair(engine, algorithm, version=V2_1)
    signs(engine, private, public, parameters(), V2_1)


def test_keys_of_agreement_are_made_and_fetched_but_do_not_sign(engine: Engine) -> None:
    private, public = key_pair(engine, A.ECDH, domain(C.CURVE25519), version=V2_1)
    assert block_of(engine, public, V2_1).key_format_type == F.TRANSPARENT_EC_PUBLIC_KEY
    encoded = block_of(engine, private, V2_1, key_format_type=F.PKCS_8).key_value.key_material
    loaded: Any = s.load_der_private_key(encoded, None)
    raw = loaded.public_key().public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)
    assert block_of(engine, public, V2_1, key_format_type=F.RAW).key_value.key_material == raw
    with pytest.raises(Refused) as refused:
        engine.call(
            Operation.SIGN,
            SignRequest(unique_identifier=private, cryptographic_parameters=parameters(), data=b"x"),
            version=V2_1,
        )
    assert refused.value.reason == R.INVALID_OBJECT_TYPE


# --- what is registered -------------------------------------------------------------------------

PAIRS = {
    A.RSA: asymmetric.generate(A.RSA, 2048, weak_allowed=False),
    A.EC: asymmetric.generate(A.EC, 384, weak_allowed=False),
    A.DSA: asymmetric.generate(A.DSA, 1024, weak_allowed=True),
    A.ED25519: asymmetric.generate(A.ED25519, None, weak_allowed=False),
}
REGISTERED = [
    (A.RSA, V1_0, F.PKCS_1, F.PKCS_1),
    (A.RSA, V1_4, F.PKCS_8, F.X_509),
    (A.RSA, V1_0, F.TRANSPARENT_RSA_PRIVATE_KEY, F.TRANSPARENT_RSA_PUBLIC_KEY),
    (A.RSA, V2_1, F.TRANSPARENT_RSA_PRIVATE_KEY, F.TRANSPARENT_RSA_PUBLIC_KEY),
    (A.EC, V1_4, F.ECPRIVATEKEY, F.X_509),
    (A.EC, V1_2, F.TRANSPARENT_ECDSA_PRIVATE_KEY, F.TRANSPARENT_ECDSA_PUBLIC_KEY),
    (A.EC, V1_2, F.TRANSPARENT_ECDH_PRIVATE_KEY, F.TRANSPARENT_ECMQV_PUBLIC_KEY),
    (A.EC, V1_4, F.TRANSPARENT_EC_PRIVATE_KEY, F.TRANSPARENT_EC_PUBLIC_KEY),
    (A.EC, V2_1, F.TRANSPARENT_EC_PRIVATE_KEY, F.TRANSPARENT_EC_PUBLIC_KEY),
    (A.EC, V2_1, F.PKCS_8, F.X_509),
    (A.ED25519, V2_1, F.PKCS_8, F.X_509),
    (A.DSA, V2_1, F.TRANSPARENT_DSA_PRIVATE_KEY, F.TRANSPARENT_DSA_PUBLIC_KEY),
    (A.DSA, V1_4, F.PKCS_8, F.X_509),
]


@pytest.mark.parametrize(("algorithm", "version", "private_form", "public_form"), REGISTERED)
def test_a_key_comes_back_as_it_was_registered_says_what_it_is_and_is_used(
    engine: Engine, algorithm: A, version: Version, private_form: F, public_form: F
) -> None:
    pair = PAIRS[algorithm]
    uids = []
    for key, form in ((pair.private, private_form), (pair.public, public_form)):
        material = conversion.write(key, form)
        uid = registered(engine, material, form, private=key is pair.private, version=version)
        uids.append(uid)
        block = block_of(engine, uid, version)
        assert block.key_format_type == form
        assert block.key_value.key_material == material
        # The names of 1.x that 2.x has taken back are no values there.
        assert values(engine, uid, Tag.KEY_FORMAT_TYPE) == ([form] if form.known_in(V2_1) else [])
        assert values(engine, uid, Tag.CRYPTOGRAPHIC_LENGTH) == [pair.description.length]
        told = values(engine, uid, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)
        if algorithm == A.EC:
            assert [each.recommended_curve for each in told] == [C.P_384]
        if algorithm == A.DSA:
            assert [each.qlength for each in told] == [160]
    private, public = uids
    use = V1_4 if version < V1_2 else version
    if algorithm == A.RSA:
        oaep = parameters(padding_method=PaddingMethod.OAEP, hashing_algorithm=HashingAlgorithm.SHA_256)
        request = EncryptRequest(unique_identifier=public, cryptographic_parameters=oaep, data=b"secret")
        done = engine.call(Operation.ENCRYPT, request, version=use)
        back = DecryptRequest(unique_identifier=private, cryptographic_parameters=oaep, data=done.data)
        assert engine.call(Operation.DECRYPT, back, version=use).data == b"secret"
        pss = parameters(padding_method=PaddingMethod.PSS, hashing_algorithm=HashingAlgorithm.SHA_256)
        signs(engine, private, public, pss, use)
    elif algorithm == A.DSA:
        request = SignRequest(unique_identifier=private, cryptographic_parameters=SHA_256, data=b"x")
        with pytest.raises(Refused, match="weak"):
            engine.call(Operation.SIGN, request, version=use)
    else:
        signs(engine, private, public, SHA_256 if algorithm == A.EC else parameters(), use)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (F.TRANSPARENT_ECDSA_PUBLIC_KEY, A.ECDSA),
        (F.TRANSPARENT_ECDH_PUBLIC_KEY, A.ECDH),
        (F.TRANSPARENT_ECMQV_PUBLIC_KEY, A.ECMQV),
        (F.TRANSPARENT_EC_PUBLIC_KEY, A.EC),
    ],
)
def test_the_name_of_a_transparent_form_says_the_algorithm(engine: Engine, form: F, told: A) -> None:
    uid = registered(engine, conversion.write(PAIRS[A.EC].public, form), form, private=False)
    assert values(engine, uid, Tag.CRYPTOGRAPHIC_ALGORITHM) == [told]


def test_diffie_hellman_keys_are_kept(engine: Engine) -> None:
    numbers = TransparentDHPublicKey(p=(1 << 2047) + 9, q=(1 << 255) + 1, g=2, y=5)
    material = transparent_material(numbers, LATEST)
    uid = registered(engine, material, F.TRANSPARENT_DH_PUBLIC_KEY, private=False)
    assert values(engine, uid, Tag.CRYPTOGRAPHIC_ALGORITHM) == [A.DH]
    assert values(engine, uid, Tag.CRYPTOGRAPHIC_LENGTH) == [2048]
    assert values(engine, uid, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)[0].qlength == 256
    assert block_of(engine, uid).key_value.key_material == material


def test_raw_keys_of_a_curve_are_used_where_the_attributes_say_which(engine: Engine) -> None:
    pair = PAIRS[A.ED25519]
    algorithm = attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, A.ED25519)
    private, public = (
        registered(
            engine, conversion.write(key, F.RAW), F.RAW, algorithm, private=key is pair.private, version=V2_1
        )
        for key in (pair.private, pair.public)
    )
    signs(engine, private, public, parameters(), V2_1)
    ec_pair = PAIRS[A.EC]
    said = (attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, A.ECDSA), domain(C.P_384))
    private, public = (
        registered(engine, conversion.write(key, F.RAW), F.RAW, *said, private=key is ec_pair.private)
        for key in (ec_pair.private, ec_pair.public)
    )
    assert values(engine, private, Tag.CRYPTOGRAPHIC_LENGTH) == [384]
    signs(engine, private, public, SHA_256, V1_4)


def test_an_encrypted_key_is_kept_for_its_owner(engine: Engine) -> None:
    key = PAIRS[A.EC].private
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    hidden = key.private_bytes(s.Encoding.DER, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"password"))
    said = (attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, A.EC), attribute(Tag.CRYPTOGRAPHIC_LENGTH, 384))
    uid = registered(engine, hidden, F.PKCS_8, *said, private=True, version=V2_1)
    assert block_of(engine, uid, V2_1).key_value.key_material == hidden
    request = SignRequest(unique_identifier=uid, cryptographic_parameters=SHA_256, data=b"x")
    with pytest.raises(Refused) as refused:
        engine.call(Operation.SIGN, request, version=V2_1)
    assert refused.value.reason == told(KeyFormatTypeNotSupported, Operation.SIGN)
    assert len(values(engine, uid, Tag.DIGEST)) == 1


RSA_DER = conversion.write(PAIRS[A.RSA].public, F.X_509)
EC_POINT = conversion.write(PAIRS[A.EC].public, F.TRANSPARENT_EC_PUBLIC_KEY)
CONTRADICTING = [
    (RSA_DER, F.X_509, [attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, A.DSA)]),
    (RSA_DER, F.X_509, [attribute(Tag.CRYPTOGRAPHIC_LENGTH, 1024)]),
    (EC_POINT, F.TRANSPARENT_EC_PUBLIC_KEY, [domain(C.P_256)]),
    (EC_POINT, F.TRANSPARENT_EC_PUBLIC_KEY, [attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, A.RSA)]),
    (EC_POINT, F.TRANSPARENT_EC_PRIVATE_KEY, []),
    (EC_POINT, F.X_509, []),
    (EC_POINT, F.TRANSPARENT_RSA_PUBLIC_KEY, []),
    (RSA_DER, F.TRANSPARENT_RSA_PUBLIC_KEY, []),
    (RSA_DER[:-1], F.X_509, []),
    (
        transparent_material(TransparentECPublicKey(recommended_curve=C.P_256, q_string=bytes(65)), LATEST),
        F.TRANSPARENT_EC_PUBLIC_KEY,
        [],
    ),
]


@pytest.mark.parametrize(("material", "form", "attributes"), CONTRADICTING)
def test_what_contradicts_the_key_is_refused(engine: Engine, material: Any, form: F, attributes: list[Any]) -> None:
    with pytest.raises(Refused) as refused:
        registered(engine, material, form, *attributes, private=False)
    assert refused.value.reason in (R.INVALID_FIELD, R.INVALID_MESSAGE)


def test_another_format_in_the_attributes_than_in_the_object_is_refused(engine: Engine) -> None:
    wrong = attribute(Tag.KEY_FORMAT_TYPE, F.PKCS_1)
    with pytest.raises(Refused) as refused:
        registered(engine, RSA_DER, F.X_509, wrong, private=False, version=V2_1)
    assert refused.value.reason == R.INVALID_ATTRIBUTE_VALUE
    right = attribute(Tag.KEY_FORMAT_TYPE, F.X_509)
    assert registered(engine, RSA_DER, F.X_509, right, private=False, version=V2_1)


def test_a_transparent_symmetric_key_says_its_length_and_encrypts(engine: Engine) -> None:
    material = transparent_material(TransparentSymmetricKey(key=bytes(16)), LATEST)
    block = KeyBlock(key_format_type=F.TRANSPARENT_SYMMETRIC_KEY, key_value=KeyValue(key_material=material))
    given = template(
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, A.AES), attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.ENCRYPT)
    )
    request = RegisterRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        template_attribute=given,
        managed_object=SymmetricKey(key_block=block),
    )
    uid = engine.call(Operation.REGISTER, request).unique_identifier
    assert values(engine, uid, Tag.CRYPTOGRAPHIC_LENGTH) == [128]
    assert block_of(engine, uid, key_format_type=F.RAW).key_value.key_material == bytes(16)


# --- what is given ------------------------------------------------------------------------------


def test_a_form_that_the_clients_version_does_not_know_is_given_in_one_it_does(engine: Engine) -> None:
    """Transparent EC came with 1.3; Transparent ECDSA is gone in 2.0."""
    private, public = key_pair(engine, A.ECDSA, version=V2_1)
    assert block_of(engine, private, V1_2).key_format_type == F.ECPRIVATEKEY
    assert block_of(engine, public, V1_2).key_format_type == F.X_509
    assert block_of(engine, public, V1_4).key_format_type == F.TRANSPARENT_EC_PUBLIC_KEY
    old = registered(
        engine,
        conversion.write(PAIRS[A.EC].public, F.TRANSPARENT_ECDSA_PUBLIC_KEY),
        F.TRANSPARENT_ECDSA_PUBLIC_KEY,
        private=False,
        version=V1_2,
    )
    assert block_of(engine, old, V2_1).key_format_type == F.TRANSPARENT_EC_PUBLIC_KEY


@pytest.mark.parametrize("form", [F.X_509, F.TRANSPARENT_EC_PUBLIC_KEY, F.RAW])
def test_a_point_is_compressed_on_request(engine: Engine, form: F) -> None:
    pair = PAIRS[A.EC]
    uid = registered(engine, conversion.write(pair.public, F.X_509), F.X_509, private=False)
    block = block_of(engine, uid, key_format_type=form, key_compression_type=COMPRESSED)
    assert block.key_compression_type == COMPRESSED
    assert block.key_value.key_material == conversion.write(pair.public, form, COMPRESSED)
    plain = block_of(engine, uid, key_format_type=form, key_compression_type=UNCOMPRESSED)
    assert plain.key_value.key_material == conversion.write(pair.public, form)


def test_a_compressed_key_is_registered_used_and_given_uncompressed(engine: Engine) -> None:
    pair = PAIRS[A.EC]
    material = conversion.write(pair.public, F.X_509, COMPRESSED)
    uid = registered(engine, material, F.X_509, private=False, compression=COMPRESSED)
    kept = block_of(engine, uid)
    assert kept.key_value.key_material == material
    assert kept.key_compression_type == COMPRESSED
    plain = block_of(engine, uid, key_compression_type=UNCOMPRESSED)
    assert plain.key_value.key_material == conversion.write(pair.public, F.X_509)
    converted = block_of(engine, uid, key_format_type=F.TRANSPARENT_EC_PUBLIC_KEY)
    assert converted.key_compression_type is None
    assert converted.key_value.key_material == EC_POINT
    private = registered(engine, conversion.write(pair.private, F.PKCS_8), F.PKCS_8, private=True)
    signs(engine, private, uid, SHA_256, V1_4)


def test_a_key_compression_type_that_is_not_true_is_refused(engine: Engine) -> None:
    material = conversion.write(PAIRS[A.EC].public, F.X_509)
    for given, form, private in (
        (material, F.X_509, False),
        (RSA_DER, F.X_509, False),
        (conversion.write(PAIRS[A.EC].private, F.PKCS_8), F.PKCS_8, True),
    ):
        with pytest.raises(Refused) as refused:
            registered(engine, given, form, private=private, compression=COMPRESSED)
        assert refused.value.reason in (R.INVALID_FIELD, R.KEY_COMPRESSION_TYPE_NOT_SUPPORTED)


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_1])
def test_only_points_are_compressed(engine: Engine, version: Version) -> None:
    private, public = key_pair(engine, A.RSA, version=version)
    aes = engine.call(Operation.CREATE, create(), version=version).unique_identifier
    for uid in (private, public, aes):
        with pytest.raises(Refused) as refused:
            block_of(engine, uid, version, key_compression_type=COMPRESSED)
        assert refused.value.reason == R.KEY_COMPRESSION_TYPE_NOT_SUPPORTED
        block_of(engine, uid, version, key_compression_type=UNCOMPRESSED)


def test_what_leaves_is_a_key_for_others_too(engine: Engine) -> None:
    """The DER is read by another library's parser, the pair fits."""
    private, public = key_pair(engine, A.ED25519, version=V2_1)
    loaded = s.load_der_private_key(block_of(engine, private, V2_1).key_value.key_material, None)
    theirs = s.load_der_public_key(block_of(engine, public, V2_1).key_value.key_material)
    assert isinstance(loaded, ed25519.Ed25519PrivateKey)
    assert loaded.public_key() == theirs
    private, public = key_pair(engine, A.RSA)
    loaded = s.load_der_private_key(
        block_of(engine, private, key_format_type=F.PKCS_8).key_value.key_material, None
    )
    assert isinstance(loaded, rsa.RSAPrivateKey)
