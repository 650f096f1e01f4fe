"""Get. KMIP 1.4 §4.11; KMIP 2.1 §6.1.19."""

from __future__ import annotations

from kmip_server.protocol.enums import KeyCompressionType, KeyFormatType, KeyWrapType, ObjectType
from kmip_server.protocol.objects import MANAGED_OBJECT, EncodedObject, KeyWrappingSpecification, ManagedObject
from kmip_server.protocol.schema import ObjectReference, field, structure
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_4


@structure(Tag.REQUEST_PAYLOAD)
class GetRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    key_format_type: KeyFormatType | None = field(Tag.KEY_FORMAT_TYPE)
    key_wrap_type: KeyWrapType | None = field(Tag.KEY_WRAP_TYPE, since=V1_4)
    key_compression_type: KeyCompressionType | None = field(Tag.KEY_COMPRESSION_TYPE)
    key_wrapping_specification: KeyWrappingSpecification | None = field(Tag.KEY_WRAPPING_SPECIFICATION)


@structure(Tag.RESPONSE_PAYLOAD)
class GetResponse:
    object_type: ObjectType = field(Tag.OBJECT_TYPE)
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    managed_object: ManagedObject | EncodedObject = field(Tag.OBJECT_TYPE, secret=True, spellings=MANAGED_OBJECT)
