"""The machine's own troubles, over the wire: a clock that jumps, and memory that is short."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
from pathlib import Path

import pytest

from kmip_server.protocol.enums import CryptographicUsageMask, Operation, ResultReason
from kmip_server.protocol.payloads.cryptographic import EncryptRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest
from kmip_server.protocol.versions import V2_1
from tests.support.engine import Refused
from tests.support.requests import create, name
from tests.support.server import RunningServer
from tests.support.wire import Client, Connection
from tests.support.workers import until

DAY = 86_400


class Misled(RunningServer):
    """A server whose machine's clock runs ahead by as many seconds as a file says."""

    @property
    def ahead(self) -> Path:
        return self.folder / "ahead"

    def command(self) -> list[str]:
        python, option, program, *arguments = super().command()
        mislead = (
            "import os, time\n"
            f"file, real = {str(self.ahead)!r}, time.time_ns\n"
            "def ahead():\n"
            "    return int(open(file).read() or 0) if os.path.exists(file) else 0\n"
            "time.time_ns = lambda: real() + ahead() * 1_000_000_000\n"
        )
        return [python, option, mislead + program, *arguments]


def made(client: Client, *attributes: object) -> str:
    found: str = client.call(Operation.CREATE, create(*attributes)).unique_identifier  # type: ignore[arg-type]
    return found


def test_a_clock_that_jumps_ahead(new_instance: Path) -> None:
    """Refused with a sentence while it is wrong, served when it is right, and nothing is dated wrongly."""
    with Misled(new_instance) as server, Connection(server) as connection:
        client = Client(connection, V2_1)
        key = made(client, name("before"))
        server.ahead.write_text(str(3650 * DAY))
        for call in (
            lambda: client.call(Operation.GET, GetRequest(unique_identifier=key)),
            lambda: made(client, name("in ten years")),
        ):
            with pytest.raises(Refused) as refused:
                call()
            assert "the server's clock has jumped" in str(refused.value)
        assert json.loads(server.admin("status", "--json").stdout)["clock_ahead_seconds"] > 3649 * DAY
        server.ahead.write_text("0")
        assert client.call(Operation.GET, GetRequest(unique_identifier=key)).unique_identifier == key
        made(client, name("after"))
        assert json.loads(server.admin("status", "--json").stdout)["clock_ahead_seconds"] == 0
        told = server.log.read_text()
        assert told.count("has jumped 31536") + told.count("has jumped 31535") >= 1
        assert "is right again" in told
    latest = sqlite3.connect(new_instance / "kmip.db").execute("SELECT max(last_time) FROM audit_chains").fetchone()
    with RunningServer(new_instance) as server:
        assert latest[0] < 4e15  # microseconds: not in ten years
        assert server.admin("audit", "verify").returncode == 0


def test_a_clock_that_was_wrong_before_is_accepted_by_a_signal(new_instance: Path) -> None:
    with Misled(new_instance) as server:
        with Connection(server) as connection:
            client = Client(connection, V2_1)
            key = made(client, name("before"))
            server.ahead.write_text(str(30 * DAY))
            with pytest.raises(Refused):
                client.call(Operation.GET, GetRequest(unique_identifier=key))
        assert server.process is not None
        server.process.send_signal(signal.SIGHUP)

        def is_served() -> bool:
            try:
                with Connection(server) as connection:
                    Client(connection, V2_1).call(Operation.GET, GetRequest(unique_identifier=key))
            except (Refused, OSError):
                return False
            return True

        until(is_served, "the new time is accepted")


def test_short_of_memory(new_instance: Path) -> None:
    """What needs much is refused with a sentence, what needs little is served; all is well when there is more."""
    with RunningServer(new_instance) as server, Connection(server) as connection:
        client = Client(connection, V2_1)
        key = made(client, name("used"))
        mask = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT
        cipher = client.call(Operation.CREATE, create(mask=mask)).unique_identifier
        client.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=cipher))

        def encrypt(size: int) -> None:
            client.call(Operation.ENCRYPT, EncryptRequest(unique_identifier=cipher, data=bytes(size)))

        encrypt(400_000)
        (worker, *others) = server.workers()
        limits = {each: resource.prlimit(each, resource.RLIMIT_AS) for each in (worker, *others)}
        for each in limits:
            words = Path(f"/proc/{each}/statm").read_text().split()
            size = int(words[0]) * resource.getpagesize()
            resource.prlimit(each, resource.RLIMIT_AS, (size, limits[each][1]))
        reasons = set()
        for _ in range(20):
            try:
                encrypt(900_000)
            except Refused as refused:
                reasons.add(refused.reason)
                assert "short of memory" in str(refused)
            client.call(Operation.GET, GetRequest(unique_identifier=key))
        for each, limit in limits.items():
            resource.prlimit(each, resource.RLIMIT_AS, limit)
        encrypt(900_000)
        assert reasons <= {ResultReason.SERVER_LIMIT_EXCEEDED}
        assert server.admin("audit", "verify").returncode == 0
