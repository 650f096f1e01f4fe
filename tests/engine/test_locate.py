"""Locate: exact, complete, newest first, and never everything where a filter was meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmip_server.engine.context import Policy
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_set import Attribute
from kmip_server.protocol.attribute_values import (
    AlternativeName,
    ApplicationSpecificInformation,
    Link,
)
from kmip_server.protocol.enums import (
    AlternativeNameType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ItemType,
    LinkType,
    ObjectGroupMember,
    ObjectType,
    Operation,
    ResultReason,
    ResultStatus,
    State,
)
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_0, V1_1, V1_4
from tests.support.engine import SERVED, Engine, Refused, child, request_message
from tests.support.requests import A, M, attribute, create, create_key_pair, custom, name


def located(engine: Engine, *attributes: Attribute, principal: str = "one", **options: Any) -> tuple[str, ...]:
    request = LocateRequest(attributes=attributes, **options)
    found: tuple[str, ...] = engine.call(Operation.LOCATE, request, principal=principal).unique_identifiers
    return found


def make(engine: Engine, *attributes: Attribute, **options: Any) -> str:
    engine.clock.advance(1)
    uid: str = engine.call(Operation.CREATE, create(*attributes, **options)).unique_identifier
    return uid


ASI = ApplicationSpecificInformation(application_namespace="ssl", application_data="host")
ONE_OF_EACH = [
    name("the name"),
    attribute(Tag.OBJECT_GROUP, "the group"),
    attribute(Tag.OBJECT_GROUP, ""),
    attribute(Tag.CONTACT_INFORMATION, "somebody"),
    attribute(Tag.APPLICATION_SPECIFIC_INFORMATION, ASI),
    attribute(
        Tag.ALTERNATIVE_NAME,
        AlternativeName(alternative_name_value="alt", alternative_name_type=AlternativeNameType.URI),
    ),
    attribute(Tag.LINK, Link(link_type=LinkType.PARENT_LINK, linked_object_identifier="parent")),
    attribute(Tag.OPERATION_POLICY_NAME, "default"),
    custom("x-NETAPP-ClusterName", "cluster"),
    custom("x-Count", 5, ItemType.INTEGER),
    custom("x-When", 1_700_000_000, ItemType.DATE_TIME),
    attribute(Tag.DESCRIPTION, "not indexed"),
    attribute(Tag.ACTIVATION_DATE, 1_600_000_000),
]


@pytest.mark.parametrize("wanted", ONE_OF_EACH, ids=lambda a: a.key.title)
def test_by_any_attribute(engine: Engine, wanted: Attribute) -> None:
    make(engine)
    uid = make(engine, wanted)
    make(engine)
    assert located(engine, wanted) == (uid,)


@pytest.mark.parametrize(
    "wanted",
    [
        attribute(Tag.STATE, State.PRE_ACTIVE),
        attribute(Tag.OBJECT_TYPE, ObjectType.SYMMETRIC_KEY),
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
        attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.ENCRYPT),
    ],
    ids=lambda a: a.key.title,
)
def test_by_what_every_object_has(engine: Engine, wanted: Attribute) -> None:
    private = engine.call(Operation.CREATE_KEY_PAIR, create_key_pair(A.EC, 256)).private_key_unique_identifier
    engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=private))
    make(engine, length=128, mask=M.SIGN, algorithm=A.HMAC_SHA256)
    uid = make(engine, mask=M.ENCRYPT | M.DECRYPT)
    assert uid in located(engine, wanted)
    assert private not in located(engine, wanted, attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.ENCRYPT))


def test_names_are_matched_exactly(engine: Engine) -> None:
    encryption, authentication = make(engine, name("vpn-tunnel-enc")), make(engine, name("vpn-tunnel-auth"))
    assert located(engine, name("vpn-tunnel-enc")) == (encryption,)
    assert located(engine, name("vpn-tunnel-auth")) == (authentication,)
    assert located(engine, name("vpn-tunnel")) == ()


def test_an_attribute_nobody_has_matches_nothing(engine: Engine) -> None:
    make(engine)
    misspelt = (
        Tag.ATTRIBUTE,
        ttlv.STRUCTURE,
        [
            (Tag.ATTRIBUTE_NAME, ttlv.TEXT_STRING, "Cryptographic Algoritm"),
            (Tag.ATTRIBUTE_VALUE, ttlv.ENUMERATION, 3),
        ],
    )
    payload = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [misspelt])
    response = engine.exchange(request_message(V1_4, [(int(Operation.LOCATE), payload, None)]))
    assert child(response, Tag.BATCH_ITEM, Tag.RESULT_STATUS) == ResultStatus.SUCCESS
    assert child(response, Tag.BATCH_ITEM, Tag.RESPONSE_PAYLOAD) == []
    assert located(engine, custom("x-Absent", "value")) == ()


def test_without_attributes_everything_of_ones_own_newest_first(engine: Engine) -> None:
    made = [make(engine) for _ in range(3)]
    assert located(engine) == tuple(reversed(made))
    assert located(engine, principal="two") == ()
    assert located(engine, principal="nobody") == ()


def test_pages_until_an_empty_one(engine: Engine) -> None:
    group = attribute(Tag.OBJECT_GROUP, "paged")
    made = [make(engine, group) for _ in range(5)]
    pages = [located(engine, group, maximum_items=2, offset_items=at) for at in range(0, 8, 2)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert [uid for page in pages for uid in page] == made[::-1]


def test_offset_items_in_an_old_version_is_honoured(engine: Engine) -> None:
    made = [make(engine) for _ in range(3)]
    payload = (
        Tag.REQUEST_PAYLOAD,
        ttlv.STRUCTURE,
        [(Tag.MAXIMUM_ITEMS, ttlv.INTEGER, 16), (Tag.OFFSET_ITEMS, ttlv.INTEGER, 2)],
    )
    response = engine.exchange(request_message(V1_0, [(int(Operation.LOCATE), payload, None)]))
    answer = child(response, Tag.BATCH_ITEM, Tag.RESPONSE_PAYLOAD)
    # The identifiers and nothing else: Located Items would make an old client read on for ever.
    assert [(tag, value) for tag, _, value in answer] == [(Tag.UNIQUE_IDENTIFIER, made[0])]


def test_a_template_attribute_in_a_locate_is_a_filter(engine: Engine) -> None:
    uid = make(engine, name("inside"))
    make(engine, name("another"))
    inner = LocateRequest(attributes=(name("inside"),))
    from kmip_server.protocol.codec import encode_structure

    attributes = encode_structure(inner, V1_0)[2]
    payload = (
        Tag.REQUEST_PAYLOAD,
        ttlv.STRUCTURE,
        [(Tag.MAXIMUM_ITEMS, ttlv.INTEGER, 1), (Tag.TEMPLATE_ATTRIBUTE, ttlv.STRUCTURE, attributes)],
    )
    response = engine.exchange(request_message(V1_0, [(int(Operation.LOCATE), payload, None)]))
    answer = child(response, Tag.BATCH_ITEM, Tag.RESPONSE_PAYLOAD)
    assert [value for _, _, value in answer] == [uid]


def test_part_of_a_structure_is_enough(engine: Engine) -> None:
    uid = make(engine, attribute(Tag.LINK, Link(link_type=LinkType.PARENT_LINK, linked_object_identifier="p")))
    part = (Tag.ATTRIBUTE_VALUE, ttlv.STRUCTURE, [(Tag.LINKED_OBJECT_IDENTIFIER, ttlv.TEXT_STRING, "p")])
    wanted = (Tag.ATTRIBUTE, ttlv.STRUCTURE, [(Tag.ATTRIBUTE_NAME, ttlv.TEXT_STRING, "Link"), part])
    payload = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [wanted])
    response = engine.exchange(request_message(V1_4, [(int(Operation.LOCATE), payload, None)]))
    assert child(response, Tag.BATCH_ITEM, Tag.RESPONSE_PAYLOAD, Tag.UNIQUE_IDENTIFIER) == uid


def test_dates_alone_and_in_ranges(engine: Engine) -> None:
    first, second = make(engine), make(engine)
    made = engine.clock.now()
    assert located(engine, attribute(Tag.INITIAL_DATE, made)) == (second,)
    both = (attribute(Tag.INITIAL_DATE, made), attribute(Tag.INITIAL_DATE, made - 1))
    assert located(engine, *both) == (second, first)
    undefined = attribute(Tag.DEACTIVATION_DATE, 0x7FFFFFFFFFFFFFFF)
    assert located(engine, undefined) == (second, first)


def test_fresh_members_of_a_group(engine: Engine) -> None:
    group = attribute(Tag.OBJECT_GROUP, "fresh")
    used, fresh = make(engine, group), make(engine, group)
    engine.call(Operation.GET, GetRequest(unique_identifier=used))
    found = engine.call(
        Operation.LOCATE,
        LocateRequest(object_group_member=ObjectGroupMember.GROUP_MEMBER_FRESH, attributes=(group,)),
        version=V1_1,
    )
    assert found.unique_identifiers == (fresh,)


def test_destroyed_objects_are_found_only_when_asked_for(engine: Engine) -> None:
    uid = make(engine)
    engine.call(Operation.DESTROY, DestroyRequest(unique_identifier=uid))
    assert located(engine) == ()
    assert located(engine, attribute(Tag.STATE, State.DESTROYED)) == (uid,)


def test_more_than_the_server_lists_is_refused_not_cut(tmp_path: Any) -> None:
    engine = Engine(tmp_path, Policy(served=SERVED, max_locate_items=2))
    for _ in range(3):
        make(engine)
    with pytest.raises(Refused) as refused:
        located(engine)
    assert refused.value.reason == ResultReason.GENERAL_FAILURE
    assert len(located(engine, maximum_items=2)) == 2
    engine.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1, max_size=40), other=st.text(min_size=1, max_size=40))
def test_any_text_is_found_again_and_nothing_else(engine: Engine, text: str, other: str) -> None:
    title = f"x-{engine.clock.identifier()}"
    uid = make(engine, custom(title, text))
    assert located(engine, custom(title, text)) == (uid,)
    if other != text:
        assert located(engine, custom(title, other)) == ()
