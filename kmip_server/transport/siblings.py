"""What the workers of one instance tell each other; where they stand before the executor.

Strategy: every worker answers everything but one thing: an operation in several parts lives in the worker that
began it. A message for one that lives elsewhere is handed to that sibling whole, with the peer it came from,
and its answer handed back. What is handed over is never handed on. Where the sibling cannot be reached or
refuses, this worker answers, and knows no such operation; once the message has left and no answer comes, the
outcome is unknown and the client's connection ends. Under way to a sibling is a bounded number of messages and
bytes, with a place always for one whose certificate has none there. At the sibling a message waits in its
peer's turn, like any other.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from struct import Struct
from typing import Any

from twisted.internet.error import CannotListenError

from kmip_server import metrics
from kmip_server.errors import KmipError, SettingsError
from kmip_server.pki.authority import fingerprint
from kmip_server.principal import Peer
from kmip_server.transport.channel import Kind, Link, Listener, Question
from kmip_server.transport.kmip import MAX_RETRY_SECONDS, RETRY_SECONDS, Answerer, Deliver
from kmip_server.transport.limits import Limits
from kmip_server.work.addressee import addressee
from kmip_server.work.board import Board, Line, State

log = logging.getLogger(__name__)

MAX_MESSAGES, MAX_BYTES = 1000, 64 << 20
"""Under way to one sibling."""
MAX_MESSAGES_OF_ONE, MAX_BYTES_OF_ONE = 250, 16 << 20
"""Of those with one certificate."""
ANSWER_SECONDS = 30.0
"""How long a sibling may take to answer a message. One that hangs is replaced sooner, which ends it too."""
HOLD_SECONDS = 10.0
"""How long a sibling whose queue is full holds a message before it refuses it."""
STATUS_SECONDS = 1.0

_PEER = Struct(">HI")
"""The lengths of address and certificate, which follow, and then the message."""
_SLACK = 1 << 20
"""A frame's bytes beside message and answer: certificates have at most 100 KiB."""

Status = dict[str, Any]


def socket_of(folder: Path, number: int) -> Path:
    """Where the siblings of a worker find it, by its line on the board."""
    return folder / f"worker-{number}.sock"


class _Room:
    """What is under way to one sibling."""

    def __init__(self) -> None:
        self._messages: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    def enter(self, fingerprint: str, size: int) -> bool:
        if self._messages[fingerprint] and (
            self._messages.total() >= MAX_MESSAGES
            or self._bytes.total() + size > MAX_BYTES
            or self._messages[fingerprint] >= MAX_MESSAGES_OF_ONE
            or self._bytes[fingerprint] + size > MAX_BYTES_OF_ONE
        ):
            return False
        self._messages[fingerprint] += 1
        self._bytes[fingerprint] += size
        return True

    def leave(self, fingerprint: str, size: int) -> None:
        self._messages[fingerprint] -= 1
        self._bytes[fingerprint] -= size
        if not self._messages[fingerprint]:
            del self._messages[fingerprint], self._bytes[fingerprint]


class Siblings:
    """An `Answerer` over the worker's own. On the reactor's thread, but for `statuses`."""

    def __init__(
        self,
        reactor: Any,
        own: Answerer,
        board: Board,
        line: Line,
        folder: Path,
        limits: Limits,
        max_response_bytes: int,
        status: Callable[[], Status],
    ) -> None:
        """`line` and `status` are this worker's own; a sibling that is asked for the status of all asks for it."""
        self._reactor = reactor
        self._own = own
        self._board = board
        self._number = line.number
        self._folder = folder
        self._status = status
        self._frame = limits.max_message_bytes + max_response_bytes + _SLACK
        self._listener = Listener(reactor, socket_of(folder, line.number), self._frame, self._asked)
        self._links: dict[int, Link] = {}
        self._rooms: defaultdict[int, _Room] = defaultdict(_Room)
        self._stopped = False
        self.record: Callable[[dict[str, Any]], Any] = lambda _: None
        """What this worker does about a recording: see `AdminListener.record_here`."""

    def listen(self) -> None:
        """Be there for the siblings. Raises SettingsError where the socket cannot be had."""
        try:
            self._listener.listen()
        except CannotListenError as error:
            path = socket_of(self._folder, self._number)
            raise SettingsError(f"the socket {path} cannot be listened on: {error.socketError}") from error

    def _others(self) -> dict[int, Line]:
        """Those that serve, or finish what they have; by number."""
        there = (State.SERVING, State.ENDING)
        lines = (line for line in self._board.taken() if line.number != self._number)
        return {line.number: line for line in lines if line.state in there}

    def _link(self, number: int) -> Link:
        link = self._links.get(number)
        if link is None:
            link = self._links[number] = Link(self._reactor, socket_of(self._folder, number), self._frame)
        return link

    async def stop(self, grace_seconds: float) -> None:
        """Answer what siblings have asked, then close everything. The own clients are served no more."""
        for link in self._links.values():
            link.close()
        await self._listener.stop(grace_seconds)
        self._stopped = True

    # --- an Answerer --------------------------------------------------------------------------

    def submit(self, message: bytes, peer: Peer, deliver: Deliver) -> bool:
        number = addressee(message)
        if number is None or number not in self._others():
            return self._own.submit(message, peer, deliver)
        if not self._rooms[number].enter(peer.fingerprint, len(message)):
            return False
        metrics.messages_handed_over.inc()
        answered = partial(self._answered, number, message, peer, deliver)
        self._link(number).ask(Kind.MESSAGE, _packed(message, peer), ANSWER_SECONDS, answered)
        return True

    def malformed(self, prefix: bytes, error: KmipError) -> bytes | None:
        return self._own.malformed(prefix, error)

    def _answered(
        self, number: int, message: bytes, peer: Peer, deliver: Deliver, kind: Kind, reply: bytes
    ) -> None:
        self._rooms[number].leave(peer.fingerprint, len(message))
        if kind == Kind.REPLY:
            deliver(reply)
        elif kind == Kind.NOT_DONE:
            self._answer(message, peer, deliver)
        else:
            log.error(
                "a sibling was given a message of %s and gave no answer: the outcome is unknown", peer.address
            )
            deliver(None)

    def _answer(self, message: bytes, peer: Peer, deliver: Deliver, retry_seconds: float = RETRY_SECONDS) -> None:
        """Of this worker's own, as soon as there is room."""
        if self._own.submit(message, peer, deliver):
            return
        if self._stopped:
            deliver(None)
            return
        later = min(2 * retry_seconds, MAX_RETRY_SECONDS)
        self._reactor.callLater(retry_seconds, self._answer, message, peer, deliver, later)

    # --- asked by a sibling -------------------------------------------------------------------

    def _asked(self, question: Question) -> None:
        if question.kind == Kind.MESSAGE:
            message, peer = _unpacked(question.body)
            question.body = b""
            self._hold(question, message, peer, self._reactor.seconds() + HOLD_SECONDS, RETRY_SECONDS)
        elif question.kind == Kind.STATUS:
            question.answer(Kind.REPLY, json.dumps(self._status()).encode())
        elif question.kind == Kind.RECORD:
            question.answer(Kind.REPLY, json.dumps(self.record(json.loads(question.body))).encode())
        else:
            question.answer(Kind.NOT_DONE)

    def _hold(self, question: Question, message: bytes, peer: Peer, until: float, retry_seconds: float) -> None:
        """Give the message to the own executor, as soon as there is room in its queue and in the channel."""
        if question.is_void:
            return

        def deliver(reply: bytes | None) -> None:
            if reply is None:
                question.answer(Kind.UNKNOWN)
            else:
                question.answer(Kind.REPLY, reply)

        if not question.must_wait and self._own.submit(message, peer, deliver):
            return
        if self._reactor.seconds() >= until or self._stopped:
            question.answer(Kind.NOT_DONE)
            return
        later = min(2 * retry_seconds, MAX_RETRY_SECONDS)
        self._reactor.callLater(retry_seconds, self._hold, question, message, peer, until, later)

    # --- the status of all --------------------------------------------------------------------

    def statuses(self) -> list[tuple[int, Status | None]]:
        """The slot of each sibling that serves, and its status, None where it does not answer. Not to be called on
        the reactor's thread."""
        return self.ask_all(Kind.STATUS, b"")

    def ask_all(self, kind: Kind, body: bytes) -> list[tuple[int, Any]]:
        """The slot of each sibling that serves, and what it says, None where it does not. As `statuses`."""
        lines = {number: line for number, line in self._others().items() if line.state is State.SERVING}
        answers: dict[int, Any] = dict.fromkeys(lines)
        left = threading.Semaphore(0)

        def answered(number: int, became: Kind, said: bytes) -> None:
            if became == Kind.REPLY:
                answers[number] = json.loads(said)
            left.release()

        def ask() -> None:
            for number in lines:
                self._link(number).ask(kind, body, STATUS_SECONDS, partial(answered, number))

        self._reactor.callFromThread(ask)
        end = time.monotonic() + 2 * STATUS_SECONDS
        for _ in lines:
            left.acquire(timeout=max(0.0, end - time.monotonic()))
        return [(line.slot, answers[number]) for number, line in lines.items()]


def _packed(message: bytes, peer: Peer) -> bytes:
    address = peer.address.encode()
    return b"".join((_PEER.pack(len(address), len(peer.certificate)), address, peer.certificate, message))


def _unpacked(body: bytes) -> tuple[bytes, Peer]:
    address, certificate = _PEER.unpack_from(body)
    begin = _PEER.size + address
    end = begin + certificate
    der = body[begin:end]
    peer = Peer(address=body[_PEER.size : begin].decode(), certificate=der, fingerprint=fingerprint(der))
    return body[end:], peer
