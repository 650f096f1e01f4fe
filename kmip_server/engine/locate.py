"""Locate: which objects match. KMIP 1.4 section 4.9; KMIP 2.1 section 6.1.28.

Strategy: the store narrows down by what it has indexed; whether an object matches is decided here, on what
Get Attributes would show of it at this moment. An attribute that nobody has matches nothing and is no error,
because clients that misspell one take an error for an empty answer and make new keys. An answer is complete,
or cut where the client asked for it, or refused; never cut silently.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from kmip_server.engine import attributes as object_attributes
from kmip_server.engine import states
from kmip_server.engine.context import Context, Found
from kmip_server.engine.ports import Condition, LocateQuery
from kmip_server.engine.registry import operation
from kmip_server.errors import InvalidField, ServerLimitExceeded
from kmip_server.protocol.attribute_set import Attribute, AttributeKey, AttributeSet
from kmip_server.protocol.attribute_values import (
    AlternativeName,
    ApplicationSpecificInformation,
    CustomValue,
    Link,
    Name,
    UsageLimits,
)
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.enums import (
    CryptographicUsageMask,
    ItemType,
    ObjectGroupMember,
    Operation,
    StorageStatusMask,
)
from kmip_server.protocol.payloads.locate import LocateRequest, LocateResponse
from kmip_server.protocol.spellings import PartialValue, has_parts
from kmip_server.protocol.tags import Tag

MAX_CONDITIONS = 64
"""Attributes that one Locate may name."""
# What the store may narrow down by: stored as it is shown, and compared whole.
_INDEXED_VALUES = (Name, AlternativeName, Link, CustomValue, str, int)
_COMPUTED = frozenset(
    {Tag.STATE, Tag.LEASE_TIME, Tag.FRESH, Tag.CRYPTOGRAPHIC_USAGE_MASK, Tag.SHORT_UNIQUE_IDENTIFIER}
)


@operation(Operation.LOCATE)
def locate(context: Context, request: LocateRequest) -> LocateResponse:
    """The Unique Identifiers of all objects that match, newest first.

    Exactly one goes into the ID Placeholder; otherwise it is emptied, so that what follows in the batch fails.
    Raises InvalidField for negative counts, ServerLimitExceeded where more match than the server lists, or more
    would have to be looked at than one message may.
    KMIP 1.4 §4.9; KMIP 2.1 §6.1.28.
    """
    conditions = conditions_of(request.attributes)
    offset, maximum = request.offset_items or 0, request.maximum_items
    if offset < 0 or (maximum is not None and maximum < 0):
        raise InvalidField("Offset Items and Maximum Items are not negative")
    matching = _matching(context, request, conditions)
    limit = context.policy.max_locate_items
    found = list(islice(matching, offset, offset + limit + 1 if maximum is None else offset + maximum))
    if len(found) > limit:
        raise ServerLimitExceeded(f"more than {limit} objects match; give Maximum Items and Offset Items")
    context.id_placeholder = found[0] if len(found) == 1 else None
    return LocateResponse(unique_identifiers=tuple(found))


def conditions_of(attributes: Sequence[Attribute]) -> list[Condition]:
    """One condition for each attribute of the request; two equal dates of one kind make a range."""
    if len(attributes) > MAX_CONDITIONS:
        raise ServerLimitExceeded(f"a Locate names at most {MAX_CONDITIONS} attributes")
    conditions: list[Condition] = []
    dates: dict[AttributeKey, list[int]] = {}
    for key, _, value in attributes:
        if value is None:
            raise InvalidField(f"{key.title} has no value to match")
        if isinstance(key, Tag) and ATTRIBUTES[key].kind == ItemType.DATE_TIME:
            dates.setdefault(key, []).append(value)
        elif (condition := Condition(key=key, value=value)) not in conditions:
            conditions.append(condition)
    for key, values in dates.items():
        if len(values) > 2:
            raise InvalidField(f"{key.title} is given more than twice; twice makes a range")
        conditions.append(Condition(key=key, value=min(values), value_to=max(values) if len(values) == 2 else None))
    return conditions


def _matching(context: Context, request: LocateRequest, conditions: list[Condition]) -> Iterator[str]:
    mask = request.storage_status_mask
    wants_archived = mask is not None and bool(mask & StorageStatusMask.ARCHIVAL_STORAGE)
    wants_online = mask is None or bool(mask & StorageStatusMask.ON_LINE_STORAGE)
    # 2.x shows destroyed objects to those alone who ask for that storage (KMIP 2.1 §6.1.28).
    wants_destroyed = (context.version.major == 1 and _asks_for_destroyed(conditions)) or (
        mask is not None and bool(mask & StorageStatusMask.DESTROYED_STORAGE)
    )
    query = LocateQuery(
        domain=context.principal.domain,
        owners=None,
        conditions=tuple(c for c in conditions if _indexed(c)),
        include_destroyed=wants_destroyed,
        include_archived=wants_archived,
    )
    for stored in context.candidates(query):
        gone = stored.attributes.one(Tag.STATE) in states.GONE
        archived = Tag.ARCHIVE_DATE in stored.attributes
        if gone and not wants_destroyed:
            continue
        if not gone and not (wants_archived if archived else wants_online):
            continue
        seen = object_attributes.view(
            Found(stored, context.now, context.keystore), context.policy.lease_time_seconds
        )
        if _is_member(request.object_group_member, seen) and all(matches(seen, c) for c in conditions):
            yield stored.unique_identifier


def _asks_for_destroyed(conditions: list[Condition]) -> bool:
    return any(c.key == Tag.STATE and c.value in states.GONE for c in conditions)


def _is_member(member: ObjectGroupMember | None, seen: AttributeSet) -> bool:
    """Group Member Fresh: only fresh objects. Group Member Default: no object is marked so; any will do."""
    return member != ObjectGroupMember.GROUP_MEMBER_FRESH or seen.one(Tag.FRESH) is True


def _indexed(condition: Condition) -> bool:
    key, value = condition.key, condition.value
    if key in _COMPUTED:
        return False
    if isinstance(value, ApplicationSpecificInformation):
        return value.application_data is not None
    return isinstance(value, _INDEXED_VALUES)


# --- one condition ------------------------------------------------------------------------------


def matches(seen: AttributeSet, condition: Condition) -> bool:
    """Whether an instance of the attribute meets the condition. KMIP 1.4 §4.9."""
    wanted, wanted_to = condition.value, condition.value_to
    values = seen.all(condition.key)
    if wanted_to is not None:
        return any(wanted <= value <= wanted_to for value in values)
    if wanted == states.NEVER and condition.key in _DATE_TAGS:
        return not values or states.NEVER in values
    return any(_value_matches(condition.key, value, wanted) for value in values)


_DATE_TAGS: frozenset[AttributeKey] = frozenset(
    tag for tag, row in ATTRIBUTES.items() if row.kind == ItemType.DATE_TIME
)


def _value_matches(key: AttributeKey, value: Any, wanted: Any) -> bool:
    if isinstance(wanted, PartialValue):
        return has_parts(key, value, wanted)
    if isinstance(wanted, CryptographicUsageMask):
        return int(value) & int(wanted) == int(wanted)
    if isinstance(wanted, UsageLimits):
        return _enough(value, wanted)
    if dataclasses.is_dataclass(wanted) and not isinstance(wanted, CustomValue):
        fields = (field.name for field in dataclasses.fields(wanted))
        given = {name: getattr(wanted, name) for name in fields}
        return all(part in (None, ()) or getattr(value, name) == part for name, part in given.items())
    return bool(value == wanted)


def _enough(value: UsageLimits, wanted: UsageLimits) -> bool:
    return (
        value.usage_limits_unit == wanted.usage_limits_unit
        and value.usage_limits_total >= wanted.usage_limits_total
        and (value.usage_limits_count or 0) >= (wanted.usage_limits_count or 0)
    )
