"""Administration as an attacker meets it: every attempt on record, within bounds, and nothing forged on a screen."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kmip_server.admin.actions import Actions, Instance
from kmip_server.admin.cli import output
from kmip_server.admin.shown import shown
from kmip_server.authz.records import PrincipalRecord
from kmip_server.clock import SettableClock
from kmip_server.config.load import load
from kmip_server.errors import InvalidField, ObjectNotFound, PermissionDenied, SettingsError
from kmip_server.principal import Principal
from kmip_server.protocol.attribute_set import VendorAttribute
from kmip_server.protocol.attribute_values import CustomValue, Name
from kmip_server.protocol.enums import CryptographicUsageMask, ItemType, NameType, State
from kmip_server.protocol.tags import Tag
from kmip_server.store import database, principals
from tests.support.server import RunningServer, run

ADMINISTRATOR = Principal(name="admin", domain="default", roles=("Administrator",), authentication="local")


class Administered:
    """The actions on an instance's files, and the record that they leave."""

    def __init__(self, folder: Path) -> None:
        settings = load(folder / "kmip-server.toml")
        self.open = lambda: database.connect(settings.folder / "kmip.db")
        self.actions = Actions(
            Instance(settings=settings, clock=SettableClock(), open_connection=self.open, node="test")
        )

    def perform(self, action: str, principal: Principal = ADMINISTRATOR, **arguments: Any) -> Any:
        return self.actions.perform(principal, "here", action, arguments)

    def records(self) -> list[tuple[str, str, str, str]]:
        """Operation, outcome, reason and object of what followed the chain's start."""
        rows = self.open().execute("SELECT record FROM audit_records WHERE number > 1 ORDER BY number")
        return [(each[8], each[11], each[12], each[10]) for each in (json.loads(row[0]) for row in rows)]


@pytest.fixture
def administered(new_instance: Path) -> Administered:
    return Administered(new_instance)


# --- one record each ----------------------------------------------------------------------------


def test_every_action_leaves_one_record(administered: Administered) -> None:
    administered.perform("status")
    administered.perform("client.enroll", name="array", role="Appliance")
    with pytest.raises(SettingsError, match="exists already"):
        administered.perform("client.enroll", name="array", role="Appliance")
    with pytest.raises(ObjectNotFound):
        administered.perform("key.show", unique_identifier="absent")
    with pytest.raises(InvalidField, match="days"):
        administered.perform("client.enroll", name="x", role="Appliance", days="many")
    nobody = Principal(name="client", domain="default", roles=("Appliance",), authentication="certificate")
    with pytest.raises(PermissionDenied):
        administered.perform("key.list", nobody)
    with pytest.raises(PermissionDenied):
        administered.perform("no.such.action" * 1000)
    administered.actions.refuse("there", "status", PermissionDenied("who"))
    records = administered.records()
    assert records[:6] == [
        ("status", "allowed", "", ""),
        ("client.enroll", "allowed", "", "array"),
        ("client.enroll", "failed", "SettingsError", "array"),
        ("key.show", "failed", "ObjectNotFound", "absent"),
        ("client.enroll", "failed", "InvalidField", ""),
        ("key.list", "refused", "", ""),
    ]
    assert len(records[6][0]) == 255
    assert records[7] == ("status", "refused", "PermissionDenied", "")
    assert len(records) == 8


def test_somebody_unknown_at_the_port_is_on_record(server: RunningServer, tmp_path: Path) -> None:
    """A certificate of our CA for a principal that there is not."""
    from kmip_server.pki.authority import issue
    from kmip_server.pki.files import write_file

    certs = server.folder / "certs"
    stranger = issue((certs / "ca.pem").read_bytes(), (certs / "ca.key").read_bytes(), "stranger")
    write_file(tmp_path / "stranger.pem", stranger.certificate)
    write_file(tmp_path / "stranger.key", stranger.private_key)
    options = ["--url", f"https://127.0.0.1:{server.admin_port}", "--ca", server.ca]
    options += ["--cert", str(tmp_path / "stranger.pem"), "--key", str(tmp_path / "stranger.key")]
    assert run("kmip-admin", *options, "key", "list", check=False).returncode == 1
    records = json.loads(server.admin("audit", "tail", "-n", "20", "--json").stdout)
    (found,) = [each for each in records if each["operation"] == "key.list" and each["outcome"] == "refused"]
    assert found["principal"] == ""
    assert "stranger" in found["rule"]
    assert found["source"].startswith("127.0.0.1:")


# --- one's own domain ---------------------------------------------------------------------------


def test_another_domains_clients_are_not_there(administered: Administered) -> None:
    connection = administered.open()
    principals.add_principal(connection, PrincipalRecord(name="theirs", domain="other", enabled=True))
    principals.raise_policy_revision(connection)
    assert "theirs" not in [each["name"] for each in administered.perform("client.list")]
    for action, more in (
        ("client.revoke", {}),
        ("client.restore", {}),
        ("client.password", {"password": "long enough"}),
        ("client.show", {}),
        ("client.quirk", {"quirk": "names-not-unique"}),
        *(("client.record", {"step": step}) for step in ("begin", "look", "end")),
    ):
        with pytest.raises(SettingsError, match="no client 'theirs'"):
            administered.perform(action, name="theirs", **more)


def test_a_revocation_can_be_undone(administered: Administered) -> None:
    administered.perform("client.revoke", name="client")
    with pytest.raises(SettingsError, match="is revoked; to undo that: kmip-admin client restore client"):
        administered.perform("client.enroll", name="client", role="Appliance")
    assert administered.perform("client.restore", name="client")["enabled"] is True
    (listed,) = [each for each in administered.perform("client.list") if each["name"] == "client"]
    assert listed["enabled"]
    assert not listed["certificates"][0]["revoked"]
    with pytest.raises(SettingsError, match="is not revoked"):
        administered.perform("client.restore", name="client")
    assert ("client.restore", "allowed", "", "client") in administered.records()


# --- what is given ------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-5, 0, 3651, 10**9, 10**30])
def test_days_are_bounded(administered: Administered, days: int) -> None:
    with pytest.raises((SettingsError, InvalidField), match="days"):
        administered.perform("client.enroll", name="array", role="Appliance", days=days)


@pytest.mark.parametrize("name", ["", "two\nlines", "\x1b[2J", "half \ud800", "x" * 256, "\u202e"])
def test_names_are_one_printable_line(administered: Administered, name: str) -> None:
    with pytest.raises(InvalidField):
        administered.perform("client.enroll", name=name, role="Appliance")


def secured(
    server: RunningServer, address: tuple[str, int], source: tuple[str, int] | None = None
) -> ssl.SSLSocket:
    """An administrator's connection to the port."""
    context = ssl.create_default_context(cafile=server.ca)
    context.load_cert_chain(*server.certificate("admin"))
    plain = socket.create_connection(address, 30, source)
    return context.wrap_socket(plain, server_hostname="localhost")


def post(server: RunningServer, body: bytes, *headers: bytes) -> bytes:
    """What the administration port answers, until it closes or has answered."""
    with secured(server, ("127.0.0.1", server.admin_port)) as connection:
        head = [b"POST /v1/client.enroll HTTP/1.1", b"host: x", b"connection: close", *headers, b"", b""]
        connection.sendall(b"\r\n".join(head) + body)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except (ssl.SSLError, ConnectionError):
            pass
        return received


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 20_000,
        b'{"name":"\\ud800","role":"Appliance"}',
        b'{"name":"x","role":"Appliance","days":' + b"9" * 5000 + b"}",
        b'{"name":"x","role":"Appliance","days":1000000000}',
        b'{"self":1}',
        b'{"name":' + b"[" * 900 + b"]" * 900 + b"}",
    ],
    ids=["deep", "surrogate", "digits", "days", "self", "nested"],
)
def test_what_cannot_be_is_refused_with_a_sentence(server: RunningServer, body: bytes) -> None:
    before = server.log.read_text().count("Traceback")
    answer = post(server, body, b"content-length: %d" % len(body))
    assert answer.split()[1] in (b"400", b"409")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert server.log.read_text().count("Traceback") == before


def test_a_large_body_is_refused_before_it_is_read(server: RunningServer) -> None:
    dropped = json.loads(server.admin("status", "--json").stdout)["connections_dropped"]
    assert post(server, b"", b"content-length: 100000000").startswith(b"HTTP/1.1 413")
    assert post(server, b"", b"transfer-encoding: chunked").startswith(b"HTTP/1.1 413")
    # Ended by the answer, not by the deadline.
    assert json.loads(server.admin("status", "--json").stdout)["connections_dropped"] == dropped


def is_ended(connection: socket.socket) -> bool:
    """Waits for it."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_the_administration_port_has_the_transports_bounds(new_instance: Path) -> None:
    timeouts = ("limits.handshake_timeout_seconds=2", "limits.message_timeout_seconds=0.2")
    # These bounds are each worker's own.
    options = (*timeouts, "limits.max_connections_per_address=1", "server.workers=1")
    arguments = [word for each in options for word in ("--set", each)]
    with RunningServer(new_instance, *arguments) as server:
        address = ("127.0.0.1", server.admin_port)
        with socket.create_connection(address, 30) as silent, socket.create_connection(address, 30) as second:
            assert is_ended(silent)  # makes room: too many from one address
            assert is_ended(second)  # no handshake in time
        assert post(server, b"", b"content-length: 5") == b""  # a request that does not end
        status = json.loads(server.admin("status", "--json").stdout)
        assert status["connections_refused"] == 1
        assert status["connections_dropped"] == 3
        assert status["handshakes_failed"] == 1


@pytest.mark.parametrize("silent", [100, 0])
def test_neither_silence_nor_idleness_at_the_port_locks_administrators_out(
    server: RunningServer, silent: int
) -> None:
    """100 connections that say nothing, or 16 that have a certificate, are more than one address may have."""
    address = ("127.0.0.1", server.admin_port)
    with ExitStack() as held:
        for _ in range(silent):
            held.enter_context(socket.create_connection(address, 30))
        for _ in range(0 if silent else 16):
            held.enter_context(secured(server, address, ("127.0.0.2", 0)))
        with secured(server, address) as connection:
            connection.sendall(b"POST /v1/status HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert json.loads(server.admin("status", "--json").stdout)["running"] is True


def test_the_socket_is_bounded_and_recovers(new_instance: Path) -> None:
    with RunningServer(new_instance) as server, ExitStack() as held:
        socket_file = str(new_instance / "admin.sock")
        for _ in range(32):
            held.enter_context(socket.socket(socket.AF_UNIX)).connect(socket_file)
        with socket.socket(socket.AF_UNIX) as one_more:
            one_more.connect(socket_file)
            assert is_ended(one_more)
        held.close()
        until(lambda: server.admin("status", check=False).returncode == 0)


def test_a_failed_handshake_at_the_administration_port_is_told(server: RunningServer) -> None:
    before = json.loads(server.admin("status", "--json").stdout)["handshakes_failed"]
    context = ssl.create_default_context(cafile=server.ca)
    with socket.create_connection(("127.0.0.1", server.admin_port), 30) as plain:
        source = plain.getsockname()[1]
        with (
            contextlib.suppress(ssl.SSLError, ConnectionError),
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.recv(1)
    logged(server, f"TLS handshake with 127.0.0.1:{source} failed: the client sent no certificate", 1)
    assert json.loads(server.admin("status", "--json").stdout)["handshakes_failed"] == before + 1


# --- what is shown ------------------------------------------------------------------------------


def test_a_name_forges_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "a\n2026-01-01 admin  client.list\r\x1b[1A\u2028\u202e\ud800"
    output.table([{"name": evil}], [("name", "NAME")])
    output.pairs({evil: [evil]})
    told = capsys.readouterr().out
    assert len(told.split("\n")) == 4
    assert all(each.isprintable() for each in told.split("\n"))
    assert "a\\n2026" in told


def test_a_cell_is_bounded() -> None:
    assert output.text("x" * 10_000) == "x" * output.MAX_CELL + "... (10000 characters)"


SHOWN: list[tuple[Any, Any, str]] = [
    (Tag.STATE, State.PRE_ACTIVE, "Pre-Active"),
    (Tag.ACTIVATION_DATE, 0, "1970-01-01 00:00:00 UTC"),
    (Tag.ACTIVATION_DATE, 1 << 62, f"{1 << 62} s since 1970"),
    (
        Tag.CRYPTOGRAPHIC_USAGE_MASK,
        CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.WRAP_KEY,
        "Encrypt, Wrap Key",
    ),
    (Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask(0), "none"),
    (
        Tag.NAME,
        Name(name_value="n", name_type=NameType.UNINTERPRETED_TEXT_STRING),
        "name value: n, name type: Uninterpreted Text String",
    ),
    (VendorAttribute("x", "big"), CustomValue(ItemType.BIG_INTEGER, 1 << 68), "0x100000000000000000"),
    (VendorAttribute("x", "bytes"), CustomValue(ItemType.BYTE_STRING, b"\x00\xff"), "00ff"),
    (
        VendorAttribute("x", "structure"),
        CustomValue(ItemType.STRUCTURE, ((Tag.STATE, ItemType.ENUMERATION, 1), (1, ItemType.DATE_TIME, 0))),
        "{State: 0x00000001, 0x000001: 1970-01-01 00:00:00 UTC}",
    ),
]


@pytest.mark.parametrize(("key", "value", "expected"), SHOWN)
def test_values_are_shown_in_the_standards_words(key: Any, value: Any, expected: str) -> None:
    assert shown(key, value) == expected


def test_a_number_of_many_digits_is_shown_and_bounded() -> None:
    told = shown(VendorAttribute("x", "big"), CustomValue(ItemType.BIG_INTEGER, 10**5000))
    assert told.startswith("0x")
    assert len(told) < 1100


def until(happened: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def logged(server: RunningServer, words: str, times: int) -> None:
    """Wait until the server's log says it so often."""
    until(lambda: server.log.read_text().count(words) >= times)


def test_a_hangup_reads_the_level_of_the_log_again(new_instance: Path) -> None:
    """In one process; what several do, tests/workers/test_renewal.py shows."""
    config = new_instance / "kmip-server.toml"
    whole = config.read_text()
    with RunningServer(new_instance, "--set", "server.workers=1") as server:
        assert server.process is not None
        config.write_text(whole.replace('level = "info"', 'level = "loud"'))
        os.kill(server.process.pid, signal.SIGHUP)
        logged(server, "nothing reloaded, the old settings serve on", 1)
        config.write_text(whole)
        os.kill(server.process.pid, signal.SIGHUP)
        logged(server, "log level and certificates reloaded", 1)
        config.write_text(whole.replace('level = "info"', 'level = "error"'))
        os.kill(server.process.pid, signal.SIGHUP)
        assert json.loads(server.admin("status", "--json").stdout)["running"] is True
    assert "stopping:" not in server.log.read_text()
