"""Links and the Links back: made, changed and taken away together, and never on what is not the client's."""

from __future__ import annotations

import pytest

from kmip_server.engine import links
from kmip_server.protocol.attribute_set import Attribute
from kmip_server.protocol.attribute_values import Link
from kmip_server.protocol.enums import (
    BatchErrorContinuationOption,
    LinkType,
    ObjectType,
    Operation,
    ResultReason,
    UniqueIdentifierEnumeration,
)
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    DeleteAttributeRequest,
    GetAttributesRequest,
    ModifyAttributeRequest,
    SetAttributeRequest,
)
from kmip_server.protocol.payloads.lifecycle import DestroyRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_2, V1_4, V2_1, Version
from tests.support.engine import Engine, Refused
from tests.support.objects import registered
from tests.support.requests import create

L, T = LinkType, ObjectType
ABSENT = "ffffffff-0000-4000-8000-000000000000"


def link(link_type: LinkType, uid: object, index: int | None = None) -> Attribute:
    return Attribute(Tag.LINK, index, Link(link_type=link_type, linked_object_identifier=uid))  # type: ignore[arg-type]


def make(engine: Engine, object_type: ObjectType, *given: Attribute, principal: str = "one") -> str:
    request = registered(object_type, *given)
    made: str = engine.call(Operation.REGISTER, request, version=V1_4, principal=principal).unique_identifier
    return made


def add(engine: Engine, uid: str, given: Attribute, *, version: Version = V1_4, principal: str = "one") -> object:
    request = AddAttributeRequest(unique_identifier=uid, attribute=given)
    return engine.call(Operation.ADD_ATTRIBUTE, request, version=version, principal=principal)


def of(engine: Engine, uid: str, principal: str = "one") -> set[tuple[LinkType, str]]:
    request = GetAttributesRequest(unique_identifier=uid, attribute_names=(Tag.LINK,))
    values = [
        a.value
        for a in engine.call(Operation.GET_ATTRIBUTES, request, version=V2_1, principal=principal).attributes
    ]
    assert len(set(values)) == len(values), "a Link stands twice"
    return {(value.link_type, value.linked_object_identifier) for value in values}


def last_record(engine: Engine) -> str:
    row = engine.connect().execute("SELECT record FROM audit_records ORDER BY number DESC").fetchone()[0]
    return row.decode() if isinstance(row, bytes) else str(row)


PAIRS = [
    (T.PRIVATE_KEY, L.PUBLIC_KEY_LINK, T.PUBLIC_KEY, L.PRIVATE_KEY_LINK),
    (T.PUBLIC_KEY, L.PRIVATE_KEY_LINK, T.PRIVATE_KEY, L.PUBLIC_KEY_LINK),
    (T.CERTIFICATE, L.PUBLIC_KEY_LINK, T.PUBLIC_KEY, L.CERTIFICATE_LINK),
    (T.PUBLIC_KEY, L.CERTIFICATE_LINK, T.CERTIFICATE, L.PUBLIC_KEY_LINK),
    (T.SYMMETRIC_KEY, L.DERIVATION_BASE_OBJECT_LINK, T.SECRET_DATA, L.DERIVED_KEY_LINK),
    (T.SYMMETRIC_KEY, L.DERIVED_KEY_LINK, T.SECRET_DATA, L.DERIVATION_BASE_OBJECT_LINK),
    (T.SYMMETRIC_KEY, L.REPLACEMENT_OBJECT_LINK, T.SYMMETRIC_KEY, L.REPLACED_OBJECT_LINK),
    (T.CERTIFICATE, L.REPLACED_OBJECT_LINK, T.CERTIFICATE, L.REPLACEMENT_OBJECT_LINK),
    (T.SYMMETRIC_KEY, L.PARENT_LINK, T.OPAQUE_OBJECT, L.CHILD_LINK),
    (T.OPAQUE_OBJECT, L.CHILD_LINK, T.PGP_KEY, L.PARENT_LINK),
    (T.SPLIT_KEY, L.PREVIOUS_LINK, T.SPLIT_KEY, L.NEXT_LINK),
    (T.SPLIT_KEY, L.NEXT_LINK, T.SPLIT_KEY, L.PREVIOUS_LINK),
]
ONE_WAY = [
    (T.CERTIFICATE, L.CERTIFICATE_LINK, T.CERTIFICATE),
    (T.PRIVATE_KEY, L.CERTIFICATE_LINK, T.CERTIFICATE),
    (T.SYMMETRIC_KEY, L.PUBLIC_KEY_LINK, T.PUBLIC_KEY),
    (T.PRIVATE_KEY, L.PKCS_12_CERTIFICATE_LINK, T.CERTIFICATE),
    (T.PRIVATE_KEY, L.PKCS_12_PASSWORD_LINK, T.SECRET_DATA),
]
IDS = [f"{here.title}-{way.title}-{there.title}" for here, way, there, _ in PAIRS]


@pytest.mark.parametrize(("here", "way", "there", "back"), PAIRS, ids=IDS)
def test_a_link_leads_back(
    engine: Engine, here: ObjectType, way: LinkType, there: ObjectType, back: LinkType
) -> None:
    other = make(engine, there)
    # Given with the object, and added to it.
    one = make(engine, here, link(way, other))
    assert of(engine, one) == {(way, other)}
    assert of(engine, other) == {(back, one)}
    request = DeleteAttributeRequest(unique_identifier=one, attribute_name="Link")
    engine.call(Operation.DELETE_ATTRIBUTE, request)
    assert of(engine, one) == of(engine, other) == set()
    add(engine, one, link(way, other))
    assert (of(engine, one), of(engine, other)) == ({(way, other)}, {(back, one)})
    # And the other end is found by it.
    for found, by in ((other, link(back, one)), (one, link(way, other))):
        asked = LocateRequest(attributes=(by,))
        assert engine.call(Operation.LOCATE, asked).unique_identifiers == (found,)
    # From the other side it is the same Link.
    request = DeleteAttributeRequest(unique_identifier=other, attribute_name="Link")
    engine.call(Operation.DELETE_ATTRIBUTE, request)
    assert of(engine, one) == of(engine, other) == set()


def test_the_table_has_every_type_of_link() -> None:
    ways = {way for _, way, _, _ in PAIRS} | {way for _, way, _ in ONE_WAY} | {L.WRAPPING_KEY_LINK}
    assert ways == set(LinkType)
    for here, way, there, back in PAIRS:
        assert links.inverse(way, here, there) == back
        assert links.inverse(back, there, here) == way


@pytest.mark.parametrize(("here", "way", "there"), ONE_WAY)
def test_some_links_lead_one_way(engine: Engine, here: ObjectType, way: LinkType, there: ObjectType) -> None:
    other = make(engine, there)
    one = make(engine, here, link(way, other))
    assert of(engine, one) == {(way, other)}
    assert of(engine, other) == set()


def test_a_modified_link_moves_the_link_back(engine: Engine) -> None:
    first, second = make(engine, T.OPAQUE_OBJECT), make(engine, T.OPAQUE_OBJECT)
    one = make(engine, T.SYMMETRIC_KEY, link(L.PARENT_LINK, first))
    request = ModifyAttributeRequest(unique_identifier=one, attribute=link(L.PARENT_LINK, second))
    answer = engine.call(Operation.MODIFY_ATTRIBUTE, request, version=V1_4)
    assert answer.attribute.value.linked_object_identifier == second
    assert of(engine, first) == set()
    assert of(engine, second) == {(L.CHILD_LINK, one)}
    changed = ModifyAttributeRequest(
        unique_identifier=one,
        current_attribute=link(L.PARENT_LINK, second),
        attribute=link(L.PREVIOUS_LINK, second),
    )
    engine.call(Operation.MODIFY_ATTRIBUTE, changed, version=V2_1)
    assert of(engine, second) == {(L.NEXT_LINK, one)}
    request_ = SetAttributeRequest(unique_identifier=one, attribute=link(L.NEXT_LINK, first))
    engine.call(Operation.SET_ATTRIBUTE, request_, version=V2_1)
    assert of(engine, one) == {(L.NEXT_LINK, first)}
    assert of(engine, second) == set()
    assert of(engine, first) == {(L.PREVIOUS_LINK, one)}


def test_only_the_link_that_goes_takes_its_link_back_along(engine: Engine) -> None:
    parent = make(engine, T.OPAQUE_OBJECT)
    children = [make(engine, T.SYMMETRIC_KEY, link(L.PARENT_LINK, parent)) for _ in range(3)]
    add(engine, children[0], link(L.NEXT_LINK, children[1]))
    engine.call(
        Operation.DELETE_ATTRIBUTE,
        DeleteAttributeRequest(unique_identifier=children[0], attribute_name="Link", attribute_index=0),
    )
    assert of(engine, children[0]) == {(L.NEXT_LINK, children[1])}
    assert of(engine, children[1]) == {(L.PARENT_LINK, parent), (L.PREVIOUS_LINK, children[0])}
    assert of(engine, parent) == {(L.CHILD_LINK, children[1]), (L.CHILD_LINK, children[2])}
    # 2.x takes all Links at once by a reference.
    request = DeleteAttributeRequest(unique_identifier=children[1], attribute_references=(Tag.LINK,))
    engine.call(Operation.DELETE_ATTRIBUTE, request, version=V2_1)
    assert of(engine, children[0]) == set()
    assert of(engine, parent) == {(L.CHILD_LINK, children[2])}


@pytest.mark.parametrize("version", [V1_2, V1_4, V2_1])
def test_saying_what_the_server_has_said_already_is_a_success(engine: Engine, version: Version) -> None:
    """The official case AX-M-1 says both ends."""
    one, other = make(engine, T.SYMMETRIC_KEY), make(engine, T.SYMMETRIC_KEY)
    add(engine, one, link(L.NEXT_LINK, other), version=version)
    add(engine, other, link(L.PREVIOUS_LINK, one), version=version)
    add(engine, one, link(L.NEXT_LINK, other), version=version)
    assert of(engine, one) == {(L.NEXT_LINK, other)}
    assert of(engine, other) == {(L.PREVIOUS_LINK, one)}


def test_a_chain_has_no_end_to_run_to(engine: Engine) -> None:
    """Links back make no further Links: a ring stays as it was drawn."""
    ring = [make(engine, T.SYMMETRIC_KEY) for _ in range(4)]
    for number, uid in enumerate(ring):
        add(engine, uid, link(L.NEXT_LINK, ring[(number + 1) % 4]))
    for number, uid in enumerate(ring):
        assert of(engine, uid) == {(L.NEXT_LINK, ring[(number + 1) % 4]), (L.PREVIOUS_LINK, ring[number - 1])}
    add(engine, ring[0], link(L.PARENT_LINK, ring[0]))
    assert (L.CHILD_LINK, ring[0]) not in of(engine, ring[0])


@pytest.mark.parametrize("owner", ["two", "elsewhere"])
def test_a_link_to_somebody_elses_object_tells_nothing(engine: Engine, owner: str) -> None:
    theirs = make(engine, T.OPAQUE_OBJECT, principal=owner)
    one = make(engine, T.SYMMETRIC_KEY)
    answers = []
    for target in (theirs, ABSENT):
        answer = add(engine, one, link(L.PARENT_LINK, target))
        answers.append((type(answer), answer.attribute.value.link_type))  # type: ignore[attr-defined]
        record = last_record(engine)
        assert one in record
        assert target not in record
    assert answers[0] == answers[1]
    assert of(engine, one) == {(L.PARENT_LINK, theirs), (L.PARENT_LINK, ABSENT)}
    assert of(engine, theirs, owner) == set()
    made = make(engine, T.SYMMETRIC_KEY, link(L.PARENT_LINK, theirs), link(L.PARENT_LINK, ABSENT))
    record = last_record(engine)
    assert made in record
    assert theirs not in record
    # Nor does taking the Link away touch what its owner has linked.
    add(engine, theirs, link(L.CHILD_LINK, one), principal=owner)
    request = DeleteAttributeRequest(unique_identifier=one, attribute_references=(Tag.LINK,))
    engine.call(Operation.DELETE_ATTRIBUTE, request, version=V2_1)
    assert theirs not in last_record(engine)
    assert of(engine, theirs, owner) == {(L.CHILD_LINK, one)}
    assert of(engine, one) == set()


def test_the_record_names_what_was_changed_on_the_other_side(engine: Engine) -> None:
    parent, one = make(engine, T.OPAQUE_OBJECT), make(engine, T.SYMMETRIC_KEY)
    add(engine, one, link(L.PARENT_LINK, parent))
    assert f"{one} {parent}" in last_record(engine)


def test_destroy_changes_no_link(engine: Engine) -> None:
    """KMIP 1.4 §3: a server deletes no attribute without a client's request."""
    parent = make(engine, T.OPAQUE_OBJECT)
    one = make(engine, T.SYMMETRIC_KEY, link(L.PARENT_LINK, parent))
    engine.call(Operation.DESTROY, DestroyRequest(unique_identifier=one))
    assert of(engine, parent) == {(L.CHILD_LINK, one)}
    assert of(engine, one) == {(L.PARENT_LINK, parent)}


def test_there_is_one_replacement(engine: Engine) -> None:
    old, first, second = (make(engine, T.SYMMETRIC_KEY) for _ in range(3))
    add(engine, old, link(L.REPLACEMENT_OBJECT_LINK, first))
    for uid, given in (
        (old, link(L.REPLACEMENT_OBJECT_LINK, second)),
        (second, link(L.REPLACED_OBJECT_LINK, old)),
    ):
        with pytest.raises(Refused) as refused:
            add(engine, uid, given)
        assert refused.value.reason == ResultReason.INVALID_FIELD
    assert of(engine, old) == {(L.REPLACEMENT_OBJECT_LINK, first)}
    assert of(engine, first) == {(L.REPLACED_OBJECT_LINK, old)}
    assert of(engine, second) == set()


def test_links_within_a_batch(engine: Engine) -> None:
    """An item links to what an earlier one made; under Undo neither end stays."""
    parent = make(engine, T.OPAQUE_OBJECT)
    good = (Operation.CREATE, create(link(L.PARENT_LINK, parent)))
    to_it = AddAttributeRequest(
        unique_identifier=parent, attribute=link(L.NEXT_LINK, UniqueIdentifierEnumeration.CREATE)
    )
    bad = (Operation.DESTROY, DestroyRequest(unique_identifier=ABSENT))
    for last, expected in ((bad, 0), (None, 2)):
        requests = [good, (Operation.ADD_ATTRIBUTE, to_it), *([last] if last else [])]
        engine.batch(V2_1, requests, option=BatchErrorContinuationOption.UNDO)
        assert len(of(engine, parent)) == expected
    ((_, child_uid),) = {each for each in of(engine, parent) if each[0] == L.CHILD_LINK}
    assert of(engine, child_uid) == {(L.PARENT_LINK, parent), (L.PREVIOUS_LINK, parent)}


def test_a_full_object_gets_no_more_links_back(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_LINKED_BACK", 2)
    parent = make(engine, T.OPAQUE_OBJECT)
    children = [make(engine, T.SYMMETRIC_KEY, link(L.PARENT_LINK, parent)) for _ in range(3)]
    assert of(engine, parent) == {(L.CHILD_LINK, uid) for uid in children[:2]}
    asked = LocateRequest(attributes=(link(L.PARENT_LINK, parent),))
    assert set(engine.call(Operation.LOCATE, asked).unique_identifiers) == set(children)


def test_a_template_gets_no_link_in_1_x(engine: Engine) -> None:
    template_uid = make(engine, T.TEMPLATE)
    one = make(engine, T.SYMMETRIC_KEY, link(L.PARENT_LINK, template_uid))
    assert of(engine, one) == {(L.PARENT_LINK, template_uid)}
    assert of(engine, template_uid) == set()
