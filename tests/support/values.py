"""Two values of every attribute: one to give, one to change it to."""

from __future__ import annotations

from typing import Any

from kmip_server.engine.provenance import GENERATOR
from kmip_server.protocol import attribute_values as v
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.enums import (
    AlternativeNameType,
    BlockCipherMode,
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DigitalSignatureAlgorithm,
    HashingAlgorithm,
    ItemType,
    KeyFormatType,
    KeyValueLocationType,
    LinkType,
    NameType,
    NISTKeyType,
    ObjectType,
    ProtectionLevel,
    ProtectionStorageMask,
    RecommendedCurve,
    RevocationReasonCode,
    RNGAlgorithm,
    RotateNameType,
    State,
    UsageLimitsUnit,
)
from kmip_server.protocol.tags import Tag
from tests.support.objects import OPAQUE_DATA_TYPE, certificate_der

FUTURE = 1_900_000_000
"""Seconds since 1970; the tests' clock stands before."""

_PLAIN: dict[Any, tuple[Any, Any]] = {
    str: ("one", "two"),
    bytes: (b"one", b"two"),
    bool: (True, False),
    int: (256, 128),
    ItemType.DATE_TIME: (FUTURE, FUTURE + 1),
    ItemType.INTERVAL: (60, 120),
}


def _name(text: str) -> v.Name:
    return v.Name(name_value=text, name_type=NameType.UNINTERPRETED_TEXT_STRING)


def _link(uid: str) -> v.Link:
    return v.Link(link_type=LinkType.DERIVED_KEY_LINK, linked_object_identifier=uid)


def _limits(total: int) -> v.UsageLimits:
    return v.UsageLimits(usage_limits_total=total, usage_limits_unit=UsageLimitsUnit.BYTE)


def _location(text: str) -> v.KeyValueLocation:
    return v.KeyValueLocation(
        key_value_location_value=text, key_value_location_type=KeyValueLocationType.UNINTERPRETED_TEXT_STRING
    )


def _alternative(text: str) -> v.AlternativeName:
    return v.AlternativeName(
        alternative_name_value=text, alternative_name_type=AlternativeNameType.UNINTERPRETED_TEXT_STRING
    )


def _information(data: str) -> v.ApplicationSpecificInformation:
    return v.ApplicationSpecificInformation(application_namespace="ssl", application_data=data)


def _rotate_name(text: str) -> v.RotateName:
    return v.RotateName(rotate_name_value=text, rotate_name_type=RotateNameType.UNINTERPRETED_TEXT_STRING)


_M, _A = CryptographicUsageMask, CryptographicAlgorithm
_OWN: dict[Tag, tuple[Any, Any]] = {
    Tag.UNIQUE_IDENTIFIER: ("one", "two"),
    Tag.NAME: (_name("one"), _name("two")),
    Tag.OBJECT_TYPE: (ObjectType.SYMMETRIC_KEY, ObjectType.SECRET_DATA),
    Tag.CRYPTOGRAPHIC_ALGORITHM: (_A.AES, _A.RC4),
    Tag.CRYPTOGRAPHIC_PARAMETERS: (
        v.CryptographicParameters(block_cipher_mode=BlockCipherMode.CBC),
        v.CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB),
    ),
    Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS: (
        v.CryptographicDomainParameters(recommended_curve=RecommendedCurve.P_256),
        v.CryptographicDomainParameters(recommended_curve=RecommendedCurve.P_384),
    ),
    Tag.CERTIFICATE_TYPE: (CertificateType.X_509, CertificateType.PGP),
    Tag.CERTIFICATE_LENGTH: (len(certificate_der()), 1),
    Tag.DIGITAL_SIGNATURE_ALGORITHM: (
        DigitalSignatureAlgorithm.SHA_256_WITH_RSA_ENCRYPTION,
        DigitalSignatureAlgorithm.DSA_WITH_SHA_1,
    ),
    Tag.X_509_CERTIFICATE_IDENTIFIER: (
        v.X509CertificateIdentifier(issuer_distinguished_name=b"a", certificate_serial_number=b"1"),
        v.X509CertificateIdentifier(issuer_distinguished_name=b"b", certificate_serial_number=b"1"),
    ),
    Tag.X_509_CERTIFICATE_SUBJECT: (
        v.X509CertificateSubject(subject_distinguished_name=b"a"),
        v.X509CertificateSubject(subject_distinguished_name=b"b"),
    ),
    Tag.X_509_CERTIFICATE_ISSUER: (
        v.X509CertificateIssuer(issuer_distinguished_name=b"a"),
        v.X509CertificateIssuer(issuer_distinguished_name=b"b"),
    ),
    Tag.CERTIFICATE_IDENTIFIER: (
        v.CertificateIdentifier(issuer="a", serial_number="1"),
        v.CertificateIdentifier(issuer="b", serial_number="1"),
    ),
    Tag.CERTIFICATE_SUBJECT: (
        v.CertificateSubject(certificate_subject_distinguished_name="a"),
        v.CertificateSubject(certificate_subject_distinguished_name="b"),
    ),
    Tag.CERTIFICATE_ISSUER: (
        v.CertificateIssuer(certificate_issuer_distinguished_name="a"),
        v.CertificateIssuer(certificate_issuer_distinguished_name="b"),
    ),
    Tag.DIGEST: (
        v.Digest(hashing_algorithm=HashingAlgorithm.SHA_256, digest_value=b"1"),
        v.Digest(hashing_algorithm=HashingAlgorithm.SHA_256, digest_value=b"2"),
    ),
    Tag.CRYPTOGRAPHIC_USAGE_MASK: (_M.ENCRYPT, _M.ENCRYPT | _M.DECRYPT),
    Tag.USAGE_LIMITS: (_limits(1000), _limits(2000)),
    Tag.STATE: (State.ACTIVE, State.DESTROYED),
    Tag.REVOCATION_REASON: (
        v.RevocationReason(revocation_reason_code=RevocationReasonCode.SUPERSEDED),
        v.RevocationReason(revocation_reason_code=RevocationReasonCode.UNSPECIFIED),
    ),
    Tag.FRESH: (True, False),
    Tag.LINK: (_link("one"), _link("two")),
    Tag.APPLICATION_SPECIFIC_INFORMATION: (_information("one"), _information("two")),
    Tag.ALTERNATIVE_NAME: (_alternative("one"), _alternative("two")),
    Tag.KEY_VALUE_LOCATION: (_location("one"), _location("two")),
    Tag.ORIGINAL_CREATION_DATE: (1_000_000_000, 1_000_000_001),
    Tag.RANDOM_NUMBER_GENERATOR: (GENERATOR, v.RNGParameters(rng_algorithm=RNGAlgorithm.ANSI_X9_31)),
    Tag.KEY_FORMAT_TYPE: (KeyFormatType.RAW, KeyFormatType.PKCS_1),
    Tag.NIST_KEY_TYPE: (
        NISTKeyType.SYMMETRIC_DATA_ENCRYPTION_KEY,
        NISTKeyType.SYMMETRIC_MASTER_KEY,
    ),
    Tag.OPAQUE_DATA_TYPE: (OPAQUE_DATA_TYPE, OPAQUE_DATA_TYPE + 1),
    Tag.PROTECTION_LEVEL: (ProtectionLevel.LOW, ProtectionLevel.HIGH),
    Tag.PROTECTION_STORAGE_MASK: (ProtectionStorageMask.SOFTWARE, ProtectionStorageMask.HARDWARE),
    Tag.QUANTUM_SAFE: (True, False),
    # True would be a promise that the server does not make.
    Tag.ROTATE_AUTOMATIC: (False, False),
    Tag.ROTATE_NAME: (_rotate_name("one"), _rotate_name("two")),
}


def values(tag: Tag) -> tuple[Any, Any]:
    """Two values of an attribute, valid for an AES key of 256 bits or whatever object carries it."""
    return _OWN[tag] if tag in _OWN else _PLAIN[ATTRIBUTES[tag].kind]
