"""Get, list, add, modify, delete, set and adjust attributes.

KMIP 1.4 §4.12-4.16; KMIP 2.1 §6.1.2-6.1.3, 6.1.13, 6.1.20-6.1.21, 6.1.34 and 6.1.51.
"""

from __future__ import annotations

from kmip_server.protocol.attribute_set import Attribute, AttributeKey
from kmip_server.protocol.enums import AdjustmentType
from kmip_server.protocol.schema import AnyItem, ObjectReference, field, structure
from kmip_server.protocol.spellings import ATTRIBUTE, ATTRIBUTE_NAMES, ATTRIBUTES, CURRENT_ATTRIBUTE
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_4, V2_0

# 2.x answers with the identifier alone.
_ANSWERED = {1: ATTRIBUTE[1]}


@structure(Tag.REQUEST_PAYLOAD)
class GetAttributesRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    attribute_names: tuple[AttributeKey, ...] = field(Tag.ATTRIBUTE_NAME, spellings=ATTRIBUTE_NAMES)


@structure(Tag.RESPONSE_PAYLOAD)
class GetAttributesResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    attributes: tuple[Attribute, ...] = field(Tag.ATTRIBUTE, spellings=ATTRIBUTES)


@structure(Tag.REQUEST_PAYLOAD)
class GetAttributeListRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)


@structure(Tag.RESPONSE_PAYLOAD)
class GetAttributeListResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    attribute_names: tuple[AttributeKey, ...] = field(Tag.ATTRIBUTE_NAME, spellings=ATTRIBUTE_NAMES)


@structure(Tag.REQUEST_PAYLOAD)
class AddAttributeRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    attribute: Attribute = field(Tag.ATTRIBUTE, spellings=ATTRIBUTE)


@structure(Tag.RESPONSE_PAYLOAD)
class AddAttributeResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    attribute: Attribute | None = field(Tag.ATTRIBUTE, until=V1_4, spellings=_ANSWERED)


@structure(Tag.REQUEST_PAYLOAD)
class ModifyAttributeRequest:
    """1.x names the instance by its index, 2.x by its current value."""

    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    current_attribute: Attribute | None = field(Tag.CURRENT_ATTRIBUTE, since=V2_0, spellings=CURRENT_ATTRIBUTE)
    attribute: Attribute = field(Tag.ATTRIBUTE, spellings=ATTRIBUTE)


@structure(Tag.RESPONSE_PAYLOAD)
class ModifyAttributeResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    attribute: Attribute | None = field(Tag.ATTRIBUTE, until=V1_4, spellings=_ANSWERED)


@structure(Tag.REQUEST_PAYLOAD)
class DeleteAttributeRequest:
    """1.x names the instance by name and index, 2.x by its current value or by reference."""

    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    attribute_name: str | None = field(Tag.ATTRIBUTE_NAME, until=V1_4)
    attribute_index: int | None = field(Tag.ATTRIBUTE_INDEX, until=V1_4)
    current_attribute: Attribute | None = field(Tag.CURRENT_ATTRIBUTE, since=V2_0, spellings=CURRENT_ATTRIBUTE)
    attribute_references: tuple[AttributeKey, ...] = field(
        Tag.ATTRIBUTE_REFERENCE, since=V2_0, spellings={2: ATTRIBUTE_NAMES[2]}
    )


@structure(Tag.RESPONSE_PAYLOAD)
class DeleteAttributeResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    attribute: Attribute | None = field(Tag.ATTRIBUTE, until=V1_4, spellings=_ANSWERED)


@structure(Tag.REQUEST_PAYLOAD)
class SetAttributeRequest:
    """KMIP 2.1 §6.1.51."""

    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    attribute: Attribute = field(Tag.NEW_ATTRIBUTE, since=V2_0, spellings={2: ATTRIBUTE[2]})


@structure(Tag.RESPONSE_PAYLOAD)
class SetAttributeResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)


@structure(Tag.REQUEST_PAYLOAD)
class AdjustAttributeRequest:
    """KMIP 2.1 §6.1.3. The type of the Adjustment Value is that of the attribute."""

    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    attribute_references: tuple[AttributeKey, ...] = field(
        Tag.ATTRIBUTE_REFERENCE, since=V2_0, spellings={2: ATTRIBUTE_NAMES[2]}
    )
    adjustment_type: AdjustmentType = field(Tag.ADJUSTMENT_TYPE, since=V2_0)
    adjustment_value: AnyItem | None = field(Tag.ADJUSTMENT_VALUE, since=V2_0)


@structure(Tag.RESPONSE_PAYLOAD)
class AdjustAttributeResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
