"""A bare Twisted TLS responder: mutual TLS, one fixed answer to whatever comes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory

from bench import messages
from kmip_server.transport.factory import _Creator
from kmip_server.transport.tls import ServerTLS

reactor: Any = _reactor
_ANSWER = messages.structure(0x42007B, messages.number(0x42007F, 0, 5), messages.text(0x420094, "x" * 300))


class _Responder(Protocol):
    transport: Any

    def connectionMade(self) -> None:
        # Else the answer to the first request waits for the client to acknowledge the session tickets: 40 ms.
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(_ANSWER)


class _Settings:
    def __init__(self, tls: ServerTLS) -> None:
        self.tls = tls


def main() -> None:
    certs = Path(sys.argv[2])
    tls = ServerTLS(
        profile="compatible",
        certificate=certs / "server.pem",
        private_key=certs / "server.key",
        client_ca=[certs / "ca.pem"],
        is_pinned=lambda _: False,
    )
    responders: Any = Factory.forProtocol(_Responder)
    creator: Any = _Creator(_Settings(tls))  # type: ignore[arg-type]
    factory = TLSMemoryBIOFactory(creator, False, responders)
    reactor.listenTCP(int(sys.argv[1]), factory, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main()
