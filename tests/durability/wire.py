"""A TLS connection that knows how many bytes have come over TCP.

Strategy: the record of the server's process says when it sent how many bytes to whom. Who counts what has come
by the end of an answer can therefore say with which send that answer was complete. Each connection comes from an
address of its own: ports are used again, and the audit record names a connection by where it came from.
"""

from __future__ import annotations

import itertools
import socket
import ssl
from ipaddress import IPv4Address

from tests.support.server import RunningServer
from tests.support.wire import TIMEOUT_SECONDS, Connection, context

_CHUNK = 1 << 16
_ADDRESSES = itertools.count(int(IPv4Address("127.1.0.1")))


class _Counted:
    """As much of an SSLSocket as `Connection` uses, on two buffers."""

    def __init__(self, plain: socket.socket, tls: ssl.SSLContext) -> None:
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_hostname="127.0.0.1")
        self.received = 0
        self._repeat(self._tls.do_handshake)

    def _repeat(self, call: object, *arguments: object) -> bytes:
        while True:
            try:
                result = call(*arguments)  # type: ignore[operator]
            except ssl.SSLWantReadError:
                self._flush()
                data = self._plain.recv(_CHUNK)
                if not data:
                    raise ConnectionResetError("the server has closed the connection") from None
                self.received += len(data)
                self._incoming.write(data)
                continue
            self._flush()
            return result if isinstance(result, bytes) else b""

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._plain.sendall(self._outgoing.read())

    def sendall(self, data: bytes) -> None:
        self._repeat(self._tls.write, data)

    def recv(self, count: int) -> bytes:
        return self._repeat(self._tls.read, count)

    def close(self) -> None:
        self._plain.close()


class CountedConnection(Connection):
    """`address` and `port` are this end's; `received`: bytes that have come over TCP, handshake and all."""

    def __init__(self, server: RunningServer, name: str = "client") -> None:
        self.address = IPv4Address(next(_ADDRESSES))
        source = (str(self.address), 0)
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_SECONDS, source_address=source)
        self.port: int = plain.getsockname()[1]
        self.counted = _Counted(plain, context(server, name))
        self.socket = self.counted  # type: ignore[assignment]

    @property
    def received(self) -> int:
        return self.counted.received

    @property
    def end(self) -> int:
        """This end, as the record of what was sent names it."""
        return int(self.address) << 16 | self.port

    @property
    def source(self) -> str:
        """This end, as the audit record names it."""
        return f"{self.address}:{self.port}"
