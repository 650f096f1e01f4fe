"""A database that fails at any statement: nothing of the group happened, and the chain goes on from what is durable."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from kmip_server.audit.verify import verify
from kmip_server.clock import SettableClock
from kmip_server.engine.ports import UnitOfWork
from kmip_server.errors import OutcomeUnknown, StoreUnavailable
from kmip_server.store import audit
from kmip_server.store.apply import Writer
from kmip_server.store.objects import Reader
from tests.store.conftest import Connect
from tests.store.test_store import changing, entry, making, stored

FAULTS = {
    "the disk is full": ("database or disk is full", sqlite3.SQLITE_FULL),
    "the file system is read-only": ("attempt to write a readonly database", sqlite3.SQLITE_READONLY),
    "a write fails": ("disk I/O error", sqlite3.SQLITE_IOERR_WRITE),
    "a sync fails": ("disk I/O error", sqlite3.SQLITE_IOERR_FSYNC),
}


class Disk:
    """Whether statements fail, on whatever connection: the n-th from now on, and what follows where that lasts."""

    def __init__(self) -> None:
        self.mend()

    def arm(self, fault: tuple[str, int], nth: int, *, lasting: bool) -> None:
        self._fault, self._nth, self._lasting = fault, nth, lasting
        self.count = 0
        self.failed: list[str] = []

    def mend(self) -> None:
        self._nth = 0

    def execute(self, text: str) -> None:
        if not self._nth:
            return
        self.count += 1
        if self.count == self._nth or (self.count > self._nth and self._lasting):
            self.failed.append(text)
            error = sqlite3.OperationalError(self._fault[0])
            error.sqlite_errorcode = self._fault[1]
            raise error


class Failing:
    """A connection on that disk."""

    def __init__(self, connection: sqlite3.Connection, disk: Disk) -> None:
        self._connection, self._disk = connection, disk

    def __getattr__(self, attribute_name: str) -> Any:
        return getattr(self._connection, attribute_name)

    def execute(self, text: str, *arguments: Any) -> Any:
        self._disk.execute(text)
        return self._connection.execute(text, *arguments)


class Store:
    """A writer on a disk that can be made to fail."""

    def __init__(self, connect: Connect) -> None:
        self.connect = connect
        self.disk = Disk()
        self.writer = Writer(self._open, SettableClock(), "test")
        self.revision = 1
        self.writer.apply([making(stored("old"), "old name")])

    def _open(self) -> Any:
        return Failing(self.connect(), self.disk)

    def group(self, name: str) -> list[UnitOfWork]:
        """An object made, one changed in all its parts, and a reading."""
        reading = UnitOfWork(writes=(), audit=(entry("Get"),))
        changed = changing(stored("old"), self.revision, name, material=True)
        return [making(stored(name), f"{name} too"), changed, reading]

    def look(self, name: str) -> tuple[int, bool, int]:
        """The revision of the old object, whether one of this name is there, and how many records."""
        reader = Reader(self.connect)
        old, found = reader.find("old"), reader.find(name)
        reader.close()
        connection = self.connect()
        report = verify(audit.rows(connection), audit.heads(connection))
        connection.close()
        assert report.faults == ()
        assert old is not None
        return old.revision, found is not None, report.records


@pytest.fixture
def store(connect: Connect) -> Any:
    made = Store(connect)
    yield made
    made.writer.close()


def attempt(store: Store, name: str) -> StoreUnavailable | None:
    """What a group is refused with, if it is."""
    try:
        store.writer.apply(store.group(name))
    except StoreUnavailable as refusal:
        return refusal
    return None


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("fault", FAULTS)
def test_at_every_statement_the_whole_group_is_refused(store: Store, fault: str, lasting: bool) -> None:
    failed: list[str] = []
    for nth in range(1, 100):
        name = f"n{nth}"
        before = store.look(name)
        store.disk.arm(FAULTS[fault], nth, lasting=lasting)
        refusal = attempt(store, name)
        store.disk.mend()
        if refusal is None:
            assert store.disk.failed == []
            break
        assert FAULTS[fault][0] in refusal.message
        failed += store.disk.failed[:1]
        after = store.look(name)
        assert after[:2] == before[:2], "something of a refused group was done"
        assert after[2] - before[2] in (0, 3), "a refused group is on record whole, as refused, or not at all"
        # It has mended: the same is done now, and nothing was in the way.
        assert store.writer.apply(store.group(name)) == [True, True, True]
        store.revision += 1
        assert store.look(name)[:2] == (store.revision, True)
    beginnings = (
        "BEGIN",
        "SAVEPOINT",
        "INSERT INTO objects",
        "UPDATE objects",
        "INSERT INTO materials",
        "DELETE FROM",
    )
    more = ("INSERT INTO names", "UPDATE meta", "INSERT INTO audit_records", "UPDATE audit_chains", "COMMIT")
    assert all(any(text.startswith(each) for text in failed) for each in (*beginnings, *more))


def records(connect: Connect) -> list[tuple[str, str]]:
    return [(each["operation"], each["outcome"]) for each in audit.tail(connect(), 3)]


def at_commit(store: Store, fault: str, *, lasting: bool, name: str) -> StoreUnavailable | None:
    """What a group is refused with when COMMIT is the first statement to fail."""
    store.disk.arm(("", 0), 1 << 30, lasting=False)
    assert attempt(store, f"{name} before") is None
    store.revision += 1
    store.disk.arm(FAULTS[fault], store.disk.count, lasting=lasting)
    refusal = attempt(store, name)
    assert store.disk.failed[0] == "COMMIT"
    store.disk.mend()
    return refusal


def test_a_commit_that_fails_at_its_sync_is_written_over(store: Store, connect: Connect) -> None:
    """Its frames are in the log: the record of the refusal stands in their place."""
    error = at_commit(store, "a sync fails", lasting=False, name="refused")
    assert error is not None
    assert "nothing was changed" in error.message
    assert records(connect) == [("Create", "failed"), ("Change", "failed"), ("Get", "failed")]


def test_where_nothing_can_be_written_over_the_outcome_is_unknown(store: Store, connect: Connect) -> None:
    assert isinstance(at_commit(store, "a sync fails", lasting=True, name="refused"), OutcomeUnknown)
    assert store.look("refused")[:2] == (store.revision, False)
    # The next group takes the place of what was in doubt.
    assert store.writer.apply(store.group("next")) == [True, True, True]
    assert [outcome for _, outcome in records(connect)] == ["allowed"] * 3


@pytest.mark.parametrize("fault", ["the disk is full", "a write fails"])
def test_a_commit_that_was_not_written_is_refused_for_certain(store: Store, fault: str) -> None:
    error = at_commit(store, fault, lasting=True, name="refused")
    assert error is not None
    assert not isinstance(error, OutcomeUnknown)


def test_a_change_of_principals_that_fails_is_on_record_as_failed(store: Store, connect: Connect) -> None:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'policy_revision'")

    before = policy_revision(connect)
    store.writer.change(change, entry("Enrol"))
    # BEGIN, the change, the record, the head; then COMMIT.
    store.disk.arm(FAULTS["a sync fails"], 5, lasting=False)
    with pytest.raises(StoreUnavailable, match="nothing was changed"):
        store.writer.change(change, entry("Enrol"))
    assert store.disk.failed == ["COMMIT"]
    assert policy_revision(connect) == before + 1
    assert records(connect)[-2:] == [("Enrol", "allowed"), ("Enrol", "failed")]


def policy_revision(connect: Connect) -> int:
    return int(connect().execute("SELECT value FROM meta WHERE name = 'policy_revision'").fetchone()[0])
