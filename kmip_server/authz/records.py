"""Principals and what belongs to them, as plain records: shared by the store, identity and the decision."""

from __future__ import annotations

from dataclasses import dataclass, field

from kmip_server.authz.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalRecord:
    name: str
    domain: str
    enabled: bool
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    owner_group: str = ""
    """The one of `groups` that what it makes belongs to; empty where that is the principal itself."""
    speaks_for: tuple[str, ...] = ()
    """Principals whose credentials may come over this one's certificate."""
    quirks: tuple[str, ...] = ()
    """Departures from the standard that it needs: see `engine/quirks.py`."""
    created: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRecord:
    """A certificate that was issued here, or pinned: its fingerprint names the principal by itself."""

    fingerprint: str
    """SHA-256 of the DER, lower-case hexadecimal."""
    principal: str
    serial_number: str
    not_after: int
    pinned: bool
    """Accepted though no CA vouches for it."""
    revoked: bool
    created: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRecord:
    username: str
    principal: str
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """Everything that decides who is who and who may what, at one policy revision."""

    policy_revision: int
    principals: dict[str, PrincipalRecord]
    certificates: dict[str, CertificateRecord]
    credentials: dict[str, CredentialRecord]
    roles: dict[str, Role]
