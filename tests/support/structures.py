"""Structures made by Hypothesis from their declarations: whatever fields and values a version has.

Strategy: one walk over the schema. What a reader is known not to understand can be left out: fields of structures,
attributes, and single values of enumerations; what it demands beyond the standard can be made to stand always.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from enum import IntFlag
from typing import Any

from hypothesis import strategies as st

from kmip_server.protocol import attribute_values as av
from kmip_server.protocol import objects, spellings, ttlv
from kmip_server.protocol.attribute_set import Attribute, AttributeKey, VendorAttribute
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.enums import MASK_BITS, DataEnumeration, ItemType, UniqueIdentifierEnumeration
from kmip_server.protocol.registered import Registered
from kmip_server.protocol.schema import FieldRow, NthData, NthIdentifier, declared, is_structure
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import Version

_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(1 << 31), (1 << 31) - 1),
    str: st.text(max_size=20),
    bytes: st.binary(max_size=20),
    bool: st.booleans(),
    ItemType.LONG_INTEGER: st.integers(-(1 << 63), (1 << 63) - 1),
    ItemType.BIG_INTEGER: st.integers(-(1 << 100), 1 << 100),
    ItemType.DATE_TIME: st.integers(0, 1 << 62),
    ItemType.INTERVAL: st.integers(0, (1 << 32) - 1),
    ItemType.ENUMERATION: st.integers(0x80000000, (1 << 32) - 1),
    "reference": st.text(max_size=20),
    "data": st.binary(max_size=20),
    "item": st.tuples(st.just(0x42000B), st.just(ttlv.INTEGER), st.integers(0, 5)),
}


_MANAGED = [objects.SymmetricKey, objects.Certificate, objects.OpaqueObject, objects.SecretData, objects.PrivateKey]
_KEYS: list[AttributeKey] = [Tag.NAME, Tag.STATE, Tag.OBJECT_GROUP, VendorAttribute("x", "a")]


class Structures:
    """What can be made in one version."""

    def __init__(
        self,
        version: Version,
        *,
        without_fields: Container[tuple[type, str]] = (),
        always_fields: Container[tuple[type, str]] = (),
        without_attributes: Container[AttributeKey] = (),
        without_values: Container[tuple[type, int]] = (),
        managed: Sequence[type] = _MANAGED,
        without_vendors: bool = False,
        kinds: Mapping[Any, st.SearchStrategy[Any]] | None = None,
    ) -> None:
        """`kinds`: other strategies for some kinds of values; `without_vendors`: no vendor's attributes."""
        self.version = version
        self._without_fields = without_fields
        self._always_fields = always_fields
        self._without_attributes = without_attributes
        self._without_values = without_values
        self._managed = managed
        self._without_vendors = without_vendors
        self._kinds = kinds or {}

    def values(self, kind: Any) -> st.SearchStrategy[Any]:
        """Values of a kind that the version knows."""
        if kind in self._kinds:
            return self._kinds[kind]
        if is_structure(kind):
            return self.instances(kind)
        if isinstance(kind, type) and issubclass(kind, Registered):
            known = [member for member in kind if member.known_in(self.version)] or list(kind)
            return st.sampled_from([member for member in known if (kind, int(member)) not in self._without_values])
        if isinstance(kind, type) and issubclass(kind, IntFlag):
            bits = int(MASK_BITS[kind][self.version])
            return st.integers(0, 0xFFFFFFFF).map(lambda value: kind(value & bits))
        if kind == "reference" and self.version.major > 1:
            named = st.sampled_from(list(UniqueIdentifierEnumeration))
            return st.one_of(_SCALARS[kind], named, st.integers(-9, 9).map(NthIdentifier))
        if kind == "data" and self.version.major > 1:
            named_data = st.sampled_from(list(DataEnumeration))
            return st.one_of(_SCALARS[kind], named_data, st.integers(-9, 9).map(NthData))
        return _SCALARS[kind]

    def attributes(self) -> st.SearchStrategy[Attribute]:
        rows = [
            row
            for row in ATTRIBUTES.values()
            if row.known_in(self.version) and row.tag not in self._without_attributes
        ]
        standard = st.sampled_from(rows).flatmap(
            lambda row: self.values(row.kind).map(lambda value: Attribute(row.tag, None, value))
        )
        vendor = st.builds(
            lambda title, text: Attribute(
                VendorAttribute("x", title), None, av.CustomValue(ItemType.TEXT_STRING, text)
            ),
            st.text("abc", min_size=1, max_size=5),
            self.values(str),
        )
        either = standard if self._without_vendors else st.one_of(standard, vendor)
        return either.filter(lambda a: spellings.writable(a, self.version))

    def instances(self, cls: type) -> st.SearchStrategy[Any]:
        """A structure with whatever fields the version has."""
        fields: dict[str, st.SearchStrategy[Any]] = {}
        for row in declared(cls)[1]:
            in_version = row.since <= self.version and (row.until is None or self.version <= row.until)
            in_version = in_version and (row.spellings is None or self.version.major in row.spellings)
            if (not in_version or (cls, row.name) in self._without_fields) and not row.required:
                continue
            value = self.spelled(row) if row.spellings else self.values(row.kind)
            always = row.required or (cls, row.name) in self._always_fields
            if row.repeated and not row.spellings:
                value = st.lists(value, min_size=int(always), max_size=3).map(tuple)
            elif not always:
                value = st.none() | value if not row.repeated else value
            fields[row.name] = value
        return st.builds(cls, **fields)

    def spelled(self, row: FieldRow) -> st.SearchStrategy[Any]:
        spelling = (row.spellings or {})[self.version.major]
        many = st.lists(self.attributes(), min_size=1, max_size=3).map(tuple)
        known = [key for key in _KEYS if not self._without_vendors or isinstance(key, Tag)]
        keys = st.lists(st.sampled_from(known), min_size=1, max_size=3).map(tuple)
        made: dict[str, st.SearchStrategy[Any]] = {
            "_Template": self._template(),
            "_AttributesOrTemplate": self._template(),
            "_Repeated": many,
            "_Attributes": many,
            "_Single": self.attributes(),
            "_Names": keys,
            "_References": keys,
            "_NamesOrReferences": keys,
            "_KeyValueSpelling": self._key_value(),
            "_ManagedObjectSpelling": st.sampled_from(self._managed).flatmap(self.values),
        }
        return made[type(spelling).__name__]

    def _template(self) -> st.SearchStrategy[Any]:
        names = st.lists(self.values(av.Name), max_size=2) if self.version.major == 1 else st.just([])
        return st.builds(
            lambda n, a: spellings.TemplateAttribute(names=tuple(n), attributes=tuple(a)),
            names,
            st.lists(self.attributes(), max_size=3),
        )

    def _key_value(self) -> st.SearchStrategy[Any]:
        if objects.KeyValue in self._kinds:
            return self._kinds[objects.KeyValue]
        material = st.binary(max_size=16)
        return st.one_of(material, st.builds(lambda m: objects.KeyValue(key_material=m), material))
