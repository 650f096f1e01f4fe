"""Register. KMIP 1.4 §4.3; KMIP 2.1 §6.1.43."""

from __future__ import annotations

from kmip_server.protocol.attribute_values import ProtectionStorageMasks
from kmip_server.protocol.enums import ObjectType
from kmip_server.protocol.objects import MANAGED_OBJECT, ManagedObject
from kmip_server.protocol.schema import field, structure
from kmip_server.protocol.spellings import TEMPLATE_ATTRIBUTE, TemplateAttribute
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_4, V2_0


@structure(Tag.REQUEST_PAYLOAD)
class RegisterRequest:
    object_type: ObjectType = field(Tag.OBJECT_TYPE)
    template_attribute: TemplateAttribute = field(Tag.TEMPLATE_ATTRIBUTE, spellings=TEMPLATE_ATTRIBUTE)
    managed_object: ManagedObject | None = field(Tag.OBJECT_TYPE, secret=True, spellings=MANAGED_OBJECT)
    protection_storage_masks: ProtectionStorageMasks | None = field(Tag.PROTECTION_STORAGE_MASKS, since=V2_0)


@structure(Tag.RESPONSE_PAYLOAD)
class RegisterResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    template_attribute: TemplateAttribute | None = field(
        Tag.TEMPLATE_ATTRIBUTE, until=V1_4, spellings=TEMPLATE_ATTRIBUTE
    )
