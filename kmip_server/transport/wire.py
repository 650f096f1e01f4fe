"""Between the socket and the protocol: Twisted's layers, without what answers to requests do not need.

Strategy: Twisted gathers small writes for a turn of the reactor, and then waits to be told that the socket takes
them, since it cannot know better. An answer is written whole and once, and the socket of a client that waits for it
has room: so it is encrypted and sent at once, and what does not go goes Twisted's way.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from twisted.internet import tcp
from twisted.internet.interfaces import IProtocol, IReactorFDSet
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol


class OverTLS(TLSMemoryBIOFactory):
    """Connections over TLS that encrypt at once what is written."""

    protocol = TLSMemoryBIOProtocol


class PromptConnection(tcp.Server):
    """A connection that sends at once what the socket takes, and asks the reactor only for the rest."""

    def __init__(
        self,
        sock: socket.socket,
        protocol: IProtocol,
        client: tuple[object, ...],
        server: tcp.Port,
        sessionno: int,
        reactor: IReactorFDSet,
    ) -> None:
        super().__init__(sock, protocol, client, server, sessionno, reactor)
        # Nor does the kernel hold it back until the peer has acknowledged what went before.
        self.setTcpNoDelay(True)

    def write(self, data: bytes) -> None:
        if self.connected and not (self.disconnecting or self.dataBuffer or self._tempDataBuffer):
            with suppress(OSError):  # the reactor meets it too, and ends the connection
                data = data[self.socket.send(data) :]
        if data:
            super().write(data)
