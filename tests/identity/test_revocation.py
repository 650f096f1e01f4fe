"""Who is revoked stays so, whatever threads with an older view of the database still do."""

from __future__ import annotations

import datetime
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kmip_server.app import IdentitySource
from kmip_server.authz.records import Identities, PrincipalRecord
from kmip_server.identity import identify
from kmip_server.identity.certificate import NotIdentified, facts_of
from kmip_server.identity.identify import Identifier
from kmip_server.protocol.versions import V1_4
from kmip_server.store import database, migrate, principals
from tests.identity.test_identity import COMMON_NAME, IDENTITIES, KEY, peer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "kmip.db"
    connection = database.connect(made, create=True)
    migrate.upgrade(made)
    principals.add_principal(connection, PrincipalRecord(name="array", domain="default", enabled=True))
    connection.close()
    return made


def revoke(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    principals.revoke(connection, "array")
    principals.raise_policy_revision(connection)
    connection.execute("COMMIT")


def test_an_older_snapshot_does_not_bring_back_who_was_revoked(path: Path) -> None:
    older, newer = database.connect(path), database.connect(path)
    source = IdentitySource(newer)
    changes: list[Identities] = []
    source.changed.append(changes.append)
    older.execute("BEGIN")
    assert principals.policy_revision(older) == 1
    revoke(newer)
    source.refresh(newer)
    assert not source.current.principals["array"].enabled
    authorizer = source.authorizer
    source.refresh(older)
    assert source.current.policy_revision == 2
    assert not source.current.principals["array"].enabled
    assert source.authorizer is authorizer
    assert len(changes) == 1


def test_what_was_read_meanwhile_is_not_installed_over_something_newer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads see two changes; the one that saw less waits for the lock longest."""
    first, second = database.connect(path), database.connect(path)
    source = IdentitySource(first)
    begin, connection = database.connect(path), database.connect(path)
    begin.execute("BEGIN IMMEDIATE")
    principals.raise_policy_revision(begin)
    begin.execute("COMMIT")
    first.execute("BEGIN")
    assert principals.policy_revision(first) == 2
    asked = threading.Event()
    policy_revision = principals.policy_revision

    def told(of: sqlite3.Connection) -> int:
        revision = policy_revision(of)
        if of is first:
            asked.set()
        return revision

    monkeypatch.setattr(principals, "policy_revision", told)
    with source._lock:
        waiting = threading.Thread(target=source.refresh, args=(first,))
        waiting.start()
        assert asked.wait(30)
        revoke(connection)
        source.current = principals.load_identities(second)
    waiting.join(30)
    assert source.current.policy_revision == 3
    assert not source.current.principals["array"].enabled


def test_a_principal_worked_out_from_older_identities_is_not_kept_under_newer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    current = [IDENTITIES]
    identifier = Identifier(lambda: current[0], [COMMON_NAME])
    array = peer("array")
    genuine = identify.principal_name
    gone = replace(IDENTITIES.principals["array"], enabled=False)

    def overtaken(*given: object) -> str:
        """The revocation, and a request that sees it, come between the two halves of identifying."""
        name = genuine(*given)  # type: ignore[arg-type]
        monkeypatch.setattr(identify, "principal_name", genuine)
        current[0] = replace(IDENTITIES, policy_revision=2, principals={"array": gone})
        with pytest.raises(NotIdentified):
            identifier.identify(array, None, V1_4)
        return name

    monkeypatch.setattr(identify, "principal_name", overtaken)
    identifier.identify(array, None, V1_4)
    with pytest.raises(NotIdentified):
        identifier.identify(array, None, V1_4)


def test_a_connection_is_over_also_where_a_rule_named_its_principal() -> None:
    current = [IDENTITIES]
    identifier = Identifier(lambda: current[0], [COMMON_NAME])
    array = peer("array")
    assert not identifier.is_over(array)
    gone = replace(IDENTITIES.principals["array"], enabled=False)
    current[0] = replace(IDENTITIES, policy_revision=2, principals={"array": gone})
    assert identifier.is_over(array)


def test_a_certificate_that_the_parser_does_not_know_names_nobody() -> None:
    """An ediPartyName (RFC 5280 §4.2.1.6) among the alternative names."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "array")])
    now = datetime.datetime.now(datetime.UTC)
    der = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, bytes.fromhex("3008a506a1040c026162")),
            critical=False,
        )
        .sign(KEY, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    with pytest.raises(NotIdentified):
        facts_of(der, "any")
