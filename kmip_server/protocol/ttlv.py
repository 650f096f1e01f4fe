"""Items to and from TTLV bytes, strictly.

Strategy: an item is a plain tuple (tag, type, value); a structure's value is a list of items. There is one
way to write each item, so what decodes encodes to the same bytes: padding is zero, lengths are exact,
nothing trails. (One exception: clients that write numbers into fields of one size send Big Integers with more
leading bytes than they need; these are read.) Whatever is wrong raises `CodecError` and nothing else.
KMIP 2.1 section 10 (1.4 section 9.1).
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from kmip_server.errors import CodecError
from kmip_server.protocol.enums import ItemType

Item = tuple[int, int, Any]
"""(tag, Item Type, value). Values: list of items, int, bool, str or bytes, by type."""

STRUCTURE = int(ItemType.STRUCTURE)
INTEGER = int(ItemType.INTEGER)
LONG_INTEGER = int(ItemType.LONG_INTEGER)
BIG_INTEGER = int(ItemType.BIG_INTEGER)
ENUMERATION = int(ItemType.ENUMERATION)
BOOLEAN = int(ItemType.BOOLEAN)
TEXT_STRING = int(ItemType.TEXT_STRING)
BYTE_STRING = int(ItemType.BYTE_STRING)
DATE_TIME = int(ItemType.DATE_TIME)
INTERVAL = int(ItemType.INTERVAL)
DATE_TIME_EXTENDED = int(ItemType.DATE_TIME_EXTENDED)

ENCODED = -1
"""Not a type of the standard: an item that is encoded already. Its value is the bytes, its tag is not looked at."""

MAX_DEPTH = 32
"""Deeper than any message of the standard (a wrapped key in a batch item nests ten deep)."""

_HEADER = Struct(">II")
_LONG = Struct(">q")
# Whole items of one length, with their headers.
_WHOLE_SIGNED = Struct(">IIi4x")
_WHOLE_UNSIGNED = Struct(">III4x")
_WHOLE_LONG = Struct(">IIq")
_PADDED_WORD = Struct(">II")
_PADDING = tuple(bytes(count) for count in range(8))
# The first byte of a tag: the standard's own tags, and the range it leaves to extensions (2.1 section 11.56).
_TAG_SPACES = (0x42, 0x54)


def decode(data: bytes, max_depth: int = MAX_DEPTH) -> Item:
    """The one item that `data` is. Raises CodecError if it is anything else, or more than that."""
    items = decode_items(data, 0, len(data), max_depth + 1)
    if len(items) != 1:
        raise CodecError("a message is one structure, with nothing before or after it")
    return items[0]


def decode_items(data: bytes, at: int, end: int, depth: int = MAX_DEPTH) -> list[Item]:
    """The items from `at` to `end`, one after the other, nested at most so deep. Raises CodecError."""
    if depth == 0:
        raise CodecError("structures are nested too deeply")
    items: list[Item] = []
    while at < end:
        if end - at < 8:
            raise CodecError("an item is cut short before its value")
        word, length = _HEADER.unpack_from(data, at)
        tag, kind = word >> 8, word & 0xFF
        if tag >> 16 not in _TAG_SPACES:
            raise CodecError(f"0x{tag:06X} is not a tag")
        start = at + 8
        at = start + length
        if kind == STRUCTURE:
            if at > end:
                raise CodecError("a structure is longer than what holds it")
            items.append((tag, kind, decode_items(data, start, at, depth - 1)))
            continue
        at += -length & 7
        if at > end:
            raise CodecError("a value is longer than what holds it")
        if kind == ENUMERATION or kind == INTEGER or kind == INTERVAL:
            if length != 4:
                raise CodecError(f"{ItemType.of(kind).title} has 4 bytes")
            value, padding = _PADDED_WORD.unpack_from(data, start)
            if padding:
                raise CodecError("padding is not zero")
            if kind == INTEGER and value >= 0x80000000:
                value -= 0x100000000
            items.append((tag, kind, value))
        elif kind == TEXT_STRING or kind == BYTE_STRING:
            raw = data[start : start + length]
            if length & 7 and data[start + length : at] != _PADDING[-length & 7]:
                raise CodecError("padding is not zero")
            items.append((tag, kind, raw if kind == BYTE_STRING else _text(raw)))
        else:
            items.append((tag, kind, _eight_byte_value(data, start, length, kind)))
    return items


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CodecError("a Text String is not UTF-8") from error


def _eight_byte_value(data: bytes, start: int, length: int, kind: int) -> int | bool:
    if kind == BIG_INTEGER:
        if length == 0 or length & 7:
            raise CodecError("a Big Integer has a multiple of 8 bytes")
        return int.from_bytes(data[start : start + length], "big", signed=True)
    if kind not in (BOOLEAN, DATE_TIME, LONG_INTEGER, DATE_TIME_EXTENDED):
        raise CodecError(f"0x{kind:02X} is not an Item Type")
    if length != 8:
        raise CodecError(f"{ItemType.of(kind).title} has 8 bytes")
    value: int = _LONG.unpack_from(data, start)[0]
    if kind == BOOLEAN:
        if value not in (0, 1):
            raise CodecError("a Boolean is 0 or 1")
        return value == 1
    return value


def structure(tag: int, parts: list[bytes]) -> bytes:
    """The bytes of a structure whose items are encoded already."""
    return b"".join((_HEADER.pack(tag << 8 | STRUCTURE, sum(map(len, parts))), *parts))


def word_item(kind: int, tag: int, value: int) -> bytes:
    """The bytes of an Integer, an Enumeration or an Interval that is not negative."""
    return _WHOLE_UNSIGNED.pack(tag << 8 | kind, 4, value)


def long_item(kind: int, tag: int, value: int) -> bytes:
    """The bytes of a Long Integer, a Date-Time or a Boolean."""
    return _WHOLE_LONG.pack(tag << 8 | kind, 8, value)


def encode(item: Item) -> bytes:
    """The bytes of an item. The item must be well formed: it comes from our own code."""
    if item[1] == ENCODED:
        encoded: bytes = item[2]
        return encoded
    parts: list[bytes] = []
    _encode_into(parts, item)
    return b"".join(parts)


def _encode_into(parts: list[bytes], item: Item) -> int:
    """Append the item's bytes to `parts`; returns how many there are."""
    tag, kind, value = item
    if kind == ENCODED:
        parts.append(value)
        return len(value)
    if kind == STRUCTURE:
        place = len(parts)
        parts.append(b"")
        length = 0
        for child in value:
            length += _encode_into(parts, child)
        parts[place] = _HEADER.pack(tag << 8 | kind, length)
        return length + 8
    if kind == TEXT_STRING or kind == BYTE_STRING or kind == BIG_INTEGER:
        raw = value
        if kind == TEXT_STRING:
            raw = value.encode()
        elif kind == BIG_INTEGER:
            raw = big_integer_bytes(value)
        length = len(raw)
        parts.append(_HEADER.pack(tag << 8 | kind, length))
        parts.append(raw)
        if length & 7:
            parts.append(_PADDING[-length & 7])
        return 8 + length + (-length & 7)
    if kind == ENUMERATION or kind == INTERVAL:
        parts.append(_WHOLE_UNSIGNED.pack(tag << 8 | kind, 4, value))
    elif kind == INTEGER:
        parts.append(_WHOLE_SIGNED.pack(tag << 8 | kind, 4, value))
    else:
        parts.append(_WHOLE_LONG.pack(tag << 8 | kind, 8, value))
    return 16


def big_integer_bytes(value: int) -> bytes:
    """Two's complement, sign-extended to a multiple of 8 bytes: the padding is inside the length."""
    length = (value + (value < 0)).bit_length() // 8 + 1
    return value.to_bytes(length + (-length & 7), "big", signed=True)
