"""What is revoked or destroyed through one worker is not served by another, not once.

Strategy: one connection at each of two workers. What was changed is asked for at the other one at once, where it is
warm in every cache; and all the time, from several connections: an answer to a request that was sent after the change
was acknowledged must be a refusal.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kmip_server.protocol.enums import (
    BlockCipherMode,
    CryptographicUsageMask,
    Operation,
    PaddingMethod,
    ResultReason,
    ResultStatus,
    RevocationReasonCode,
)
from kmip_server.protocol.payloads.cryptographic import EncryptRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.versions import V2_1
from tests.support.engine import Refused
from tests.support.requests import create, parameters, revoke
from tests.support.server import RunningServer
from tests.support.wire import Client, Connection, context
from tests.support.workers import connection_to, processes, worker_of
from tests.transport.test_wire import answered

TIMES = 200
CBC = parameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5)
USES = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT


@pytest.fixture
def both(pair: RunningServer) -> Iterator[tuple[Client, Client]]:
    """A client at each worker."""
    one, other = processes(pair)
    with connection_to(pair, one) as first, connection_to(pair, other) as second:
        yield Client(first, V2_1), Client(second, V2_1)


def active_key(client: Client) -> str:
    made: str = client.call(Operation.CREATE, create(mask=USES)).unique_identifier
    client.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=made))
    return made


def encrypt(client: Client, key: str) -> Any:
    request = EncryptRequest(
        unique_identifier=key, cryptographic_parameters=CBC, data=b"data", iv_counter_nonce=bytes(16)
    )
    return client.call(Operation.ENCRYPT, request)


def get(client: Client, key: str) -> Any:
    return client.call(Operation.GET, GetRequest(unique_identifier=key))


def test_a_key_revoked_at_one_worker_encrypts_at_none(both: tuple[Client, Client]) -> None:
    for turn in range(TIMES):
        here, there = both if turn % 2 else reversed(both)
        key = active_key(here)
        encrypt(there, key)
        here.call(Operation.REVOKE, revoke(key, RevocationReasonCode.CESSATION_OF_OPERATION))
        with pytest.raises(Refused) as refused:
            encrypt(there, key)
        assert refused.value.reason == ResultReason.WRONG_KEY_LIFECYCLE_STATE


def test_a_key_destroyed_at_one_worker_is_got_at_none(both: tuple[Client, Client]) -> None:
    for turn in range(TIMES):
        here, there = both if turn % 2 else reversed(both)
        key = here.call(Operation.CREATE, create()).unique_identifier
        get(there, key)
        here.call(Operation.DESTROY, DestroyRequest(unique_identifier=key))
        with pytest.raises(Refused) as refused:
            get(there, key)
        assert refused.value.reason == ResultReason.OBJECT_DESTROYED


def test_not_even_while_others_ask_all_the_time(pair: RunningServer, both: tuple[Client, Client]) -> None:
    """Each asker notes when it sent what was answered with a success; the clock is the same for all."""
    here, there = both
    one, other = processes(pair)
    for use, prepare, end in (
        (encrypt, active_key, lambda key: here.call(Operation.REVOKE, revoke(key))),
        (get, lambda c: c.call(Operation.CREATE, create()).unique_identifier, lambda key: _destroy(here, key)),
    ):
        for _ in range(20):
            key = prepare(here)
            askers = [Asker(pair, pid, use, key) for pid in (other, other, one)]
            for each in askers:
                each.has_begun.wait(30)
            end(key)
            acknowledged = time.monotonic()
            for each in askers:
                each.end()
            assert all(each.successes for each in askers)
            assert max(max(each.successes) for each in askers) <= acknowledged
            expected = ResultReason.WRONG_KEY_LIFECYCLE_STATE if use is encrypt else ResultReason.OBJECT_DESTROYED
            assert all(each.refusals == [expected] * 5 for each in askers)
    assert answered(there.connection) == ResultStatus.SUCCESS


def _destroy(client: Client, key: str) -> None:
    client.call(Operation.DESTROY, DestroyRequest(unique_identifier=key))


class Asker:
    """A connection at one worker that uses a key until it is refused a few times."""

    def __init__(self, server: RunningServer, pid: int, use: Callable[[Client, str], Any], key: str) -> None:
        self.successes: list[float] = []
        self.refusals: list[int] = []
        self.has_begun = threading.Event()
        self._connection = connection_to(server, pid)
        self._use = use
        self._key = key
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        client = Client(self._connection, V2_1)
        while len(self.refusals) < 5:
            sent = time.monotonic()
            try:
                self._use(client, self._key)
            except Refused as refused:
                self.refusals.append(refused.reason)
            else:
                self.successes.append(sent)
                self.has_begun.set()

    def end(self) -> None:
        self._thread.join(60)
        self._connection.close()


# --- identities ---------------------------------------------------------------------------------


def enrolled(server: RunningServer, name: str) -> None:
    prefix = str(server.folder / "certs" / name)
    server.admin("client", "enroll", name, "--role", "Appliance", "--out", prefix)


def test_who_is_revoked_at_one_worker_loses_every_connection_without_asking(pair: RunningServer) -> None:
    """The idle ones too, at the worker that the administrator did not speak to."""
    enrolled(pair, "idle")
    held = [Connection(pair, "idle") for _ in range(4)]
    assert {worker_of(pair, each) for each in held} == set(processes(pair))
    assert all(answered(each) == ResultStatus.SUCCESS for each in held)
    pair.admin("client", "revoke", "idle")
    for each in held:
        assert each.receive() == b""
        each.close()


def test_who_is_revoked_is_answered_nowhere_from_then_on(pair: RunningServer) -> None:
    """Requests are sent at once, before any worker has been told otherwise than by the database."""
    for turn in range(5):
        name = f"revoked{turn}"
        enrolled(pair, name)
        tls = context(pair, name)
        held = [Connection(pair, tls=tls) for _ in range(4)]
        assert all(answered(each) == ResultStatus.SUCCESS for each in held)
        pair.admin("client", "revoke", name)
        for each in held:
            with suppress(Exception):
                assert answered(each) != ResultStatus.SUCCESS
            each.close()
    records = json.loads(pair.admin("audit", "tail", "--count", "200", "--json").stdout)
    for turn in range(5):
        name = f"revoked{turn}"
        revoked = next(
            at for at, r in enumerate(records) if r["operation"] == "client.revoke" and r["object"] == name
        )
        later = [r for r in records[revoked:] if r["principal"] == name and r["outcome"] == "allowed"]
        assert later == []


def test_an_idle_server_of_one_process_closes_them_too(new_instance: Path) -> None:
    """An administrator of a second node on the same database: this one is told by nobody."""
    from kmip_server.store import database, principals

    with RunningServer(new_instance, "--set", "server.workers=1") as server, Connection(server) as connection:
        assert answered(connection) == ResultStatus.SUCCESS
        elsewhere = database.connect(new_instance / "kmip.db")
        elsewhere.execute("BEGIN IMMEDIATE")
        principals.revoke(elsewhere, "client")
        principals.raise_policy_revision(elsewhere)
        elsewhere.execute("COMMIT")
        elsewhere.close()
        assert connection.receive() == b""
