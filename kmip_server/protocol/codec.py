"""Structures to and from items, for one version.

Strategy: each declaration is compiled once into a list of steps, so that a message costs a loop over its
own fields and no decisions about versions. On input the order of fields is free, duplicates are refused, a
field of another minor version that we know is honoured, and one that we do not know is refused. On output
the order is the standard's, and nothing that the version does not have is written. Errors name the field,
never its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntFlag
from typing import Any, TypeVar

from kmip_server.errors import CodecError, DuplicateField, MissingData, UnknownEnumeration, UnknownTag
from kmip_server.protocol.enums import MASK_BITS, DataEnumeration, ItemType, UniqueIdentifierEnumeration
from kmip_server.protocol.registered import Registered
from kmip_server.protocol.schema import (
    FieldRow,
    NthData,
    NthIdentifier,
    Spelling,
    declared,
    is_structure,
    item_type,
    structures,
    tag_title,
)
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import BYTE_STRING, STRUCTURE, TEXT_STRING, Item
from kmip_server.protocol.versions import LATEST, Version

T = TypeVar("T")
Decoder = Callable[[Item, Version], Any]
Encoder = Callable[[Any, Version | None], Any]
"""From a typed value to an item's. No version means storage: everything is written, whichever version knows it."""

_ONE, _REPEATED, _SPELLED = range(3)
_Writer = tuple[str, int, int, Encoder | Spelling, int]
"""Field, tag, Item Type (0 where the value decides it), what encodes it, and how often it stands."""
_UNTYPED = ("item", "reference", "data")
"""Kinds whose encoder gives Item Type and value."""


class _Plan:
    """The compiled form of one structure class."""

    __slots__ = ("cls", "readers", "required", "rows", "spelled", "tag", "title", "writers")

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.tag, self.rows = declared(cls)
        self.title = tag_title(self.tag)
        self.readers = {major: self._readers(major) for major in (1, 2)}
        self.required = {major: self._required(major) for major in (1, 2)}
        self.spelled = {
            major: {r.name: r.spellings[major] for r in self._rows(major) if r.spellings} for major in (1, 2)
        }
        self.writers: dict[Version | None, list[_Writer]] = {v: self._writers(v) for v in Version}
        self.writers[None] = [
            _writer(row, LATEST) for row in self.rows if row.spellings is None or LATEST.major in row.spellings
        ]

    def _rows(self, major: int) -> list[FieldRow]:
        # A spelling that a major version lacks means that the field does not exist there.
        return [
            row
            for row in self.rows
            if row.since.major <= major
            and (row.until is None or row.until.major >= major)
            and (row.spellings is None or major in row.spellings)
        ]

    def _readers(self, major: int) -> dict[int, tuple[str, int, Decoder]]:
        readers: dict[int, tuple[str, int, Decoder]] = {}
        for row in self._rows(major):
            if row.spellings:
                for tag in row.spellings[major].tags:
                    readers[tag] = (row.name, _SPELLED, _as_item)
            else:
                readers[row.tag] = (row.name, _REPEATED if row.repeated else _ONE, decoder(row.kind))
        return readers

    def _required(self, major: int) -> tuple[tuple[str, int], ...]:
        return tuple((row.name, row.tag) for row in self._rows(major) if row.required)

    def _writers(self, version: Version) -> list[_Writer]:
        return [_writer(row, version) for row in self._rows(version.major) if _is_written(row, version)]


def _is_written(row: FieldRow, version: Version) -> bool:
    """Whether the field, and its tag, are of this version."""
    if row.since > version or (row.until is not None and row.until < version):
        return False
    tag = Tag._value2member_map_.get(row.tag)
    return row.spellings is not None or not isinstance(tag, Tag) or tag.known_in(version)


def _writer(row: FieldRow, version: Version) -> _Writer:
    if row.spellings:
        return row.name, row.tag, 0, row.spellings[version.major], _SPELLED
    mode = _REPEATED if row.repeated else _ONE
    if row.kind in _UNTYPED:
        return row.name, row.tag, 0, encoder(row.kind), mode
    return row.name, row.tag, int(item_type(row.kind)), encoder(row.kind), mode


_PLANS: dict[type, _Plan] = {}


def _plan(cls: type) -> _Plan:
    plan = _PLANS.get(cls)
    if plan is None:
        plan = _PLANS[cls] = _Plan(cls)
    return plan


def compile_plans() -> int:
    """Compile every declared structure now, so that the first request is as fast as the second."""
    for cls in structures():
        _plan(cls)
    return len(_PLANS)


# --- whole structures ---------------------------------------------------------------------------


def decode_structure(cls: type[T], item: Item, version: Version) -> T:
    """The structure that `item` is. Raises a CodecError, UnknownTag, DuplicateField, MissingData or
    UnknownEnumeration that names the field."""
    if item[1] != STRUCTURE:
        raise CodecError(f"{tag_title(item[0])} must be a Structure")
    return decode_fields(cls, item[2], version)


def decode_fields(cls: type[T], items: Iterable[Item], version: Version) -> T:
    """As `decode_structure`, from the fields alone."""
    plan = _plan(cls)
    major = version // 10
    readers = plan.readers[major]
    values: dict[str, Any] = {}
    for item in items:
        reader = readers.get(item[0])
        if reader is None:
            raise UnknownTag(f"{plan.title} of KMIP {version} has no field {tag_title(item[0])}")
        name, mode, decode = reader
        if mode == _ONE:
            if name in values:
                raise DuplicateField(f"{tag_title(item[0])} stands twice in {plan.title}")
            values[name] = decode(item, version)
        else:
            values.setdefault(name, []).append(decode(item, version))
    for name, spelling in plan.spelled[major].items():
        if name in values:
            values[name] = spelling.decode(values[name], version)
    for name, tag in plan.required[major]:
        if name not in values:
            raise MissingData(f"{plan.title} must have {tag_title(tag)}")
    for name, value in values.items():
        if type(value) is list:
            values[name] = tuple(value)
    made: T = plan.cls(**values)
    return made


def encode_structure(value: Any, version: Version, tag: int = 0) -> Item:
    """The item of a structure as `version` has it; under `tag` where that is not the declared one."""
    plan = _plan(type(value))
    return (tag or plan.tag, STRUCTURE, encode_fields(value, version))


def encode_fields(value: Any, version: Version | None) -> list[Item]:
    """The fields of a structure, in the standard's order; of every version where none is given."""
    items: list[Item] = []
    for name, tag, kind, encode, mode in _plan(type(value)).writers[version]:
        field = getattr(value, name)
        if field is None:
            continue
        if mode == _ONE:
            # Some values bring their own type.
            items.append((tag, kind, encode(field, version)) if kind else (tag, *encode(field, version)))  # type: ignore[operator]
        elif mode == _SPELLED:
            items += encode.encode(field, version or LATEST)  # type: ignore[union-attr]
        elif kind:
            items += [(tag, kind, encode(each, version)) for each in field]  # type: ignore[operator]
        else:
            items += [(tag, *encode(each, version)) for each in field]  # type: ignore[operator]
    return items


# --- single values ------------------------------------------------------------------------------


def _as_item(item: Item, version: Version) -> Item:  # noqa: ARG001 - the common form of decoders
    return item


def decoder(kind: Any) -> Decoder:
    """A function from an item to the typed value of this kind."""
    if kind == "item":
        return _as_item
    if kind == "reference":
        return _reference
    if kind == "data":
        return _data
    if is_structure(kind):
        return lambda item, version: decode_structure(kind, item, version)
    expected = item_type(kind)
    if isinstance(kind, type) and issubclass(kind, Registered):
        return _enumeration_decoder(kind)
    if isinstance(kind, type) and issubclass(kind, IntFlag):
        return _mask_decoder(kind)

    def decode(item: Item, version: Version) -> Any:  # noqa: ARG001
        if item[1] != expected:
            raise _wrong_type(item, expected)
        return item[2]

    return decode


def _reference(item: Item, version: Version) -> str | UniqueIdentifierEnumeration | NthIdentifier:
    """How a request names an object. 1.x knows text alone."""
    _, kind, value = item
    if kind == TEXT_STRING:
        name: str = value
        return name
    if version.major > 1 and kind == ItemType.ENUMERATION:
        named: UniqueIdentifierEnumeration = _NAMED_IDENTIFIER(item, version)
        return named
    if version.major > 1 and kind == ItemType.INTEGER:
        return NthIdentifier(value)
    raise _wrong_type(item, ItemType.TEXT_STRING)


def _data(item: Item, version: Version) -> bytes | DataEnumeration | NthData:
    """Data, or where in the batch it comes from. 1.x knows bytes alone."""
    _, kind, value = item
    if kind == BYTE_STRING:
        data: bytes = value
        return data
    if version.major > 1 and kind == ItemType.ENUMERATION:
        named: DataEnumeration = _NAMED_DATA(item, version)
        return named
    if version.major > 1 and kind == ItemType.INTEGER:
        return NthData(value)
    raise _wrong_type(item, ItemType.BYTE_STRING)


def _encode_data(value: Any, version: Version | None) -> tuple[int, Any]:  # noqa: ARG001
    if isinstance(value, NthData):
        return ItemType.INTEGER, value.number
    if isinstance(value, DataEnumeration):
        return ItemType.ENUMERATION, int(value)
    return BYTE_STRING, value


def _encode_reference(value: Any, version: Version | None) -> tuple[int, Any]:  # noqa: ARG001
    if isinstance(value, NthIdentifier):
        return ItemType.INTEGER, value.number
    if isinstance(value, UniqueIdentifierEnumeration):
        return ItemType.ENUMERATION, int(value)
    return TEXT_STRING, value


def _enumeration_decoder(kind: type[Registered]) -> Decoder:
    members = {int(member): member for member in kind}

    def decode(item: Item, version: Version) -> Any:  # noqa: ARG001
        if item[1] != ItemType.ENUMERATION:
            raise _wrong_type(item, ItemType.ENUMERATION)
        member = members.get(item[2])
        if member is None:
            raise UnknownEnumeration(f"0x{item[2]:08X} is not a value of {tag_title(item[0])}")
        return member

    return decode


def _mask_decoder(kind: type[IntFlag]) -> Decoder:
    known = 0
    for bits in MASK_BITS[kind].values():
        known |= bits

    def decode(item: Item, version: Version) -> Any:  # noqa: ARG001
        if item[1] != ItemType.INTEGER:
            raise _wrong_type(item, ItemType.INTEGER)
        if item[2] & ~known:
            raise UnknownEnumeration(f"{tag_title(item[0])} has a bit that no version defines")
        return kind(item[2])

    return decode


def _wrong_type(item: Item, expected: ItemType) -> CodecError:
    given = ItemType.of(item[1]).title
    return CodecError(f"{tag_title(item[0])} must be of type {expected.title}, not {given}")


def encoder(kind: Any) -> Encoder:
    """A function from the typed value to an item's value; for `_UNTYPED` kinds to its type and value."""
    if kind == "item":
        return lambda value, version: value[1:]
    if kind == "reference":
        return _encode_reference
    if kind == "data":
        return _encode_data
    if is_structure(kind):
        return lambda value, version: encode_fields(value, version)
    if isinstance(kind, type) and issubclass(kind, IntFlag):
        bits = MASK_BITS[kind]
        return lambda value, version: int(value) if version is None else int(value) & bits[version]
    return lambda value, version: value


_NAMED_DATA = _enumeration_decoder(DataEnumeration)
_NAMED_IDENTIFIER = _enumeration_decoder(UniqueIdentifierEnumeration)
