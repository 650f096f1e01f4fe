"""What a unit of work rests on must still hold at the commit, also where it only read; and one unit's fault is its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from kmip_server.clock import SettableClock
from kmip_server.engine.ports import Basis, Outcome, UnitOfWork
from kmip_server.errors import StoreUnavailable
from kmip_server.protocol.tags import Tag
from kmip_server.store import audit, principals
from kmip_server.store.apply import Writer
from kmip_server.store.objects import Reader
from tests.store.conftest import Connect
from tests.store.test_store import changing, entry, making, stored
from tests.support.requests import attribute, name

APPLIED, OVERTAKEN, FAILED = Outcome.APPLIED, Outcome.OVERTAKEN, Outcome.FAILED


@pytest.fixture
def writer(connect: Connect) -> Iterator[Writer]:
    made = Writer(connect, SettableClock(), "test")
    made.apply([making(stored("u")), making(stored("v"))])
    yield made
    made.close()


@pytest.fixture
def reader(connect: Connect) -> Iterator[Reader]:
    made = Reader(connect)
    yield made
    made.close()


def reading(reader: Reader, *identifiers: str) -> UnitOfWork:
    """What a request leaves that opened these objects just now, and changed nothing."""
    reader.begin_snapshot()
    found = {each: reader.find(each) for each in identifiers}
    reader.end_snapshot()
    revisions = {each: 0 if stored is None else stored.revision for each, stored in found.items()}
    basis = Basis(epoch=reader.epoch, policy_revision=1, revisions=revisions)
    return UnitOfWork(writes=(), audit=(entry("Get"),), basis=basis)


def gone(revision: int = 1) -> UnitOfWork:
    return changing(replace(stored("u"), sealed=None), revision, material=True)


def test_what_rests_on_an_object_that_was_destroyed_meanwhile_is_overtaken(writer: Writer, reader: Reader) -> None:
    unit = reading(reader, "u")
    assert writer.apply([gone()]) == [APPLIED]
    assert writer.apply([unit]) == [OVERTAKEN]
    assert writer.apply([reading(reader, "u")]) == [APPLIED]


def test_what_rests_on_other_objects_is_not(writer: Writer, reader: Reader) -> None:
    unit = reading(reader, "v")
    writer.apply([gone()])
    assert writer.apply([unit]) == [APPLIED]


def test_what_found_nothing_is_overtaken_by_what_came(writer: Writer, reader: Reader) -> None:
    unit = reading(reader, "w")
    writer.apply([making(stored("w"))])
    assert writer.apply([unit]) == [OVERTAKEN]


def test_in_one_group_each_sees_what_stands_before_it(writer: Writer, reader: Reader) -> None:
    before, after, other = reading(reader, "u"), reading(reader, "u"), reading(reader, "v")
    assert writer.apply([before, gone(), after, other]) == [APPLIED, APPLIED, OVERTAKEN, APPLIED]


def test_a_change_of_policy_overtakes_everything_evaluated_before_it(
    writer: Writer, reader: Reader, connect: Connect
) -> None:
    unit = reading(reader, "u")
    connection = connect()
    principals.raise_policy_revision(connection)
    connection.close()
    assert writer.apply([unit]) == [OVERTAKEN]


def test_what_is_overtaken_leaves_no_record(writer: Writer, reader: Reader, connect: Connect) -> None:
    unit = reading(reader, "u")
    writer.apply([gone()])
    before = len(audit.tail(connect(), 100))
    writer.apply([unit])
    assert len(audit.tail(connect(), 100)) == before


@pytest.mark.parametrize("value", [1 << 70, "no date"])
def test_a_unit_that_cannot_be_written_fails_alone(
    writer: Writer, reader: Reader, connect: Connect, value: Any
) -> None:
    """An integer that no column takes, and a value that no encoding has."""
    poisoned = making(stored("bad", attribute(Tag.ACTIVATION_DATE, value)))
    assert writer.apply([making(stored("a")), poisoned, making(stored("b"))]) == [APPLIED, FAILED, APPLIED]
    assert [reader.find(each) is not None for each in ("a", "bad", "b")] == [True, False, True]
    outcomes = [(record["outcome"], record["reason"]) for record in audit.tail(connect(), 3)]
    assert outcomes == [("allowed", ""), ("failed", "General Failure"), ("allowed", "")]


class Flaky:
    """A connection whose next statements that name `text` fail."""

    def __init__(self, connection: sqlite3.Connection, text: str) -> None:
        self._connection, self._text = connection, text
        self.failing = False

    def __getattr__(self, attribute_name: str) -> Any:
        return getattr(self._connection, attribute_name)

    def execute(self, text: str, *given: Any) -> Any:
        if self.failing and self._text in text:
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(text, *given)


@pytest.mark.parametrize("at", ["meta", "COMMIT"])
def test_a_read_that_fails_once_fails_once(writer: Writer, connect: Connect, at: str) -> None:
    opened: list[Flaky] = []

    def flaky() -> Any:
        opened.append(Flaky(connect(), at))
        return opened[-1]

    reader = Reader(flaky)
    opened[0].failing = True
    with pytest.raises(StoreUnavailable):
        reading(reader, "u")
    opened[0].failing = False
    assert writer.apply([reading(reader, "u")]) == [APPLIED]
    reader.close()


def test_a_reader_whose_connection_is_lost_opens_another(writer: Writer, connect: Connect) -> None:
    trouble = [sqlite3.OperationalError("unable to open database file")]

    def opening() -> sqlite3.Connection:
        if len(opened) == 1 and trouble:
            raise StoreUnavailable("the database refused") from trouble.pop()
        opened.append(connect())
        return opened[-1]

    opened: list[sqlite3.Connection] = []
    reader = Reader(opening)
    opened[0].close()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            reader.begin_snapshot()
    assert writer.apply([reading(reader, "u")]) == [APPLIED]
    reader.close()


def test_a_writer_whose_connection_is_lost_opens_another(connect: Connect) -> None:
    opened: list[sqlite3.Connection] = []
    trouble = [sqlite3.OperationalError("unable to open database file")]

    def opening() -> sqlite3.Connection:
        if len(opened) == 1 and trouble:
            raise StoreUnavailable("the database refused") from trouble.pop()
        opened.append(connect())
        return opened[-1]

    writer = Writer(opening, SettableClock(), "test")
    opened[0].close()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            writer.apply([making(stored("u", name("n")))])
    assert writer.apply([making(stored("u", name("n")))]) == [APPLIED]
    from kmip_server.audit.verify import verify

    assert verify(audit.rows(connect()), audit.heads(connect())).faults == ()
    writer.close()
