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

import concurrent.futures
import json
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from struct import Struct
from typing import Any

from twisted.internet.task import LoopingCall

from kmip_server import metrics
from kmip_server.errors import KmipError
from kmip_server.pki.authority import fingerprint
from kmip_server.principal import Peer
from kmip_server.transport.channel import Kind, Link, Listener, Question
from kmip_server.transport.kmip import MAX_RETRY_SECONDS, RETRY_SECONDS, Answerer, Deliver
from kmip_server.transport.limits import Limits
from kmip_server.work.addressee import addressee
from kmip_server.work.worker import Worker

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


def socket_of(folder: Path, slot: int) -> Path:
    """Where the siblings of a worker find it."""
    return folder / f"worker-{slot}.sock"


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
        worker: Worker,
        folder: Path,
        limits: Limits,
        max_response_bytes: int,
        status: Callable[[], Status],
    ) -> None:
        """`status`: this worker's, for siblings that are asked for that of all."""
        self._reactor = reactor
        self._own = own
        self._slot = worker.slot
        self._status = status
        frame = limits.max_message_bytes + max_response_bytes + _SLACK
        self._listener = Listener(reactor, socket_of(folder, worker.slot), frame, self._asked)
        others = [slot for slot in range(worker.count) if slot != worker.slot]
        self._links = {slot: Link(reactor, socket_of(folder, slot), frame) for slot in others}
        self._rooms = {slot: _Room() for slot in others}
        self._stopped = False
        self._keeper = LoopingCall(self._listener.keep)
        self._keeper.clock = reactor

    def listen(self) -> None:
        """Be there for the siblings. Raises CannotListenError."""
        self._listener.listen()
        self._keeper.start(1.0, now=False)

    async def stop(self, grace_seconds: float) -> None:
        """Answer what siblings have asked, then close everything. The own clients are served no more."""
        if self._keeper.running:
            self._keeper.stop()
        for link in self._links.values():
            link.close()
        await self._listener.stop(grace_seconds)
        self._stopped = True

    # --- an Answerer --------------------------------------------------------------------------

    def submit(self, message: bytes, peer: Peer, deliver: Deliver) -> bool:
        slot = addressee(message)
        if slot is None or slot not in self._links:
            return self._own.submit(message, peer, deliver)
        if not self._rooms[slot].enter(peer.fingerprint, len(message)):
            return False
        metrics.messages_handed_over.inc()
        answered = partial(self._answered, slot, message, peer, deliver)
        self._links[slot].ask(Kind.MESSAGE, _packed(message, peer), ANSWER_SECONDS, answered)
        return True

    def malformed(self, prefix: bytes, error: KmipError) -> bytes | None:
        return self._own.malformed(prefix, error)

    def _answered(self, slot: int, message: bytes, peer: Peer, deliver: Deliver, kind: Kind, reply: bytes) -> None:
        self._rooms[slot].leave(peer.fingerprint, len(message))
        if kind == Kind.REPLY:
            deliver(reply)
        elif kind == Kind.NOT_DONE:
            self._answer(message, peer, deliver)
        else:
            log.error("worker %d was asked by %s and gave no answer: the outcome is unknown", slot, peer.address)
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

    def statuses(self) -> dict[int, Status | None]:
        """That of each sibling by its slot; None of one that does not answer. Not on the reactor's thread."""
        done: concurrent.futures.Future[dict[int, Status | None]] = concurrent.futures.Future()
        self._reactor.callFromThread(self._ask_all, done)
        try:
            return done.result(2 * STATUS_SECONDS)
        except TimeoutError:
            return dict.fromkeys(self._links)

    def _ask_all(self, done: concurrent.futures.Future[dict[int, Status | None]]) -> None:
        answers: dict[int, Status | None] = {}

        def answered(slot: int, kind: Kind, body: bytes) -> None:
            answers[slot] = json.loads(body) if kind == Kind.REPLY else None
            if len(answers) == len(self._links):
                done.set_result(dict(sorted(answers.items())))

        for slot, link in self._links.items():
            link.ask(Kind.STATUS, b"", STATUS_SECONDS, partial(answered, slot))


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
