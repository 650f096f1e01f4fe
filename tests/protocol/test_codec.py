"""Every declared structure, in every version: what is written comes back, and nothing a version lacks is written."""

from __future__ import annotations

import dataclasses
from enum import IntFlag
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmip_server.engine import operations  # noqa: F401 - declares every structure
from kmip_server.errors import CodecError, DuplicateField, KmipError, MissingData, UnknownTag
from kmip_server.protocol import attribute_values as av
from kmip_server.protocol import objects, spellings, storage, ttlv
from kmip_server.protocol.attribute_set import Attribute, AttributeSet, VendorAttribute
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.codec import decode_structure, encode_structure
from kmip_server.protocol.enums import MASK_BITS, DataEnumeration, ItemType, UniqueIdentifierEnumeration
from kmip_server.protocol.messages import MalformedMessage, decode_request
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.registered import Registered
from kmip_server.protocol.schema import FieldRow, NthData, NthIdentifier, declared, is_structure, structures
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_0, V1_2, V1_4, V2_1, Version
from tests.support.engine import SERVED, request_message
from tests.support.requests import create, custom, name

_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(1 << 31), (1 << 31) - 1),
    str: st.text(max_size=20),
    bytes: st.binary(max_size=20),
    bool: st.booleans(),
    ItemType.LONG_INTEGER: st.integers(-(1 << 63), (1 << 63) - 1),
    ItemType.BIG_INTEGER: st.integers(-(1 << 100), 1 << 100),
    ItemType.DATE_TIME: st.integers(0, 1 << 62),
    ItemType.INTERVAL: st.integers(0, (1 << 32) - 1),
    ItemType.ENUMERATION: st.integers(0x80000000, (1 << 32) - 1),
    "reference": st.text(max_size=20),
    "data": st.binary(max_size=20),
    "item": st.tuples(st.just(0x42000B), st.just(ttlv.INTEGER), st.integers(0, 5)),
}


def values(kind: Any, version: Version) -> st.SearchStrategy[Any]:
    """Values of a kind that `version` knows."""
    if is_structure(kind):
        return instances(kind, version)
    if isinstance(kind, type) and issubclass(kind, Registered):
        return st.sampled_from([member for member in kind if member.known_in(version)] or list(kind))
    if isinstance(kind, type) and issubclass(kind, IntFlag):
        bits = MASK_BITS[kind][version]
        return st.integers(0, 0xFFFFFFFF).map(lambda value: kind(value & bits))
    if kind == "reference" and version.major > 1:
        named = st.sampled_from(list(UniqueIdentifierEnumeration))
        return st.one_of(_SCALARS[kind], named, st.integers(-9, 9).map(NthIdentifier))
    if kind == "data" and version.major > 1:
        named_data = st.sampled_from(list(DataEnumeration))
        return st.one_of(_SCALARS[kind], named_data, st.integers(-9, 9).map(NthData))
    return _SCALARS[kind]


def attributes(version: Version) -> st.SearchStrategy[Attribute]:
    rows = [row for row in ATTRIBUTES.values() if row.known_in(version)]
    standard = st.sampled_from(rows).flatmap(
        lambda row: values(row.kind, version).map(lambda value: Attribute(row.tag, None, value))
    )
    vendor = st.builds(
        lambda title, text: Attribute(
            VendorAttribute("x", title), None, av.CustomValue(ItemType.TEXT_STRING, text)
        ),
        st.text("abc", min_size=1, max_size=5),
        st.text(max_size=10),
    )
    return st.one_of(standard, vendor).filter(lambda a: spellings.writable(a, version))


def _template(version: Version) -> st.SearchStrategy[Any]:
    names = st.lists(values(av.Name, version), max_size=2) if version.major == 1 else st.just([])
    return st.builds(
        lambda n, a: spellings.TemplateAttribute(names=tuple(n), attributes=tuple(a)),
        names,
        st.lists(attributes(version), max_size=3),
    )


def _key_value(version: Version) -> st.SearchStrategy[Any]:
    material = st.binary(max_size=16)
    return st.one_of(material, st.builds(lambda m: objects.KeyValue(key_material=m), material))


_MANAGED = [objects.SymmetricKey, objects.Certificate, objects.OpaqueObject, objects.SecretData, objects.PrivateKey]
_KEYS = st.sampled_from([Tag.NAME, Tag.STATE, Tag.OBJECT_GROUP, VendorAttribute("x", "a")])


def spelled(row: FieldRow, version: Version) -> st.SearchStrategy[Any]:
    spelling = (row.spellings or {})[version.major]
    kind = type(spelling).__name__
    many = st.lists(attributes(version), min_size=1, max_size=3).map(tuple)
    made: dict[str, st.SearchStrategy[Any]] = {
        "_Template": _template(version),
        "_AttributesOrTemplate": _template(version),
        "_Repeated": many,
        "_Attributes": many,
        "_Single": attributes(version),
        "_Names": st.lists(_KEYS, min_size=1, max_size=3).map(tuple),
        "_References": st.lists(_KEYS, min_size=1, max_size=3).map(tuple),
        "_NamesOrReferences": st.lists(_KEYS, min_size=1, max_size=3).map(tuple),
        "_KeyValueSpelling": _key_value(version),
        "_ManagedObjectSpelling": st.sampled_from(_MANAGED).flatmap(lambda cls: instances(cls, version)),
    }
    return made[kind]


def instances(cls: type, version: Version) -> st.SearchStrategy[Any]:
    """A structure with whatever fields `version` has."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for row in declared(cls)[1]:
        in_version = row.since <= version and (row.until is None or version <= row.until)
        in_version = in_version and (row.spellings is None or version.major in row.spellings)
        if not in_version and not row.required:
            continue
        value = spelled(row, version) if row.spellings else values(row.kind, version)
        if row.repeated and not row.spellings:
            value = st.lists(value, max_size=3).map(tuple)
        elif not row.required:
            value = st.none() | value if not row.repeated else value
        fields[row.name] = value
    return st.builds(cls, **fields)


def _exists(cls: type, version: Version) -> bool:
    """Whether the version has the structure: its tag, and every field that must stand."""
    tag, rows = declared(cls)
    tags = [tag, *(row.tag for row in rows if row.required)]
    known = all(Tag(each).known_in(version) for each in tags)  # type: ignore[call-arg]
    return known and all(row.since <= version for row in rows if row.required)


# These are written by hand in `spellings.py` and `messages.py`, not from their declaration alone.
_ELSEWHERE = {
    "_NamedAttribute",
    "_VendorAttribute",
    "Credential",
    "MessageExtension",
    "RequestBatchItem",
    "ResponseBatchItem",
    "RequestHeader",
}
STRUCTURES = sorted((cls for cls in structures() if cls.__name__ not in _ELSEWHERE), key=lambda cls: cls.__name__)


@pytest.mark.parametrize("version", list(Version), ids=str)
@pytest.mark.parametrize("cls", STRUCTURES, ids=lambda cls: cls.__name__)
def test_every_structure_round_trips_in_every_version(cls: type, version: Version) -> None:
    if not _exists(cls, version):
        return

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(instances(cls, version))
    def round_trip(value: Any) -> None:
        item = encode_structure(value, version)
        data = ttlv.encode(item)
        again = decode_structure(cls, ttlv.decode(data), version)
        assert ttlv.encode(encode_structure(again, version)) == data
        _check_known(item, version)

    round_trip()


def _check_known(item: Item, version: Version) -> None:
    """No tag leaves that the version does not know."""
    tag, kind, value = item
    row = Tag._value2member_map_.get(tag)
    assert isinstance(row, Tag)
    assert row.known_in(version), f"{row.title} left in KMIP {version}"
    if kind == ttlv.STRUCTURE:
        for inner in value:
            _check_known(inner, version)


def test_fields_in_any_order_are_read_and_written_in_the_standards() -> None:
    request = create(name("ordered"))
    item = encode_structure(request, V1_2)
    shuffled: Item = (item[0], item[1], list(reversed(item[2])))
    again = decode_structure(type(request), shuffled, V1_2)
    assert again == request
    assert encode_structure(again, V1_2) == item


def test_duplicates_unknown_and_missing_fields() -> None:
    uid: Item = (Tag.UNIQUE_IDENTIFIER, ttlv.TEXT_STRING, "u")
    alien: Item = (Tag.BATCH_COUNT, ttlv.INTEGER, 1)
    with pytest.raises(DuplicateField):
        decode_structure(GetRequest, (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [uid, uid]), V1_4)
    with pytest.raises(UnknownTag):
        decode_structure(GetRequest, (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [uid, alien]), V1_4)
    with pytest.raises(MissingData):
        decode_structure(av.Name, (Tag.NAME, ttlv.STRUCTURE, []), V1_4)
    with pytest.raises(CodecError, match="Unique Identifier must be of type Text String, not Integer"):
        wrong: Item = (Tag.UNIQUE_IDENTIFIER, ttlv.INTEGER, 1)
        decode_structure(GetRequest, (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [wrong]), V1_4)


def test_secret_fields_are_in_no_repr() -> None:
    secret = b"do not print me!"
    block = objects.KeyBlock(
        key_format_type=objects.KeyFormatType.RAW, key_value=objects.KeyValue(key_material=secret)
    )
    for value in (block, objects.SymmetricKey(key_block=block), objects.KeyValue(key_material=secret)):
        assert "print" not in repr(value)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_message_is_a_message_or_malformed(data: st.DataObject) -> None:
    items = [(1, encode_structure(create(name("n"), custom("x-a", "b")), V1_0), b"id")]
    message = bytearray(request_message(V1_0, items))
    for _ in range(data.draw(st.integers(1, 3))):
        message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        request = decode_request(bytes(message), SERVED)
    except MalformedMessage:
        return
    for item in request.batch_items:
        if hasattr(item, "request_payload"):
            try:
                decode_structure(type(create()), item.request_payload, request.version)
            except KmipError:
                continue


@settings(max_examples=50, deadline=None)
@given(st.lists(attributes(V1_4) | attributes(V2_1), max_size=8))
def test_storage_keeps_every_attribute_of_any_version(given_attributes: list[Attribute]) -> None:
    stored = AttributeSet(given_attributes)
    assert storage.from_storage(storage.to_storage(stored)) == stored


def test_both_spellings_are_one_set() -> None:
    given_attributes = (name("n"), custom("x-Any", "text"), Attribute(Tag.CRYPTOGRAPHIC_LENGTH, None, 256))
    template = spellings.TemplateAttribute(attributes=given_attributes)
    request = dataclasses.replace(create(), template_attribute=template)
    for version in (V1_0, V2_1):
        item = encode_structure(request, version)
        assert decode_structure(type(request), item, version) == request
