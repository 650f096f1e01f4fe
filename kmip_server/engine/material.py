"""A Managed Object as the bytes that are sealed, and back.

Strategy: what is sealed is the object's own TTLV, so that every form a client may register comes back as it was.
A Template has no key: what is sealed are the attributes that others inherit from it.
"""

from __future__ import annotations

from dataclasses import replace

from kmip_server.errors import IllegalOperation, KeyValueNotPresent
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_set import AttributeSet
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import ObjectType
from kmip_server.protocol.objects import (
    Certificate,
    CertificateRequest,
    EncodedObject,
    KeyBlock,
    KeyValue,
    ManagedObject,
    OpaqueObject,
    Template,
    TransparentMaterial,
    decode_object,
)
from kmip_server.protocol.storage import from_storage, to_storage
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import LATEST


def to_bytes(managed_object: ManagedObject) -> bytes:
    """The bytes to seal."""
    if isinstance(managed_object, Template):
        return to_storage(AttributeSet(managed_object.attributes))
    return ttlv.encode(encode_structure(managed_object, LATEST))


def from_bytes(object_type: ObjectType, opened: bytes) -> ManagedObject:
    """The object that `to_bytes` was given."""
    if object_type == ObjectType.TEMPLATE:
        return Template(attributes=tuple(from_storage(opened)))
    return decode_object(ttlv.decode(opened), LATEST)


def as_kept(object_type: ObjectType, opened: bytes) -> EncodedObject | None:
    """The object as it can leave without being looked at: None where its form depends on the client's version.

    That is so for a Template, whose attributes are spelled by version, and for what was registered wrapped, as Key
    Wrapping Data has fields that 1.0 does not know. Where the tag's bytes stand inside a key by chance, the object
    takes the longer way.
    """
    if object_type == ObjectType.TEMPLATE or _WRAPPING_DATA in opened:
        return None
    return EncodedObject(opened)


_WRAPPING_DATA = (int(Tag.KEY_WRAPPING_DATA) << 8 | ttlv.STRUCTURE).to_bytes(4, "big")


def key_block(managed_object: ManagedObject) -> KeyBlock:
    """The Key Block of a key or Secret Data. Raises IllegalOperation for an object without one."""
    if isinstance(managed_object, (Certificate, CertificateRequest, OpaqueObject, Template)):
        raise IllegalOperation("the object is not a key")
    return managed_object.key_block


def with_key_block(managed_object: ManagedObject, block: KeyBlock) -> ManagedObject:
    """The key or Secret Data with another Key Block."""
    key_block(managed_object)
    made: ManagedObject = replace(managed_object, key_block=block)  # type: ignore[arg-type]
    return made


def without_attributes(managed_object: ManagedObject) -> ManagedObject:
    """The key or Secret Data without the attributes that its Key Value brought along."""
    block = key_block(managed_object)
    if not isinstance(block.key_value, KeyValue) or not block.key_value.attributes:
        return managed_object
    return with_key_block(managed_object, replace(block, key_value=replace(block.key_value, attributes=())))


def key_material(managed_object: ManagedObject) -> bytes | TransparentMaterial:
    """The Key Material in clear. Raises KeyValueNotPresent, or IllegalOperation where it is stored wrapped."""
    block = key_block(managed_object)
    value = block.key_value
    if value is None:
        raise KeyValueNotPresent("the object was registered without its Key Value")
    if not isinstance(value, KeyValue) or block.key_wrapping_data is not None:
        raise IllegalOperation("the object was registered wrapped; only its wrapped form can be had")
    return value.key_material


def digested(managed_object: ManagedObject) -> bytes | None:
    """What the Digest attribute is computed over (KMIP 1.4 §3.17): None where the server does not have it."""
    if isinstance(managed_object, Certificate):
        return managed_object.certificate_value
    if isinstance(managed_object, CertificateRequest):
        return managed_object.certificate_request_value
    if isinstance(managed_object, OpaqueObject):
        return managed_object.opaque_data_value
    if isinstance(managed_object, Template):
        return None
    value = managed_object.key_block.key_value
    if not isinstance(value, KeyValue) or managed_object.key_block.key_wrapping_data is not None:
        return None
    if isinstance(value.key_material, bytes):
        return value.key_material
    # "The TTLV-encoded Key Material structure": with its own tag, type and length.
    return ttlv.encode((Tag.KEY_MATERIAL, ttlv.STRUCTURE, list(value.key_material.items)))
