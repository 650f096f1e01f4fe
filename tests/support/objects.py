"""One object of every type, as a client would register it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from kmip_server.protocol.attribute_set import Attribute
from kmip_server.protocol.enums import (
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
    SecretDataType,
    SplitKeyMethod,
)
from kmip_server.protocol.objects import (
    Certificate,
    KeyBlock,
    KeyValue,
    ManagedObject,
    OpaqueObject,
    PGPKey,
    PrivateKey,
    PublicKey,
    SecretData,
    SplitKey,
    SymmetricKey,
    Template,
)
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import Version
from tests.support.requests import attribute, template

OPAQUE_DATA_TYPE = 0x80000001


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate_der() -> bytes:
    """A certificate with every part of a name that the standard has an attribute for."""
    names = (
        (NameOID.COMMON_NAME, "server.example"),
        (NameOID.ORGANIZATION_NAME, "Example"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Keys"),
        (NameOID.EMAIL_ADDRESS, "keys@example.org"),
        (NameOID.COUNTRY_NAME, "CH"),
        (NameOID.STATE_OR_PROVINCE_NAME, "Bern"),
        (NameOID.LOCALITY_NAME, "Bern"),
        (NameOID.USER_ID, "u1"),
        (NameOID.SERIAL_NUMBER, "1"),
        (NameOID.TITLE, "Dr"),
        (NameOID.DOMAIN_COMPONENT, "example"),
        (NameOID.DN_QUALIFIER, "q"),
    )
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in names])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(rsa_key().public_key())
        .serial_number(4711)
        .not_valid_before(datetime.datetime(2026, 1, 1))
        .not_valid_after(datetime.datetime(2036, 1, 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("server.example")]), critical=False)
        .sign(rsa_key(), hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


def block(
    material: bytes,
    key_format_type: KeyFormatType = KeyFormatType.RAW,
    algorithm: CryptographicAlgorithm | None = CryptographicAlgorithm.AES,
    length: int | None = None,
) -> KeyBlock:
    """`length` in bits, where it is not that of the material."""
    bits = len(material) * 8 if length is None else length
    return KeyBlock(
        key_format_type=key_format_type,
        key_value=KeyValue(key_material=material),
        cryptographic_algorithm=algorithm,
        cryptographic_length=None if algorithm is None else bits,
    )


def _public() -> ManagedObject:
    der = rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return PublicKey(key_block=block(der, KeyFormatType.PKCS_1, CryptographicAlgorithm.RSA, 2048))


def _private() -> ManagedObject:
    der = rsa_key().private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return PrivateKey(key_block=block(der, KeyFormatType.PKCS_1, CryptographicAlgorithm.RSA, 2048))


def _split() -> ManagedObject:
    return SplitKey(
        split_key_parts=3,
        key_part_identifier=1,
        split_key_threshold=2,
        split_key_method=SplitKeyMethod.XOR,
        key_block=block(bytes(32)),
    )


_MAKERS: dict[ObjectType, Callable[[], ManagedObject]] = {
    ObjectType.CERTIFICATE: lambda: Certificate(
        certificate_type=CertificateType.X_509, certificate_value=certificate_der()
    ),
    ObjectType.SYMMETRIC_KEY: lambda: SymmetricKey(key_block=block(bytes(range(32)))),
    ObjectType.PUBLIC_KEY: _public,
    ObjectType.PRIVATE_KEY: _private,
    ObjectType.SPLIT_KEY: _split,
    ObjectType.TEMPLATE: lambda: Template(attributes=(attribute(Tag.OBJECT_GROUP, "of the template", 0),)),
    ObjectType.SECRET_DATA: lambda: SecretData(
        secret_data_type=SecretDataType.PASSWORD, key_block=block(b"password", KeyFormatType.OPAQUE, None)
    ),
    ObjectType.OPAQUE_OBJECT: lambda: OpaqueObject(opaque_data_type=OPAQUE_DATA_TYPE, opaque_data_value=b"opaque"),
    ObjectType.PGP_KEY: lambda: PGPKey(
        pgp_key_version=4, key_block=block(b"pgp", KeyFormatType.RAW, CryptographicAlgorithm.RSA, 2048)
    ),
}


def types_of(version: Version) -> list[ObjectType]:
    """The types of object that a client of this version can register."""
    return [each for each in _MAKERS if each.known_in(version)]


def registered(object_type: ObjectType, *attributes: Attribute, mask: bool = True) -> RegisterRequest:
    """A Register of an object of this type; with a Cryptographic Usage Mask where it has one."""
    given = list(attributes)
    without = (ObjectType.TEMPLATE, ObjectType.OPAQUE_OBJECT)
    if mask and object_type not in without and all(each.key != Tag.CRYPTOGRAPHIC_USAGE_MASK for each in given):
        given.append(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.EXPORT))
    return RegisterRequest(
        object_type=object_type,
        template_attribute=template(*given),
        managed_object=_MAKERS[object_type](),
    )
