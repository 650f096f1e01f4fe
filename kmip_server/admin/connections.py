"""The connections of kmip-admin, within the transport's bounds.

Strategy: what comes is bounded before anybody knows who sends it: how many connections, how long TLS and one
request may take, how large a body is, by what it says and by what has come. As on the KMIP port the oldest
connection without a handshake makes room, so silent ones lock no administrator out. A body is in memory, never in a
file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IHandshakeListener, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web import resource, server
from zope.interface import implementer

from kmip_server import metrics
from kmip_server.transport import faults
from kmip_server.transport.addresses import address
from kmip_server.transport.faults import Fault
from kmip_server.transport.limits import Admission, Limits, Place

MAX_BODY = 1 << 16
"""Bytes: a certificate is the largest thing that an action is given."""
MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS = 32, 16
"""On the port, and on the local socket: what `RESERVED_DESCRIPTORS` has room for. A command needs one, briefly."""


def of_port(limits: Limits) -> Limits:
    """The KMIP port's limits, or stricter ones."""
    return replace(
        limits,
        max_connections=min(limits.max_connections, MAX_CONNECTIONS),
        max_connections_per_address=min(limits.max_connections_per_address, MAX_CONNECTIONS_PER_ADDRESS),
    )


def of_socket(limits: Limits) -> Limits:
    """For one address: this machine's."""
    return replace(limits, max_connections=MAX_CONNECTIONS, max_connections_per_address=MAX_CONNECTIONS)


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
            self.channel.transport.write(
                b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
            self.channel.loseConnection()

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
    place: Place
    address = "local"
    _deadline: Any = None
    _cause = ""
    _is_dropped = False

    def makeConnection(self, transport: Any) -> None:
        peer = transport.getPeer()
        host = str(getattr(peer, "host", "local"))
        if hasattr(peer, "port"):
            self.address = address(host, peer.port)
        self.place = Place(host=host, since=self.factory.reactor.seconds())
        super().makeConnection(transport)
        self.wait_for("handshake")
        if self.factory.admit(self) and not ISSLTransport.providedBy(transport):
            self.handshakeCompleted()

    def handshakeCompleted(self) -> None:
        """Of TLS; the peer at the local socket needs none."""
        self.factory.admission.prove(self.place)
        self.wait_for("idle")

    def dataReceived(self, data: bytes) -> None:
        if self._is_dropped:
            return
        if self._cause == "idle":
            self.wait_for("message")
        super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._cause == "handshake" and isinstance(reason.value, SSL.Error):
            connection = self.transport.getHandle()
            self._failed(faults.of_error(reason.value, connection.code, connection.subject))
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
            self._deadline = self.factory.reactor.callLater(seconds, self._too_late)

    def _cancel(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _too_late(self) -> None:
        if self._cause == "handshake":
            self._failed(faults.TIMEOUT)
        self.drop(self._cause)

    def _failed(self, fault: Fault) -> None:
        self.factory.handshake_failed(self.address, fault)

    def drop(self, cause: str) -> None:
        """End now."""
        self._is_dropped = True
        metrics.connections_dropped.labels(cause).inc()
        self.transport.abortConnection()


class Bounded(WrappingFactory):
    """Every connection of one way in."""

    noisy = False
    protocol = _Connection

    def __init__(
        self, reactor: Any, site: AdminSite, limits: Limits, handshake_failed: Callable[[str, Fault], None]
    ) -> None:
        """`limits`: `of_port` or `of_socket`."""
        super().__init__(site)
        self.reactor = reactor
        self.handshake_failed = handshake_failed
        self.timeouts = {
            "handshake": limits.handshake_timeout_seconds,
            "message": limits.message_timeout_seconds,
            "idle": limits.message_timeout_seconds,
        }
        self.admission = Admission(limits)
        self._connections: dict[Place, _Connection] = {}

    def admit(self, connection: _Connection) -> bool:
        """Count a connection in, and end the one that makes room for it. False: that is the newcomer itself."""
        self._connections[connection.place] = connection
        ended, bound = self.admission.enter(connection.place)
        if ended is not None:
            metrics.connections_refused.labels(bound).inc()
            self._connections[ended].drop("limit")
        return ended is not connection.place

    def forget(self, connection: _Connection) -> None:
        self._connections.pop(connection.place, None)
        self.admission.leave(connection.place)
