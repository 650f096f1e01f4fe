"""A client as an administrator reads it."""

from __future__ import annotations

from typing import Any

from kmip_server.authz.records import Identities, PrincipalRecord
from kmip_server.engine.quirks import QUIRKS


def listed(record: PrincipalRecord, identities: Identities) -> dict[str, Any]:
    """Its roles, quirks and certificates."""
    return {
        "name": record.name,
        "domain": record.domain,
        "enabled": record.enabled,
        "roles": list(record.roles),
        "groups": list(record.groups),
        "quirks": list(record.quirks),
        "certificates": [
            {"fingerprint": c.fingerprint, "not_after": c.not_after, "pinned": c.pinned, "revoked": c.revoked}
            for c in identities.certificates.values()
            if c.principal == record.name
        ],
    }


def whole(record: PrincipalRecord, identities: Identities) -> dict[str, Any]:
    """With what its quirks change, and the names by which it may give a password."""
    usernames = [each.username for each in identities.credentials.values() if each.principal == record.name]
    known = [QUIRKS[each] for each in record.quirks if each in QUIRKS]
    quirks = [
        {"name": each.name, "changes": each.changes, "client": each.client, "evidence": each.evidence}
        for each in known
    ]
    return listed(record, identities) | {"usernames": sorted(usernames), "quirks": quirks}
