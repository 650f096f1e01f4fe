"""Activate, Revoke and Destroy: the operations that move an object through its life.

Strategy: the transitions are in `states.py`; here stand only the dates that go with them. KMIP 1.4 §4.19-4.21.
"""

from __future__ import annotations

from kmip_server.engine import states
from kmip_server.engine.context import Context, Found
from kmip_server.engine.registry import operation
from kmip_server.errors import IllegalOperation, InvalidField
from kmip_server.protocol.enums import Operation, State
from kmip_server.protocol.payloads.lifecycle import (
    ActivateRequest,
    ActivateResponse,
    DestroyRequest,
    DestroyResponse,
    RevokeRequest,
    RevokeResponse,
)
from kmip_server.protocol.tags import Tag


@operation(Operation.ACTIVATE)
def activate(context: Context, request: ActivateRequest) -> ActivateResponse:
    """Move a Pre-Active object to Active and set its Activation Date.

    Raises IllegalOperation if the object has no State, WrongKeyLifecycleState if it is not Pre-Active.
    KMIP 1.4 §4.19; KMIP 2.1 §6.1.1.
    """
    found = context.open(request.unique_identifier, Operation.ACTIVATE)
    _state(found)
    context.save(
        found,
        found.attributes.with_values({Tag.STATE: State.ACTIVE, Tag.ACTIVATION_DATE: context.now}),
    )
    return ActivateResponse(unique_identifier=found.unique_identifier)


@operation(Operation.REVOKE)
def revoke(context: Context, request: RevokeRequest) -> RevokeResponse:
    """Move an object to Deactivated or, for a compromise, to Compromised, and keep the reason.

    Raises IllegalOperation if the object has no State, InvalidField for a Compromise Occurrence Date with
    another reason, WrongKeyLifecycleState where there is no such transition.
    KMIP 1.4 §4.20; KMIP 2.1 §6.1.44.
    """
    found = context.open(request.unique_identifier, Operation.REVOKE)
    reason = request.revocation_reason
    code = reason.revocation_reason_code
    occurred = request.compromise_occurrence_date
    if occurred is not None and not states.is_compromise(code):
        raise InvalidField("a Compromise Occurrence Date goes with a compromise only")
    before = _state(found)
    after = states.revoked(before, code)
    values: dict[Tag, object] = {Tag.STATE: after, Tag.REVOCATION_REASON: reason}
    if states.is_compromise(code):
        values[Tag.COMPROMISE_DATE] = context.now
        values[Tag.COMPROMISE_OCCURRENCE_DATE] = (
            occurred if occurred is not None else found.attributes.one(Tag.INITIAL_DATE)
        )
    elif before != State.DEACTIVATED:
        values[Tag.DEACTIVATION_DATE] = context.now
    # Deactivation by its date is on record from now on, whatever the dates become.
    context.save(found, found.attributes.with_values(values))
    return RevokeResponse(unique_identifier=found.unique_identifier)


@operation(Operation.DESTROY)
def destroy(context: Context, request: DestroyRequest) -> DestroyResponse:
    """Erase an object's value for good; its attributes remain, its names are free again.

    Raises ObjectDestroyed, and WrongKeyLifecycleState unless it is Pre-Active, Deactivated or Compromised.
    KMIP 1.4 §4.21; KMIP 2.1 §6.1.15.
    """
    found = context.open(request.unique_identifier, Operation.DESTROY)
    state = found.state
    values: dict[Tag, object] = {Tag.DESTROY_DATE: context.now}
    # A Template has no State of its own, but what is destroyed must be known to be.
    values[Tag.STATE] = State.DESTROYED if state is None else states.destroyed(state)
    context.erase(found, found.attributes.with_values(values))
    if context.id_placeholder == found.unique_identifier:
        context.id_placeholder = None
    return DestroyResponse(unique_identifier=found.unique_identifier)


def _state(found: Found) -> State:
    state = found.state
    if state is None:
        raise IllegalOperation(f"a {found.object_type.title} has no State")
    return state
