"""What a response holds that its version does not know: the client's side of the question.

Strategy: only the generated tables of tags, enumerations, masks and attributes are believed; nothing of the codec is
used. An enumeration is found by the name of its tag, so one that is new is looked at as soon as it has a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntFlag
from typing import Any

from kmip_server.protocol import enums
from kmip_server.protocol.attributes import ATTRIBUTES, BY_NAME
from kmip_server.protocol.enums import MASK_BITS, HashingAlgorithm, ItemType
from kmip_server.protocol.registered import Registered
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import Version

EXTENSION = 0x80000000
"""Enumeration values from here on are a vendor's, and belong to no version."""
_FREE_TAGS = range(0x540000, 0x550000)


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


_CLASSES = {_plain(name): each for name, each in vars(enums).items() if isinstance(each, type)}
_ENUMERATIONS: dict[Tag, type[Registered]] = {
    tag: found
    for tag in Tag
    if isinstance(found := _CLASSES.get(_plain(tag.title)), type) and issubclass(found, Registered)
} | {Tag.MASK_GENERATOR_HASHING_ALGORITHM: HashingAlgorithm}
_MASKS: dict[Tag, type[IntFlag]] = {
    tag: found
    for tag in Tag
    if isinstance(found := _CLASSES.get(_plain(tag.title)), type) and issubclass(found, IntFlag)
}


def unknown(item: Item, version: Version) -> Iterator[str]:
    """Everything in a response that `version` does not know, with its path. Nothing is what there should be."""
    yield from _unknown(item, version, "")


def _unknown(item: Item, version: Version, path: str, meant: Tag | None = None) -> Iterator[str]:
    """`meant` is the tag that a 1.x Attribute Value stands for."""
    tag, kind, value = item
    row = Tag._value2member_map_.get(tag)
    path = f"{path}/{row.title if isinstance(row, Tag) else hex(tag)}"
    if isinstance(row, Tag) and not row.known_in(version):
        yield f"{path}: the tag"
    if not isinstance(row, Tag) and tag not in _FREE_TAGS:
        yield f"{path}: no tag of the standard"
    if kind == ItemType.DATE_TIME_EXTENDED and version.major == 1:
        yield f"{path}: the Item Type"
    known = meant or row
    if kind == ItemType.STRUCTURE:
        yield from _inside(item, version, path)
    elif kind == ItemType.ENUMERATION and isinstance(known, Tag):
        yield from _enumeration(known, value, version, path)
    elif kind == ItemType.INTEGER and known in _MASKS and value & ~MASK_BITS[_MASKS[known]][version]:
        yield f"{path}: mask bits {value & ~MASK_BITS[_MASKS[known]][version]:#x}"


def _inside(item: Item, version: Version, path: str) -> Iterator[str]:
    tag, _, fields = item
    named = None
    if tag == Tag.ATTRIBUTE:
        named = _named(fields)
        if version.major == 1 and not _attribute_known(named, version):
            yield f"{path}: the attribute {named}"
        path = f"{path}({named})"
    for field in fields:
        if tag == Tag.ATTRIBUTES and field[0] != Tag.ATTRIBUTE and field[0] not in ATTRIBUTES:
            yield f"{path}/{field[0]:#x}: no attribute"
        meant = BY_NAME[named].tag if field[0] == Tag.ATTRIBUTE_VALUE and named in BY_NAME else None
        yield from _unknown(field, version, path, meant)
        if field[0] == Tag.ATTRIBUTE_NAME and version.major == 1 and not _attribute_known(field[2], version):
            yield f"{path}: the attribute name {field[2]}"


def _named(fields: list[Item]) -> str:
    return next((str(each[2]) for each in fields if each[0] == Tag.ATTRIBUTE_NAME), "")


def _attribute_known(name: str, version: Version) -> bool:
    row = BY_NAME.get(name)
    return name.startswith(("x-", "y-")) if row is None else row.known_in(version)


def _enumeration(tag: Tag, value: Any, version: Version, path: str) -> Iterator[str]:
    if tag == Tag.ATTRIBUTE_REFERENCE:
        row = ATTRIBUTES.get(value)
        if row is None or not row.known_in(version):
            yield f"{path}: a reference to {value:#x}"
    elif value >= EXTENSION:
        return
    elif tag not in _ENUMERATIONS:
        yield f"{path}: an enumeration without a table"
    elif value not in _ENUMERATIONS[tag]._value2member_map_:
        yield f"{path}: {value:#x} is no value"
    elif not _ENUMERATIONS[tag].of(value).known_in(version):
        yield f"{path}: {_ENUMERATIONS[tag].of(value).title}"
