"""What every new object gets from the server, whichever operation makes it.

Strategy: the columns "when implicitly set" of the standard's attribute tables, in one function. KMIP 1.4 §3.
"""

from __future__ import annotations

import hashlib

from kmip_server.engine import attribute_rules, key_formats, links, material, provenance, states
from kmip_server.engine.context import Context, Found
from kmip_server.errors import (
    IllegalOperation,
    InvalidAttributeValue,
    KeyFormatTypeNotSupported,
    KeyValueNotPresent,
    ProtectionStorageUnavailable,
)
from kmip_server.protocol.attribute_set import AttributeSet
from kmip_server.protocol.attribute_values import Digest, Link, ProtectionStorageMasks
from kmip_server.protocol.enums import (
    CryptographicAlgorithm,
    HashingAlgorithm,
    KeyFormatType,
    LinkType,
    ObjectType,
    ProtectionStorageMask,
)
from kmip_server.protocol.objects import (
    Certificate,
    CertificateRequest,
    KeyBlock,
    KeyValue,
    ManagedObject,
    OpaqueObject,
    Template,
    TransparentMaterial,
)
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V2_0

STORED_IN = ProtectionStorageMask.SOFTWARE
"""Values lie sealed in the database: what is protected by the HSM is the key above them."""


def make(
    context: Context,
    managed_object: ManagedObject,
    object_type: ObjectType,
    attributes: AttributeSet,
    *,
    generated: bool,
) -> Found:
    """Save a new object with what the client asked for and what the server adds.

    `generated`: whether the server made the key itself. Raises InvalidAttributeValue for dates out of order, and
    what `attribute_rules.check_bounds`, `provenance.check_generated` or `check_brought` raise.
    """
    attribute_rules.check_dates(attributes)
    attribute_rules.check_quantum_safe(attributes)
    if generated:
        provenance.check_generated(object_type, attributes)
    else:
        provenance.check_brought(managed_object, object_type, attributes, context.version)
    attributes = implicitly_set(context, managed_object, object_type, attributes, generated)
    attribute_rules.check_bounds(context, attributes)
    made = context.make(managed_object, object_type, attributes)
    links.follow(context, AttributeSet(), made)
    return made


def require_storage(
    masks: ProtectionStorageMasks | None,
    error: type[ProtectionStorageUnavailable] = ProtectionStorageUnavailable,
) -> None:
    """Raise `error` unless one of the masks a client permits is served with all its bits. KMIP 2.1 §7.33."""
    if masks is None or not masks.masks:
        return
    if not any(mask and not mask & ~STORED_IN for mask in masks.masks):
        raise error(f"objects are kept in {STORED_IN.name}; no mask that is given permits it")


def implicitly_set(
    context: Context,
    managed_object: ManagedObject,
    object_type: ObjectType,
    attributes: AttributeSet,
    generated: bool,
) -> AttributeSet:
    """`attributes` and what the server sets beside them."""
    now = context.now
    values: dict[Tag, object] = {
        Tag.INITIAL_DATE: now,
        Tag.LAST_CHANGE_DATE: now,
        Tag.PROTECTION_STORAGE_MASK: STORED_IN,
    }
    if generated:
        values |= {
            Tag.ORIGINAL_CREATION_DATE: now,
            Tag.RANDOM_NUMBER_GENERATOR: provenance.generator_of(object_type),
        }
    if isinstance(managed_object, OpaqueObject):
        values[Tag.OPAQUE_DATA_TYPE] = managed_object.opaque_data_type
    values[Tag.KEY_FORMAT_TYPE] = _key_format_type(managed_object, attributes)
    if states.has_state(object_type):
        values[Tag.STATE] = states.initial_state(attributes, now)
        # Of what came wrapped, the digest is there already where the server could look into it.
        values[Tag.DIGEST] = digest(managed_object) or attributes.one(Tag.DIGEST)
        if Tag.FRESH not in attributes:
            values[Tag.FRESH] = True
    made = attributes.with_values(values | _protection(attributes))
    other = _digest_in_default_format(context, managed_object, object_type, made)
    return made if other is None else made.adding(Tag.DIGEST, other)


def _key_format_type(managed_object: ManagedObject, attributes: AttributeSet) -> KeyFormatType | None:
    """The Key Format Type attribute. Raises InvalidAttributeValue where another was asked for. KMIP 2.1 §4.26."""
    present = key_formats.of(managed_object)
    asked: KeyFormatType | None = attributes.one(Tag.KEY_FORMAT_TYPE)
    if asked is not None and asked != present:
        raise InvalidAttributeValue(f"the object is not in the Key Format Type {asked.title}")
    return present


def _digest_in_default_format(
    context: Context, managed_object: ManagedObject, object_type: ObjectType, attributes: AttributeSet
) -> Digest | None:
    """The second Digest that 2.x wants of a key in another format than the default one. KMIP 2.1 §4.26."""
    default = key_formats.default(object_type, attributes, context.version)
    if context.version < V2_0 or default in (None, key_formats.of(managed_object)):
        return None
    try:
        return digest(key_formats.formatted(managed_object, attributes, default))
    except (KeyFormatTypeNotSupported, KeyValueNotPresent, IllegalOperation):
        # It has no such form, or only its owner could tell.
        return None


def _protection(attributes: AttributeSet) -> dict[Tag, object]:
    """Sensitive and Extractable with their Always and Never forms. KMIP 1.4 §3.48-3.51."""
    sensitive = bool(attributes.one(Tag.SENSITIVE))
    extractable = attributes.one(Tag.EXTRACTABLE) is not False
    return {
        Tag.SENSITIVE: sensitive,
        Tag.ALWAYS_SENSITIVE: sensitive,
        Tag.EXTRACTABLE: extractable,
        Tag.NEVER_EXTRACTABLE: not extractable,
    }


def digest(managed_object: ManagedObject) -> Digest | None:
    """The Digest attribute: SHA-256 of the value, where the server has it. KMIP 1.4 §3.17."""
    value = material.digested(managed_object)
    if value is None:
        return None
    key_format_type = None
    if not isinstance(managed_object, (Certificate, CertificateRequest, OpaqueObject, Template)):
        key_format_type = managed_object.key_block.key_format_type
    return Digest(
        hashing_algorithm=HashingAlgorithm.SHA_256,
        digest_value=hashlib.sha256(value).digest(),
        key_format_type=key_format_type,
    )


def linked(context: Context, found: Found, link_type: LinkType, other: Found) -> Found:
    """`found` with a Link to `other` beside those it has."""
    found = context.current(found)
    link = Link(link_type=link_type, linked_object_identifier=other.unique_identifier)
    if links.present(found.attributes, link) is not None:
        return found
    return context.save(found, found.attributes.adding(Tag.LINK, link))


def marked(context: Context, found: Found, values: dict[Tag, object]) -> Found:
    """`found` with these values of attributes that are the server's."""
    found = context.current(found)
    return context.save(found, found.attributes.with_values(values))


def raw_key_block(
    key: bytes | TransparentMaterial,
    algorithm: CryptographicAlgorithm,
    length: int,
    key_format_type: KeyFormatType = KeyFormatType.RAW,
) -> KeyBlock:
    """The Key Block of a key the server has made. `length` in bits."""
    return KeyBlock(
        key_format_type=key_format_type,
        key_value=KeyValue(key_material=key),
        cryptographic_algorithm=algorithm,
        cryptographic_length=length,
    )
