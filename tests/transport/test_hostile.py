"""What a hostile peer may try, over real TLS: each attempt is bounded and counted, and a good client is served meanwhile.

Strategy: a table of attempts. While one is made, `Good` asks for its key, again and again, on a connection of its own; it
must be answered while the attempt is at its height, and never refused. What ends an attempt is the server; nothing here
measures time.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

import pytest

from kmip_server.errors import ServerLimitExceeded
from kmip_server.protocol import ttlv
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import Operation, ResultReason, ResultStatus
from kmip_server.protocol.payloads.discovery import QueryRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_4
from kmip_server.work.weight import LONG_BATCH
from tests.support import requests as r
from tests.support.engine import child, children, request_message, told
from tests.support.server import WORKERS, RunningServer, make_instance
from tests.support.wire import TIMEOUT_SECONDS, Client, Connection, context

Op = Operation
QUERY = request_message(V1_4, [(int(Op.QUERY), encode_structure(QueryRequest(), V1_4), None)])
LOCATE = request_message(V1_4, [(int(Op.LOCATE), encode_structure(LocateRequest(), V1_4), None)])
PACE_SECONDS = 0.05
"""Between the bytes of a slow peer, which listens meanwhile."""
ELSEWHERE = "127.0.0.2"
PER_ADDRESS = 20
OBJECTS = 60
BOUNDS = {
    "handshake_timeout_seconds": 2,
    "message_timeout_seconds": 2,
    "write_timeout_seconds": 2,
    "idle_timeout_seconds": 4,
    "max_connections_per_address": PER_ADDRESS,
    "max_locate_items": OBJECTS - 10,
}


class Good:
    """A client that asks for its key as long as an attempt lasts."""

    def __init__(self, server: RunningServer) -> None:
        self.connection = Connection(server)
        made = Client(self.connection, V1_4).call(Op.CREATE, r.create())
        get = GetRequest(unique_identifier=made.unique_identifier)
        self.message = request_message(V1_4, [(int(Op.GET), encode_structure(get, V1_4), None)])
        self.answers = 0
        self.faults: list[object] = []
        self._over = threading.Event()
        self._answered = threading.Condition()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._over.is_set() and not self.faults:
            try:
                status = child(self.connection.exchange(self.message), Tag.BATCH_ITEM, Tag.RESULT_STATUS)
                if status != ResultStatus.SUCCESS:
                    self.faults.append(status)
            except Exception as error:
                self.faults.append(error)
            with self._answered:
                self.answers += 1
                self._answered.notify_all()

    def wait_for(self, more: int) -> None:
        """Until so many more answers have come."""
        with self._answered:
            wanted = self.answers + more
            assert self._answered.wait_for(lambda: self.answers >= wanted or self.faults, TIMEOUT_SECONDS)
        assert not self.faults, self.faults

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(TIMEOUT_SECONDS)
        self.connection.close()
        assert not self.faults, self.faults


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = make_instance(tmp_path_factory.mktemp("hostile") / "kmip", "--keystore", "software")
    given = [word for key, value in BOUNDS.items() for word in ("--set", f"limits.{key}={value}")]
    with RunningServer(folder, *given) as server:
        with Connection(server) as connection:
            client = Client(connection, V1_4)
            for _ in range(OBJECTS):
                client.call(Op.CREATE, r.create())
        yield server


def troubles(server: RunningServer) -> dict[str, int]:
    """What the server has counted."""
    found: dict[str, int] = json.loads(server.admin("status", "--json").stdout)
    return found


# --- attempts -----------------------------------------------------------------------------------

Attempt = Callable[[RunningServer, Good], None]


def plain(server: RunningServer, source: str = ELSEWHERE) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_SECONDS, source_address=(source, 0))


def wrapped(server: RunningServer, version: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
    tls = context(server)
    if version is not None:
        tls.minimum_version = tls.maximum_version = version
    return tls.wrap_socket(plain(server), server_hostname="127.0.0.1")


def ended(peer: socket.socket) -> bool:
    """Whether the server ends the connection; what it says before does not matter."""
    try:
        while peer.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def trickle(peer: socket.socket, data: bytes) -> bool:
    """A byte at a time, until the server ends it."""
    peer.settimeout(PACE_SECONDS)
    for byte in data:
        try:
            peer.sendall(bytes([byte]))
            if not peer.recv(1):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def slow_handshakes(server: RunningServer, good: Good) -> None:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    peers = [plain(server) for _ in range(PER_ADDRESS - 1)]
    good.wait_for(3)
    with plain(server) as slow:
        assert trickle(slow, hello.ljust(500, b"\x00"))
    for each in peers:
        with each:
            assert ended(each)


def slow_bytes(server: RunningServer, good: Good) -> None:
    with wrapped(server) as slow:
        slow.sendall(QUERY[:20])
        good.wait_for(3)
        assert trickle(slow, QUERY[20:-1] * 100)


def an_endless_message(server: RunningServer, good: Good) -> None:
    """As long as may be, at once; and then the same again without an end: the next header is none."""
    with wrapped(server) as peer:
        peer.sendall(QUERY[:4] + ((1 << 20) - 8).to_bytes(4, "big"))
        with pytest.raises(OSError):
            for _ in range(1000):
                peer.sendall(bytes(65536))
        good.wait_for(3)


def oversize_messages(server: RunningServer, good: Good) -> None:
    for length in ((1 << 20) + 8, 0x7FFFFFF8, 0xFFFFFFF8):
        with wrapped(server) as peer:
            peer.sendall(QUERY[:4] + length.to_bytes(4, "big") + QUERY[8:])
            assert ended(peer)


def ends_what_it_is_sent(connection: socket.socket, nonsense: bytes) -> None:
    with connection as peer:
        try:
            peer.sendall(nonsense)
        except OSError:
            return  # ended already
        assert ended(peer)


def nonsense_after_the_handshake(server: RunningServer, good: Good) -> None:
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", bytes(4096), b"\xff" * 70_000):
        ends_what_it_is_sent(wrapped(server), nonsense)


def nonsense_below_tls(server: RunningServer, good: Good) -> None:
    """Within an established session, bytes that are no records."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with wrapped(server, version) as peer, socket.socket(fileno=os.dup(peer.fileno())) as below:
            below.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
            assert ended(peer)


def nonsense_for_a_handshake(server: RunningServer, good: Good) -> None:
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", bytes(4096), QUERY, b"\x16\x03\x01\xff\xff" + bytes(70_000)):
        ends_what_it_is_sent(plain(server), nonsense)


def half_open_connections(server: RunningServer, good: Good) -> None:
    """A session is up and nothing comes any more: neither a request nor an end."""
    peers = [wrapped(server) for _ in range(5)]
    for each in peers:
        each.sendall(QUERY)
        assert each.recv(8)
    good.wait_for(3)
    for each in peers:
        with each:
            assert ended(each)


def half_closed_connections(server: RunningServer, good: Good) -> None:
    """The peer sends an end, or a reset, in the middle of a message and after a whole one."""
    for data in (QUERY[:40], QUERY, QUERY * 20):
        with wrapped(server) as peer:
            peer.sendall(data)
            with socket.socket(fileno=os.dup(peer.fileno())) as below:
                below.shutdown(socket.SHUT_WR)
            assert ended(peer)
        peer = wrapped(server)
        peer.sendall(data)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()


def many_connections_of_one_address(server: RunningServer, good: Good) -> None:
    peers = [wrapped(server) for _ in range(PER_ADDRESS)]
    for each in peers:
        each.sendall(QUERY)
        assert each.recv(8)
    good.wait_for(3)
    # With several workers each has its part of the bound, and two more: they cannot be spread to the last one.
    slack = 2 * WORKERS if WORKERS > 1 else 0
    further = [wrapped_if_let_in(server) for _ in range(slack + 3)]
    assert sum(each is not None for each in further) <= slack
    for each in (*peers, *further):
        if each is not None:
            each.close()


def wrapped_if_let_in(server: RunningServer) -> ssl.SSLSocket | None:
    """A connection that is answered; None where it is refused."""
    try:
        connection = wrapped(server)
        connection.sendall(QUERY)
        if connection.recv(8):
            return connection
        connection.close()
    except OSError:
        pass
    return None


def answers_that_are_not_read(server: RunningServer, good: Good) -> None:
    payload = encode_structure(QueryRequest(query_functions=(1, 2, 3)), V1_4)
    asked = request_message(V1_4, [(int(Op.QUERY), payload, None)] * LONG_BATCH)
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.bind((ELSEWHERE, 0))
    small.connect(("127.0.0.1", server.port))
    with context(server).wrap_socket(small, server_hostname="127.0.0.1") as greedy:
        greedy.settimeout(TIMEOUT_SECONDS)
        with pytest.raises(OSError):
            for _ in range(100_000):
                greedy.sendall(asked)
        good.wait_for(3)


class Case(NamedTuple):
    attempt: Attempt
    counted: str
    """The counter that must rise."""


CASES = (
    Case(slow_handshakes, "connections_dropped_handshake"),
    Case(slow_bytes, "connections_dropped_message"),
    Case(an_endless_message, "messages_malformed"),
    Case(oversize_messages, "messages_malformed"),
    Case(nonsense_after_the_handshake, "messages_malformed"),
    Case(nonsense_below_tls, "connections_dropped_tls"),
    Case(nonsense_for_a_handshake, "handshakes_failed"),
    Case(half_open_connections, "connections_dropped_idle"),
    Case(half_closed_connections, "messages"),
    Case(many_connections_of_one_address, "connections_refused_address"),
    Case(answers_that_are_not_read, "connections_dropped_write"),
)


def rise(before: dict[str, int], after: dict[str, int], name: str) -> int:
    """By how much counters that begin so have risen."""
    return sum(
        value - before.get(key, 0) for key, value in after.items() if key.startswith(name) and type(value) is int
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.attempt.__name__)
def test_an_attempt_is_bounded_and_counted_and_hurts_nobody(bounded: RunningServer, case: Case) -> None:
    before = troubles(bounded)
    with Good(bounded) as good:
        good.wait_for(1)
        case.attempt(bounded, good)
        good.wait_for(1)
    after = troubles(bounded)
    assert rise(before, after, case.counted) > 0, {k: v for k, v in after.items() if before.get(k) != v}
    log = bounded.log.read_text()
    assert "Traceback" not in log
    assert "Unhandled" not in log


# --- messages that are whole, and too much ------------------------------------------------------


def refusal(response: Item) -> ResultReason:
    item = children(response, Tag.BATCH_ITEM)[0]
    assert child(item, Tag.RESULT_STATUS) == ResultStatus.OPERATION_FAILED
    return ResultReason.of(child(item, Tag.RESULT_REASON))


def nested(depth: int) -> Item:
    payload: Item = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [])
    for _ in range(depth):
        payload = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [payload])
    return payload


@pytest.mark.parametrize("depth", [40, 400])
def test_deep_nesting_is_refused_and_the_connection_lives(bounded: RunningServer, depth: int) -> None:
    message = request_message(V1_4, [(int(Op.QUERY), nested(depth), None)])
    with Good(bounded) as good, Connection(bounded) as connection:
        assert refusal(connection.exchange(message)) == ResultReason.INVALID_MESSAGE
        good.wait_for(1)
        assert child(connection.exchange(QUERY), Tag.BATCH_ITEM, Tag.RESULT_STATUS) == ResultStatus.SUCCESS


def test_nesting_as_deep_as_a_message_is_long(bounded: RunningServer) -> None:
    """100,000 structures in each other: the decoder must not follow."""
    depth = 100_000
    inner = b"".join(
        (int(Tag.REQUEST_PAYLOAD) << 8 | ttlv.STRUCTURE).to_bytes(4, "big") + (8 * left).to_bytes(4, "big")
        for left in reversed(range(depth))
    )
    message = QUERY[:4] + len(inner).to_bytes(4, "big") + inner
    with Good(bounded) as good, Connection(bounded) as connection:
        assert refusal(connection.exchange(message)) == ResultReason.INVALID_MESSAGE
        good.wait_for(1)
        assert child(connection.exchange(QUERY), Tag.BATCH_ITEM, Tag.RESULT_STATUS) == ResultStatus.SUCCESS
    assert "Traceback" not in bounded.log.read_text()


def test_ten_thousand_batch_items_are_refused_together(bounded: RunningServer) -> None:
    payload = encode_structure(QueryRequest(), V1_4)
    message = request_message(V1_4, [(int(Op.QUERY), payload, None)] * 10_000)
    assert len(message) < 1 << 20
    records = troubles(bounded)["audit_records"]
    with Connection(bounded) as connection:
        response = connection.exchange(message)
        assert refusal(response) == told(ServerLimitExceeded, Op.QUERY, V1_4)
        # One item says it: an answer as long as the question would be the next burden.
        assert len(children(response, Tag.BATCH_ITEM)) == 1
        assert child(connection.exchange(QUERY), Tag.BATCH_ITEM, Tag.RESULT_STATUS) == ResultStatus.SUCCESS
    # One record says what was refused: ten thousand would be the peer's to write.
    assert troubles(bounded)["audit_records"] - records < 10


def test_a_locate_that_finds_too_much_is_refused_and_never_cut(bounded: RunningServer) -> None:
    with Good(bounded) as good, Connection(bounded) as connection:
        for _ in range(5):
            response = connection.exchange(LOCATE)
            item = children(response, Tag.BATCH_ITEM)[0]
            assert child(item, Tag.RESULT_STATUS) == ResultStatus.OPERATION_FAILED
            assert not children(item, Tag.RESPONSE_PAYLOAD)
        good.wait_for(1)
        few = LocateRequest(maximum_items=5)
        message = request_message(V1_4, [(int(Op.LOCATE), encode_structure(few, V1_4), None)])
        (item,) = children(connection.exchange(message), Tag.BATCH_ITEM)
        (payload,) = children(item, Tag.RESPONSE_PAYLOAD)
        assert len(children(payload, Tag.UNIQUE_IDENTIFIER)) == 5
