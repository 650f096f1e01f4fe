"""The two spellings of attributes and objects on the wire.

Strategy: 1.x writes an attribute as a structure of name, index and value (KMIP 1.4 §2.1.1) inside
Template-Attributes; 2.x writes its own tag inside Attributes (KMIP 2.1 §5.1). Inside the server there is only
`Attribute(key, index, value)`. Nothing outside the protocol room knows that there are two. An attribute
that the version does not know, or whose value it does not know, is left out of what is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kmip_server.errors import DuplicateField, InvalidAttributeValue, KmipError, MissingData, UnknownTag
from kmip_server.protocol.attribute_set import Attribute, AttributeKey, VendorAttribute
from kmip_server.protocol.attribute_values import CustomValue, Name
from kmip_server.protocol.attributes import ATTRIBUTES as ROWS
from kmip_server.protocol.attributes import BY_NAME, AttributeRow
from kmip_server.protocol.codec import Decoder, Encoder, decode_fields, decoder, encode_structure, encoder
from kmip_server.protocol.enums import ItemType
from kmip_server.protocol.known import knows
from kmip_server.protocol.schema import AnyItem, Spelling, field, item_type, structure
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import ENUMERATION, INTEGER, STRUCTURE, TEXT_STRING, Item
from kmip_server.protocol.versions import Version

_DECODERS: dict[Tag, Decoder] = {row.tag: decoder(row.kind) for row in ROWS.values()}
_ENCODERS: dict[Tag, tuple[int, Encoder]] = {
    row.tag: (int(item_type(row.kind)), encoder(row.kind)) for row in ROWS.values()
}
DecodeValue = Callable[[AttributeRow, Item, Version], Any]
_CUSTOM_PREFIXES = {"x": "x", "y": "y"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateAttribute:
    """A Template-Attribute (1.x) or Attributes (2.x, where there are no template names)."""

    names: tuple[Name, ...] = ()
    """Names of Templates to take attributes from."""
    attributes: tuple[Attribute, ...] = ()


# --- single attribute values --------------------------------------------------------------------


def _decode_value(row: AttributeRow, item: Item, version: Version) -> Any:
    try:
        return _DECODERS[row.tag](item, version)
    except KmipError as error:
        raise InvalidAttributeValue(f"{row.name}: {error.message}") from error


def encode_value(key: AttributeKey, value: Any, version: Version | None, tag: int) -> Item:
    if isinstance(value, CustomValue):
        content = list(value.value) if value.type == STRUCTURE else value.value
        return (tag, int(value.type), content)
    assert isinstance(key, Tag)
    kind, encode = _ENCODERS[key]
    return (tag, kind, encode(value, version))


def _custom_value(item: Item) -> CustomValue:
    return CustomValue(ItemType.of(item[1]), _frozen(item[2]))


def _frozen(content: Any) -> Any:
    if type(content) is list:
        return tuple((tag, kind, _frozen(inner)) for tag, kind, inner in content)
    return content


def writable(attribute: Attribute, version: Version) -> bool:
    """Whether a client that speaks `version` knows this attribute and its value; without one, only a name can be
    written, and 2.x has names for vendors' attributes alone."""
    if attribute.value is None and version.major > 1 and not isinstance(attribute.key, VendorAttribute):
        return False
    return known_key(attribute.key, version) and knows(version, attribute.value)


def known_key(key: AttributeKey, version: Version) -> bool:
    """Whether a client that speaks `version` knows the attribute."""
    if isinstance(key, VendorAttribute):
        return version.major > 1 or key.vendor_identification in _CUSTOM_PREFIXES
    return ROWS[key].known_in(version)


@dataclass(frozen=True, slots=True)
class PartialValue:
    """A structure of which a Locate gives only some fields, though it has to have more (KMIP 1.4 §4.9)."""

    items: tuple[Item, ...]


def has_parts(key: AttributeKey, value: Any, partial: PartialValue) -> bool:
    """Whether an attribute's value has every field that `partial` gives."""
    fields = encode_value(key, value, None, Tag.ATTRIBUTE_VALUE)[2]
    return isinstance(fields, list) and all(item in fields for item in partial.items)


def _decode_to_match(row: AttributeRow, item: Item, version: Version) -> Any:
    """A value to compare with; fields that are missing are not compared."""
    try:
        return _DECODERS[row.tag](item, version)
    except MissingData:
        return PartialValue(tuple(item[2]))
    except KmipError as error:
        raise InvalidAttributeValue(f"{row.name}: {error.message}") from error


# --- 1.x: name, index, value --------------------------------------------------------------------


@structure(Tag.ATTRIBUTE)
class _NamedAttribute:
    vendor_identification: str | None = field(Tag.VENDOR_IDENTIFICATION)  # in storage only
    attribute_name: str = field(Tag.ATTRIBUTE_NAME)
    attribute_index: int | None = field(Tag.ATTRIBUTE_INDEX)
    attribute_value: AnyItem | None = field(Tag.ATTRIBUTE_VALUE)


def key_of_name(name: str) -> AttributeKey:
    """The key of a 1.x Attribute Name. A name nobody defined gets a key that no object has."""
    row = BY_NAME.get(name)
    if row is not None:
        return row.tag
    vendor, dash, rest = name.partition("-")
    return VendorAttribute(vendor, rest) if dash and vendor in _CUSTOM_PREFIXES else VendorAttribute("", name)


def decode_named(item: Item, version: Version, decode_value: DecodeValue = _decode_value) -> Attribute:
    """One 1.x Attribute structure. Raises InvalidAttributeValue for a value of the wrong kind."""
    if item[1] != STRUCTURE:
        raise InvalidAttributeValue("Attribute must be a Structure")
    fields = item[2]
    if len(fields) == 2 and fields[0][:2] == _PLAIN_NAME and fields[1][0] == _PLAIN_VALUE:
        # As nearly all have it; anything else is taken apart.
        row = BY_NAME.get(fields[0][2])
        if row is not None:
            return Attribute(row.tag, None, decode_value(row, fields[1], version))
    named = decode_fields(_NamedAttribute, item[2], version)
    key = key_of_name(named.attribute_name)
    if named.vendor_identification:
        key = VendorAttribute(named.vendor_identification, named.attribute_name)
    if named.attribute_index is not None and named.attribute_index < 0:
        raise InvalidAttributeValue(f"{named.attribute_name}: an Attribute Index is not negative")
    value = named.attribute_value
    if value is None:
        return Attribute(key, named.attribute_index, None)
    if isinstance(key, VendorAttribute):
        return Attribute(key, named.attribute_index, _custom_value(value))
    return Attribute(key, named.attribute_index, decode_value(ROWS[key], value, version))


_PLAIN_NAME = (int(Tag.ATTRIBUTE_NAME), TEXT_STRING)
_PLAIN_VALUE = int(Tag.ATTRIBUTE_VALUE)


def encode_named(attribute: Attribute, version: Version) -> Item:
    """One 1.x Attribute structure; index 0 is left out, as it is the default."""
    key, index, value = attribute
    items: list[Item] = [(Tag.ATTRIBUTE_NAME, TEXT_STRING, key.title)]
    if index:
        items.append((Tag.ATTRIBUTE_INDEX, INTEGER, index))
    if value is not None:
        items.append(encode_value(key, value, version, Tag.ATTRIBUTE_VALUE))
    return (Tag.ATTRIBUTE, STRUCTURE, items)


# --- 2.x: its own tag ---------------------------------------------------------------------------


@structure(Tag.ATTRIBUTE)
class _VendorAttribute:
    vendor_identification: str = field(Tag.VENDOR_IDENTIFICATION)
    attribute_name: str = field(Tag.ATTRIBUTE_NAME)
    attribute_value: AnyItem | None = field(Tag.ATTRIBUTE_VALUE)


def decode_tagged(item: Item, version: Version, decode_value: DecodeValue = _decode_value) -> Attribute:
    """One attribute inside a 2.x Attributes structure."""
    if item[0] == Tag.ATTRIBUTE:
        vendor = decode_fields(_VendorAttribute, item[2] if item[1] == STRUCTURE else (), version)
        key = VendorAttribute(vendor.vendor_identification, vendor.attribute_name)
        value = None if vendor.attribute_value is None else _custom_value(vendor.attribute_value)
        return Attribute(key, None, value)
    row = ROWS.get(item[0])  # type: ignore[call-overload]
    if row is None:
        raise UnknownTag(f"0x{item[0]:06X} is not the tag of an attribute")
    return Attribute(row.tag, None, decode_value(row, item, version))


def encode_tagged(attribute: Attribute, version: Version) -> Item:
    """One attribute for a 2.x Attributes structure."""
    key, _, value = attribute
    if isinstance(key, Tag):
        return encode_value(key, value, version, key)
    items: list[Item] = [
        (Tag.VENDOR_IDENTIFICATION, TEXT_STRING, key.vendor_identification),
        (Tag.ATTRIBUTE_NAME, TEXT_STRING, key.attribute_name),
    ]
    if value is not None:
        items.append(encode_value(key, value, version, Tag.ATTRIBUTE_VALUE))
    return (Tag.ATTRIBUTE, STRUCTURE, items)


def _inside(items: Iterable[Item]) -> list[Item]:
    """The fields of structures that may stand once."""
    item, *others = items
    if others:
        raise DuplicateField("a field that may stand once stands twice")
    if item[1] != STRUCTURE:
        raise InvalidAttributeValue("Attributes must be a Structure")
    fields: list[Item] = item[2]
    return fields


# --- spellings of fields ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Template:
    """1.x: Template-Attribute structures. 2.x: the Attributes structure in their place."""

    tags: frozenset[int]
    tag: Tag
    decode_value: DecodeValue = _decode_value

    def decode(self, items: list[Item], version: Version) -> TemplateAttribute:
        names: list[Name] = []
        attributes: list[Attribute] = []
        decode_name = decoder(Name)
        for item in _inside(items):
            if version.major > 1:
                attributes.append(decode_tagged(item, version, self.decode_value))
            elif item[0] == Tag.NAME:
                names.append(decode_name(item, version))
            elif item[0] == Tag.ATTRIBUTE:
                attributes.append(decode_named(item, version, self.decode_value))
            else:
                raise UnknownTag(f"Template-Attribute has no field 0x{item[0]:06X}")
        return TemplateAttribute(names=tuple(names), attributes=tuple(attributes))

    def encode(self, value: TemplateAttribute, version: Version) -> list[Item]:
        items = [encode_structure(name, version) for name in value.names] if version.major == 1 else []
        write = encode_named if version.major == 1 else encode_tagged
        items += [write(a, version) for a in value.attributes if writable(a, version)]
        return [(self.tag, STRUCTURE, items)]


@dataclass(frozen=True, slots=True)
class _Repeated:
    """1.x: Attribute structures, repeated. FortiOS puts those of a Locate into a Template-Attribute."""

    tags: frozenset[int]
    decode_value: DecodeValue = _decode_value

    def decode(self, items: list[Item], version: Version) -> tuple[Attribute, ...]:
        attributes: list[Attribute] = []
        for item in items:
            if item[0] == Tag.TEMPLATE_ATTRIBUTE:
                template = _TEMPLATE_TO_MATCH.decode([item], version)
                if template.names:
                    raise MissingData("a Template-Attribute here holds attributes, not template names")
                attributes += template.attributes
            else:
                attributes.append(decode_named(item, version, self.decode_value))
        return tuple(attributes)

    def encode(self, value: tuple[Attribute, ...], version: Version) -> list[Item]:
        return [encode_named(attribute, version) for attribute in value if writable(attribute, version)]


@dataclass(frozen=True, slots=True)
class _Attributes:
    """2.x: one Attributes structure."""

    tags: frozenset[int]
    tag: Tag
    always: bool
    """Whether the structure stands even when it is empty."""
    decode_value: DecodeValue = _decode_value

    def decode(self, items: list[Item], version: Version) -> tuple[Attribute, ...]:
        return tuple(decode_tagged(item, version, self.decode_value) for item in _inside(items))

    def encode(self, value: tuple[Attribute, ...], version: Version) -> list[Item]:
        if not value and not self.always:
            return []
        items = [encode_tagged(attribute, version) for attribute in value if writable(attribute, version)]
        return [(self.tag, STRUCTURE, items)]


@dataclass(frozen=True, slots=True)
class _Single:
    """One attribute: an Attribute structure in 1.x, inside New or Current Attribute in 2.x."""

    tags: frozenset[int]
    tag: Tag

    def decode(self, items: list[Item], version: Version) -> Attribute:
        if len(items) > 1:
            raise DuplicateField("only one attribute can be given here")
        if version.major == 1:
            return decode_named(items[0], version)
        inner = _inside(items)
        if len(inner) != 1:
            raise MissingData("exactly one attribute must be given here")
        return decode_tagged(inner[0], version)

    def encode(self, value: Attribute, version: Version) -> list[Item]:
        if not knows(version, value.value):
            # The client named the instance, but did not send this value.
            value = value._replace(value=None)
        if version.major == 1:
            return [encode_named(value, version)]
        return [(self.tag, STRUCTURE, [encode_tagged(value, version)])]


@dataclass(frozen=True, slots=True)
class _Names:
    """1.x: Attribute Name, repeated."""

    tags: frozenset[int] = frozenset({Tag.ATTRIBUTE_NAME})

    def decode(self, items: list[Item], version: Version) -> tuple[AttributeKey, ...]:
        read = decoder(str)
        return tuple(key_of_name(read(item, version)) for item in items)

    def encode(self, value: tuple[AttributeKey, ...], version: Version) -> list[Item]:
        return [(Tag.ATTRIBUTE_NAME, TEXT_STRING, key.title) for key in value if known_key(key, version)]


@dataclass(frozen=True, slots=True)
class _References:
    """2.x: Attribute Reference, repeated: a tag, or vendor and name. KMIP 2.1 §5.5."""

    tags: frozenset[int] = frozenset({Tag.ATTRIBUTE_REFERENCE})

    def decode(self, items: list[Item], version: Version) -> tuple[AttributeKey, ...]:
        return tuple(self._key(item, version) for item in items)

    def _key(self, item: Item, version: Version) -> AttributeKey:
        if item[1] == ENUMERATION:
            row = ROWS.get(item[2])
            return row.tag if row else VendorAttribute("", f"0x{item[2]:06X}")
        named = decode_fields(_VendorAttribute, item[2] if item[1] == STRUCTURE else (), version)
        return VendorAttribute(named.vendor_identification, named.attribute_name)

    def encode(self, value: tuple[AttributeKey, ...], version: Version) -> list[Item]:
        return [self._item(key) for key in value if known_key(key, version)]

    def _item(self, key: AttributeKey) -> Item:
        if isinstance(key, Tag):
            return (Tag.ATTRIBUTE_REFERENCE, ENUMERATION, int(key))
        names: list[Item] = [
            (Tag.VENDOR_IDENTIFICATION, TEXT_STRING, key.vendor_identification),
            (Tag.ATTRIBUTE_NAME, TEXT_STRING, key.attribute_name),
        ]
        return (Tag.ATTRIBUTE_REFERENCE, STRUCTURE, names)


def _template(first: Tag, second: Tag, *also: Tag) -> dict[int, Spelling]:
    return {
        1: _Template(frozenset({first, *also}), first),
        2: _Template(frozenset({second}), second),
    }


_TEMPLATE_TO_MATCH = _Template(frozenset({Tag.TEMPLATE_ATTRIBUTE}), Tag.TEMPLATE_ATTRIBUTE, _decode_to_match)

TEMPLATE_ATTRIBUTE = _template(Tag.TEMPLATE_ATTRIBUTE, Tag.ATTRIBUTES)
# Some clients put what is common to both keys into a plain Template-Attribute.
COMMON_TEMPLATE_ATTRIBUTE = _template(Tag.COMMON_TEMPLATE_ATTRIBUTE, Tag.COMMON_ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE)
PRIVATE_KEY_TEMPLATE_ATTRIBUTE = _template(Tag.PRIVATE_KEY_TEMPLATE_ATTRIBUTE, Tag.PRIVATE_KEY_ATTRIBUTES)
PUBLIC_KEY_TEMPLATE_ATTRIBUTE = _template(Tag.PUBLIC_KEY_TEMPLATE_ATTRIBUTE, Tag.PUBLIC_KEY_ATTRIBUTES)
ATTRIBUTES: dict[int, Spelling] = {
    1: _Repeated(frozenset({Tag.ATTRIBUTE})),
    2: _Attributes(frozenset({Tag.ATTRIBUTES}), Tag.ATTRIBUTES, always=True),
}
KEY_VALUE_ATTRIBUTES: dict[int, Spelling] = {
    1: _Repeated(frozenset({Tag.ATTRIBUTE})),
    2: _Attributes(frozenset({Tag.ATTRIBUTES}), Tag.ATTRIBUTES, always=False),
}
ATTRIBUTES_TO_MATCH: dict[int, Spelling] = {
    1: _Repeated(frozenset({Tag.ATTRIBUTE, Tag.TEMPLATE_ATTRIBUTE}), _decode_to_match),
    2: _Attributes(frozenset({Tag.ATTRIBUTES}), Tag.ATTRIBUTES, True, _decode_to_match),
}
ATTRIBUTE: dict[int, Spelling] = {
    1: _Single(frozenset({Tag.ATTRIBUTE}), Tag.ATTRIBUTE),
    2: _Single(frozenset({Tag.NEW_ATTRIBUTE}), Tag.NEW_ATTRIBUTE),
}
CURRENT_ATTRIBUTE: dict[int, Spelling] = {
    2: _Single(frozenset({Tag.CURRENT_ATTRIBUTE}), Tag.CURRENT_ATTRIBUTE),
}
ATTRIBUTE_NAMES: dict[int, Spelling] = {1: _Names(), 2: _References()}
