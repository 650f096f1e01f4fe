"""A disk that is full, read-only or broken, at every call: refusal, recovery without a restart, nothing lost."""

from __future__ import annotations

import errno
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kmip_server.protocol.enums import Operation, ResultReason
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.versions import V2_1
from tests.durability import shim
from tests.durability.checks import check, check_record, check_store, through
from tests.durability.load import UNAVAILABLE, UNKNOWN, Load
from tests.durability.rounds import promise_of
from tests.durability.shim import Calls, Faults
from tests.support.engine import Refused
from tests.support.requests import create, name
from tests.support.server import RunningServer, make_instance
from tests.support.wire import Client, Connection

CHANGING = Calls.WRITE | Calls.TRUNCATE | Calls.OPEN
FAULTS = {
    "full disk": (CHANGING, errno.ENOSPC),
    "read-only file system": (CHANGING | Calls.UNLINK, errno.EROFS),
    "I/O error at a write": (Calls.WRITE | Calls.TRUNCATE, errno.EIO),
    "I/O error at a sync": (Calls.SYNC, errno.EIO),
    "I/O error at a write or sync": (Calls.WRITE | Calls.TRUNCATE | Calls.SYNC, errno.EIO),
    "I/O error at a read": (Calls.READ, errno.EIO),
}


@dataclass
class Site:
    """A server whose disk can be made to fail."""

    server: RunningServer
    faults: Faults

    @property
    def database(self) -> Path:
        return self.server.folder / "kmip.db"

    def restart(self) -> None:
        """Without warning, as a crash does it."""
        self.server.stop(signal.SIGKILL)
        self.faults.mend()
        self.server.start()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("faults")
    instance = make_instance(folder / "kmip", "--keystore", "software")
    with Faults(folder / "fault") as faults:
        environment = shim.environment(library, instance, fault=faults.path)
        with RunningServer(instance, environment=environment) as server:
            yield Site(server, faults)


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with Connection(site.server) as connection:
        yield Client(connection, V2_1)


def refusal(call: Callable[[], Any]) -> Refused | None:
    try:
        call()
    except Refused as refused:
        return refused
    return None


def making(client: Client, title: str) -> Callable[[], Any]:
    return lambda: client.call(Operation.CREATE, create(name(title)))


def is_there(client: Client, title: str) -> bool:
    found = client.call(Operation.LOCATE, LocateRequest(attributes=(name(title),))).unique_identifiers
    return bool(found)


@pytest.mark.slow
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("fault", FAULTS)
def test_at_every_call_it_refuses_and_recovers(site: Site, client: Client, fault: str, lasting: bool) -> None:
    """How many calls a request makes is the database's affair: three requests that see no fault are the end."""
    calls, error = FAULTS[fault]
    refused: list[str] = []
    done: list[str] = []
    nth = unhurt = 0
    while unhurt < 3:
        nth += 1
        title = f"{fault} {lasting} {nth}"
        site.faults.arm(calls, error, nth=nth, lasting=lasting)
        answer = refusal(making(client, title))
        fired = site.faults.mend()
        unhurt = unhurt + 1 if not fired else 0
        if answer is None:
            done.append(title)
        else:
            assert fired
            assert answer.reason == ResultReason.INTERNAL_SERVER_ERROR
            assert answer.message in (UNAVAILABLE, UNKNOWN)
            refused.append(title)
        # It has mended, and the server needs nothing but that.
        client.call(Operation.CREATE, create(name(f"{title}, mended")))
        done.append(f"{title}, mended")
    assert refused, "no request met the fault"
    assert not [each for each in refused if is_there(client, each)]
    assert all(is_there(client, each) for each in done)
    check_record(site.database)
    check_store(site.database)
    site.restart()
    with Connection(site.server) as connection:
        again = Client(connection, V2_1)
        assert not [each for each in refused if is_there(again, each)]
        assert all(is_there(again, each) for each in done)
    check_record(site.database)


@pytest.mark.parametrize("fault", ["full disk", "read-only file system"])
def test_without_its_record_nothing_is_read_either(site: Site, client: Client, fault: str) -> None:
    made = client.call(Operation.CREATE, create()).unique_identifier
    asked = GetRequest(unique_identifier=made)
    calls, error = FAULTS[fault]
    site.faults.arm(calls, error)
    answers = [refusal(lambda: client.call(Operation.GET, asked)) for _ in range(3)]
    site.faults.mend()
    assert [each.message if each else None for each in answers] == [UNAVAILABLE] * 3
    client.call(Operation.GET, asked)


def test_what_a_failed_sync_refused_does_not_come_back_after_a_crash(site: Site, client: Client) -> None:
    """The frames of the refused transaction are whole in the log when the sync fails."""
    making(client, "before a failed sync")()
    site.faults.arm(Calls.SYNC, errno.EIO, lasting=False)
    answer = refusal(making(client, "refused at a failed sync"))
    assert answer is not None
    assert answer.message == UNAVAILABLE
    site.restart()
    with Connection(site.server) as connection:
        again = Client(connection, V2_1)
        assert is_there(again, "before a failed sync")
        assert not is_there(again, "refused at a failed sync")
    failed = [each for each in check_record(site.database) if each["outcome"] == "failed"]
    assert failed[-1]["operation"] == Operation.CREATE.title


def test_where_nothing_can_be_synced_the_outcome_is_told_as_unknown(site: Site, client: Client) -> None:
    site.faults.arm(Calls.SYNC, errno.EIO)
    answer = refusal(making(client, "in doubt"))
    assert answer is not None
    assert answer.message == UNKNOWN
    site.restart()
    check_record(site.database)
    check_store(site.database)


SEED = "faults under load"


@pytest.mark.slow
def test_a_disk_that_fails_again_and_again_under_load(site: Site) -> None:
    """Eight clients, a fault every few requests, a crash in the end: each has what it was promised, and no more."""
    rng = random.Random(SEED)
    load = Load(site.server, SEED)
    for number in range(1, 26):
        calls, error = rng.choice(list(FAULTS.values()))
        # Where syncs go on failing the outcome is unknown; everything else is told for certain.
        lasting = not calls & Calls.SYNC and rng.random() < 0.3
        site.faults.arm(calls, error, nth=rng.randint(1, 60), lasting=lasting)
        load.wait_for(number * 12)
        site.faults.mend()
    assert not [client.name for client in load.clients if client.ended]
    assert load.refused > 0, "no request met a fault"
    site.restart()
    load.join()
    promises = [promise_of(client) for client in load.clients]
    with Connection(site.server) as connection:
        check(through(connection), site.database, promises, load.limited, load.total)


@pytest.mark.parametrize("fault", FAULTS)
def test_where_the_disk_fails_it_does_not_start_and_says_so(tmp_path: Path, library: Path, fault: str) -> None:
    instance = make_instance(tmp_path / "kmip", "--keystore", "software")
    with Faults(tmp_path / "fault") as faults:
        server = RunningServer(instance, environment=shim.environment(library, instance, fault=faults.path))
        faults.arm(*FAULTS[fault])
        done = subprocess.run(
            server.command(), env=server.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        assert faults.mend() > 0
        assert "Traceback" not in done.stderr
        assert "the database" in done.stderr
        with server:
            assert server.port
