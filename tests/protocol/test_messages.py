"""A header that was read lately is known by its bytes; it says then what it said before, and nothing secret is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kmip_server.errors import CodecError
from kmip_server.protocol import messages, ttlv
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import CredentialType, Operation
from kmip_server.protocol.messages import (
    Authentication,
    Credential,
    MalformedMessage,
    ProtocolVersion,
    RequestHeader,
    UsernameAndPassword,
    decode_request,
)
from kmip_server.protocol.payloads.discovery import QueryRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import ENUMERATION, STRUCTURE, Item
from kmip_server.protocol.versions import SERVED, V1_2, V1_4, V2_1, Version


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    messages._HEADERS.clear()
    yield
    messages._HEADERS.clear()


def message(version: Version, items: int = 1, **header: object) -> bytes:
    numbers = ProtocolVersion(protocol_version_major=version.major, protocol_version_minor=version.minor)
    made = RequestHeader(
        protocol_version=encode_structure(numbers, version),
        batch_count=header.pop("batch_count", items),  # type: ignore[arg-type]
        **header,  # type: ignore[arg-type]
    )
    payload: Item = encode_structure(QueryRequest(), version, Tag.REQUEST_PAYLOAD)
    item: Item = (Tag.BATCH_ITEM, STRUCTURE, [(Tag.OPERATION, ENUMERATION, int(Operation.QUERY)), payload])
    return ttlv.encode((Tag.REQUEST_MESSAGE, STRUCTURE, [encode_structure(made, version), *[item] * items]))


@pytest.mark.parametrize("version", SERVED)
def test_a_known_header_is_read_as_a_new_one(version: Version) -> None:
    data = message(version, 2, maximum_response_size=4096, batch_order_option=True)
    first = decode_request(data, SERVED)
    assert len(messages._HEADERS) == 1
    assert decode_request(data, SERVED) == first
    assert first.version == version
    assert first.header.maximum_response_size == 4096


def test_what_is_wrong_behind_a_known_header_is_still_found() -> None:
    good = message(V1_4)
    decode_request(good, SERVED)
    with pytest.raises(MalformedMessage, match="Batch Count"):
        decode_request(message(V1_4, 2, batch_count=1), SERVED)
    cut = good[:-8]
    with pytest.raises(MalformedMessage):
        decode_request(cut[:4] + (len(cut) - 8).to_bytes(4, "big") + cut[8:], SERVED)
    with pytest.raises(MalformedMessage) as refused:
        decode_request(good + bytes(8), SERVED)
    assert isinstance(refused.value.error, CodecError)
    assert refused.value.version == V1_4
    deep = b""
    for _ in range(ttlv.MAX_DEPTH):
        deep = ((Tag.BATCH_ITEM << 8) | STRUCTURE).to_bytes(4, "big") + len(deep).to_bytes(4, "big") + deep
    header = good[8 : 16 + int.from_bytes(good[12:16], "big")]
    body = header + deep
    with pytest.raises(MalformedMessage, match="nested too deeply"):
        decode_request(good[:4] + len(body).to_bytes(4, "big") + body, SERVED)


def test_as_deep_behind_a_known_header_as_behind_a_new_one() -> None:
    good = message(V1_4)
    header = good[8 : 16 + int.from_bytes(good[12:16], "big")]
    told = []
    for _ in range(2):
        for depth in (ttlv.MAX_DEPTH - 1, ttlv.MAX_DEPTH):
            deep = b""
            for _ in range(depth):
                deep = ((Tag.BATCH_ITEM << 8) | STRUCTURE).to_bytes(4, "big") + len(deep).to_bytes(4, "big") + deep
            body = header + deep
            data = good[:4] + len(body).to_bytes(4, "big") + body
            try:
                decode_request(data, SERVED)
                told.append((depth, "read"))
            except MalformedMessage as error:
                told.append((depth, error.error.message))
        decode_request(good, SERVED)
    assert told[:2] == told[2:]


def test_a_version_that_is_not_served_is_not_known_from_elsewhere() -> None:
    data = message(V2_1)
    decode_request(data, SERVED)
    with pytest.raises(MalformedMessage, match="not served"):
        decode_request(data, (V1_4, V1_2))


def test_no_header_is_kept_that_holds_a_secret_or_says_something_of_its_message() -> None:
    value = encode_structure(UsernameAndPassword(username="someone", password="hidden"), V1_4)
    credential = Credential(credential_type=CredentialType.USERNAME_AND_PASSWORD, credential_value=value)
    for header in (
        {"authentication": Authentication(credentials=(credential,))},
        {"time_stamp": 1_700_000_000},
        {"client_correlation_value": "mine"},
        {"server_correlation_value": "yours"},
    ):
        decode_request(message(V1_4, **header), SERVED)  # type: ignore[arg-type]
    assert not messages._HEADERS


def test_there_is_an_end_to_what_is_kept() -> None:
    for size in range(2 * messages._HEADERS_KEPT):
        decode_request(message(V1_4, maximum_response_size=size), SERVED)
        assert len(messages._HEADERS) <= messages._HEADERS_KEPT
