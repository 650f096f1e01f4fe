"""Re-key and Re-key Key Pair: new keys take the place of old ones. KMIP 1.4 sections 4.4 and 4.5.

Strategy: a replacement inherits every attribute but those of the standard's tables "Re-key Attribute Requirements"
and "Re-key Key Pair Attribute Requirements"; dates move by the Offset; the Name moves, so that who looks it up
finds the new key, while the old one stays as it is for what it protected. A pair is replaced as a whole: both old
and both new keys are in one unit of work.
"""

from __future__ import annotations

from kmip_server.engine import attribute_rules, key_formats, making
from kmip_server.engine.context import Context, Found
from kmip_server.engine.create import make_key_pair, make_symmetric_key
from kmip_server.engine.registry import operation
from kmip_server.errors import (
    CannotBeRekeyed,
    ConflictingDates,
    IllegalOperation,
    InvalidField,
    KeyValueNotPresent,
    PrivateProtectionStorageUnavailable,
    PublicProtectionStorageUnavailable,
)
from kmip_server.protocol.attribute_set import AttributeSet
from kmip_server.protocol.attribute_values import LATEST_DATE, CryptographicDomainParameters, Link
from kmip_server.protocol.enums import CryptographicAlgorithm, KeyFormatType, LinkType, ObjectType, Operation
from kmip_server.protocol.payloads.rekey import (
    RekeyKeyPairRequest,
    RekeyKeyPairResponse,
    RekeyRequest,
    RekeyResponse,
)
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import Version

# Not inherited: set anew, or not at all (KMIP 1.4 tables 173 and 177).
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
        Tag.LINK,
        Tag.LAST_CHANGE_DATE,
        Tag.RANDOM_NUMBER_GENERATOR,
        Tag.FRESH,
        Tag.PROTECTION_STORAGE_MASK,
        Tag.ROTATE_DATE,
        Tag.ROTATE_GENERATION,
        Tag.ROTATE_LATEST,
        Tag.ALWAYS_SENSITIVE,
        Tag.NEVER_EXTRACTABLE,
    }
)
_MOVED = (Tag.PROCESS_START_DATE, Tag.PROTECT_STOP_DATE, Tag.DEACTIVATION_DATE)
_WITHOUT_ALGORITHM = frozenset({KeyFormatType.RAW, KeyFormatType.OPAQUE})
# Algorithms that have one curve, which so need not be said.
_IMPLYING = frozenset({CryptographicAlgorithm.ED25519, CryptographicAlgorithm.ED448})
# What makes a key: a replacement has all of it.
_KIND = (Tag.CRYPTOGRAPHIC_ALGORITHM, Tag.CRYPTOGRAPHIC_LENGTH, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)


@operation(Operation.RE_KEY)
def rekey(context: Context, request: RekeyRequest) -> RekeyResponse:
    """Make a replacement for a symmetric key, and put it into the ID Placeholder.

    Raises CannotBeRekeyed for other objects and for a key that has been replaced already, KeyValueNotPresent,
    ConflictingDates where an Offset and a date are given, IllegalOperation where an Offset has no Activation Date
    to move from, InvalidField for a replacement of another kind and for an Offset into no date.
    KMIP 1.4 §4.4; KMIP 2.1 §6.1.46.
    """
    found = context.open(request.unique_identifier, Operation.RE_KEY)
    context.permit(Operation.CREATE)
    making.require_storage(request.protection_storage_masks)
    _require_replaceable(found, ObjectType.SYMMETRIC_KEY)
    wanted = attribute_rules.requested(context, ObjectType.SYMMETRIC_KEY, request.template_attribute)
    attributes = _replacing(context, found, wanted, request.offset)
    old = _nameless(context, found)
    new = _chained(context, old, make_symmetric_key(context, attributes))
    return RekeyResponse(unique_identifier=new.unique_identifier)


@operation(Operation.RE_KEY_KEY_PAIR)
def rekey_key_pair(context: Context, request: RekeyKeyPairRequest) -> RekeyKeyPairResponse:
    """Make a replacement for a key pair, and put the new private key into the ID Placeholder.

    Raises as Re-key does; CannotBeRekeyed also for a private key that has no Link to its public key.
    KMIP 1.4 §4.5; KMIP 2.1 §6.1.47.
    """
    private = context.open(request.private_key_unique_identifier, Operation.RE_KEY_KEY_PAIR)
    context.permit(Operation.CREATE_KEY_PAIR)
    _require_replaceable(private, ObjectType.PRIVATE_KEY)
    identifier = _linked(private, LinkType.PUBLIC_KEY_LINK)
    if identifier is None:
        raise CannotBeRekeyed("the private key has no Link to a public key")
    public = context.open(identifier, Operation.RE_KEY_KEY_PAIR)
    _require_replaceable(public, ObjectType.PUBLIC_KEY)
    making.require_storage(request.common_protection_storage_masks)
    making.require_storage(request.private_protection_storage_masks, PrivateProtectionStorageUnavailable)
    making.require_storage(request.public_protection_storage_masks, PublicProtectionStorageUnavailable)
    common = request.common_template_attribute
    for_private = attribute_rules.requested(
        context, ObjectType.PRIVATE_KEY, common, request.private_key_template_attribute
    )
    for_public = attribute_rules.requested(
        context, ObjectType.PUBLIC_KEY, common, request.public_key_template_attribute
    )
    private_attributes = _replacing(context, private, for_private, request.offset)
    public_attributes = _replacing(context, public, for_public, request.offset)
    old_private, old_public = _nameless(context, private), _nameless(context, public)
    new_private, new_public = make_key_pair(context, private_attributes, public_attributes)
    _chained(context, old_public, new_public)
    _chained(context, old_private, new_private)
    context.id_placeholder = new_private.unique_identifier
    return RekeyKeyPairResponse(
        private_key_unique_identifier=new_private.unique_identifier,
        public_key_unique_identifier=new_public.unique_identifier,
    )


# --- the old key --------------------------------------------------------------------------------


def _require_replaceable(found: Found, object_type: ObjectType) -> None:
    """Raise CannotBeRekeyed or KeyValueNotPresent for an object that no new one can stand for."""
    if found.object_type != object_type:
        raise CannotBeRekeyed(f"a {found.object_type.title} is not a {object_type.title}, which is replaced here")
    if _linked(found, LinkType.REPLACEMENT_OBJECT_LINK) is not None:
        raise CannotBeRekeyed("the key has been replaced already; re-key its replacement")
    if found.attributes.one(Tag.KEY_VALUE_PRESENT) is False:
        raise KeyValueNotPresent("the key was registered without its Key Value")


def _linked(found: Found, link_type: LinkType) -> str | None:
    """The Unique Identifier that the object's Link of this type leads to."""
    links: tuple[Link, ...] = found.attributes.all(Tag.LINK)
    # What is stored was resolved when it was set.
    return next((str(link.linked_object_identifier) for link in links if link.link_type == link_type), None)


def _nameless(context: Context, found: Found) -> Found:
    """The old key gives its Name up before the new one takes it."""
    return context.save(found, found.attributes.without(Tag.NAME))


def _chained(context: Context, old: Found, new: Found) -> Found:
    """Links both ways: the Replaced Object of the new key, the Replacement Object of the old one.

    What tells the generations of a key apart goes with it (KMIP 2.1 §4.49-4.52).
    """
    generation = old.attributes.one(Tag.ROTATE_GENERATION) or 0
    new = making.marked(context, new, {Tag.ROTATE_GENERATION: generation + 1, Tag.ROTATE_LATEST: True})
    old = making.marked(context, old, {Tag.ROTATE_DATE: context.now, Tag.ROTATE_LATEST: False})
    new = making.linked(context, new, LinkType.REPLACED_OBJECT_LINK, old)
    making.linked(context, old, LinkType.REPLACEMENT_OBJECT_LINK, new)
    return new


# --- the attributes of the new one --------------------------------------------------------------


def _replacing(context: Context, found: Found, wanted: AttributeSet, offset: int | None) -> AttributeSet:
    """What the replacement is asked to be: as the old key, dates moved by the Offset, and what the request says."""
    inherited = _inherited(context, found)
    if offset is not None:
        inherited = _moved(context, inherited, wanted, offset)
    attributes = attribute_rules.overriding(inherited, wanted)
    for tag in _KIND:
        if attributes.one(tag) != inherited.one(tag):
            raise InvalidField(f"a replacement has the {tag.title} of the key it replaces")
    return attributes


def _inherited(context: Context, found: Found) -> AttributeSet:
    kept = [a for a in found.attributes if a.key not in _NOT_INHERITED]
    inherited = AttributeSet(a._replace(value=attribute_rules.completed(context, a.value)) for a in kept)
    present: KeyFormatType | None = inherited.one(Tag.KEY_FORMAT_TYPE)
    if present is not None and not _is_made(found.object_type, present, context.version):
        inherited = inherited.without(Tag.KEY_FORMAT_TYPE)
    if Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS in inherited or found.object_type == ObjectType.SYMMETRIC_KEY:
        return inherited
    return inherited.with_value(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, _domain(found))


def _is_made(object_type: ObjectType, key_format_type: KeyFormatType, version: Version) -> bool:
    """Whether a new key can be in the Key Format Type that an old one was registered in."""
    if object_type == ObjectType.SYMMETRIC_KEY:
        return True
    if object_type == ObjectType.PUBLIC_KEY and key_format_type == KeyFormatType.PKCS_8:
        return False
    return key_format_type not in _WITHOUT_ALGORITHM and key_format_type.known_in(version)


def _domain(found: Found) -> CryptographicDomainParameters | None:
    """The curve of a key that was kept before its domain parameters were read off it: a length does not tell."""
    read = key_formats.described(found.material(), found.attributes)
    if read is None or read.algorithm in _IMPLYING or (read.curve is None and read.qlength is None):
        return None
    return CryptographicDomainParameters(qlength=read.qlength, recommended_curve=read.curve)


def _moved(context: Context, inherited: AttributeSet, wanted: AttributeSet, offset: int) -> AttributeSet:
    """The dates that follow from an Offset of `offset` seconds after now."""
    given = [tag for tag in (Tag.ACTIVATION_DATE, *_MOVED) if tag in wanted]
    if given:
        raise ConflictingDates(f"an Offset and {given[0].title} cannot be given together")
    before: int | None = inherited.one(Tag.ACTIVATION_DATE)
    if before is None:
        if any(tag in inherited for tag in _MOVED):
            raise IllegalOperation("the key has no Activation Date for an Offset to move its dates from")
        return inherited.with_value(Tag.ACTIVATION_DATE, _date(context.now + offset))
    activation = _date(context.now + offset)
    values: dict[Tag, object] = {Tag.ACTIVATION_DATE: activation}
    for tag in _MOVED:
        if tag in inherited:
            values[tag] = _date(inherited.one(tag) + activation - before)
    return inherited.with_values(values)


def _date(seconds: int) -> int:
    """A date that was computed. Raises InvalidField where a Date-Time does not hold it, or it is before 1970."""
    if not 0 <= seconds <= LATEST_DATE:
        raise InvalidField("the Offset moves a date out of what a Date-Time holds")
    return seconds
