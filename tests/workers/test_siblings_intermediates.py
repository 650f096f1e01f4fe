"""A session made at one worker is resumed at another, whose memory of intermediates comes from a shared file."""

from __future__ import annotations

import copy
import logging
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL, crypto

from kmip_server.transport import intermediates
from kmip_server.transport.intermediates import FILE, Intermediates
from kmip_server.transport.tls import CertificateRefused, ServerTLS
from tests.support.certificates import Made, client_context, make

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
ROOT = make("test root", ca=True)
ISSUING = make("test issuing", by=ROOT, ca=True)
LEAF = make("client", by=ISSUING)
MANY = [make(f"ca {number}", ca=True) for number in range(60)]


def x509(made: Made) -> crypto.X509:
    return crypto.X509.from_cryptography(made.certificate)


def names(known: Intermediates) -> list[str]:
    return [name_of(each) for each in known]


def name_of(certificate: crypto.X509) -> str:
    return certificate.to_cryptography().subject.rfc4514_string().removeprefix("CN=")


class Workers:
    """Two that have forked: one context, and each a memory of its own."""

    def __init__(self, folder: Path, *, shared: bool = True) -> None:
        server = make("localhost")
        for name, data in (("server.pem", server.pem), ("server.key", server.key_pem), ("root.pem", ROOT.pem)):
            (folder / name).write_bytes(data)
            (folder / name).chmod(0o600)
        self.file = folder / FILE
        path = self.file if shared else None
        self.first = ServerTLS(
            profile="compatible",
            certificate=folder / "server.pem",
            private_key=folder / "server.key",
            client_ca=[folder / "root.pem"],
            is_pinned=lambda fingerprint: False,
            intermediates=Intermediates(path),
        )
        self.second = copy.copy(self.first)
        self.second._intermediates = Intermediates(path)


def handshake(
    tls: ServerTLS, client: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[Any, ssl.SSLObject]:
    """Both ends, in memory. The client's has read what the server sent last: a ticket."""
    server = tls.connection()
    server.set_accept_state()
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    end = client.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
    done = {"client": False, "server": False}
    for _ in range(10):
        if not done["client"]:
            try:
                end.do_handshake()
                done["client"] = True
            except ssl.SSLWantReadError:
                pass
        if sent := to_server.read():
            server.bio_write(sent)
        if not done["server"]:
            try:
                server.do_handshake()
                done["server"] = True
            except SSL.WantReadError:
                pass
        while True:
            try:
                to_client.write(server.bio_read(1 << 16))
            except SSL.WantReadError:
                break
    assert all(done.values())
    with pytest.raises(ssl.SSLWantReadError):
        end.read(1)
    return server, end


@pytest.fixture
def client(tmp_path: Path) -> ssl.SSLContext:
    made = client_context(tmp_path, str(_any_ca(tmp_path)), LEAF, ISSUING)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def _any_ca(folder: Path) -> Path:
    (folder / "any.pem").write_bytes(ROOT.pem)
    return folder / "any.pem"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_of_one_worker_is_resumed_at_another(
    tmp_path: Path, client: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    workers = Workers(tmp_path)
    client.minimum_version = client.maximum_version = version
    server, end = handshake(workers.first, client)
    assert name_of(workers.first.certificate_of(server)) == "client"
    server, again = handshake(workers.second, client, end.session)
    assert again.session_reused
    assert name_of(workers.second.certificate_of(server)) == "client"
    assert stat.S_IMODE(workers.file.stat().st_mode) == 0o600


def test_without_the_file_it_would_be_refused(tmp_path: Path, client: ssl.SSLContext) -> None:
    workers = Workers(tmp_path, shared=False)
    server, end = handshake(workers.first, client)
    workers.first.certificate_of(server)
    server, again = handshake(workers.second, client, end.session)
    assert again.session_reused
    with pytest.raises(CertificateRefused):
        workers.second.certificate_of(server)
    assert not workers.file.exists()


def test_a_file_that_fails_leaves_each_worker_with_its_own(
    tmp_path: Path, client: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    workers = Workers(tmp_path)
    # Not followed: a link could lead anywhere.
    workers.file.symlink_to(tmp_path / "elsewhere")
    with caplog.at_level(logging.WARNING):
        server, end = handshake(workers.first, client)
        workers.first.certificate_of(server)
    assert "do not learn" in caplog.text
    assert not (tmp_path / "elsewhere").exists()
    server, again = handshake(workers.first, client, end.session)
    assert again.session_reused
    workers.first.certificate_of(server)


def test_what_somebody_else_writes_there_lets_nobody_in(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    root = make("test root", ca=True)
    issuing = make("test issuing", by=root, ca=True)
    expired = make("expired issuing", by=ROOT, ca=True, expired=True)
    workers.file.write_bytes(root.pem + issuing.pem + expired.pem)
    for stranger in (
        make("client", by=issuing),
        make("client", by=root),
        make("client", by=expired),
        issuing,
        root,
    ):
        with pytest.raises(CertificateRefused):
            workers.second._verify(x509(stranger), ())
    assert len(names(workers.second._intermediates)) == 3


def test_strangers_beside_the_right_one_do_no_harm(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    workers.file.write_bytes(b"".join(made.pem for made in MANY))
    workers.first._intermediates.remember([x509(ISSUING)])
    workers.second._verify(x509(LEAF), ())


def test_what_is_torn_or_no_certificate_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / FILE
    one, two, three = (make(name, ca=True).pem for name in ("one", "two", "three"))
    nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    file.write_bytes(one[:100] + two + b"words\n\xff\xfe" + nonsense + one.replace(b"M", b"!") + three + one[:-30])
    known = Intermediates(file)
    assert known.learn()
    assert names(known) == ["two", "three"]
    assert not known.learn()
    with file.open("ab") as more:
        more.write(one[-30:])
    assert known.learn()
    assert names(known) == ["two", "three", "one"]


def test_only_what_is_new_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader = Intermediates(tmp_path / FILE), Intermediates(tmp_path / FILE)
    assert not reader.learn()
    read: list[int] = []
    plain = intermediates.os.pread

    def counting(descriptor: int, size: int, begin: int) -> bytes:
        data = plain(descriptor, size, begin)
        read.append(len(data))
        return data

    monkeypatch.setattr(intermediates.os, "pread", counting)
    certificates = [make(f"ca {number}", ca=True) for number in range(3)]
    for made in certificates:
        writer.remember([x509(made)])
        assert reader.learn()
    assert not reader.learn()
    assert sum(read) == (tmp_path / FILE).stat().st_size
    assert names(reader) == ["ca 0", "ca 1", "ca 2"]
    # What is known is written once.
    writer.remember([x509(certificates[0])])
    assert not reader.learn()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """A file that holds twenty certificates before it is written anew."""
    monkeypatch.setattr(intermediates, "MAX_BYTES", 20 * len(MANY[0].pem))
    return 20


def test_a_long_file_is_written_anew_with_the_latest(tmp_path: Path, small: int) -> None:
    file = tmp_path / FILE
    writer, reader = Intermediates(file), Intermediates(file)
    for made in MANY:
        writer.remember([x509(made)])
        assert file.stat().st_size <= intermediates.MAX_BYTES
        reader.learn()
        assert names(reader)[-1] == name_of(x509(made))
    late = Intermediates(file)
    assert late.learn()
    assert small // 2 - 1 <= len(names(late)) <= small
    assert names(late) == names(writer)[-len(names(late)) :]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == [FILE]


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intermediates, "MAX_COUNT", 5)
    writer, reader = Intermediates(tmp_path / FILE), Intermediates(tmp_path / FILE)
    writer.remember([x509(made) for made in MANY])
    assert reader.learn()
    assert names(reader) == names(writer) == [f"ca {number}" for number in range(55, 60)]


def test_nothing_is_lost_while_another_writes_the_file_anew(
    tmp_path: Path, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / FILE
    rewriter, other = Intermediates(file), Intermediates(file)
    first, second, last = (make(name, ca=True) for name in ("first", "second", "last"))
    filling = iter(MANY)
    while not file.exists() or file.stat().st_size + len(last.pem) <= intermediates.MAX_BYTES:
        rewriter.remember([x509(next(filling))])
    plain_latest, plain_write = rewriter._latest, intermediates.os.write

    def latest() -> list[bytes]:
        """Another adds to the old file after it was read for the new one."""
        taken = plain_latest()
        other.remember([x509(first)])
        return taken

    monkeypatch.setattr(rewriter, "_latest", latest)
    steps = iter(["write anew"])

    def write(descriptor: int, data: bytes) -> int:
        """Another has the old file open when the new one takes its place."""
        if data.endswith(second.pem) and next(steps, None):
            rewriter.remember([x509(last)])
        return plain_write(descriptor, data)

    monkeypatch.setattr(intermediates.os, "write", write)
    other.remember([x509(second)])
    fresh = Intermediates(file)
    fresh.learn()
    assert names(fresh)[-3:] == ["last", "first", "second"]
    assert len(names(fresh)) < small


def test_beyond_its_bound_nothing_is_added_where_nobody_can_write_it_anew(
    tmp_path: Path, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / FILE
    stuck = file.open("wb")
    intermediates.fcntl.flock(stuck, intermediates.fcntl.LOCK_EX)
    writer = Intermediates(file)
    writer.remember([x509(made) for made in MANY])
    assert 2 * intermediates.MAX_BYTES < file.stat().st_size < 2 * intermediates.MAX_BYTES + 2 * len(MANY[0].pem)
    stuck.close()
