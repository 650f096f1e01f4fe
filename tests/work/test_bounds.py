"""The bytes of an answer, and the bytes that wait, have an end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from kmip_server.engine.context import Policy
from kmip_server.errors import KmipError
from kmip_server.principal import Peer
from kmip_server.protocol.enums import BatchErrorContinuationOption, Operation, ResultReason, ResultStatus
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import SERVED, V1_4
from kmip_server.store import audit
from kmip_server.transport.factory import KmipFactory
from kmip_server.transport.kmip import SMALL_SHARE, Deliver, KmipConnection
from kmip_server.transport.limits import Limits
from tests.support.engine import Engine, child
from tests.support.requests import create


def test_the_answer_to_one_message_is_bounded(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Policy(served=SERVED, max_response_bytes=2000))
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    get = (Operation.GET, GetRequest(unique_identifier=uid))
    items = engine.batch(V1_4, [get] * 50, option=BatchErrorContinuationOption.CONTINUE)
    statuses = [child(item, Tag.RESULT_STATUS) for item in items]
    served = statuses.count(ResultStatus.SUCCESS)
    assert 2 < served < 20
    assert statuses == [ResultStatus.SUCCESS] * served + [ResultStatus.OPERATION_FAILED] * (50 - served)
    assert child(items[-1], Tag.RESULT_REASON) == ResultReason.RESPONSE_TOO_LARGE
    outcomes = [record["outcome"] for record in audit.tail(engine.connect(), 50)]
    assert outcomes == ["allowed"] * served + ["failed"] * (50 - served)
    engine.close()


class Silent:
    """Takes messages, and answers when it is told to."""

    def __init__(self) -> None:
        self.taken: list[Deliver] = []

    def submit(self, message: bytes, peer: Peer, deliver: Deliver) -> bool:
        self.taken.append(deliver)
        return True

    def malformed(self, prefix: bytes, error: KmipError) -> bytes | None:
        return None


def connected(factory: KmipFactory) -> tuple[KmipConnection, StringTransport]:
    connection = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
    transport = StringTransport()
    connection.makeConnection(transport)
    connection._peer = Peer(address="127.0.0.1:1", certificate=b"", fingerprint="one")
    return connection, transport


def message(length: int) -> bytes:
    return b"\x42\x00\x78\x01" + length.to_bytes(4, "big") + bytes(length)


def made(**limits: int) -> tuple[KmipFactory, Silent]:
    silent = Silent()
    tls: Any = None
    return KmipFactory(Clock(), silent, tls, Limits(**limits)), silent


def test_a_connection_with_many_bytes_waiting_is_not_read_from() -> None:
    factory, silent = made(max_pipelined_bytes=10_000)
    connection, transport = connected(factory)
    for _ in range(3):
        assert transport.producerState == "producing"
        connection.dataReceived(message(4000))
    assert transport.producerState == "paused"
    silent.taken.pop()(b"answer")
    assert transport.producerState == "paused"
    silent.taken.pop()(b"answer")
    assert transport.producerState == "producing"
    assert factory.held == 4008


def test_one_message_is_read_to_its_end_however_long_it_is() -> None:
    factory, silent = made(max_pipelined_bytes=1000)
    connection, transport = connected(factory)
    whole = message(8000)
    connection.dataReceived(whole[:4000])
    assert transport.producerState == "producing"
    connection.dataReceived(whole[4000:])
    assert len(silent.taken) == 1


def test_all_connections_together_are_bounded_and_small_requests_come_through() -> None:
    factory, silent = made(max_waiting_bytes=300_000)
    large = [connected(factory) for _ in range(4)]
    for connection, _ in large:
        connection.dataReceived(message(SMALL_SHARE + 16000))
    assert [transport.producerState for _, transport in large] == ["producing"] * 3 + ["paused"]
    small, transport = connected(factory)
    small.dataReceived(message(800))
    assert (transport.producerState, len(silent.taken)) == ("producing", 5)
    # Room is made by another: the next sweep finds whom it is for.
    large[0][0].connectionLost()
    factory._sweep()
    assert large[3][1].producerState == "producing"
    for connection, _ in (*large[1:], (small, transport)):
        connection.connectionLost()
    assert (factory.held, factory.held_back) == (0, set())
