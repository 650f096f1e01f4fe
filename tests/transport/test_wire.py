"""The listener as its peers see it: pieces, pipelines, nonsense, TLS of every kind, and an orderly end."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmip_server.pki.authority import issue, make_authority
from kmip_server.protocol import ttlv
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import Operation, ResultReason, ResultStatus
from kmip_server.protocol.payloads.discovery import QueryRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_0, V1_2
from kmip_server.transport.ports import AHEAD
from tests.support.engine import child, children, request_message
from tests.support.server import WORKERS, RunningServer, make_instance
from tests.support.wire import Connection, context

QUERY = request_message(V1_2, [(int(Operation.QUERY), encode_structure(QueryRequest(), V1_2), None)])


def answered(connection: Connection, message: bytes = QUERY) -> ResultStatus:
    response = connection.exchange(message)
    return ResultStatus.of(child(response, Tag.BATCH_ITEM, Tag.RESULT_STATUS))


def well(server: RunningServer) -> bool:
    """Whether the server serves a newcomer."""
    with Connection(server) as connection:
        return answered(connection) == ResultStatus.SUCCESS


# --- bytes --------------------------------------------------------------------------------------


def test_one_byte_at_a_time(server: RunningServer) -> None:
    with Connection(server) as connection:
        for byte in QUERY:
            connection.send(bytes([byte]))
        assert len(connection.receive()) > 8


def test_pipelined_requests_are_answered_in_order(server: RunningServer) -> None:
    payload = encode_structure(QueryRequest(), V1_2)
    ids = [number.to_bytes(2, "big") for number in range(200)]
    with Connection(server) as connection:
        connection.send(b"".join(request_message(V1_2, [(int(Operation.QUERY), payload, each)]) for each in ids))
        responses = [ttlv.decode(connection.receive()) for _ in ids]
    assert [child(each, Tag.BATCH_ITEM, Tag.UNIQUE_BATCH_ITEM_ID) for each in responses] == ids


def test_versions_may_differ_on_one_connection(server: RunningServer) -> None:
    with Connection(server) as connection:
        for version in (V1_0, V1_2, V1_0):
            message = request_message(
                version, [(int(Operation.QUERY), encode_structure(QueryRequest(), version), None)]
            )
            response = connection.exchange(message)
            minor = child(response, Tag.RESPONSE_HEADER, Tag.PROTOCOL_VERSION, Tag.PROTOCOL_VERSION_MINOR)
            assert minor == version.minor


def test_connect_and_close_is_harmless(server: RunningServer) -> None:
    for _ in range(20):
        socket.create_connection(("127.0.0.1", server.port)).close()
    Connection(server).close()
    assert well(server)
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    "nonsense", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(64), b"\x42\x00\x78\x01\xff\xff\xff\xf8"]
)
def test_nonsense_ends_the_connection_and_nothing_else(server: RunningServer, nonsense: bytes) -> None:
    with Connection(server) as connection:
        connection.send(nonsense)
        assert connection.receive() == b""
    assert well(server)
    assert "Traceback" not in server.log.read_text()


def test_a_message_too_large_is_told_in_its_version(server: RunningServer) -> None:
    with Connection(server) as connection:
        whole = bytearray(QUERY)
        whole[4:8] = (64 << 20).to_bytes(4, "big")
        connection.send(bytes(whole))
        response = ttlv.decode(connection.receive())
        assert child(response, Tag.RESPONSE_HEADER, Tag.PROTOCOL_VERSION, Tag.PROTOCOL_VERSION_MINOR) == 2
        assert child(response, Tag.BATCH_ITEM, Tag.RESULT_REASON) == ResultReason.INVALID_MESSAGE
        assert connection.receive() == b""


def test_what_came_before_nonsense_is_answered_before_it(server: RunningServer) -> None:
    """Or the refusal would be read as the answer to a request that was performed."""
    payload = encode_structure(QueryRequest(), V1_2)
    ids = [number.to_bytes(2, "big") for number in range(50)]
    whole = bytearray(QUERY)
    whole[4:8] = (64 << 20).to_bytes(4, "big")
    asked = [request_message(V1_2, [(int(Operation.QUERY), payload, each)]) for each in ids]
    with Connection(server) as connection:
        connection.send(b"".join([*asked, bytes(whole)]))
        responses = [ttlv.decode(connection.receive()) for _ in ids]
        assert [child(each, Tag.BATCH_ITEM, Tag.UNIQUE_BATCH_ITEM_ID) for each in responses] == ids
        refusal = ttlv.decode(connection.receive())
        assert child(refusal, Tag.BATCH_ITEM, Tag.RESULT_REASON) == ResultReason.INVALID_MESSAGE
        assert connection.receive() == b""


def test_a_message_that_cannot_be_decoded_gets_a_kmip_error_and_the_connection_lives(server: RunningServer) -> None:
    broken = bytearray(QUERY)
    broken[-1] = 0x55
    broken[-16] ^= 0x0F
    with Connection(server) as connection:
        response = connection.exchange(bytes(broken))
        assert child(response, Tag.BATCH_ITEM, Tag.RESULT_REASON) == ResultReason.INVALID_MESSAGE
        assert answered(connection) == ResultStatus.SUCCESS


def test_a_batch_over_the_wire(server: RunningServer) -> None:
    payload = encode_structure(QueryRequest(), V1_2)
    message = request_message(V1_2, [(int(Operation.QUERY), payload, None)] * 5)
    with Connection(server) as connection:
        response = connection.exchange(message)
    assert len(children(response, Tag.BATCH_ITEM)) == 5


# --- TLS ----------------------------------------------------------------------------------------


def handshake(server: RunningServer, *options: str) -> str:
    certificate, key = server.certificate()
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", server.ca]
    command += ["-cert", certificate, "-key", key, *options]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("minimum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3(server: RunningServer, minimum: ssl.TLSVersion) -> None:
    tls = context(server)
    tls.minimum_version = tls.maximum_version = minimum
    with Connection(server, tls=tls) as connection:
        assert answered(connection) == ResultStatus.SUCCESS


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_with_a_certificate_resumes(server: RunningServer, version: ssl.TLSVersion) -> None:
    tls = context(server)
    tls.minimum_version = tls.maximum_version = version
    with Connection(server, tls=tls) as first:
        assert answered(first) == ResultStatus.SUCCESS
        session = first.socket.session
    with Connection(server, tls=tls, session=session) as second:
        assert answered(second) == ResultStatus.SUCCESS
        assert second.socket.session_reused


def test_without_a_certificate_there_is_no_connection(server: RunningServer) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)), Connection(server, None) as connection:
        connection.send(QUERY)
        assert connection.receive() == b""
        raise ConnectionError
    assert well(server)


def test_old_protocols_and_ciphers_are_refused(server: RunningServer) -> None:
    assert "no peer certificate available" in handshake(server, "-tls1_1")
    weak = handshake(server, "-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0")
    assert "Cipher is (NONE)" in weak or "handshake failure" in weak


def _stranger(folder: Path, common_name: str) -> tuple[Path, Path, str]:
    """A certificate of a CA that the server does not know."""
    authority = make_authority("a stranger")
    issued = issue(authority.certificate, authority.private_key, common_name)
    (folder / "stranger.pem").write_bytes(issued.certificate)
    (folder / "stranger.key").write_bytes(issued.private_key)
    return folder / "stranger.pem", folder / "stranger.key", issued.fingerprint


def test_a_stranger_is_refused_even_under_a_known_name(server: RunningServer, tmp_path: Path) -> None:
    certificate, key, _ = _stranger(tmp_path, "client")
    tls = ssl.create_default_context(cafile=server.ca)
    tls.load_cert_chain(certificate, key)
    with pytest.raises((ssl.SSLError, ConnectionError)), Connection(server, tls=tls) as connection:
        connection.send(QUERY)
        assert connection.receive() == b""
        raise ConnectionError


def test_a_name_that_nobody_has_gets_an_error_and_no_hint(server: RunningServer, tmp_path: Path) -> None:
    certs = server.folder / "certs"
    issued = issue((certs / "ca.pem").read_bytes(), (certs / "ca.key").read_bytes(), "nobody at all")
    (tmp_path / "n.pem").write_bytes(issued.certificate)
    (tmp_path / "n.key").write_bytes(issued.private_key)
    tls = ssl.create_default_context(cafile=server.ca)
    tls.load_cert_chain(tmp_path / "n.pem", tmp_path / "n.key")
    with Connection(server, tls=tls) as connection:
        response = connection.exchange(QUERY)
    assert child(response, Tag.BATCH_ITEM, Tag.RESULT_REASON) == ResultReason.AUTHENTICATION_NOT_SUCCESSFUL
    assert "nobody" not in child(response, Tag.BATCH_ITEM, Tag.RESULT_MESSAGE)


PROFILES = {"modern": (False, False), "compatible": (True, False), "legacy": (True, True)}


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_offers_what_it_says(tmp_path: Path, profile: str) -> None:
    tls12, cbc = PROFILES[profile]
    folder = make_instance(tmp_path / "kmip", "--keystore", "software")
    with RunningServer(folder, "--set", f'kmip.tls_profile="{profile}"') as server:
        assert "TLSv1.3" in handshake(server, "-tls1_3")
        assert ("Cipher is ECDHE" in handshake(server, "-tls1_2")) == tls12
        offered = handshake(server, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0")
        assert ("Cipher is ECDHE-ECDSA-AES256-SHA384" in offered) == cbc


# --- bounds -------------------------------------------------------------------------------------


@pytest.fixture
def bounded(tmp_path: Path) -> Iterator[RunningServer]:
    folder = make_instance(tmp_path / "kmip", "--keystore", "software")
    options = {
        "handshake_timeout_seconds": 1,
        "message_timeout_seconds": 1,
        "idle_timeout_seconds": 4,
        "max_connections_per_address": 20,
        "max_message_bytes": 65536,
    }
    given = [word for key, value in options.items() for word in ("--set", f"limits.{key}={value}")]
    with RunningServer(folder, *given) as server:
        yield server


def _closed_in_time(plain: socket.socket) -> bool:
    plain.settimeout(15)
    try:
        return plain.recv(1) == b""
    except ConnectionError:
        return True


def test_silent_and_slow_peers_are_dropped_while_others_are_served(bounded: RunningServer) -> None:
    silent = socket.create_connection(("127.0.0.1", bounded.port))
    slow = Connection(bounded)
    slow.send(QUERY[:20])
    idle = Connection(bounded)
    assert answered(idle) == ResultStatus.SUCCESS
    assert well(bounded)
    assert _closed_in_time(silent)
    assert slow.receive() == b""
    assert idle.receive() == b""
    for each in (silent, slow, idle):
        each.close()


def test_too_many_connections_are_refused_and_then_there_is_room_again(bounded: RunningServer) -> None:
    held = [Connection(bounded) for _ in range(20)]
    for each in held:
        assert answered(each) == ResultStatus.SUCCESS
    with pytest.raises((ssl.SSLError, ConnectionError)):
        # Each of several workers has its part, and a few more, since connections are not spread to the last one.
        for _ in range(1 if WORKERS == 1 else AHEAD * WORKERS + 1):
            held.append(Connection(bounded))
    for each in held:
        each.close()
    for _ in range(100):
        try:
            assert well(bounded)
            return
        except (ssl.SSLError, ConnectionError):
            threading.Event().wait(0.05)
    raise AssertionError("there is no room again")


def test_a_peer_that_does_not_read_is_held_back(bounded: RunningServer) -> None:
    with Connection(bounded) as greedy:
        greedy.socket.settimeout(3)
        with pytest.raises((TimeoutError, ssl.SSLError, OSError)):
            for _ in range(100_000):
                greedy.send(QUERY * 50)
        assert well(bounded)


# --- signals ------------------------------------------------------------------------------------


def test_sigterm_drains_and_exits_0(new_instance: Path) -> None:
    server = RunningServer(new_instance).start()
    with Connection(server) as connection:
        assert answered(connection) == ResultStatus.SUCCESS
        assert server.stop() == 0
        assert connection.receive() == b""
    assert "Traceback" not in server.log.read_text()


def test_sighup_reloads_certificates_and_keeps_connections(new_instance: Path) -> None:
    with RunningServer(new_instance) as server:
        with Connection(server) as kept:
            before = kept.socket.getpeercert(True)
            certs = new_instance / "certs"
            issued = issue(
                (certs / "ca.pem").read_bytes(),
                (certs / "ca.key").read_bytes(),
                "localhost",
                server_names=("127.0.0.1",),
            )
            (certs / "server.pem").write_bytes(issued.certificate)
            (certs / "server.key").write_bytes(issued.private_key)
            assert server.process is not None
            server.process.send_signal(signal.SIGHUP)
            for _ in range(200):
                with Connection(server) as newcomer:
                    after = newcomer.socket.getpeercert(True)
                if after != before:
                    break
                threading.Event().wait(0.02)
            assert after != before
            assert answered(kept) == ResultStatus.SUCCESS
        # A reload that cannot be is refused, and the old certificate serves on.
        (certs / "server.pem").write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        assert well(server)
