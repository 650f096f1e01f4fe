"""The structures that attributes have as values. KMIP 1.4 section 3, KMIP 2.1 section 4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kmip_server.protocol.enums import (
    AlternativeNameType,
    BlockCipherMode,
    CryptographicAlgorithm,
    DigitalSignatureAlgorithm,
    DRBGAlgorithm,
    FIPS186Variation,
    HashingAlgorithm,
    ItemType,
    KeyFormatType,
    KeyRoleType,
    KeyValueLocationType,
    LinkType,
    MaskGenerator,
    NameType,
    PaddingMethod,
    ProtectionStorageMask,
    RecommendedCurve,
    RevocationReasonCode,
    RNGAlgorithm,
    RotateNameType,
    UsageLimitsUnit,
)
from kmip_server.protocol.schema import LongInteger, ObjectReference, field, structure
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_2, V1_4, V2_0, V2_1

LATEST_DATE = (1 << 63) - 1
"""Seconds since 1970: the last that a Date-Time holds."""


@dataclass(frozen=True, slots=True)
class CustomValue:
    """The value of an attribute that the standard does not define: its Item Type and what came with it."""

    type: ItemType
    value: Any
    """As in an item: for a Structure a tuple of items, which keep the client's own tags."""


@structure(Tag.NAME)
class Name:
    """KMIP 1.4 §3.2."""

    name_value: str = field(Tag.NAME_VALUE)
    name_type: NameType = field(Tag.NAME_TYPE)


@structure(Tag.CRYPTOGRAPHIC_PARAMETERS)
class CryptographicParameters:
    """Options a key is to be used with. KMIP 1.4 §3.6."""

    block_cipher_mode: BlockCipherMode | None = field(Tag.BLOCK_CIPHER_MODE)
    padding_method: PaddingMethod | None = field(Tag.PADDING_METHOD)
    hashing_algorithm: HashingAlgorithm | None = field(Tag.HASHING_ALGORITHM)
    key_role_type: KeyRoleType | None = field(Tag.KEY_ROLE_TYPE)
    digital_signature_algorithm: DigitalSignatureAlgorithm | None = field(
        Tag.DIGITAL_SIGNATURE_ALGORITHM, since=V1_2
    )
    cryptographic_algorithm: CryptographicAlgorithm | None = field(Tag.CRYPTOGRAPHIC_ALGORITHM, since=V1_2)
    random_iv: bool | None = field(Tag.RANDOM_IV, since=V1_2)
    iv_length: int | None = field(Tag.IV_LENGTH, since=V1_2)  # bits
    tag_length: int | None = field(Tag.TAG_LENGTH, since=V1_2)  # bytes
    fixed_field_length: int | None = field(Tag.FIXED_FIELD_LENGTH, since=V1_2)  # bits
    invocation_field_length: int | None = field(Tag.INVOCATION_FIELD_LENGTH, since=V1_2)  # bits
    counter_length: int | None = field(Tag.COUNTER_LENGTH, since=V1_2)  # bits
    initial_counter_value: int | None = field(Tag.INITIAL_COUNTER_VALUE, since=V1_2)
    salt_length: int | None = field(Tag.SALT_LENGTH, since=V1_4)  # bytes
    mask_generator: MaskGenerator | None = field(Tag.MASK_GENERATOR, since=V1_4)
    mask_generator_hashing_algorithm: HashingAlgorithm | None = field(
        Tag.MASK_GENERATOR_HASHING_ALGORITHM, since=V1_4
    )
    p_source: bytes | None = field(Tag.P_SOURCE, since=V1_4)
    trailer_field: int | None = field(Tag.TRAILER_FIELD, since=V1_4)


@structure(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)
class CryptographicDomainParameters:
    """KMIP 1.4 §3.7."""

    qlength: int | None = field(Tag.QLENGTH)  # bits
    recommended_curve: RecommendedCurve | None = field(Tag.RECOMMENDED_CURVE)


@structure(Tag.X_509_CERTIFICATE_IDENTIFIER)
class X509CertificateIdentifier:
    """KMIP 1.4 §3.10. DER."""

    issuer_distinguished_name: bytes = field(Tag.ISSUER_DISTINGUISHED_NAME)
    certificate_serial_number: bytes = field(Tag.CERTIFICATE_SERIAL_NUMBER)


@structure(Tag.X_509_CERTIFICATE_SUBJECT)
class X509CertificateSubject:
    """KMIP 1.4 §3.11. DER."""

    subject_distinguished_name: bytes = field(Tag.SUBJECT_DISTINGUISHED_NAME)
    subject_alternative_names: tuple[bytes, ...] = field(Tag.SUBJECT_ALTERNATIVE_NAME)


@structure(Tag.X_509_CERTIFICATE_ISSUER)
class X509CertificateIssuer:
    """KMIP 1.4 §3.12. DER."""

    issuer_distinguished_name: bytes = field(Tag.ISSUER_DISTINGUISHED_NAME)
    issuer_alternative_names: tuple[bytes, ...] = field(Tag.ISSUER_ALTERNATIVE_NAME)


@structure(Tag.CERTIFICATE_IDENTIFIER)
class CertificateIdentifier:
    """KMIP 1.4 §3.13; deprecated since 1.1, gone in 2.0."""

    issuer: str = field(Tag.ISSUER)
    serial_number: str | None = field(Tag.SERIAL_NUMBER)


@structure(Tag.CERTIFICATE_SUBJECT)
class CertificateSubject:
    """KMIP 1.4 §3.14; deprecated since 1.1, gone in 2.0."""

    certificate_subject_distinguished_name: str = field(Tag.CERTIFICATE_SUBJECT_DISTINGUISHED_NAME)
    certificate_subject_alternative_names: tuple[str, ...] = field(Tag.CERTIFICATE_SUBJECT_ALTERNATIVE_NAME)


@structure(Tag.CERTIFICATE_ISSUER)
class CertificateIssuer:
    """KMIP 1.4 §3.15; deprecated since 1.1, gone in 2.0."""

    certificate_issuer_distinguished_name: str = field(Tag.CERTIFICATE_ISSUER_DISTINGUISHED_NAME)
    certificate_issuer_alternative_names: tuple[str, ...] = field(Tag.CERTIFICATE_ISSUER_ALTERNATIVE_NAME)


@structure(Tag.DIGEST)
class Digest:
    """KMIP 1.4 §3.17."""

    hashing_algorithm: HashingAlgorithm = field(Tag.HASHING_ALGORITHM)
    digest_value: bytes | None = field(Tag.DIGEST_VALUE)
    # 1.0 has no such field here; PyKMIP cannot read a Digest without it.
    key_format_type: KeyFormatType | None = field(Tag.KEY_FORMAT_TYPE)


@structure(Tag.USAGE_LIMITS)
class UsageLimits:
    """KMIP 1.4 §3.21. A client leaves out the count."""

    usage_limits_total: LongInteger = field(Tag.USAGE_LIMITS_TOTAL)
    usage_limits_count: LongInteger | None = field(Tag.USAGE_LIMITS_COUNT)
    usage_limits_unit: UsageLimitsUnit = field(Tag.USAGE_LIMITS_UNIT)


@structure(Tag.REVOCATION_REASON)
class RevocationReason:
    """KMIP 1.4 §3.31."""

    revocation_reason_code: RevocationReasonCode = field(Tag.REVOCATION_REASON_CODE)
    revocation_message: str | None = field(Tag.REVOCATION_MESSAGE)


@structure(Tag.LINK)
class Link:
    """KMIP 1.4 §3.35."""

    link_type: LinkType = field(Tag.LINK_TYPE)
    linked_object_identifier: ObjectReference = field(Tag.LINKED_OBJECT_IDENTIFIER)


@structure(Tag.APPLICATION_SPECIFIC_INFORMATION)
class ApplicationSpecificInformation:
    """KMIP 1.4 §3.36. The data may be left out for the server to make up."""

    application_namespace: str = field(Tag.APPLICATION_NAMESPACE)
    application_data: str | None = field(Tag.APPLICATION_DATA)


@structure(Tag.ALTERNATIVE_NAME)
class AlternativeName:
    """KMIP 1.4 §3.40."""

    alternative_name_value: str = field(Tag.ALTERNATIVE_NAME_VALUE)
    alternative_name_type: AlternativeNameType = field(Tag.ALTERNATIVE_NAME_TYPE)


@structure(Tag.KEY_VALUE_LOCATION)
class KeyValueLocation:
    """KMIP 1.4 §3.42."""

    key_value_location_value: str = field(Tag.KEY_VALUE_LOCATION_VALUE)
    key_value_location_type: KeyValueLocationType = field(Tag.KEY_VALUE_LOCATION_TYPE)


@structure(Tag.RNG_PARAMETERS)
class RNGParameters:
    """How random numbers are made. KMIP 1.4 §2.1.18."""

    rng_algorithm: RNGAlgorithm = field(Tag.RNG_ALGORITHM)
    cryptographic_algorithm: CryptographicAlgorithm | None = field(Tag.CRYPTOGRAPHIC_ALGORITHM)
    cryptographic_length: int | None = field(Tag.CRYPTOGRAPHIC_LENGTH)
    hashing_algorithm: HashingAlgorithm | None = field(Tag.HASHING_ALGORITHM)
    drbg_algorithm: DRBGAlgorithm | None = field(Tag.DRBG_ALGORITHM)
    recommended_curve: RecommendedCurve | None = field(Tag.RECOMMENDED_CURVE)
    fips186_variation: FIPS186Variation | None = field(Tag.FIPS186_VARIATION)
    prediction_resistance: bool | None = field(Tag.PREDICTION_RESISTANCE)


@structure(Tag.PROTECTION_STORAGE_MASKS)
class ProtectionStorageMasks:
    """What a client permits, or a server offers: any one of these. KMIP 2.1 §7.33."""

    masks: tuple[ProtectionStorageMask, ...] = field(Tag.PROTECTION_STORAGE_MASK, since=V2_0)


@structure(Tag.ROTATE_NAME)
class RotateName:
    """KMIP 2.1 §4.53."""

    rotate_name_value: str = field(Tag.ROTATE_NAME_VALUE, since=V2_1)
    rotate_name_type: RotateNameType = field(Tag.ROTATE_NAME_TYPE, since=V2_1)
