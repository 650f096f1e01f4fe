"""The machine's own troubles, over the wire: a clock that jumps, and memory that is short."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
from pathlib import Path

import pytest

from kmip_server.engine.batch import NO_MEMORY
from kmip_server.errors import KeyStoreUnavailable
from kmip_server.protocol.enums import (
    BlockCipherMode,
    CryptographicUsageMask,
    Operation,
    PaddingMethod,
    ResultReason,
)
from kmip_server.protocol.payloads.cryptographic import EncryptRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest
from kmip_server.protocol.versions import V2_1
from kmip_server.transport.memory import RESERVE_BYTES
from tests.support.engine import Refused
from tests.support.requests import create, name, parameters
from tests.support.server import WORKERS, RunningServer, make_instance
from tests.support.wire import Client, Connection
from tests.support.workers import until

DAY = 86_400
CBC = parameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5, random_iv=True)


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
    """Who brings much is refused with a sentence, who brings little is served; all is well when there is more."""
    with RunningServer(new_instance) as server, Connection(server) as connection:
        client = Client(connection, V2_1)
        key = made(client, name("used"))
        mask = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT
        cipher = client.call(Operation.CREATE, create(mask=mask)).unique_identifier
        client.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=cipher))

        def encrypt(size: int) -> bool:
            """Whether it is done. Refused it is for want of memory."""
            data = bytes(size)
            request = EncryptRequest(unique_identifier=cipher, data=data, cryptographic_parameters=CBC)
            try:
                client.call(Operation.ENCRYPT, request)
            except Refused as refused:
                if (refused.reason, refused.message) != (ResultReason.SERVER_LIMIT_EXCEEDED, NO_MEMORY):
                    raise
                return False
            return True

        assert encrypt(400_000)
        limits = {each: resource.prlimit(each, resource.RLIMIT_AS) for each in server.workers()}
        for each, (_, hard) in limits.items():
            size = int(Path(f"/proc/{each}/statm").read_text().split()[0]) * resource.getpagesize()
            resource.prlimit(each, resource.RLIMIT_AS, (size + RESERVE_BYTES // 2, hard))
        until(lambda: not encrypt(400_000), "that memory is short")
        assert client.call(Operation.GET, GetRequest(unique_identifier=key)).unique_identifier == key
        assert encrypt(30_000)
        for each, limit in limits.items():
            resource.prlimit(each, resource.RLIMIT_AS, limit)
        until(lambda: encrypt(400_000), "that memory is not short any more")
        assert "memory is short: a message of" in server.log.read_text()
        assert server.admin("audit", "verify").returncode == 0


def test_a_token_whose_files_were_away(tmp_path: Path) -> None:
    """SoftHSM does not find it again by itself."""
    instance = make_instance(tmp_path / "kmip")
    with RunningServer(instance) as server, Connection(server) as connection:
        client = Client(connection, V2_1)
        key = made(client, name("before"))

        def is_served() -> bool:
            try:
                client.call(Operation.GET, GetRequest(unique_identifier=key))
            except Refused as refused:
                said.add(refused.message)
                return False
            return True

        said: set[str] = set()
        (instance / "softhsm").rename(tmp_path / "away")
        until(lambda: not is_served(), "that the token is away")
        (tmp_path / "away").rename(instance / "softhsm")
        until(is_served, "that the token is back")
        assert said == {KeyStoreUnavailable.for_client}
        told = server.log.read_text()
        assert 1 <= told.count("is away: its keys are dropped") <= WORKERS
        assert 1 <= told.count(".so is back\n") <= WORKERS
