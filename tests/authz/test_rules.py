"""The decision: deny wins, what nothing allows is denied, and what may not be seen is not there."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmip_server.authz.roles import BUILT_IN, SETS, Permission, Role, from_data, to_data
from kmip_server.authz.rules import RoleAuthorizer
from kmip_server.engine.ports import ObjectFacts
from kmip_server.errors import SettingsError
from kmip_server.principal import Principal
from kmip_server.protocol.enums import ObjectType, Operation

ROLES = {role.name: role for role in BUILT_IN}
OBJECTS = {
    "own": ("principal:one", "default"),
    "group": ("group:cluster", "default"),
    "other": ("principal:two", "default"),
    "elsewhere": ("principal:one", "other domain"),
}


def facts(which: str) -> ObjectFacts:
    owner, domain = OBJECTS[which]
    return ObjectFacts(unique_identifier="u", owner=owner, domain=domain, object_type=ObjectType.SYMMETRIC_KEY)


def principal(*roles: str) -> Principal:
    return Principal(name="one", domain="default", groups=("cluster",), roles=roles)


def expected(role: str, operation: Operation, which: str) -> bool:
    """The matrix, said in another way than the roles say it."""
    title = operation.title
    if role == "Appliance":
        return which in ("own", "group") and any(
            title in SETS[each] for each in ("read", "fetch", "use", "create", "manage", "destroy")
        )
    return which in ("own", "group", "other") and any(title in SETS[each] for each in ("read", "manage", "destroy"))


@pytest.mark.parametrize(("role", "operation", "which"), list(itertools.product(ROLES, list(Operation), OBJECTS)))
def test_the_matrix(role: str, operation: Operation, which: str) -> None:
    decision = RoleAuthorizer(ROLES).decide(principal(role), operation, facts(which))
    assert decision.allowed == expected(role, operation, which)
    if which == "elsewhere" or (role == "Appliance" and which == "other"):
        assert not decision.visible


def test_administration_is_the_administrators() -> None:
    authorizer = RoleAuthorizer(ROLES)
    for action in SETS["administer"]:
        assert authorizer.decide_named(principal("Administrator"), action, None).allowed
        assert not authorizer.decide_named(principal("Appliance"), action, None).allowed
        assert not authorizer.decide_named(principal(), action, None).allowed


_permissions = st.builds(
    Permission,
    operations=st.lists(st.sampled_from([*SETS, "Get", "Locate", "Destroy"]), min_size=1, max_size=3).map(tuple),
    objects=st.sampled_from(["none", "own", "domain"]),
    allow=st.booleans(),
)
_roles = st.lists(_permissions, max_size=4).map(lambda p: Role(name="made", permissions=tuple(p)))


@given(_roles, st.sampled_from(list(Operation)), st.sampled_from(["own", "other"]))
def test_deny_wins_and_nothing_is_allowed_that_no_permission_allows(
    role: Role, operation: Operation, which: str
) -> None:
    decision = RoleAuthorizer({"made": role}).decide(principal("made"), operation, facts(which))
    about = [
        p
        for p in role.permissions
        if operation.title in p.names() and (p.objects == "domain" or p.objects == which)
    ]
    if any(not p.allow for p in about) or not about:
        assert not decision.allowed


@given(_roles)
def test_a_role_is_data(role: Role) -> None:
    assert from_data(to_data(role)) == role


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": "", "permissions": []},
        {"name": "x", "permissions": [], "extra": 1},
        {"name": "x", "permissions": [{"operations": ["Gett"], "objects": "own"}]},
        {"name": "x", "permissions": [{"operations": ["Get"], "objects": "all"}]},
        {"name": "x", "permissions": [{"operations": ["Get"], "objects": "own", "unless": 1}]},
    ],
)
def test_what_is_not_understood_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        from_data(data)


def test_whose_objects_locate_shows() -> None:
    authorizer = RoleAuthorizer(ROLES)
    owners = authorizer.visible_owners(principal("Appliance"), Operation.LOCATE)
    assert owners == ("principal:one", "group:cluster")
    assert authorizer.visible_owners(principal("Administrator"), Operation.LOCATE) is None
    assert authorizer.visible_owners(principal(), Operation.LOCATE) == ()
