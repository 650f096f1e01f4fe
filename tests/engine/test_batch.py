"""Batches: order, ids, the ID Placeholder, what a failure does to the rest, and the size of the answer."""

from __future__ import annotations

import pytest

from kmip_server.protocol import ttlv
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    BatchErrorContinuationOption,
    Operation,
    ResultReason,
    ResultStatus,
)
from kmip_server.protocol.payloads.attributes import AddAttributeRequest, GetAttributesRequest
from kmip_server.protocol.payloads.discovery import QueryRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_0, V1_2, V1_4, V2_1, Version
from kmip_server.store import audit
from tests.support.engine import Engine, Refused, child, children, request_message, result_of
from tests.support.requests import create, custom, name

CONTINUE, STOP, UNDO = (
    BatchErrorContinuationOption.CONTINUE,
    BatchErrorContinuationOption.STOP,
    BatchErrorContinuationOption.UNDO,
)
ABSENT = GetRequest(unique_identifier="absent")


def statuses(items: list[Item]) -> list[ResultStatus]:
    return [ResultStatus.of(child(item, Tag.RESULT_STATUS)) for item in items]


def count(engine: Engine) -> int:
    return len(engine.call(Operation.LOCATE, LocateRequest()).unique_identifiers)


def test_ids_are_echoed_byte_for_byte_and_absent_ids_stay_absent(engine: Engine) -> None:
    payload = encode_structure(QueryRequest(), V1_2)
    ids = [b"QLKC0001", b"\x00" * 16, b"", None]
    items = [(int(Operation.QUERY), payload, each) for each in ids]
    response = engine.exchange(request_message(V1_2, items))
    echoed = [child(item, Tag.UNIQUE_BATCH_ITEM_ID) for item in children(response, Tag.BATCH_ITEM)]
    assert echoed == ids


def test_the_id_placeholder_goes_through_a_batch(engine: Engine) -> None:
    items = engine.batch(
        V1_0,
        [
            (Operation.CREATE, create(name("placed"))),
            (Operation.ACTIVATE, ActivateRequest()),
            (Operation.GET, GetRequest()),
            (Operation.GET_ATTRIBUTES, GetAttributesRequest(attribute_names=(Tag.STATE,))),
        ],
    )
    assert statuses(items) == [ResultStatus.SUCCESS] * 4
    made = result_of(items[0], V1_0).unique_identifier
    assert {result_of(item, V1_0).unique_identifier for item in items} == {made}


def test_locate_sees_what_the_batch_has_made(engine: Engine) -> None:
    items = engine.batch(
        V1_0,
        [
            (Operation.CREATE, create(name("seen"))),
            (Operation.LOCATE, LocateRequest(attributes=(name("seen"),))),
            (Operation.GET, GetRequest()),
        ],
    )
    assert statuses(items) == [ResultStatus.SUCCESS] * 3


def test_a_locate_that_is_not_exact_empties_the_placeholder(engine: Engine) -> None:
    for _ in range(2):
        engine.call(Operation.CREATE, create(custom("x-Group", "many")))
    for wanted in (custom("x-Group", "many"), custom("x-Group", "none")):
        items = engine.batch(
            V1_0,
            [
                (Operation.CREATE, create()),
                (Operation.LOCATE, LocateRequest(attributes=(wanted,))),
                (Operation.DESTROY, DestroyRequest()),
            ],
        )
        assert statuses(items)[2] == ResultStatus.OPERATION_FAILED
        with pytest.raises(Refused) as refused:
            result_of(items[2], V1_0)
        assert refused.value.reason == ResultReason.ITEM_NOT_FOUND


@pytest.mark.parametrize("version", [V1_0, V1_4])
def test_stop_is_the_default(engine: Engine, version: Version) -> None:
    requests = [(Operation.CREATE, create()), (Operation.GET, ABSENT), (Operation.CREATE, create())]
    for option in (None, STOP):
        before = count(engine)
        items = engine.batch(version, requests, option=option)
        assert statuses(items) == [ResultStatus.SUCCESS, ResultStatus.OPERATION_FAILED]
        assert count(engine) == before + 1


def test_continue_goes_on(engine: Engine) -> None:
    requests = [(Operation.CREATE, create()), (Operation.GET, ABSENT), (Operation.CREATE, create())]
    items = engine.batch(V1_2, requests, option=CONTINUE)
    assert statuses(items) == [ResultStatus.SUCCESS, ResultStatus.OPERATION_FAILED, ResultStatus.SUCCESS]
    assert count(engine) == 2


def test_undo_takes_everything_back(engine: Engine) -> None:
    kept = engine.call(Operation.CREATE, create()).unique_identifier
    requests = [
        (Operation.CREATE, create()),
        (Operation.ACTIVATE, ActivateRequest(unique_identifier=kept)),
        (Operation.GET, ABSENT),
        (Operation.CREATE, create()),
    ]
    items = engine.batch(V1_4, requests, option=UNDO)
    assert statuses(items) == [
        ResultStatus.OPERATION_UNDONE,
        ResultStatus.OPERATION_UNDONE,
        ResultStatus.OPERATION_FAILED,
    ]
    assert count(engine) == 1
    # Not even the activation of what was there before.
    engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=kept))


def test_one_bad_item_fails_alone(engine: Engine) -> None:
    good = encode_structure(QueryRequest(), V1_2)
    bad: Item = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [(Tag.UNIQUE_IDENTIFIER, ttlv.INTEGER, 7)])
    items = [
        (int(Operation.QUERY), good, b"1"),
        (int(Operation.GET), bad, b"2"),
        (0x7777, good, b"3"),
        (int(Operation.QUERY), good, b"4"),
    ]
    response = engine.exchange(request_message(V1_2, items, option=CONTINUE))
    found = children(response, Tag.BATCH_ITEM)
    assert [child(item, Tag.UNIQUE_BATCH_ITEM_ID) for item in found] == [b"1", b"2", b"3", b"4"]
    reasons = [child(item, Tag.RESULT_REASON) for item in found]
    assert reasons == [None, ResultReason.INVALID_MESSAGE, ResultReason.OPERATION_NOT_SUPPORTED, None]


def test_three_added_attributes_in_one_message(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    requests = [
        (Operation.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=uid, attribute=custom(title, "text")))
        for title in ("x-Product_Version", "x-Vendor", "x-Product")
    ]
    assert statuses(engine.batch(V1_0, requests)) == [ResultStatus.SUCCESS] * 3


def test_an_answer_larger_than_asked_for_is_refused_and_changes_nothing(engine: Engine) -> None:
    header = [(Tag.MAXIMUM_RESPONSE_SIZE, ttlv.INTEGER, 100)]
    item = (int(Operation.CREATE), encode_structure(create(), V1_0), None)
    response = engine.exchange(request_message(V1_0, [item], header=header))
    (found,) = children(response, Tag.BATCH_ITEM)
    assert child(found, Tag.RESULT_REASON) == ResultReason.RESPONSE_TOO_LARGE
    assert count(engine) == 0


def test_the_same_id_twice_is_refused(engine: Engine) -> None:
    payload = encode_structure(QueryRequest(), V1_2)
    response = engine.exchange(request_message(V1_2, [(int(Operation.QUERY), payload, b"1")] * 2))
    for item in children(response, Tag.BATCH_ITEM):
        assert child(item, Tag.RESULT_REASON) == ResultReason.INVALID_FIELD


@pytest.mark.parametrize("critical", [True, False])
def test_a_message_extension_matters_only_if_it_is_critical(engine: Engine, critical: bool) -> None:
    extension: Item = (
        Tag.MESSAGE_EXTENSION,
        ttlv.STRUCTURE,
        [
            (Tag.VENDOR_IDENTIFICATION, ttlv.TEXT_STRING, "somebody"),
            (Tag.CRITICALITY_INDICATOR, ttlv.BOOLEAN, critical),
            (Tag.VENDOR_EXTENSION, ttlv.STRUCTURE, []),
        ],
    )
    message = ttlv.decode(
        request_message(V1_2, [(int(Operation.QUERY), encode_structure(QueryRequest(), V1_2), None)])
    )
    message[2][1][2].append(extension)
    response = engine.exchange(ttlv.encode(message))
    reason = child(response, Tag.BATCH_ITEM, Tag.RESULT_REASON)
    assert reason == (ResultReason.FEATURE_NOT_SUPPORTED if critical else None)


@pytest.mark.parametrize("version", [V1_0, V1_2, V1_4])
def test_the_header_holds_nothing_that_was_not_asked_for(engine: Engine, version: Version) -> None:
    header = [(Tag.CLIENT_CORRELATION_VALUE, ttlv.TEXT_STRING, "mine")] if version == V1_4 else []
    item = (int(Operation.QUERY), encode_structure(QueryRequest(), version), None)
    response = engine.exchange(request_message(version, [item], header=header))
    tags = [each[0] for each in child(response, Tag.RESPONSE_HEADER)]
    expected = [Tag.PROTOCOL_VERSION, Tag.TIME_STAMP]
    if version == V1_4:
        expected += [Tag.CLIENT_CORRELATION_VALUE, Tag.SERVER_CORRELATION_VALUE]
    assert tags == [*expected, Tag.BATCH_COUNT]


@pytest.mark.parametrize(
    ("major", "minor", "answered", "reason"),
    [
        (1, 9, V1_4, ResultReason.INVALID_MESSAGE),
        (9, 0, V2_1, ResultReason.UNSUPPORTED_PROTOCOL_VERSION),
    ],
)
def test_an_unknown_version_gets_an_answer(
    engine: Engine, major: int, minor: int, answered: Version, reason: ResultReason
) -> None:
    """In the best version that a client of this major version may know."""
    message = bytearray(
        request_message(V1_0, [(int(Operation.QUERY), encode_structure(QueryRequest(), V1_0), None)])
    )
    message[35], message[51] = major, minor
    response = engine.exchange(bytes(message))
    numbers = child(response, Tag.RESPONSE_HEADER, Tag.PROTOCOL_VERSION)
    assert [each[2] for each in numbers] == [answered.major, answered.minor]
    assert child(response, Tag.BATCH_ITEM, Tag.RESULT_REASON) == reason
    assert child(response, Tag.BATCH_ITEM, Tag.OPERATION) is None


def test_each_item_leaves_a_record(engine: Engine) -> None:
    engine.batch(V1_4, [(Operation.CREATE, create()), (Operation.GET, ABSENT)], option=UNDO)
    rows = engine.connect().execute("SELECT record FROM audit_records ORDER BY number DESC LIMIT 2").fetchall()
    assert '"Get"' in rows[0][0]
    assert '"refused"' in rows[0][0]
    assert '"Create"' in rows[1][0]
    assert '"undone"' in rows[1][0]


@pytest.mark.parametrize("version", [V1_4, V2_1], ids=str)
def test_what_the_client_calls_its_request_is_on_record_with_each_item(engine: Engine, version: Version) -> None:
    """Done, refused, or refused whole; and no more of it than is kept."""
    given, answered = "order 1337 ü\n" + "x" * 200, Tag.RESPONSE_HEADER
    items = [
        (int(operation), encode_structure(request, version), bytes([number]))
        for number, (operation, request) in enumerate(((Operation.CREATE, create()), (Operation.GET, ABSENT)))
    ]
    header: list[Item] = [(Tag.CLIENT_CORRELATION_VALUE, ttlv.TEXT_STRING, given)]
    response = engine.exchange(request_message(version, items, header=header))
    assert child(response, answered, Tag.CLIENT_CORRELATION_VALUE) == given
    found = audit.tail(engine.connect(), 2)
    assert {each["request_identifier"] for each in found} == {
        child(response, answered, Tag.SERVER_CORRELATION_VALUE)
    }
    assert [(each["operation"], each["outcome"]) for each in found] == [("Create", "allowed"), ("Get", "refused")]
    assert [each["client_correlation_value"] for each in found] == [given[:128]] * 2
    too_small: list[Item] = [(Tag.MAXIMUM_RESPONSE_SIZE, ttlv.INTEGER, 8), *header]
    engine.exchange(request_message(version, items, header=too_small))
    found = audit.tail(engine.connect(), 2)
    assert [(each["operation"], each["outcome"]) for each in found] == [("Create", "undone"), ("Get", "refused")]
    assert [each["client_correlation_value"] for each in found] == [given[:128]] * 2
    response = engine.exchange(request_message(version, items))
    assert child(response, answered, Tag.CLIENT_CORRELATION_VALUE) is None
    assert child(response, answered, Tag.SERVER_CORRELATION_VALUE) is None
    assert audit.tail(engine.connect(), 1)[0]["client_correlation_value"] == ""
