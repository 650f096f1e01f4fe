"""Create and Create Key Pair. KMIP 1.4 §4.1-4.2; KMIP 2.1 §6.1.8-6.1.9."""

from __future__ import annotations

from kmip_server.protocol.attribute_values import ProtectionStorageMasks
from kmip_server.protocol.enums import ObjectType
from kmip_server.protocol.schema import field, structure
from kmip_server.protocol.spellings import (
    COMMON_TEMPLATE_ATTRIBUTE,
    PRIVATE_KEY_TEMPLATE_ATTRIBUTE,
    PUBLIC_KEY_TEMPLATE_ATTRIBUTE,
    TEMPLATE_ATTRIBUTE,
    TemplateAttribute,
)
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_4, V2_0


@structure(Tag.REQUEST_PAYLOAD)
class CreateRequest:
    object_type: ObjectType = field(Tag.OBJECT_TYPE)
    template_attribute: TemplateAttribute = field(Tag.TEMPLATE_ATTRIBUTE, spellings=TEMPLATE_ATTRIBUTE)
    protection_storage_masks: ProtectionStorageMasks | None = field(Tag.PROTECTION_STORAGE_MASKS, since=V2_0)


@structure(Tag.RESPONSE_PAYLOAD)
class CreateResponse:
    object_type: ObjectType = field(Tag.OBJECT_TYPE)
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    template_attribute: TemplateAttribute | None = field(
        Tag.TEMPLATE_ATTRIBUTE, until=V1_4, spellings=TEMPLATE_ATTRIBUTE
    )


@structure(Tag.REQUEST_PAYLOAD)
class CreateKeyPairRequest:
    """Every field is optional: Barbican sends none for the two keys."""

    common_template_attribute: TemplateAttribute | None = field(
        Tag.COMMON_TEMPLATE_ATTRIBUTE, spellings=COMMON_TEMPLATE_ATTRIBUTE
    )
    private_key_template_attribute: TemplateAttribute | None = field(
        Tag.PRIVATE_KEY_TEMPLATE_ATTRIBUTE, spellings=PRIVATE_KEY_TEMPLATE_ATTRIBUTE
    )
    public_key_template_attribute: TemplateAttribute | None = field(
        Tag.PUBLIC_KEY_TEMPLATE_ATTRIBUTE, spellings=PUBLIC_KEY_TEMPLATE_ATTRIBUTE
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
class CreateKeyPairResponse:
    private_key_unique_identifier: str = field(Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER)
    public_key_unique_identifier: str = field(Tag.PUBLIC_KEY_UNIQUE_IDENTIFIER)
    private_key_template_attribute: TemplateAttribute | None = field(
        Tag.PRIVATE_KEY_TEMPLATE_ATTRIBUTE, until=V1_4, spellings=PRIVATE_KEY_TEMPLATE_ATTRIBUTE
    )
    public_key_template_attribute: TemplateAttribute | None = field(
        Tag.PUBLIC_KEY_TEMPLATE_ATTRIBUTE, until=V1_4, spellings=PUBLIC_KEY_TEMPLATE_ATTRIBUTE
    )
