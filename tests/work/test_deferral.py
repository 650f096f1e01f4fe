"""audit.reads = "deferred": what only reads is answered before its record is durable, and nothing else is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kmip_server.engine.ports import Outcome, UnitOfWork
from kmip_server.errors import StoreUnavailable
from kmip_server.protocol.enums import Operation, ResultStatus
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import DestroyRequest
from kmip_server.store.apply import Writer
from kmip_server.work import deferral
from tests.support.engine import Engine
from tests.support.requests import create
from tests.work.test_executor import Harness, message

DEADLINE = 60


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.close()


class Told(Writer):
    """A writer whose transactions wait until they may begin, and may fail."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.connect, engine.clock, "test")
        self.may_write = threading.Event()
        self.may_write.set()
        self.wrote = threading.Semaphore(0)
        self.fails = False

    def apply(self, units: Sequence[UnitOfWork]) -> list[Outcome]:
        assert self.may_write.wait(DEADLINE)
        if self.fails:
            self.wrote.release()
            raise StoreUnavailable("the disk is full")
        outcomes = super().apply(units)
        self.wrote.release()
        return outcomes


def recorded(engine: Engine) -> list[tuple[str, str]]:
    rows = engine.connect().execute("SELECT record FROM audit_records ORDER BY chain, number").fetchall()
    return [(json.loads(row[0])[8], json.loads(row[0])[11]) for row in rows]


def made(engine: Engine) -> str:
    uid: str = engine.call(Operation.CREATE, create()).unique_identifier
    engine.call(Operation.GET, GetRequest(unique_identifier=uid))  # fresh no more
    return uid


def test_a_read_is_answered_first_and_recorded_soon(engine: Engine) -> None:
    uid = made(engine)
    writer = Told(engine)
    harness = Harness(engine, lambda: writer, defers_reads=True)
    before = recorded(engine)
    writer.may_write.clear()
    for _ in range(3):
        harness.submit(message(Operation.GET, GetRequest(unique_identifier=uid)))
    assert harness.wait(3) == [ResultStatus.SUCCESS] * 3
    assert recorded(engine) == before
    writer.may_write.set()
    assert writer.wrote.acquire(timeout=DEADLINE)
    harness.executor.stop()
    assert recorded(engine)[len(before) :] == [("Get", "allowed")] * 3


def test_without_the_setting_nothing_is_put_off(engine: Engine) -> None:
    uid = made(engine)
    harness = Harness(engine)
    before = recorded(engine)
    harness.submit(message(Operation.GET, GetRequest(unique_identifier=uid)))
    assert harness.wait(1) == [ResultStatus.SUCCESS]
    assert recorded(engine)[len(before) :] == [("Get", "allowed")]
    harness.executor.stop()


@pytest.mark.parametrize("what", ["a refusal", "a change", "a use of fresh material"])
def test_everything_else_is_durable_first(engine: Engine, what: str) -> None:
    uid = made(engine)
    fresh = engine.call(Operation.CREATE, create()).unique_identifier
    writer = Told(engine)
    harness = Harness(engine, lambda: writer, defers_reads=True)
    asked, outcome = {
        "a refusal": (message(Operation.GET, GetRequest(unique_identifier="nobody's")), ("Get", "refused")),
        "a change": (message(Operation.DESTROY, DestroyRequest(unique_identifier=uid)), ("Destroy", "allowed")),
        "a use of fresh material": (
            message(Operation.GET, GetRequest(unique_identifier=fresh)),
            ("Get", "allowed"),
        ),
    }[what]
    harness.submit(asked)
    harness.wait(1)
    assert recorded(engine)[-1] == outcome
    harness.executor.stop()


def test_what_was_put_off_goes_with_the_next_group_in_order(engine: Engine) -> None:
    uid = made(engine)
    writer = Told(engine)
    harness = Harness(engine, lambda: writer, defers_reads=True)
    before = recorded(engine)
    attributes = GetAttributesRequest(unique_identifier=uid)
    writer.may_write.clear()
    harness.submit(message(Operation.GET_ATTRIBUTES, attributes))
    assert harness.wait(1) == [ResultStatus.SUCCESS]
    harness.submit(message(Operation.CREATE, create()))
    writer.may_write.set()
    assert harness.wait(2) == [ResultStatus.SUCCESS] * 2
    assert recorded(engine)[len(before) :] == [("Get Attributes", "allowed"), ("Create", "allowed")]
    harness.executor.stop()


def test_the_end_writes_what_waits(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferral, "SECONDS", 3600.0)
    uid = made(engine)
    harness = Harness(engine, lambda: Told(engine), defers_reads=True)
    before = recorded(engine)
    harness.submit(message(Operation.GET, GetRequest(unique_identifier=uid)))
    assert harness.wait(1) == [ResultStatus.SUCCESS]
    assert recorded(engine) == before
    harness.executor.stop()
    assert recorded(engine)[len(before) :] == [("Get", "allowed")]


def test_so_many_and_no_more_wait(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferral, "SECONDS", 3600.0)
    monkeypatch.setattr(deferral, "MOST", 5)
    uid = made(engine)
    writer = Told(engine)
    harness = Harness(engine, lambda: writer, defers_reads=True)
    for _ in range(5):
        harness.submit(message(Operation.GET, GetRequest(unique_identifier=uid)))
    assert writer.wrote.acquire(timeout=DEADLINE)
    harness.executor.stop()


def test_where_records_cannot_be_written_reads_are_refused_until_they_can(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deferral, "RETRY_SECONDS", 3600.0)
    uid = made(engine)
    get = message(Operation.GET, GetRequest(unique_identifier=uid))
    writer = Told(engine)
    harness = Harness(engine, lambda: writer, defers_reads=True)
    before = recorded(engine)
    writer.fails = True
    harness.submit(get)
    assert harness.wait(1) == [ResultStatus.SUCCESS]
    assert writer.wrote.acquire(timeout=DEADLINE)
    harness.submit(get)
    assert harness.wait(2)[1] == ResultStatus.OPERATION_FAILED
    writer.fails = False
    harness.submit(get)
    assert harness.wait(3)[2] == ResultStatus.SUCCESS
    assert recorded(engine)[len(before) :] == [("Get", "allowed")] * 2, "the first, and the third"
    harness.executor.stop()


def test_what_was_destroyed_meanwhile_is_not_given_out(engine: Engine) -> None:
    uid = made(engine)

    class Overtaken(Told):
        """Another process destroys the object when the first read has been evaluated."""

        def put_off(self, units: Sequence[UnitOfWork]) -> list[Outcome]:
            if not destroyed:
                destroyed.append(uid)
                engine.call(Operation.DESTROY, DestroyRequest(unique_identifier=uid))
            return super().put_off(units)

    destroyed: list[str] = []
    harness = Harness(engine, lambda: Overtaken(engine), defers_reads=True)
    harness.submit(message(Operation.GET, GetRequest(unique_identifier=uid)))
    assert harness.wait(1) == [ResultStatus.OPERATION_FAILED]
    harness.executor.stop()


def test_a_fault_in_writing_what_waits_answers_nobody_twice(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deferral, "MOST", 1)
    uid = made(engine)

    class Faulty(Told):
        def apply(self, units: Sequence[UnitOfWork]) -> list[Outcome]:
            if not units:
                self.wrote.release()
                raise RuntimeError("provoked")
            return super().apply(units)

    writer = Faulty(engine)
    harness = Harness(engine, lambda: writer, defers_reads=True)
    harness.submit(message(Operation.GET, GetRequest(unique_identifier=uid)))
    assert harness.wait(1) == [ResultStatus.SUCCESS]
    assert writer.wrote.acquire(timeout=DEADLINE)
    harness.submit(message(Operation.GET, GetRequest(unique_identifier=uid)))
    harness.executor.stop()
    assert [reply is not None for reply in harness.replies] == [True, True]
