"""Transparent keys: Key Material that is a structure of numbers. KMIP 1.4 §2.1.7; KMIP 2.1 §3.4-3.12.

Strategy: a Key Block keeps the items as they came (`objects.py`); only here, and only by the Key Format Type beside
them, do they become numbers.
"""

from __future__ import annotations

from typing import Any

from kmip_server.errors import CodecError
from kmip_server.protocol.codec import decode_fields, encode_structure
from kmip_server.protocol.enums import KeyFormatType, RecommendedCurve
from kmip_server.protocol.objects import TransparentMaterial
from kmip_server.protocol.schema import BigInteger, field, structure
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import Version


@structure(Tag.KEY_MATERIAL)
class TransparentSymmetricKey:
    key: bytes = field(Tag.KEY, secret=True)


@structure(Tag.KEY_MATERIAL)
class TransparentDSAPrivateKey:
    p: BigInteger = field(Tag.P)
    q: BigInteger = field(Tag.Q)
    g: BigInteger = field(Tag.G)
    x: BigInteger = field(Tag.X, secret=True)


@structure(Tag.KEY_MATERIAL)
class TransparentDSAPublicKey:
    p: BigInteger = field(Tag.P)
    q: BigInteger = field(Tag.Q)
    g: BigInteger = field(Tag.G)
    y: BigInteger = field(Tag.Y)


@structure(Tag.KEY_MATERIAL)
class TransparentRSAPrivateKey:
    modulus: BigInteger = field(Tag.MODULUS)
    private_exponent: BigInteger | None = field(Tag.PRIVATE_EXPONENT, secret=True)
    public_exponent: BigInteger | None = field(Tag.PUBLIC_EXPONENT)
    p: BigInteger | None = field(Tag.P, secret=True)
    q: BigInteger | None = field(Tag.Q, secret=True)
    prime_exponent_p: BigInteger | None = field(Tag.PRIME_EXPONENT_P, secret=True)
    prime_exponent_q: BigInteger | None = field(Tag.PRIME_EXPONENT_Q, secret=True)
    crt_coefficient: BigInteger | None = field(Tag.CRT_COEFFICIENT, secret=True)


@structure(Tag.KEY_MATERIAL)
class TransparentRSAPublicKey:
    modulus: BigInteger = field(Tag.MODULUS)
    public_exponent: BigInteger = field(Tag.PUBLIC_EXPONENT)


@structure(Tag.KEY_MATERIAL)
class TransparentDHPrivateKey:
    p: BigInteger = field(Tag.P)
    q: BigInteger | None = field(Tag.Q)
    g: BigInteger = field(Tag.G)
    j: BigInteger | None = field(Tag.J)
    x: BigInteger = field(Tag.X, secret=True)


@structure(Tag.KEY_MATERIAL)
class TransparentDHPublicKey:
    p: BigInteger = field(Tag.P)
    q: BigInteger | None = field(Tag.Q)
    g: BigInteger = field(Tag.G)
    j: BigInteger | None = field(Tag.J)
    y: BigInteger = field(Tag.Y)


@structure(Tag.KEY_MATERIAL)
class TransparentECPrivateKey:
    """One structure for Transparent EC (1.3) and the ECDSA, ECDH and ECMQV forms before it."""

    recommended_curve: RecommendedCurve = field(Tag.RECOMMENDED_CURVE)
    d: BigInteger = field(Tag.D, secret=True)


@structure(Tag.KEY_MATERIAL)
class TransparentECPublicKey:
    recommended_curve: RecommendedCurve = field(Tag.RECOMMENDED_CURVE)
    q_string: bytes = field(Tag.Q_STRING)


_F = KeyFormatType
TRANSPARENT: dict[KeyFormatType, type[Any]] = {
    _F.TRANSPARENT_SYMMETRIC_KEY: TransparentSymmetricKey,
    _F.TRANSPARENT_DSA_PRIVATE_KEY: TransparentDSAPrivateKey,
    _F.TRANSPARENT_DSA_PUBLIC_KEY: TransparentDSAPublicKey,
    _F.TRANSPARENT_RSA_PRIVATE_KEY: TransparentRSAPrivateKey,
    _F.TRANSPARENT_RSA_PUBLIC_KEY: TransparentRSAPublicKey,
    _F.TRANSPARENT_DH_PRIVATE_KEY: TransparentDHPrivateKey,
    _F.TRANSPARENT_DH_PUBLIC_KEY: TransparentDHPublicKey,
    _F.TRANSPARENT_ECDSA_PRIVATE_KEY: TransparentECPrivateKey,
    _F.TRANSPARENT_ECDSA_PUBLIC_KEY: TransparentECPublicKey,
    _F.TRANSPARENT_ECDH_PRIVATE_KEY: TransparentECPrivateKey,
    _F.TRANSPARENT_ECDH_PUBLIC_KEY: TransparentECPublicKey,
    _F.TRANSPARENT_ECMQV_PRIVATE_KEY: TransparentECPrivateKey,
    _F.TRANSPARENT_ECMQV_PUBLIC_KEY: TransparentECPublicKey,
    _F.TRANSPARENT_EC_PRIVATE_KEY: TransparentECPrivateKey,
    _F.TRANSPARENT_EC_PUBLIC_KEY: TransparentECPublicKey,
}


def transparent_numbers(key_format_type: KeyFormatType, material: TransparentMaterial, version: Version) -> Any:
    """The typed structure of a Transparent Key Material. Raises CodecError where it is not that structure."""
    expected = TRANSPARENT.get(key_format_type)
    if expected is None:
        raise CodecError(f"Key Material of {key_format_type.title} is a Byte String")
    return decode_fields(expected, material.items, version)


def transparent_material(numbers: Any, version: Version) -> TransparentMaterial:
    """The Key Material that holds a Transparent structure."""
    return TransparentMaterial(tuple(encode_structure(numbers, version)[2]))
