"""The parts of a certificate's two names, as KMIP 2.1 section 4.6 lists them."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

PARTS = {
    "CN": NameOID.COMMON_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "EMAIL": NameOID.EMAIL_ADDRESS,
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "UID": NameOID.USER_ID,
    "SERIAL_NUMBER": NameOID.SERIAL_NUMBER,
    "TITLE": NameOID.TITLE,
    "DC": NameOID.DOMAIN_COMPONENT,
    "DN_QUALIFIER": NameOID.DN_QUALIFIER,
}
"""Each part by the end of its tag's name."""


def parts(der: bytes) -> dict[tuple[str, str], tuple[str, ...]]:
    """(party, part) -> the texts of it, for the parties "SUBJECT" and "ISSUER"; parts that are absent are left out.

    `der` is an X.509 certificate that has been read before.
    """
    certificate = x509.load_der_x509_certificate(der)
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for party, name in (("SUBJECT", certificate.subject), ("ISSUER", certificate.issuer)):
        for part, oid in PARTS.items():
            texts = tuple(str(attribute.value) for attribute in name.get_attributes_for_oid(oid))
            if texts:
                found[party, part] = texts
    return found
