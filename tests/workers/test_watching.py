"""A worker that dies or hangs: another is there within a moment, and nothing acknowledged is lost."""

from __future__ import annotations

import itertools
import json
import signal
import sqlite3
import threading
import time
from pathlib import Path

from kmip_server.protocol.enums import Operation, ResultStatus
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.versions import V2_1
from tests.support.requests import create
from tests.support.server import RunningServer
from tests.support.wire import Client, Connection
from tests.support.workers import Crowd, connection_to, is_there, kill, logged, processes, until, worker_of
from tests.transport.test_wire import answered
from tests.workers.conftest import TWO

CLIENTS = 4


class Makers(Crowd):
    """Clients that make keys as fast as they can, and connect again whenever their connection is gone."""

    def __init__(self, server: RunningServer) -> None:
        self.made: list[str] = []
        self.lost = 0
        super().__init__(server, CLIENTS)

    def _turn(self) -> None:
        try:
            with Connection(self._server, tls=self._tls) as connection:
                client = Client(connection, V2_1)
                while not self._ending.is_set():
                    self.made.append(client.call(Operation.CREATE, create()).unique_identifier)
        except ConnectionRefusedError as error:
            self.faults.append(str(error))
        except Exception:
            # The connection was the dead worker's; what was under way on it is not known.
            self.lost += 1

    def more(self, count: int) -> None:
        """Wait until so many more keys are acknowledged."""
        goal = len(self.made) + count
        until(lambda: len(self.made) >= goal, "more keys")


def rows(server: RunningServer) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(server.admin("status", "--json").stdout)["workers"]
    return found


def successor(server: RunningServer, before: list[int]) -> int:
    """Wait for a worker that was not there before and serves; its process id."""

    def found() -> int:
        fresh = [row for row in rows(server) if row["pid"] not in before and row["state"] == "serving"]
        return int(str(fresh[0]["pid"])) if fresh else 0

    return int(until(found, "another worker"))


def test_a_worker_that_is_killed_is_replaced_and_nothing_acknowledged_is_lost(own_pair: RunningServer) -> None:
    makers = Makers(own_pair)
    try:
        for turn in range(3):
            makers.more(50)
            before = processes(own_pair)
            kill(before[turn % 2])
            logged(own_pair, "was ended by SIGKILL: another takes its place", turn + 1)
            until(lambda: sum(map(is_there, processes(own_pair))) == 2, "two workers")
            makers.more(50)
    finally:
        makers.end()
    assert makers.faults == []
    assert makers.lost
    with Connection(own_pair) as connection:
        client = Client(connection, V2_1)
        for each in makers.made:
            assert client.call(Operation.GET, GetRequest(unique_identifier=each)).unique_identifier == each
    assert sum(int(str(row["replaced"])) for row in rows(own_pair)) == 3
    verified = json.loads(own_pair.admin("audit", "verify", "--json").stdout)
    assert verified["faults"] == []
    assert verified["records"] > len(makers.made)


def test_the_dead_ones_place_is_taken_in_a_moment(own_pair: RunningServer) -> None:
    """By the server's own word, not by when somebody looks."""
    one, _ = processes(own_pair)
    kill(one)
    logged(own_pair, "worker 0: process")
    lines = own_pair.log.read_text().splitlines()
    (died,) = [line for line in lines if "was ended by SIGKILL" in line]
    (serves,) = [line for line in lines if "worker 0: process" in line]
    assert moment_of(serves) - moment_of(died) < 10


def moment_of(line: str) -> float:
    day, clock = line.split()[:2]
    whole, _, part = clock.partition(",")
    return time.mktime(time.strptime(f"{day} {whole}", "%Y-%m-%d %H:%M:%S")) + int(part) / 1000


def test_beside_a_worker_that_hangs_a_spare_serves_until_it_is_back(own_pair: RunningServer) -> None:
    one, other = processes(own_pair)
    with connection_to(own_pair, one) as kept:
        kill(one, signal.SIGSTOP)
        try:
            logged(own_pair, f"process {one}, is silent: a spare is started")
            spare = until(lambda: [pid for pid in processes(own_pair) if pid not in (one, other)], "the spare")[0]
            logged(own_pair, f"process {spare} serves")
            # Whatever comes is served by the two, also while the third holds its end of the queue.
            with connection_to(own_pair, spare) as first, connection_to(own_pair, other) as second:
                assert answered(first) == answered(second) == ResultStatus.SUCCESS
                states = {row["pid"]: row["state"] for row in rows(own_pair)}
                assert states == {one: "silent", other: "serving", spare: "serving"}
        finally:
            kill(one, signal.SIGCONT)
        logged(own_pair, f"process {one}, is back: its spare ends")
        until(lambda: processes(own_pair) == [one, other], "the end of the spare")
        assert answered(kept) == ResultStatus.SUCCESS
    assert [row["replaced"] for row in rows(own_pair)] == [0, 0]


def test_a_worker_that_stays_silent_is_killed_and_its_spare_has_its_place(new_instance: Path) -> None:
    with RunningServer(new_instance, *TWO, "--set", "server.hang_seconds=2") as server:
        one, other = processes(server)
        kill(one, signal.SIGSTOP)
        logged(server, "it is killed")
        until(lambda: not is_there(one), "its end")
        logged(server, f"process {one}, was ended by SIGKILL: another takes its place")
        (spare,) = [pid for pid in processes(server) if pid not in (one, other)]
        states = [(row["slot"], row["pid"], row["state"], row["replaced"]) for row in rows(server)]
        assert states == [(0, spare, "serving", 1), (1, other, "serving", 0)]
        with connection_to(server, spare) as connection:
            assert answered(connection) == ResultStatus.SUCCESS


def test_a_worker_whose_requests_hang_is_killed_though_it_is_heard_of(new_instance: Path) -> None:
    """Its reactor lives; its executor waits, here for a lock on the database that nobody lets go of."""
    with RunningServer(new_instance, *TWO, "--set", "server.hang_seconds=1.5") as server:
        one, other = processes(server)
        with connection_to(server, one) as hanging, connection_to(server, other) as waiting:
            lock = sqlite3.connect(new_instance / "kmip.db")
            lock.execute("BEGIN IMMEDIATE")
            caught = threading.Thread(target=lambda: _lost(hanging))
            caught.start()
            logged(server, f"process {one}, has hung for")
            caught.join(60)
            lock.rollback()
            lock.close()
            successor(server, [one, other])
            assert answered(waiting) == ResultStatus.SUCCESS
        with Connection(server) as connection:
            Client(connection, V2_1).call(Operation.CREATE, create())


def _lost(connection: Connection) -> None:
    try:
        Client(connection, V2_1).call(Operation.CREATE, create())
    except Exception:
        return


def test_a_worker_that_cannot_start_again_is_tried_ever_more_slowly(own_pair: RunningServer) -> None:
    """The other one serves meanwhile, and all is well once what was missing is there again."""
    phrase = own_pair.folder / "keystore.passphrase"
    away = phrase.rename(phrase.with_suffix(".away"))
    one, other = processes(own_pair)
    kill(one)
    logged(own_pair, "another takes its place", 5)
    with Connection(own_pair) as connection:
        assert worker_of(own_pair, connection) == other
        assert answered(connection) == ResultStatus.SUCCESS
    lines = [line for line in own_pair.log.read_text().splitlines() if "another takes its place" in line]
    assert all("keystore.passphrase" in line for line in lines[1:])
    # The pauses between the attempts double: 0.1, 0.2, 0.4 s and so on, and what a start takes.
    gaps = [moment_of(b) - moment_of(a) for a, b in itertools.pairwise(lines[1:])]
    assert all(gap >= 0.1 * 2**at for at, gap in enumerate(gaps[:3])), gaps
    away.rename(phrase)
    fresh = successor(own_pair, [one, other])
    with connection_to(own_pair, fresh) as connection:
        assert answered(connection) == ResultStatus.SUCCESS
