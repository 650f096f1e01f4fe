"""Every attribute of the table, in five versions, in every operation that could set it: what its row allows, no more.

The expectation follows from the row alone; what is particular to one attribute stands in the tables below, with the
reason. A refusal leaves the object as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from kmip_server.engine.context import Policy
from kmip_server.errors import (
    AttributeNotFound,
    AttributeReadOnly,
    AttributeSingleValued,
    InvalidAttributeValue,
    InvalidDataType,
    KmipError,
    UnsupportedAttribute,
)
from kmip_server.protocol.attribute_set import Attribute, AttributeSet
from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.attributes import ATTRIBUTES, AttributeRow
from kmip_server.protocol.enums import AdjustmentType, ItemType, ObjectType, Operation
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    AdjustAttributeRequest,
    DeleteAttributeRequest,
    GetAttributesRequest,
    ModifyAttributeRequest,
    SetAttributeRequest,
)
from kmip_server.protocol.payloads.create import CreateRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.schema import item_type
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import LATEST, SERVED, V1_0, V1_2, V1_4, V2_0, V2_1, Version
from tests.support.engine import Engine, Refused, told
from tests.support.objects import registered, types_of
from tests.support.requests import attribute, create
from tests.support.values import values

VERSIONS = (V1_0, V1_2, V1_4, V2_0, V2_1)
CASES = [(row, version) for row in ATTRIBUTES.values() for version in VERSIONS if row.known_in(version)]
every_attribute = pytest.mark.parametrize(
    ("row", "version"), CASES, ids=[f"{row.name}-{version}" for row, version in CASES]
)
in_2_x = pytest.mark.parametrize(
    ("row", "version"),
    [case for case in CASES if case[1].major > 1],
    ids=[f"{row.name}-{version}" for row, version in CASES if version.major > 1],
)

READ_OFF = frozenset({Tag.CERTIFICATE_TYPE, Tag.CERTIFICATE_LENGTH, Tag.DIGITAL_SIGNATURE_ALGORITHM})
"""Set by the server; Register takes them where they say what the certificate says (KMIP 1.4 §4.3)."""
NOT_IN_CREATE: dict[Tag, type[KmipError]] = {
    Tag.ORIGINAL_CREATION_DATE: AttributeReadOnly,  # the server's, of what it makes (§3.43)
    Tag.KEY_VALUE_LOCATION: UnsupportedAttribute,  # for a key that is elsewhere (§3.42)
}
IN_THE_REQUEST = frozenset({Tag.CRYPTOGRAPHIC_ALGORITHM, Tag.CRYPTOGRAPHIC_LENGTH, Tag.CRYPTOGRAPHIC_USAGE_MASK})
_PREFERRED = (
    ObjectType.SYMMETRIC_KEY,
    ObjectType.PRIVATE_KEY,
    ObjectType.CERTIFICATE,
    ObjectType.OPAQUE_OBJECT,
)
_COUNTED = frozenset({ItemType.INTEGER, ItemType.LONG_INTEGER, ItemType.INTERVAL, ItemType.DATE_TIME})


def carrier(row: AttributeRow, version: Version) -> ObjectType:
    return next(each for each in _PREFERRED if row.carried_by(each, version))


def register(row: AttributeRow, object_type: ObjectType, *given: Attribute) -> RegisterRequest:
    """A Register; where the attribute needs it, of a key whose value is elsewhere."""
    request = registered(object_type, *given)
    if row.tag == Tag.KEY_VALUE_LOCATION and hasattr(request.managed_object, "key_block"):
        managed_object: Any = request.managed_object
        bare = replace(managed_object, key_block=replace(managed_object.key_block, key_value=None))
        request = replace(request, managed_object=bare)
    return request


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for all of them; Names need not be unique, as the rules here are each attribute's own."""
    shared = Engine(tmp_path_factory.mktemp("table"), Policy(served=SERVED, unique_names="off"))
    yield shared
    shared.close()


def seen(engine: Engine, uid: str) -> AttributeSet:
    """Every attribute: those that the last version has, and those that it has no more."""
    request = GetAttributesRequest(unique_identifier=uid)
    old, new = (engine.call(Operation.GET_ATTRIBUTES, request, version=each).attributes for each in (V1_4, LATEST))
    return AttributeSet(new).with_all(AttributeSet(old))


def shown(value: Any) -> Any:
    """As Get Attributes shows it."""
    if isinstance(value, UsageLimits):
        return replace(value, usage_limits_count=value.usage_limits_total)
    return value


def made(engine: Engine, row: AttributeRow, version: Version, *, with_it: bool) -> str:
    """An object that carries the attribute; with a value of it where a client can give one."""
    given = [attribute(row.tag, values(row.tag)[0])] if with_it and row.set_by != "server" else []
    request = register(row, carrier(row, version), *given)
    uid: str = engine.call(Operation.REGISTER, request, version=version).unique_identifier
    return uid


def attempt(
    engine: Engine, uid: str, operation: Operation, request: Any, version: Version, refusal: type[KmipError] | None
) -> AttributeSet:
    """The attributes after an operation that succeeds, or fails as it should and changes nothing."""
    before = seen(engine, uid)
    if refusal is None:
        engine.call(operation, request, version=version)
        return seen(engine, uid)
    with pytest.raises(Refused) as refused:
        engine.call(operation, request, version=version)
    assert refused.value.reason == told(refusal, operation, version), refused.value.message
    assert seen(engine, uid) == before
    return before


# --- with a new object --------------------------------------------------------------------------


@every_attribute
def test_register_with_it(engine: Engine, row: AttributeRow, version: Version) -> None:
    value = values(row.tag)[0]
    request = register(row, carrier(row, version), attribute(row.tag, value))
    if row.set_by == "server" and row.tag not in READ_OFF:
        with pytest.raises(Refused) as refused:
            engine.call(Operation.REGISTER, request, version=version)
        assert refused.value.reason == told(AttributeReadOnly, Operation.REGISTER, version)
        return
    uid = engine.call(Operation.REGISTER, request, version=version).unique_identifier
    assert seen(engine, uid).one(row.tag) == shown(value)


@every_attribute
def test_create_with_it(engine: Engine, row: AttributeRow, version: Version) -> None:
    value = values(row.tag)[0]
    given = (attribute(row.tag, value),)
    request: CreateRequest = create(*(given if row.tag not in IN_THE_REQUEST else ()))
    refusal: type[KmipError] | None = None
    if not row.carried_by(ObjectType.SYMMETRIC_KEY, version):
        refusal = UnsupportedAttribute
    elif row.set_by == "server":
        refusal = AttributeReadOnly
    else:
        refusal = NOT_IN_CREATE.get(row.tag)
    if refusal is not None:
        with pytest.raises(Refused) as refused:
            engine.call(Operation.CREATE, request, version=version)
        assert refused.value.reason == told(refusal, Operation.CREATE, version)
        return
    uid = engine.call(Operation.CREATE, request, version=version).unique_identifier
    if row.tag not in IN_THE_REQUEST:
        assert seen(engine, uid).one(row.tag) == shown(value)


@every_attribute
def test_what_an_object_does_not_carry_it_does_not_get(engine: Engine, row: AttributeRow, version: Version) -> None:
    given = attribute(row.tag, values(row.tag)[0])
    others = [each for each in types_of(version) if not row.carried_by(each, version)]
    # That the object has no such attribute is told first, whoever could set it.
    refusal = UnsupportedAttribute
    for object_type in others:
        with pytest.raises(Refused) as refused:
            request = registered(object_type, given, mask=False)
            engine.call(Operation.REGISTER, request, version=version)
        brought = InvalidAttributeValue if row.tag in READ_OFF else refusal
        assert refused.value.reason == told(brought, Operation.REGISTER, version), object_type
        uid = engine.call(Operation.REGISTER, registered(object_type), version=version).unique_identifier
        add = AddAttributeRequest(unique_identifier=uid, attribute=given)
        attempt(engine, uid, Operation.ADD_ATTRIBUTE, add, version, refusal)


# --- one that is there --------------------------------------------------------------------------


@every_attribute
def test_add_what_is_absent(engine: Engine, row: AttributeRow, version: Version) -> None:
    uid = made(engine, row, version, with_it=False)
    value = values(row.tag)[0]
    refusal: type[KmipError] | None = None
    if row.set_by == "server":
        refusal = AttributeReadOnly
    elif not row.multiple and row.tag in seen(engine, uid):
        refusal = AttributeSingleValued
    request = AddAttributeRequest(unique_identifier=uid, attribute=attribute(row.tag, value))
    after = attempt(engine, uid, Operation.ADD_ATTRIBUTE, request, version, refusal)
    if refusal is None:
        assert after.all(row.tag) == (shown(value),)


@every_attribute
def test_add_a_second(engine: Engine, row: AttributeRow, version: Version) -> None:
    uid = made(engine, row, version, with_it=True)
    first, second = values(row.tag)
    refusal: type[KmipError] | None = None
    if row.set_by == "server":
        refusal = AttributeReadOnly
    elif not row.multiple:
        refusal = AttributeSingleValued
    request = AddAttributeRequest(unique_identifier=uid, attribute=attribute(row.tag, second))
    after = attempt(engine, uid, Operation.ADD_ATTRIBUTE, request, version, refusal)
    if refusal is None:
        assert after.all(row.tag) == (shown(first), shown(second))


def changing(row: AttributeRow) -> type[KmipError] | None:
    """How changing an attribute that is there is refused."""
    return None if row.set_by != "server" and row.modifiable else AttributeReadOnly


@every_attribute
def test_modify(engine: Engine, row: AttributeRow, version: Version) -> None:
    uid = made(engine, row, version, with_it=True)
    second = values(row.tag)[1]
    request = ModifyAttributeRequest(unique_identifier=uid, attribute=attribute(row.tag, second))
    after = attempt(engine, uid, Operation.MODIFY_ATTRIBUTE, request, version, changing(row))
    if changing(row) is None:
        assert after.all(row.tag) == (shown(second),)


@every_attribute
def test_modify_what_is_absent(engine: Engine, row: AttributeRow, version: Version) -> None:
    uid = made(engine, row, version, with_it=False)
    refusal = changing(row)
    if refusal is None and row.tag not in seen(engine, uid):
        refusal = AttributeNotFound
    request = ModifyAttributeRequest(unique_identifier=uid, attribute=attribute(row.tag, values(row.tag)[1]))
    attempt(engine, uid, Operation.MODIFY_ATTRIBUTE, request, version, refusal)


@every_attribute
def test_delete(engine: Engine, row: AttributeRow, version: Version) -> None:
    refusal = None if row.deletable else AttributeReadOnly
    for with_it in (True, False):
        uid = made(engine, row, version, with_it=with_it)
        if version.major == 1:
            request = DeleteAttributeRequest(unique_identifier=uid, attribute_name=row.name)
        else:
            request = DeleteAttributeRequest(unique_identifier=uid, attribute_references=(row.tag,))
        absent = refusal or (None if with_it else AttributeNotFound)
        after = attempt(engine, uid, Operation.DELETE_ATTRIBUTE, request, version, absent)
        if absent is None:
            assert row.tag not in after


@in_2_x
def test_delete_by_value(engine: Engine, row: AttributeRow, version: Version) -> None:
    uid = made(engine, row, version, with_it=True)
    current = attribute(row.tag, values(row.tag)[0])
    request = DeleteAttributeRequest(unique_identifier=uid, current_attribute=current)
    refusal = None if row.deletable else AttributeReadOnly
    after = attempt(engine, uid, Operation.DELETE_ATTRIBUTE, request, version, refusal)
    assert (row.tag in after) == (refusal is not None and row.tag in seen(engine, uid))


@in_2_x
def test_set(engine: Engine, row: AttributeRow, version: Version) -> None:
    second = values(row.tag)[1]
    for with_it in (False, True):
        uid = made(engine, row, version, with_it=with_it)
        there = row.tag in seen(engine, uid)
        refusal = changing(row) if there else AttributeReadOnly if row.set_by == "server" else None
        request = SetAttributeRequest(unique_identifier=uid, attribute=attribute(row.tag, second))
        after = attempt(engine, uid, Operation.SET_ATTRIBUTE, request, version, refusal)
        if refusal is None:
            assert after.all(row.tag) == (shown(second),)


@in_2_x
def test_adjust(engine: Engine, row: AttributeRow, version: Version) -> None:
    """Booleans are negated, what counts is counted, if it may be changed."""
    uid = made(engine, row, version, with_it=True)
    kind = item_type(row.kind)
    negated = kind == ItemType.BOOLEAN
    refusal: type[KmipError] | None = changing(row)
    # A mask is no number, though its type is Integer.
    if not negated and kind not in _COUNTED:
        refusal = InvalidDataType
    request = AdjustAttributeRequest(
        unique_identifier=uid,
        attribute_references=(row.tag,),
        adjustment_type=AdjustmentType.NEGATE if negated else AdjustmentType.INCREMENT,
    )
    before = seen(engine, uid).one(row.tag)
    after = attempt(engine, uid, Operation.ADJUST_ATTRIBUTE, request, version, refusal)
    if refusal is None:
        assert after.one(row.tag) == (not before if negated else before + 1)


def test_every_attribute_has_two_values() -> None:
    same = [tag.title for tag in ATTRIBUTES if values(tag)[0] == values(tag)[1]]
    assert same == ["Rotate Automatic"]
