"""Get, list, add, modify, delete, set and adjust attributes. KMIP 1.4 sections 4.12-4.16, KMIP 2.1 section 6.1.

Strategy: the rules are in `attribute_rules.py` and in the attribute table; each operation here is to look, to
check, to save. What Get Attributes shows is `view`: what is stored and what follows from it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from kmip_server.engine import adjustment, links
from kmip_server.engine import attribute_rules as rules
from kmip_server.engine.context import Context, Found
from kmip_server.engine.registry import operation
from kmip_server.errors import (
    AttributeIndexGiven,
    AttributeInstanceNotFound,
    AttributeNotFound,
    AttributeSingleValued,
    DuplicateField,
    InvalidField,
    MissingData,
    MultiValuedAttribute,
)
from kmip_server.protocol.attribute_set import Attribute, AttributeKey, AttributeSet
from kmip_server.protocol.attributes import AttributeRow
from kmip_server.protocol.enums import Operation
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    AddAttributeResponse,
    AdjustAttributeRequest,
    AdjustAttributeResponse,
    DeleteAttributeRequest,
    DeleteAttributeResponse,
    GetAttributeListRequest,
    GetAttributeListResponse,
    GetAttributesRequest,
    GetAttributesResponse,
    ModifyAttributeRequest,
    ModifyAttributeResponse,
    SetAttributeRequest,
    SetAttributeResponse,
)
from kmip_server.protocol.spellings import key_of_name
from kmip_server.protocol.tags import Tag


def short_unique_identifier(unique_identifier: str) -> bytes:
    """The 32 bytes that KMIP 2.1 §4.56 recommends."""
    return hashlib.sha256(unique_identifier.encode()).digest()


def view(found: Found, lease_time_seconds: int) -> AttributeSet:
    """Every attribute of the object as a client sees it: the stored ones and those that follow from them."""
    stored = found.stored
    values: dict[Tag, object] = {
        Tag.UNIQUE_IDENTIFIER: stored.unique_identifier,
        Tag.OBJECT_TYPE: stored.object_type,
        Tag.SHORT_UNIQUE_IDENTIFIER: short_unique_identifier(stored.unique_identifier),
    }
    state = found.state
    if state is not None:
        values[Tag.STATE] = state
        values[Tag.LEASE_TIME] = lease_time_seconds
    return AttributeSet(Attribute(tag, 0, value) for tag, value in values.items()).with_all(stored.attributes)


@operation(Operation.GET_ATTRIBUTES)
def get_attributes(context: Context, request: GetAttributesRequest) -> GetAttributesResponse:
    """The attributes named, or all; those the object does not have are left out.

    Raises DuplicateField where a name is given twice, InvalidAttribute for what is no attribute in 2.x.
    KMIP 1.4 §4.12; KMIP 2.1 §6.1.20.
    """
    names = request.attribute_names
    if len(set(names)) != len(names):
        raise DuplicateField("the same Attribute Name is given twice")
    found = context.open(request.unique_identifier, Operation.GET_ATTRIBUTES)
    rules.check_defined(context, names)
    seen = view(found, context.policy.lease_time_seconds)
    chosen = seen if not names else [a for name in names for a in seen.instances(name)]
    return GetAttributesResponse(unique_identifier=found.unique_identifier, attributes=tuple(chosen))


@operation(Operation.GET_ATTRIBUTE_LIST)
def get_attribute_list(context: Context, request: GetAttributeListRequest) -> GetAttributeListResponse:
    """The names of the attributes the object has. KMIP 1.4 §4.13; KMIP 2.1 §6.1.21."""
    found = context.open(request.unique_identifier, Operation.GET_ATTRIBUTE_LIST)
    names = view(found, context.policy.lease_time_seconds).keys()
    return GetAttributeListResponse(unique_identifier=found.unique_identifier, attribute_names=names)


@operation(Operation.ADD_ATTRIBUTE)
def add_attribute(context: Context, request: AddAttributeRequest) -> AddAttributeResponse:
    """Add one instance of an attribute.

    Raises AttributeIndexGiven, AttributeSingleValued, and what `attribute_rules.settable` and `changed` raise.
    KMIP 1.4 §4.14; KMIP 2.1 §6.1.2.
    """
    attribute = request.attribute
    found = context.open(request.unique_identifier, Operation.ADD_ATTRIBUTE)
    if attribute.index is not None and context.version.major == 1:
        raise AttributeIndexGiven("Add Attribute takes no Attribute Index; the server assigns it")
    row = rules.settable(context, attribute, found.object_type)
    key = attribute.key
    if row is not None and not row.multiple and key in found.attributes:
        # Some arrays say their Operation Policy Name again; saying what is so already changes nothing.
        if key != Tag.OPERATION_POLICY_NAME or found.attributes.one(key) != attribute.value:
            raise AttributeSingleValued(f"the object has {row.name}; Modify Attribute changes it")
        return AddAttributeResponse(unique_identifier=found.unique_identifier, attribute=attribute)
    if key == Tag.LINK:
        # The server may have said so before the client does: what is so already is not said twice.
        instance = links.present(found.attributes, rules.meant(context, attribute.value))
        if instance is not None:
            return AddAttributeResponse(unique_identifier=found.unique_identifier, attribute=instance)
    saved = _added(context, found, row, attribute)
    return AddAttributeResponse(
        unique_identifier=found.unique_identifier, attribute=saved.attributes.instances(key)[-1]
    )


@operation(Operation.MODIFY_ATTRIBUTE)
def modify_attribute(context: Context, request: ModifyAttributeRequest) -> ModifyAttributeResponse:
    """Change the value of one instance; in 1.x the answer holds the attribute as it is now.

    Raises AttributeNotFound, AttributeInstanceNotFound, AttributeReadOnly, WrongKeyLifecycleState and what
    `attribute_rules.settable` and `changed` raise. KMIP 1.4 §4.15; KMIP 2.1 §6.1.34.
    """
    attribute = request.attribute
    found = context.open(request.unique_identifier, Operation.MODIFY_ATTRIBUTE)
    row = rules.settable(context, attribute, found.object_type)
    rules.check_modifiable(context, found, row)
    present = _instance(context, found, attribute.key, attribute.index, request.current_attribute)
    saved = _replaced(context, found, present, attribute.value)
    return ModifyAttributeResponse(
        unique_identifier=found.unique_identifier, attribute=saved.attributes.at(present.key, present.index or 0)
    )


@operation(Operation.DELETE_ATTRIBUTE)
def delete_attribute(context: Context, request: DeleteAttributeRequest) -> DeleteAttributeResponse:
    """Take an instance of an attribute away; in 1.x the answer holds what it was.

    2.x names the instance by its value, or all instances by a reference. Raises MissingData where nothing is named,
    InvalidAttribute, AttributeReadOnly, AttributeNotFound, AttributeInstanceNotFound.
    KMIP 1.4 §4.16; KMIP 2.1 §6.1.13.
    """
    current = request.current_attribute
    keys: tuple[AttributeKey, ...] = request.attribute_references
    if current is not None:
        keys = (current.key,)
    elif request.attribute_name is not None:
        keys = (key_of_name(request.attribute_name),)
    if not keys:
        raise MissingData("Delete Attribute must name an attribute")
    found = context.open(request.unique_identifier, Operation.DELETE_ATTRIBUTE)
    rules.check_defined(context, keys)
    deleted: Attribute | None = None
    attributes = found.attributes
    for key in keys:
        rules.check_deletable(found, key)
        if context.version.major == 1 or current is not None:
            deleted = _instance(context, found, key, request.attribute_index, current)
            attributes = attributes.without(key, deleted.index)
        elif key not in found.attributes:
            raise AttributeNotFound(f"the object has no {key.title}")
        else:
            attributes = attributes.without(key)
    rules.save(context, found, attributes)
    return DeleteAttributeResponse(unique_identifier=found.unique_identifier, attribute=deleted)


@operation(Operation.SET_ATTRIBUTE)
def set_attribute(context: Context, request: SetAttributeRequest) -> SetAttributeResponse:
    """Add an attribute that the object does not have, or change the one instance of one that it has.

    Raises MultiValuedAttribute, AttributeReadOnly, WrongKeyLifecycleState and what `attribute_rules.settable` and
    `changed` raise. KMIP 2.1 §6.1.51.
    """
    attribute = request.attribute
    found = context.open(request.unique_identifier, Operation.SET_ATTRIBUTE)
    row = rules.settable(context, attribute, found.object_type)
    present = _only(found, attribute.key)
    if present is None:
        _added(context, found, row, attribute)
    else:
        rules.check_modifiable(context, found, row)
        _replaced(context, found, present, attribute.value)
    return SetAttributeResponse(unique_identifier=found.unique_identifier)


@operation(Operation.ADJUST_ATTRIBUTE)
def adjust_attribute(context: Context, request: AdjustAttributeRequest) -> AdjustAttributeResponse:
    """Count an attribute up or down, or turn it into its opposite; one that is absent counts from 0, or False.

    Raises MissingData where not one attribute is named, MultiValuedAttribute, AttributeReadOnly, InvalidDataType,
    NumericRange and what `attribute_rules.settable` and `changed` raise. KMIP 2.1 §6.1.3.
    """
    if len(request.attribute_references) != 1:
        raise MissingData("Adjust Attribute must have one Attribute Reference")
    (key,) = request.attribute_references
    found = context.open(request.unique_identifier, Operation.ADJUST_ATTRIBUTE)
    present = _only(found, key)
    value = adjustment.adjusted(
        key, None if present is None else present.value, request.adjustment_type, request.adjustment_value
    )
    attribute = Attribute(key, None, value)
    row = rules.row_of(key)
    if row is None or row.carried_by(found.object_type, context.version):
        rules.check_modifiable(context, found, row)
    row = rules.settable(context, attribute, found.object_type)
    if present is None:
        _added(context, found, row, attribute)
    else:
        _replaced(context, found, present, value)
    return AdjustAttributeResponse(unique_identifier=found.unique_identifier)


# --- what they share ----------------------------------------------------------------------------


def _added(context: Context, found: Found, row: AttributeRow | None, attribute: Attribute) -> Found:
    rules.check_addable(context, found, row)
    value = rules.completed(context, attribute.value)
    return rules.save(context, found, found.attributes.adding(attribute.key, value))


def _replaced(context: Context, found: Found, present: Attribute, value: Any) -> Found:
    assert present.index is not None
    value = rules.completed(context, value)
    return rules.save(context, found, found.attributes.replacing(present.key, present.index, value))


def _only(found: Found, key: AttributeKey) -> Attribute | None:
    """The one instance of an attribute, if it has any. Raises MultiValuedAttribute where it has more."""
    instances = found.attributes.instances(key)
    if len(instances) > 1:
        raise MultiValuedAttribute(f"the object has {len(instances)} instances of {key.title}")
    return instances[0] if instances else None


def _instance(
    context: Context, found: Found, key: AttributeKey, index: int | None, current: Attribute | None
) -> Attribute:
    """The instance that a request means: 1.x counts them, from 0; 2.x says its value, unless it is the only one."""
    instances = found.attributes.instances(key)
    if not instances:
        raise AttributeNotFound(f"the object has no {key.title}")
    if context.version.major == 1:
        present = found.attributes.at(key, index or 0)
        if present is None:
            raise AttributeInstanceNotFound(f"the object has no {key.title} with Attribute Index {index or 0}")
        return present
    if current is None:
        if len(instances) > 1:
            raise AttributeInstanceNotFound(f"the object has several {key.title}; give the Current Attribute")
        return instances[0]
    if current.key != key:
        raise InvalidField("Current Attribute and New Attribute are different attributes")
    wanted = rules.meant(context, current.value)
    for present in instances:
        if present.value == wanted:
            return present
    raise AttributeInstanceNotFound(f"the object has no {key.title} of this value")
