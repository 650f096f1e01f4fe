"""`kmip-server init`: a new instance, whole or not at all.

Strategy: everything is made in a folder beside the one that is asked for, which gets its name only when all
of it is there. What dies half-way leaves nothing that looks like an instance.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmip_server.authz import roles
from kmip_server.authz.records import CertificateRecord, PrincipalRecord
from kmip_server.clock import SystemClock
from kmip_server.config import write
from kmip_server.config.load import load
from kmip_server.config.settings import Settings
from kmip_server.errors import KmipError, SettingsError
from kmip_server.keystore import factory, guard, softhsm
from kmip_server.keystore.holder import Holder
from kmip_server.pki.authority import Issued, issue, make_authority
from kmip_server.pki.files import put_in_place, write_file
from kmip_server.store import database, migrate, principals

SETTINGS = "kmip-server.toml"
DOMAIN = "default"
_FIRST = (("client", "Appliance"), ("client2", "Appliance"), ("admin", "Administrator"))
"""The principals of a new instance, and their roles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInstance:
    """What `init` is asked for."""

    folder: Path
    overrides: tuple[str, ...] = ()
    keystore: str = "pkcs11"
    module: str = ""
    """Of another token than SoftHSM's own; with its label and PIN file."""
    token_label: str = ""
    pin_file: str = ""
    join: Path | None = None


def create_instance(wanted: NewInstance) -> Path:
    """Make the instance; returns its settings file. Raises SettingsError, and leaves nothing then."""
    folder = wanted.folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"{folder} is not empty; an existing instance is never touched")
    building = folder.parent / f".{folder.name}.new-{os.getpid()}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(mode=0o700)
        if wanted.join is not None:
            _join(building, wanted, load(wanted.join))
        else:
            _create(building, wanted)
        load(building / SETTINGS)
        put_in_place(building, folder)
    except (KmipError, SettingsError, OSError) as error:
        shutil.rmtree(building, ignore_errors=True)
        message = f"{folder} cannot be made: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise SettingsError(message.replace(str(building), str(folder))) from error
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return folder / SETTINGS


def _create(folder: Path, wanted: NewInstance) -> None:
    values, holder = _keystore(folder, wanted)
    _write_settings(folder, wanted.overrides, values)
    settings = load(folder / SETTINGS)
    holder.create()
    holder.open()
    authority = make_authority(f"KMIP development CA {secrets.token_hex(4)}")
    certs = folder / "certs"
    certs.mkdir(mode=0o700)
    write_file(certs / "ca.pem", authority.certificate, 0o644)
    write_file(certs / "ca.key", authority.private_key)
    _write_certificate(certs / "server", _server_certificate(authority.certificate, authority.private_key))
    clients = {name: issue(authority.certificate, authority.private_key, name) for name, _ in _FIRST}
    for name, issued in clients.items():
        _write_certificate(certs / name, issued)
    _database(settings, holder, clients)
    holder.close()


def _keystore(folder: Path, wanted: NewInstance) -> tuple[dict[str, Any], Holder]:
    """The keystore's settings, and its holder with nothing in it yet."""
    if wanted.keystore == "software":
        write_file(folder / "keystore.passphrase", secrets.token_urlsafe(32).encode())
        return {"keystore.kind": "software"}, factory.software_holder(folder)
    if wanted.module:
        if not (wanted.token_label and wanted.pin_file):
            raise SettingsError("--pkcs11-module needs --token-label and --pin-file")
        pin_file = str(Path(wanted.pin_file).absolute())
        row = {"module": wanted.module, "label": wanted.token_label, "pin_file": pin_file}
        holder = factory.token_holder(wanted.module, wanted.token_label, Path(pin_file), folder)
        return {"keystore.token": [row]}, holder
    library = softhsm.find_library()
    if library is None:
        raise SettingsError(
            "SoftHSM 2 is not installed; run: apt-get install softhsm2, or name a token with --pkcs11-module, "
            "or do without an HSM with --keystore software"
        )
    from kmip_server.keystore.pkcs11 import TokenHolder

    pin, so_pin = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    write_file(folder / "hsm.pin", pin.encode())
    write_file(folder / "hsm.so-pin", so_pin.encode())
    token = TokenHolder(str(library), "kmip-server", folder / "hsm.pin", folder / softhsm.FOLDER)
    token.initialise_softhsm(pin, so_pin)
    return {"keystore.token": [{"module": str(library), "label": "kmip-server", "pin_file": "hsm.pin"}]}, token


def _write_settings(folder: Path, overrides: Sequence[str], values: dict[str, Any]) -> None:
    """The sample file with this instance's values, and what --set says written into it."""
    values = {"identity.rule": [{"source": "subject.CN", "principal": "{value}"}], **values}
    path = folder / SETTINGS
    write_file(path, write.sample(values).encode())
    if overrides:
        settings = load(path, overrides)
        for override in overrides:
            name = override.partition("=")[0].strip()
            section, _, key = name.rpartition(".")
            values[name] = getattr(getattr(settings, section), key)
        write_file(path, write.sample(values).encode())


def _server_certificate(authority: bytes, key: bytes) -> Issued:
    host = socket.gethostname() or "localhost"
    names = tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", host)))
    return issue(authority, key, "localhost", server_names=names)


def _write_certificate(prefix: Path, issued: Issued) -> None:
    write_file(prefix.with_name(prefix.name + ".key"), issued.private_key)
    write_file(prefix.with_name(prefix.name + ".pem"), issued.certificate, 0o644)


def _database(settings: Settings, holder: Holder, clients: dict[str, Issued]) -> None:
    """The database with its tables, the first sealing key, the built-in roles and the first principals."""
    path = database.path_of(settings.store.url, settings.folder)
    if path.exists():
        raise SettingsError(f"the database {path} exists already; join it with --join, or name another")
    database.connect(path, create=True).close()
    migrate.upgrade(path)
    now = SystemClock().now()
    connection = database.connect(path)
    with database.translated():
        connection.execute("BEGIN IMMEDIATE")
        principals.add_sealing_key(connection, guard.new_sealing_key(holder, 1, now))
        for role in roles.BUILT_IN:
            principals.add_role(connection, role)
        for name, role_name in _FIRST:
            principals.add_principal(
                connection,
                PrincipalRecord(name=name, domain=DOMAIN, enabled=True, roles=(role_name,), created=now),
            )
            principals.add_certificate(connection, _record(name, clients[name], now))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _record(name: str, issued: Issued, now: int) -> CertificateRecord:
    return CertificateRecord(
        fingerprint=issued.fingerprint,
        principal=name,
        serial_number=issued.serial_number,
        not_after=issued.not_after,
        pinned=False,
        revoked=False,
        created=now,
    )


def _join(folder: Path, wanted: NewInstance, other: Settings) -> None:
    """Another node on the same store and keystore: settings with absolute paths, and a certificate of its own."""
    store = database.path_of(other.store.url, other.folder).absolute()
    values: dict[str, Any] = {
        "store.url": f"sqlite:///{store}",
        "tls.client_ca": [str(other.path(each).absolute()) for each in other.tls.client_ca],
        "keystore.kind": other.keystore.kind,
        "keystore.grace_seconds": other.keystore.grace_seconds,
        "keystore.folder": str(other.path(other.keystore.folder or ".").absolute()),
        "keystore.token": [
            {"module": t.module, "label": t.label, "pin_file": str(other.path(t.pin_file).absolute())}
            for t in other.keystore.token
        ],
        "identity.rule": [{"source": r.source, "principal": r.principal} for r in other.identity.rule],
        "names.unique": other.names.unique,
        "server.node": folder.name.partition(".new-")[0].lstrip("."),
    }
    _write_settings(folder, wanted.overrides, values)
    certs = folder / "certs"
    certs.mkdir(mode=0o700)
    theirs = other.folder / "certs"
    try:
        authority, key = (theirs / "ca.pem").read_bytes(), (theirs / "ca.key").read_bytes()
    except OSError as error:
        raise SettingsError(f"the CA of the instance to join is not in {theirs}: {error.strerror}") from error
    write_file(certs / "ca.pem", authority, 0o644)
    _write_certificate(certs / "server", _server_certificate(authority, key))
