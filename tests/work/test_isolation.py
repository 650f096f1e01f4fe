"""One request's fault is its own, and nothing leaves that was destroyed or forbidden before the commit."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kmip_server.answer import Answerer
from kmip_server.engine.ports import Outcome, UnitOfWork
from kmip_server.principal import Peer
from kmip_server.protocol import ttlv
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    Operation,
    ResultReason,
    ResultStatus,
)
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import DestroyRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_2, V1_4
from kmip_server.store import audit, principals
from kmip_server.store.apply import Writer
from tests.support.engine import Engine, child, children, request_message
from tests.support.requests import A, create, create_key_pair
from tests.work.test_executor import PEER, Harness, message


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.close()


class Held(Writer):
    """A writer that waits before the first group of more than `least` units."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.connect, engine.clock, "test")
        self.reached, self.go = threading.Event(), threading.Event()

    def apply(self, units: Sequence[UnitOfWork]) -> list[Outcome]:
        self.reached.set()
        assert self.go.wait(30)
        return super().apply(units)


def reasons(reply: bytes | None) -> list[ResultReason | None]:
    assert reply is not None
    found = [child(item, Tag.RESULT_REASON) for item in children(ttlv.decode(reply), Tag.BATCH_ITEM)]
    return [None if each is None else ResultReason.of(each) for each in found]


def pair_and_get(uid: str) -> bytes:
    """A batch for the pool that reads an object."""
    requests = [
        (Operation.CREATE_KEY_PAIR, create_key_pair(A.EC, 256)),
        (Operation.GET, GetRequest(unique_identifier=uid)),
    ]
    return request_message(
        V1_4, [(int(o), encode_structure(r, V1_4), bytes([n])) for n, (o, r) in enumerate(requests)]
    )


@pytest.mark.parametrize("slowly", [False, True])
def test_what_was_destroyed_before_the_commit_is_not_served(engine: Engine, slowly: bool) -> None:
    """Evaluated while the key was there, applied after its Destroy was acknowledged: in a group, and on the pool."""
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    held = Held(engine)
    harness = Harness(engine, lambda: held)
    harness.submit(pair_and_get(uid) if slowly else message(Operation.GET, GetRequest(unique_identifier=uid)))
    assert held.reached.wait(30)
    engine.call(Operation.DESTROY, DestroyRequest(unique_identifier=uid))
    held.go.set()
    harness.wait(1)
    harness.executor.stop()
    assert reasons(harness.replies[0])[-1] is not None
    records = [r["outcome"] for r in audit.tail(engine.connect(), 20) if r["operation"] == "Get"]
    assert records == ["refused"]  # once, and as it was answered


def test_what_was_forbidden_before_the_commit_is_not_served(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    held = Held(engine)
    harness = Harness(engine, lambda: held)
    harness.submit(message(Operation.GET, GetRequest(unique_identifier=uid)))
    assert held.reached.wait(30)
    connection = engine.connect()
    principals.raise_policy_revision(connection)
    connection.close()
    engine.principals["one"] = engine.principals["nobody"]
    engine.policy_revision = 2
    held.go.set()
    assert harness.wait(1) == [ResultStatus.OPERATION_FAILED]
    harness.executor.stop()


def test_a_request_that_nobody_thought_of_fails_alone(engine: Engine) -> None:
    """The peer "unknown" makes identification raise a KeyError."""
    held = Held(engine)
    harness = Harness(engine, lambda: held)
    stranger = Peer(address="test:2", certificate=b"", fingerprint="2", subject_common_name="unknown")
    harness.submit(message(Operation.CREATE, create()))
    assert held.reached.wait(30)
    for number in range(9):
        peer = stranger if number == 4 else PEER
        harness.executor.submit(message(Operation.CREATE, create()), peer, harness._deliver)
    held.go.set()
    statuses = harness.wait(10)
    harness.executor.stop()
    assert statuses.count(ResultStatus.SUCCESS) == 9
    failed = [each for each in harness.replies if reasons(each) != [None]]
    assert [reasons(each) for each in failed] == [[ResultReason.GENERAL_FAILURE]]
    assert [r["outcome"] for r in audit.tail(engine.connect(), 20) if r["operation"] == "message"] == ["failed"]


# --- what refusals leave on record --------------------------------------------------------------


def records(engine: Engine, count: int) -> list[tuple[str, str, str]]:
    return [(r["principal"], r["operation"], r["outcome"]) for r in audit.tail(engine.connect(), count)]


def batch(*requests: tuple[Operation, Any], ids: Sequence[bytes], header: Any = None) -> bytes:
    items = [(int(o), encode_structure(r, V1_2), each) for (o, r), each in zip(requests, ids, strict=True)]
    return request_message(V1_2, items, header=header)


def test_an_answer_too_large_for_the_client_is_on_record_with_every_item(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    limit = [(Tag.MAXIMUM_RESPONSE_SIZE, ttlv.INTEGER, 1)]
    get = (Operation.GET, GetRequest(unique_identifier=uid))
    made = (Operation.CREATE, create())
    engine.exchange(batch(get, made, ids=[b"1", b"2"], header=limit))
    assert records(engine, 2) == [("one", "Get", "undone"), ("one", "Create", "undone")]
    engine.exchange(batch(get, made, ids=[b"1", b"2"], header=limit), "two")
    assert records(engine, 1) == [("two", "Get", "refused")]
    assert [r["object"] for r in audit.tail(engine.connect(), 3)] == [
        uid,
        audit.tail(engine.connect(), 2)[0]["object"],
        uid,
    ]


def test_a_batch_refused_as_a_whole_is_on_record_item_by_item(engine: Engine) -> None:
    get = (Operation.GET, GetRequest(unique_identifier="x"))
    engine.exchange(batch(get, (Operation.CREATE, create()), ids=[b"1", b"1"]))
    assert records(engine, 2) == [("one", "Get", "failed"), ("one", "Create", "failed")]


def test_a_message_that_cannot_be_read_names_who_sent_it_and_is_answered_in_its_version(engine: Engine) -> None:
    whole = message(Operation.CREATE, create())
    broken = bytearray(whole)
    at = whole.index(bytes.fromhex("42005c05"))
    broken[at] = 0x41
    response = engine.exchange(bytes(broken))
    assert child(response, Tag.RESPONSE_HEADER, Tag.PROTOCOL_VERSION, Tag.PROTOCOL_VERSION_MINOR) == V1_2.minor
    assert records(engine, 1) == [("one", "message", "failed")]


def test_the_answerer_never_raises(engine: Engine) -> None:
    """Even with a store that does not work at all."""
    evaluation = Answerer.evaluate(engine.answerer, message(Operation.CREATE, create()), PEER, None, "r")  # type: ignore[arg-type]
    assert reasons(evaluation.reply) == [ResultReason.GENERAL_FAILURE]
    assert evaluation.unit.writes == ()
