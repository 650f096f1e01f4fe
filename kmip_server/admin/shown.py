"""The value of an attribute as an administrator reads it.

Strategy: enumerations and masks by the standard's names, dates as UTC, structures field by field, bytes in
hexadecimal, and nothing longer than a line is worth: what a client may send can be a mebibyte.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
from typing import Any

from kmip_server.protocol.attribute_set import AttributeKey
from kmip_server.protocol.attribute_values import CustomValue
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.enums import ItemType
from kmip_server.protocol.registered import Registered, words_of
from kmip_server.protocol.schema import item_type
from kmip_server.protocol.tags import Tag

MAX_SHOWN = 1000
"""Characters of one value."""
_MAX_DECIMAL = 1 << 64


def shown(key: AttributeKey, value: Any) -> str:
    """One instance of an attribute, in at most about MAX_SHOWN characters."""
    if isinstance(value, CustomValue):
        text = _item(value.type, value.value)
    elif isinstance(key, Tag) and item_type(ATTRIBUTES[key].kind) == ItemType.DATE_TIME:
        text = moment(value)
    else:
        text = _value(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}... ({len(text)} characters)"


def moment(seconds: int) -> str:
    """A time of any year that a client may name; UTC."""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s since 1970"


def _value(value: Any) -> str:
    if isinstance(value, Registered):
        return value.title
    if isinstance(value, enum.IntFlag):
        return _mask(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, bytes):
        return value[: MAX_SHOWN + 1].hex()
    if isinstance(value, int):
        return _number(value)
    if dataclasses.is_dataclass(value):
        given = ((each.name, getattr(value, each.name)) for each in dataclasses.fields(value))
        return ", ".join(f"{name.replace('_', ' ')}: {_value(each)}" for name, each in given if each is not None)
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(each) for each in value)
    return str(value)


def _mask(value: enum.IntFlag) -> str:
    """The names of its bits; those that have none as a number."""
    names = [" ".join(words_of(each)) for each in value]
    known = 0
    for each in value:
        known |= each.value
    rest = value.value & ~known
    return ", ".join([*names, *([hex(rest)] if rest else [])]) or "none"


def _number(value: int) -> str:
    """Python refuses to write out thousands of digits, and nobody reads them."""
    return str(value) if abs(value) < _MAX_DECIMAL else hex(value)


def _item(kind: int, content: Any) -> str:
    """A value that no table declares, by its Item Type."""
    if kind == ItemType.STRUCTURE:
        return "{" + ", ".join(f"{_tag(tag)}: {_item(inner, value)}" for tag, inner, value in content) + "}"
    if kind == ItemType.DATE_TIME:
        return moment(content)
    if kind == ItemType.ENUMERATION:
        return f"0x{int(content):08x}"
    return _value(content)


def _tag(tag: int) -> str:
    try:
        return Tag.of(tag).title
    except KeyError:
        return f"0x{tag:06x}"
