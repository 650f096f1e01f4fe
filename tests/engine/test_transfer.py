"""Import and Export: an object moves with its history, and nobody gets at another's by it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import keywrap

from kmip_server.engine.context import Policy
from kmip_server.errors import UnsupportedAttribute
from kmip_server.protocol.attribute_set import Attribute
from kmip_server.protocol.attribute_values import Digest, Link, RevocationReason, UsageLimits
from kmip_server.protocol.enums import (
    EncodingOption,
    HashingAlgorithm,
    KeyFormatType,
    KeyWrapType,
    LinkType,
    ObjectType,
    Operation,
    ProtectionStorageMask,
    ResultReason,
    RevocationReasonCode,
    State,
    UsageLimitsUnit,
    WrappingMethod,
)
from kmip_server.protocol.objects import (
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingSpecification,
    ManagedObject,
    OpaqueObject,
    SymmetricKey,
)
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import DestroyRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.payloads.transfer import ExportRequest, ImportRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_0, V1_3, V1_4, V2_0, V2_1, Version
from tests.support.engine import SERVED, Engine, Refused, child, result_of, told
from tests.support.requests import A, M, attribute, create, custom, name, register_key, revoke

R = ResultReason
KEY = bytes(range(16))
VERSIONS = (V1_4, V2_0, V2_1)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Engine]:
    """Another server, to move objects to."""
    folder = tmp_path / "other"
    folder.mkdir()
    made = Engine(folder, Policy(served=SERVED))
    yield made
    made.close()


def key_object(key: bytes = KEY, **more: Any) -> SymmetricKey:
    block = KeyBlock(
        key_format_type=KeyFormatType.RAW,
        key_value=KeyValue(key_material=key),
        cryptographic_algorithm=A.AES,
        cryptographic_length=len(key) * 8,
        **more,
    )
    return SymmetricKey(key_block=block)


def importing(
    unique_identifier: str,
    *attributes: Attribute,
    managed_object: ManagedObject | None = None,
    version: Version = V1_4,
    object_type: ObjectType = ObjectType.SYMMETRIC_KEY,
    **more: Any,
) -> ImportRequest:
    return ImportRequest(
        unique_identifier=unique_identifier,
        object_type=object_type if version.major > 1 else None,
        attributes=attributes,
        managed_object=managed_object or key_object(),
        **more,
    )


def export(engine: Engine, uid: str, version: Version = V1_4, **more: Any) -> Any:
    return engine.call(Operation.EXPORT, ExportRequest(unique_identifier=uid, **more), version=version)


def values(engine: Engine, uid: str, *tags: Tag, principal: str = "one") -> list[Any]:
    request = GetAttributesRequest(unique_identifier=uid, attribute_names=tags)
    answer = engine.call(Operation.GET_ATTRIBUTES, request, version=V2_1, principal=principal)
    return [each.value for each in answer.attributes]


def refusal(
    engine: Engine, operation: Operation, request: Any, version: Version = V1_4, principal: str = "one"
) -> tuple[ResultReason, str]:
    with pytest.raises(Refused) as refused:
        engine.call(operation, request, version=version, principal=principal)
    return refused.value.reason, refused.value.message


# --- a whole move -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_exported_is_imported_as_it_was(engine: Engine, other: Engine, version: Version) -> None:
    limits = UsageLimits(usage_limits_total=100, usage_limits_unit=UsageLimitsUnit.BYTE)
    uid = engine.call(
        Operation.CREATE,
        create(
            name("first"),
            name("second"),
            attribute(Tag.OBJECT_GROUP, "group"),
            attribute(Tag.USAGE_LIMITS, limits),
            attribute(Tag.LINK, Link(link_type=LinkType.NEXT_LINK, linked_object_identifier="next")),
            custom("x-Serial", "7"),
        ),
    ).unique_identifier
    engine.clock.advance(1000)
    engine.call(Operation.REVOKE, revoke(uid, RevocationReasonCode.KEY_COMPROMISE))
    sent = export(engine, uid, version)
    assert sent.object_type == ObjectType.SYMMETRIC_KEY
    other.clock.advance(5_000_000)
    request = importing(uid, *sent.attributes, managed_object=sent.managed_object, version=version)
    assert other.call(Operation.IMPORT, request, version=version).unique_identifier == uid
    arrived = export(other, uid, version)
    # All that is told is as it was, but for the freshness that the first export took.
    before = {each for each in sent.attributes if each.key != Tag.FRESH}
    assert before <= set(arrived.attributes)
    assert {each.key for each in arrived.attributes} == {each.key for each in sent.attributes}
    assert arrived.managed_object == sent.managed_object
    assert values(other, uid, Tag.STATE) == [State.COMPROMISED]
    found = other.call(Operation.LOCATE, LocateRequest(attributes=(name("second"),))).unique_identifiers
    assert found == (uid,)


@pytest.mark.parametrize("version", VERSIONS)
def test_dates_state_and_history_come_along(engine: Engine, version: Version) -> None:
    supplied = {
        Tag.STATE: State.DEACTIVATED,
        Tag.INITIAL_DATE: 1_000,
        Tag.ACTIVATION_DATE: 2_000,
        Tag.DEACTIVATION_DATE: 3_000,
        Tag.LAST_CHANGE_DATE: 3_000,
        Tag.ORIGINAL_CREATION_DATE: 500,
        Tag.FRESH: False,
        Tag.SENSITIVE: True,
        Tag.ALWAYS_SENSITIVE: True,
        Tag.EXTRACTABLE: True,
        Tag.NEVER_EXTRACTABLE: False,
        Tag.REVOCATION_REASON: RevocationReason(revocation_reason_code=RevocationReasonCode.SUPERSEDED),
        Tag.USAGE_LIMITS: UsageLimits(
            usage_limits_total=10, usage_limits_count=3, usage_limits_unit=UsageLimitsUnit.OBJECT
        ),
    }
    request = importing("k1", *(attribute(*each) for each in supplied.items()), version=version)
    engine.call(Operation.IMPORT, request, version=version)
    assert values(engine, "k1", *supplied) == list(supplied.values())


def test_what_is_not_supplied_is_as_at_registration(engine: Engine) -> None:
    engine.call(Operation.IMPORT, importing("k1"))
    now = engine.clock.now()
    wanted = (Tag.STATE, Tag.INITIAL_DATE, Tag.SENSITIVE, Tag.FRESH, Tag.CRYPTOGRAPHIC_LENGTH)
    assert values(engine, "k1", *wanted) == [State.PRE_ACTIVE, now, False, True, 128]
    (digest,) = values(engine, "k1", Tag.DIGEST)
    assert digest.digest_value == hashlib.sha256(KEY).digest()


def test_both_fill_the_id_placeholder(engine: Engine) -> None:
    batch: list[tuple[Operation, Any]] = [
        (Operation.IMPORT, importing("k1")),
        (Operation.EXPORT, ExportRequest()),
        (Operation.EXPORT, ExportRequest(unique_identifier="k1")),
        (Operation.GET, GetRequest()),
    ]
    items = engine.batch(V1_4, batch)
    assert [result_of(each, V1_4).unique_identifier for each in items] == ["k1"] * 4


@pytest.mark.parametrize("version", [V1_0, V1_3])
def test_before_1_4_there_is_neither(engine: Engine, version: Version) -> None:
    for operation, request in ((Operation.IMPORT, importing("k1")), (Operation.EXPORT, ExportRequest())):
        assert refusal(engine, operation, request, version)[0] == R.OPERATION_NOT_SUPPORTED


# --- Export -------------------------------------------------------------------------------------


def test_an_export_protects_as_get_does(engine: Engine) -> None:
    kek = engine.call(
        Operation.REGISTER, register_key(bytes(32), attribute(Tag.ACTIVATION_DATE, 0))
    ).unique_identifier
    specification = KeyWrappingSpecification(
        wrapping_method=WrappingMethod.ENCRYPT,
        encryption_key_information=EncryptionKeyInformation(unique_identifier=kek),
        encoding_option=EncodingOption.NO_ENCODING,
    )
    engine.call(Operation.IMPORT, importing("secret", attribute(Tag.SENSITIVE, True)))
    engine.call(Operation.IMPORT, importing("kept", attribute(Tag.EXTRACTABLE, False)))
    for uid, reason in (("secret", R.SENSITIVE), ("kept", R.NOT_EXTRACTABLE)):
        assert refusal(engine, Operation.EXPORT, ExportRequest(unique_identifier=uid))[0] == reason
    block = export(engine, "secret", key_wrapping_specification=specification).managed_object.key_block
    assert keywrap.aes_key_unwrap(bytes(32), block.key_value.key_material) == KEY
    request = ExportRequest(unique_identifier="kept", key_wrapping_specification=specification)
    assert refusal(engine, Operation.EXPORT, request)[0] == R.NOT_EXTRACTABLE


def test_an_export_takes_the_freshness(engine: Engine) -> None:
    engine.call(Operation.IMPORT, importing("k1"))
    export(engine, "k1")
    assert values(engine, "k1", Tag.FRESH) == [False]


@pytest.mark.parametrize("version", VERSIONS)
def test_of_a_destroyed_object_the_attributes_are_exported(engine: Engine, version: Version) -> None:
    engine.call(Operation.IMPORT, importing("k1", name("gone")))
    engine.call(Operation.DESTROY, DestroyRequest(unique_identifier="k1"))
    sent = export(engine, "k1", version)
    assert sent.managed_object is None
    assert {Tag.STATE, Tag.DESTROY_DATE, Tag.NAME} <= {each.key for each in sent.attributes}


def test_an_export_converts_as_get_does(engine: Engine) -> None:
    engine.call(Operation.IMPORT, importing("k1"))
    block = export(engine, "k1", key_format_type=KeyFormatType.TRANSPARENT_SYMMETRIC_KEY).managed_object.key_block
    assert block.key_format_type == KeyFormatType.TRANSPARENT_SYMMETRIC_KEY
    request = ExportRequest(unique_identifier="k1", key_format_type=KeyFormatType.PKCS_1)
    assert refusal(engine, Operation.EXPORT, request)[0] == R.KEY_FORMAT_TYPE_NOT_SUPPORTED


# --- what is there already ----------------------------------------------------------------------


def test_a_taken_identifier_is_refused_unless_it_is_to_be_replaced(engine: Engine) -> None:
    engine.call(Operation.IMPORT, importing("k1", name("before"), attribute(Tag.OBJECT_GROUP, "before")))
    for wanted in (None, False):
        request = importing("k1", replace_existing=wanted)
        assert refusal(engine, Operation.IMPORT, request)[0] == R.OBJECT_ALREADY_EXISTS
    new = importing("k1", name("after"), managed_object=key_object(bytes(32)), replace_existing=True)
    engine.call(Operation.IMPORT, new)
    assert values(engine, "k1", Tag.OBJECT_GROUP) == []
    assert values(engine, "k1", Tag.CRYPTOGRAPHIC_LENGTH) == [256]
    block = engine.call(Operation.GET, GetRequest(unique_identifier="k1")).managed_object.key_block
    assert block.key_value.key_material == bytes(32)
    # The old Name is free, the new one taken.
    engine.call(Operation.CREATE, create(name("before")))
    assert refusal(engine, Operation.CREATE, create(name("after")))[0] == R.INVALID_FIELD


def test_an_object_of_another_type_takes_the_place(engine: Engine) -> None:
    engine.call(Operation.IMPORT, importing("k1"))
    opaque = OpaqueObject(opaque_data_type=0x80000001, opaque_data_value=b"opaque")
    engine.call(Operation.IMPORT, importing("k1", managed_object=opaque, replace_existing=True))
    assert values(engine, "k1", Tag.OBJECT_TYPE) == [ObjectType.OPAQUE_OBJECT]
    assert engine.call(Operation.GET, GetRequest(unique_identifier="k1")).managed_object == opaque


def test_a_destroyed_object_keeps_its_identifier(engine: Engine) -> None:
    engine.call(Operation.IMPORT, importing("k1"))
    engine.call(Operation.DESTROY, DestroyRequest(unique_identifier="k1"))
    assert refusal(engine, Operation.IMPORT, importing("k1"))[0] == R.OBJECT_ALREADY_EXISTS
    engine.call(Operation.IMPORT, importing("k1", replace_existing=True))
    assert values(engine, "k1", Tag.STATE, Tag.DESTROY_DATE) == [State.PRE_ACTIVE]


def test_what_was_sealed_before_does_not_open_in_its_place(engine: Engine) -> None:
    engine.call(Operation.IMPORT, importing("k1"))
    engine.call(Operation.IMPORT, importing("k1", replace_existing=True))
    (generation,) = engine.connect().execute("SELECT generation FROM materials").fetchone()
    assert generation == 2


@pytest.mark.parametrize("principal", ["two", "elsewhere"])
@pytest.mark.parametrize("version", [V1_4, V2_1])
def test_anothers_object_is_neither_replaced_nor_shown(engine: Engine, principal: str, version: Version) -> None:
    engine.call(Operation.IMPORT, importing("k1", name("mine")))
    engine.call(Operation.IMPORT, importing("gone"))
    engine.call(Operation.DESTROY, DestroyRequest(unique_identifier="gone"))
    engine.call(Operation.IMPORT, importing("own"), principal=principal)
    told = set()
    for uid, wanted in (("k1", True), ("k1", False), ("gone", True), ("gone", False), ("own", False)):
        request = importing(uid, version=version, replace_existing=wanted)
        told.add(refusal(engine, Operation.IMPORT, request, version, principal))
    # One answer for all: the identifier is taken.
    assert told == {(R.OBJECT_ALREADY_EXISTS, "another object has this Unique Identifier")}
    assert values(engine, "k1", Tag.NAME) == [name("mine").value]
    assert (
        refusal(engine, Operation.GET, GetRequest(unique_identifier="k1"), principal=principal)[0]
        == R.ITEM_NOT_FOUND
    )


def test_the_owner_is_the_importer_whatever_is_said(engine: Engine) -> None:
    sent = engine.call(Operation.CREATE, create(name("mine"))).unique_identifier
    attributes = [each for each in export(engine, sent).attributes if each.key != Tag.UNIQUE_IDENTIFIER]
    attributes = [each for each in attributes if each.key not in (Tag.DIGEST, Tag.CRYPTOGRAPHIC_LENGTH)]
    engine.call(Operation.IMPORT, importing("copy", *attributes), principal="two")
    assert values(engine, "copy", Tag.NAME, principal="two") == [name("mine").value]
    assert refusal(engine, Operation.GET, GetRequest(unique_identifier="copy"))[0] == R.ITEM_NOT_FOUND


def test_what_a_group_owns_stays_the_groups(engine: Engine) -> None:
    engine.call(Operation.IMPORT, importing("k1"))
    with engine.connect() as connection:
        connection.execute("UPDATE objects SET owner = 'group:cluster'")
        connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'epoch'")
    engine.call(Operation.IMPORT, importing("k1", replace_existing=True))
    (owner,) = engine.connect().execute("SELECT owner FROM objects").fetchone()
    assert owner == "group:cluster"


def test_an_administrator_brings_and_takes_nothing(engine: Engine) -> None:
    engine.call(Operation.IMPORT, importing("k1"))
    for operation, request in (
        (Operation.IMPORT, importing("k2")),
        (Operation.IMPORT, importing("k1", replace_existing=True)),
        (Operation.EXPORT, ExportRequest(unique_identifier="k1")),
    ):
        assert refusal(engine, operation, request, principal="admin")[0] == R.PERMISSION_DENIED


def test_an_import_is_on_record(engine: Engine) -> None:
    engine.call(Operation.IMPORT, importing("k1"))
    refusal(engine, Operation.IMPORT, importing("k1"), principal="two")
    rows = engine.connect().execute("SELECT record FROM audit_records ORDER BY number").fetchall()
    # The first record begins the chain.
    assert [("Import" in each[0], '"k1"' in each[0]) for each in rows[1:]] == [(True, True), (True, True)]
    assert "Object Already Exists" in rows[2][0]


def test_within_one_batch(engine: Engine) -> None:
    batch: list[tuple[Operation, Any]] = [
        (Operation.IMPORT, importing("k1", name("a"))),
        (Operation.IMPORT, importing("k1", name("b"), replace_existing=True)),
    ]
    assert all(result_of(each, V1_4).unique_identifier == "k1" for each in engine.batch(V1_4, batch))
    assert values(engine, "k1", Tag.NAME) == [name("b").value]
    again: list[tuple[Operation, Any]] = [(Operation.IMPORT, importing("k2"))] * 2
    first, second = engine.batch(V1_4, again)
    assert child(first, Tag.RESULT_REASON) is None
    assert child(second, Tag.RESULT_REASON) == R.OBJECT_ALREADY_EXISTS


# --- what contradicts ---------------------------------------------------------------------------

WRONG_DIGEST = Digest(
    hashing_algorithm=HashingAlgorithm.SHA_256, digest_value=bytes(32), key_format_type=KeyFormatType.RAW
)
SPENT = UsageLimits(usage_limits_total=1, usage_limits_count=2, usage_limits_unit=UsageLimitsUnit.OBJECT)


@pytest.mark.parametrize(
    ("given", "in_2_1"),
    [
        ([attribute(Tag.UNIQUE_IDENTIFIER, "another")], R.INVALID_ATTRIBUTE_VALUE),
        ([attribute(Tag.OBJECT_TYPE, ObjectType.SECRET_DATA)], R.INVALID_ATTRIBUTE_VALUE),
        ([attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256)], R.INVALID_ATTRIBUTE_VALUE),
        ([attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, A.RSA)], R.INVALID_ATTRIBUTE_VALUE),
        ([attribute(Tag.DIGEST, WRONG_DIGEST)], R.INVALID_ATTRIBUTE_VALUE),
        ([attribute(Tag.KEY_VALUE_PRESENT, False)], R.INVALID_ATTRIBUTE_VALUE),
        ([attribute(Tag.STATE, State.DESTROYED)], R.INVALID_ATTRIBUTE_VALUE),
        ([attribute(Tag.STATE, State.DESTROYED_COMPROMISED)], R.INVALID_ATTRIBUTE_VALUE),
        ([attribute(Tag.ALWAYS_SENSITIVE, True)], R.INVALID_ATTRIBUTE_VALUE),
        ([attribute(Tag.NEVER_EXTRACTABLE, True)], R.INVALID_ATTRIBUTE_VALUE),
        ([attribute(Tag.USAGE_LIMITS, SPENT)], R.INVALID_ATTRIBUTE_VALUE),
        (
            [attribute(Tag.ACTIVATION_DATE, 2_000), attribute(Tag.DEACTIVATION_DATE, 1_000)],
            R.INVALID_ATTRIBUTE_VALUE,
        ),
        ([attribute(Tag.STATE, State.ACTIVE), attribute(Tag.STATE, State.COMPROMISED)], R.ATTRIBUTE_SINGLE_VALUED),
        ([attribute(Tag.CERTIFICATE_LENGTH, 10)], told(UnsupportedAttribute, Operation.IMPORT, V2_1)),
        ([custom("y-Server", "says")], R.ATTRIBUTE_READ_ONLY),
    ],
)
def test_incorrect_attribute_values(engine: Engine, given: list[Attribute], in_2_1: ResultReason) -> None:
    in_1_4 = R.INDEX_OUT_OF_BOUNDS if in_2_1 == R.ATTRIBUTE_SINGLE_VALUED else R.INVALID_FIELD
    assert refusal(engine, Operation.IMPORT, importing("k1", *given))[0] == in_1_4
    request = importing("k1", *given, version=V2_1)
    assert refusal(engine, Operation.IMPORT, request, V2_1)[0] == in_2_1
    assert refusal(engine, Operation.GET, GetRequest(unique_identifier="k1"))[0] == R.ITEM_NOT_FOUND


@pytest.mark.parametrize("uid", ["", "two words", "line\nbreak", "\u00e4", "x" * 65])
def test_identifiers_that_are_none(engine: Engine, uid: str) -> None:
    assert refusal(engine, Operation.IMPORT, importing(uid))[0] == R.INVALID_FIELD


def test_the_object_type_of_2_x(engine: Engine) -> None:
    wrong = importing("k1", version=V2_1, object_type=ObjectType.SECRET_DATA)
    assert refusal(engine, Operation.IMPORT, wrong, V2_1)[0] == R.INVALID_FIELD
    assert refusal(engine, Operation.IMPORT, importing("k1"), V2_1)[0] == R.MISSING_DATA
    empty = ImportRequest(unique_identifier="k1", object_type=ObjectType.SYMMETRIC_KEY)
    assert refusal(engine, Operation.IMPORT, empty, V2_1)[0] == R.MISSING_DATA


def test_a_name_that_another_object_has(engine: Engine) -> None:
    engine.call(Operation.CREATE, create(name("taken")))
    request = importing("k1", name("taken"))
    assert refusal(engine, Operation.IMPORT, request)[0] == R.INVALID_FIELD
    request = importing("k1", name("taken"), version=V2_1)
    assert refusal(engine, Operation.IMPORT, request, V2_1)[0] == R.NON_UNIQUE_NAME_ATTRIBUTE


def test_what_only_this_server_can_say_is_not_taken_over(engine: Engine) -> None:
    given = (
        attribute(Tag.LEASE_TIME, 1),
        attribute(Tag.PROTECTION_STORAGE_MASK, ProtectionStorageMask.HARDWARE),
        attribute(Tag.SHORT_UNIQUE_IDENTIFIER, b"short"),
    )
    engine.call(Operation.IMPORT, importing("k1", *given, version=V2_1), version=V2_1)
    assert values(engine, "k1", Tag.LEASE_TIME) == [3600]
    for tag, value in ((Tag.PROTECTION_STORAGE_MASK, given[1].value), (Tag.SHORT_UNIQUE_IDENTIFIER, b"short")):
        assert value not in values(engine, "k1", tag)


def test_a_digest_by_another_hash_is_kept_beside_the_mandatory_one(engine: Engine) -> None:
    other_hash = Digest(
        hashing_algorithm=HashingAlgorithm.SHA_512,
        digest_value=hashlib.sha512(KEY).digest(),
        key_format_type=KeyFormatType.RAW,
    )
    engine.call(Operation.IMPORT, importing("k1", attribute(Tag.DIGEST, other_hash)))
    digests = values(engine, "k1", Tag.DIGEST)
    assert digests[0] == other_hash
    assert digests[1].digest_value == hashlib.sha256(KEY).digest()


# --- wrapped ------------------------------------------------------------------------------------


def wrapped_export(engine: Engine, kek: str, **more: Any) -> Any:
    engine.call(Operation.IMPORT, importing("source", attribute(Tag.OBJECT_GROUP, "inside")))
    specification = KeyWrappingSpecification(
        wrapping_method=WrappingMethod.ENCRYPT,
        encryption_key_information=EncryptionKeyInformation(unique_identifier=kek),
        **more,
    )
    return export(engine, "source", key_wrapping_specification=specification).managed_object


def kek(engine: Engine, mask: M = M.WRAP_KEY | M.UNWRAP_KEY) -> str:
    request = register_key(bytes(32), attribute(Tag.ACTIVATION_DATE, 0), mask=mask)
    uid: str = engine.call(Operation.REGISTER, request).unique_identifier
    return uid


@pytest.mark.parametrize("version", VERSIONS)
def test_not_wrapped_is_unwrapped_before_it_is_kept(engine: Engine, version: Version) -> None:
    sent = wrapped_export(engine, kek(engine), attribute_names=(Tag.OBJECT_GROUP, Tag.STATE))
    request = importing("k1", managed_object=sent, version=version, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    engine.call(Operation.IMPORT, request, version=version)
    got = engine.call(Operation.GET, GetRequest(unique_identifier="k1")).managed_object
    assert got == key_object()
    assert values(engine, "k1", Tag.OBJECT_GROUP, Tag.STATE) == ["inside", State.PRE_ACTIVE]


@pytest.mark.parametrize("wrap_type", [None, KeyWrapType.AS_REGISTERED])
def test_otherwise_it_is_kept_as_provided(engine: Engine, wrap_type: KeyWrapType | None) -> None:
    sent = wrapped_export(engine, kek(engine))
    engine.call(Operation.IMPORT, importing("k1", managed_object=sent, key_wrap_type=wrap_type))
    assert engine.call(Operation.GET, GetRequest(unique_identifier="k1")).managed_object == sent


def test_without_the_wrapping_key_nothing_is_unwrapped(engine: Engine) -> None:
    sent = wrapped_export(engine, kek(engine))
    request = importing("k1", managed_object=sent, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    # Another client may name the key that it cannot see; it opens nothing.
    assert refusal(engine, Operation.IMPORT, request, principal="two")[0] == R.ITEM_NOT_FOUND
    sealed_only = kek(engine, M.WRAP_KEY)
    engine.call(Operation.DESTROY, DestroyRequest(unique_identifier="source"))
    specification = KeyWrappingSpecification(
        wrapping_method=WrappingMethod.ENCRYPT,
        encryption_key_information=EncryptionKeyInformation(unique_identifier=sealed_only),
    )
    engine.call(Operation.IMPORT, importing("plain"))
    sent = export(engine, "plain", key_wrapping_specification=specification).managed_object
    request = importing("k1", managed_object=sent, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    assert refusal(engine, Operation.IMPORT, request)[0] == R.PERMISSION_DENIED


def test_an_object_that_comes_archived_is_archived(engine: Engine) -> None:
    active, archived = attribute(Tag.ACTIVATION_DATE, 0), attribute(Tag.ARCHIVE_DATE, 1_000)
    mask = attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.WRAP_KEY)
    engine.call(Operation.IMPORT, importing("by", active, archived, mask))
    engine.call(Operation.IMPORT, importing("k1"))
    assert refusal(engine, Operation.EXPORT, ExportRequest(unique_identifier="by"))[0] == R.OBJECT_ARCHIVED
    specification = KeyWrappingSpecification(
        wrapping_method=WrappingMethod.ENCRYPT,
        encryption_key_information=EncryptionKeyInformation(unique_identifier="by"),
    )
    request = ExportRequest(unique_identifier="k1", key_wrapping_specification=specification)
    assert refusal(engine, Operation.EXPORT, request)[0] == R.OBJECT_ARCHIVED
    assert refusal(engine, Operation.EXPORT, request, V2_1)[0] == R.WRAPPING_OBJECT_ARCHIVED
    # It is replaced all the same: any existing object is.
    engine.call(Operation.IMPORT, importing("by", replace_existing=True))
    export(engine, "by")
