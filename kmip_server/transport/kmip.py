"""KMIP over TLS: connections in, messages to whoever answers, answers out.

Strategy: one message of a connection is under way at a time, so answers are in order and no connection gets
more than its turn. What else has come waits, within bounds; beyond them reading pauses, and TCP holds the
peer back. When its time is up is said here; the factory looks (`factory.py`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import (
    IHandshakeListener,
    IPushProducer,
)
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from kmip_server import metrics
from kmip_server.engine.batch import NO_MEMORY
from kmip_server.errors import KmipError, ServerLimitExceeded
from kmip_server.pki.authority import fingerprint
from kmip_server.principal import Peer
from kmip_server.protocol.framing import Framer, FramingError
from kmip_server.transport import faults
from kmip_server.transport.limits import Place
from kmip_server.transport.memory import RESERVE_BYTES
from kmip_server.transport.recording import Exchanged, connection_number
from kmip_server.transport.tls import CertificateRefused

if TYPE_CHECKING:
    from kmip_server.transport.factory import KmipFactory

Deliver = Callable[[bytes | None], None]
RETRY_SECONDS = 0.05
MAX_RETRY_SECONDS = 1.0
"""How soon a message is offered again to a queue that was full: at first, and when it was so again and again."""


SMALL_SHARE = 64 << 10
"""Bytes that any connection may have waiting: ordinary requests come through while large ones are held back."""


MOST_WHEN_SHORT = RESERVE_BYTES // 2
"""Bytes that all connections together may have waiting while memory is short."""
DISCARDED_MESSAGES = 8
"""How much is thrown away of a peer that goes on after its end, in messages of the largest size."""


class Answerer(Protocol):
    """Who answers. Called on the reactor's thread."""

    def submit(self, message: bytes, peer: Peer, deliver: Deliver) -> bool:
        """Take a message; `deliver` is called once, on the reactor's thread. False: no room, ask again."""

    def malformed(self, prefix: bytes, error: KmipError) -> bytes | None:
        """An answer to a frame that is no message, if it can be told in which version."""


@implementer(IHandshakeListener, IPushProducer)
class KmipConnection(TwistedProtocol):
    """One connection of one client."""

    transport: Any

    def __init__(self, factory: KmipFactory, host: str, port: int) -> None:
        self._factory = factory
        self.address = f"{host}:{port}"
        self.place = Place(host=host, since=factory.reactor.seconds())
        self._framer = Framer(factory.limits.max_message_bytes)
        self._waiting: deque[bytes] = deque()
        self._under_way = 0
        self._waiting_bytes = 0
        self._held = 0
        self._peer: Peer | None = None
        self._in_flight = False
        self._ending = False
        self._aborted = False
        self.is_new = True
        """Whether it has not been answered yet."""
        self._fault: FramingError | None = None
        """Where what comes has stopped to be messages: nothing is read beyond it."""
        self._discarded = 0
        self._number = connection_number()
        self._recorded: Exchanged | None = None
        self._paused = False
        self._blocked = False
        self.deadline = 0.0
        self.cause = "handshake"
        """What the peer is late with when the deadline passes."""

    # --- Twisted's events ---------------------------------------------------------------------

    def connectionMade(self) -> None:
        self._wait_for("handshake")
        if self._factory.admit(self):
            self.transport.registerProducer(self, True)

    def handshakeCompleted(self) -> None:
        """TLS is up: look at the certificate once more, and make the peer."""
        try:
            certificate = self._factory.tls.certificate_of(self.transport.getHandle())
        except CertificateRefused as refused:
            self._factory.handshake_failed(self.address, refused.fault)
            self.abort("certificate")
            return
        self._factory.admission.prove(self.place)
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        self._peer = Peer(address=self.address, certificate=der, fingerprint=fingerprint(der))
        self._wait_for("idle")

    def dataReceived(self, data: bytes) -> None:
        if self._ending or self._fault is not None:
            # A peer may be in the middle of a message that is too large: it shall come to read why it ends.
            self._discarded += len(data)
            if self._discarded > DISCARDED_MESSAGES * self._factory.limits.max_message_bytes:
                self.abort("excess")
            return
        try:
            messages = self._framer.feed(data)
        except FramingError as error:
            messages, self._fault = error.before, error
            metrics.messages_malformed.inc()
        self._waiting.extend(messages)
        self._waiting_bytes += sum(map(len, messages))
        if self._factory.is_short and self._framer.buffered > SMALL_SHARE and self._factory.held > MOST_WHEN_SHORT:
            self._factory.say_short(f"a message of {self.address} is not taken, and its connection is ended")
            self.abort("memory")
            return
        self._next()
        if self._ending:
            return
        self._count()
        if not self._paused and self._has_more_than(1):
            self._paused = True
            self._factory.held_back.add(self)
            self.transport.pauseProducing()
        is_idle = not self._in_flight and not self._blocked
        if is_idle and self._framer.is_within_message and self.cause != "message":
            self._wait_for("message")

    def pauseProducing(self) -> None:
        """The peer does not read: no further answer is made for it until it has."""
        self._blocked = True
        self._wait_for("write")

    def resumeProducing(self) -> None:
        """The peer has read what was written."""
        self._blocked = False
        if not self._ending:
            self._go_on()

    def stopProducing(self) -> None:
        """The connection is going down; `connectionLost` follows."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if isinstance(reason.value, SSL.Error):
            if self._peer is None:
                connection = self.transport.getHandle()
                fault = faults.of_error(reason.value, connection.code, connection.subject)
                self._factory.handshake_failed(self.address, fault)
            else:
                metrics.connections_dropped.labels("tls").inc()
        self._waiting.clear()
        self._factory.held -= self._held
        self._factory.forget(self)
        # Those that are to be aborted are aborted a few in a turn: meanwhile it may be gone, and its TLS with it.
        self._ending = self._aborted = True

    # --- one message at a time ----------------------------------------------------------------

    def _next(self) -> None:
        if self._in_flight or self._blocked or self._ending:
            return
        if not self._waiting:
            if self._fault is not None:
                self._reject(self._fault)
            return
        self._in_flight = True
        self.deadline = float("inf")
        self.cause = "answering"
        metrics.messages.inc()
        message = self._waiting.popleft()
        self._under_way = len(message)
        if self._factory.is_short and len(message) > SMALL_SHARE:
            self._factory.say_short(f"a message of {self.address} is refused")
            self._answered(self._factory.answerer.malformed(message[:64], ServerLimitExceeded(NO_MEMORY)))
            return
        recording = self._factory.recording
        if recording is not None and self._peer is not None:
            self._recorded = recording.asked(self._number, self._peer, message, int(time.time()))
        self._offer(message)

    def _offer(self, message: bytes, retry_seconds: float = RETRY_SECONDS) -> None:
        if self._ending:
            return
        assert self._peer is not None
        if not self._factory.answerer.submit(message, self._peer, self._answered):
            # No room anywhere: this peer waits, and its further messages with it.
            later = min(2 * retry_seconds, MAX_RETRY_SECONDS)
            self._factory.reactor.callLater(retry_seconds, self._offer, message, later)

    def _answered(self, reply: bytes | None) -> None:
        self._in_flight = self.is_new = False
        self._waiting_bytes -= self._under_way
        self._under_way = 0
        if self._recorded is not None:
            if self._factory.recording is not None:
                self._factory.recording.answered(self._recorded, reply)
            self._recorded = None
        if self._ending:
            return
        if reply is None:
            self.close()
            return
        self.transport.write(reply)
        if self._factory.stopping:
            self.close()
            return
        if not self._blocked:
            self._go_on()

    def _go_on(self) -> None:
        """Read again where reading was paused, and take the next message, or wait for one."""
        self._count()
        self.read_on()
        self._next()
        if not self._in_flight and not self._ending:
            self._wait_for("message" if self._framer.is_within_message else "idle")

    def _count(self) -> None:
        """Keep the factory's sum of what has come and is not answered, in bytes."""
        if not self._ending:
            held = self._waiting_bytes + self._framer.buffered
            self._factory.held += held - self._held
            self._held = held

    def _has_more_than(self, part: float) -> bool:
        """Whether more waits here than this part of what may; on all connections, than what may at all."""
        limits = self._factory.limits
        return (
            len(self._waiting) > limits.max_pipelined_messages * part
            # A message that has only begun must be read to its end.
            or (self._waiting_bytes > 0 and self._held > limits.max_pipelined_bytes * part)
            or (self._held > SMALL_SHARE and self._factory.held > limits.max_waiting_bytes)
        )

    def read_on(self) -> None:
        """Read again where reading was paused and there is room now."""
        if self._paused and not self._ending and not self._has_more_than(0.5):
            self._paused = False
            self._factory.held_back.discard(self)
            self.transport.resumeProducing()

    def _reject(self, error: FramingError) -> None:
        """Say what is wrong where that is possible, then close. All that came before has been answered."""
        reply = self._factory.answerer.malformed(error.prefix, error)
        if reply is not None:
            self.transport.write(reply)
        self.close()

    # --- the end ------------------------------------------------------------------------------

    def _wait_for(self, cause: str) -> None:
        self.cause = cause
        self.deadline = self._factory.reactor.seconds() + self._factory.timeouts[cause]

    @property
    def peer(self) -> Peer | None:
        return self._peer

    @property
    def is_busy(self) -> bool:
        return self._in_flight or bool(self._waiting)

    def close(self) -> None:
        """End after what is written has gone, within the write timeout."""
        self._ending = True
        self._wait_for("write")
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self, cause: str) -> None:
        """End now. Once: later calls are of those who did not know."""
        if self._aborted:
            return
        self._ending = self._aborted = True
        self.deadline = float("inf")
        metrics.connections_dropped.labels(cause).inc()
        self.transport.abortConnection()
