"""Locate. KMIP 1.4 §4.9; KMIP 2.1 §6.1.28."""

from __future__ import annotations

from kmip_server.protocol.attribute_set import Attribute
from kmip_server.protocol.enums import ObjectGroupMember, StorageStatusMask
from kmip_server.protocol.schema import field, structure
from kmip_server.protocol.spellings import ATTRIBUTES_TO_MATCH
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_1, V1_3


@structure(Tag.REQUEST_PAYLOAD)
class LocateRequest:
    maximum_items: int | None = field(Tag.MAXIMUM_ITEMS)
    offset_items: int | None = field(Tag.OFFSET_ITEMS, since=V1_3)
    storage_status_mask: StorageStatusMask | None = field(Tag.STORAGE_STATUS_MASK)
    object_group_member: ObjectGroupMember | None = field(Tag.OBJECT_GROUP_MEMBER, since=V1_1)
    attributes: tuple[Attribute, ...] = field(Tag.ATTRIBUTE, spellings=ATTRIBUTES_TO_MATCH)


@structure(Tag.RESPONSE_PAYLOAD)
class LocateResponse:
    located_items: int | None = field(Tag.LOCATED_ITEMS, since=V1_3)
    unique_identifiers: tuple[str, ...] = field(Tag.UNIQUE_IDENTIFIER)
