"""Connections that say nothing, too few file descriptors, renegotiation: the others are served all the same."""

from __future__ import annotations

import re
import resource
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from kmip_server import metrics
from kmip_server.protocol.enums import ResultStatus
from kmip_server.transport.factory import KmipFactory, over_tls
from kmip_server.transport.kmip import Answerer
from kmip_server.transport.limits import HANDSHAKE_GRACE_SECONDS, RESERVED_DESCRIPTORS, Admission, Limits, Place
from kmip_server.transport.tls import ServerTLS
from tests.support import server as support
from tests.support.server import WORKERS, RunningServer
from tests.support.wire import Connection
from tests.transport.test_wire import QUERY, answered, well

SILENT = 1100 * WORKERS


@contextmanager
def silent_connections(port: int, count: int, source: str) -> Iterator[list[socket.socket]]:
    """TCP connections without TLS. The test itself needs descriptors for them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = []
    try:
        for _ in range(count):
            held.append(socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0)))
        yield held
    finally:
        for each in held:
            each.close()


def with_descriptors(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Servers of this test may open so many files."""
    plain = support.command
    monkeypatch.setattr(support, "command", lambda *words: ["prlimit", f"--nofile={count}:{count}", *plain(*words)])


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"])
def test_silent_connections_lock_nobody_out(
    new_instance: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    with_descriptors(monkeypatch, 1024)
    with RunningServer(new_instance) as server, Connection(server) as before:
        assert f"max_connections is lowered to {WORKERS * (1024 - RESERVED_DESCRIPTORS)}" in server.log.read_text()
        with silent_connections(server.port, SILENT, source):
            for _ in range(20):
                assert well(server)
            assert answered(before) == ResultStatus.SUCCESS
        assert well(server)
        log = server.log.read_text()
        assert "EMFILE" not in log
        assert "Traceback" not in log


def test_without_descriptors_accepting_goes_on_afterwards(new_instance: Path) -> None:
    # It is one process whose descriptors are counted.
    with RunningServer(new_instance, "--set", "server.workers=1") as server:
        assert server.process is not None
        process = server.process.pid
        limits = resource.prlimit(process, resource.RLIMIT_NOFILE)
        with Connection(server) as before:
            assert answered(before) == ResultStatus.SUCCESS
            used = len(list(Path(f"/proc/{process}/fd").iterdir()))
            resource.prlimit(process, resource.RLIMIT_NOFILE, (used + 4, limits[1]))
            with silent_connections(server.port, 50, "127.0.0.1") as held:
                closed = 0
                for each in held[10:]:
                    each.settimeout(10)
                    try:
                        closed += each.recv(1) == b""
                    except ConnectionError:
                        closed += 1
                assert closed == 40
                assert answered(before) == ResultStatus.SUCCESS
            resource.prlimit(process, resource.RLIMIT_NOFILE, limits)
        assert well(server)
        # One line for each connection that was turned away, and no more: nothing spins.
        assert server.log.read_text().count("EMFILE") < 200


def test_a_process_that_may_open_too_few_files_does_not_start(
    new_instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_descriptors(monkeypatch, 256)
    arguments = ["--config", str(new_instance / "kmip-server.toml"), "--port", "0", "--admin-port", "0"]
    done = subprocess.run(
        support.command("kmip-server", "run", *arguments), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert re.search(r"error: the process may open only 256 files .*: at least \d+ are needed", done.stderr)


# --- who makes room -----------------------------------------------------------------------------


def places(admission: Admission, host: str, count: int, since: float = 0) -> list[Place]:
    made = [Place(host=host, since=since) for _ in range(count)]
    assert [admission.enter(each) for each in made] == [(None, "")] * count
    return made


def test_the_oldest_silent_one_of_the_largest_crowd_makes_room() -> None:
    admission = Admission(Limits(max_connections=10, max_connections_per_address=8))
    good = places(admission, "192.0.2.1", 3)
    silent = places(admission, "192.0.2.2", 7)
    assert admission.enter(Place(host="192.0.2.3", since=1)) == (silent[0], "total")
    for each in [*good, *silent[1:]]:
        admission.prove(each)
    newcomer = Place(host="192.0.2.2", since=2)
    admission.leave(good[0])
    assert admission.enter(newcomer) == (None, "")
    another = Place(host="192.0.2.2", since=3)
    ended, bound = admission.enter(another)
    assert (ended, bound) == (newcomer, "total")


def test_where_all_have_finished_the_newcomer_is_refused() -> None:
    admission = Admission(Limits(max_connections=10, max_connections_per_address=4))
    for each in places(admission, "192.0.2.1", 4):
        admission.prove(each)
    newcomer = Place(host="192.0.2.1", since=1)
    assert admission.enter(newcomer) == (newcomer, "address")
    assert admission.enter(Place(host="192.0.2.2", since=1)) == (None, "")


def test_handshakes_beyond_the_bounds_end_after_the_grace() -> None:
    admission = Admission(Limits(max_handshakes=10, max_handshakes_per_address=6))
    crowd = places(admission, "192.0.2.1", 9)
    others = [place for number in range(2, 6) for place in places(admission, f"192.0.2.{number}", 2)]
    assert admission.surplus() == []
    finish_one(admission, HANDSHAKE_GRACE_SECONDS)
    assert admission.surplus() == []
    finish_one(admission, HANDSHAKE_GRACE_SECONDS + 1)
    ended = admission.surplus()
    assert ended[:3] == crowd[:3]
    assert len(ended) == len(crowd) + len(others) - 10
    assert set(ended) <= set(crowd)
    assert admission.surplus() == []


def finish_one(admission: Admission, since: float) -> None:
    """Somebody comes at this time, and is done with the handshake."""
    (place,) = places(admission, "192.0.2.99", 1, since)
    admission.prove(place)


def test_where_the_server_is_behind_nobody_is_ended_for_it() -> None:
    """All clients at once, after a restart: for however long it takes, as long as they are served in their order."""
    admission = Admission(Limits(max_handshakes=10, max_handshakes_per_address=6))
    crowd = places(admission, "192.0.2.1", 100)
    for place in crowd:
        admission.prove(place)
        assert admission.surplus() == []


# --- deadlines under attempts to renegotiate ----------------------------------------------------


def test_renegotiation_is_refused(server: RunningServer) -> None:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    certificate, key = server.certificate()
    context.use_certificate_file(certificate)
    context.use_privatekey_file(key)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
        plain.settimeout(None)
        connection = SSL.Connection(context, plain)
        connection.set_connect_state()
        connection.do_handshake()
        assert connection.renegotiate()
        with pytest.raises(SSL.Error, match="no renegotiation"):
            connection.do_handshake()
            connection.sendall(QUERY)
            connection.recv(8)
    assert well(server)


def test_a_handshake_byte_by_byte_ends_at_its_deadline(new_instance: Path) -> None:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    with (
        RunningServer(new_instance, "--set", "limits.handshake_timeout_seconds=1") as server,
        socket.create_connection(("127.0.0.1", server.port)) as slow,
    ):
        slow.settimeout(0.2)
        ended = False
        for byte in hello.ljust(500, b"\x00"):
            try:
                slow.send(bytes([byte]))
                ended = slow.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
            if ended:
                break
        assert ended
        assert "the client did not finish it in time" in server.log.read_text()


def test_a_connection_that_is_gone_before_its_turn_to_be_ended_is_let_be(new_instance: Path) -> None:
    """Its TLS is gone with it: to end it then is an error in Twisted."""
    certs = new_instance / "certs"
    tls = ServerTLS(
        profile="modern",
        certificate=certs / "server.pem",
        private_key=certs / "server.key",
        client_ca=[certs / "ca.pem"],
    )
    factory = KmipFactory(Clock(), cast(Answerer, None), tls, Limits())
    wrapped = over_tls(factory).buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
    assert wrapped is not None
    wrapped.makeConnection(StringTransport())
    (connection,) = factory._connections.values()
    wrapped.connectionLost(Failure(ConnectionDone()))
    dropped = metrics.value("kmip_connections_dropped_total", cause="limit")
    factory._end([(connection, "limit")])
    assert metrics.value("kmip_connections_dropped_total", cause="limit") == dropped
