"""A conversation played against a server, and what came of each request."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from kmip_server.conversation.compare import Bindings, differences
from kmip_server.conversation.script import Conversation
from kmip_server.errors import CodecError
from kmip_server.protocol import ttlv
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv_xml import camel_case, from_element, to_element

SECONDS = 30.0
"""How long an answer may take."""
_MAX_ANSWER = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to play, and as whom. Files are PEM; `ca` may be left out for those that the system trusts."""

    host: str
    port: int
    ca: Path | None
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Played:
    """One request, and what is wrong with its answer: nothing, where all is as the client needs it."""

    number: int
    operations: str
    differences: tuple[str, ...]
    answer: Element | None


def play(conversation: Conversation, server: Server, given: Mapping[str, str] | None = None) -> Iterator[Played]:
    """Each request in turn. A connection that fails is a difference; what needs its answers then differs too.

    `given`: what placeholders stand for that no answer tells ($USERNAME).
    """
    bindings = Bindings(dict(given or {}))
    connection: ssl.SSLSocket | None = None
    context = _context(server)
    try:
        for number, exchange in enumerate(conversation.exchanges, 1):
            answer = None
            try:
                if connection is None or exchange.begins_connection:
                    if connection is not None:
                        connection.close()
                    connection = _connected(context, server)
                connection.sendall(ttlv.encode(from_element(bindings.filled(exchange.request))))
                answer = to_element(ttlv.decode(_answer(connection)))
                told = [] if exchange.response is None else differences(exchange.response, answer, bindings)
            except CodecError as error:
                told = [error.message]
            except OSError as error:
                told = [f"the connection failed: {error}"]
                connection = None
            yield Played(number, _operations(exchange.request), tuple(told), answer)
    finally:
        if connection is not None:
            connection.close()


def _operations(request: Element) -> str:
    name = camel_case(Tag.OPERATION.title)
    return ", ".join(element.get("value", "?") for element in request.iter(name)) or "no operation"


def _context(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.ca)
    context.load_cert_chain(server.certificate, server.key)
    return context


def _connected(context: ssl.SSLContext, server: Server) -> ssl.SSLSocket:
    plain = socket.create_connection((server.host, server.port), timeout=SECONDS)
    try:
        return context.wrap_socket(plain, server_hostname=server.host)
    except BaseException:
        plain.close()
        raise


def _answer(connection: ssl.SSLSocket) -> bytes:
    """One whole message. Raises OSError where the server ends before, CodecError for one beyond bounds."""
    header = _exactly(connection, 8)
    length = int.from_bytes(header[4:], "big")
    if length > _MAX_ANSWER:
        raise CodecError(f"the answer says it has {length} bytes")
    return header + _exactly(connection, length)


def _exactly(connection: ssl.SSLSocket, length: int) -> bytes:
    parts: list[bytes] = []
    while length:
        part = connection.recv(min(length, 1 << 16))
        if not part:
            raise ConnectionError("the server ended it")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
