"""Get: an object leaves the server, in the form and the wrapping asked for. KMIP 1.4 section 4.11.

Strategy: the object comes back exactly as it was registered or made, unless the request names another Key Format
Type. A Sensitive object leaves only wrapped, one that is not Extractable never.
"""

from __future__ import annotations

from kmip_server.engine import key_formats, material, wrapping
from kmip_server.engine.context import Context, Found
from kmip_server.engine.registry import operation
from kmip_server.errors import (
    KeyWrapTypeNotSupported,
    NotExtractable,
    Sensitive,
)
from kmip_server.protocol.enums import KeyFormatType, KeyWrapType, Operation
from kmip_server.protocol.objects import (
    EncodedObject,
    KeyBlock,
    ManagedObject,
)
from kmip_server.protocol.payloads.get import GetRequest, GetResponse
from kmip_server.protocol.tags import Tag


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
    if as_kept is not None and _asks_for_nothing_special(request) and _until_known(context, found) is None:
        return _answer(context, found, as_kept)
    managed_object = material.from_bytes(found.object_type, opened)
    wanted = request.key_format_type or _until_known(context, found)
    if wanted is not None:
        managed_object = key_formats.formatted(managed_object, found.attributes, wanted)
    if request.key_compression_type is not None:
        managed_object = key_formats.compressed(managed_object, found.attributes, request.key_compression_type)
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


def _until_known(context: Context, found: Found) -> KeyFormatType | None:
    """The format to give a key in where the client's version does not know the one it has; None where it does.

    Transparent EC came with 1.3; the Transparent ECDSA, ECDH and ECMQV keys before it are gone in 2.0.
    """
    present: KeyFormatType | None = found.attributes.one(Tag.KEY_FORMAT_TYPE)
    if present is None or present.known_in(context.version):
        return None
    return key_formats.default(found.object_type, found.attributes, context.version)


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
