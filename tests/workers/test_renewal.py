"""SIGHUP: the workers are renewed one after the other, and nobody who connects meanwhile is refused."""

from __future__ import annotations

import json
import os
import signal
import ssl
from pathlib import Path

import pytest

from kmip_server.pki.authority import issue
from kmip_server.protocol.enums import Operation, ResultStatus
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V2_1
from tests.support.engine import child
from tests.support.server import RunningServer
from tests.support.wire import Client, Connection
from tests.support.workers import Crowd, is_there, logged, processes, until
from tests.transport.test_wire import answered
from tests.workers.conftest import TWO

RENEWED = "all workers are renewed"


def hang_up(server: RunningServer) -> None:
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGHUP)


def edit(server: RunningServer, before: str, after: str) -> None:
    text = server.config.read_text()
    assert before in text
    server.config.write_text(text.replace(before, after))


class Callers(Crowd):
    """Clients each of which connects, asks once and goes, all the time."""

    def __init__(self, server: RunningServer, count: int = 3) -> None:
        self.calls = 0
        super().__init__(server, count)

    def _turn(self) -> None:
        try:
            with Connection(self._server, tls=self._tls) as connection:
                assert answered(connection) == ResultStatus.SUCCESS
            self.calls += 1
        except Exception as error:
            self.faults.append(repr(error))

    def more(self, count: int) -> None:
        goal = self.calls + count
        until(lambda: self.calls >= goal or self.faults, "more calls")


def test_nobody_is_refused_through_two_renewals(own_pair: RunningServer) -> None:
    first = processes(own_pair)
    callers = Callers(own_pair)
    try:
        for turn in (1, 2):
            callers.more(30)
            before = processes(own_pair)
            hang_up(own_pair)
            logged(own_pair, RENEWED, turn)
            until(lambda before=before: not any(map(is_there, before)), "the end of the old workers")
            callers.more(30)
    finally:
        callers.end()
    assert callers.faults == []
    assert not set(first) & set(processes(own_pair))
    assert len(processes(own_pair)) == 2
    rows = json.loads(own_pair.admin("status", "--json").stdout)["workers"]
    assert [(row["slot"], row["replaced"]) for row in rows] == [(0, 0), (1, 0)]


def test_two_hangups_at_once_are_two_renewals_or_one_but_the_last_settings_hold(own_pair: RunningServer) -> None:
    edit(own_pair, "max_batch_items = 1000", "max_batch_items = 7")
    hang_up(own_pair)
    edit(own_pair, "max_batch_items = 7", "max_batch_items = 9")
    hang_up(own_pair)
    until(lambda: limit_of(own_pair) == 9, "the last settings")
    logged(own_pair, RENEWED)


def limit_of(server: RunningServer) -> int:
    """How many batch items are taken, by the sentence that says so."""
    for count in (8, 10):
        with Connection(server) as connection:
            items = Client(connection, V2_1).batch(*[(Operation.LOCATE, LocateRequest())] * count)
        if child(items[0], Tag.RESULT_STATUS) != ResultStatus.SUCCESS:
            return count - 1
    return 1000


def test_new_certificates_are_those_of_every_worker(own_pair: RunningServer) -> None:
    certs = own_pair.folder / "certs"
    issued = issue(
        (certs / "ca.pem").read_bytes(), (certs / "ca.key").read_bytes(), "localhost", server_names=("127.0.0.1",)
    )
    (certs / "server.pem").write_bytes(issued.certificate)
    (certs / "server.key").write_bytes(issued.private_key)
    hang_up(own_pair)
    logged(own_pair, RENEWED)
    expected = ssl.PEM_cert_to_DER_cert(issued.certificate.decode())
    held = [Connection(own_pair) for _ in range(4)]
    assert all(each.socket.getpeercert(True) == expected for each in held)
    for each in held:
        each.close()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('level = "info"', 'level = "loud"', "log.level: input should be"),
        ('certificate = "certs/server.pem"', 'certificate = "certs/none.pem"', "none.pem cannot be read"),
        ('url = "sqlite:///kmip.db"', 'url = "sqlite:///other.db"', "other.db (store.url) does not exist"),
        # Only a worker can find this out.
        ('folder = ""', 'folder = "elsewhere"', "elsewhere"),
    ],
    ids=["no setting", "no certificate", "no database", "no keystore"],
)
def test_with_wrong_settings_the_old_workers_serve_on(
    own_pair: RunningServer, before: str, after: str, words: str
) -> None:
    workers = processes(own_pair)
    with Connection(own_pair) as kept:
        edit(own_pair, before, after)
        hang_up(own_pair)
        logged(own_pair, "nothing renewed, the old workers serve on: ")
        (line,) = [each for each in own_pair.log.read_text().splitlines() if "nothing renewed" in each]
        assert words in line
        until(lambda: processes(own_pair) == workers, "the end of the one that could not")
        assert answered(kept) == ResultStatus.SUCCESS
        # A worker that dies is replaced by one of the old settings.
        os.kill(workers[1], signal.SIGKILL)
        logged(own_pair, "worker 1: process")
    edit(own_pair, after, before)
    hang_up(own_pair)
    logged(own_pair, RENEWED)
    with Connection(own_pair) as again:
        assert answered(again) == ResultStatus.SUCCESS


def test_other_addresses_take_a_restart(own_pair: RunningServer) -> None:
    """The port is given on the command line, so the host is changed here."""
    others, admin, rest = own_pair.config.read_text().partition("[admin]")
    own_pair.config.write_text(others + admin + rest.replace("127.0.0.1", "127.0.0.2", 1))
    hang_up(own_pair)
    logged(own_pair, "another address to listen on takes a restart")
    logged(own_pair, RENEWED)
    with Connection(own_pair) as connection:
        assert answered(connection) == ResultStatus.SUCCESS


def slots(server: RunningServer) -> list[int]:
    """Of the workers that serve, as they say."""
    return sorted(row["slot"] for row in json.loads(server.admin("status", "--json").stdout)["workers"])


def test_the_number_of_workers_can_change(new_instance: Path) -> None:
    config = new_instance / "kmip-server.toml"
    whole = config.read_text()
    config.write_text(whole.replace("workers = 1", "workers = 2"))
    with RunningServer(new_instance) as server:
        for count, turn in ((3, 1), (1, 2)):
            config.write_text(whole.replace("workers = 1", f"workers = {count}"))
            hang_up(server)
            logged(server, RENEWED, turn)
            # Of two new numbers, the one that was not there before is started after the others are renewed.
            until(lambda count=count: slots(server) == list(range(count)), f"{count} workers")
            until(lambda count=count: len(processes(server)) == count, f"the end of all but {count}")
            with Connection(server) as connection:
                assert answered(connection) == ResultStatus.SUCCESS
        text = server.log.read_text()
    assert "Traceback" not in text
    assert "another takes its place" not in text


def test_a_renewal_does_not_wait_for_a_worker_that_hangs(new_instance: Path) -> None:
    """The one that hangs gets its end when the new one serves, and is killed where it does not take it."""
    options = (*TWO, "--set", "server.drain_seconds=0.2", "--set", "server.hang_seconds=60")
    with RunningServer(new_instance, *options) as server:
        one, other = processes(server)
        os.kill(one, signal.SIGSTOP)
        logged(server, f"process {one}, is silent")
        hang_up(server)
        logged(server, RENEWED)
        until(lambda: not is_there(one) and not is_there(other), "the end of both")
        until(lambda: len(processes(server)) == 2, "two workers")
        with Connection(server) as connection:
            assert answered(connection) == ResultStatus.SUCCESS
