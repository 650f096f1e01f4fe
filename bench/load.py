"""The load generator: many TLS connections in one loop, messages made before.

Strategy: one request under way on each connection; its answer is read, checked and followed by the next. One thread
and epoll: threads cost more than what they wait for. It runs as a process of its own, so that its interpreter lock
is not the server's, and reads what the server's processes have used at both ends of the same window. What it costs
by itself shows in the row of the bare responder. See bench/README.md.
"""

from __future__ import annotations

import errno
import json
import select
import socket
import ssl
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import processes
from bench.messages import failure, succeeded

WARM_UP_SECONDS = 0.2
HANDSHAKES = 8
"""Under way at once while the connections of a measurement are opened: PyKMIP makes one after the other."""
PATIENCE_SECONDS = 60.0
"""How long nothing may come at all."""
_READ = 65536


class Refused(Exception):
    """The server has answered, and not as it was asked to."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    port: int
    certificate: str
    key: str
    ca: str
    tls12: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One measurement."""

    endpoint: Endpoint
    messages: list[bytes] = field(repr=False)
    connections: int
    seconds: float
    fresh: bool = False
    """A new connection for each request."""
    process: int = 0
    """The server's, with all that descend from it; 0: it is not looked at."""
    at_least: int = 0
    """Answers to wait for beyond the time, but no longer than `at_most_seconds`."""
    at_most_seconds: float = 30.0


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=endpoint.ca)
    context.load_cert_chain(endpoint.certificate, endpoint.key)
    context.check_hostname = False
    if endpoint.tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def connect(endpoint: Endpoint) -> ssl.SSLSocket:
    """A blocking connection, for what is not measured."""
    plain = socket.create_connection(("127.0.0.1", endpoint.port), timeout=240)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls_context(endpoint).wrap_socket(plain)


def exchange(connection: ssl.SSLSocket, message: bytes) -> bytes:
    connection.sendall(message)
    received = connection.recv(_READ)
    while not is_whole(received):
        more = connection.recv(_READ)
        if not more:
            raise ConnectionError("the server closed the connection")
        received += more
    return received


def is_whole(received: bytes) -> bool:
    return len(received) >= 8 and len(received) >= 8 + int.from_bytes(received[4:8], "big")


class _Session:
    """One connection, and the request under way on it."""

    __slots__ = ("at", "begun", "plain", "received", "tls")

    def __init__(self, at: int) -> None:
        self.at = at
        self.begun = 0.0
        self.received = b""
        self.plain: socket.socket | None = None
        """While it is being connected."""
        self.tls: ssl.SSLSocket | None = None


class Generator:
    """One job. `run` once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._context = tls_context(job.endpoint)
        self._epoll = select.epoll()
        self._shaking: dict[int, _Session] = {}
        """By descriptor, those whose handshake is not done."""
        self._waiting: dict[int, _Session] = {}
        """By descriptor, those whose answer has not come."""
        step = max(1, len(job.messages) // job.connections)
        self._to_open = [_Session(number * step) for number in reversed(range(job.connections))]
        self._times: list[float] = []
        self._going_on = True

    def run(self) -> dict[str, Any]:
        """Raises Refused, ConnectionError."""
        self._open_some()
        while self._to_open:
            self._turn()
        family = processes.family(self._job.process) if self._job.process else []
        begun = time.perf_counter()
        while time.perf_counter() < begun + WARM_UP_SECONDS:
            self._turn()
        self._times.clear()
        before, own = [processes.cpu_seconds(each) for each in family], time.process_time()
        begun = time.perf_counter()
        while not self._is_over(time.perf_counter() - begun):
            self._turn()
        took = time.perf_counter() - begun
        own = time.process_time() - own
        used = [processes.cpu_seconds(each) - earlier for each, earlier in zip(family, before, strict=True)]
        resident = [processes.resident_mb(each) for each in family]
        times = sorted(self._times)
        self._finish()
        return summary(times, took) | {
            "generator_share": own / took,
            "cpu_ms": sum(used) * 1000 / max(1, len(times)),
            "cpu_seconds_of_each": used,
            "resident_mb_of_each": resident,
            "resident_mb": sum(resident),
        }

    def _is_over(self, passed: float) -> bool:
        if passed < self._job.seconds:
            return False
        return len(self._times) >= self._job.at_least or passed >= self._job.at_most_seconds

    def _finish(self) -> None:
        """The answers that are still to come, so that the next measurement finds the server idle."""
        self._going_on = False
        while self._waiting or self._shaking:
            self._turn()
        self._epoll.close()

    def _turn(self) -> None:
        ready = self._epoll.poll(PATIENCE_SECONDS)
        if not ready:
            raise ConnectionError(f"nothing has come for {PATIENCE_SECONDS:.0f} s")
        waiting = self._waiting
        for descriptor, _ in ready:
            session = waiting.get(descriptor)
            if session is not None:
                self._receive(descriptor, session)
            else:
                self._shake(descriptor)

    # --- connections --------------------------------------------------------------------------

    def _open_some(self) -> None:
        at_once = self._job.connections if self._job.fresh else HANDSHAKES
        while self._to_open and len(self._shaking) < at_once:
            self._open(self._to_open.pop())

    def _open(self, session: _Session) -> None:
        session.begun = time.perf_counter()
        session.plain = plain = socket.socket()
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        failed = plain.connect_ex(("127.0.0.1", self._job.endpoint.port))
        if failed not in (0, errno.EINPROGRESS):
            raise ConnectionError(f"no connection: {errno.errorcode[failed]}")
        self._shaking[plain.fileno()] = session
        self._epoll.register(plain.fileno(), select.EPOLLOUT)

    def _shake(self, descriptor: int) -> None:
        session = self._shaking[descriptor]
        if session.tls is None:
            assert session.plain is not None
            failed = session.plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failed:
                raise ConnectionError(f"no connection: {errno.errorcode[failed]}")
            session.tls = self._context.wrap_socket(session.plain, do_handshake_on_connect=False)
            session.plain = None
        try:
            session.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._epoll.modify(descriptor, select.EPOLLIN)
        except ssl.SSLWantWriteError:
            self._epoll.modify(descriptor, select.EPOLLOUT)
        else:
            del self._shaking[descriptor]
            self._epoll.modify(descriptor, select.EPOLLIN)
            self._send(descriptor, session, session.begun if self._job.fresh else time.perf_counter())
            self._open_some()

    # --- requests -----------------------------------------------------------------------------

    def _send(self, descriptor: int, session: _Session, begun: float) -> None:
        """One message. There is always room for it: the answer to the last has come."""
        messages = self._job.messages
        session.begun = begun
        assert session.tls is not None
        session.tls.send(messages[session.at % len(messages)])
        session.at += 1
        self._waiting[descriptor] = session

    def _receive(self, descriptor: int, session: _Session) -> None:
        assert session.tls is not None
        try:
            data = session.tls.recv(_READ)
        except ssl.SSLWantReadError:  # a session ticket, or a record in parts
            return
        if not data:
            raise ConnectionError("the server closed the connection")
        received = session.received = session.received + data if session.received else data
        while not is_whole(received):
            try:
                data = session.tls.recv(_READ)
            except ssl.SSLWantReadError:
                session.received = received
                return
            if not data:
                raise ConnectionError("the server closed the connection")
            received += data
        session.received = b""
        if not succeeded(received):
            raise Refused(failure(received))
        if self._job.fresh:
            self._end(descriptor, session)
            self._times.append(time.perf_counter() - session.begun)
            if self._going_on:
                self._open(session)
            return
        now = time.perf_counter()
        self._times.append(now - session.begun)
        if self._going_on:
            self._send(descriptor, session, now)
        else:
            self._end(descriptor, session)

    def _end(self, descriptor: int, session: _Session) -> None:
        assert session.tls is not None
        del self._waiting[descriptor]
        self._epoll.unregister(descriptor)
        session.tls.close()
        session.tls = None


def percentile(ordered: list[float], share: float) -> float:
    """The smallest value that so large a share of all does not exceed."""
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


def summary(times: list[float], took: float) -> dict[str, float]:
    """Requests/s, and percentiles in milliseconds, of latencies in seconds in their order."""
    if not times:
        raise ConnectionError("not one answer came within the time")
    found = {"requests": float(len(times)), "requests_per_second": len(times) / took}
    return found | {f"p{share}_ms": percentile(times, share / 100) * 1000 for share in (50, 95, 99)}


def main() -> int:
    """One job from a JSON file, its result as JSON."""
    job = json.loads(Path(sys.argv[1]).read_text())
    job["messages"] = [bytes.fromhex(each) for each in job["messages"]]
    job["endpoint"] = Endpoint(**job["endpoint"])
    try:
        result = Generator(Job(**job)).run()
    except (Refused, ConnectionError) as error:
        result = {"refused" if isinstance(error, Refused) else "failed": str(error)}
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
