"""The decision: may this principal do this to that object?

Strategy: one pure function from facts to a Decision. Deny wins, and what no permission allows is denied. An object
that a principal may neither locate nor read does not exist for it. For speed the permissions of a set of roles are
laid out once: (operation, scope) -> Decision; deciding is then two look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kmip_server.authz.roles import Permission, Role, Scope
from kmip_server.engine.ports import Decision, ObjectFacts
from kmip_server.principal import Principal
from kmip_server.protocol.enums import Operation

_Table = dict[tuple[str, Scope], Decision]
_SEEING = (Operation.LOCATE.title, Operation.GET_ATTRIBUTES.title)
_INVISIBLE = Decision(allowed=False, rule="default deny: not visible", reason="", visible=False)


class RoleAuthorizer:
    """Implements the engine's `Authorizer` for one policy revision. Thread safe."""

    def __init__(self, roles: Mapping[str, Role]) -> None:
        self._roles = roles
        self._tables: dict[tuple[str, ...], _Table] = {}

    def decide(self, principal: Principal, operation: Operation, facts: ObjectFacts | None) -> Decision:
        return self.decide_named(principal, operation.title, facts)

    def decide_named(self, principal: Principal, name: str, facts: ObjectFacts | None) -> Decision:
        """As `decide`, for an operation or an action of kmip-admin by its name."""
        table = self._tables.get(principal.roles)
        if table is None:
            table = self._tables[principal.roles] = _laid_out(
                self._roles[role] for role in principal.roles if role in self._roles
            )
        if facts is None:
            return table.get((name, "none")) or _denied(name)
        scope = _scope(principal, facts)
        if scope is None or not any(_allows(table, seeing, scope) for seeing in _SEEING):
            return _INVISIBLE
        return table.get((name, scope)) or _denied(name)

    def visible_owners(self, principal: Principal, operation: Operation) -> tuple[str, ...] | None:
        """Whose objects Locate may show: None is anyone's in the domain, () is nobody's."""
        table = self._tables.get(principal.roles)
        if table is None:
            self.decide(principal, operation, None)
            table = self._tables[principal.roles]
        if _allows(table, operation.title, "domain"):
            return None
        return principal.owners if _allows(table, operation.title, "own") else ()


def _scope(principal: Principal, facts: ObjectFacts) -> Scope | None:
    """How the object stands to the principal; None where it is another domain's."""
    if facts.domain != principal.domain:
        return None
    return "own" if facts.owner in principal.owners else "domain"


def _allows(table: _Table, name: str, scope: Scope) -> bool:
    decision = table.get((name, scope))
    return decision is not None and decision.allowed


def _laid_out(roles: Iterable[Role]) -> _Table:
    """Every (operation, scope) that the roles say something of. Deny goes over allow, whatever the order."""
    table: _Table = {}
    for role in roles:
        for permission in role.permissions:
            for scope in _covered(permission.objects):
                for name in permission.names():
                    present = table.get((name, scope))
                    if present is None or (present.allowed and not permission.allow):
                        table[name, scope] = _decision(role, permission, name)
    return table


def _covered(objects: Scope) -> tuple[Scope, ...]:
    """A permission on the domain's objects is one on the own among them."""
    return ("own", "domain") if objects == "domain" else (objects,)


def _decision(role: Role, permission: Permission, name: str) -> Decision:
    return Decision(
        allowed=permission.allow,
        rule=f"role {role.name}: {permission.objects}",
        reason="" if permission.allow else f"the role {role.name} denies {name} here",
    )


def _denied(name: str) -> Decision:
    return Decision(allowed=False, rule="default deny", reason=f"no role allows {name} here")
