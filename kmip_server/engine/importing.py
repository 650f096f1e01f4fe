"""Import: an object comes with its identifier and its whole history. KMIP 1.4 section 4.41.

Strategy: the attributes are those supplied, State and dates and all; what is not supplied gets the value that
Register gives it. Three things the client does not bring. Whose the object is: the importer's, or, where it
replaces one, whose that was. What only this server knows: how it keeps the value, how long it leases. And what the
object itself tells: that is read off it, and must not be contradicted. An identifier that is taken is told as taken
and nothing more, whoever has it; replaced is only what the importer could have destroyed.
"""

from __future__ import annotations

import re

from kmip_server.crypto import hashing
from kmip_server.engine import attribute_rules, links, making, material, provenance, states, unwrapping
from kmip_server.engine.context import Context
from kmip_server.engine.register import described
from kmip_server.engine.registry import operation
from kmip_server.errors import InvalidAttributeValue, InvalidField, MissingData
from kmip_server.protocol.attribute_set import AttributeSet
from kmip_server.protocol.attribute_values import Digest, UsageLimits
from kmip_server.protocol.enums import HashingAlgorithm, KeyWrapType, ObjectType, Operation
from kmip_server.protocol.objects import OBJECT_TYPES, KeyBlock, KeyValue, ManagedObject, OpaqueObject
from kmip_server.protocol.payloads.transfer import ImportRequest, ImportResponse
from kmip_server.protocol.tags import Tag

# Printable, without a space: an identifier stands as one word in records and logs.
_IDENTIFIER = re.compile(r"[!-~]{1,64}")
# What is so because of this server, not because of the object.
_THIS_SERVERS = (Tag.LEASE_TIME, Tag.PROTECTION_STORAGE_MASK, Tag.SHORT_UNIQUE_IDENTIFIER)


@operation(Operation.IMPORT)
def import_object(context: Context, request: ImportRequest) -> ImportResponse:
    """Keep an object under the identifier it has, with the attributes it has; it goes into the ID Placeholder.

    Raises ObjectAlreadyExists where the identifier is taken, by an object that is not to be replaced or that is
    not this principal's; InvalidField, InvalidAttributeValue, and what `attribute_rules.collected`,
    `provenance.check_brought` and `links.follow` raise; what `unwrapping.unwrapped` raises under Key Wrap
    Type Not Wrapped.
    KMIP 1.4 §4.41; KMIP 2.1 §6.1.25.
    """
    context.permit(Operation.IMPORT)
    unique_identifier = request.unique_identifier
    if not _IDENTIFIER.fullmatch(unique_identifier):
        raise InvalidField("a Unique Identifier has 1 to 64 printable ASCII characters, and no space")
    managed_object, object_type = _object(context, request)
    replaced = context.replaceable(unique_identifier, Operation.IMPORT, bool(request.replace_existing))
    supplied = attribute_rules.collected(context, request.attributes, object_type, imported=True)
    if request.key_wrap_type == KeyWrapType.NOT_WRAPPED and unwrapping.is_wrapped(managed_object):
        managed_object = unwrapping.unwrapped(context, managed_object)
    managed_object, supplied = _with_those_inside(context, managed_object, object_type, supplied)
    supplied = _checked(supplied, unique_identifier, managed_object, object_type)
    managed_object, attributes = described(context, managed_object, object_type, supplied)
    attribute_rules.check_dates(attributes)
    provenance.check_brought(managed_object, object_type, attributes, context.version)
    implicit = making.implicitly_set(context, managed_object, object_type, attributes, generated=False)
    attributes = _with_mandatory_digest(attributes.with_all(implicit), managed_object)
    attribute_rules.check_bounds(context, attributes)
    made = context.make(
        managed_object,
        object_type,
        attributes,
        unique_identifier=unique_identifier,
        replaced=replaced,
    )
    links.follow(context, replaced.attributes if replaced is not None else AttributeSet(), made)
    return ImportResponse(unique_identifier=made.unique_identifier)


def _object(context: Context, request: ImportRequest) -> tuple[ManagedObject, ObjectType]:
    """The object and its type, which 2.x names and 1.x does not."""
    if request.managed_object is None:
        raise MissingData("Import must have an object")
    object_type = OBJECT_TYPES[type(request.managed_object)]
    if request.object_type is None and context.version.major > 1:
        raise MissingData("Import must have an Object Type")
    if request.object_type not in (None, object_type):
        raise InvalidField("the object that is given is not of the Object Type")
    return request.managed_object, object_type


def _with_those_inside(
    context: Context, managed_object: ManagedObject, object_type: ObjectType, supplied: AttributeSet
) -> tuple[ManagedObject, AttributeSet]:
    """The object without the attributes inside its Key Value, and those with the others, which prevail."""
    block = getattr(managed_object, "key_block", None)
    if (
        not isinstance(block, KeyBlock)
        or not isinstance(block.key_value, KeyValue)
        or unwrapping.is_wrapped(managed_object)
    ):
        return managed_object, supplied
    inside = attribute_rules.collected(context, block.key_value.attributes, object_type, imported=True)
    return material.without_attributes(managed_object), attribute_rules.overriding(inside, supplied)


# --- what must not be contradicted --------------------------------------------------------------


def _checked(
    supplied: AttributeSet,
    unique_identifier: str,
    managed_object: ManagedObject,
    object_type: ObjectType,
) -> AttributeSet:
    """The attributes to keep. Raises InvalidAttributeValue where they contradict the object or each other."""
    for tag, value in _told_by_the_object(unique_identifier, managed_object, object_type).items():
        if tag in supplied and supplied.one(tag) != value:
            raise InvalidAttributeValue(f"{tag.title} is not that of the object")
        supplied = supplied.without(tag)
    for tag in _THIS_SERVERS:
        supplied = supplied.without(tag)
    if supplied.one(Tag.STATE) in states.GONE:
        raise InvalidAttributeValue("an object that is given cannot have been destroyed")
    if supplied.one(Tag.ALWAYS_SENSITIVE) and not supplied.one(Tag.SENSITIVE):
        raise InvalidAttributeValue("an object that is not Sensitive has not been so always")
    if supplied.one(Tag.NEVER_EXTRACTABLE) and supplied.one(Tag.EXTRACTABLE) is not False:
        raise InvalidAttributeValue("an object that is Extractable has been so")
    limits: UsageLimits | None = supplied.one(Tag.USAGE_LIMITS)
    if limits is not None and not 0 <= (limits.usage_limits_count or 0) <= limits.usage_limits_total:
        raise InvalidAttributeValue("Usage Limits Count is from 0 to Usage Limits Total")
    for digest in supplied.all(Tag.DIGEST):
        _check_digest(digest, managed_object)
    return supplied


def _told_by_the_object(
    unique_identifier: str, managed_object: ManagedObject, object_type: ObjectType
) -> dict[Tag, object]:
    told: dict[Tag, object] = {Tag.UNIQUE_IDENTIFIER: unique_identifier, Tag.OBJECT_TYPE: object_type}
    if isinstance(managed_object, OpaqueObject):
        told[Tag.OPAQUE_DATA_TYPE] = managed_object.opaque_data_type
    block = getattr(managed_object, "key_block", None)
    if isinstance(block, KeyBlock):
        told[Tag.KEY_FORMAT_TYPE] = block.key_format_type
        told[Tag.KEY_VALUE_PRESENT] = block.key_value is not None
    return told


def _check_digest(digest: Digest, managed_object: ManagedObject) -> None:
    """A digest of the value in the form it has here must be right; of another form nobody here can say."""
    value = material.digested(managed_object)
    block = getattr(managed_object, "key_block", None)
    present = block.key_format_type if isinstance(block, KeyBlock) else None
    if (
        value is None
        or digest.hashing_algorithm not in hashing.HASHES
        or digest.key_format_type not in (None, present)
    ):
        return
    if digest.digest_value != hashing.digest(digest.hashing_algorithm, value):
        raise InvalidAttributeValue("the Digest is not that of the object")


def _with_mandatory_digest(attributes: AttributeSet, managed_object: ManagedObject) -> AttributeSet:
    """With an instance by SHA-256, which a Digest must have (KMIP 1.4 §3.17)."""
    digests: tuple[Digest, ...] = attributes.all(Tag.DIGEST)
    own = making.digest(managed_object)
    if own is None or any(each.hashing_algorithm == HashingAlgorithm.SHA_256 for each in digests):
        return attributes
    return attributes.adding(Tag.DIGEST, own)
