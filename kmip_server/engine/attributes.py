"""Get, list, add, modify and delete attributes. KMIP 1.4 sections 4.12-4.16.

Strategy: the rules are in `attribute_rules.py` and in the attribute table; each operation here is to look, to
check, to save. What Get Attributes shows is `view`: what is stored and what follows from it.
"""

from __future__ import annotations

from kmip_server.engine import attribute_rules as rules
from kmip_server.engine.context import Context, Found
from kmip_server.engine.registry import operation
from kmip_server.errors import (
    AttributeIndexGiven,
    AttributeInstanceNotFound,
    AttributeNotFound,
    AttributeReadOnly,
    AttributeSingleValued,
    DuplicateField,
    MissingData,
)
from kmip_server.protocol.attribute_set import Attribute, AttributeSet, VendorAttribute
from kmip_server.protocol.enums import Operation
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    AddAttributeResponse,
    DeleteAttributeRequest,
    DeleteAttributeResponse,
    GetAttributeListRequest,
    GetAttributeListResponse,
    GetAttributesRequest,
    GetAttributesResponse,
    ModifyAttributeRequest,
    ModifyAttributeResponse,
)
from kmip_server.protocol.spellings import key_of_name
from kmip_server.protocol.tags import Tag


def view(found: Found, lease_time_seconds: int) -> AttributeSet:
    """Every attribute of the object as a client sees it: the stored ones and those that follow from them."""
    stored = found.stored
    values: dict[Tag, object] = {
        Tag.UNIQUE_IDENTIFIER: stored.unique_identifier,
        Tag.OBJECT_TYPE: stored.object_type,
    }
    state = found.state
    if state is not None:
        values[Tag.STATE] = state
        values[Tag.LEASE_TIME] = lease_time_seconds
    return AttributeSet(Attribute(tag, 0, value) for tag, value in values.items()).with_all(stored.attributes)


@operation(Operation.GET_ATTRIBUTES)
def get_attributes(context: Context, request: GetAttributesRequest) -> GetAttributesResponse:
    """The attributes named, or all; those the object does not have are left out.

    Raises DuplicateField where a name is given twice. KMIP 1.4 §4.12; KMIP 2.1 §6.1.20.
    """
    names = request.attribute_names
    if len(set(names)) != len(names):
        raise DuplicateField("the same Attribute Name is given twice")
    found = context.open(request.unique_identifier, Operation.GET_ATTRIBUTES)
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

    Raises AttributeIndexGiven, AttributeSingleValued, and what `attribute_rules.settable` raises.
    KMIP 1.4 §4.14; KMIP 2.1 §6.1.2.
    """
    attribute = request.attribute
    found = context.open(request.unique_identifier, Operation.ADD_ATTRIBUTE)
    if attribute.index is not None and context.version.major == 1:
        raise AttributeIndexGiven("Add Attribute takes no Attribute Index; the server assigns it")
    row = rules.settable(attribute, found.object_type)
    key = attribute.key
    if row is not None and not row.multiple and key in found.attributes:
        # Some arrays say their Operation Policy Name again; saying what is so already changes nothing.
        if key != Tag.OPERATION_POLICY_NAME or found.attributes.one(key) != attribute.value:
            raise AttributeSingleValued(f"the object has {row.name}; Modify Attribute changes it")
        return AddAttributeResponse(unique_identifier=found.unique_identifier, attribute=attribute)
    if row is not None:
        rules.check_date_open(context, found, row.tag)
    changed = found.attributes.adding(key, rules.completed(attribute.value))
    rules.check_instances(key, changed.instances(key))
    rules.check_dates(changed)
    saved = context.save(found, changed)
    return AddAttributeResponse(
        unique_identifier=found.unique_identifier, attribute=saved.attributes.instances(key)[-1]
    )


@operation(Operation.MODIFY_ATTRIBUTE)
def modify_attribute(context: Context, request: ModifyAttributeRequest) -> ModifyAttributeResponse:
    """Change the value of one instance; the answer holds the attribute as it is now.

    Raises AttributeNotFound, AttributeInstanceNotFound, AttributeReadOnly, WrongKeyLifecycleState and what
    `attribute_rules.settable` raises. KMIP 1.4 §4.15; KMIP 2.1 §6.1.34.
    """
    attribute = request.attribute
    key, index, _ = attribute
    found = context.open(request.unique_identifier, Operation.MODIFY_ATTRIBUTE)
    row = rules.settable(attribute, found.object_type)
    if row is not None:
        rules.check_modifiable(context, found, row)
    present = _instance(found, key, index)
    assert present.index is not None
    changed = found.attributes.replacing(key, present.index, rules.completed(attribute.value))
    rules.check_instances(key, changed.instances(key))
    rules.check_dates(changed)
    saved = context.save(found, changed)
    return ModifyAttributeResponse(
        unique_identifier=found.unique_identifier, attribute=saved.attributes.at(key, present.index)
    )


@operation(Operation.DELETE_ATTRIBUTE)
def delete_attribute(context: Context, request: DeleteAttributeRequest) -> DeleteAttributeResponse:
    """Take one instance of an attribute away; the answer holds what it was.

    Raises AttributeReadOnly, AttributeNotFound, AttributeInstanceNotFound.
    KMIP 1.4 §4.16; KMIP 2.1 §6.1.14.
    """
    if request.attribute_name is None:
        raise MissingData("Delete Attribute must have an Attribute Name")
    key = key_of_name(request.attribute_name)
    found = context.open(request.unique_identifier, Operation.DELETE_ATTRIBUTE)
    row = rules.row_of(key) if not (isinstance(key, VendorAttribute) and not key.vendor_identification) else None
    if row is not None and not row.deletable:
        raise AttributeReadOnly(f"{row.name} cannot be deleted by a client")
    if isinstance(key, VendorAttribute) and key.vendor_identification == "y":
        raise AttributeReadOnly(f"{key.title} belongs to the server")
    present = _instance(found, key, request.attribute_index)
    context.save(found, found.attributes.without(key, present.index))
    return DeleteAttributeResponse(unique_identifier=found.unique_identifier, attribute=present)


def _instance(found: Found, key: Tag | VendorAttribute, index: int | None) -> Attribute:
    """The instance with this index, 0 where none is given."""
    if key not in found.attributes:
        raise AttributeNotFound(f"the object has no {key.title}")
    present = found.attributes.at(key, index or 0)
    if present is None:
        raise AttributeInstanceNotFound(f"the object has no {key.title} with Attribute Index {index or 0}")
    return present
