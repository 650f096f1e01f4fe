"""The life of an object: every State, every transition that is drawn, and none that is not."""

from __future__ import annotations

import itertools

import pytest

from kmip_server.engine import states
from kmip_server.protocol.attribute_set import AttributeSet
from kmip_server.protocol.enums import Operation, ResultReason, RevocationReasonCode, State
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_0, V1_4, Version
from tests.support.engine import Engine, Refused
from tests.support.requests import attribute, create, name, revoke

LOST = RevocationReasonCode.KEY_COMPROMISE


def state_of(engine: Engine, uid: str) -> State:
    found = engine.call(
        Operation.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=uid, attribute_names=(Tag.STATE,))
    )
    state: State = found.attributes[0].value
    return state


def made_in(engine: Engine, state: State) -> str:
    """An object that has been brought into this State by operations."""
    uid: str = engine.call(Operation.CREATE, create()).unique_identifier
    if state in (State.ACTIVE, State.DEACTIVATED):
        engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
    if state == State.DEACTIVATED:
        engine.call(Operation.REVOKE, revoke(uid))
    if state in (State.COMPROMISED, State.DESTROYED_COMPROMISED):
        engine.call(Operation.REVOKE, revoke(uid, LOST))
    if state in (State.DESTROYED, State.DESTROYED_COMPROMISED):
        engine.call(Operation.DESTROY, DestroyRequest(unique_identifier=uid))
    assert state_of(engine, uid) == state
    return uid


@pytest.mark.parametrize("state", list(State))
def test_every_state_can_be_reached(engine: Engine, state: State) -> None:
    made_in(engine, state)


# State before, operation -> State after. What does not stand here is refused.
DRAWN = {
    (State.PRE_ACTIVE, "activate"): State.ACTIVE,
    (State.PRE_ACTIVE, "destroy"): State.DESTROYED,
    (State.PRE_ACTIVE, "compromise"): State.COMPROMISED,
    (State.ACTIVE, "revoke"): State.DEACTIVATED,
    (State.ACTIVE, "compromise"): State.COMPROMISED,
    (State.DEACTIVATED, "destroy"): State.DESTROYED,
    (State.DEACTIVATED, "compromise"): State.COMPROMISED,
    (State.DEACTIVATED, "revoke"): State.DEACTIVATED,
    (State.COMPROMISED, "destroy"): State.DESTROYED_COMPROMISED,
    (State.COMPROMISED, "compromise"): State.COMPROMISED,
    (State.DESTROYED, "compromise"): State.DESTROYED_COMPROMISED,
    (State.DESTROYED_COMPROMISED, "compromise"): State.DESTROYED_COMPROMISED,
}


@pytest.mark.parametrize(
    ("state", "action"), list(itertools.product(State, ("activate", "revoke", "compromise", "destroy")))
)
def test_only_drawn_transitions_happen(engine: Engine, state: State, action: str) -> None:
    uid = made_in(engine, state)
    calls = {
        "activate": (Operation.ACTIVATE, ActivateRequest(unique_identifier=uid)),
        "destroy": (Operation.DESTROY, DestroyRequest(unique_identifier=uid)),
        "revoke": (Operation.REVOKE, revoke(uid)),
        "compromise": (Operation.REVOKE, revoke(uid, LOST)),
    }
    after = DRAWN.get((state, action))
    if after is None:
        with pytest.raises(Refused) as refused:
            engine.call(*calls[action])
        assert refused.value.reason == ResultReason.PERMISSION_DENIED
        after = state
    else:
        engine.call(*calls[action])
    assert state_of(engine, uid) == after


def test_an_activation_date_that_comes_activates(engine: Engine) -> None:
    now = engine.clock.now()
    request = create(attribute(Tag.ACTIVATION_DATE, now + 60), attribute(Tag.DEACTIVATION_DATE, now + 120))
    uid = engine.call(Operation.CREATE, request).unique_identifier
    assert state_of(engine, uid) == State.PRE_ACTIVE
    engine.clock.advance(60)
    assert state_of(engine, uid) == State.ACTIVE
    engine.clock.advance(60)
    assert state_of(engine, uid) == State.DEACTIVATED


def test_locate_goes_by_the_effective_state(engine: Engine) -> None:
    now = engine.clock.now()
    uid = engine.call(Operation.CREATE, create(attribute(Tag.ACTIVATION_DATE, now + 60))).unique_identifier
    active = LocateRequest(attributes=(attribute(Tag.STATE, State.ACTIVE),))
    assert engine.call(Operation.LOCATE, active).unique_identifiers == ()
    engine.clock.advance(60)
    assert engine.call(Operation.LOCATE, active).unique_identifiers == (uid,)


def test_a_past_activation_date_activates_at_once(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create(attribute(Tag.ACTIVATION_DATE, 1))).unique_identifier
    assert state_of(engine, uid) == State.ACTIVE


@pytest.mark.parametrize("version", [V1_0, V1_4])
def test_a_destroyed_key_is_gone_but_known(engine: Engine, version: Version) -> None:
    uid = engine.call(Operation.CREATE, create(name("gone"))).unique_identifier
    engine.call(Operation.DESTROY, DestroyRequest(unique_identifier=uid))
    with pytest.raises(Refused) as refused:
        engine.call(Operation.GET, GetRequest(unique_identifier=uid), version=version)
    assert refused.value.reason == ResultReason.ITEM_NOT_FOUND
    assert engine.call(Operation.LOCATE, LocateRequest()).unique_identifiers == ()
    # Its name is free again.
    assert engine.call(Operation.CREATE, create(name("gone"))).unique_identifier != uid


def test_the_value_is_erased_from_the_database(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    engine.call(Operation.DESTROY, DestroyRequest(unique_identifier=uid))
    assert engine.connect().execute("SELECT count(*) FROM materials").fetchone() == (0,)


@pytest.mark.parametrize("stored", [State.PRE_ACTIVE, State.ACTIVE])
@pytest.mark.parametrize("activation", [None, 5, 10, 15])
@pytest.mark.parametrize("deactivation", [None, 5, 10, 15])
def test_effective_state_is_a_function_of_state_dates_and_time(
    stored: State, activation: int | None, deactivation: int | None
) -> None:
    values = {Tag.STATE: stored, Tag.ACTIVATION_DATE: activation, Tag.DEACTIVATION_DATE: deactivation}
    attributes = AttributeSet().with_values({k: v for k, v in values.items() if v is not None})
    begun = stored == State.ACTIVE or (activation is not None and activation <= 10)
    ended = deactivation is not None and deactivation <= 10
    expected = State.PRE_ACTIVE if not begun else State.DEACTIVATED if ended else State.ACTIVE
    assert states.effective_state(attributes, 10) == expected
