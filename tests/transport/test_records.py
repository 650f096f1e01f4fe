"""Records are read as OpenSSL gives them, however the network cuts them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from kmip_server.pki.authority import issue, make_authority
from kmip_server.transport.records import RecordConnection


@pytest.fixture(scope="module", params=[SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["TLS 1.2", "TLS 1.3"])
def contexts(request: pytest.FixtureRequest) -> tuple[SSL.Context, SSL.Context]:
    authority = make_authority("CA")
    issued = issue(authority.certificate, authority.private_key, "server", server_names=("localhost",))
    server, client = SSL.Context(SSL.TLS_SERVER_METHOD), SSL.Context(SSL.TLS_CLIENT_METHOD)
    server.use_certificate(x509.load_pem_x509_certificate(issued.certificate))
    server.use_privatekey(load_pem_private_key(issued.private_key, None))
    server.set_max_proto_version(request.param)
    return server, client


def taken(take: Callable[[int], bytes]) -> bytes:
    """All that there is, as Twisted takes it."""
    parts = []
    with contextlib.suppress(SSL.WantReadError):
        while True:
            parts.append(take(1 << 15))
    return b"".join(parts)


def sent(connection: SSL.Connection) -> bytes:
    return taken(connection.bio_read)


def read(connection: SSL.Connection) -> bytes:
    return taken(connection.recv)


def pair(contexts: tuple[SSL.Context, SSL.Context]) -> tuple[RecordConnection, SSL.Connection]:
    server, client = RecordConnection(contexts[0], None), SSL.Connection(contexts[1], None)
    server.set_accept_state()
    client.set_connect_state()
    for _ in range(4):
        for each, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                each.do_handshake()
            if data := sent(each):
                other.bio_write(data)
    client.do_handshake()
    server.do_handshake()
    read(client)
    return server, client


@given(
    messages=st.lists(st.binary(min_size=1, max_size=40_000), min_size=1, max_size=5),
    cuts=st.lists(st.integers(1, 60_000), max_size=12),
)
@settings(max_examples=150, deadline=None)
def test_what_is_sent_is_read_wherever_the_network_cuts_it(
    contexts: tuple[SSL.Context, SSL.Context], messages: list[bytes], cuts: list[int]
) -> None:
    server, client = pair(contexts)
    wire = b""
    for message in messages:
        for at in range(0, len(message), 1 << 14):
            client.send(message[at : at + (1 << 14)])
        wire += sent(client)
    got = b""
    for cut in [*cuts, len(wire)]:
        part, wire = wire[:cut], wire[cut:]
        if part:
            server.bio_write(part)
            got += read(server)
            assert sent(server) == b""
    assert got == b"".join(messages)
    server.send(b"answer")
    client.bio_write(sent(server))
    assert read(client) == b"answer"


def test_each_record_alone_is_read_by_one_call(
    contexts: tuple[SSL.Context, SSL.Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = pair(contexts)
    read(server)
    calls: list[str] = []
    for name in ("recv", "bio_read"):
        called = getattr(SSL.Connection, name)

        def counting(self: SSL.Connection, *arguments: object, name: str = name, called: object = called) -> object:
            if self is server:
                calls.append(name)
            return called(self, *arguments)  # type: ignore[operator]

        monkeypatch.setattr(SSL.Connection, name, counting)
    sent(server)
    calls.clear()
    for number in range(3):
        client.send(b"request %d" % number)
        server.bio_write(sent(client))
        assert read(server) == b"request %d" % number
        assert sent(server) == b""
    assert calls == ["recv"] * 3


def test_the_end_of_tls_is_seen_and_answered(contexts: tuple[SSL.Context, SSL.Context]) -> None:
    server, client = pair(contexts)
    client.send(b"last")
    server.bio_write(sent(client))
    assert read(server) == b"last"
    client.shutdown()
    server.bio_write(sent(client))
    with pytest.raises(SSL.ZeroReturnError):
        server.recv(1 << 15)
    server.shutdown()
    assert sent(server)


def test_a_broken_record_is_refused_with_an_alert(contexts: tuple[SSL.Context, SSL.Context]) -> None:
    server, client = pair(contexts)
    client.send(b"secret")
    wire = bytearray(sent(client))
    wire[-1] ^= 1
    server.bio_write(bytes(wire))
    with pytest.raises(SSL.Error):
        server.recv(1 << 15)
    assert sent(server)
