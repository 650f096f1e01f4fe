"""What a version knows of a value, however deep inside it.

Strategy: tags are left out by the codec, field by field, and mask bits by the mask's encoder. An enumeration value
cannot be left out of what it stands in without changing its meaning; so whoever writes an attribute or an object
asks here first whether the version knows all of it. KMIP 1.4 section 9.1.3.2, KMIP 2.1 section 11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from kmip_server.protocol.attribute_values import CustomValue
from kmip_server.protocol.enums import (
    CryptographicAlgorithm,
    ItemType,
    KeyFormatType,
    ObjectType,
    RecommendedCurve,
    SplitKeyMethod,
)
from kmip_server.protocol.registered import Registered
from kmip_server.protocol.schema import declared, is_structure
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import ENUMERATION, STRUCTURE, Item, encode
from kmip_server.protocol.versions import SERVED, Version


def knows(version: Version, value: Any) -> bool:
    """Whether a client that speaks `version` knows every enumeration value and Item Type in a value.

    Fields of structures that the version does not have do not count: they are not written.
    """
    if hasattr(value, "known_in"):
        known: bool = value.known_in(version)
        return known
    if isinstance(value, CustomValue):
        if value.type == ItemType.STRUCTURE:
            return knows_items(version, value.value)
        return _knows_type(version, value.type)
    return all(_knows_field(version, getattr(value, name)) for name in _telling(type(value), version))


def _knows_field(version: Version, value: Any) -> bool:
    if isinstance(value, tuple):
        return all(knows(version, each) for each in value)
    return value is None or knows(version, value)


def _telling(cls: type, version: Version) -> tuple[str, ...]:
    """The fields of a structure that the version has, and of whose values it may not know some."""
    names = _TELLING.get((cls, version))
    if names is None:
        names = _TELLING[cls, version] = _telling_of(cls, version) if is_structure(cls) else ()
    return names


_TELLING: dict[tuple[type, Version], tuple[str, ...]] = {}


def _telling_of(cls: type, version: Version) -> tuple[str, ...]:
    return tuple(
        row.name
        for row in declared(cls)[1]
        if row.since <= version
        and (row.until is None or version <= row.until)
        and _may_be_unknown(row.kind, version)
    )


def _may_be_unknown(kind: Any, version: Version) -> bool:
    if isinstance(kind, type) and issubclass(kind, Registered):
        return not all(member.known_in(version) for member in kind)
    # Of a field with a spelling of its own (kind Any), as a Key Value, only the value itself can tell.
    return kind is Any or (is_structure(kind) and bool(_telling(kind, version)))


def knows_items(version: Version, items: Iterable[Item]) -> bool:
    """Whether the version knows what a client's own structure is made of: its standard tags, and its types."""
    return all(_knows_item(version, *item) for item in items)


def _knows_item(version: Version, tag: int, kind: int, value: Any) -> bool:
    row = Tag._value2member_map_.get(tag)
    if isinstance(row, Tag) and not row.known_in(version):
        return False
    if kind == ItemType.STRUCTURE:
        return knows_items(version, value)
    if tag == Tag.RECOMMENDED_CURVE and value in RecommendedCurve._value2member_map_:
        return RecommendedCurve.of(value).known_in(version)
    return _knows_type(version, kind)


def _knows_type(version: Version, kind: int) -> bool:
    return kind != ItemType.DATE_TIME_EXTENDED or version.major > 1


# --- objects that leave as they are kept --------------------------------------------------------

_OBJECTS = {
    Tag.TEMPLATE: ObjectType.TEMPLATE,
    Tag.PGP_KEY: ObjectType.PGP_KEY,
    Tag.CERTIFICATE_REQUEST: ObjectType.CERTIFICATE_REQUEST,
}
"""Objects that not every version has."""
_ENUMERATIONS: dict[Tag, type[Registered]] = {
    Tag.KEY_FORMAT_TYPE: KeyFormatType,
    Tag.CRYPTOGRAPHIC_ALGORITHM: CryptographicAlgorithm,
    Tag.RECOMMENDED_CURVE: RecommendedCurve,
    Tag.SPLIT_KEY_METHOD: SplitKeyMethod,
}
"""Enumerations in objects that not every version has all of."""


def _doubtful(version: Version) -> re.Pattern[bytes]:
    unknown = [encode((tag, STRUCTURE, []))[:4] for tag, kind in _OBJECTS.items() if not kind.known_in(version)]
    for tag, values in _ENUMERATIONS.items():
        unknown += [encode((tag, ENUMERATION, int(v)))[:12] for v in values if not v.known_in(version)]
    return re.compile(b"|".join(map(re.escape, unknown)))


DOUBTFUL = {version: _doubtful(version) for version in SERVED}
"""What the TTLV of an object is sure to hold somewhere if the version does not know all of it."""
