"""The connections of kmip-admin, within the transport's bounds.

Strategy: what comes is bounded before anybody knows who sends it: how many connections, how long TLS and one
request may take, how large a body is, by what it says and by what has come. A body is in memory, never in a file.
"""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IHandshakeListener, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web import resource, server
from zope.interface import implementer

from kmip_server import metrics
from kmip_server.transport.limits import Limits

MAX_BODY = 1 << 16
"""Bytes: a certificate is the largest thing that an action is given."""


class AdminRequest(server.Request):
    """A request whose body is small. One that is not is answered 413, and its connection ends."""

    channel: Any
    _is_refused = False
    _received = 0

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        if length is None or length > MAX_BODY:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MAX_BODY:
            self._refuse()
        if not self._is_refused:
            super().handleContentChunk(data)

    def _refuse(self) -> None:
        if not self._is_refused:
            self._is_refused = True
            transport = self.channel.transport
            transport.write(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            transport.loseConnection()

    def process(self) -> None:
        if not self._is_refused:
            self.channel.transport.wait_for("answering")
            super().process()

    def finish(self) -> None:
        connection = self.channel.transport
        super().finish()
        connection.wait_for("idle")


class AdminSite(server.Site):
    """The actions over HTTP. Who did what is in the record, not in a log of accesses."""

    noisy = False
    displayTracebacks = False

    def __init__(self, root: resource.Resource) -> None:
        super().__init__(root, requestFactory=AdminRequest)
        self.timeOut = None  # the deadlines are `Bounded`'s

    def log(self, request: Any) -> None:
        """Nothing."""


@implementer(IHandshakeListener)
class _Connection(ProtocolWrapper):
    """One connection and the deadline it has, between TLS and HTTP."""

    factory: Bounded
    transport: Any
    host = "?"
    _deadline: Any = None
    _cause = ""
    _is_dropped = False

    def makeConnection(self, transport: Any) -> None:
        self.host = str(getattr(transport.getPeer(), "host", "local"))
        super().makeConnection(transport)
        self.wait_for("handshake" if ISSLTransport.providedBy(transport) else "idle")
        if not self.factory.admit(self):
            self._drop("limit")

    def handshakeCompleted(self) -> None:
        self.wait_for("idle")

    def dataReceived(self, data: bytes) -> None:
        if self._is_dropped:
            return
        if self._cause == "idle":
            self.wait_for("message")
        super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_dropped = True
        self._cancel()
        self.factory.forget(self)
        super().connectionLost(reason)

    def wait_for(self, cause: str) -> None:
        """The next thing, and how long it may take."""
        self._cancel()
        self._cause = cause
        seconds = self.factory.timeouts.get(cause)
        if seconds is not None and not self._is_dropped:
            self._deadline = self.factory.reactor.callLater(seconds, self._drop, cause)

    def _cancel(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _drop(self, cause: str) -> None:
        self._is_dropped = True
        metrics.connections_dropped.labels(cause).inc()
        self.transport.abortConnection()


class Bounded(WrappingFactory):
    """Every connection of one way in, counted in all and by address."""

    noisy = False
    protocol = _Connection

    def __init__(self, reactor: Any, site: AdminSite, limits: Limits) -> None:
        super().__init__(site)
        self.reactor = reactor
        self._limits = limits
        self.timeouts = {
            "handshake": limits.handshake_timeout_seconds,
            "message": limits.message_timeout_seconds,
            "idle": limits.idle_timeout_seconds,
        }
        self._by_address: Counter[str] = Counter()

    def admit(self, connection: _Connection) -> bool:
        """Count a connection in. False where there are too many."""
        self._by_address[connection.host] += 1
        if self._by_address.total() > self._limits.max_connections:
            metrics.connections_refused.labels("total").inc()
            return False
        if self._by_address[connection.host] > self._limits.max_connections_per_address:
            metrics.connections_refused.labels("address").inc()
            return False
        return True

    def forget(self, connection: _Connection) -> None:
        self._by_address[connection.host] -= 1
        if self._by_address[connection.host] <= 0:
            del self._by_address[connection.host]
