"""Leases: one holder at a time, whoever dies and whatever the clocks say."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kmip_server.errors import StoreUnavailable
from kmip_server.store import migrate
from kmip_server.store.database import LOG_BYTES, Kept
from kmip_server.store.lease import MARGIN, Lease
from kmip_server.store.log import CHECKPOINT_SECONDS, WriteAheadLog
from kmip_server.work.duties import TERM_SECONDS, Duties
from tests.store.conftest import Connect

TERM = 10.0


class Watch:
    """A clock of one process's own: its zero is nobody else's."""

    def __init__(self, zero: float = 0.0) -> None:
        self.now = zero

    def __call__(self) -> float:
        return self.now


def lease(holder: str, clock: Callable[[], float]) -> Lease:
    return Lease("duty", holder, TERM, clock)


def test_the_first_has_it_and_the_second_waits(connect: Connect) -> None:
    clock, connection = Watch(), connect()
    first, second = lease("first", clock), lease("second", clock)
    assert first.take(connection)
    assert first.seconds_left == TERM
    assert not second.take(connection)
    assert second.seconds_left == 0


def test_it_is_renewed_and_then_lasts_longer(connect: Connect) -> None:
    clock, connection = Watch(), connect()
    first, second = lease("first", clock), lease("second", clock)
    for _ in range(10):
        assert first.take(connection)
        assert not second.take(connection)
        clock.now += TERM * 0.9
        assert first.seconds_left > 0


def test_it_is_taken_over_when_its_holder_is_gone(connect: Connect) -> None:
    """A term after the last turn was seen, and not before its holder has given up itself."""
    clock, connection = Watch(), connect()
    first, second = lease("first", clock), lease("second", clock)
    first.take(connection)
    assert not second.take(connection)
    clock.now += TERM
    assert first.seconds_left == 0
    assert not second.take(connection)
    clock.now += TERM * (MARGIN - 1) + 0.001
    assert second.take(connection)
    assert not first.take(connection)
    assert first.seconds_left == 0


def test_it_is_free_at_once_when_it_is_released(connect: Connect) -> None:
    clock, connection = Watch(), connect()
    first, second = lease("first", clock), lease("second", clock)
    first.take(connection)
    assert not second.take(connection)
    first.release(connection)
    assert first.seconds_left == 0
    assert second.take(connection)
    # A release that comes late takes it from nobody.
    first.release(connection)
    assert not lease("third", clock).take(connection)


def test_clocks_that_say_different_times_make_no_second_holder(connect: Connect) -> None:
    early, late, connection = Watch(-1e6), Watch(1e6), connect()
    first, second = lease("first", late), lease("second", early)
    assert first.take(connection)
    assert not second.take(connection)
    for clock in (early, late):
        clock.now += TERM - 0.001
    assert first.seconds_left > 0
    assert not second.take(connection)


def test_there_are_never_two(connect: Connect) -> None:
    """A thousand steps of four processes that take, forget and release, their clocks apart and a little uneven."""
    rng = random.Random(7)
    connection = connect()
    watches = [Watch(rng.uniform(-1e5, 1e5)) for _ in range(4)]
    rates = [1.0, 1.02, 0.98, 1.0]
    leases = [lease(f"process {number}", watch) for number, watch in enumerate(watches)]
    changes = 0
    holder = None
    for _ in range(1000):
        step = rng.uniform(0, TERM / 3)
        for watch, rate in zip(watches, rates, strict=True):
            watch.now += step * rate
        one = rng.choice(leases)
        if rng.random() < 0.05:
            one.release(connection)
        elif one.take(connection) and holder is not one:
            holder, changes = one, changes + 1
        assert sum(each.seconds_left > 0 for each in leases) <= 1
    assert changes > 20


def test_of_many_that_want_it_at_once_one_has_it(connect: Connect) -> None:
    taken: list[bool] = []
    barrier = threading.Barrier(8)

    def want(number: int) -> None:
        connection = connect()
        mine = lease(f"thread {number}", Watch())
        barrier.wait(30)
        taken.append(mine.take(connection))
        connection.close()

    threads = [threading.Thread(target=want, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert sorted(taken) == [False] * 7 + [True]


def test_a_database_that_is_away_is_said_in_our_words(path: Path, connect: Connect) -> None:
    holder, connection = lease("first", Watch()), connect()
    connection.execute("DROP TABLE leases")
    with pytest.raises(StoreUnavailable):
        holder.take(connection)
    assert holder.seconds_left == 0


# --- the log ------------------------------------------------------------------------------------


def write(connection: sqlite3.Connection, count: int) -> None:
    """So many pages and more."""
    for _ in range(count):
        connection.execute(
            "INSERT INTO names (scope, name, object_id) VALUES (?, '', 1)", (random.randbytes(3000).hex(),)
        )


@pytest.fixture
def writing(connect: Connect) -> sqlite3.Connection:
    connection = connect()
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def length(path: Path) -> int:
    return path.with_name(path.name + "-wal").stat().st_size


def test_no_checkpoint_is_made_within_a_commit(path: Path, writing: sqlite3.Connection) -> None:
    """Until the log is very long: that a request waits for a checkpoint is the exception."""
    before = path.stat().st_size
    while length(path) <= LOG_BYTES:
        write(writing, 50)
    assert path.stat().st_size == before


def test_the_duty_keeps_it_short(path: Path, connect: Connect, writing: sqlite3.Connection) -> None:
    before, clock = path.stat().st_size, Watch()
    duties = Duties(Kept(connect), path, "node", clock)
    write(writing, 400)
    duties.look()
    longest = length(path)
    for _ in range(10):
        # The next transaction begins the log anew, in the file as it is.
        write(writing, 100)
        clock.now += CHECKPOINT_SECONDS
        duties.look()
        assert length(path) == longest
    assert path.stat().st_size > before
    assert connect().execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connect().execute("SELECT holder LIKE 'node %' FROM leases").fetchone() == (1,)
    duties.close()
    assert connect().execute("SELECT holder FROM leases").fetchone() == ("",)


def test_a_log_that_grew_long_once_is_cut(path: Path, connect: Connect, writing: sqlite3.Connection) -> None:
    clock = Watch()
    duties = Duties(Kept(connect), path, "node", clock)
    while length(path) <= LOG_BYTES + (1 << 20):
        write(writing, 50)
    duties.look()
    write(writing, 1)
    assert length(path) == LOG_BYTES
    duties.close()


def test_where_nothing_is_written_nothing_is_done(
    path: Path, connect: Connect, writing: sqlite3.Connection
) -> None:
    clock = Watch()
    duties = Duties(Kept(connect), path, "node", clock)
    write(writing, 1)
    duties.look()
    after = path.stat().st_mtime_ns
    for _ in range(20):
        clock.now += TERM_SECONDS
        duties.look()
    # Not even a lease is held for it.
    assert path.stat().st_mtime_ns == after
    assert connect().execute("SELECT turn FROM leases").fetchone() == (1,)
    duties.close()


def test_several_that_are_idle_leave_each_other_alone(
    path: Path, connect: Connect, writing: sqlite3.Connection
) -> None:
    clock = Watch()
    all_of_them = [Duties(Kept(connect), path, f"node {n}", clock) for n in range(3)]
    write(writing, 50)
    turns = []
    for _ in range(100):
        for each in all_of_them:
            each.look()
        clock.now += TERM_SECONDS / 4
        turns.append(connect().execute("SELECT turn FROM leases").fetchone()[0])
    assert turns[-1] == turns[10] <= len(all_of_them)
    for each in all_of_them:
        each.close()


def test_of_two_processes_the_one_with_the_lease_does_it(
    path: Path, connect: Connect, writing: sqlite3.Connection
) -> None:
    clock = Watch()
    first, second = (Duties(Kept(connect), path, name, clock) for name in ("first", "second"))
    write(writing, 50)
    first.look()
    write(writing, 50)
    before = path.stat().st_size
    second.look()
    assert path.stat().st_size == before
    # The first is gone: the second has its duty after a term.
    clock.now += TERM_SECONDS * MARGIN + 1
    second.look()
    assert path.stat().st_size > before


def test_what_a_reader_needs_stays_and_comes_later(
    path: Path, connect: Connect, writing: sqlite3.Connection
) -> None:
    reader, clock = connect(), Watch()
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM names").fetchone()
    write(writing, 50)
    log, checking = WriteAheadLog(path, clock), connect()
    assert not log.checkpoint(checking)
    assert not log.is_due()
    clock.now += CHECKPOINT_SECONDS
    assert log.is_due()
    reader.execute("COMMIT")
    assert log.checkpoint(checking)
    clock.now += CHECKPOINT_SECONDS
    assert not log.is_due()


# --- the schema ---------------------------------------------------------------------------------


def test_a_database_of_the_release_before_is_brought_up_with_its_rows(path: Path, connect: Connect) -> None:
    connection = connect()
    connection.execute("DROP TABLE leases")
    connection.execute("DROP TABLE principal_quirks")
    connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.execute("UPDATE meta SET value = 42 WHERE name = 'epoch'")
    migrate.require_known(connection)
    call = f"from pathlib import Path; from kmip_server.store import migrate; migrate.upgrade(Path({str(path)!r}))"
    both = [subprocess.Popen([sys.executable, "-c", call]) for _ in range(2)]
    assert [each.wait(60) for each in both] == [0, 0]
    assert migrate.version(connection) == migrate.NEWEST
    assert connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone() == (42,)
    assert lease("any", Watch()).take(connection)
