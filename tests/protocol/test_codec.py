"""Every declared structure, in every version: what is written comes back, and nothing a version lacks is written."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmip_server.engine import operations  # noqa: F401 - declares every structure
from kmip_server.errors import CodecError, DuplicateField, KmipError, MissingData, UnknownTag
from kmip_server.protocol import attribute_values as av
from kmip_server.protocol import objects, spellings, storage, ttlv
from kmip_server.protocol.attribute_set import Attribute, AttributeSet
from kmip_server.protocol.codec import decode_structure, encode_structure
from kmip_server.protocol.messages import MalformedMessage, decode_request
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.schema import declared, structures
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_0, V1_2, V1_4, V2_1, Version
from tests.support.engine import SERVED, request_message
from tests.support.requests import create, custom, name
from tests.support.structures import Structures


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
    @given(Structures(version).instances(cls))
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
@given(st.lists(Structures(V1_4).attributes() | Structures(V2_1).attributes(), max_size=8))
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
