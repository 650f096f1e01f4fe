"""Get: an object leaves the server, in the form and the wrapping asked for. KMIP 1.4 section 4.11.

Strategy: the object comes back exactly as it was registered or made, unless the request says otherwise: first it is
unwrapped (Key Wrap Type Not Wrapped), then converted, then wrapped (Key Wrapping Specification). What leaves in the
end decides whether it may: a Sensitive object leaves only encrypted, one that is not Extractable never.
"""

from __future__ import annotations

from typing import Protocol

from kmip_server.engine import key_formats, material, unwrapping, wrapping
from kmip_server.engine.context import Context, Found
from kmip_server.engine.registry import operation
from kmip_server.errors import (
    KeyValueNotPresent,
    NotExtractable,
    Sensitive,
)
from kmip_server.protocol.enums import KeyCompressionType, KeyFormatType, KeyWrapType, Operation
from kmip_server.protocol.objects import (
    EncodedObject,
    KeyWrappingSpecification,
    ManagedObject,
)
from kmip_server.protocol.payloads.get import GetRequest, GetResponse
from kmip_server.protocol.tags import Tag


@operation(Operation.GET)
def get(context: Context, request: GetRequest) -> GetResponse:
    """The object itself. Raises what `delivered` raises. KMIP 1.4 §4.11; KMIP 2.1 §6.1.19."""
    found = context.open(request.unique_identifier, Operation.GET)
    managed_object = delivered(context, found, request)
    not_fresh(context, found)
    return GetResponse(
        object_type=found.object_type,
        unique_identifier=found.unique_identifier,
        managed_object=managed_object,
    )


class Wishes(Protocol):
    """How a Get or an Export wants the object."""

    @property
    def key_format_type(self) -> KeyFormatType | None: ...

    @property
    def key_wrap_type(self) -> KeyWrapType | None: ...

    @property
    def key_compression_type(self) -> KeyCompressionType | None: ...

    @property
    def key_wrapping_specification(self) -> KeyWrappingSpecification | None: ...


def delivered(context: Context, found: Found, request: Wishes) -> ManagedObject | EncodedObject:
    """An object that has been opened, as it leaves.

    Raises NotExtractable, KeyValueNotPresent, Sensitive, KeyFormatTypeNotSupported,
    KeyCompressionTypeNotSupported, what `unwrapping.unwrapped` raises under Key Wrap Type Not Wrapped, and what
    `wrapping.wrapped` raises.
    """
    if found.attributes.one(Tag.EXTRACTABLE) is False:
        raise NotExtractable("the object is not Extractable")
    if found.attributes.one(Tag.KEY_VALUE_PRESENT) is False:
        raise KeyValueNotPresent("the object was registered without its Key Value")
    sensitive = bool(found.attributes.one(Tag.SENSITIVE))
    opened = found.opened()
    as_kept = material.as_kept(found.object_type, opened)
    wanted = request.key_format_type or _until_known(context, found)
    if as_kept is not None and not sensitive and wanted is None and _asks_for_nothing_special(request):
        return as_kept
    managed_object = material.from_bytes(found.object_type, opened)
    if sensitive and request.key_wrapping_specification is None and not _stays_hidden(request, managed_object):
        raise Sensitive("the object is Sensitive; it leaves only encrypted")
    if request.key_wrap_type == KeyWrapType.NOT_WRAPPED and unwrapping.is_wrapped(managed_object):
        # What was wrapped along stays behind: some clients cannot read a Key Value with attributes.
        managed_object = material.without_attributes(unwrapping.unwrapped(context, managed_object))
    if wanted is not None:
        managed_object = key_formats.formatted(managed_object, found.attributes, wanted)
    if request.key_compression_type is not None:
        managed_object = key_formats.compressed(managed_object, found.attributes, request.key_compression_type)
    if request.key_wrapping_specification is not None:
        managed_object = wrapping.wrapped(context, found, managed_object, request.key_wrapping_specification)
        if sensitive and not wrapping.is_hidden(managed_object):
            raise Sensitive("the object is Sensitive; the Wrapping Method MAC/sign leaves it readable")
    return managed_object


def not_fresh(context: Context, found: Found) -> None:
    """Served once, an object is not fresh any more (KMIP 1.4 §3.34)."""
    if found.attributes.one(Tag.FRESH):
        context.save(found, found.attributes.with_value(Tag.FRESH, False), silently=True)


def _stays_hidden(request: Wishes, managed_object: ManagedObject) -> bool:
    """Whether the object is kept encrypted, and is not to be unwrapped."""
    return request.key_wrap_type != KeyWrapType.NOT_WRAPPED and wrapping.is_hidden(managed_object)


def _asks_for_nothing_special(request: Wishes) -> bool:
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
