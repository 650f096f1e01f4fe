"""Get: an object leaves the server, in the form and the wrapping asked for. KMIP 1.4 section 4.11.

Strategy: the object comes back exactly as it was registered or made, unless the request names another Key Format
Type. A Sensitive object leaves only wrapped, one that is not Extractable never.
"""

from __future__ import annotations

from dataclasses import replace

from kmip_server.crypto import formats
from kmip_server.engine import material, wrapping
from kmip_server.engine.context import Context, Found
from kmip_server.engine.registry import operation
from kmip_server.errors import (
    KeyCompressionTypeNotSupported,
    KeyFormatTypeNotSupported,
    KeyWrapTypeNotSupported,
    NotExtractable,
    Sensitive,
)
from kmip_server.protocol.enums import KeyCompressionType, KeyFormatType, KeyWrapType, Operation
from kmip_server.protocol.objects import (
    EncodedObject,
    KeyBlock,
    KeyValue,
    ManagedObject,
    PrivateKey,
    PublicKey,
    SymmetricKey,
    TransparentMaterial,
    TransparentSymmetricKey,
    transparent_material,
    transparent_numbers,
)
from kmip_server.protocol.payloads.get import GetRequest, GetResponse
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import LATEST

_RAW = KeyFormatType.RAW
_TRANSPARENT = KeyFormatType.TRANSPARENT_SYMMETRIC_KEY


@operation(Operation.GET)
def get(context: Context, request: GetRequest) -> GetResponse:
    """The object itself.

    Raises NotExtractable, Sensitive, KeyFormatTypeNotSupported, KeyCompressionTypeNotSupported,
    KeyWrapTypeNotSupported and, for a wrapped Get, what `wrapping.wrapped` raises.
    KMIP 1.4 §4.11; KMIP 2.1 §6.1.19.
    """
    found = context.open(request.unique_identifier, Operation.GET)
    _require_extractable(found, wrapped=request.key_wrapping_specification is not None)
    opened = found.opened()
    as_kept = material.as_kept(found.object_type, opened)
    if as_kept is not None and _asks_for_nothing_special(request):
        return _answer(context, found, as_kept)
    managed_object = material.from_bytes(found.object_type, opened)
    if request.key_compression_type not in (None, KeyCompressionType.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED):
        raise KeyCompressionTypeNotSupported("public keys are given uncompressed only")
    if request.key_format_type is not None:
        managed_object = formatted(managed_object, request.key_format_type)
    if request.key_wrap_type is not None and request.key_wrap_type != KeyWrapType.AS_REGISTERED:
        _require_not_wrapped(managed_object)
    if request.key_wrapping_specification is not None:
        managed_object = wrapping.wrapped(context, found, managed_object, request.key_wrapping_specification)
    return _answer(context, found, managed_object)


def _asks_for_nothing_special(request: GetRequest) -> bool:
    """Whether the object is wanted just as it is: the usual Get."""
    return (
        request.key_format_type is None
        and request.key_wrap_type is None
        and request.key_compression_type is None
        and request.key_wrapping_specification is None
    )


def _answer(context: Context, found: Found, managed_object: ManagedObject | EncodedObject) -> GetResponse:
    if found.attributes.one(Tag.FRESH):
        # Served once, it is not fresh any more (KMIP 1.4 §3.34).
        context.save(found, found.attributes.with_value(Tag.FRESH, False), silently=True)
    return GetResponse(
        object_type=found.object_type,
        unique_identifier=found.unique_identifier,
        managed_object=managed_object,
    )


def _require_extractable(found: Found, wrapped: bool) -> None:
    if found.attributes.one(Tag.EXTRACTABLE) is False:
        raise NotExtractable("the object is not Extractable")
    if found.attributes.one(Tag.SENSITIVE) and not wrapped:
        raise Sensitive("the object is Sensitive; it leaves only wrapped")


def _require_not_wrapped(managed_object: ManagedObject) -> None:
    block = getattr(managed_object, "key_block", None)
    if isinstance(block, KeyBlock) and block.key_wrapping_data is not None:
        raise KeyWrapTypeNotSupported("the object was registered wrapped and is given only so")


def formatted(managed_object: ManagedObject, wanted: KeyFormatType) -> ManagedObject:
    """The object with its key in another Key Format Type. Raises KeyFormatTypeNotSupported."""
    if not hasattr(managed_object, "key_block"):
        # A certificate is X.509 and nothing else; opaque objects have no format at all.
        if wanted in (KeyFormatType.X_509, KeyFormatType.OPAQUE):
            return managed_object
        raise KeyFormatTypeNotSupported(f"the object cannot be had as {wanted.title}")
    block = managed_object.key_block
    if block.key_format_type == wanted:
        return managed_object
    value = material.key_material(managed_object)
    if isinstance(managed_object, SymmetricKey):
        converted = _symmetric(block.key_format_type, wanted, value)
    elif isinstance(managed_object, (PrivateKey, PublicKey)) and isinstance(value, bytes):
        private = isinstance(managed_object, PrivateKey)
        converted = formats.convert(value, block.key_format_type, wanted, private=private)
    else:
        raise KeyFormatTypeNotSupported(f"the object cannot be had as {wanted.title}")
    block = replace(block, key_format_type=wanted, key_value=KeyValue(key_material=converted))
    return material.with_key_block(managed_object, block)


def _symmetric(
    present: KeyFormatType, wanted: KeyFormatType, value: bytes | TransparentMaterial
) -> bytes | TransparentMaterial:
    if present == _RAW and wanted == _TRANSPARENT and isinstance(value, bytes):
        return transparent_material(TransparentSymmetricKey(key=value), LATEST)
    if present == _TRANSPARENT and wanted == _RAW and isinstance(value, TransparentMaterial):
        key: bytes = transparent_numbers(_TRANSPARENT, value, LATEST).key
        return key
    if {present, wanted} == {_RAW, KeyFormatType.OPAQUE}:
        return value
    raise KeyFormatTypeNotSupported(f"the object cannot be had as {wanted.title}")
