"""A client of few words: TLS, bytes, items."""

from __future__ import annotations

import socket
import ssl
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Self

from kmip_server.protocol import ttlv
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import BatchErrorContinuationOption, Operation
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import Version
from tests.support.engine import child, children, request_message, result_of
from tests.support.server import RunningServer

TIMEOUT_SECONDS = 30


def context(server: RunningServer, name: str | None = "client") -> ssl.SSLContext:
    """TLS settings of one of the instance's principals; without a certificate where there is no name."""
    made = ssl.create_default_context(cafile=server.ca)
    if name is not None:
        made.load_cert_chain(*server.certificate(name))
    return made


class Connection:
    """One TLS connection."""

    def __init__(
        self,
        server: RunningServer,
        name: str | None = "client",
        *,
        tls: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_SECONDS)
        used = tls or context(server, name)
        self.socket = used.wrap_socket(plain, server_hostname="127.0.0.1", session=session)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> bytes:
        """One message; empty where the server has closed the connection."""
        received = self._read(8)
        if len(received) < 8:
            return b""
        return received + self._read(int.from_bytes(received[4:8], "big"))

    def _read(self, count: int) -> bytes:
        parts = b""
        while len(parts) < count:
            try:
                more = self.socket.recv(count - len(parts))
            except (ssl.SSLError, ConnectionError):
                return parts
            if not more:
                return parts
            parts += more
        return parts

    def exchange(self, message: bytes) -> Item:
        self.send(message)
        return ttlv.decode(self.receive())

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Client:
    """Typed requests of one version over a connection."""

    def __init__(self, connection: Connection, version: Version) -> None:
        self.connection = connection
        self.version = version

    def call(
        self, operation: Operation, request: Any, *, change: Callable[[Item], Item] = lambda item: item
    ) -> Any:
        """The typed response. `change` may spoil the payload. Raises Refused."""
        payload = change(encode_structure(request, self.version))
        response = self.connection.exchange(request_message(self.version, [(int(operation), payload, None)]))
        minor = child(response, Tag.RESPONSE_HEADER, Tag.PROTOCOL_VERSION, Tag.PROTOCOL_VERSION_MINOR)
        assert minor == self.version.minor
        (item,) = children(response, Tag.BATCH_ITEM)
        return result_of(item, self.version)

    def batch(
        self,
        *requests: tuple[Operation, Any],
        ids: Sequence[bytes | None] | None = None,
        option: BatchErrorContinuationOption | None = None,
        header: list[Item] | None = None,
    ) -> list[Item]:
        """The response batch items to one message of typed requests (or payload items, as they are)."""
        given = ids or [number.to_bytes(4, "big") for number in range(len(requests))]
        items = [
            (
                int(operation),
                request if isinstance(request, tuple) else encode_structure(request, self.version),
                each,
            )
            for (operation, request), each in zip(requests, given, strict=True)
        ]
        message = request_message(self.version, items, option=option, header=header)
        return children(self.connection.exchange(message), Tag.BATCH_ITEM)

    def fresh_name(self) -> str:
        return uuid.uuid4().hex
