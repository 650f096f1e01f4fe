"""The life of a Managed Object: every rule about State stands here.

Rule 1: the effective State is one pure function of the stored State, the dates and a clock that never moves
back. Nothing else decides it, so a date that has come counts at once, for every operation and for Locate alike.
Rule 2: which operation may be performed in which State is one table. KMIP 1.4 §3.22; KMIP 2.1 §4.57.
"""

from __future__ import annotations

from kmip_server.errors import ObjectDestroyed, WrongKeyLifecycleState
from kmip_server.protocol.attribute_set import AttributeSet
from kmip_server.protocol.enums import ObjectType, Operation, RevocationReasonCode, State
from kmip_server.protocol.tags import Tag

PRE_ACTIVE = State.PRE_ACTIVE
ACTIVE = State.ACTIVE
DEACTIVATED = State.DEACTIVATED
COMPROMISED = State.COMPROMISED
DESTROYED = State.DESTROYED
DESTROYED_COMPROMISED = State.DESTROYED_COMPROMISED

GONE = frozenset({DESTROYED, DESTROYED_COMPROMISED})
_ALIVE = frozenset({PRE_ACTIVE, ACTIVE, DEACTIVATED, COMPROMISED})
_PROTECT = frozenset({ACTIVE})
# Data protected earlier can still be opened and verified; KMIP 1.4 §3.22 leaves to policy for whom.
_PROCESS = frozenset({ACTIVE, DEACTIVATED, COMPROMISED})

PROTECTING = frozenset({Operation.ENCRYPT, Operation.SIGN, Operation.MAC, Operation.DERIVE_KEY})
PROCESSING = frozenset({Operation.DECRYPT, Operation.SIGNATURE_VERIFY, Operation.MAC_VERIFY})

ALLOWED: dict[Operation, frozenset[State]] = {
    # Arrays fetch keys that they never activate, so a Get needs no Active State.
    Operation.GET: _ALIVE,
    Operation.ACTIVATE: frozenset({PRE_ACTIVE}),
    Operation.DESTROY: frozenset({PRE_ACTIVE, DEACTIVATED, COMPROMISED}),
    Operation.RE_KEY: _ALIVE,
    Operation.RE_KEY_KEY_PAIR: _ALIVE,
    **dict.fromkeys(PROTECTING, _PROTECT),
    **dict.fromkeys(PROCESSING, _PROCESS),
}
"""Operations that do not stand here may be performed in every State (Revoke has its own table)."""

_COMPROMISING = frozenset({RevocationReasonCode.KEY_COMPROMISE, RevocationReasonCode.CA_COMPROMISE})
_REVOKED_TO: dict[State, State] = {
    ACTIVE: DEACTIVATED,
    # Asked for again, it is so already: the client gets what it wanted.
    DEACTIVATED: DEACTIVATED,
}
_COMPROMISED_TO: dict[State, State] = {
    PRE_ACTIVE: COMPROMISED,
    ACTIVE: COMPROMISED,
    DEACTIVATED: COMPROMISED,
    COMPROMISED: COMPROMISED,
    DESTROYED: DESTROYED_COMPROMISED,
    DESTROYED_COMPROMISED: DESTROYED_COMPROMISED,
}
_DESTROYED_TO: dict[State, State] = {
    PRE_ACTIVE: DESTROYED,
    DEACTIVATED: DESTROYED,
    COMPROMISED: DESTROYED_COMPROMISED,
}

# An attribute set beyond any date is as good as none (KMIP 1.4 §4.9).
NEVER = 0x7FFFFFFFFFFFFFFF


def has_state(object_type: ObjectType) -> bool:
    """Whether objects of this type have a State: all but Templates."""
    return object_type != ObjectType.TEMPLATE


def initial_state(attributes: AttributeSet, now: int) -> State:
    """The State of an object that is being made: dates in the past count at once."""
    return _by_dates(PRE_ACTIVE, attributes, now)


def effective_state(attributes: AttributeSet, now: int) -> State | None:
    """The State an object is in at `now` (seconds since 1970), or None where it has none."""
    stored: State | None = attributes.one(Tag.STATE)
    if stored is None or stored not in (PRE_ACTIVE, ACTIVE):
        return stored
    return _by_dates(stored, attributes, now)


def _by_dates(state: State, attributes: AttributeSet, now: int) -> State:
    if state == PRE_ACTIVE:
        activation = attributes.one(Tag.ACTIVATION_DATE)
        if activation is None or activation > now:
            return PRE_ACTIVE
    deactivation = attributes.one(Tag.DEACTIVATION_DATE)
    return DEACTIVATED if deactivation is not None and deactivation <= now else ACTIVE


def require(operation: Operation, attributes: AttributeSet, now: int) -> None:
    """Raise ObjectDestroyed or WrongKeyLifecycleState unless the State and the dates allow `operation`."""
    allowed = ALLOWED.get(operation)
    if allowed is None:
        return
    state = effective_state(attributes, now)
    if state is None:
        return
    if state in GONE and PRE_ACTIVE in allowed:
        raise ObjectDestroyed("the object has been destroyed")
    if state not in allowed:
        raise WrongKeyLifecycleState(_sentence(operation, state))
    if operation in PROTECTING or operation in PROCESSING:
        _require_process_dates(operation, attributes, now)


def _require_process_dates(operation: Operation, attributes: AttributeSet, now: int) -> None:
    start = attributes.one(Tag.PROCESS_START_DATE)
    if operation in PROCESSING and start is not None and now < start:
        raise WrongKeyLifecycleState("the Process Start Date of the object has not come")
    stop = attributes.one(Tag.PROTECT_STOP_DATE)
    if operation in PROTECTING and stop is not None and now >= stop:
        raise WrongKeyLifecycleState("the Protect Stop Date of the object has passed")


def _sentence(operation: Operation, state: State) -> str:
    needed = " or ".join(s.title for s in State if s in ALLOWED[operation])
    return f"{operation.title} needs a State of {needed}; the object is {state.title}"


def is_compromise(reason: RevocationReasonCode) -> bool:
    return reason in _COMPROMISING


def revoked(state: State, reason: RevocationReasonCode) -> State:
    """The State after Revoke. Raises WrongKeyLifecycleState where no transition is drawn."""
    table = _COMPROMISED_TO if reason in _COMPROMISING else _REVOKED_TO
    after = table.get(state)
    if after is None:
        raise WrongKeyLifecycleState(
            f"an object that is {state.title} is revoked only for Key Compromise or CA Compromise"
            if state in (PRE_ACTIVE, DESTROYED)
            else f"an object that is {state.title} stays so"
        )
    return after


def destroyed(state: State) -> State:
    """The State after Destroy, from one in which `require` allows it."""
    return _DESTROYED_TO[state]
