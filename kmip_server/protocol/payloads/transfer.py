"""Import and Export. KMIP 1.4 §4.40-4.41; KMIP 2.1 §6.1.18, §6.1.25."""

from __future__ import annotations

from kmip_server.protocol.attribute_set import Attribute
from kmip_server.protocol.enums import KeyCompressionType, KeyFormatType, KeyWrapType, ObjectType
from kmip_server.protocol.objects import MANAGED_OBJECT, EncodedObject, KeyWrappingSpecification, ManagedObject
from kmip_server.protocol.schema import field, structure
from kmip_server.protocol.spellings import ATTRIBUTES
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_4, V2_0


@structure(Tag.REQUEST_PAYLOAD)
class ImportRequest:
    """In 1.x the object alone says what type it is."""

    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    object_type: ObjectType | None = field(Tag.OBJECT_TYPE, since=V2_0)
    replace_existing: bool | None = field(Tag.REPLACE_EXISTING, since=V1_4)
    key_wrap_type: KeyWrapType | None = field(Tag.KEY_WRAP_TYPE, since=V1_4)
    attributes: tuple[Attribute, ...] = field(Tag.ATTRIBUTE, spellings=ATTRIBUTES)
    managed_object: ManagedObject | None = field(Tag.OBJECT_TYPE, secret=True, spellings=MANAGED_OBJECT)


@structure(Tag.RESPONSE_PAYLOAD)
class ImportResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)


@structure(Tag.REQUEST_PAYLOAD)
class ExportRequest:
    unique_identifier: str | None = field(Tag.UNIQUE_IDENTIFIER)
    key_format_type: KeyFormatType | None = field(Tag.KEY_FORMAT_TYPE)
    key_wrap_type: KeyWrapType | None = field(Tag.KEY_WRAP_TYPE, since=V1_4)
    key_compression_type: KeyCompressionType | None = field(Tag.KEY_COMPRESSION_TYPE)
    key_wrapping_specification: KeyWrappingSpecification | None = field(Tag.KEY_WRAPPING_SPECIFICATION)


@structure(Tag.RESPONSE_PAYLOAD)
class ExportResponse:
    """`managed_object` is absent where the object has been destroyed."""

    object_type: ObjectType = field(Tag.OBJECT_TYPE)
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    attributes: tuple[Attribute, ...] = field(Tag.ATTRIBUTE, spellings=ATTRIBUTES)
    managed_object: ManagedObject | EncodedObject | None = field(
        Tag.OBJECT_TYPE, secret=True, spellings=MANAGED_OBJECT
    )
