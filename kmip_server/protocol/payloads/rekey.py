"""Re-key and Re-key Key Pair. KMIP 1.4 §4.4-4.5; KMIP 2.1 §6.1.46-6.1.47."""

from __future__ import annotations

from kmip_server.protocol.attribute_values import ProtectionStorageMasks
from kmip_server.protocol.schema import Interval, ObjectReference, field, structure
from kmip_server.protocol.spellings import (
    COMMON_TEMPLATE_ATTRIBUTE,
    PRIVATE_KEY_TEMPLATE_ATTRIBUTE,
    PUBLIC_KEY_TEMPLATE_ATTRIBUTE,
    TEMPLATE_ATTRIBUTE,
    TemplateAttribute,
)
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_1, V1_4, V2_0, Version


class _AttributesOrTemplate:
    """2.x: Attributes; and the Template-Attribute of 1.x, which PyKMIP sends in 2.0 too, empty or with dates."""

    tags = TEMPLATE_ATTRIBUTE[2].tags | {Tag.TEMPLATE_ATTRIBUTE}

    def decode(self, items: list[Item], version: Version) -> TemplateAttribute:
        old = any(item[0] == Tag.TEMPLATE_ATTRIBUTE for item in items)
        made: TemplateAttribute = TEMPLATE_ATTRIBUTE[1 if old else 2].decode(items, V1_4 if old else version)
        return made

    def encode(self, value: TemplateAttribute, version: Version) -> list[Item]:
        return TEMPLATE_ATTRIBUTE[2].encode(value, version)


_ASKED = {1: TEMPLATE_ATTRIBUTE[1], 2: _AttributesOrTemplate()}


@structure(Tag.REQUEST_PAYLOAD)
class RekeyRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    offset: Interval | None = field(Tag.OFFSET)
    template_attribute: TemplateAttribute | None = field(Tag.TEMPLATE_ATTRIBUTE, spellings=_ASKED)
    protection_storage_masks: ProtectionStorageMasks | None = field(Tag.PROTECTION_STORAGE_MASKS, since=V2_0)


@structure(Tag.RESPONSE_PAYLOAD)
class RekeyResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    template_attribute: TemplateAttribute | None = field(
        Tag.TEMPLATE_ATTRIBUTE, until=V1_4, spellings=TEMPLATE_ATTRIBUTE
    )


@structure(Tag.REQUEST_PAYLOAD)
class RekeyKeyPairRequest:
    private_key_unique_identifier: ObjectReference | None = field(Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER, since=V1_1)
    offset: Interval | None = field(Tag.OFFSET, since=V1_1)
    common_template_attribute: TemplateAttribute | None = field(
        Tag.COMMON_TEMPLATE_ATTRIBUTE, since=V1_1, spellings=COMMON_TEMPLATE_ATTRIBUTE
    )
    private_key_template_attribute: TemplateAttribute | None = field(
        Tag.PRIVATE_KEY_TEMPLATE_ATTRIBUTE, since=V1_1, spellings=PRIVATE_KEY_TEMPLATE_ATTRIBUTE
    )
    public_key_template_attribute: TemplateAttribute | None = field(
        Tag.PUBLIC_KEY_TEMPLATE_ATTRIBUTE, since=V1_1, spellings=PUBLIC_KEY_TEMPLATE_ATTRIBUTE
    )
    common_protection_storage_masks: ProtectionStorageMasks | None = field(
        Tag.COMMON_PROTECTION_STORAGE_MASKS, since=V2_0
    )
    private_protection_storage_masks: ProtectionStorageMasks | None = field(
        Tag.PRIVATE_PROTECTION_STORAGE_MASKS, since=V2_0
    )
    public_protection_storage_masks: ProtectionStorageMasks | None = field(
        Tag.PUBLIC_PROTECTION_STORAGE_MASKS, since=V2_0
    )


@structure(Tag.RESPONSE_PAYLOAD)
class RekeyKeyPairResponse:
    private_key_unique_identifier: str = field(Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER, since=V1_1)
    public_key_unique_identifier: str = field(Tag.PUBLIC_KEY_UNIQUE_IDENTIFIER, since=V1_1)
    private_key_template_attribute: TemplateAttribute | None = field(
        Tag.PRIVATE_KEY_TEMPLATE_ATTRIBUTE, since=V1_1, until=V1_4, spellings=PRIVATE_KEY_TEMPLATE_ATTRIBUTE
    )
    public_key_template_attribute: TemplateAttribute | None = field(
        Tag.PUBLIC_KEY_TEMPLATE_ATTRIBUTE, since=V1_1, until=V1_4, spellings=PUBLIC_KEY_TEMPLATE_ATTRIBUTE
    )
