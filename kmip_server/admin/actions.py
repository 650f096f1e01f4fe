"""Every administrative action, once.

Strategy: an action is a function of a principal and plain arguments that returns plain data. The local
socket, the remote interface and a command on a stopped instance all come here, so all are decided by the same
roles and leave the same record. Nothing here returns the value of a key.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError, validate_call

from kmip_server import __version__
from kmip_server.admin import clients
from kmip_server.admin.arguments import MAX_NAME, Name, OptionalName, require_right_clock, require_text
from kmip_server.admin.recording import Record, record
from kmip_server.admin.shown import shown
from kmip_server.authz.records import CertificateRecord, CredentialRecord, PrincipalRecord
from kmip_server.authz.rules import RoleAuthorizer
from kmip_server.clock import Clock
from kmip_server.config.settings import Settings
from kmip_server.engine import states
from kmip_server.engine.ports import AuditEntry, LocateQuery, StoredObject, UnitOfWork
from kmip_server.engine.quirks import QUIRKS
from kmip_server.errors import InvalidField, KmipError, ObjectNotFound, PermissionDenied, SettingsError
from kmip_server.identity.credentials import hasher
from kmip_server.pki.authority import AUTHORITY_DAYS, CERTIFICATE_DAYS, Issued, issue, read_certificate
from kmip_server.pki.files import require_private_authority
from kmip_server.principal import Principal
from kmip_server.protocol.tags import Tag
from kmip_server.store import principals
from kmip_server.store.apply import Writer
from kmip_server.store.objects import Reader

MAX_LISTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What actions work on: a running server's rooms, or those of a stopped instance's files."""

    settings: Settings
    clock: Clock
    open_connection: Callable[[], sqlite3.Connection]
    node: str
    live: Callable[[], dict[str, Any]] | None = None
    """What only a running server knows."""
    changed: Callable[[sqlite3.Connection], None] | None = None
    """Tell the running server that identities have changed."""
    record: Record | None = None
    """What every process of a running server says of a recording."""


class Actions:
    """One thread's administrator. Opens its connections when first used, in that thread."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._opened: tuple[sqlite3.Connection, Reader, Writer] | None = None

    def close(self) -> None:
        if self._opened is not None:
            connection, reader, writer = self._opened
            self._opened = None
            reader.close()
            writer.close()
            connection.close()

    def perform(self, principal: Principal, source: str, action: str, arguments: dict[str, Any]) -> Any:
        """Decide, act, record: one record, whatever comes of it.

        Raises PermissionDenied, InvalidField, SettingsError, StoreUnavailable.
        """
        identities = principals.load_identities(self._connection)
        self._principal, self._source, self._identities = principal, source, identities
        self._action, self._touched, self._recorded = action[:MAX_NAME], "", False
        decision = RoleAuthorizer(identities.roles).decide_named(principal, action, None)
        self._rule = decision.rule
        run = _ACTIONS.get(action)
        if not decision.allowed or run is None:
            self._record("refused")
            raise PermissionDenied(
                f"{principal.name or 'nobody'} may not {self._action}: {decision.reason[: 2 * MAX_NAME]}"
            )
        try:
            result = self._run(run, arguments)
        except Exception as error:
            self._record("failed", type(error).__name__)
            raise
        if not self._recorded:
            self._record("allowed")
        return result

    def refuse(self, source: str, action: str, error: KmipError) -> None:
        """Record that somebody came who is nobody here."""
        self._principal = Principal(name="", domain="", authentication="none")
        self._source, self._identities = source, principals.load_identities(self._connection)
        self._action, self._touched, self._rule = action[:MAX_NAME], "", str(getattr(error, "detail", ""))
        self._record("refused", type(error).__name__)

    def _run(self, run: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        require_text(arguments)
        require_right_clock(self._action, self._instance.clock)
        try:
            return run(self, **arguments)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))[:MAX_NAME]
            raise InvalidField(f"{self._action}: {where}: {first['msg'].removeprefix('Value error, ')}") from None

    # --- the rooms ----------------------------------------------------------------------------

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._open()[0]

    def _open(self) -> tuple[sqlite3.Connection, Reader, Writer]:
        if self._opened is None:
            instance = self._instance
            self._opened = (
                instance.open_connection(),
                Reader(instance.open_connection),
                Writer(instance.open_connection, instance.clock, f"{instance.node} admin"),
            )
        return self._opened

    def _entry(self, outcome: str, reason: str, revision: int, touched: str) -> AuditEntry:
        return AuditEntry(
            request_identifier=str(uuid.uuid4()),
            principal=self._principal.name,
            authentication=self._principal.authentication,
            source=self._source,
            operation=self._action,
            version="",
            object=touched,
            outcome=outcome,
            reason=reason,
            rule=self._rule,
            policy_revision=revision,
        )

    def _record(self, outcome: str, reason: str = "") -> None:
        entry = self._entry(outcome, reason, self._identities.policy_revision, self._touched)
        self._open()[2].apply([UnitOfWork(writes=(), audit=(entry,))])

    def _change(self, change: Callable[[sqlite3.Connection], None], touched: str) -> None:
        """A change of identities, its record and the new policy revision, in one transaction."""
        revision = self._identities.policy_revision + 1
        entry = self._entry("allowed", "", revision, touched)

        def changed(connection: sqlite3.Connection) -> None:
            change(connection)
            principals.raise_policy_revision(connection)

        self._open()[2].change(changed, entry)
        self._recorded = True
        if self._instance.changed is not None:
            self._instance.changed(self._connection)

    # --- actions ------------------------------------------------------------------------------

    @validate_call
    def status(self) -> dict[str, Any]:
        """How the server is."""
        count = self._connection.execute("SELECT count(*) FROM objects").fetchone()[0]
        records = self._connection.execute("SELECT coalesce(sum(length), 0) FROM audit_chains").fetchone()[0]
        live = self._instance.live() if self._instance.live is not None else {"running": False}
        return {
            "version": __version__,
            "node": self._instance.node,
            **live,
            "objects": count,
            "principals": len(self._identities.principals),
            "audit_records": records,
            "policy_revision": self._identities.policy_revision,
        }

    @validate_call
    def client_list(self) -> list[dict[str, Any]]:
        """Every principal of the domain, its roles and certificates."""
        mine = (each for each in self._identities.principals.values() if each.domain == self._principal.domain)
        return [clients.listed(record, self._identities) for record in mine]

    @validate_call
    def client_show(self, name: Name) -> dict[str, Any]:
        """One of them, with its quirks and what they change. Raises SettingsError."""
        record = self._client(name)
        return clients.whole(record, self._identities)

    @validate_call
    def client_quirk(self, name: Name, quirk: str, off: bool = False) -> dict[str, Any]:
        """Switch a departure from the standard on for a client, or off. Raises SettingsError."""
        record = self._client(name)
        if quirk not in QUIRKS:
            raise SettingsError(f"there is no quirk {quirk[:MAX_NAME]!r}; there are {', '.join(QUIRKS)}")
        self._change(lambda connection: principals.set_quirk(connection, name, quirk, is_on=not off), name)
        left = set(record.quirks) - {quirk} if off else {*record.quirks, quirk}
        return {"name": name, "quirks": sorted(left)}

    @validate_call
    def client_enroll(
        self,
        name: Name,
        role: Name,
        days: int = CERTIFICATE_DAYS,
        group: OptionalName = "",
        certificate: str | None = None,
    ) -> dict[str, Any]:
        """A new principal, with a certificate of the instance's own CA whose private key is kept nowhere.

        `certificate` (PEM) is one that the device has made itself: it is pinned, and none is issued. What a
        principal with a `group` makes belongs to the group. Raises SettingsError.
        """
        self._touched = name
        if not 1 <= days <= AUTHORITY_DAYS:
            raise SettingsError(f"days is 1 to {AUTHORITY_DAYS}: no certificate outlives the CA")
        taken = self._identities.principals.get(name)
        if taken is not None and taken.domain == self._principal.domain and not taken.enabled:
            raise SettingsError(f"{name!r} is revoked; to undo that: kmip-admin client restore {name}")
        if taken is not None:
            raise SettingsError(f"the name {name!r} exists already; give another")
        if role not in self._identities.roles:
            known = ", ".join(sorted(self._identities.roles))
            raise SettingsError(f"there is no role {role!r}; there are {known}")
        if certificate is None:
            made = self._issued(name, days)
            known_by, private_key = made.certificate, made.private_key.decode()
        else:
            known_by, private_key = certificate.encode(), ""
        facts = read_certificate(known_by)
        now = self._instance.clock.now()
        principal = PrincipalRecord(
            name=name,
            domain=self._principal.domain,
            enabled=True,
            roles=(role,),
            groups=(group,) if group else (),
            owner_group=group,
            created=now,
        )
        record = CertificateRecord(
            fingerprint=facts.fingerprint,
            principal=name,
            serial_number=facts.serial_number,
            not_after=facts.not_after,
            pinned=certificate is not None,
            revoked=False,
            created=now,
        )

        def enroll(connection: sqlite3.Connection) -> None:
            principals.add_principal(connection, principal)
            principals.add_certificate(connection, record)

        self._change(enroll, name)
        return {
            "name": name,
            "role": role,
            "fingerprint": facts.fingerprint,
            "not_after": facts.not_after,
            "certificate": known_by.decode(),
            "private_key": private_key,
        }

    def _issued(self, name: str, days: int) -> Issued:
        certs = self._instance.settings.folder / "certs"
        require_private_authority(self._instance.settings.folder)
        try:
            authority, key = (certs / "ca.pem").read_bytes(), (certs / "ca.key").read_bytes()
        except OSError as error:
            raise SettingsError(
                f"the CA in {certs} cannot be read: {error.strerror}; enrol on the node that has the CA's key, "
                "or pin the device's own certificate with --certificate"
            ) from error
        return issue(authority, key, name, days=days)

    @validate_call
    def client_password(self, name: Name, password: str, username: Name | None = None) -> dict[str, Any]:
        """Give a client a password, for devices that send one with every message. Raises SettingsError."""
        self._client(name)
        if not password:
            raise SettingsError("a password is not empty")
        username = username or name
        taken = self._identities.credentials.get(username)
        if taken is not None and taken.principal != name:
            raise SettingsError(f"the username {username!r} is another client's")
        record = CredentialRecord(username=username, principal=name, password_hash=hasher.hash(password))
        self._change(lambda connection: principals.set_credential(connection, record), name)
        return {"name": name, "username": username}

    @validate_call
    def client_revoke(self, name: Name) -> dict[str, Any]:
        """Let a principal in no more: its certificates are revoked, its connections closed. Its keys stay."""
        self._client(name)
        if name == self._principal.name:
            raise SettingsError("nobody revokes himself")
        self._change(lambda connection: _revoke(connection, name), name)
        return {"name": name, "enabled": False}

    @validate_call
    def client_restore(self, name: Name) -> dict[str, Any]:
        """Undo a revocation: the principal and its certificates are let in again."""
        if self._client(name).enabled:
            raise SettingsError(f"{name!r} is not revoked")
        self._change(lambda connection: principals.restore(connection, name), name)
        return {"name": name, "enabled": True}

    def _client(self, name: str) -> PrincipalRecord:
        """A principal of the administrator's own domain. Raises SettingsError."""
        self._touched = name
        record = self._identities.principals.get(name)
        if record is None or record.domain != self._principal.domain:
            raise SettingsError(f"there is no client {name!r}")
        return record

    @validate_call
    def key_list(self, limit: int = 100, owner: str | None = None, destroyed: bool = False) -> list[dict[str, Any]]:
        """The objects of the domain, newest first."""
        query = LocateQuery(
            domain=self._principal.domain,
            owners=None if owner is None else (owner if ":" in owner else f"principal:{owner}",),
            conditions=(),
            include_destroyed=destroyed,
            include_archived=True,
        )
        listed: list[dict[str, Any]] = []
        for stored in self._open()[1].candidates(query):
            if len(listed) >= min(limit, MAX_LISTED):
                break
            if destroyed or stored.attributes.one(Tag.STATE) not in states.GONE:
                listed.append(self._summary(stored))
        return listed

    @validate_call
    def key_show(self, unique_identifier: str) -> dict[str, Any]:
        """Every attribute of one object; never its value."""
        self._touched = unique_identifier[:MAX_NAME]
        stored = self._open()[1].find(unique_identifier)
        if stored is None or stored.domain != self._principal.domain:
            raise ObjectNotFound(f"no object has the Unique Identifier {unique_identifier}")
        attributes: dict[str, list[str]] = {}
        for attribute in stored.attributes:
            attributes.setdefault(attribute.key.title, []).append(shown(attribute.key, attribute.value))
        return {**self._summary(stored), "revision": stored.revision, "attributes": attributes}

    def _summary(self, stored: StoredObject) -> dict[str, Any]:
        attributes = stored.attributes
        algorithm = attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM)
        state = states.effective_state(attributes, self._instance.clock.now())
        return {
            "unique_identifier": stored.unique_identifier,
            "object_type": stored.object_type.title,
            "state": state.title if state is not None else "",
            "algorithm": algorithm.title if algorithm is not None else "",
            "length": attributes.one(Tag.CRYPTOGRAPHIC_LENGTH),
            "names": [name.name_value for name in attributes.all(Tag.NAME)],
            "owner": stored.owner,
            "initial_date": attributes.one(Tag.INITIAL_DATE),
        }

    @validate_call
    def audit_tail(self, count: int = 20) -> list[dict[str, Any]]:
        """The newest records, oldest first."""
        from kmip_server.store import audit

        return audit.tail(self._connection, max(1, min(count, MAX_LISTED)))

    @validate_call
    def audit_verify(self) -> dict[str, Any]:
        """Whether every chain is whole."""
        from kmip_server.audit.verify import verify
        from kmip_server.store import audit

        self._connection.execute("BEGIN")
        try:
            report = verify(audit.rows(self._connection), audit.heads(self._connection))
        finally:
            self._connection.execute("COMMIT")
        return {"records": report.records, "chains": report.chains, "faults": list(report.faults)}

    def client_record(self, **arguments: Any) -> dict[str, Any]:
        """Record what a client says and is told: see `recording.py`."""
        if self._client(str(arguments.get("name", ""))[:MAX_NAME]).speaks_for:
            raise SettingsError("what a client says for others is not recorded")
        return record(self._instance.record, **arguments)

    @validate_call
    def backup_create(self) -> dict[str, Any]:
        """Permission for a backup, on record. The command that asks writes the file."""
        return {}


def _revoke(connection: sqlite3.Connection, name: str) -> None:
    if not principals.revoke(connection, name):
        raise SettingsError(f"there is no client {name!r}")


_ACTIONS: dict[str, Callable[..., Any]] = {
    "status": Actions.status,
    "client.list": Actions.client_list,
    "client.enroll": Actions.client_enroll,
    "client.password": Actions.client_password,
    "client.revoke": Actions.client_revoke,
    "client.restore": Actions.client_restore,
    "client.record": Actions.client_record,
    "client.show": Actions.client_show,
    "client.quirk": Actions.client_quirk,
    "key.list": Actions.key_list,
    "key.show": Actions.key_show,
    "audit.tail": Actions.audit_tail,
    "audit.verify": Actions.audit_verify,
    "backup.create": Actions.backup_create,
}
