"""From a certificate and a credential to a principal, or to nobody."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kmip_server.authz.records import CertificateRecord, CredentialRecord, Identities, PrincipalRecord
from kmip_server.errors import AuthenticationNotSuccessful, CodecError
from kmip_server.identity.certificate import IdentityRule, NotIdentified, facts_of, principal_name
from kmip_server.identity.credentials import PasswordCheck, hasher
from kmip_server.identity.identify import Identifier
from kmip_server.principal import Peer
from kmip_server.protocol import ttlv
from kmip_server.protocol.enums import CredentialType
from kmip_server.protocol.messages import Authentication, Credential
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_0

KEY = ec.generate_private_key(ec.SECP256R1())
COMMON_NAME = IdentityRule(source="subject.CN")


def certificate(
    *names: tuple[x509.ObjectIdentifier, str], alternative: list[x509.GeneralName] | None = None
) -> bytes:
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    if alternative:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    from cryptography.hazmat.primitives.serialization import Encoding

    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


PASSWORD = "a long enough password"
IDENTITIES = Identities(
    policy_revision=1,
    principals={
        "array": PrincipalRecord(name="array", domain="default", enabled=True, roles=("Appliance",)),
        "proxy": PrincipalRecord(name="proxy", domain="default", enabled=True, speaks_for=("array",)),
        "off": PrincipalRecord(name="off", domain="default", enabled=False),
    },
    certificates={
        "known": CertificateRecord(
            fingerprint="known", principal="array", serial_number="1", not_after=0, pinned=True, revoked=False
        ),
        "lost": CertificateRecord(
            fingerprint="lost", principal="array", serial_number="2", not_after=0, pinned=False, revoked=True
        ),
    },
    credentials={"user": CredentialRecord(username="user", principal="array", password_hash=hasher.hash(PASSWORD))},
    roles={},
)


def named(der: bytes, *rules: IdentityRule, fingerprint: str = "any") -> str:
    return principal_name(facts_of(der, fingerprint), rules or (COMMON_NAME,), IDENTITIES)


RULES = [
    ("subject.CN", "{value}", "array"),
    ("subject.OU", "{value}", "storage"),
    ("subject.UID", "uid-{value}", "uid-7"),
    ("subject.serialNumber", "{value}", "S1"),
    ("san.dns", "{value}", "array.example"),
    ("san.email", "{value}", "array@example"),
    ("san.uri", "{value}", "spiffe://example/array"),
    ("sha256", "{value}", "any"),
]
FULL = certificate(
    (NameOID.COMMON_NAME, "array"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "storage"),
    (NameOID.USER_ID, "7"),
    (NameOID.SERIAL_NUMBER, "S1"),
    alternative=[
        x509.DNSName("array.example"),
        x509.RFC822Name("array@example"),
        x509.UniformResourceIdentifier("spiffe://example/array"),
    ],
)


@pytest.mark.parametrize(("source", "template", "expected"), RULES)
def test_every_source_of_a_rule(source: str, template: str, expected: str) -> None:
    assert named(FULL, IdentityRule(source=source, principal=template)) == expected


def test_the_first_rule_that_finds_its_field_decides() -> None:
    rules = (IdentityRule(source="san.email"), IdentityRule(source="subject.OU"), COMMON_NAME)
    assert named(certificate((NameOID.COMMON_NAME, "array")), *rules) == "array"
    # Also where nobody has the name it makes: no falling through to a weaker field.
    assert named(FULL, *rules) == "array@example"


def test_the_identity_table_goes_before_the_rules() -> None:
    assert named(certificate((NameOID.COMMON_NAME, "proxy")), fingerprint="known") == "array"
    with pytest.raises(NotIdentified):
        named(certificate((NameOID.COMMON_NAME, "array")), fingerprint="lost")


@pytest.mark.parametrize(
    "names",
    [
        [],
        [(NameOID.COMMON_NAME, "array"), (NameOID.COMMON_NAME, "proxy")],
        [(NameOID.COMMON_NAME, " ")],
        [(NameOID.COMMON_NAME, "array\x00.evil")],
        [(NameOID.COMMON_NAME, "array\n")],
    ],
)
def test_hostile_names_name_nobody(names: list[tuple[x509.ObjectIdentifier, str]]) -> None:
    with pytest.raises(NotIdentified):
        named(certificate(*names))


def test_what_is_no_certificate_names_nobody() -> None:
    with pytest.raises(NotIdentified):
        facts_of(b"nonsense", "any")


# --- a whole message ----------------------------------------------------------------------------


def authentication(
    username: str, password: str | None, kind: CredentialType = CredentialType.USERNAME_AND_PASSWORD
) -> Authentication:
    fields: list[Item] = [(Tag.USERNAME, ttlv.TEXT_STRING, username)]
    if password is not None:
        fields.append((Tag.PASSWORD, ttlv.TEXT_STRING, password))
    value = (Tag.CREDENTIAL_VALUE, ttlv.STRUCTURE, fields)
    return Authentication(credentials=(Credential(credential_type=kind, credential_value=value),))


def peer(common_name: str) -> Peer:
    der = certificate((NameOID.COMMON_NAME, common_name))
    return Peer(address="a:1", certificate=der, fingerprint=f"of {common_name}")


@pytest.fixture
def identifier() -> Identifier:
    return Identifier(lambda: IDENTITIES, [COMMON_NAME])


def test_a_certificate_alone(identifier: Identifier) -> None:
    principal = identifier.identify(peer("array"), None, V1_0)
    assert (principal.name, principal.roles, principal.authentication) == ("array", ("Appliance",), "certificate")


@pytest.mark.parametrize("common_name", ["array", "proxy"])
def test_a_credential_of_the_same_or_of_one_spoken_for(identifier: Identifier, common_name: str) -> None:
    principal = identifier.identify(peer(common_name), authentication("user", PASSWORD), V1_0)
    assert (principal.name, principal.authentication) == ("array", "certificate+password")


REFUSED = [
    ("array", authentication("user", "wrong")),
    ("array", authentication("user", None)),
    ("array", authentication("nobody", PASSWORD)),
    ("array", authentication("user", PASSWORD, CredentialType.DEVICE)),
    ("array", Authentication()),
    ("stranger", None),
    ("off", None),
]


@pytest.mark.parametrize(("common_name", "given"), REFUSED)
def test_what_is_sent_is_right_or_refused_in_the_same_words(
    identifier: Identifier, common_name: str, given: Authentication | None
) -> None:
    with pytest.raises(AuthenticationNotSuccessful) as refused:
        identifier.identify(peer(common_name), given, V1_0)
    assert refused.value.message == "the certificate or the credential does not make a known principal"


def test_a_credential_of_another_principal_is_refused() -> None:
    others = replace(
        IDENTITIES,
        principals={**IDENTITIES.principals, "other": replace(IDENTITIES.principals["array"], name="other")},
    )
    with pytest.raises(NotIdentified, match="does not make"):
        Identifier(lambda: others, [COMMON_NAME]).identify(peer("other"), authentication("user", PASSWORD), V1_0)


def test_a_malformed_credential_is_a_codec_error_without_its_value(identifier: Identifier) -> None:
    value = (Tag.CREDENTIAL_VALUE, ttlv.STRUCTURE, [(Tag.PASSWORD, ttlv.INTEGER, 1234)])
    broken = Credential(credential_type=CredentialType.USERNAME_AND_PASSWORD, credential_value=value)
    with pytest.raises(CodecError) as complaint:
        identifier.identify(peer("array"), Authentication(credentials=(broken,)), V1_0)
    assert "1234" not in str(complaint.value)


def test_revocation_counts_at_once() -> None:
    current = [IDENTITIES]
    identifier = Identifier(lambda: current[0], [COMMON_NAME])
    identifier.identify(peer("array"), None, V1_0)
    gone = replace(IDENTITIES.principals["array"], enabled=False)
    current[0] = replace(IDENTITIES, policy_revision=2, principals={"array": gone})
    with pytest.raises(NotIdentified):
        identifier.identify(peer("array"), None, V1_0)


def test_a_right_password_is_remembered_only_while_the_policy_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    check = PasswordCheck()
    assert check.principal_of("user", PASSWORD, IDENTITIES, ("array",)) == "array"
    slow = {"calls": 0}

    class Counting:
        def verify(self, stored: str, given: str) -> bool:
            slow["calls"] += 1
            return hasher.verify(stored, given)

    monkeypatch.setattr("kmip_server.identity.credentials.hasher", Counting())
    check.principal_of("user", PASSWORD, IDENTITIES, ("array",))
    assert slow["calls"] == 0
    check.principal_of("user", PASSWORD, replace(IDENTITIES, policy_revision=2), ("array",))
    assert slow["calls"] == 1


def test_no_secret_in_a_repr() -> None:
    assert PASSWORD not in repr(authentication("user", PASSWORD))
    assert "argon2" not in repr(IDENTITIES.credentials["user"])


def test_the_right_password_of_another_is_never_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs what a wrong one costs, however often it is sent, and though its owner's is remembered."""
    from kmip_server.identity import credentials

    check, verified = credentials.PasswordCheck(), []
    verify = credentials.hasher.verify

    class Counting:
        def verify(self, stored: str, password: str) -> bool:
            verified.append(password)
            return verify(stored, password)

    check.principal_of("user", PASSWORD, IDENTITIES, ("array",))
    monkeypatch.setattr(credentials, "hasher", Counting())
    for _ in range(2):
        with pytest.raises(NotIdentified):
            check.principal_of("user", PASSWORD, IDENTITIES, ("thief",))
    assert len(verified) == 2


UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
LONG = "u" * 200


@pytest.mark.parametrize(
    ("der", "expected"),
    [
        (b"\x0c\x05array", "array"),
        (b"\x0c\x81\xc8" + LONG.encode(), LONG),
        (b"\x0c\x05arrays", ""),
        (b"\x0c\x06array", ""),
        (b"\x0c\x81\x05array", ""),
        (b"\x16\x05array", ""),
        (b"\x0c\x01\xff", ""),
        (b"\x0c\x80", ""),
        (b"\x0c\x82\x01\x00" + b"u" * 256, ""),
        (b"\x0c", ""),
        (b"", ""),
    ],
)
def test_a_user_principal_name_is_one_strict_utf8_string(der: bytes, expected: str) -> None:
    from kmip_server.identity.certificate import _utf8_string

    assert _utf8_string(der) == expected


def test_a_rule_reads_the_user_principal_name() -> None:
    other = x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x0c\x05other")
    with_name = certificate(alternative=[other, x509.OtherName(UPN, b"\x0c\x05array")])
    assert named(with_name, IdentityRule(source="san.upn")) == "array"
    malformed = certificate(alternative=[x509.OtherName(UPN, b"\x16\x05array")])
    with pytest.raises(NotIdentified):
        named(malformed, IdentityRule(source="san.upn"))
