"""Managed Objects, the Key Block and what belongs to wrapping. KMIP 1.4 sections 2.1.3-2.1.6 and 2.2.

Strategy: a Key Block keeps its Key Material as it came. Bytes are bytes; a Transparent structure stays the
items it is made of until somebody asks for numbers, because only the Key Format Type beside it says which
structure it is, and because what a client registered must come back unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Annotated, Any

from kmip_server.errors import CodecError, DuplicateField, MissingData, NotInVersion, UnknownTag
from kmip_server.protocol.attribute_set import Attribute, AttributeKey
from kmip_server.protocol.attribute_values import CryptographicParameters
from kmip_server.protocol.codec import decode_structure, encode_structure
from kmip_server.protocol.enums import (
    CertificateRequestType,
    CertificateType,
    CryptographicAlgorithm,
    EncodingOption,
    ItemType,
    KeyCompressionType,
    KeyFormatType,
    ObjectType,
    SecretDataType,
    SplitKeyMethod,
    WrappingMethod,
)
from kmip_server.protocol.known import DOUBTFUL, knows, knows_items
from kmip_server.protocol.schema import BigInteger, ObjectReference, Spelling, field, structure
from kmip_server.protocol.spellings import ATTRIBUTE_NAMES, ATTRIBUTES, KEY_VALUE_ATTRIBUTES
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import BYTE_STRING, ENCODED, STRUCTURE, Item
from kmip_server.protocol.ttlv import decode as decode_ttlv
from kmip_server.protocol.versions import LATEST, V1_1, V1_2, V2_0, Version

OpaqueDataType = Annotated[int, ItemType.ENUMERATION]
"""The standard registers no value: each is an extension of its vendor (0x80000001 and up)."""

# --- wrapping -----------------------------------------------------------------------------------


@structure(Tag.ENCRYPTION_KEY_INFORMATION)
class EncryptionKeyInformation:
    unique_identifier: ObjectReference = field(Tag.UNIQUE_IDENTIFIER)
    cryptographic_parameters: CryptographicParameters | None = field(Tag.CRYPTOGRAPHIC_PARAMETERS)


@structure(Tag.MAC_SIGNATURE_KEY_INFORMATION)
class MACSignatureKeyInformation:
    unique_identifier: ObjectReference = field(Tag.UNIQUE_IDENTIFIER)
    cryptographic_parameters: CryptographicParameters | None = field(Tag.CRYPTOGRAPHIC_PARAMETERS)


@structure(Tag.KEY_WRAPPING_DATA)
class KeyWrappingData:
    """How a Key Value is wrapped. KMIP 1.4 §2.1.5."""

    wrapping_method: WrappingMethod = field(Tag.WRAPPING_METHOD)
    encryption_key_information: EncryptionKeyInformation | None = field(Tag.ENCRYPTION_KEY_INFORMATION)
    mac_signature_key_information: MACSignatureKeyInformation | None = field(Tag.MAC_SIGNATURE_KEY_INFORMATION)
    mac_signature: bytes | None = field(Tag.MAC_SIGNATURE)
    iv_counter_nonce: bytes | None = field(Tag.IV_COUNTER_NONCE)
    encoding_option: EncodingOption | None = field(Tag.ENCODING_OPTION, since=V1_1)


@dataclass(frozen=True, slots=True)
class _NamesOrReferences:
    """2.x: Attribute Names, as the standard's table still has them, or Attribute References as everywhere else."""

    tags: frozenset[int] = ATTRIBUTE_NAMES[1].tags | ATTRIBUTE_NAMES[2].tags

    def decode(self, items: list[Item], version: Version) -> tuple[AttributeKey, ...]:
        found: list[AttributeKey] = []
        for item in items:
            found += ATTRIBUTE_NAMES[1 if item[0] == Tag.ATTRIBUTE_NAME else 2].decode([item], version)
        return tuple(found)

    def encode(self, value: tuple[AttributeKey, ...], version: Version) -> list[Item]:
        return ATTRIBUTE_NAMES[2].encode(value, version)


WRAPPED_ATTRIBUTE_NAMES: dict[int, Spelling] = {1: ATTRIBUTE_NAMES[1], 2: _NamesOrReferences()}


@structure(Tag.KEY_WRAPPING_SPECIFICATION)
class KeyWrappingSpecification:
    """How a Get wants its Key Value wrapped. KMIP 1.4 §2.1.6."""

    wrapping_method: WrappingMethod = field(Tag.WRAPPING_METHOD)
    encryption_key_information: EncryptionKeyInformation | None = field(Tag.ENCRYPTION_KEY_INFORMATION)
    mac_signature_key_information: MACSignatureKeyInformation | None = field(Tag.MAC_SIGNATURE_KEY_INFORMATION)
    attribute_names: tuple[AttributeKey, ...] = field(Tag.ATTRIBUTE_NAME, spellings=WRAPPED_ATTRIBUTE_NAMES)
    encoding_option: EncodingOption | None = field(Tag.ENCODING_OPTION, since=V1_1)


# --- Key Value and Key Block --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TransparentMaterial:
    """A Key Material that is a structure, as the items it came in."""

    items: tuple[Item, ...] = dataclass_field(repr=False)

    def known_in(self, version: Version) -> bool:
        return knows_items(version, self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValue:
    """Key Material, and in old clients' messages attributes beside it. KMIP 1.4 §2.1.4."""

    key_material: bytes | TransparentMaterial = dataclass_field(repr=False)
    attributes: tuple[Attribute, ...] = ()

    def known_in(self, version: Version) -> bool:
        return isinstance(self.key_material, bytes) or self.key_material.known_in(version)


@dataclass(frozen=True, slots=True)
class _KeyValueSpelling:
    """A Byte String where the value is wrapped, else a structure of Key Material and attributes."""

    attributes: Spelling
    tags: frozenset[int] = frozenset({Tag.KEY_VALUE})

    def decode(self, items: list[Item], version: Version) -> KeyValue | bytes:
        if len(items) > 1:
            raise DuplicateField("Key Value stands twice in Key Block")
        _, kind, value = items[0]
        if kind == BYTE_STRING:
            wrapped: bytes = value
            return wrapped
        if kind != STRUCTURE:
            raise CodecError("Key Value must be a Structure or a Byte String")
        return key_value_of(value, version)

    def encode(self, value: KeyValue | bytes, version: Version) -> list[Item]:
        if isinstance(value, bytes):
            return [(Tag.KEY_VALUE, BYTE_STRING, value)]
        items = [_material_item(value.key_material)]
        if value.attributes:
            items += self.attributes.encode(value.attributes, version)
        return [(Tag.KEY_VALUE, STRUCTURE, items)]


def key_value_of(items: list[Item], version: Version) -> KeyValue:
    """The Key Value whose fields `items` are (also after unwrapping)."""
    spelling = KEY_VALUE_ATTRIBUTES[version.major]
    material = [item for item in items if item[0] == Tag.KEY_MATERIAL]
    attributes = [item for item in items if item[0] in spelling.tags]
    if len(material) != 1:
        raise MissingData("Key Value must have one Key Material")
    if len(material) + len(attributes) != len(items):
        raise UnknownTag("Key Value has Key Material and attributes only")
    return KeyValue(
        key_material=_material(material[0]),
        attributes=spelling.decode(attributes, version) if attributes else (),
    )


def _material(item: Item) -> bytes | TransparentMaterial:
    if item[1] == BYTE_STRING:
        material: bytes = item[2]
        return material
    if item[1] != STRUCTURE:
        raise CodecError("Key Material must be a Structure or a Byte String")
    return TransparentMaterial(tuple(item[2]))


def _material_item(material: bytes | TransparentMaterial) -> Item:
    if isinstance(material, bytes):
        return (Tag.KEY_MATERIAL, BYTE_STRING, material)
    return (Tag.KEY_MATERIAL, STRUCTURE, list(material.items))


def key_value_item(value: KeyValue, version: Version) -> Item:
    """The item of an unwrapped Key Value: what is wrapped under Encoding Option TTLV Encoding."""
    return _KeyValueSpelling(KEY_VALUE_ATTRIBUTES[version.major]).encode(value, version)[0]


KEY_VALUE: dict[int, Spelling] = {major: _KeyValueSpelling(KEY_VALUE_ATTRIBUTES[major]) for major in (1, 2)}


@structure(Tag.KEY_BLOCK)
class KeyBlock:
    """KMIP 1.4 §2.1.3. `key_value` is bytes where it is wrapped, None where it was never given."""

    key_format_type: KeyFormatType = field(Tag.KEY_FORMAT_TYPE)
    key_compression_type: KeyCompressionType | None = field(Tag.KEY_COMPRESSION_TYPE)
    key_value: KeyValue | bytes | None = field(Tag.KEY_VALUE, secret=True, spellings=KEY_VALUE)
    cryptographic_algorithm: CryptographicAlgorithm | None = field(Tag.CRYPTOGRAPHIC_ALGORITHM)
    cryptographic_length: int | None = field(Tag.CRYPTOGRAPHIC_LENGTH)
    key_wrapping_data: KeyWrappingData | None = field(Tag.KEY_WRAPPING_DATA)


# --- Managed Objects ----------------------------------------------------------------------------


@structure(Tag.CERTIFICATE)
class Certificate:
    certificate_type: CertificateType = field(Tag.CERTIFICATE_TYPE)
    certificate_value: bytes = field(Tag.CERTIFICATE_VALUE)


@structure(Tag.CERTIFICATE_REQUEST)
class CertificateRequest:
    certificate_request_type: CertificateRequestType = field(Tag.CERTIFICATE_REQUEST_TYPE, since=V2_0)
    certificate_request_value: bytes = field(Tag.CERTIFICATE_REQUEST_VALUE, since=V2_0)


@structure(Tag.SYMMETRIC_KEY)
class SymmetricKey:
    key_block: KeyBlock = field(Tag.KEY_BLOCK)


@structure(Tag.PUBLIC_KEY)
class PublicKey:
    key_block: KeyBlock = field(Tag.KEY_BLOCK)


@structure(Tag.PRIVATE_KEY)
class PrivateKey:
    key_block: KeyBlock = field(Tag.KEY_BLOCK)


@structure(Tag.SPLIT_KEY)
class SplitKey:
    split_key_parts: int = field(Tag.SPLIT_KEY_PARTS)
    key_part_identifier: int = field(Tag.KEY_PART_IDENTIFIER)
    split_key_threshold: int = field(Tag.SPLIT_KEY_THRESHOLD)
    split_key_method: SplitKeyMethod = field(Tag.SPLIT_KEY_METHOD)
    prime_field_size: BigInteger | None = field(Tag.PRIME_FIELD_SIZE)
    key_block: KeyBlock = field(Tag.KEY_BLOCK)


@structure(Tag.TEMPLATE)
class Template:
    """Attributes to inherit. KMIP 1.4 §2.2.6; gone in 2.0."""

    attributes: tuple[Attribute, ...] = field(Tag.ATTRIBUTE, spellings=ATTRIBUTES)


@structure(Tag.SECRET_DATA)
class SecretData:
    secret_data_type: SecretDataType = field(Tag.SECRET_DATA_TYPE)
    key_block: KeyBlock = field(Tag.KEY_BLOCK)


@structure(Tag.OPAQUE_OBJECT)
class OpaqueObject:
    opaque_data_type: OpaqueDataType = field(Tag.OPAQUE_DATA_TYPE)
    opaque_data_value: bytes = field(Tag.OPAQUE_DATA_VALUE, secret=True)


@structure(Tag.PGP_KEY)
class PGPKey:
    pgp_key_version: int = field(Tag.PGP_KEY_VERSION, since=V1_2)
    key_block: KeyBlock = field(Tag.KEY_BLOCK, since=V1_2)


KeyObject = SymmetricKey | PublicKey | PrivateKey | SplitKey | SecretData | PGPKey
ManagedObject = KeyObject | Certificate | CertificateRequest | Template | OpaqueObject

OBJECT_TYPES: dict[type, ObjectType] = {
    Certificate: ObjectType.CERTIFICATE,
    CertificateRequest: ObjectType.CERTIFICATE_REQUEST,
    SymmetricKey: ObjectType.SYMMETRIC_KEY,
    PublicKey: ObjectType.PUBLIC_KEY,
    PrivateKey: ObjectType.PRIVATE_KEY,
    SplitKey: ObjectType.SPLIT_KEY,
    Template: ObjectType.TEMPLATE,
    SecretData: ObjectType.SECRET_DATA,
    OpaqueObject: ObjectType.OPAQUE_OBJECT,
    PGPKey: ObjectType.PGP_KEY,
}
_BY_TAG: dict[int, type[Any]] = {
    Tag.CERTIFICATE: Certificate,
    Tag.CERTIFICATE_REQUEST: CertificateRequest,
    Tag.SYMMETRIC_KEY: SymmetricKey,
    Tag.PUBLIC_KEY: PublicKey,
    Tag.PRIVATE_KEY: PrivateKey,
    Tag.SPLIT_KEY: SplitKey,
    Tag.TEMPLATE: Template,
    Tag.SECRET_DATA: SecretData,
    Tag.OPAQUE_OBJECT: OpaqueObject,
    Tag.PGP_KEY: PGPKey,
}


@dataclass(frozen=True, slots=True)
class EncodedObject:
    """A Managed Object in TTLV already, of fields that every version has: it goes out as it is."""

    encoded: bytes = dataclass_field(repr=False)


@dataclass(frozen=True, slots=True)
class _ManagedObjectSpelling:
    """The object itself: the tag is that of its type."""

    tags: frozenset[int] = frozenset(_BY_TAG)

    def decode(self, items: list[Item], version: Version) -> ManagedObject:
        if len(items) > 1:
            raise DuplicateField("only one object can be given")
        return decode_object(items[0], version)

    def encode(self, value: ManagedObject | EncodedObject, version: Version) -> list[Item]:
        if isinstance(value, EncodedObject):
            if DOUBTFUL[version].search(value.encoded):
                _require_known(decode_object(decode_ttlv(value.encoded), LATEST), version)
            return [(0, ENCODED, value.encoded)]
        _require_known(value, version)
        return [encode_structure(value, version)]


def _require_known(managed_object: ManagedObject, version: Version) -> None:
    """Raise NotInVersion for an object of a type, an algorithm, a format or a curve that the version lacks."""
    object_type = OBJECT_TYPES[type(managed_object)]
    if not (object_type.known_in(version) and knows(version, managed_object)):
        raise NotInVersion(f"KMIP {version} cannot express this {object_type.title}; ask in a later version")


MANAGED_OBJECT: dict[int, Spelling] = {1: _ManagedObjectSpelling(), 2: _ManagedObjectSpelling()}


def decode_object(item: Item, version: Version) -> ManagedObject:
    """The Managed Object that an item is."""
    made: ManagedObject = decode_structure(_BY_TAG[item[0]], item, version)
    return made
