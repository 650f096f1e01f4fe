"""A client certificate and the principal it names.

Strategy: the identity table comes first: a certificate that was issued here or pinned is known by its
fingerprint. Then the ordered rules; the first that finds its value in the certificate decides, also where
nobody has that name. To fall through to a weaker rule would let whoever controls a later field choose another
name. A value that is there twice, is empty or has control characters names nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from kmip_server.authz.records import Identities
from kmip_server.errors import AuthenticationNotSuccessful

_SUBJECT = {
    "subject.CN": NameOID.COMMON_NAME,
    "subject.O": NameOID.ORGANIZATION_NAME,
    "subject.OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "subject.UID": NameOID.USER_ID,
    "subject.serialNumber": NameOID.SERIAL_NUMBER,
}
_ALTERNATIVE: dict[str, Any] = {
    "san.dns": x509.DNSName,
    "san.email": x509.RFC822Name,
    "san.uri": x509.UniformResourceIdentifier,
}
_UPN = "san.upn"
_UPN_TYPE = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
SOURCES = ("sha256", *_SUBJECT, *_ALTERNATIVE, _UPN)
"""What a rule may read."""


class NotIdentified(AuthenticationNotSuccessful):
    """The one sentence a client gets, and the detail that is for the record only."""

    def __init__(self, detail: str) -> None:
        super().__init__("the certificate or the credential does not make a known principal")
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRule:
    """From where in the certificate, and what principal name that makes: "{value}" stands for what is found."""

    source: str
    principal: str = "{value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What rules can read of a certificate. Parsed once for each connection."""

    fingerprint: str
    serial_number: str
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)


def facts_of(der: bytes, fingerprint: str) -> CertificateFacts:
    """Raises NotIdentified for a certificate that cannot be parsed."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        values = {
            source: tuple(str(a.value) for a in certificate.subject.get_attributes_for_oid(oid))
            for source, oid in _SUBJECT.items()
        }
        names = _alternative_names(certificate)
        for source, kind in _ALTERNATIVE.items():
            values[source] = tuple(str(v) for v in names.get_values_for_type(kind)) if names else ()
        values[_UPN] = _user_principal_names(names) if names else ()
    except Exception as error:
        # What the parser raises for odd certificates is many things, not all of them documented (an ediPartyName
        # among the alternative names is one). Whatever it is, such a certificate names nobody.
        raise NotIdentified(f"the certificate cannot be read: {type(error).__name__}") from error
    values["sha256"] = (fingerprint,)
    return CertificateFacts(fingerprint=fingerprint, serial_number=f"{certificate.serial_number:x}", values=values)


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _user_principal_names(names: x509.SubjectAlternativeName) -> tuple[str, ...]:
    """Microsoft's User Principal Names, which are otherNames of a UTF8String."""
    others = names.get_values_for_type(x509.OtherName)
    return tuple(_utf8_string(each.value) for each in others if each.type_id == _UPN_TYPE)


def _utf8_string(der: bytes) -> str:
    """A DER UTF8String of at most 255 bytes; for anything else "", which names nobody."""
    content = der[2:] if der[1:2] < b"\x80" else der[3:]
    if len(content) > 255:
        return ""
    length = bytes([len(content)]) if len(content) < 0x80 else bytes([0x81, len(content)])
    if der != b"\x0c" + length + content:
        return ""  # another type, or a second spelling of the same string
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def principal_name(facts: CertificateFacts, rules: Sequence[IdentityRule], identities: Identities) -> str:
    """The principal that a certificate names. Raises NotIdentified."""
    known = identities.certificates.get(facts.fingerprint)
    if known is not None:
        if known.revoked:
            raise NotIdentified(f"the certificate of {known.principal} is revoked")
        return known.principal
    for rule in rules:
        values = facts.values.get(rule.source, ())
        if not values:
            continue
        if len(values) > 1:
            raise NotIdentified(f"{rule.source} stands {len(values)} times in the certificate")
        value = values[0]
        if not value.strip() or any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise NotIdentified(f"{rule.source} of the certificate is empty or has control characters")
        return rule.principal.replace("{value}", value)
    raise NotIdentified("no identity rule applies to the certificate")
