"""The same key in another Key Format Type or Key Compression Type.

Strategy: whatever form a key came in, it is read into one object of the library, and every form is written from
there; so there are as many readers and writers as forms, and not one for each pair. KMIP 1.4 sections 2.1.3, 4.11.
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec

from kmip_server.crypto import formats, transparent
from kmip_server.crypto.formats import CURVES, KeyDescription, PrivateKey, PublicKey
from kmip_server.crypto.transparent import Point
from kmip_server.errors import InvalidField, KeyCompressionTypeNotSupported, KeyFormatTypeNotSupported
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import KeyCompressionType as Compression
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.enums import RecommendedCurve as C
from kmip_server.protocol.objects import TransparentMaterial

Material = bytes | TransparentMaterial


# --- reading ------------------------------------------------------------------------------------


def load(
    material: Material,
    present: F,
    *,
    private: bool,
    algorithm: A | None = None,
    curve: C | None = None,
    validate: bool = False,
) -> PrivateKey | PublicKey:
    """The key that the material is. A Raw one is of the algorithm and curve given, the others say so themselves.

    `validate`: it comes from a client just now; what has been kept was validated then.
    Raises InvalidField where it is no key, KeyFormatTypeNotSupported for one that is kept but not used here.
    """
    if isinstance(material, TransparentMaterial):
        if present not in (transparent.PRIVATE if private else transparent.PUBLIC):
            raise InvalidField(f"a {'private' if private else 'public'} key is not {present.title}")
        return transparent.load(present, material, validate=validate)
    if present == F.RAW:
        return _load_raw(material, private, algorithm, curve)
    if private:
        return formats.load_private(material, present, validate=validate)
    return formats.load_public(material, present)


def _load_raw(material: bytes, private: bool, algorithm: A | None, curve: C | None) -> PrivateKey | PublicKey:
    row = formats.edwards_of(algorithm, curve)
    try:
        if row is not None:
            made: PrivateKey | PublicKey = (
                row.private.from_private_bytes(material) if private else row.public.from_public_bytes(material)
            )
            return made
        if algorithm in formats.EC_ALGORITHMS and curve in CURVES:
            if private:
                return ec.derive_private_key(int.from_bytes(material, "big"), CURVES[curve]())
            return formats.point(material, CURVES[curve]())
    except (ValueError, UnsupportedAlgorithm, OverflowError) as error:
        raise InvalidField("the Key Material is not a Raw key of this algorithm and curve") from error
    raise KeyFormatTypeNotSupported("a Raw key is used where its algorithm and its curve are known and served")


def describe(
    material: Material, present: F, *, private: bool, algorithm: A | None = None, curve: C | None = None
) -> KeyDescription | None:
    """What the material says of the key, validated: None where it says nothing, as an Opaque or an encrypted one.

    Raises InvalidField where it is not what `present` says.
    """
    if isinstance(material, TransparentMaterial):
        if present not in (transparent.PRIVATE if private else transparent.PUBLIC):
            raise InvalidField(f"a {'private' if private else 'public'} key is not {present.title}")
        return transparent.describe(present, material)
    if present in (F.PKCS_1, F.PKCS_8, F.X_509, F.ECPRIVATEKEY):
        if private and (formats.is_too_large(material) or formats.is_encrypted(material, present)):
            return None
        return formats.describe(load(material, present, private=private, validate=True))
    of_a_curve = algorithm in formats.EC_ALGORITHMS and curve in CURVES
    if present == F.RAW and (of_a_curve or formats.edwards_of(algorithm, curve) is not None):
        return formats.describe(load(material, present, private=private, algorithm=algorithm, curve=curve))
    return None


# --- writing ------------------------------------------------------------------------------------


def write(key: PrivateKey | PublicKey, wanted: F, compression: Compression | None = None) -> Material:
    """The key in a format; a public key of a curve with its point uncompressed or as `compression` says.

    Raises KeyFormatTypeNotSupported, KeyCompressionTypeNotSupported where the key has no such form.
    """
    point = _point(key, compression)
    if wanted in transparent.PRIVATE | transparent.PUBLIC:
        return transparent.write(key, wanted, point)
    if isinstance(key, PrivateKey):
        return formats.private_bytes(key, wanted)
    written = formats.public_bytes(key, wanted)
    if not isinstance(key, ec.EllipticCurvePublicKey) or compression in (
        None,
        Compression.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED,
    ):
        return written
    return point(key) if wanted == F.RAW else _with_point(written, formats.public_bytes(key, F.RAW), point(key))


def convert(material: Material, present: F, wanted: F, *, private: bool) -> Material:
    """The same key in another format. Raises as `load` and `write`."""
    return write(load(material, present, private=private), wanted)


# --- points -------------------------------------------------------------------------------------


def _uncompressed(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(s.Encoding.X962, s.PublicFormat.UncompressedPoint)


def _compressed(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(s.Encoding.X962, s.PublicFormat.CompressedPoint)


def _hybrid(key: ec.EllipticCurvePublicKey) -> bytes:
    return bytes([4 | _compressed(key)[0]]) + _uncompressed(key)[1:]


# Compressed Char2 is of curves over binary fields, of which none is served.
COMPRESSIONS: dict[Compression, Point] = {
    Compression.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED: _uncompressed,
    Compression.EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_PRIME: _compressed,
    Compression.EC_PUBLIC_KEY_TYPE_X9_62_HYBRID: _hybrid,
}


def _point(key: PrivateKey | PublicKey, compression: Compression | None) -> Point:
    """How to write the point of a key. Raises KeyCompressionTypeNotSupported where it has none of that kind."""
    if compression in (None, Compression.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED):
        return _uncompressed
    if not isinstance(key, ec.EllipticCurvePublicKey) or compression not in COMPRESSIONS:
        raise KeyCompressionTypeNotSupported("only public keys of prime curves are given compressed or hybrid")
    return COMPRESSIONS[compression]


def is_compressed_so(material: Material, present: F, compression: Compression) -> bool:
    """Whether a public key is written as its Key Compression Type says. Raises as `load` and `write`."""
    return write(load(material, present, private=False), present, compression) == material


def _with_point(info: bytes, old: bytes, new: bytes) -> bytes:
    """A SubjectPublicKeyInfo (RFC 5480 section 2) with another form of its point, which is all that follows the
    AlgorithmIdentifier."""
    head = info[: -len(old) - 1]
    content = head[2 if info[1] < 0x80 else 2 + (info[1] & 0x7F) :]
    # What stands before the point is the BIT STRING's tag and length: as long as DER needs for its length.
    algorithm = content[: -2 if len(old) + 1 < 0x80 else -3]
    return _der(0x30, algorithm + _der(0x03, b"\0" + new))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    long = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(long)]) + long + content
