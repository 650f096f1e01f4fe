"""Attributes that the standard does not define: whose they are, how they are called, and who is shown them."""

from __future__ import annotations

from typing import Any

import pytest

from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_set import Attribute, VendorAttribute
from kmip_server.protocol.attribute_values import CustomValue
from kmip_server.protocol.enums import ItemType, Operation, ResultReason
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    GetAttributeListRequest,
    GetAttributesRequest,
)
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_0, V1_4, V2_0, V2_1, Version
from tests.support.engine import Engine, Refused, children, request_message, result_of
from tests.support.requests import create, custom

TEXT = CustomValue(ItemType.TEXT_STRING, "value")


def vendor(identification: str, name: str = "Label", value: CustomValue = TEXT) -> Attribute:
    return Attribute(VendorAttribute(identification, name), None, value)


def shown(engine: Engine, uid: str, version: Version) -> tuple[set[Any], set[Any]]:
    """The vendor attributes in a list of names, and those that come with values."""
    listed = engine.call(
        Operation.GET_ATTRIBUTE_LIST, GetAttributeListRequest(unique_identifier=uid), version=version
    ).attribute_names
    got = engine.call(
        Operation.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=uid), version=version
    ).attributes
    return {key for key in listed if not isinstance(key, Tag)}, {a.key for a in got if not isinstance(a.key, Tag)}


def located(engine: Engine, title: str, version: Version) -> int:
    """How many objects a 1.x Locate finds by this Attribute Name."""
    fields: list[Item] = [
        (Tag.ATTRIBUTE_NAME, ttlv.TEXT_STRING, title),
        (Tag.ATTRIBUTE_VALUE, ttlv.TEXT_STRING, TEXT.value),
    ]
    payload = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [(Tag.ATTRIBUTE, ttlv.STRUCTURE, fields)])
    response = engine.exchange(request_message(version, [(int(Operation.LOCATE), payload, None)]))
    (item,) = children(response, Tag.BATCH_ITEM)
    return len(result_of(item, version).unique_identifiers)


@pytest.mark.parametrize("identification", ["Acme", "acme.example_2", "X", "x", "_", "."])
def test_a_vendor_is_written_in_letters_digits_underscores_and_periods(engine: Engine, identification: str) -> None:
    given = vendor(identification)
    uid = engine.call(Operation.CREATE, create(given), version=V2_1).unique_identifier
    assert shown(engine, uid, V2_1) == ({given.key}, {given.key})


@pytest.mark.parametrize("identification", ["Acme Ltd", "acme-1", "äcme", "a/b", "x\n", ""])
@pytest.mark.parametrize("version", [V2_0, V2_1])
def test_other_vendors_are_refused(engine: Engine, identification: str, version: Version) -> None:
    with pytest.raises(Refused) as refused:
        engine.call(Operation.CREATE, create(vendor(identification)), version=version)
    assert refused.value.reason == ResultReason.INVALID_ATTRIBUTE
    uid = engine.call(Operation.CREATE, create(), version=version).unique_identifier
    request = AddAttributeRequest(unique_identifier=uid, attribute=vendor(identification))
    with pytest.raises(Refused) as refused:
        engine.call(Operation.ADD_ATTRIBUTE, request, version=version)
    assert refused.value.reason == ResultReason.INVALID_ATTRIBUTE
    assert shown(engine, uid, version) == (set(), set())


def test_a_vendor_attribute_has_a_name(engine: Engine) -> None:
    with pytest.raises(Refused) as refused:
        engine.call(Operation.CREATE, create(vendor("Acme", "")), version=V2_1)
    assert refused.value.reason == ResultReason.INVALID_ATTRIBUTE


@pytest.mark.parametrize("version", [V1_0, V1_4])
def test_1_x_is_shown_custom_attributes_alone(engine: Engine, version: Version) -> None:
    given = (vendor("Acme"), vendor("x", "Mine"))
    uid = engine.call(Operation.CREATE, create(*given), version=V2_1).unique_identifier
    mine = {VendorAttribute("x", "Mine")}
    assert shown(engine, uid, version) == (mine, mine)
    # Nor is it found by a name that 1.x could make of it.
    for title in ("Acme-Label", "Label"):
        assert located(engine, title, version) == 0
    assert located(engine, "x-Mine", version) == 1
    assert shown(engine, uid, V2_1) == ({each.key for each in given}, {each.key for each in given})


def test_a_custom_attribute_of_1_x_is_vendor_x_in_2_x(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create(custom("x-Old", "text")), version=V1_0).unique_identifier
    assert shown(engine, uid, V2_1) == ({VendorAttribute("x", "Old")}, {VendorAttribute("x", "Old")})


@pytest.mark.parametrize("version", [V1_0, V1_4])
def test_types_and_tags_of_2_x_stay_there(engine: Engine, version: Version) -> None:
    extended = CustomValue(ItemType.DATE_TIME_EXTENDED, 1_700_000_000_000_000)
    inside = CustomValue(ItemType.STRUCTURE, ((int(Tag.QUANTUM_SAFE), int(ItemType.BOOLEAN), True),))
    deep = CustomValue(ItemType.STRUCTURE, ((0x540001, int(ItemType.DATE_TIME_EXTENDED), 1),))
    given = [vendor("x", name, value) for name, value in (("A", extended), ("B", inside), ("C", deep))]
    uid = engine.call(Operation.CREATE, create(*given), version=V2_1).unique_identifier
    assert shown(engine, uid, version)[1] == set()
    assert shown(engine, uid, V2_1)[1] == {each.key for each in given}
