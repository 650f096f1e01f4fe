"""structure() and field(): how a structure of the standard is declared, once for all versions.

Strategy: a structure is a frozen dataclass whose fields stand in wire order, each with its tag and the
versions that have it. The annotation says the rest: `int` is an Integer, `X | None` is optional,
`tuple[X, ...]` may be repeated. Where the 1.x and 2.x spellings of a field differ in more than their
presence, the field names a `Spelling` for each major version. `codec.py` compiles the declarations;
nothing else interprets them.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Annotated, Any, Protocol, TypeVar, dataclass_transform

from kmip_server.frozen import frozen
from kmip_server.protocol.enums import ItemType, UniqueIdentifierEnumeration
from kmip_server.protocol.registered import Registered
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_0, Version

LongInteger = Annotated[int, ItemType.LONG_INTEGER]
BigInteger = Annotated[int, ItemType.BIG_INTEGER]
DateTime = Annotated[int, ItemType.DATE_TIME]
"""Seconds since 1970, UTC."""
Interval = Annotated[int, ItemType.INTERVAL]
"""Seconds."""
AnyItem = Annotated[Any, "item"]
"""The item as it came, for what another layer decodes."""


@dataclass(frozen=True, slots=True)
class NthIdentifier:
    """The n-th Unique Identifier of the response, from 0; negative: counted back. KMIP 2.1 §4.58."""

    number: int


@dataclass(frozen=True, slots=True)
class NthData:
    """The n-th Data of the response, from 0; negative: counted back. KMIP 2.1 §7.9."""

    number: int


Data = Annotated[bytes, "data"]
"""Data of a request. From 2.0 on it may come as a DataEnumeration or NthData, for what an earlier operation of the
batch has put out; it is bytes by the time an operation sees it."""
ObjectReference = Annotated[str | UniqueIdentifierEnumeration | NthIdentifier, "reference"]
"""How a request names an object: its Unique Identifier; from 2.0 on also by an earlier operation of the batch."""

T = TypeVar("T")


class Spelling(Protocol):
    """How one field is written in one major version, where that is not a matter of a single tag."""

    @property
    def tags(self) -> frozenset[int]:
        """The tags whose items belong to this field."""

    def decode(self, items: list[Item], version: Version) -> Any:
        """The value of the field. `items` are those with one of `tags`, in their order; never empty."""

    def encode(self, value: Any, version: Version) -> list[Item]:
        """The items of the field, in wire order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """One declared field, annotation resolved."""

    name: str
    tag: int
    kind: Any
    """int, str, bytes, bool, an ItemType, an enumeration, a mask, a structure, "item", "reference" or "data"."""
    required: bool
    repeated: bool
    since: Version
    until: Version | None
    spellings: Mapping[int, Spelling] | None


_STRUCTURES: dict[type, tuple[int, tuple[FieldRow, ...]]] = {}


def field(
    tag: int,
    *,
    since: Version = V1_0,
    until: Version | None = None,
    secret: bool = False,
    spellings: Mapping[int, Spelling] | None = None,
) -> Any:
    """A field with this tag, in the versions `since` to `until`. `secret` keeps it out of `repr`."""
    return {"tag": tag, "since": since, "until": until, "secret": secret, "spellings": spellings}


@dataclass_transform(kw_only_default=True, frozen_default=True)
def structure(tag: int) -> Callable[[type[T]], type[T]]:
    """Make the class below a frozen, slotted, keyword-only dataclass, and declare it under `tag`."""

    def declare(cls: type[T]) -> type[T]:
        options = {name: cls.__dict__[name] for name in cls.__annotations__}
        hints = typing.get_type_hints(cls, include_extras=True)
        rows = tuple(_row(name, hints[name], options[name]) for name in cls.__annotations__)
        for row in rows:
            setattr(cls, row.name, _dataclass_field(row, options[row.name]["secret"]))
        # Without one, dataclass writes the signature there, which costs more than the class does.
        cls.__doc__ = cls.__doc__ or tag_title(int(tag))
        made = frozen(cls)
        _STRUCTURES[made] = (int(tag), rows)
        return made

    return declare


def _row(name: str, hint: Any, options: dict[str, Any]) -> FieldRow:
    optional = False
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        arguments = typing.get_args(hint)
        optional = type(None) in arguments
        remaining = [a for a in arguments if a is not type(None)]
        hint = remaining[0] if len(remaining) == 1 else Any
    repeated = typing.get_origin(hint) is tuple
    if repeated:
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[1]
    return FieldRow(
        name=name,
        tag=int(options["tag"]),
        kind=hint,
        required=not optional and not repeated,
        repeated=repeated,
        since=options["since"],
        until=options["until"],
        spellings=options["spellings"],
    )


def _dataclass_field(row: FieldRow, secret: bool) -> Any:
    if row.required:
        return dataclasses.field(repr=not secret)
    return dataclasses.field(default=() if row.repeated else None, repr=not secret)


def declared(cls: type) -> tuple[int, tuple[FieldRow, ...]]:
    """The tag and the fields of a structure class."""
    return _STRUCTURES[cls]


def structures() -> list[type]:
    """Every structure declared so far."""
    return list(_STRUCTURES)


def is_structure(kind: Any) -> bool:
    return kind in _STRUCTURES


def item_type(kind: Any) -> ItemType:
    """The Item Type of a field of this kind. Raises TypeError for a kind nobody can write."""
    if isinstance(kind, ItemType):
        return kind
    if kind in _STRUCTURES:
        return ItemType.STRUCTURE
    if isinstance(kind, type):
        if issubclass(kind, Registered):
            return ItemType.ENUMERATION
        if issubclass(kind, bool):
            return ItemType.BOOLEAN
        if issubclass(kind, (IntFlag, int)):
            return ItemType.INTEGER
        if issubclass(kind, str):
            return ItemType.TEXT_STRING
        if issubclass(kind, bytes):
            return ItemType.BYTE_STRING
    raise TypeError(f"{kind!r} is no kind of field")


def tag_title(tag: int) -> str:
    """The standard's name of a tag, for messages to people."""
    row = Tag._value2member_map_.get(tag)
    return row.title if isinstance(row, Tag) else f"0x{tag:06X}"
