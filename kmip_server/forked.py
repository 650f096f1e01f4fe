"""A worker, from the fork to its end.

Strategy: what it has from the supervisor is what costs time or must be the same in all workers: loaded modules,
open sockets, the TLS context. The database, the HSM, threads and the reactor are made here: none of them survives a
fork. It says once, over its channel, that it serves or why it cannot; the channel's other end is gone when the
supervisor is, and then the worker ends too.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from kmip_server.app import opened, set_up_logging
from kmip_server.config.settings import Settings
from kmip_server.errors import KmipError, SettingsError, told
from kmip_server.protocol import codec
from kmip_server.store.turn import WriteTurn
from kmip_server.transport.sockets import Listening
from kmip_server.transport.tls import ServerTLS
from kmip_server.work.board import Board, Line, State
from kmip_server.work.worker import Worker

log = logging.getLogger(__name__)

READY = b"ready"
_SETTINGS_FAULT, _FAULT = b"settings ", b"failed "
"""What a worker says that cannot serve; a sentence follows."""
_MESSAGE = 4096
END_SECONDS = 5.0
"""What an orderly end may take besides the requests under way."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Made before the first fork, and the same in every worker."""

    listening: Listening
    board: Board
    writing: WriteTurn


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a worker is started with."""

    settings: Settings
    tls: ServerTLS


class Process:
    """A worker, as its supervisor sees it."""

    def __init__(self, pid: int, slot: int, start: Start, line: Line, channel: socket.socket) -> None:
        self.pid = pid
        self.slot = slot
        self.line = line
        self.channel = channel
        self.started = time.monotonic()
        self.drain_seconds = start.settings.server.drain_seconds
        self.hang_seconds = start.settings.server.hang_seconds
        self.is_ready = False
        self.complaint = ""
        """Why it cannot serve, in its own words."""
        self.is_settings_fault = False
        self.kill_at: float | None = None
        """When it was told to end: until when it may take."""
        self._is_killed = False

    def receive(self) -> bytes:
        """The next it has to say; empty where it is gone."""
        try:
            message = self.channel.recv(_MESSAGE)
        except BlockingIOError:
            return b""
        for kind in (_SETTINGS_FAULT, _FAULT):
            if message.startswith(kind):
                self.complaint = message.removeprefix(kind).decode("utf-8", "replace")
                self.is_settings_fault = kind is _SETTINGS_FAULT
        return message

    def ended(self) -> str | None:
        """How it ended, if it has."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        code = os.waitstatus_to_exitcode(status)
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def signal(self, number: int) -> None:
        """Until it is waited for, its process id is nobody else's."""
        os.kill(self.pid, number)

    def kill(self, why: str) -> None:
        if not self._is_killed:
            self._is_killed = True
            log.error("worker %d, process %d, %s: it is killed", self.slot, self.pid, why)
            self.signal(signal.SIGKILL)


def load_modules() -> None:
    """All that a worker needs, once for all of them; only the reactor is its own."""
    from kmip_server import serve

    del serve
    codec.compile_plans()


def fork(
    start: Start,
    slot: int,
    shared: Shared,
    replaced: int,
    signals: Sequence[int],
    leave_to_parent: Callable[[], None],
) -> Process:
    """Start a worker. `signals` are the parent's own: none of them may be handled by its code in the child."""
    line = shared.board.take(slot, replaced)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                _become_worker()
                leave_to_parent()
                ours.close()
                signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
                worker = Worker(
                    slot, start.settings.server.workers, line.number, shared.writing, shared.board.clock_base
                )
                code = _serve(start, worker, shared, line, theirs)
            except BaseException:
                log.exception("worker %d failed", slot)
            finally:
                _end(code)
    except OSError:
        line.state = State.FREE
        ours.close()
        raise
    finally:
        theirs.close()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    line.pid = pid
    return Process(pid, slot, start, line, ours)


# --- in the child -------------------------------------------------------------------------------


def _become_worker() -> None:
    """Nothing of the supervisor's signals is this process's."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    # Whoever is at the terminal tells all processes, and the supervisor tells its workers what to do.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _serve(start: Start, worker: Worker, shared: Shared, line: Line, channel: socket.socket) -> int:
    """Serve until SIGTERM, or until the supervisor is gone. Returns the exit code."""
    settings, tls = start.settings, start.tls
    set_up_logging(settings, f"worker {worker.slot} ")

    def ready() -> None:
        if line.state is State.STARTING:  # and not told to end already
            line.state = State.SERVING
        channel.send(READY)

    try:
        with opened(settings, worker=worker) as application:
            tls.is_pinned = application.is_pinned
            from kmip_server.serve import Serving

            serving = Serving(application, shared.listening, tls, shared.board, line)
            drain_seconds = settings.server.drain_seconds
            threading.Thread(
                target=_await_orphanhood, args=(channel, serving.stop, drain_seconds), name="parent", daemon=True
            ).start()
            return serving.run(ready, alone=False)
    except (SettingsError, KmipError, OSError) as error:
        kind = _SETTINGS_FAULT if isinstance(error, SettingsError) else _FAULT
        channel.send((kind + told(error).encode())[:_MESSAGE])
        return 1


def _await_orphanhood(channel: socket.socket, stop: Callable[[], None], drain_seconds: float) -> None:
    """Wait for the supervisor's end. An orphan ends too: orderly if it can, and otherwise all the same."""
    while channel.recv(1):
        pass
    log.error("the supervisor is gone: this worker ends")
    stop()
    threading.Event().wait(drain_seconds + END_SECONDS)
    os._exit(1)


def _end(code: int) -> NoReturn:
    """Without what the supervisor's own end would do."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
