"""Key Format Types of Managed Objects: the default, the present one, another one. KMIP 2.1 section 4.26.

Strategy: an object keeps the format it was registered or made in, and leaves in it unless the client asks for
another or does not know it. What the server makes follows the table of 2.x for clients of 2.x, and stays what it
always was for clients of 1.x, where the standard prescribes nothing.
"""

from __future__ import annotations

from dataclasses import replace

from kmip_server.crypto import conversion, formats
from kmip_server.crypto.formats import KeyDescription
from kmip_server.engine import material
from kmip_server.errors import KeyCompressionTypeNotSupported, KeyFormatTypeNotSupported
from kmip_server.protocol.attribute_set import AttributeSet
from kmip_server.protocol.attribute_values import CryptographicDomainParameters
from kmip_server.protocol.enums import (
    CryptographicAlgorithm,
    KeyCompressionType,
    KeyFormatType,
    ObjectType,
    RecommendedCurve,
)
from kmip_server.protocol.objects import (
    OBJECT_TYPES,
    Certificate,
    CertificateRequest,
    KeyValue,
    ManagedObject,
    OpaqueObject,
    PrivateKey,
    PublicKey,
    SecretData,
    SymmetricKey,
    Template,
    TransparentMaterial,
)
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.transparent import (
    TransparentSymmetricKey,
    transparent_material,
    transparent_numbers,
)
from kmip_server.protocol.versions import LATEST, V2_0, Version

_A, _F, _T = CryptographicAlgorithm, KeyFormatType, ObjectType

# KMIP 2.1 §4.26, table 81.
_BY_OBJECT: dict[ObjectType, KeyFormatType] = {
    _T.CERTIFICATE: _F.X_509,
    _T.CERTIFICATE_REQUEST: _F.PKCS_10,
    _T.OPAQUE_OBJECT: _F.OPAQUE,
    _T.PGP_KEY: _F.RAW,
    _T.SECRET_DATA: _F.RAW,
    _T.SYMMETRIC_KEY: _F.RAW,
    _T.SPLIT_KEY: _F.RAW,
}
# By algorithm: (private, public). Ed25519 and Ed448 have no Transparent form, as their keys are no numbers.
_EC_DEFAULT = (_F.TRANSPARENT_EC_PRIVATE_KEY, _F.TRANSPARENT_EC_PUBLIC_KEY)
_ENCODED = (_F.PKCS_8, _F.X_509)
_ASYMMETRIC: dict[CryptographicAlgorithm, tuple[KeyFormatType, KeyFormatType]] = {
    _A.RSA: (_F.PKCS_1, _F.PKCS_1),
    _A.DSA: (_F.TRANSPARENT_DSA_PRIVATE_KEY, _F.TRANSPARENT_DSA_PUBLIC_KEY),
    _A.DH: (_F.TRANSPARENT_DH_PRIVATE_KEY, _F.TRANSPARENT_DH_PUBLIC_KEY),
    **dict.fromkeys(formats.EC_ALGORITHMS, _EC_DEFAULT),
}
# For 1.x, where no table says: as this server and most others always did.
_ASYMMETRIC_1: dict[CryptographicAlgorithm, tuple[KeyFormatType, KeyFormatType]] = {
    **_ASYMMETRIC,
    **dict.fromkeys(formats.EC_ALGORITHMS, (_F.ECPRIVATEKEY, _F.X_509)),
}


def default(object_type: ObjectType, attributes: AttributeSet, version: Version) -> KeyFormatType | None:
    """The format of what the server makes for a client of this version; None for a Template."""
    if object_type not in (_T.PRIVATE_KEY, _T.PUBLIC_KEY):
        return _BY_OBJECT.get(object_type)
    algorithm: CryptographicAlgorithm | None = attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM)
    table = _ASYMMETRIC if version >= V2_0 else _ASYMMETRIC_1
    pair = table.get(algorithm, _ENCODED) if algorithm is not None else _ENCODED
    if version < V2_0 and formats.edwards_of(algorithm, curve_of(attributes)) is not None:
        pair = _ENCODED
    return pair[0 if object_type == _T.PRIVATE_KEY else 1]


def of(managed_object: ManagedObject) -> KeyFormatType | None:
    """The Key Format Type attribute of an object; None for a Template."""
    if isinstance(managed_object, (Certificate, CertificateRequest, OpaqueObject, Template)):
        return _BY_OBJECT.get(OBJECT_TYPES[type(managed_object)])
    return managed_object.key_block.key_format_type


def curve_of(attributes: AttributeSet) -> RecommendedCurve | None:
    """The curve that the Cryptographic Domain Parameters name."""
    domain: CryptographicDomainParameters | None = attributes.one(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)
    return domain.recommended_curve if domain is not None else None


def formatted(managed_object: ManagedObject, attributes: AttributeSet, wanted: KeyFormatType) -> ManagedObject:
    """The object with its key in another Key Format Type. Raises KeyFormatTypeNotSupported."""
    if isinstance(managed_object, (Certificate, CertificateRequest, OpaqueObject, Template)):
        # A certificate is X.509 and nothing else; opaque objects have no format at all.
        if wanted in (KeyFormatType.X_509, KeyFormatType.OPAQUE):
            return managed_object
        raise KeyFormatTypeNotSupported(f"the object cannot be had as {wanted.title}")
    block = managed_object.key_block
    present = block.key_format_type
    if present == wanted:
        return managed_object
    value = material.key_material(managed_object)
    if isinstance(managed_object, (SymmetricKey, SecretData)):
        converted = _symmetric(present, wanted, value)
    elif isinstance(managed_object, (PrivateKey, PublicKey)):
        converted = conversion.write(_load(managed_object, attributes, value), wanted)
    else:
        raise KeyFormatTypeNotSupported(f"the object cannot be had as {wanted.title}")
    # What the Key Compression Type says is of the point that was: the new one is uncompressed.
    block = replace(
        block,
        key_format_type=wanted,
        key_compression_type=None,
        key_value=KeyValue(key_material=converted),
    )
    return material.with_key_block(managed_object, block)


def compressed(
    managed_object: ManagedObject, attributes: AttributeSet, wanted: KeyCompressionType
) -> ManagedObject:
    """The object with the point of its public key in another Key Compression Type, in the same Key Format Type.

    Raises KeyCompressionTypeNotSupported where it has no such form.
    """
    uncompressed = wanted == KeyCompressionType.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED
    if not isinstance(managed_object, PublicKey):
        if uncompressed:
            return managed_object
        raise KeyCompressionTypeNotSupported("only public keys of elliptic curves are compressed")
    block = managed_object.key_block
    if (block.key_compression_type or KeyCompressionType.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED) == wanted:
        return managed_object
    key = _load(managed_object, attributes, material.key_material(managed_object))
    converted = conversion.write(key, block.key_format_type, wanted)
    block = replace(block, key_compression_type=wanted, key_value=KeyValue(key_material=converted))
    return material.with_key_block(managed_object, block)


def usable(managed_object: ManagedObject, attributes: AttributeSet) -> tuple[bytes, KeyFormatType]:
    """The bytes of a key as `crypto` takes them: a Transparent one as it is encoded, a Raw one of a curve as well.

    Raises what `material.key_material` raises, and KeyFormatTypeNotSupported for a key that cannot be used here.
    """
    key = material.key_material(managed_object)
    present = material.key_block(managed_object).key_format_type
    if isinstance(managed_object, (PrivateKey, PublicKey)):
        if isinstance(key, bytes) and present != _F.RAW:
            return key, present
        encoded = _F.PKCS_8 if isinstance(managed_object, PrivateKey) else _F.X_509
        written = conversion.write(_load(managed_object, attributes, key), encoded)
        assert isinstance(written, bytes)
        return written, encoded
    if isinstance(key, TransparentMaterial):
        numbers: TransparentSymmetricKey = transparent_numbers(present, key, LATEST)
        return numbers.key, present
    return key, present


def described(managed_object: ManagedObject, attributes: AttributeSet) -> KeyDescription | None:
    """What an asymmetric key says of itself; None where it is hidden from the server, or is no such key."""
    block = material.key_block(managed_object)
    if not isinstance(managed_object, (PrivateKey, PublicKey)) or not isinstance(block.key_value, KeyValue):
        return None
    if block.key_wrapping_data is not None:
        return None
    return conversion.describe(
        block.key_value.key_material,
        block.key_format_type,
        private=isinstance(managed_object, PrivateKey),
        algorithm=attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM),
        curve=curve_of(attributes),
    )


def _load(
    managed_object: PrivateKey | PublicKey, attributes: AttributeSet, value: conversion.Material
) -> formats.PrivateKey | formats.PublicKey:
    return conversion.load(
        value,
        managed_object.key_block.key_format_type,
        private=isinstance(managed_object, PrivateKey),
        algorithm=attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM),
        curve=curve_of(attributes),
    )


def _symmetric(
    present: KeyFormatType, wanted: KeyFormatType, value: bytes | TransparentMaterial
) -> bytes | TransparentMaterial:
    if present == _F.RAW and wanted == _F.TRANSPARENT_SYMMETRIC_KEY and isinstance(value, bytes):
        return transparent_material(TransparentSymmetricKey(key=value), LATEST)
    if present == _F.TRANSPARENT_SYMMETRIC_KEY and wanted == _F.RAW and isinstance(value, TransparentMaterial):
        key: bytes = transparent_numbers(present, value, LATEST).key
        return key
    if {present, wanted} == {_F.RAW, _F.OPAQUE}:
        return value
    raise KeyFormatTypeNotSupported(f"the object cannot be had as {wanted.title}")
