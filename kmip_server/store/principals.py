"""Principals, roles, certificates and credentials in the database.

Strategy: all of it is read at once into one frozen snapshot, again only when the policy revision has moved; every
change raises that and the epoch in its own transaction, and comes with its audit record.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from kmip_server.authz.records import (
    CertificateRecord,
    CredentialRecord,
    Identities,
    PrincipalRecord,
)
from kmip_server.authz.roles import Role, from_data, to_data
from kmip_server.errors import SettingsError
from kmip_server.keystore.sealing import SealingKeyRecord
from kmip_server.store import tables
from kmip_server.store.database import Statement, translated

_p, _cert, _cred, _role = (
    tables.principals.c,
    tables.certificates.c,
    tables.credentials.c,
    tables.roles.c,
)
_REVISION = Statement(select(tables.meta.c.value).where(tables.meta.c.name == "policy_revision"))
_RAISE = Statement(
    update(tables.meta)
    .where(tables.meta.c.name.in_(["policy_revision", "epoch"]))
    .values(value=tables.meta.c.value + 1)
)
_PRINCIPALS = Statement(
    select(_p.name, _p.domain, _p.enabled, _p.created, _p.speaks_for, _p.owner_group).order_by(_p.name)
)
_ROLES_OF = Statement(
    select(tables.principal_roles.c.principal, tables.principal_roles.c.role).order_by(
        tables.principal_roles.c.principal, tables.principal_roles.c.role
    )
)
_GROUPS_OF = Statement(
    select(tables.principal_groups.c.principal, tables.principal_groups.c.group_name).order_by(
        tables.principal_groups.c.principal, tables.principal_groups.c.group_name
    )
)
_QUIRKS_OF = Statement(
    select(tables.principal_quirks.c.principal, tables.principal_quirks.c.quirk).order_by(
        tables.principal_quirks.c.principal, tables.principal_quirks.c.quirk
    )
)
_ROLES = Statement(select(_role.definition))
_CERTIFICATES = Statement(
    select(
        _cert.fingerprint,
        _cert.principal,
        _cert.serial_number,
        _cert.not_after,
        _cert.pinned,
        _cert.revoked,
        _cert.created,
    )
)
_CREDENTIALS = Statement(select(_cred.username, _cred.principal, _cred.password_hash))
_SEALING_KEYS = Statement(
    select(
        tables.sealing_keys.c.version,
        tables.sealing_keys.c.scheme,
        tables.sealing_keys.c.encrypted,
        tables.sealing_keys.c.created,
    ).order_by(tables.sealing_keys.c.version)
)
_ADD_PRINCIPAL = Statement(insert(tables.principals))
_ADD_ROLE_OF = Statement(insert(tables.principal_roles))
_ADD_GROUP_OF = Statement(insert(tables.principal_groups))
_ADD_QUIRK_OF = Statement(insert(tables.principal_quirks))
_DROP_QUIRK_OF = Statement(
    delete(tables.principal_quirks).where(
        tables.principal_quirks.c.principal == bindparam("of_principal"),
        tables.principal_quirks.c.quirk == bindparam("named"),
    )
)
_ADD_ROLE = Statement(insert(tables.roles))
_ADD_CERTIFICATE = Statement(insert(tables.certificates))
_ADD_CREDENTIAL = Statement(insert(tables.credentials))
_ADD_SEALING_KEY = Statement(insert(tables.sealing_keys))
_DROP_CREDENTIAL = Statement(delete(tables.credentials).where(_cred.username == bindparam("username")))
_ENABLE = Statement(
    update(tables.principals).where(_p.name == bindparam("principal")).values(enabled=bindparam("new_enabled"))
)
_REVOKE = Statement(
    update(tables.certificates)
    .where(_cert.principal == bindparam("of_principal"))
    .values(revoked=bindparam("new_revoked"))
)


def policy_revision(connection: sqlite3.Connection) -> int:
    """Raised by every change of a principal, role, certificate or credential."""
    with translated():
        return int(connection.execute(_REVISION.text, _REVISION.bind({})).fetchone()[0])


def load_identities(connection: sqlite3.Connection) -> Identities:
    """Everything, as of one moment. The caller holds a transaction, or does not mind."""
    with translated():
        roles_of, groups_of = _pairs(connection, _ROLES_OF), _pairs(connection, _GROUPS_OF)
        quirks_of = _pairs(connection, _QUIRKS_OF) if _has_quirks(connection) else {}
        principals = {
            name: PrincipalRecord(
                name=name,
                domain=domain,
                enabled=bool(enabled),
                roles=tuple(roles_of.get(name, ())),
                groups=tuple(groups_of.get(name, ())),
                speaks_for=tuple(json.loads(speaks_for)),
                owner_group=owner_group,
                quirks=tuple(quirks_of.get(name, ())),
                created=created,
            )
            for name, domain, enabled, created, speaks_for, owner_group in _PRINCIPALS.run(connection)
        }
        certificates = {row[0]: _certificate(row) for row in _CERTIFICATES.run(connection)}
        credentials = {
            username: CredentialRecord(username=username, principal=principal, password_hash=password_hash)
            for username, principal, password_hash in _CREDENTIALS.run(connection)
        }
        roles = [from_data(json.loads(row[0])) for row in _ROLES.run(connection)]
        return Identities(
            policy_revision=policy_revision(connection),
            principals=principals,
            certificates=certificates,
            credentials=credentials,
            roles={role.name: role for role in roles},
        )


def _has_quirks(connection: sqlite3.Connection) -> bool:
    """Whether the schema has them: an instance that is stopped may be of an older one."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (tables.principal_quirks.name,))
    return found.fetchone() is not None


def _pairs(connection: sqlite3.Connection, statement: Statement) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in statement.run(connection):
        found.setdefault(name, []).append(value)
    return found


def _certificate(row: tuple[Any, ...]) -> CertificateRecord:
    return CertificateRecord(
        fingerprint=row[0],
        principal=row[1],
        serial_number=row[2],
        not_after=row[3],
        pinned=bool(row[4]),
        revoked=bool(row[5]),
        created=row[6],
    )


def sealing_keys(connection: sqlite3.Connection) -> list[SealingKeyRecord]:
    """Every sealing key, oldest first."""
    with translated():
        return [
            SealingKeyRecord(version=row[0], scheme=row[1], encrypted=row[2], created=row[3])
            for row in _SEALING_KEYS.run(connection)
        ]


# --- changes: the caller holds the transaction ---------------------------------------------------


def raise_policy_revision(connection: sqlite3.Connection) -> None:
    _RAISE.run(connection)


def add_role(connection: sqlite3.Connection, role: Role) -> None:
    definition = json.dumps(to_data(role), separators=(",", ":"))
    _ADD_ROLE.run(connection, name=role.name, version=1, definition=definition)


def add_principal(connection: sqlite3.Connection, record: PrincipalRecord) -> None:
    """Raises SettingsError where the name is taken or a role is unknown."""
    try:
        _ADD_PRINCIPAL.run(
            connection,
            name=record.name,
            domain=record.domain,
            enabled=record.enabled,
            created=record.created,
            speaks_for=json.dumps(record.speaks_for),
            owner_group=record.owner_group,
        )
        for role in record.roles:
            _ADD_ROLE_OF.run(connection, principal=record.name, role=role)
        for group in record.groups:
            _ADD_GROUP_OF.run(connection, principal=record.name, group_name=group)
    except sqlite3.IntegrityError as error:
        raise SettingsError(
            f"the principal {record.name!r} exists already, or one of its roles does not"
        ) from error


def add_certificate(connection: sqlite3.Connection, record: CertificateRecord) -> None:
    """Raises SettingsError where the certificate is known already."""
    try:
        _ADD_CERTIFICATE.run(
            connection,
            fingerprint=record.fingerprint,
            principal=record.principal,
            serial_number=record.serial_number,
            not_after=record.not_after,
            pinned=record.pinned,
            revoked=record.revoked,
            created=record.created,
        )
    except sqlite3.IntegrityError as error:
        raise SettingsError(
            "this certificate belongs to a principal already, or its principal is unknown"
        ) from error


def set_credential(connection: sqlite3.Connection, record: CredentialRecord) -> None:
    """Keep a username and its Argon2id hash; one that is there is replaced."""
    _DROP_CREDENTIAL.run(connection, username=record.username)
    _ADD_CREDENTIAL.run(
        connection,
        username=record.username,
        principal=record.principal,
        password_hash=record.password_hash,
    )


def set_quirk(connection: sqlite3.Connection, principal: str, quirk: str, *, is_on: bool) -> None:
    """Switch a quirk on or off for a principal."""
    _DROP_QUIRK_OF.run(connection, of_principal=principal, named=quirk)
    if is_on:
        _ADD_QUIRK_OF.run(connection, principal=principal, quirk=quirk)


def revoke(connection: sqlite3.Connection, principal: str) -> bool:
    """Disable a principal and revoke its certificates. False where there is none of this name."""
    _REVOKE.run(connection, of_principal=principal, new_revoked=True)
    return _ENABLE.run(connection, principal=principal, new_enabled=False).rowcount == 1


def restore(connection: sqlite3.Connection, principal: str) -> None:
    """Undo `revoke`: enable a principal, and let its certificates in again."""
    _REVOKE.run(connection, of_principal=principal, new_revoked=False)
    _ENABLE.run(connection, principal=principal, new_enabled=True)


def add_sealing_key(connection: sqlite3.Connection, record: SealingKeyRecord) -> None:
    _ADD_SEALING_KEY.run(
        connection,
        version=record.version,
        scheme=record.scheme,
        encrypted=record.encrypted,
        created=record.created,
    )
