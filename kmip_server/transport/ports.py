"""Ports over sockets that are open already, shared with other workers or not.

Strategy: all workers wait on one queue of the kernel's, so a worker that dies takes no connection with it that
nobody has accepted. Who accepts would be left to chance, and chance is not fair: the first to wake takes all. So a
worker that is ahead of another looks away for a moment, and takes then what nobody took. In one turn it takes no
more than would put it ahead.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet import tcp, unix

from kmip_server.transport.limits import BURST
from kmip_server.transport.wire import PromptConnection

AHEAD = 2
"""Connections more than the fewest of another worker."""
LOOK_AWAY_SECONDS = 0.005


class KmipPort(tcp.Port):
    """Accepts a bounded number of connections in one turn: those that made room for them are gone by the next."""

    transport = PromptConnection
    room: Callable[[], int] = staticmethod(lambda: BURST)
    """How many more connections this worker may take before it is ahead of others; less than 1: it is."""
    _looked_away = False

    def doRead(self) -> None:
        room = self.room()
        if room < 1 and not self._looked_away:
            self._looked_away = True
            self.stopReading()
            self.reactor.callLater(LOOK_AWAY_SECONDS, self._look_again)
            return
        self._looked_away = False
        self.numberAccepts = max(1, min(self.numberAccepts, room, BURST))
        # A port that raises is closed for ever, and there is no memory at times.
        with suppress(MemoryError):
            super().doRead()

    def _look_again(self) -> None:
        if self.connected and not self.disconnecting:
            self.startReading()


class LocalPort(unix.Port):
    """The local socket; its path is its opener's to remove."""

    _shouldShutdown = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.mode = 0o600

    def connectionLost(self, reason: Any) -> None:
        tcp.Port.connectionLost(self, reason)


def listen(reactor: Any, listening: socket.socket, factory: Any) -> Any:
    """Accept what comes to an open TCP socket. Returns Twisted's port."""
    return reactor.adoptStreamPort(listening.fileno(), listening.family, factory)


def listen_kmip(reactor: Any, listening: socket.socket, factory: Any, room: Callable[[], int]) -> Any:
    """The same for KMIP. `room`: see KmipPort."""
    port: KmipPort = KmipPort._fromListeningDescriptor(  # the public way has no place for a port of one's own
        reactor, listening.fileno(), listening.family, factory
    )
    port.room = room
    port.startListening()
    return port


def listen_local(reactor: Any, listening: socket.socket, factory: Any) -> Any:
    """Accept what comes to an open Unix socket."""
    port: LocalPort = LocalPort._fromListeningDescriptor(reactor, listening.fileno(), factory)
    port.startListening()
    return port
