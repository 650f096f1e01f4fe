"""A set of attributes as the database keeps it.

Strategy: a TTLV structure of no version, in which every attribute of any version stands with name, index and value.
"""

from __future__ import annotations

from enum import IntFlag
from functools import lru_cache

from kmip_server.protocol.attribute_set import Attribute, AttributeSet, VendorAttribute
from kmip_server.protocol.attribute_values import RNGParameters
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.registered import Registered
from kmip_server.protocol.spellings import decode_named, encode_value
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import ENCODED, INTEGER, STRUCTURE, TEXT_STRING, Item
from kmip_server.protocol.ttlv import decode as decode_ttlv
from kmip_server.protocol.ttlv import encode as encode_ttlv
from kmip_server.protocol.versions import LATEST


def to_storage(attributes: AttributeSet) -> bytes:
    """A set as the database keeps it: every attribute of any version, with name, index and value."""
    if attributes.as_stored is None:
        items = [_stored(attribute) for attribute in attributes]
        attributes.as_stored = encode_ttlv((Tag.ATTRIBUTES, STRUCTURE, items))
    return attributes.as_stored


def _stored(attribute: Attribute) -> Item:
    return _of_few(attribute) if attribute.key in _FEW else _written(attribute)


@lru_cache(1024)
def _of_few(attribute: Attribute) -> Item:
    """Encoded once: objects of a kind have the same in most of these."""
    return (Tag.ATTRIBUTE, ENCODED, encode_ttlv(_written(attribute)))


_FEW = frozenset(
    key
    for key, row in ATTRIBUTES.items()
    if row.kind is RNGParameters
    or (isinstance(row.kind, type) and issubclass(row.kind, (Registered, IntFlag, bool)))
)
"""Attributes that have few different values."""


def _written(attribute: Attribute) -> Item:
    key, index, value = attribute
    items: list[Item]
    if isinstance(key, VendorAttribute):
        items = [
            (Tag.VENDOR_IDENTIFICATION, TEXT_STRING, key.vendor_identification),
            (Tag.ATTRIBUTE_NAME, TEXT_STRING, key.attribute_name),
        ]
    else:
        items = [_STORED_NAMES[key]]
    items.append((Tag.ATTRIBUTE_INDEX, INTEGER, index or 0))
    items.append(encode_value(key, value, None, Tag.ATTRIBUTE_VALUE))
    return (Tag.ATTRIBUTE, STRUCTURE, items)


_STORED_NAMES: dict[int, Item] = {
    key: (Tag.ATTRIBUTE_NAME, ENCODED, encode_ttlv((Tag.ATTRIBUTE_NAME, TEXT_STRING, row.name)))
    for key, row in ATTRIBUTES.items()
}


def from_storage(blob: bytes) -> AttributeSet:
    """The set that `to_storage` wrote. Raises CodecError if it is not one."""
    return AttributeSet(decode_named(item, LATEST) for item in decode_ttlv(blob)[2])
