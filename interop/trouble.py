"""What can be wrong between a client and this server, what the client shows then, and what the server's log says.

Strategy: each trouble is a row: what is wrong, and an endpoint that has it. A client's `probe` is called with a
deadline. That something is shown in time can fail; what is shown, and what the log says, is written down.
"""

from __future__ import annotations

import datetime
import re
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from interop import servers
from interop.contract import Client
from interop.endpoint import Endpoint
from kmip_server.pki.authority import issue, make_authority
from tests.support.server import RunningServer

DEADLINE_SECONDS = 60.0
"""A client that shows nothing by then hangs."""
_LOG_SECONDS = 1.0
"""How long the log may take to say something."""
_DAY = datetime.timedelta(days=1)
_STAMP = re.compile(r"^\S+ \S+ (INFO|WARNING|ERROR|CRITICAL) (worker \d+ )?\S+: ")
_IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ADDRESS = re.compile(r"127\.0\.0\.1(:\d+)?")


def shown(client: Client, folder: Path) -> dict[str, tuple[str, str]]:
    """By what is wrong: what the client shows, and what the server's log says."""
    found: dict[str, tuple[str, str]] = {}
    with servers.ours(folder / "troubles", client.settings) as endpoints:
        endpoint = endpoints["client"]
        assert endpoint.server is not None
        for what, trouble in TROUBLES.items():
            place = folder / f"trouble-{len(found)}"
            place.mkdir(parents=True)
            before = len(endpoint.server.log.read_text())
            with trouble(endpoint, place) as troubled:
                said = probed(client, troubled, place)
                found[what] = (said, "" if what == NOTHING else _told(endpoint.server.log, before))
    return found


def probed(client: Client, endpoint: Endpoint, folder: Path) -> str:
    assert client.probe is not None
    threads = ThreadPoolExecutor(1)
    try:
        said = threads.submit(client.probe, endpoint, folder).result(DEADLINE_SECONDS)
    except TookTooLong:
        return f"nothing within {DEADLINE_SECONDS:.0f} s"
    finally:
        threads.shutdown(wait=False)
    return _ADDRESS.sub("ADDRESS", " ".join(said.split()))[:300]


def _told(log: Path, before: int) -> str:
    """The last thing that a log says since, without time and address; it may come a little later."""
    end = time.monotonic() + _LOG_SECONDS
    while True:
        lines = [line for line in log.read_text()[before:].splitlines() if _STAMP.match(line)]
        if lines or time.monotonic() > end:
            break
        time.sleep(0.05)
    return _IDENTIFIER.sub("N", _ADDRESS.sub("ADDRESS", _STAMP.sub("", lines[-1]))) if lines else ""


# --- the troubles -------------------------------------------------------------------------------

Trouble = Callable[[Endpoint, Path], object]


def _files(certificate: bytes, key: bytes, folder: Path) -> tuple[str, str]:
    """As files; their paths."""
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate)
    paths[1].touch(mode=0o600)
    paths[1].write_bytes(key)
    return str(paths[0]), str(paths[1])


@contextmanager
def _nothing(endpoint: Endpoint, _: Path) -> Iterator[Endpoint]:
    yield endpoint


@contextmanager
def _wrong_ca(endpoint: Endpoint, folder: Path) -> Iterator[Endpoint]:
    other = folder / "ca.pem"
    other.write_bytes(make_authority("another CA").certificate)
    yield replace(endpoint, ca=str(other))


def _dated(begin: datetime.timedelta, end: datetime.timedelta) -> Trouble:
    """A client certificate of the instance's CA, valid between these, from now."""

    @contextmanager
    def trouble(endpoint: Endpoint, folder: Path) -> Iterator[Endpoint]:
        certs = Path(endpoint.ca).parent
        authority = x509.load_pem_x509_certificate((certs / "ca.pem").read_bytes())
        signer = serialization.load_pem_private_key((certs / "ca.key").read_bytes(), password=None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, endpoint.identity)]))
            .issuer_name(authority.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begin)
            .not_valid_after(now + end)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        files = _files(pem, private, folder)
        yield replace(endpoint, certificate=files[0], key=files[1])

    return trouble


@contextmanager
def _foreign(endpoint: Endpoint, folder: Path) -> Iterator[Endpoint]:
    """The same name, of a CA that the server does not know."""
    authority = make_authority("another CA")
    issued = issue(authority.certificate, authority.private_key, endpoint.identity)
    files = _files(issued.certificate, issued.private_key, folder)
    yield replace(endpoint, certificate=files[0], key=files[1])


@contextmanager
def _unknown(endpoint: Endpoint, folder: Path) -> Iterator[Endpoint]:
    certs = Path(endpoint.ca).parent
    issued = issue((certs / "ca.pem").read_bytes(), (certs / "ca.key").read_bytes(), "nobody")
    files = _files(issued.certificate, issued.private_key, folder)
    yield replace(endpoint, certificate=files[0], key=files[1])


@contextmanager
def _revoked(endpoint: Endpoint, _: Path) -> Iterator[Endpoint]:
    server = _server(endpoint)
    server.admin("client", "revoke", endpoint.identity)
    try:
        yield endpoint
    finally:
        server.admin("client", "restore", endpoint.identity)


@contextmanager
def _other_name(endpoint: Endpoint, folder: Path) -> Iterator[Endpoint]:
    """The same server under a certificate that names another host."""
    server = _server(endpoint)
    certs = server.folder / "certs"
    issued = issue(
        (certs / "ca.pem").read_bytes(), (certs / "ca.key").read_bytes(), "other", server_names=("other.example",)
    )
    for name in ("server.pem", "server.key"):
        shutil.copy2(certs / name, folder / name)
    server.stop()
    (certs / "server.pem").write_bytes(issued.certificate)
    (certs / "server.key").write_bytes(issued.private_key)
    try:
        server.start()
        yield endpoint
    finally:
        server.stop()
        for name in ("server.pem", "server.key"):
            shutil.copy2(folder / name, certs / name)
        server.start()


@contextmanager
def _tls_1_1(endpoint: Endpoint, _: Path) -> Iterator[Endpoint]:
    """Somebody who speaks TLS 1.1 and nothing later, in the server's place."""
    certs = Path(endpoint.ca).parent
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.load_cert_chain(certs / "server.pem", certs / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    plain, _ = listening.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(plain, server_side=True).close()
                except OSError:
                    plain.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield replace(endpoint, port=listening.getsockname()[1])
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@contextmanager
def _absent(endpoint: Endpoint, _: Path) -> Iterator[Endpoint]:
    server = _server(endpoint)
    server.stop()
    try:
        yield endpoint
    finally:
        server.start()


@contextmanager
def _restarting(endpoint: Endpoint, _: Path) -> Iterator[Endpoint]:
    """Away when the client begins, and back a second later."""
    server = _server(endpoint)
    server.stop()
    back = threading.Timer(1.0, server.start)
    back.start()
    try:
        yield endpoint
    finally:
        back.join()


@contextmanager
def _without_hsm(endpoint: Endpoint, folder: Path) -> Iterator[Endpoint]:
    """The token's files are taken away, and put back."""
    server = _server(endpoint)
    token = server.folder / "softhsm"
    if not token.is_dir():
        yield endpoint
        return
    shutil.move(token, folder / "softhsm")
    try:
        _until(server, "false")
        yield endpoint
    finally:
        shutil.move(folder / "softhsm", token)
        _until(server, "true")


def _until(server: RunningServer, available: str) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while f'"hsm_available": {available}' not in server.admin("status", "--json").stdout:
        if time.monotonic() > end:
            raise RuntimeError(f"the HSM did not become {'available' if available == 'true' else 'unavailable'}")
        time.sleep(0.2)


def _server(endpoint: Endpoint) -> RunningServer:
    assert endpoint.server is not None
    return endpoint.server


NOTHING = "nothing"
TROUBLES: dict[str, Trouble] = {
    NOTHING: _nothing,
    "the client trusts another CA": _wrong_ca,
    "the client's certificate has expired": _dated(-30 * _DAY, -_DAY),
    "the client's certificate is not valid yet": _dated(_DAY, 30 * _DAY),
    "the client's certificate is of another CA": _foreign,
    "the client's certificate names nobody": _unknown,
    "the client was revoked": _revoked,
    "the server's certificate names another host": _other_name,
    "the server speaks TLS 1.1 only": _tls_1_1,
    "the server is not there": _absent,
    "the server starts again meanwhile": _restarting,
    "the HSM is away": _without_hsm,
}
