"""The decision: may this principal do this to that object?

Strategy: one pure function from facts to a Decision. Deny wins, and what no permission allows is denied. An object
that a principal may neither locate nor read does not exist for it. For speed the permissions of a set of roles are
laid out once: (operation, scope) -> Decision; deciding is then two look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kmip_server.authz.roles import Permission, Role, Scope
from kmip_server.engine.ports import Decision, ObjectFacts
from kmip_server.principal import Principal
from kmip_server.protocol.enums import Operation

_Decisions = dict[tuple[str, Scope], Decision]
_SEEING = (Operation.LOCATE.title, Operation.GET_ATTRIBUTES.title)
_INVISIBLE = Decision(allowed=False, rule="default deny: not visible", reason="", visible=False)


class _Table(NamedTuple):
    """What a set of roles makes of everything."""

    decisions: _Decisions
    visible: frozenset[Scope]


class RoleAuthorizer:
    """Implements the engine's `Authorizer` for one policy revision. Thread safe."""

    def __init__(self, roles: Mapping[str, Role]) -> None:
        self._roles = roles
        self._tables: dict[tuple[str, ...], _Table] = {}

    def _table(self, roles: tuple[str, ...]) -> _Table:
        table = self._tables.get(roles)
        if table is None:
            decisions = _laid_out(self._roles[role] for role in roles if role in self._roles)
            table = self._tables[roles] = _Table(decisions, _seen(decisions))
        return table

    def decide(self, principal: Principal, operation: Operation, facts: ObjectFacts | None) -> Decision:
        return self.decide_named(principal, operation.title, facts)

    def decide_named(self, principal: Principal, name: str, facts: ObjectFacts | None) -> Decision:
        """As `decide`, for an operation or an action of kmip-admin by its name."""
        table = self._table(principal.roles)
        if facts is None:
            return table.decisions.get((name, "none")) or _denied(name)
        scope = _scope(principal, facts)
        if scope not in table.visible:
            return _INVISIBLE
        return table.decisions.get((name, scope)) or _denied(name)

    def visible_owners(self, principal: Principal, operation: Operation) -> tuple[str, ...] | None:
        """Whose objects Locate may show: None is anyone's in the domain, () is nobody's."""
        decisions = self._table(principal.roles).decisions
        if _allows(decisions, operation.title, "domain"):
            return None
        return principal.owners if _allows(decisions, operation.title, "own") else ()


def _scope(principal: Principal, facts: ObjectFacts) -> Scope:
    """How the object stands to the principal; "none" where it is another domain's."""
    if facts.domain != principal.domain:
        return "none"
    return "own" if facts.owner in principal.owners else "domain"


def _allows(decisions: _Decisions, name: str, scope: Scope) -> bool:
    decision = decisions.get((name, scope))
    return decision is not None and decision.allowed


def _seen(decisions: _Decisions) -> frozenset[Scope]:
    """Whose objects exist at all for somebody of these roles."""
    scopes: tuple[Scope, ...] = ("own", "domain")
    return frozenset(scope for scope in scopes if any(_allows(decisions, each, scope) for each in _SEEING))


def _laid_out(roles: Iterable[Role]) -> _Decisions:
    """Every (operation, scope) that the roles say something of. Deny goes over allow, whatever the order."""
    table: _Decisions = {}
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
