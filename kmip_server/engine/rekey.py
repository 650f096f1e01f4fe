"""Re-key: a new key takes the place of an old one. KMIP 1.4 section 4.4.

Strategy: the replacement inherits every attribute but those of the standard's table "Re-key Attribute
Requirements"; dates move by the Offset; the Name moves, so that who looks it up finds the new key, while the old
one stays as it is for what it protected.
"""

from __future__ import annotations

from kmip_server.engine import attribute_rules, making
from kmip_server.engine.context import Context, Found
from kmip_server.engine.create import make_symmetric_key
from kmip_server.engine.registry import operation
from kmip_server.errors import CannotBeRekeyed, ConflictingDates, IllegalOperation, InvalidField
from kmip_server.protocol.attribute_set import Attribute, AttributeSet
from kmip_server.protocol.attribute_values import Link
from kmip_server.protocol.enums import LinkType, ObjectType, Operation
from kmip_server.protocol.payloads.rekey import RekeyRequest, RekeyResponse
from kmip_server.protocol.tags import Tag

# Not inherited: set anew, or not at all (KMIP 1.4 §4.4, table 173).
_NOT_INHERITED = frozenset(
    {
        Tag.INITIAL_DATE,
        Tag.ORIGINAL_CREATION_DATE,
        Tag.DESTROY_DATE,
        Tag.COMPROMISE_OCCURRENCE_DATE,
        Tag.COMPROMISE_DATE,
        Tag.REVOCATION_REASON,
        Tag.STATE,
        Tag.DIGEST,
        Tag.LAST_CHANGE_DATE,
        Tag.RANDOM_NUMBER_GENERATOR,
        Tag.FRESH,
        Tag.ALWAYS_SENSITIVE,
        Tag.NEVER_EXTRACTABLE,
    }
)
_MOVED = (Tag.PROCESS_START_DATE, Tag.PROTECT_STOP_DATE, Tag.DEACTIVATION_DATE)
_REPLACEMENT = frozenset({LinkType.REPLACEMENT_OBJECT_LINK, LinkType.REPLACED_OBJECT_LINK})


@operation(Operation.RE_KEY)
def rekey(context: Context, request: RekeyRequest) -> RekeyResponse:
    """Make a replacement for a symmetric key, and put it into the ID Placeholder.

    Raises CannotBeRekeyed for other objects and for a key that has been replaced already, ConflictingDates
    where an Offset and a date are given, IllegalOperation where an Offset has no Activation Date to move from.
    KMIP 1.4 §4.4; KMIP 2.1 §6.1.42.
    """
    found = context.open(request.unique_identifier, Operation.RE_KEY)
    context.permit(Operation.CREATE)
    if found.object_type != ObjectType.SYMMETRIC_KEY:
        raise CannotBeRekeyed("Re-key replaces Symmetric Keys only")
    links: tuple[Link, ...] = found.attributes.all(Tag.LINK)
    if any(link.link_type == LinkType.REPLACEMENT_OBJECT_LINK for link in links):
        raise CannotBeRekeyed("the key has been replaced already; re-key its replacement")
    wanted = attribute_rules.requested(context, ObjectType.SYMMETRIC_KEY, request.template_attribute)
    inherited = _inherited(found)
    if request.offset is not None:
        inherited = _moved(context, inherited, wanted, request.offset)
    attributes = attribute_rules.overriding(inherited, wanted)
    for tag in (Tag.CRYPTOGRAPHIC_ALGORITHM, Tag.CRYPTOGRAPHIC_LENGTH):
        if attributes.one(tag) != found.attributes.one(tag):
            raise InvalidField(f"a replacement has the {tag.title} of the key it replaces")
    # The old key gives its Name up before the new one takes it.
    old = context.save(found, found.attributes.without(Tag.NAME))
    new = make_symmetric_key(context, attributes)
    new = making.linked(context, new, LinkType.REPLACED_OBJECT_LINK, old)
    making.linked(context, old, LinkType.REPLACEMENT_OBJECT_LINK, new)
    return RekeyResponse(unique_identifier=new.unique_identifier)


def _inherited(found: Found) -> AttributeSet:
    kept = [a for a in found.attributes if a.key not in _NOT_INHERITED and not _is_replacement_link(a)]
    return AttributeSet(a._replace(value=attribute_rules.completed(a.value)) for a in kept)


def _is_replacement_link(attribute: Attribute) -> bool:
    return attribute.key == Tag.LINK and attribute.value.link_type in _REPLACEMENT


def _moved(context: Context, inherited: AttributeSet, wanted: AttributeSet, offset: int) -> AttributeSet:
    """The dates that follow from an Offset of `offset` seconds after now."""
    given = [tag for tag in (Tag.ACTIVATION_DATE, *_MOVED) if tag in wanted]
    if given:
        raise ConflictingDates(f"an Offset and {given[0].title} cannot be given together")
    before: int | None = inherited.one(Tag.ACTIVATION_DATE)
    if before is None:
        if any(tag in inherited for tag in _MOVED):
            raise IllegalOperation("the key has no Activation Date for an Offset to move its dates from")
        return inherited.with_value(Tag.ACTIVATION_DATE, context.now + offset)
    activation = context.now + offset
    values: dict[Tag, object] = {Tag.ACTIVATION_DATE: activation}
    for tag in _MOVED:
        if tag in inherited:
            values[tag] = inherited.one(tag) + activation - before
    return inherited.with_values(values)
