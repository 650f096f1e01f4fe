"""Every attribute of KMIP 1.0 to 2.1: one row each.

Strategy: the row says what the standard's own table for the attribute says: the kind of its value, how many
instances, which objects carry it, who sets it first, and whether a client may modify or delete it. The two
spellings on the wire are in `spellings.py`, the checks in the engine; both look here and nowhere else.
Sources: KMIP 1.4 section 3, KMIP 2.1 section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from kmip_server.protocol import attribute_values as values
from kmip_server.protocol.enums import (
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DigitalSignatureAlgorithm,
    ItemType,
    KeyFormatType,
    NISTKeyType,
    ObjectType,
    ProtectionLevel,
    ProtectionStorageMask,
    State,
)
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import (
    V1_0,
    V1_1,
    V1_2,
    V1_3,
    V1_4,
    V2_0,
    V2_1,
    Version,
)

# --- which objects ------------------------------------------------------------------------------

_T = ObjectType
ALL = frozenset(_T)
TEMPLATE = frozenset({_T.TEMPLATE})
SYMMETRIC = frozenset({_T.SYMMETRIC_KEY, _T.SPLIT_KEY})
ASYMMETRIC = frozenset({_T.PUBLIC_KEY, _T.PRIVATE_KEY})
KEYS = SYMMETRIC | ASYMMETRIC | {_T.PGP_KEY}
CERTIFICATES = frozenset({_T.CERTIFICATE})
OPAQUE = frozenset({_T.OPAQUE_OBJECT})
SIGNED = CERTIFICATES | {_T.PGP_KEY}
# The errata of 1.4 let an Opaque Object have a State, and 2.x gives one to every object.
CRYPTOGRAPHIC = KEYS | CERTIFICATES | {_T.SECRET_DATA} | OPAQUE
WITH_KEY_VALUE = frozenset({_T.SYMMETRIC_KEY, _T.PRIVATE_KEY, _T.SPLIT_KEY, _T.SECRET_DATA})

PAIRS = ASYMMETRIC | TEMPLATE
_NARROW = (CERTIFICATES, SIGNED, OPAQUE, PAIRS)
"""What attributes are for in every version; the others apply to all objects from 2.0 on (KMIP 2.1 §4)."""

SetBy = Literal["server", "client", "either"]


@dataclass(frozen=True, slots=True)
class AttributeRow:
    """What the standard's table says of one attribute."""

    tag: Tag
    kind: Any
    """As in `schema`: what the value is."""
    objects: frozenset[ObjectType]
    set_by: SetBy
    multiple: bool = False
    modifiable: bool = False
    """By a client."""
    deletable: bool = False
    """By a client."""
    since: Version = V1_0
    until: Version | None = None

    @property
    def name(self) -> str:
        return self.tag.title

    def carried_by(self, object_type: ObjectType, version: Version) -> bool:
        """Whether objects of this type have the attribute. From 2.0 on nearly every one is for all objects."""
        if version.major > 1 and self.objects not in _NARROW:
            return True
        return object_type in self.objects

    def known_in(self, version: Version) -> bool:
        return self.since <= version and (self.until is None or version <= self.until)


_DATE = ItemType.DATE_TIME
_SECONDS = ItemType.INTERVAL


class _Free(TypedDict):
    modifiable: bool
    deletable: bool


_FREE: _Free = {"modifiable": True, "deletable": True}
_KEYED = KEYS | CERTIFICATES | TEMPLATE

_ROWS = (
    AttributeRow(Tag.UNIQUE_IDENTIFIER, str, ALL, "server"),
    AttributeRow(Tag.NAME, values.Name, ALL, "client", multiple=True, **_FREE),
    AttributeRow(Tag.OBJECT_TYPE, ObjectType, ALL, "server"),
    # The client names algorithm, length and mask in Create and Register; afterwards they stand.
    AttributeRow(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm, _KEYED | {_T.SECRET_DATA}, "either"),
    AttributeRow(Tag.CRYPTOGRAPHIC_LENGTH, int, _KEYED | {_T.SECRET_DATA}, "either"),
    AttributeRow(
        Tag.CRYPTOGRAPHIC_PARAMETERS, values.CryptographicParameters, _KEYED, "client", multiple=True, **_FREE
    ),
    AttributeRow(
        Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS,
        values.CryptographicDomainParameters,
        PAIRS,
        "client",
    ),
    AttributeRow(Tag.CERTIFICATE_TYPE, CertificateType, CERTIFICATES, "server"),
    AttributeRow(Tag.CERTIFICATE_LENGTH, int, CERTIFICATES, "server", since=V1_1),
    AttributeRow(
        Tag.X_509_CERTIFICATE_IDENTIFIER, values.X509CertificateIdentifier, CERTIFICATES, "server", since=V1_1
    ),
    AttributeRow(Tag.X_509_CERTIFICATE_SUBJECT, values.X509CertificateSubject, CERTIFICATES, "server", since=V1_1),
    AttributeRow(Tag.X_509_CERTIFICATE_ISSUER, values.X509CertificateIssuer, CERTIFICATES, "server", since=V1_1),
    AttributeRow(Tag.CERTIFICATE_IDENTIFIER, values.CertificateIdentifier, CERTIFICATES, "server", until=V1_4),
    AttributeRow(Tag.CERTIFICATE_SUBJECT, values.CertificateSubject, CERTIFICATES, "server", until=V1_4),
    AttributeRow(Tag.CERTIFICATE_ISSUER, values.CertificateIssuer, CERTIFICATES, "server", until=V1_4),
    AttributeRow(
        Tag.DIGITAL_SIGNATURE_ALGORITHM,
        DigitalSignatureAlgorithm,
        SIGNED,
        "server",
        multiple=True,
        since=V1_1,
    ),
    AttributeRow(Tag.DIGEST, values.Digest, CRYPTOGRAPHIC, "server", multiple=True),
    AttributeRow(Tag.OPERATION_POLICY_NAME, str, ALL, "either", until=V1_4),
    AttributeRow(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask, CRYPTOGRAPHIC | TEMPLATE, "either"),
    AttributeRow(Tag.LEASE_TIME, _SECONDS, CRYPTOGRAPHIC, "server"),
    AttributeRow(Tag.USAGE_LIMITS, values.UsageLimits, KEYS | TEMPLATE, "either", **_FREE),
    AttributeRow(Tag.STATE, State, CRYPTOGRAPHIC, "server"),
    AttributeRow(Tag.INITIAL_DATE, _DATE, ALL, "server"),
    AttributeRow(Tag.ACTIVATION_DATE, _DATE, CRYPTOGRAPHIC | TEMPLATE, "either", modifiable=True),
    # The standard says symmetric keys; its own test cases give these dates to asymmetric ones too.
    AttributeRow(Tag.PROCESS_START_DATE, _DATE, KEYS | TEMPLATE, "either", modifiable=True),
    AttributeRow(Tag.PROTECT_STOP_DATE, _DATE, KEYS | TEMPLATE, "either", modifiable=True),
    AttributeRow(Tag.DEACTIVATION_DATE, _DATE, CRYPTOGRAPHIC | TEMPLATE, "either", modifiable=True),
    AttributeRow(Tag.DESTROY_DATE, _DATE, CRYPTOGRAPHIC, "server"),
    AttributeRow(Tag.COMPROMISE_OCCURRENCE_DATE, _DATE, CRYPTOGRAPHIC, "server"),
    AttributeRow(Tag.COMPROMISE_DATE, _DATE, CRYPTOGRAPHIC, "server"),
    AttributeRow(Tag.REVOCATION_REASON, values.RevocationReason, CRYPTOGRAPHIC, "server"),
    AttributeRow(Tag.ARCHIVE_DATE, _DATE, ALL, "server"),
    AttributeRow(Tag.OBJECT_GROUP, str, ALL, "either", multiple=True, **_FREE),
    AttributeRow(Tag.FRESH, bool, CRYPTOGRAPHIC, "either", since=V1_1),
    AttributeRow(Tag.LINK, values.Link, CRYPTOGRAPHIC, "either", multiple=True, **_FREE),
    AttributeRow(
        Tag.APPLICATION_SPECIFIC_INFORMATION,
        values.ApplicationSpecificInformation,
        ALL,
        "either",
        multiple=True,
        **_FREE,
    ),
    AttributeRow(Tag.CONTACT_INFORMATION, str, ALL, "either", **_FREE),
    AttributeRow(Tag.LAST_CHANGE_DATE, _DATE, ALL, "server"),
    AttributeRow(Tag.ALTERNATIVE_NAME, values.AlternativeName, ALL, "client", multiple=True, **_FREE, since=V1_2),
    AttributeRow(Tag.KEY_VALUE_PRESENT, bool, WITH_KEY_VALUE, "server", since=V1_2),
    AttributeRow(
        Tag.KEY_VALUE_LOCATION,
        values.KeyValueLocation,
        WITH_KEY_VALUE,
        "client",
        multiple=True,
        **_FREE,
        since=V1_2,
    ),
    AttributeRow(Tag.ORIGINAL_CREATION_DATE, _DATE, ALL, "either", since=V1_2),
    AttributeRow(Tag.RANDOM_NUMBER_GENERATOR, values.RNGParameters, CRYPTOGRAPHIC, "either", since=V1_3),
    AttributeRow(Tag.PKCS_12_FRIENDLY_NAME, str, CRYPTOGRAPHIC, "either", **_FREE, since=V1_4),
    AttributeRow(Tag.DESCRIPTION, str, ALL, "either", **_FREE, since=V1_4),
    AttributeRow(Tag.COMMENT, str, ALL, "either", **_FREE, since=V1_4),
    AttributeRow(Tag.SENSITIVE, bool, ALL, "either", modifiable=True, since=V1_4),
    AttributeRow(Tag.ALWAYS_SENSITIVE, bool, ALL, "server", since=V1_4),
    AttributeRow(Tag.EXTRACTABLE, bool, ALL, "either", modifiable=True, since=V1_4),
    AttributeRow(Tag.NEVER_EXTRACTABLE, bool, ALL, "server", since=V1_4),
    # The server's; but a client may ask for one where the server makes the key (KMIP 2.1 §4.26).
    AttributeRow(Tag.KEY_FORMAT_TYPE, KeyFormatType, ALL, "either", since=V2_0),
    AttributeRow(Tag.NIST_KEY_TYPE, NISTKeyType, ALL, "client", multiple=True, since=V2_0),
    AttributeRow(Tag.OPAQUE_DATA_TYPE, ItemType.ENUMERATION, OPAQUE, "server", since=V2_0),
    AttributeRow(Tag.PROTECTION_LEVEL, ProtectionLevel, ALL, "client", **_FREE, since=V2_0),
    AttributeRow(Tag.PROTECTION_PERIOD, _SECONDS, ALL, "client", **_FREE, since=V2_0),
    AttributeRow(Tag.PROTECTION_STORAGE_MASK, ProtectionStorageMask, ALL, "server", since=V2_0),
    AttributeRow(Tag.QUANTUM_SAFE, bool, ALL, "client", **_FREE, since=V2_0),
    AttributeRow(Tag.SHORT_UNIQUE_IDENTIFIER, bytes, ALL, "server", since=V2_0),
    AttributeRow(Tag.ROTATE_AUTOMATIC, bool, ALL, "either", since=V2_1),
    AttributeRow(Tag.ROTATE_DATE, _DATE, ALL, "server", since=V2_1),
    AttributeRow(Tag.ROTATE_GENERATION, int, ALL, "server", since=V2_1),
    AttributeRow(Tag.ROTATE_INTERVAL, _SECONDS, ALL, "either", since=V2_1),
    AttributeRow(Tag.ROTATE_LATEST, bool, ALL, "server", since=V2_1),
    AttributeRow(Tag.ROTATE_NAME, values.RotateName, ALL, "client", **_FREE, since=V2_1),
    AttributeRow(Tag.ROTATE_OFFSET, _SECONDS, ALL, "either", since=V2_1),
    *(
        # KMIP 2.1 §4.6: 24 attributes of the two names in an X.509 certificate.
        AttributeRow(Tag[f"CERTIFICATE_{party}_{part}"], str, CERTIFICATES, "server", multiple=True, since=V2_0)
        for party in ("SUBJECT", "ISSUER")
        for part in (
            "CN",
            "O",
            "OU",
            "EMAIL",
            "C",
            "ST",
            "L",
            "UID",
            "SERIAL_NUMBER",
            "TITLE",
            "DC",
            "DN_QUALIFIER",
        )
    ),
)

ATTRIBUTES: dict[Tag, AttributeRow] = {row.tag: row for row in _ROWS}
BY_NAME: dict[str, AttributeRow] = {row.name: row for row in _ROWS}
