"""Roles: which operations on whose objects.

Strategy: a role is data: a name and permissions, each of which allows or denies some operations on some
objects. What is built in stands here as the same data that an administrator could write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kmip_server.errors import SettingsError
from kmip_server.protocol.enums import Operation

Scope = Literal["none", "own", "domain"]
"""Which objects: "own" are the principal's and its groups', "domain" all in its domain, "none" is no object."""

SETS: dict[str, frozenset[str]] = {
    "query": frozenset({"Query", "Discover Versions", "Ping", "Log", "Interop", "Set Endpoint Role"}),
    "random": frozenset({"RNG Retrieve", "RNG Seed", "Hash"}),
    "read": frozenset({"Locate", "Get Attributes", "Get Attribute List", "Check", "Obtain Lease"}),
    "fetch": frozenset({"Get", "Export"}),
    "use": frozenset(
        {
            "Encrypt",
            "Decrypt",
            "Sign",
            "Signature Verify",
            "MAC",
            "MAC Verify",
            "Derive Key",
            "Get Usage Allocation",
        }
    ),
    "create": frozenset(
        {
            "Create",
            "Create Key Pair",
            "Register",
            "Import",
            "Re-key",
            "Re-key Key Pair",
            "Certify",
            "Re-certify",
            "Create Split Key",
            "Join Split Key",
        }
    ),
    "manage": frozenset(
        {
            "Add Attribute",
            "Modify Attribute",
            "Delete Attribute",
            "Set Attribute",
            "Adjust Attribute",
            "Activate",
            "Revoke",
            "Archive",
            "Recover",
        }
    ),
    "destroy": frozenset({"Destroy"}),
    "administer": frozenset(
        {
            "status",
            "client.list",
            "client.enroll",
            "client.password",
            "client.revoke",
            "client.record",
            "client.quirk",
            "client.show",
            "client.restore",
            "key.list",
            "key.show",
            "audit.tail",
            "audit.verify",
            "backup.create",
        }
    ),
}
"""Names for groups of operations, for use in permissions. Lower-case names with dots are actions of kmip-admin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    operations: tuple[str, ...]
    """Names of operations, of actions, or of sets."""
    objects: Scope
    allow: bool = True

    def names(self) -> frozenset[str]:
        """Every operation and action that this permission is about."""
        return frozenset().union(*(SETS.get(name, frozenset({name})) for name in self.operations))


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    name: str
    permissions: tuple[Permission, ...]
    description: str = ""


BUILT_IN = (
    Role(
        name="Appliance",
        description="Its own objects, through their whole life",
        permissions=(
            Permission(operations=("query", "random", "create"), objects="none"),
            Permission(
                operations=("read", "fetch", "use", "create", "manage", "destroy"),
                objects="own",
            ),
        ),
    ),
    Role(
        name="Administrator",
        description="Every object in the domain, but never its value",
        permissions=(
            Permission(operations=("query", "random", "administer"), objects="none"),
            Permission(operations=("read", "manage", "destroy"), objects="domain"),
        ),
    ),
)

_OPERATIONS = frozenset(operation.title for operation in Operation) | SETS["administer"]


def to_data(role: Role) -> dict[str, Any]:
    """The role as JSON has it."""
    return {
        "name": role.name,
        "description": role.description,
        "permissions": [
            {"operations": list(p.operations), "objects": p.objects, "allow": p.allow} for p in role.permissions
        ],
    }


def from_data(data: Mapping[str, Any]) -> Role:
    """The role that JSON describes. Raises SettingsError for whatever is not understood."""
    try:
        unknown = set(data) - {"name", "description", "permissions"}
        permissions = tuple(_permission(each) for each in data["permissions"])
        name, description = data["name"], data.get("description", "")
    except (KeyError, TypeError) as error:
        raise SettingsError(f"a role has a name and permissions: {error} is missing or wrong") from error
    if unknown or not isinstance(name, str) or not name:
        raise SettingsError(f"a role has no {', '.join(sorted(unknown)) or 'empty name'}")
    return Role(name=name, description=description, permissions=permissions)


def _permission(data: Mapping[str, Any]) -> Permission:
    unknown = set(data) - {"operations", "objects", "allow"}
    if unknown:
        raise SettingsError(f"a permission has no {', '.join(sorted(unknown))}")
    for name in data["operations"]:
        if name not in SETS and name not in _OPERATIONS:
            raise SettingsError(f"{name!r} is neither an operation nor a set of operations")
    if data["objects"] not in ("none", "own", "domain"):
        raise SettingsError('the objects of a permission are "none", "own" or "domain"')
    return Permission(
        operations=tuple(data["operations"]), objects=data["objects"], allow=bool(data.get("allow", True))
    )
