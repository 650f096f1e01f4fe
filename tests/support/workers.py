"""A server of several workers, from outside: its processes, and which of them a connection is served by.

Strategy: the kernel knows. A connection's far end is a socket, and the worker that accepted it has it open.
"""

from __future__ import annotations

import os
import signal
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.server import DEADLINE_SECONDS, RunningServer
from tests.support.wire import Connection, context

PAUSE_SECONDS = 0.01


def until(happened: Callable[[], Any], what: str = "") -> Any:
    """What `happened` returns once that is true; a bound only for what never comes."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (result := happened()):
        assert time.monotonic() < deadline, f"it never came: {what}"
        time.sleep(PAUSE_SECONDS)
    return result


class Crowd:
    """Clients that do the same all the time, each on a thread of its own."""

    def __init__(self, server: RunningServer, count: int) -> None:
        self.faults: list[str] = []
        self._server = server
        self._tls = context(server)
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for each in self._threads:
            each.start()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._turn()

    def _turn(self) -> None:
        """What one of them does."""
        raise NotImplementedError

    def end(self) -> None:
        self._ending.set()
        for each in self._threads:
            each.join(60)


def processes(server: RunningServer) -> list[int]:
    """The process ids of the workers, in the order of their start."""
    return server.workers()


def orphan(server: RunningServer) -> None:
    """End the supervisor alone."""
    assert server.process is not None
    kill(server.process.pid)
    server.stop()


def is_there(pid: int) -> bool:
    """Whether a process lives; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def worker_of(server: RunningServer, connection: Connection) -> int:
    """The process that serves a connection."""
    _, near = connection.socket.getsockname()[:2]
    inode = _inode(server.port, near)
    for pid in processes(server):
        with suppress(OSError):
            for each in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    if str(each.readlink()) == f"socket:[{inode}]":
                        return pid
    raise AssertionError("no worker has this connection")


def _inode(local: int, remote: int) -> int:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if (int(fields[1][9:], 16), int(fields[2][9:], 16)) == (local, remote):
            return int(fields[9])
    raise AssertionError("the kernel does not know this connection")


def connection_to(
    server: RunningServer,
    pid: int,
    name: str = "client",
    *,
    tls: ssl.SSLContext | None = None,
    session: ssl.SSLSession | None = None,
) -> Connection:
    """A connection that this worker serves. Who gets one is the server's affair: the others are held until it comes."""
    used = tls or context(server, name)
    others: list[Connection] = []
    try:
        for _ in range(100):
            made = Connection(server, tls=used, session=session)
            if worker_of(server, made) == pid:
                return made
            others.append(made)
        raise AssertionError(f"worker {pid} accepts nobody")
    finally:
        for each in others:
            each.close()


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    os.kill(pid, number)


def logged(server: RunningServer, words: str, times: int = 1) -> None:
    """Wait until the server's log says it so often."""
    until(lambda: server.log.read_text().count(words) >= times, words)
