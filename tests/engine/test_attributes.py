"""Attributes: who sets, who changes, how many, and in which words that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from kmip_server.protocol.attribute_set import Attribute, VendorAttribute
from kmip_server.protocol.attribute_values import ApplicationSpecificInformation, Link, UsageLimits
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    CryptographicUsageMask,
    ItemType,
    LinkType,
    ObjectType,
    Operation,
    ResultReason,
    UsageLimitsUnit,
)
from kmip_server.protocol.objects import Template
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    DeleteAttributeRequest,
    GetAttributeListRequest,
    GetAttributesRequest,
    ModifyAttributeRequest,
)
from kmip_server.protocol.payloads.create import CreateRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.spellings import TemplateAttribute
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_0, V1_1, V1_2, V1_3, V1_4, Version
from tests.support.engine import Engine, Refused, child, request_message
from tests.support.requests import attribute, create, custom, name, template

R = ResultReason


def values(engine: Engine, uid: str, *keys: Any, version: Version = V1_4) -> list[Any]:
    request = GetAttributesRequest(unique_identifier=uid, attribute_names=keys)
    return [a.value for a in engine.call(Operation.GET_ATTRIBUTES, request, version=version).attributes]


def add(uid: str, given: Attribute) -> AddAttributeRequest:
    return AddAttributeRequest(unique_identifier=uid, attribute=given)


def modify(uid: str, given: Attribute) -> ModifyAttributeRequest:
    return ModifyAttributeRequest(unique_identifier=uid, attribute=given)


def refusal(engine: Engine, operation: Operation, request: Any, version: Version = V1_2) -> ResultReason:
    with pytest.raises(Refused) as refused:
        engine.call(operation, request, version=version)
    return refused.value.reason


@pytest.fixture
def uid(engine: Engine) -> str:
    made: str = engine.call(Operation.CREATE, create(name("first"))).unique_identifier
    return made


CUSTOM = {
    ItemType.INTEGER: -7,
    ItemType.LONG_INTEGER: 1 << 40,
    ItemType.BIG_INTEGER: -(1 << 200),
    ItemType.ENUMERATION: 0x80000001,
    ItemType.BOOLEAN: True,
    ItemType.TEXT_STRING: "text",
    ItemType.BYTE_STRING: b"bytes",
    ItemType.DATE_TIME: 1_700_000_000,
    ItemType.INTERVAL: 60,
    ItemType.STRUCTURE: ((0x540001, int(ItemType.INTEGER), 5),),
}


@pytest.mark.parametrize("kind", list(CUSTOM))
def test_custom_attributes_of_every_type(engine: Engine, kind: ItemType) -> None:
    given = custom("x-Any", CUSTOM[kind], kind)
    uid = engine.call(Operation.CREATE, create(given), version=V1_0).unique_identifier
    assert values(engine, uid, given.key, version=V1_0) == [given.value]


def test_custom_attributes_have_many_instances(engine: Engine, uid: str) -> None:
    for text in ("a", "b", "c"):
        engine.call(Operation.ADD_ATTRIBUTE, add(uid, custom("x-Many", text)))
    key = VendorAttribute("x", "Many")
    assert [each.value for each in values(engine, uid, key)] == ["a", "b", "c"]
    deleted = DeleteAttributeRequest(unique_identifier=uid, attribute_name="x-Many", attribute_index=1)
    assert engine.call(Operation.DELETE_ATTRIBUTE, deleted).attribute.value.value == "b"
    # An index is for life: the others keep theirs.
    changed = engine.call(Operation.MODIFY_ATTRIBUTE, modify(uid, custom("x-Many", "C")._replace(index=2)))
    assert changed.attribute.index == 2
    assert [each.value for each in values(engine, uid, key)] == ["a", "C"]


def test_a_structure_in_a_structure_is_refused(engine: Engine, uid: str) -> None:
    nested = ((0x540001, int(ItemType.STRUCTURE), ()),)
    assert (
        refusal(engine, Operation.ADD_ATTRIBUTE, add(uid, custom("x-Deep", nested, ItemType.STRUCTURE)))
        == R.INVALID_FIELD
    )


def test_the_answers_echo_the_attribute(engine: Engine, uid: str) -> None:
    added = engine.call(Operation.ADD_ATTRIBUTE, add(uid, name("second")))
    assert added.attribute.index == 1
    changed = engine.call(Operation.MODIFY_ATTRIBUTE, modify(uid, name("renamed")))
    assert changed.attribute.value.name_value == "renamed"
    assert [each.name_value for each in values(engine, uid, Tag.NAME)] == ["renamed", "second"]


@pytest.mark.parametrize(
    "tag", [Tag.STATE, Tag.INITIAL_DATE, Tag.UNIQUE_IDENTIFIER, Tag.LAST_CHANGE_DATE, Tag.LEASE_TIME]
)
def test_what_is_the_servers_own_cannot_be_touched(engine: Engine, uid: str, tag: Tag) -> None:
    given = attribute(tag, values(engine, uid, tag)[0])
    assert refusal(engine, Operation.ADD_ATTRIBUTE, add(uid, given)) == R.PERMISSION_DENIED
    assert refusal(engine, Operation.MODIFY_ATTRIBUTE, modify(uid, given)) == R.PERMISSION_DENIED
    deleted = DeleteAttributeRequest(unique_identifier=uid, attribute_name=tag.title)
    assert refusal(engine, Operation.DELETE_ATTRIBUTE, deleted) == R.PERMISSION_DENIED
    assert refusal(engine, Operation.CREATE, create(given)) == R.INVALID_FIELD


ERRORS = [
    # KMIP 1.4 §11.15: Add Attribute
    (Operation.ADD_ATTRIBUTE, add("{uid}", attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128)), R.ILLEGAL_OPERATION),
    (Operation.ADD_ATTRIBUTE, add("{uid}", name("third")._replace(index=3)), R.INVALID_FIELD),
    (Operation.ADD_ATTRIBUTE, add("absent", name("third")), R.ITEM_NOT_FOUND),
    (Operation.ADD_ATTRIBUTE, add("{uid}", name("other")), R.ILLEGAL_OPERATION),
    (
        Operation.ADD_ATTRIBUTE,
        add("{uid}", Attribute(VendorAttribute("", "Nonsense"), None, custom("x-a", "b").value)),
        R.INVALID_FIELD,
    ),
    (Operation.ADD_ATTRIBUTE, add("{uid}", custom("y-Theirs", "b")), R.PERMISSION_DENIED),
    (
        Operation.ADD_ATTRIBUTE,
        add(
            "{uid}",
            attribute(
                Tag.APPLICATION_SPECIFIC_INFORMATION,
                ApplicationSpecificInformation(application_namespace="ssl", application_data=None),
            ),
        ),
        R.APPLICATION_NAMESPACE_NOT_SUPPORTED,
    ),
    # KMIP 1.4 §11.16: Modify Attribute
    (Operation.MODIFY_ATTRIBUTE, modify("{uid}", name("x")._replace(index=9)), R.ITEM_NOT_FOUND),
    (Operation.MODIFY_ATTRIBUTE, modify("{uid}", attribute(Tag.CONTACT_INFORMATION, "me")), R.INVALID_FIELD),
    (Operation.MODIFY_ATTRIBUTE, modify("{uid}", name("other")), R.ILLEGAL_OPERATION),
    (
        Operation.MODIFY_ATTRIBUTE,
        modify("{uid}", attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.SIGN)),
        R.PERMISSION_DENIED,
    ),
    # KMIP 1.4 §11.17: Delete Attribute
    (
        Operation.DELETE_ATTRIBUTE,
        DeleteAttributeRequest(unique_identifier="{uid}", attribute_name="Name", attribute_index=9),
        R.ITEM_NOT_FOUND,
    ),
    (
        Operation.DELETE_ATTRIBUTE,
        DeleteAttributeRequest(unique_identifier="{uid}", attribute_name="x-Absent"),
        R.ITEM_NOT_FOUND,
    ),
    (
        Operation.DELETE_ATTRIBUTE,
        DeleteAttributeRequest(unique_identifier="{uid}", attribute_name="Nonsense"),
        R.ITEM_NOT_FOUND,
    ),
    (
        Operation.DELETE_ATTRIBUTE,
        DeleteAttributeRequest(unique_identifier="{uid}", attribute_name="Cryptographic Length"),
        R.PERMISSION_DENIED,
    ),
    # KMIP 1.4 §11.13: Get Attributes, and §11.14: Get Attribute List
    (
        Operation.GET_ATTRIBUTES,
        GetAttributesRequest(unique_identifier="{uid}", attribute_names=(Tag.NAME, Tag.NAME)),
        R.INVALID_MESSAGE,
    ),
    (Operation.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier="absent"), R.ITEM_NOT_FOUND),
    (Operation.GET_ATTRIBUTE_LIST, GetAttributeListRequest(unique_identifier="absent"), R.ITEM_NOT_FOUND),
]


@pytest.mark.parametrize("version", [V1_0, V1_4])
@pytest.mark.parametrize(("operation", "request_", "reason"), ERRORS, ids=lambda value: getattr(value, "title", ""))
def test_the_error_tables(
    engine: Engine, uid: str, operation: Operation, request_: Any, reason: ResultReason, version: Version
) -> None:
    import dataclasses

    engine.call(Operation.CREATE, create(name("other")))
    if request_.unique_identifier == "{uid}":
        request_ = dataclasses.replace(request_, unique_identifier=uid)
    before = values(engine, uid)
    assert refusal(engine, operation, request_, version) == reason
    assert values(engine, uid) == before


def test_operation_policy_name_may_be_said_again(engine: Engine) -> None:
    given = attribute(Tag.OPERATION_POLICY_NAME, "default")
    uid = engine.call(Operation.CREATE, create(given), version=V1_0).unique_identifier
    engine.call(Operation.ADD_ATTRIBUTE, add(uid, given), version=V1_0)
    assert values(engine, uid, Tag.OPERATION_POLICY_NAME) == ["default"]
    other = attribute(Tag.OPERATION_POLICY_NAME, "public")
    assert refusal(engine, Operation.ADD_ATTRIBUTE, add(uid, other)) == R.ILLEGAL_OPERATION


def test_a_template_hands_its_attributes_down(engine: Engine) -> None:
    content = Template(
        attributes=(
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 192, 0),
            attribute(Tag.OBJECT_GROUP, "from the template", 0),
        )
    )
    request = RegisterRequest(
        object_type=ObjectType.TEMPLATE, template_attribute=template(name("template")), managed_object=content
    )
    engine.call(Operation.REGISTER, request, version=V1_0)
    given = create(length=None).template_attribute
    named = TemplateAttribute(names=(name("template").value,), attributes=given.attributes)
    made = CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, template_attribute=named)
    uid = engine.call(Operation.CREATE, made, version=V1_0).unique_identifier
    assert values(engine, uid, Tag.CRYPTOGRAPHIC_LENGTH, Tag.OBJECT_GROUP) == [192, "from the template"]
    absent = TemplateAttribute(names=(name("absent").value,), attributes=given.attributes)
    made = CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, template_attribute=absent)
    assert refusal(engine, Operation.CREATE, made, V1_0) == R.ITEM_NOT_FOUND


@pytest.mark.parametrize("version", [V1_0, V1_1, V1_2, V1_3, V1_4])
def test_no_version_is_shown_what_it_does_not_know(engine: Engine, version: Version) -> None:
    given = [
        attribute(Tag.LINK, Link(link_type=LinkType.PARENT_LINK, linked_object_identifier="x")),
        attribute(Tag.DESCRIPTION, "of 1.4"),
        attribute(Tag.USAGE_LIMITS, UsageLimits(usage_limits_total=5, usage_limits_unit=UsageLimitsUnit.BYTE)),
    ]
    uid = engine.call(Operation.CREATE, create(*given)).unique_identifier
    listed = engine.call(
        Operation.GET_ATTRIBUTE_LIST, GetAttributeListRequest(unique_identifier=uid), version=version
    ).attribute_names
    shown = engine.call(
        Operation.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=uid), version=version
    ).attributes
    for key in {*listed, *(a.key for a in shown)}:
        assert ATTRIBUTES[key].known_in(version), f"{key.title} left in KMIP {version}"
    assert (Tag.FRESH in listed) == (version >= V1_1)
    assert (Tag.SENSITIVE in listed) == (version >= V1_4)


def test_a_field_of_a_later_version_is_honoured(engine: Engine) -> None:
    payload = encode_structure(create(attribute(Tag.DESCRIPTION, "early")), V1_4)
    response = engine.exchange(request_message(V1_0, [(int(Operation.CREATE), payload, None)]))
    uid = child(response, Tag.BATCH_ITEM, Tag.RESPONSE_PAYLOAD, Tag.UNIQUE_IDENTIFIER)
    assert values(engine, uid, Tag.DESCRIPTION) == ["early"]


def test_extractable_and_sensitive(engine: Engine) -> None:
    from kmip_server.protocol.payloads.get import GetRequest

    kept = engine.call(Operation.CREATE, create(attribute(Tag.EXTRACTABLE, False))).unique_identifier
    hidden = engine.call(Operation.CREATE, create(attribute(Tag.SENSITIVE, True))).unique_identifier
    for uid, reason in ((kept, R.NOT_EXTRACTABLE), (hidden, R.SENSITIVE)):
        assert refusal(engine, Operation.GET, GetRequest(unique_identifier=uid), V1_4) == reason
        assert refusal(engine, Operation.GET, GetRequest(unique_identifier=uid), V1_0) == R.PERMISSION_DENIED
    assert values(engine, kept, Tag.NEVER_EXTRACTABLE) == [True]
    assert values(engine, hidden, Tag.ALWAYS_SENSITIVE) == [True]
