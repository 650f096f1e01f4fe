"""Every connection of one listener: who is let in, who has taken too long, and the end of all.

Strategy: deadlines are not timers of their own: one pass a second over the connections finds those whose time is
up. Where many are to be ended, a few are in each turn of the reactor, so that whoever is served waits no longer
than for these.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet import defer
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from kmip_server import metrics
from kmip_server.principal import Peer
from kmip_server.transport import faults
from kmip_server.transport.faults import Fault, FaultLog
from kmip_server.transport.kmip import Answerer, KmipConnection
from kmip_server.transport.limits import BURST, Admission, Limits, Place
from kmip_server.transport.recording import Recording
from kmip_server.transport.tls import ServerTLS
from kmip_server.transport.wire import OverTLS

log = logging.getLogger(__name__)

SHORT_TOLD_SECONDS = 10.0
"""Between two sentences that memory is short."""
GONE_SECONDS = 2.0
"""How long connections that have been aborted may take to be gone, when the server stops."""


class KmipFactory(Factory):
    """Every connection of one listener."""

    noisy = False

    def __init__(self, reactor: Any, answerer: Answerer, tls: ServerTLS, limits: Limits) -> None:
        self.reactor = reactor
        self.answerer = answerer
        self.tls = tls
        self.limits = limits
        self.timeouts = {
            "handshake": limits.handshake_timeout_seconds,
            "message": limits.message_timeout_seconds,
            "write": limits.write_timeout_seconds,
            "idle": limits.idle_timeout_seconds,
        }
        self.stopping = False
        self.held = 0
        """Bytes that have come and are not answered, on all connections."""
        self.held_back: set[KmipConnection] = set()
        """Those that are not read from until they, or all of them together, have less waiting."""
        self.admission = Admission(limits)
        self.counted: Callable[[int], None] = metrics.connections.set
        """Told how many connections there are, whenever that changes."""
        self._connections: dict[Place, KmipConnection] = {}
        self._emptied: defer.Deferred[None] | None = None
        self._faults = FaultLog(reactor.seconds)
        self.recording: Recording | None = None
        """Of one client, while an administrator wants it."""
        self.is_short = False
        """Whether there is too little memory for those who bring much."""
        self._short_told_until = 0.0
        self._sweeper = LoopingCall(self._sweep)
        self._sweeper.clock = reactor

    def start(self) -> None:
        self._sweeper.start(1.0, now=False)

    def buildProtocol(self, addr: IAddress | None) -> KmipConnection:
        host, port = getattr(addr, "host", "?"), getattr(addr, "port", 0)
        return KmipConnection(self, host, port)

    def admit(self, connection: KmipConnection) -> bool:
        """Count a connection in, and end the one that makes room for it. False: that is the newcomer itself."""
        self._connections[connection.place] = connection
        self.counted(len(self._connections))
        ended, bound = (connection.place, "total") if self.stopping else self.admission.enter(connection.place)
        if ended is not None:
            metrics.connections_refused.labels(bound).inc()
            self._connections[ended].abort("limit")
        return ended is not connection.place

    def say_short(self, what: str) -> None:
        """Once a while."""
        now = self.reactor.seconds()
        if now >= self._short_told_until:
            self._short_told_until = now + SHORT_TOLD_SECONDS
            log.error("memory is short: %s", what)

    def handshake_failed(self, address: str, fault: Fault) -> None:
        self._faults.tell(address, fault)

    def forget(self, connection: KmipConnection) -> None:
        self._connections.pop(connection.place, None)
        self.held_back.discard(connection)
        self.admission.leave(connection.place)
        self.counted(len(self._connections))
        if self._emptied is not None and not self._connections:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def close_where(self, is_over: Callable[[Peer], bool]) -> int:
        """Close the connections of peers that are no longer welcome; says how many."""
        over = [c for c in self._connections.values() if c.peer is not None and is_over(c.peer)]
        for connection in over:
            log.info("the connection of %s is ended: who it is is let in no more", connection.address)
            connection.abort("revoked")
        return len(over)

    async def stop(self, grace_seconds: float, *, keep_new: bool = False) -> None:
        """Let requests under way finish, then close everything.

        `keep_new`: who has just come, and would be served if somebody else had accepted it, is answered once.
        """
        self.stopping = True
        if self._sweeper.running:
            self._sweeper.stop()
        for connection in list(self._connections.values()):
            if not (connection.is_busy or (keep_new and connection.is_new)):
                connection.close()
        if self._connections:
            emptied: defer.Deferred[None] = defer.Deferred()
            self._emptied = emptied
            late = (
                self.reactor.callLater(grace_seconds, self._abort_all),
                # One that was torn apart by a fault may never be told that it is gone.
                self.reactor.callLater(grace_seconds + GONE_SECONDS, self._give_up),
            )
            await emptied
            for each in late:
                if each.active():
                    each.cancel()

    def _abort_all(self) -> None:
        for connection in list(self._connections.values()):
            connection.abort("shutdown")

    def _give_up(self) -> None:
        if self._emptied is not None:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def _sweep(self) -> None:
        now = self.reactor.seconds()
        over = [(each, each.cause) for each in self._connections.values() if each.deadline < now]
        for place in self.admission.surplus():
            metrics.connections_refused.labels("handshakes").inc()
            over.append((self._connections[place], "limit"))
        self._end(over)
        self._faults.catch_up()
        if self.recording is not None and self.recording.is_stale:
            self.recording = None
        for connection in list(self.held_back):
            connection.read_on()

    def _end(self, over: list[tuple[KmipConnection, str]]) -> None:
        """A few in one turn of the reactor: whoever is served waits no longer than for these."""
        now = self.reactor.seconds()
        for connection, cause in over[:BURST]:
            # Its turn may have come after what it was late with.
            if cause != "limit" and not (connection.cause == cause and connection.deadline < now):
                continue
            if cause == "handshake":
                self.handshake_failed(connection.address, faults.TIMEOUT)
            connection.abort(cause)
        if len(over) > BURST:
            self.reactor.callLater(0, self._end, over[BURST:])


@implementer(IOpenSSLServerConnectionCreator)
class _Creator:
    """Makes the TLS connections, always from the settings of the moment: a reload is for new connections."""

    def __init__(self, factory: KmipFactory) -> None:
        self._factory = factory

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        del protocol
        return self._factory.tls.connection()


def over_tls(factory: KmipFactory) -> OverTLS:
    """What a listening port is given."""
    return OverTLS(_Creator(factory), False, factory)  # type: ignore[arg-type]
