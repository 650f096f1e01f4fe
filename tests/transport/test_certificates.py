"""Whose certificate opens the door: chains, pins, issuing CAs, resumptions, and what the log says of the others."""

from __future__ import annotations

import ipaddress
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from kmip_server import metrics
from kmip_server.protocol import ttlv
from kmip_server.protocol.enums import ResultReason, ResultStatus
from kmip_server.protocol.tags import Tag
from kmip_server.transport import faults
from kmip_server.transport.faults import Fault, FaultLog
from tests.support.certificates import Made, client_context, make
from tests.support.engine import child
from tests.support.server import WORKERS, RunningServer, command, make_instance
from tests.support.wire import Connection
from tests.transport.test_wire import QUERY, answered, well

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Site:
    """A server that trusts one CA of the test's own, beside the instance's."""

    def __init__(self, folder: Path, trusted: Made) -> None:
        self.folder = folder
        made = make_instance(folder / "kmip", "--keystore", "software")
        (made / "certs" / "other.pem").write_bytes(trusted.pem)
        self.server = RunningServer(made, "--set", 'tls.client_ca=["certs/ca.pem", "certs/other.pem"]')

    def context(self, leaf: Made, *sent: Made) -> ssl.SSLContext:
        return client_context(self.folder, self.server.ca, leaf, *sent)

    def refuses(self, tls: ssl.SSLContext, *, session: ssl.SSLSession | None = None) -> bool:
        """Whether no request is answered."""
        try:
            with Connection(self.server, tls=tls, session=session) as connection:
                connection.send(QUERY)
                return connection.receive() == b""
        except (ssl.SSLError, ConnectionError):
            return True

    def logs(self, words: str) -> bool:
        """Whether the log comes to say it: the client may learn of the end a moment earlier."""
        for _ in range(500):
            if words in self.server.log.read_text():
                return True
            threading.Event().wait(0.02)
        return False


ROOT = make("test root", ca=True)
ISSUING = make("test issuing", by=ROOT, ca=True)
LEAF = make("client", by=ISSUING)


@pytest.fixture(scope="module")
def rooted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The root is listed; clients send what is below."""
    site = Site(tmp_path_factory.mktemp("rooted"), ROOT)
    with site.server:
        yield site


@pytest.fixture(scope="module")
def issuing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Only the issuing CA is listed."""
    site = Site(tmp_path_factory.mktemp("issuing"), ISSUING)
    with site.server:
        yield site


def let_in_and_resumed(site: Site, tls: ssl.SSLContext) -> ssl.SSLSession | None:
    """A first connection is answered, and so is a second one that resumes its session, which is returned."""
    with Connection(site.server, tls=tls) as first:
        assert answered(first) == ResultStatus.SUCCESS
        session = first.socket.session
    with Connection(site.server, tls=tls, session=session) as second:
        assert answered(second) == ResultStatus.SUCCESS
        assert second.socket.session_reused
    return session


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_sends_its_intermediate_and_resumes(rooted: Site, version: ssl.TLSVersion) -> None:
    tls = rooted.context(LEAF, ISSUING)
    tls.minimum_version = tls.maximum_version = version
    let_in_and_resumed(rooted, tls)


def test_without_its_intermediate_it_is_refused_and_the_log_says_why(rooted: Site) -> None:
    leaf = make("no intermediate", by=ISSUING)
    assert rooted.refuses(rooted.context(leaf))
    assert rooted.logs("comes from no CA of tls.client_ca and is not pinned; its subject is 'CN=no intermediate'")


def test_an_expired_intermediate_is_refused(rooted: Site) -> None:
    expired = make("expired issuing", by=ROOT, ca=True, expired=True)
    assert rooted.refuses(rooted.context(make("below expired", by=expired), expired))
    assert rooted.logs("has expired; its subject is 'CN=below expired'")


def test_a_leaf_cannot_issue(rooted: Site) -> None:
    assert rooted.refuses(rooted.context(make("client", by=LEAF), LEAF, ISSUING))


def test_a_strangers_chain_under_a_known_name_is_refused(rooted: Site) -> None:
    stranger = make("test root", ca=True)
    assert rooted.refuses(rooted.context(make("client", by=stranger), stranger))
    assert rooted.refuses(rooted.context(make("client", by=make("test issuing", by=stranger, ca=True)), ISSUING))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_revoked_client_does_not_resume(rooted: Site, tmp_path: Path, version: ssl.TLSVersion) -> None:
    name = f"revoked-{version.name}"
    leaf = make(name, by=ISSUING)
    (tmp_path / "own.pem").write_bytes(leaf.pem)
    rooted.server.admin("client", "enroll", name, "--role", "Appliance", "--certificate", str(tmp_path / "own.pem"))
    tls = rooted.context(leaf, ISSUING)
    tls.minimum_version = tls.maximum_version = version
    with Connection(rooted.server, tls=tls) as first:
        assert answered(first) == ResultStatus.SUCCESS
        session = first.socket.session
    rooted.server.admin("client", "revoke", name)
    with Connection(rooted.server, tls=tls, session=session) as second:
        second.send(QUERY)
        response = second.receive()
    # A worker that hears of it just now closes the connection, as it does all of the client's.
    if response or WORKERS == 1:
        reason = child(ttlv.decode(response), Tag.BATCH_ITEM, Tag.RESULT_REASON)
        assert reason == ResultReason.AUTHENTICATION_NOT_SUCCESSFUL


@pytest.mark.parametrize("version", VERSIONS)
def test_a_revoked_pin_does_not_resume_and_the_log_says_so(
    rooted: Site, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    own_root = make("a device's own root", ca=True)
    name = f"pinned-{version.name}"
    leaf = make(name, by=own_root)
    (tmp_path / "own.pem").write_bytes(leaf.pem)
    rooted.server.admin("client", "enroll", name, "--role", "Appliance", "--certificate", str(tmp_path / "own.pem"))
    tls = rooted.context(leaf, own_root)
    tls.minimum_version = tls.maximum_version = version
    session = let_in_and_resumed(rooted, tls)
    rooted.server.admin("client", "revoke", name)
    assert rooted.refuses(tls, session=session)
    assert rooted.logs(f"not pinned; its subject is 'CN={name}'")


@pytest.mark.parametrize("sent", ["nothing", "its root", "an expired root", "a root of the same name"])
def test_a_pin_stands_whatever_else_is_sent_and_only_for_its_own(rooted: Site, tmp_path: Path, sent: str) -> None:
    root = make("own root", ca=True, expired=sent == "an expired root")
    name = f"device with {sent}"
    leaf, sibling = make(name, by=root), make(name, by=root)
    others = {"nothing": [], "a root of the same name": [make("own root", ca=True)]}.get(sent, [root])
    (tmp_path / "own.pem").write_bytes(leaf.pem)
    rooted.server.admin("client", "enroll", name, "--role", "Appliance", "--certificate", str(tmp_path / "own.pem"))
    with Connection(rooted.server, tls=rooted.context(leaf, *others)) as connection:
        assert answered(connection) == ResultStatus.SUCCESS
    assert rooted.refuses(rooted.context(sibling, *others))
    assert rooted.refuses(rooted.context(sibling, leaf, *others))


@pytest.mark.parametrize("sent", [(), (ISSUING,), (ISSUING, ROOT)])
def test_an_issuing_ca_is_an_anchor(issuing: Site, sent: tuple[Made, ...]) -> None:
    tls = issuing.context(LEAF, *sent)
    let_in_and_resumed(issuing, tls)


def test_what_its_root_issues_elsewhere_is_none_of_ours(issuing: Site) -> None:
    elsewhere = make("elsewhere", by=ROOT, ca=True)
    assert issuing.refuses(issuing.context(make("client", by=elsewhere), elsewhere, ROOT))


def test_a_subject_cannot_forge_a_line_of_the_log(rooted: Site) -> None:
    rooted.refuses(rooted.context(make("x\n2026-01-01 INFO all is well", by=make("none", ca=True))))
    assert rooted.logs("its subject is 'CN=x\\n2026-01-01 INFO all is well'")
    assert well(rooted.server)


# --- the words and the counts -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (SSL.Error([("SSL routines", "", "no shared cipher")]), "cipher"),
        (SSL.Error([("SSL routines", "", "peer did not return a certificate")]), "no certificate"),
        (SSL.Error([("SSL routines", "", "http request")]), "not TLS"),
        (SSL.Error([("SSL routines", "", "tlsv1 alert unknown ca")]), "peer"),
        (SSL.Error([("SSL routines", "", "of another kind")]), "other"),
        (SSL.Error(), "other"),
    ],
)
def test_faults_have_few_causes(error: SSL.Error, cause: str) -> None:
    assert faults.of_error(error, 0, "").cause == cause
    assert faults.of_error(error, 10, "CN=x").cause == "validity"


def test_a_flood_of_failures_is_counted_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "kmip_server.transport.faults")
    now = [1000.0]
    failures = FaultLog(lambda: now[0])
    before = metrics.value("kmip_handshakes_failed_total", cause="peer")
    for number in range(500):
        failures.tell(f"192.0.2.1:{number}", Fault(cause="peer", text="x"))
    assert len(caplog.records) == faults.LINES
    assert metrics.value("kmip_handshakes_failed_total", cause="peer") == before + 500
    now[0] += faults.PERIOD_SECONDS
    failures.catch_up()
    assert caplog.messages[-1] == f"{500 - faults.LINES} more TLS handshakes failed in the last minute"


# --- the server's own key -----------------------------------------------------------------------


@pytest.mark.parametrize("called", ["run", "check"])
def test_an_encrypted_or_broken_key_is_told_in_one_sentence(new_instance: Path, called: str) -> None:
    path = new_instance / "certs" / "server.key"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"secret")
    arguments = command("kmip-server", called, "--config", str(new_instance / "kmip-server.toml"))
    encrypted = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    for content, sentence in (
        (encrypted, "is encrypted; store it unencrypted, mode 0600"),
        (b"nonsense", "cannot be read: it is not a private key in PEM form"),
    ):
        path.write_bytes(content)
        done = subprocess.run(
            arguments, input="", capture_output=True, text=True, timeout=60, check=False, start_new_session=True
        )
        assert done.returncode == (2 if called == "run" else 1)
        assert f"the private key {path} {sentence}" in done.stdout + done.stderr
        assert "pass phrase" not in done.stdout + done.stderr


# --- the profile legacy -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """With an RSA certificate, as clients that know nothing else need it."""
    folder = make_instance(tmp_path_factory.mktemp("legacy") / "kmip", "--keystore", "software")
    names = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    own = make("localhost", key=rsa.generate_private_key(65537, 2048), names=names)
    (folder / "certs" / "server.pem").write_bytes(own.pem)
    (folder / "certs" / "server.key").write_bytes(own.key_pem)
    with RunningServer(folder, "--set", 'kmip.tls_profile="legacy"') as running:
        yield running


@pytest.mark.parametrize(
    "suite",
    [
        "AES256-SHA256",
        "AES128-SHA256",
        "AES256-SHA",
        "AES128-SHA",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA256",
        "ECDHE-RSA-AES256-SHA384",
    ],
)
def test_suites_of_the_kmip_profiles_with_an_rsa_certificate(legacy: RunningServer, suite: str) -> None:
    tls = ssl.create_default_context(cafile=legacy.folder / "certs" / "server.pem")
    tls.load_cert_chain(*legacy.certificate())
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers(suite)
    with Connection(legacy, tls=tls) as connection:
        assert answered(connection) == ResultStatus.SUCCESS
        cipher = connection.socket.cipher()
        assert cipher is not None
        assert cipher[0] == suite
