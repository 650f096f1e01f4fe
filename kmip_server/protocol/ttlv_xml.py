"""Items to and from the standard's XML encoding. KMIP Additional Message Encodings 1.0 section 6.

Strategy: an element is named as its tag, in camel case, and has `type` and `value`; a structure has elements
inside. What has no name of the standard's is `TTLV` with its tag in hexadecimal. Enumerations and masks are written
by name where the tag says which they are, and within a 1.x Attribute where its Attribute Name does. Hexadecimal
numbers are read everywhere. KMIP 2.1 Profiles section 5.4 adds a type.
"""

from __future__ import annotations

import datetime
import re
from enum import IntFlag
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from kmip_server.errors import CodecError
from kmip_server.protocol import enums
from kmip_server.protocol.attributes import ATTRIBUTES, BY_NAME
from kmip_server.protocol.enums import (
    MASK_BITS,
    DataEnumeration,
    ItemType,
    Operation,
    UniqueIdentifierEnumeration,
)
from kmip_server.protocol.registered import Registered, words_of
from kmip_server.protocol.schema import declared, structures
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item, big_integer_bytes

NAMESPACE = "{urn:oasis:tc:kmip:xmlns}"
_GENERIC = "TTLV"
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document has (XML 1.0 section 2.2)."""


def camel_case(title: str) -> str:
    """The standard's name as an element or a value has it (section 6.1.3)."""
    spaced = re.sub(r"\W([A-Za-z][a-z])", r" \1", re.sub(r"[()]", " ", title))
    words = [re.sub(r"\W", "_", word) for word in spaced.split()]
    words[0] = re.sub(r"^(\d+)(.*)", r"\2\1", words[0])
    return "".join(word[:1].upper() + word[1:] for word in words)


_TAG_NAMES: dict[int, str] = {int(tag): camel_case(tag.title) for tag in Tag}
_TAGS: dict[str, int] = {name: tag for tag, name in _TAG_NAMES.items()}
_TYPE_NAMES: dict[int, str] = {int(kind): camel_case(kind.title) for kind in ItemType}
_TYPES: dict[str, int] = {name: kind for kind, name in _TYPE_NAMES.items()}


@cache
def _kinds() -> dict[int, Any]:
    """By tag: the enumeration or mask that its values are of."""
    # Those that the declarations leave as numbers, or as several things, come first.
    found: dict[int, Any] = {
        Tag.OPERATION: Operation,
        Tag.UNIQUE_IDENTIFIER: UniqueIdentifierEnumeration,
        Tag.DATA: DataEnumeration,
    }
    # Most are named as their tag; the declarations say of the others.
    found |= {_TAGS[name]: kind for name, kind in vars(enums).items() if name in _TAGS}
    rows: list[tuple[int, Any]] = [(row.tag, row.kind) for row in ATTRIBUTES.values()]
    rows += [(row.tag, row.kind) for cls in structures() for row in declared(cls)[1]]
    for tag, kind in rows:
        if isinstance(kind, type) and issubclass(kind, (Registered, IntFlag)):
            found.setdefault(int(tag), kind)
    return found


@cache
def _names(kind: type[Any]) -> dict[str, int]:
    """By name, the values of an enumeration or the bits of a mask."""
    if issubclass(kind, IntFlag):
        return {"".join(words_of(member)): int(member) for member in kind}
    return {camel_case(member.title): int(member) for member in kind}


# --- writing ------------------------------------------------------------------------------------


def to_element(item: Item) -> Element:
    """The element of an item. Times are UTC. Raises CodecError for text that XML cannot write."""
    element = Element("item")
    _write(element, item, item[0])
    return element


def _write(element: Element, item: Item, meaning: int) -> None:
    """`meaning`: the tag whose enumeration the value is of."""
    tag, kind, value = item
    name = _TAG_NAMES.get(tag)
    element.tag = name or _GENERIC
    if name is None:
        element.set("tag", f"0x{tag:06X}")
    if kind != ItemType.STRUCTURE:
        element.set("type", _TYPE_NAMES[kind])
        element.set("value", _text(kind, value, meaning))
        return
    inside = _meant_inside(tag, value)
    for child in value:
        means = inside if child[0] == Tag.ATTRIBUTE_VALUE else child[0]
        _write(SubElement(element, ""), child, means)


def _meant_inside(tag: int, items: list[Item]) -> int:
    """In a structure that may be a 1.x Attribute: the tag of the attribute that it is; 0 where that is unknown."""
    if tag != Tag.ATTRIBUTE:
        return 0
    for child_tag, kind, value in items:
        if child_tag == Tag.ATTRIBUTE_NAME and kind == ItemType.TEXT_STRING and value in BY_NAME:
            return int(BY_NAME[value].tag)
    return 0


def _text(kind: int, value: Any, meaning: int) -> str:
    if kind == ItemType.ENUMERATION:
        return _enumeration(value, meaning)
    if kind == ItemType.INTEGER:
        return _mask(value, meaning)
    if kind == ItemType.BOOLEAN:
        return "true" if value else "false"
    if kind == ItemType.BYTE_STRING:
        return str(value.hex())
    if kind == ItemType.BIG_INTEGER:
        return big_integer_bytes(value).hex()
    if kind == ItemType.DATE_TIME:
        return _date(value)
    if kind == ItemType.TEXT_STRING and _NOT_XML.search(value):
        raise CodecError("a Text String holds what XML cannot write")
    return str(value)


def _enumeration(value: int, meaning: int) -> str:
    kind = _kinds().get(meaning)
    if kind is not None and issubclass(kind, Registered):
        for name, known in _names(kind).items():
            if known == value:
                return name
    return f"0x{value:08x}"


def _mask(value: int, meaning: int) -> str:
    kind = _kinds().get(meaning)
    if kind is None or kind not in MASK_BITS or value <= 0:
        return str(value)
    names = [name for name, bit in _names(kind).items() if value & bit]
    rest = value & ~sum(_names(kind)[name] for name in names)
    return " ".join([*names, *([f"0x{rest:08x}"] if rest else [])])


def _date(value: int) -> str:
    try:
        return (_EPOCH + datetime.timedelta(seconds=value)).isoformat()
    except OverflowError:
        return f"0x{value & 0xFFFFFFFFFFFFFFFF:016x}"


# --- reading ------------------------------------------------------------------------------------


def from_element(element: Element) -> Item:
    """The item that an element is. Raises CodecError, which names the element."""
    return _read(element, 0)


def _read(element: Element, meaning: int) -> Item:
    tag = tag_of(element)
    kind = _type_of(element)
    if kind == ItemType.STRUCTURE:
        named = [_read(child, 0) for child in element if tag_of(child) == Tag.ATTRIBUTE_NAME]
        inside = _meant_inside(tag, named)
        return tag, kind, [_read(child, inside if tag_of(child) == Tag.ATTRIBUTE_VALUE else 0) for child in element]
    text = element.get("value")
    if text is None:
        raise CodecError(f"{element.tag} has no value")
    try:
        return tag, kind, _value(kind, text, meaning or tag)
    except (ValueError, OverflowError) as error:
        raise CodecError(f"{element.tag}: {text!r} is no {_TYPE_NAMES[kind]}") from error


def tag_of(element: Element) -> int:
    """The tag that an element stands for. Raises CodecError."""
    name = element.tag.removeprefix(NAMESPACE)
    if name == _GENERIC:
        name = element.get("tag", "")
    tag = _TAGS.get(name)
    if tag is None and re.fullmatch(r"0x[0-9a-fA-F]{6}", name):
        tag = int(name, 16)
    if tag is None:
        raise CodecError(f"{name or element.tag} is not the name of a tag")
    return tag


def _type_of(element: Element) -> int:
    name = element.get("type", "Structure")
    kind = _TYPES.get(name)
    if kind is None:
        raise CodecError(f"{element.tag}: {name} is not an Item Type")
    return kind


def _value(kind: int, text: str, meaning: int) -> Any:
    """Raises ValueError, OverflowError."""
    if kind == ItemType.TEXT_STRING:
        return text
    if kind == ItemType.BYTE_STRING:
        return bytes.fromhex(text)
    if kind == ItemType.BIG_INTEGER:
        return int.from_bytes(bytes.fromhex(text.removeprefix("0x")), "big", signed=True)
    if kind == ItemType.BOOLEAN:
        return _boolean(text)
    if kind in (ItemType.ENUMERATION, ItemType.INTEGER):
        return _named_number(kind, text, meaning)
    if kind == ItemType.DATE_TIME and not text.startswith("0x"):
        return _seconds(text)
    return _number(text, 64)


def _boolean(text: str) -> bool:
    if text not in ("true", "1", "false", "0"):
        raise ValueError(text)
    return text in ("true", "1")


def _number(text: str, bits: int) -> int:
    """Decimal, or hexadecimal with all its digits, signed."""
    if not text.startswith("0x"):
        return int(text)
    number = int(text, 16)
    return number - (1 << bits) if number >> (bits - 1) else number


def _named_number(kind: int, text: str, meaning: int) -> int:
    found = _kinds().get(meaning)
    names: dict[str, int] = _names(found) if isinstance(found, type) else {}
    if kind == ItemType.ENUMERATION:
        if text in names:
            return names[text]
        return int(text, 16) if text.startswith("0x") else int(text)
    value = 0
    for word in text.split() or [text]:
        value |= names[word] if word in names else _number(word, 32)
    return value


def _seconds(text: str) -> int:
    """Of a date with a time zone; fractions of a second are not looked at."""
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    read = datetime.datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError(text)
    return (read - _EPOCH) // datetime.timedelta(seconds=1)
