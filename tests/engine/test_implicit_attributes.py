"""What the server sets by itself: Digest, Fresh, Lease Time, dates, generator, where the value is, who may see it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kmip_server.engine.context import Policy
from kmip_server.engine.provenance import GENERATOR, PAIR_GENERATOR
from kmip_server.errors import UnsupportedAttribute, UnsupportedCryptographicParameters
from kmip_server.protocol.attribute_values import KeyValueLocation, RNGParameters, UsageLimits
from kmip_server.protocol.enums import (
    AdjustmentType,
    BlockCipherMode,
    HashingAlgorithm,
    KeyFormatType,
    KeyValueLocationType,
    ObjectType,
    Operation,
    PaddingMethod,
    ResultReason,
    RNGAlgorithm,
    UsageLimitsUnit,
    WrappingMethod,
)
from kmip_server.protocol.objects import (
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingData,
    KeyWrappingSpecification,
    SymmetricKey,
    TransparentMaterial,
)
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    AdjustAttributeRequest,
    DeleteAttributeRequest,
    GetAttributesRequest,
    ModifyAttributeRequest,
)
from kmip_server.protocol.payloads.cryptographic import EncryptRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.payloads.rekey import RekeyRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.transparent import TransparentSymmetricKey, transparent_material
from kmip_server.protocol.versions import LATEST, V1_1, V1_2, V1_4, V2_1, Version
from tests.support.engine import SERVED, Engine, Refused, told
from tests.support.objects import OPAQUE_DATA_TYPE, block, certificate_der, registered, types_of
from tests.support.requests import A, M, attribute, create, create_key_pair, parameters, revoke, template

R = ResultReason


def seen(engine: Engine, uid: str, version: Version = LATEST) -> dict[Any, Any]:
    request = GetAttributesRequest(unique_identifier=uid)
    return {a.key: a.value for a in engine.call(Operation.GET_ATTRIBUTES, request, version=version).attributes}


def register(engine: Engine, object_type: ObjectType, *given: Any, version: Version = V1_4) -> str:
    made: str = engine.call(Operation.REGISTER, registered(object_type, *given), version=version).unique_identifier
    return made


def register_block(engine: Engine, key_block: KeyBlock, *given: Any, version: Version = V1_4) -> str:
    request = RegisterRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.ENCRYPT | M.DECRYPT), *given),
        managed_object=SymmetricKey(key_block=key_block),
    )
    made: str = engine.call(Operation.REGISTER, request, version=version).unique_identifier
    return made


def refusal(engine: Engine, operation: Operation, request: Any, version: Version = V2_1) -> ResultReason:
    with pytest.raises(Refused) as refused:
        engine.call(operation, request, version=version)
    return refused.value.reason


# --- Digest -------------------------------------------------------------------------------------


def test_the_digest_of_each_type_is_over_its_value(engine: Engine) -> None:
    values = {
        ObjectType.SYMMETRIC_KEY: bytes(range(32)),
        ObjectType.CERTIFICATE: certificate_der(),
        ObjectType.OPAQUE_OBJECT: b"opaque",
        ObjectType.SECRET_DATA: b"password",
        ObjectType.SPLIT_KEY: bytes(32),
        ObjectType.PGP_KEY: b"pgp",
    }
    formats = {
        ObjectType.SECRET_DATA: KeyFormatType.OPAQUE,
        ObjectType.CERTIFICATE: None,
        ObjectType.OPAQUE_OBJECT: None,
    }
    for object_type in types_of(V1_4):
        uid = register(engine, object_type)
        digest = seen(engine, uid).get(Tag.DIGEST)
        if object_type == ObjectType.TEMPLATE:
            assert digest is None
            continue
        assert digest.hashing_algorithm == HashingAlgorithm.SHA_256
        if object_type in values:
            assert digest.digest_value == hashlib.sha256(values[object_type]).digest(), object_type
            assert digest.key_format_type == formats.get(object_type, KeyFormatType.RAW)
        else:
            # RSA keys: the value that Get gives is what was digested.
            got = engine.call(Operation.GET, GetRequest(unique_identifier=uid)).managed_object
            material = got.key_block.key_value.key_material
            assert digest.digest_value == hashlib.sha256(material).digest()
            assert digest.key_format_type == KeyFormatType.PKCS_1


def test_the_digest_of_a_structure_is_over_its_encoding(engine: Engine) -> None:
    """KMIP 1.4 §3.17: "on the TTLV-encoded Key Material structure", whose bytes are written out here."""
    key = bytes(range(16))
    material = transparent_material(TransparentSymmetricKey(key=key), LATEST)
    assert isinstance(material, TransparentMaterial)
    uid = register_block(
        engine,
        KeyBlock(
            key_format_type=KeyFormatType.TRANSPARENT_SYMMETRIC_KEY,
            key_value=KeyValue(key_material=material),
            cryptographic_algorithm=A.AES,
            cryptographic_length=128,
        ),
    )
    encoded = bytes.fromhex("4200430100000018" + "42003F0800000010") + key
    digest = seen(engine, uid)[Tag.DIGEST]
    assert digest.digest_value == hashlib.sha256(encoded).digest()
    assert digest.key_format_type == KeyFormatType.TRANSPARENT_SYMMETRIC_KEY


def test_what_the_server_cannot_see_has_no_digest(engine: Engine) -> None:
    data = KeyWrappingData(
        wrapping_method=WrappingMethod.ENCRYPT,
        encryption_key_information=EncryptionKeyInformation(unique_identifier="another server's"),
    )
    wrapped = replace(block(bytes(16)), key_value=bytes(24), key_wrapping_data=data)
    assert Tag.DIGEST not in seen(engine, register_block(engine, wrapped))
    absent = replace(block(bytes(16)), key_value=None)
    assert Tag.DIGEST not in seen(engine, register_block(engine, absent))


# --- Fresh, Lease Time --------------------------------------------------------------------------


def test_an_object_is_fresh_until_it_is_served(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    assert seen(engine, uid)[Tag.FRESH] is True
    # A Get that fails serves nothing.
    wanted = GetRequest(unique_identifier=uid, key_format_type=KeyFormatType.PKCS_8)
    assert refusal(engine, Operation.GET, wanted, V1_4) == R.KEY_FORMAT_TYPE_NOT_SUPPORTED
    assert seen(engine, uid)[Tag.FRESH] is True
    engine.call(Operation.GET, GetRequest(unique_identifier=uid))
    assert seen(engine, uid)[Tag.FRESH] is False


def test_who_brings_an_object_may_say_that_it_is_not_fresh(engine: Engine) -> None:
    stale = attribute(Tag.FRESH, False)
    assert seen(engine, register(engine, ObjectType.SECRET_DATA, stale))[Tag.FRESH] is False
    assert refusal(engine, Operation.CREATE, create(stale)) == R.INVALID_ATTRIBUTE_VALUE
    uid = engine.call(Operation.CREATE, create(attribute(Tag.FRESH, True))).unique_identifier
    assert seen(engine, uid)[Tag.FRESH] is True


def test_the_lease_time_is_the_longest_that_is_served(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Policy(served=SERVED, lease_time_seconds=600))
    for object_type in types_of(V1_4):
        shown = seen(engine, register(engine, object_type), V1_4)
        assert shown.get(Tag.LEASE_TIME) == (None if object_type == ObjectType.TEMPLATE else 600)
    engine.close()


# --- made here, or brought ----------------------------------------------------------------------


def test_what_is_made_here_says_when_and_how(engine: Engine) -> None:
    pair = engine.call(Operation.CREATE_KEY_PAIR, create_key_pair(A.RSA, 2048))
    made = [
        engine.call(Operation.CREATE, create()).unique_identifier,
        pair.private_key_unique_identifier,
        pair.public_key_unique_identifier,
    ]
    made.append(engine.call(Operation.RE_KEY, RekeyRequest(unique_identifier=made[0])).unique_identifier)
    for uid in made:
        shown = seen(engine, uid)
        assert shown[Tag.ORIGINAL_CREATION_DATE] == shown[Tag.INITIAL_DATE]
        is_pair = uid in (pair.private_key_unique_identifier, pair.public_key_unique_identifier)
        assert shown[Tag.RANDOM_NUMBER_GENERATOR] == (PAIR_GENERATOR if is_pair else GENERATOR)
    brought = seen(engine, register(engine, ObjectType.SYMMETRIC_KEY))
    assert Tag.ORIGINAL_CREATION_DATE not in brought
    assert Tag.RANDOM_NUMBER_GENERATOR not in brought


def test_only_the_server_says_when_it_made_an_object(engine: Engine) -> None:
    given = attribute(Tag.ORIGINAL_CREATION_DATE, 1)
    assert refusal(engine, Operation.CREATE, create(given)) == R.ATTRIBUTE_READ_ONLY
    assert refusal(engine, Operation.CREATE_KEY_PAIR, create_key_pair(A.RSA, 2048, given)) == R.ATTRIBUTE_READ_ONLY
    # Who brings one says it then, or later, once.
    assert seen(engine, register(engine, ObjectType.SYMMETRIC_KEY, given))[Tag.ORIGINAL_CREATION_DATE] == 1
    uid = register(engine, ObjectType.SYMMETRIC_KEY)
    request = AddAttributeRequest(unique_identifier=uid, attribute=given)
    engine.call(Operation.ADD_ATTRIBUTE, request)
    assert seen(engine, uid)[Tag.ORIGINAL_CREATION_DATE] == 1
    assert refusal(engine, Operation.ADD_ATTRIBUTE, request) == R.ATTRIBUTE_SINGLE_VALUED
    change = ModifyAttributeRequest(unique_identifier=uid, attribute=given)
    assert refusal(engine, Operation.MODIFY_ATTRIBUTE, change) == R.ATTRIBUTE_READ_ONLY


OTHER = RNGParameters(rng_algorithm=RNGAlgorithm.ANSI_X9_31)
UNSPECIFIED = RNGParameters(rng_algorithm=RNGAlgorithm.UNSPECIFIED)
LOOSE = RNGParameters(rng_algorithm=RNGAlgorithm.DRBG)


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ([GENERATOR], True),
        ([LOOSE], True),
        ([UNSPECIFIED], True),
        ([OTHER], False),
        ([OTHER, GENERATOR], True),
        ([replace(GENERATOR, hashing_algorithm=HashingAlgorithm.SHA_256)], False),
    ],
)
def test_a_generator_that_is_asked_for_is_used_or_the_request_fails(
    engine: Engine, asked: list[RNGParameters], served: bool
) -> None:
    request = create(*(attribute(Tag.RANDOM_NUMBER_GENERATOR, each) for each in asked))
    if served:
        uid = engine.call(Operation.CREATE, request).unique_identifier
        assert seen(engine, uid)[Tag.RANDOM_NUMBER_GENERATOR] == GENERATOR
    else:
        assert refusal(engine, Operation.CREATE, request) == told(
            UnsupportedCryptographicParameters, Operation.CREATE
        )


def test_who_brings_an_object_says_which_generator_made_it(engine: Engine) -> None:
    given = attribute(Tag.RANDOM_NUMBER_GENERATOR, OTHER)
    assert seen(engine, register(engine, ObjectType.SYMMETRIC_KEY, given))[Tag.RANDOM_NUMBER_GENERATOR] == OTHER
    twice = registered(ObjectType.SYMMETRIC_KEY, given, attribute(Tag.RANDOM_NUMBER_GENERATOR, GENERATOR))
    assert refusal(engine, Operation.REGISTER, twice) == R.ATTRIBUTE_SINGLE_VALUED


# --- where the value is -------------------------------------------------------------------------

LOCATION = attribute(
    Tag.KEY_VALUE_LOCATION,
    KeyValueLocation(
        key_value_location_value="in the safe",
        key_value_location_type=KeyValueLocationType.UNINTERPRETED_TEXT_STRING,
    ),
)


def test_a_key_without_its_value_says_so_and_where_it_is(engine: Engine) -> None:
    uid = register_block(engine, replace(block(bytes(16)), key_value=None), LOCATION, version=V1_2)
    shown = seen(engine, uid)
    assert shown[Tag.KEY_VALUE_PRESENT] is False
    assert shown[Tag.KEY_VALUE_LOCATION] == LOCATION.value
    given = RegisterRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        template_attribute=template(attribute(Tag.KEY_VALUE_PRESENT, False)),
        managed_object=SymmetricKey(key_block=block(bytes(16))),
    )
    assert refusal(engine, Operation.REGISTER, given) == R.ATTRIBUTE_READ_ONLY
    # A location more, changed, and gone again.
    engine.call(Operation.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=uid, attribute=LOCATION))
    engine.call(
        Operation.DELETE_ATTRIBUTE,
        DeleteAttributeRequest(unique_identifier=uid, attribute_references=(Tag.KEY_VALUE_LOCATION,)),
        version=V2_1,
    )
    assert Tag.KEY_VALUE_LOCATION not in seen(engine, uid)
    # A key whose value is here has no location.
    uid = register(engine, ObjectType.SYMMETRIC_KEY)
    assert Tag.KEY_VALUE_PRESENT not in seen(engine, uid)
    requests: list[tuple[Operation, Any]] = [
        (Operation.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=uid, attribute=LOCATION)),
        (Operation.REGISTER, registered(ObjectType.SYMMETRIC_KEY, LOCATION)),
        (Operation.CREATE, create(LOCATION)),
    ]
    for operation, request in requests:
        assert refusal(engine, operation, request) == told(UnsupportedAttribute, operation)


@pytest.mark.parametrize(
    ("object_type", "version", "allowed"),
    [
        (ObjectType.SYMMETRIC_KEY, V1_1, False),
        (ObjectType.SYMMETRIC_KEY, V1_2, True),
        (ObjectType.PUBLIC_KEY, V1_4, False),
        (ObjectType.PUBLIC_KEY, V2_1, True),
        (ObjectType.PRIVATE_KEY, V1_4, True),
        (ObjectType.SECRET_DATA, V1_4, True),
        (ObjectType.PGP_KEY, V1_4, False),
    ],
)
def test_which_objects_may_come_without_their_value(
    engine: Engine, object_type: ObjectType, version: Version, allowed: bool
) -> None:
    request = registered(object_type)
    whole: Any = request.managed_object
    bare = replace(whole, key_block=replace(whole.key_block, key_value=None))
    request = replace(request, managed_object=bare)
    if not allowed:
        reason = refusal(engine, Operation.REGISTER, request, version)
        assert reason == (R.INVALID_MESSAGE if version.major == 1 else R.MISSING_DATA)
        return
    uid = engine.call(Operation.REGISTER, request, version=version).unique_identifier
    assert seen(engine, uid)[Tag.KEY_VALUE_PRESENT] is False


def test_an_opaque_object_says_its_type(engine: Engine) -> None:
    uid = register(engine, ObjectType.OPAQUE_OBJECT)
    assert seen(engine, uid)[Tag.OPAQUE_DATA_TYPE] == OPAQUE_DATA_TYPE
    assert Tag.OPAQUE_DATA_TYPE not in seen(engine, uid, V1_4)


# --- Last Change Date ---------------------------------------------------------------------------


def test_the_last_change_date_follows_every_change_and_no_reading(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    limits = UsageLimits(usage_limits_total=1000, usage_limits_unit=UsageLimitsUnit.BYTE)
    cbc = parameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5)
    steps: list[tuple[Operation, Any, bool]] = [
        (Operation.GET, GetRequest(unique_identifier=uid), False),
        (Operation.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=uid), False),
        (
            Operation.ADD_ATTRIBUTE,
            AddAttributeRequest(unique_identifier=uid, attribute=attribute(Tag.USAGE_LIMITS, limits)),
            True,
        ),
        (Operation.ACTIVATE, ActivateRequest(unique_identifier=uid), True),
        (
            Operation.ENCRYPT,
            EncryptRequest(
                unique_identifier=uid, cryptographic_parameters=cbc, data=b"x", iv_counter_nonce=bytes(16)
            ),
            False,
        ),
        (
            Operation.ADD_ATTRIBUTE,
            AddAttributeRequest(unique_identifier=uid, attribute=attribute(Tag.COMMENT, "a")),
            True,
        ),
        (
            Operation.MODIFY_ATTRIBUTE,
            ModifyAttributeRequest(unique_identifier=uid, attribute=attribute(Tag.COMMENT, "b")),
            True,
        ),
        (Operation.DELETE_ATTRIBUTE, DeleteAttributeRequest(unique_identifier=uid, attribute_name="Comment"), True),
        (Operation.REVOKE, revoke(uid), True),
        (Operation.DESTROY, DestroyRequest(unique_identifier=uid), True),
    ]
    before = seen(engine, uid)[Tag.LAST_CHANGE_DATE]
    assert before == seen(engine, uid)[Tag.INITIAL_DATE]
    for operation, request, changes in steps:
        engine.clock.advance(10)
        engine.call(operation, request)
        now = seen(engine, uid)[Tag.LAST_CHANGE_DATE]
        assert (now > before) == changes, operation
        before = now


# --- Sensitive and Extractable ------------------------------------------------------------------

FOUR = (Tag.SENSITIVE, Tag.ALWAYS_SENSITIVE, Tag.EXTRACTABLE, Tag.NEVER_EXTRACTABLE)


def four(engine: Engine, uid: str) -> tuple[bool, ...]:
    shown = seen(engine, uid)
    return tuple(shown[tag] for tag in FOUR)


def change(engine: Engine, uid: str, tag: Tag, value: bool) -> None:
    request = ModifyAttributeRequest(unique_identifier=uid, attribute=attribute(tag, value))
    engine.call(Operation.MODIFY_ATTRIBUTE, request)


@pytest.mark.parametrize("object_type", types_of(V1_4), ids=lambda each: each.title)
def test_every_object_has_all_four(engine: Engine, object_type: ObjectType) -> None:
    assert four(engine, register(engine, object_type)) == (False, False, True, False)
    given = (attribute(Tag.SENSITIVE, True), attribute(Tag.EXTRACTABLE, False))
    assert four(engine, register(engine, object_type, *given)) == (True, True, False, True)


def test_always_and_never_end_with_the_first_exception(engine: Engine) -> None:
    given = (attribute(Tag.SENSITIVE, True), attribute(Tag.EXTRACTABLE, False))
    uid = engine.call(Operation.CREATE, create(*given)).unique_identifier
    assert four(engine, uid) == (True, True, False, True)
    change(engine, uid, Tag.SENSITIVE, True)
    assert four(engine, uid) == (True, True, False, True)
    change(engine, uid, Tag.SENSITIVE, False)
    assert four(engine, uid) == (False, False, False, True)
    change(engine, uid, Tag.SENSITIVE, True)
    assert four(engine, uid) == (True, False, False, True)
    change(engine, uid, Tag.EXTRACTABLE, True)
    change(engine, uid, Tag.EXTRACTABLE, False)
    assert four(engine, uid) == (True, False, False, False)
    # A replacement has a history of its own.
    new = engine.call(Operation.RE_KEY, RekeyRequest(unique_identifier=uid)).unique_identifier
    assert four(engine, new) == (True, True, False, True)


def test_negation_counts_as_a_change(engine: Engine) -> None:
    given = (attribute(Tag.SENSITIVE, True), attribute(Tag.EXTRACTABLE, False))
    uid = engine.call(Operation.CREATE, create(*given)).unique_identifier
    for tag in (Tag.SENSITIVE, Tag.EXTRACTABLE):
        request = AdjustAttributeRequest(
            unique_identifier=uid, attribute_references=(tag,), adjustment_type=AdjustmentType.NEGATE
        )
        engine.call(Operation.ADJUST_ATTRIBUTE, request, version=V2_1)
    assert four(engine, uid) == (False, False, True, False)


def test_what_is_not_extractable_leaves_in_no_wrapping_either(engine: Engine) -> None:
    wrapping = engine.call(Operation.CREATE, create()).unique_identifier
    engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=wrapping))
    specification = KeyWrappingSpecification(
        wrapping_method=WrappingMethod.ENCRYPT,
        encryption_key_information=EncryptionKeyInformation(unique_identifier=wrapping),
    )
    kept = engine.call(Operation.CREATE, create(attribute(Tag.EXTRACTABLE, False))).unique_identifier
    hidden = engine.call(Operation.CREATE, create(attribute(Tag.SENSITIVE, True))).unique_identifier
    both = engine.call(
        Operation.CREATE, create(attribute(Tag.SENSITIVE, True), attribute(Tag.EXTRACTABLE, False))
    ).unique_identifier

    def get(uid: str, wrapped: bool) -> GetRequest:
        return GetRequest(unique_identifier=uid, key_wrapping_specification=specification if wrapped else None)

    for uid, wrapped in ((kept, False), (kept, True), (both, False), (both, True)):
        assert refusal(engine, Operation.GET, get(uid, wrapped), V1_4) == R.NOT_EXTRACTABLE
    assert refusal(engine, Operation.GET, get(hidden, False), V1_4) == R.SENSITIVE
    assert engine.call(Operation.GET, get(hidden, True)).managed_object.key_block.key_wrapping_data is not None
    # Once it is allowed, it leaves.
    change(engine, kept, Tag.EXTRACTABLE, True)
    engine.call(Operation.GET, get(kept, True))
    engine.call(Operation.GET, get(kept, False))
