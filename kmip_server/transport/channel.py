"""The channel between the workers of one instance: questions and answers over Unix sockets.

Strategy: each worker listens at a socket in the instance's folder that its number names, and keeps a connection
to each sibling that it has asked. A question has a number and its answer the same, so many are under way at
once, answered in any order. Each comes to an end, once: a reply; NOT_DONE where it never left, or was refused;
UNKNOWN where it left and nothing came back. Only processes of the same user are spoken to, by the kernel's
word; who is that user can read the database and the HSM's PIN as well.

A frame: its length (4 bytes, of what follows), its kind (1), the question's number (4), and the body.
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Any

from twisted.internet import defer, tcp, unix
from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.internet.protocol import ClientFactory, Factory, connectionDone
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from kmip_server.transport.addresses import process_of

log = logging.getLogger(__name__)

_LENGTH = Struct(">I")
_HEAD = Struct(">BI")
_FRAME = Struct(">IBI")
CONNECT_SECONDS = 2.0


class Kind(enum.IntEnum):
    """What a frame is: questions first, then what becomes of them."""

    MESSAGE = 1
    STATUS = 2
    RECORD = 3
    REPLY = 16
    NOT_DONE = 17
    """Nothing was done, and nothing will be."""
    UNKNOWN = 18
    """Nobody can say whether it was done."""


Answered = Callable[[Kind, bytes], None]
"""What became of a question, with the body of a REPLY. Called once, on the reactor's thread."""


class _End(TwistedProtocol):
    """One end of a connection: whole frames, from a process of this user."""

    transport: Any
    is_lost = False

    def __init__(self, max_frame: int) -> None:
        self._max_frame = max_frame
        self._buffer = bytearray()

    def connectionMade(self) -> None:
        process, user = process_of(self.transport.socket)
        if user != os.geteuid():
            self.abort(f"process {process} of user {user} is none of this server's")

    def dataReceived(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _LENGTH.size and not self.is_lost:
            (length,) = _LENGTH.unpack_from(buffer)
            end = _LENGTH.size + length
            if not _HEAD.size <= length <= self._max_frame:
                self.abort(f"it sends a frame of {length} bytes")
                return
            if len(buffer) < end:
                return
            kind, number = _HEAD.unpack_from(buffer, _LENGTH.size)
            body = bytes(memoryview(buffer)[_FRAME.size : end])
            del buffer[:end]
            self.frame_received(kind, number, body)

    def frame_received(self, kind: int, number: int, body: bytes) -> None:
        raise NotImplementedError

    def tell(self, kind: Kind, number: int, body: bytes) -> None:
        self.transport.write(_FRAME.pack(_HEAD.size + len(body), kind, number))
        self.transport.write(body)

    def abort(self, why: str) -> None:
        log.error("a connection between workers is closed: %s", why)
        self.is_lost = True
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        del reason
        self.is_lost = True


# --- who is asked -----------------------------------------------------------------------------


@dataclass(slots=True)
class Question:
    """One question of a sibling, to be answered once."""

    kind: int
    body: bytes
    _connection: _Answering
    _number: int

    @property
    def is_void(self) -> bool:
        """Nobody waits for the answer."""
        return self._connection.is_lost

    @property
    def must_wait(self) -> bool:
        """The sibling has not read its answers: no further one is made for it until it has."""
        return self._connection.is_blocked

    def answer(self, kind: Kind, body: bytes = b"") -> None:
        self._connection.answer(kind, self._number, body)


@implementer(IPushProducer)
class _Answering(_End):
    """A sibling's connection, on which it asks."""

    is_blocked = False

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener.max_frame)
        self._listener = listener
        self.under_way = 0

    def connectionMade(self) -> None:
        self._listener.connections.add(self)
        self.transport.registerProducer(self, True)
        super().connectionMade()

    def frame_received(self, kind: int, number: int, body: bytes) -> None:
        self.under_way += 1
        self._listener.asked(Question(kind, body, self, number))

    def answer(self, kind: Kind, number: int, body: bytes) -> None:
        self.under_way -= 1
        if self.is_lost:
            return
        if _HEAD.size + len(body) > self._max_frame:
            log.error("an answer of %d bytes is too large for the channel between workers", len(body))
            kind, body = Kind.UNKNOWN, b""
        self.tell(kind, number, body)
        self.end_if_done()

    def end_if_done(self) -> None:
        """Close, where this worker is ending and everything is answered."""
        if self._listener.stopping and not self.under_way:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def pauseProducing(self) -> None:
        self.is_blocked = True

    def resumeProducing(self) -> None:
        self.is_blocked = False

    def stopProducing(self) -> None:
        """The connection is going down; `connectionLost` follows."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._listener.forget(self)


class _Port(unix.Port):
    """A socket that only its own end removes: orphaned workers may end after others have their numbers."""

    def startListening(self) -> None:
        super().startListening()
        self._identity = _identity(Path(os.fsdecode(self._bindPath)))

    def connectionLost(self, reason: Failure) -> None:
        path = Path(os.fsdecode(self._bindPath))
        if _identity(path) == self._identity:
            path.unlink(missing_ok=True)
        tcp.Port.connectionLost(self, reason)


class Listener(Factory):
    """Where siblings ask this worker."""

    noisy = False

    def __init__(self, reactor: Any, path: Path, max_frame: int, asked: Callable[[Question], None]) -> None:
        self._reactor = reactor
        self._path = path
        self.max_frame = max_frame
        self.asked = asked
        self.connections: set[_Answering] = set()
        self.stopping = False
        self._port: Any = None
        self._emptied: defer.Deferred[None] | None = None

    def listen(self) -> None:
        """Open the socket, in place of what one that had the number before has left. Raises CannotListenError."""
        if self._path.is_socket():
            self._path.unlink(missing_ok=True)
        self._port = _Port(os.fsencode(self._path), self, 50, 0o600, self._reactor)  # type: ignore[arg-type]
        self._port.startListening()

    def buildProtocol(self, addr: IAddress | None) -> _Answering:
        del addr
        return _Answering(self)

    def forget(self, connection: _Answering) -> None:
        self.connections.discard(connection)
        if self._emptied is not None and not self.connections:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    async def stop(self, grace_seconds: float) -> None:
        """Answer what is under way, then close everything."""
        self.stopping = True
        if self._port is not None:
            await defer.maybeDeferred(self._port.stopListening)
        for connection in list(self.connections):
            connection.end_if_done()
        if self.connections:
            emptied: defer.Deferred[None] = defer.Deferred()
            self._emptied = emptied
            late = self._reactor.callLater(grace_seconds, self._abort_all)
            await emptied
            if late.active():
                late.cancel()

    def _abort_all(self) -> None:
        for connection in list(self.connections):
            connection.abort("questions are under way and this worker ends")


# --- who asks ---------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Asked:
    """A question of this worker's."""

    kind: Kind
    body: bytes
    answered: Answered
    late: Any = None
    """The call that ends it when it has taken too long."""
    connection: _Asking | None = None
    """Where it was sent; None before."""
    number: int = 0

    def end(self, kind: Kind, body: bytes = b"") -> None:
        if self.late.active():
            self.late.cancel()
        self.answered(kind, body)


class _Asking(_End):
    """The connection to a sibling, on which this worker asks."""

    is_up = False

    def __init__(self, link: Link, max_frame: int) -> None:
        super().__init__(max_frame)
        self._link = link
        self._numbers = itertools.count()
        self.under_way: dict[int, _Asked] = {}

    def connectionMade(self) -> None:
        super().connectionMade()
        if not self.is_lost:
            self.is_up = True
            self._link.connected(self)

    def ask(self, asked: _Asked) -> None:
        asked.connection, asked.number = self, next(self._numbers) & 0xFFFF_FFFF
        self.under_way[asked.number] = asked
        self.tell(asked.kind, asked.number, asked.body)
        asked.body = b""

    def frame_received(self, kind: int, number: int, body: bytes) -> None:
        asked = self.under_way.pop(number, None)
        if asked is not None:
            asked.end(Kind(kind), body)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._link.lost()
        under_way, self.under_way = self.under_way, {}
        for asked in under_way.values():
            asked.end(Kind.UNKNOWN)


class Link(ClientFactory):
    """The way to one sibling. Connects when something is to be asked."""

    noisy = False

    def __init__(self, reactor: Any, path: Path, max_frame: int) -> None:
        self._reactor = reactor
        self._path = path
        self._max_frame = max_frame
        self._waiting: list[_Asked] = []
        self._connection: _Asking | None = None

    def ask(self, kind: Kind, body: bytes, timeout_seconds: float, answered: Answered) -> None:
        """`answered` is never called before this returns."""
        asked = _Asked(kind, body, answered)
        asked.late = self._reactor.callLater(timeout_seconds, self._too_late, asked)
        if self._connection is not None and self._connection.is_up:
            self._connection.ask(asked)
            return
        self._waiting.append(asked)
        if self._connection is None:
            self._connection = _Asking(self, self._max_frame)
            try:
                self._reactor.connectUNIX(os.fsencode(self._path), self, CONNECT_SECONDS, False)
            except OSError as error:
                log.error("a sibling cannot be asked: %s", error)
                self._reactor.callLater(0, self.lost)

    def buildProtocol(self, addr: IAddress | None) -> _Asking | None:
        del addr
        return self._connection

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        del connector, reason
        self.lost()

    def connected(self, connection: _Asking) -> None:
        """Ask what has waited."""
        waiting, self._waiting = self._waiting, []
        for asked in waiting:
            connection.ask(asked)

    def lost(self) -> None:
        self._connection = None
        waiting, self._waiting = self._waiting, []
        for asked in waiting:
            asked.end(Kind.NOT_DONE)

    def _too_late(self, asked: _Asked) -> None:
        if asked.connection is not None:
            asked.connection.under_way.pop(asked.number, None)
            asked.end(Kind.UNKNOWN)
        else:
            self._waiting.remove(asked)
            asked.end(Kind.NOT_DONE)

    def close(self) -> None:
        if self._connection is not None and self._connection.is_up:
            self._connection.transport.loseConnection()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which socket it is; None where there is none."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_ino, status.st_ctime_ns
    return None
