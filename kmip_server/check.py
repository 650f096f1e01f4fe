"""`kmip-server check`: what is wrong with an instance, and how to mend it.

Strategy: each check is a function in one list; each looks at one thing and says a sentence. All of them run,
so that one fault does not hide the next. Nothing is changed.
"""

from __future__ import annotations

import datetime
import enum
import json
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from kmip_server.config.load import load
from kmip_server.config.settings import Settings
from kmip_server.errors import KmipError, SettingsError
from kmip_server.pki.files import read_private_key, require_private_authority
from kmip_server.work.worker import Worker

_LEAST_FREE, _LITTLE_FREE = 64 << 20, 1 << 30
"""Bytes. SQLite needs room for its log before it can take a record."""
_SOON = datetime.timedelta(days=30)


class Severity(enum.Enum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    subject: str
    severity: Severity
    message: str


def _ok(subject: str, message: str) -> Finding:
    return Finding(subject=subject, severity=Severity.OK, message=message)


def _warning(subject: str, message: str) -> Finding:
    return Finding(subject=subject, severity=Severity.WARNING, message=message)


def _error(subject: str, message: str) -> Finding:
    return Finding(subject=subject, severity=Severity.ERROR, message=message)


def examine(config: Path, overrides: Sequence[str] = ()) -> list[Finding]:
    """Everything that can be said. Settings that cannot be read end it."""
    try:
        settings = load(config, overrides)
    except SettingsError as error:
        return [_error("settings", line) for line in str(error).splitlines()]
    findings = [_ok("settings", f"{config} is understood")]
    for check in _CHECKS:
        try:
            findings += check(settings)
        except (SettingsError, KmipError) as error:
            findings.append(_error(check.__name__.strip("_"), str(error)))
    return findings


def _files(settings: Settings) -> Iterator[Finding]:
    mode = settings.folder.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield _warning("files", f"{settings.folder} is open to others; run: chmod 700 {settings.folder}")
    else:
        yield _ok("files", f"{settings.folder} is private")


def _authority(settings: Settings) -> Iterator[Finding]:
    """Whoever reads the CA's key can be any client."""
    require_private_authority(settings.folder)
    yield _ok("files", "no CA's key is open to others")


def _space(settings: Settings) -> Iterator[Finding]:
    from kmip_server.store import database

    folder = database.path_of(settings.store.url, settings.folder).parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise SettingsError(f"{folder} cannot be looked at: {error.strerror}") from error
    told = f"{free >> 20} MiB are free where {folder} is"
    if free < _LEAST_FREE:
        yield _error("disk", f"{told}; without room nothing is acknowledged: free some")
    elif free < _LITTLE_FREE:
        yield _warning("disk", f"{told}; free some before it is full")
    else:
        yield _ok("disk", told)


def _certificates(settings: Settings) -> Iterator[Finding]:
    path, key_path = settings.path(settings.tls.certificate), settings.path(settings.tls.private_key)
    key = read_private_key(key_path)
    certificate = _read("certificate", path)[0]
    if key.public_key() != certificate.public_key():
        yield _error(
            "certificates", f"the private key {key_path} is not that of {path}; put the right pair in place"
        )
    yield from _validity("certificates", path, certificate)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        yield _ok("certificates", f"{path} is for {', '.join(str(name.value) for name in names)}")
    except x509.ExtensionNotFound:
        yield _error("certificates", f"{path} names no host: clients that look will refuse it; issue it with a SAN")
    if settings.kmip.tls_profile == "legacy" and isinstance(key, ec.EllipticCurvePrivateKey):
        yield _warning(
            "certificates",
            f"kmip.tls_profile is legacy, but {path} has an EC key: clients that know only RSA suites "
            "cannot connect; use an RSA certificate",
        )
    for authority in settings.tls.client_ca:
        for each in _read("client CA", settings.path(authority)):
            yield from _validity("client CA", settings.path(authority), each)


def _read(what: str, path: Path) -> list[x509.Certificate]:
    """Every certificate in a PEM file; at least one. Raises SettingsError."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"the {what} {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"the {what} {path} cannot be read: it is no certificate in PEM form") from error


def _validity(subject: str, path: Path, certificate: x509.Certificate) -> Iterator[Finding]:
    now = datetime.datetime.now(datetime.UTC)
    ends = certificate.not_valid_after_utc
    if ends < now:
        yield _error(subject, f"{path} expired on {ends:%Y-%m-%d}; issue another and send SIGHUP")
    elif ends < now + _SOON:
        yield _warning(subject, f"{path} expires on {ends:%Y-%m-%d}")
    elif certificate.not_valid_before_utc > now:
        yield _error(
            subject, f"{path} is valid only from {certificate.not_valid_before_utc:%Y-%m-%d}: is the clock right?"
        )
    else:
        yield _ok(subject, f"{path} is valid until {ends:%Y-%m-%d}")


def _database(settings: Settings) -> Iterator[Finding]:
    from kmip_server.store import audit, database, migrate

    path = database.path_of(settings.store.url, settings.folder)
    connection = database.connect(path)
    try:
        migrate.require_known(connection)
        with database.translated():
            result = connection.execute("PRAGMA quick_check").fetchone()[0]
        if result != "ok":
            yield _error("database", f"{path} is damaged ({result}); restore a backup")
        else:
            yield _ok("database", f"{path} has the schema {migrate.version(connection)} and is whole")
        behind = audit.latest_time(connection) / 1e6 - time.time()
        if behind > 1:
            yield _error("clock", f"the clock is {behind:.0f} s behind the newest record; set it right")
        else:
            yield _ok("clock", "the clock is not behind the record")
    finally:
        connection.close()


def _hsm(settings: Settings) -> Iterator[Finding]:
    from kmip_server.app import holder_of
    from kmip_server.store import database, migrate, principals

    holder = holder_of(settings)
    holder.open()
    connection = database.connect(database.path_of(settings.store.url, settings.folder))
    try:
        migrate.require_known(connection)
        records = principals.sealing_keys(connection)
        for record in records:
            holder.decrypt(record.scheme, record.encrypted)
        yield _ok("hsm", f"the {holder.description} opens {len(records)} sealing key(s)")
    finally:
        connection.close()
        holder.close()
    if settings.keystore.kind == "software":
        yield _warning("hsm", "the keystore is a file, not an HSM")


def _descriptors(settings: Settings) -> Iterator[Finding]:
    from kmip_server.transport.limits import descriptors_for_connections, too_few_descriptors

    wanted = settings.limits.max_connections
    of_one = Worker(0, settings.server.workers).part(wanted)
    if descriptors_for_connections() < of_one:
        yield _warning("files", f"limits.max_connections = {wanted} is too many: {too_few_descriptors(of_one)}")


def _dependencies(settings: Settings) -> Iterator[Finding]:
    store = settings.path(settings.store.url.removeprefix("sqlite:///"))
    yield _ok("dependencies", f"serving needs {store.parent} and the HSM, no other machine")


_CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _files,
    _authority,
    _space,
    _certificates,
    _database,
    _hsm,
    _descriptors,
    _dependencies,
)


def print_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """For people a line each; for scripts a JSON list."""
    if as_json:
        rows = [{"subject": f.subject, "severity": f.severity.value, "message": f.message} for f in findings]
        click.echo(json.dumps(rows, indent=2))
        return
    for finding in findings:
        click.echo(f"{finding.severity.value:7} {finding.subject}: {finding.message}")
