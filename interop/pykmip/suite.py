"""PyKMIP 0.11.0, unmodified: every operation that `ProxyKmipClient` and `KMIPProxy` have, in KMIP 1.0 to 2.0.

Each step makes what it needs and checks what comes back: a value, not only a status.
"""

from __future__ import annotations

import datetime
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from kmip.core import attributes, enums, objects
    from kmip.core.exceptions import OperationFailure
    from kmip.core.factories.attribute_values import AttributeValueFactory
    from kmip.core.factories.attributes import AttributeFactory
    from kmip.core.messages import contents
    from kmip.core.messages.payloads import locate as _locate  # noqa: F401 - PyKMIP loads it late
    from kmip.pie import objects as pie
    from kmip.pie.client import ProxyKmipClient
    from kmip.pie.exceptions import KmipOperationFailure
    from kmip.services.kmip_client import KMIPProxy

from interop.endpoint import Endpoint
from interop.steps import Outcome, Steps, perform

logging.getLogger("kmip").setLevel(logging.CRITICAL)

VERSIONS: dict[str, Any] = {
    "1.0": enums.KMIPVersion.KMIP_1_0,
    "1.1": enums.KMIPVersion.KMIP_1_1,
    "1.2": enums.KMIPVersion.KMIP_1_2,
    "1.3": enums.KMIPVersion.KMIP_1_3,
    "1.4": enums.KMIPVersion.KMIP_1_4,
    "2.0": enums.KMIPVersion.KMIP_2_0,
}
_A, _M = enums.CryptographicAlgorithm, enums.CryptographicUsageMask
_CBC = {
    "block_cipher_mode": enums.BlockCipherMode.CBC,
    "padding_method": enums.PaddingMethod.PKCS5,
}
step = Steps()


@dataclass(frozen=True, slots=True)
class Fixture:
    """What a step has: two clients with different certificates, and one that speaks the lower interface."""

    version: str
    client: Any
    other: Any
    proxy: Any

    @property
    def speaks_2(self) -> bool:
        return self.version >= "2.0"


_FUTURE = 4_102_444_800  # 2100-01-01
_names = iter(range(1_000_000))


def _new_name(what: str) -> str:
    return f"{what} {os.getpid()} {next(_names)}"


def _aes(fixture: Fixture, *masks: Any, name: str | None = None, active: bool = True) -> str:
    masks = masks or (_M.ENCRYPT, _M.DECRYPT)
    uid: str = fixture.client.create(_A.AES, 256, name=name, cryptographic_usage_mask=list(masks))
    if active:
        fixture.client.activate(uid)
    return uid


def _attribute(kind: str, value: Any) -> Any:
    return AttributeFactory().create_attribute(enums.AttributeType(kind), value)


def _name_attribute(name: str) -> Any:
    return _attribute("Name", name)


def _value(kind: str, value: Any) -> Any:
    """An attribute as 2.0 writes it: under its own tag."""
    return AttributeValueFactory().create_attribute_value(enums.AttributeType(kind), value)


def _current(kind: str, value: Any) -> Any:
    return objects.CurrentAttribute(attribute=_value(kind, value))


def _new(kind: str, value: Any) -> Any:
    return objects.NewAttribute(attribute=_value(kind, value))


def _refused(reason: str, call: Callable[[], Any]) -> None:
    """The call fails with this Result Reason, and the connection is of use afterwards."""
    try:
        call()
    except (KmipOperationFailure, OperationFailure) as error:  # the latter from the operations of attributes
        assert error.reason == enums.ResultReason[reason], f"reason {error.reason}, not {reason}"
    else:
        raise AssertionError(f"was not refused with {reason}")


# --- making and fetching ------------------------------------------------------------------------


@step("create, get")
def _create(f: Fixture) -> None:
    for length in (128, 192, 256):
        uid = f.client.create(_A.AES, length, cryptographic_usage_mask=[_M.ENCRYPT])
        key = f.client.get(uid)
        assert len(key.value) * 8 == length
        assert key.cryptographic_algorithm == _A.AES
        assert f.client.get(uid).value == key.value


@step("create HMAC keys")
def _create_hmac(f: Fixture) -> None:
    for algorithm, length in ((_A.HMAC_SHA1, 160), (_A.HMAC_SHA256, 256), (_A.HMAC_SHA512, 512)):
        uid = f.client.create(algorithm, length, cryptographic_usage_mask=[_M.MAC_GENERATE])
        assert len(f.client.get(uid).value) * 8 == length


@step("create key pair")
def _create_key_pair(f: Fixture) -> None:
    public, private = f.client.create_key_pair(
        _A.RSA,
        2048,
        public_name=_new_name("public"),
        private_name=_new_name("private"),
        public_usage_mask=[_M.VERIFY],
        private_usage_mask=[_M.SIGN],
    )
    loaded = serialization.load_der_private_key(f.client.get(private).value, None)
    theirs = serialization.load_der_public_key(f.client.get(public).value)
    assert loaded.public_key() == theirs


@step("create key pair without usage masks")
def _create_key_pair_bare(f: Fixture) -> None:
    public, private = f.client.create_key_pair(_A.RSA, 2048)
    assert public != private


_PEM_FREE = serialization.NoEncryption()


def _rsa() -> Any:
    return rsa.generate_private_key(65537, 2048)


def _certificate() -> bytes:
    key = _rsa()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "interop")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


def _round_trip(f: Fixture, managed_object: Any) -> Any:
    uid = f.client.register(managed_object)
    back = f.client.get(uid)
    assert back.value == managed_object.value
    return back


@step("register symmetric key")
def _register_symmetric(f: Fixture) -> None:
    back = _round_trip(f, pie.SymmetricKey(_A.AES, 128, os.urandom(16), [_M.ENCRYPT], _new_name("key")))
    assert back.cryptographic_length == 128


@step("register private key")
def _register_private(f: Fixture) -> None:
    key = _rsa()
    for layout, format_type in (
        (serialization.PrivateFormat.PKCS8, enums.KeyFormatType.PKCS_8),
        (serialization.PrivateFormat.TraditionalOpenSSL, enums.KeyFormatType.PKCS_1),
    ):
        der = key.private_bytes(serialization.Encoding.DER, layout, _PEM_FREE)
        name = _new_name("private key")
        _round_trip(f, pie.PrivateKey(_A.RSA, 2048, der, format_type, [_M.SIGN], name))


@step("register public key")
def _register_public(f: Fixture) -> None:
    der = _rsa().public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    _round_trip(
        f, pie.PublicKey(_A.RSA, 2048, der, enums.KeyFormatType.PKCS_1, [_M.VERIFY], _new_name("public key"))
    )


@step("register certificate")
def _register_certificate(f: Fixture) -> None:
    back = _round_trip(f, pie.X509Certificate(_certificate(), [_M.VERIFY], _new_name("certificate")))
    assert back.certificate_type == enums.CertificateType.X_509


@step("register secret data")
def _register_secret(f: Fixture) -> None:
    secret = pie.SecretData(b"correct horse", enums.SecretDataType.PASSWORD, [], _new_name("secret"))
    back = _round_trip(f, secret)
    assert back.data_type == enums.SecretDataType.PASSWORD


@step("register opaque object")
def _register_opaque(f: Fixture) -> None:
    _round_trip(f, pie.OpaqueObject(os.urandom(40), enums.OpaqueDataType.NONE, _new_name("opaque")))


@step("get wrapped by a key")
def _get_wrapped(f: Fixture) -> None:
    kek = f.client.create(_A.AES, 256, cryptographic_usage_mask=[_M.WRAP_KEY])
    f.client.activate(kek)
    plain = _aes(f)
    wrapped = f.client.get(
        plain,
        {
            "wrapping_method": enums.WrappingMethod.ENCRYPT,
            "encryption_key_information": {
                "unique_identifier": kek,
                "cryptographic_parameters": {"block_cipher_mode": enums.BlockCipherMode.NIST_KEY_WRAP},
            },
            "encoding_option": enums.EncodingOption.NO_ENCODING,
        },
    )
    opened = keywrap.aes_key_unwrap(f.client.get(kek).value, wrapped.value)
    assert opened == f.client.get(plain).value


@step("rekey")
def _rekey(f: Fixture) -> None:
    name = _new_name("rotated")
    old = _aes(f, name=name)
    new = f.client.rekey(old)
    assert new != old
    assert f.client.get(new).value != f.client.get(old).value
    assert f.client.locate(attributes=[_name_attribute(name)]) == [new]


@step("rekey with a date")
def _rekey_dated(f: Fixture) -> None:
    new = f.client.rekey(_aes(f), deactivation_date=_FUTURE)
    assert f.client.get_attributes(new, ["Deactivation Date"])[1][0].attribute_value.value == _FUTURE


@step("check")
def _check(f: Fixture) -> None:
    uid = _aes(f)
    assert f.client.check(uid, cryptographic_usage_mask=[_M.ENCRYPT]) == uid


@step("derive key is refused cleanly")
def _derive(f: Fixture) -> None:
    base = f.client.register(pie.SymmetricKey(_A.AES, 128, os.urandom(16), [_M.DERIVE_KEY], _new_name("base")))
    _refused(
        "OPERATION_NOT_SUPPORTED",
        lambda: f.client.derive_key(
            enums.ObjectType.SYMMETRIC_KEY,
            [base],
            enums.DerivationMethod.HASH,
            {"cryptographic_parameters": {"hashing_algorithm": enums.HashingAlgorithm.SHA_256}},
            cryptographic_length=128,
            cryptographic_algorithm=_A.AES,
        ),
    )
    assert f.client.get(base)


# --- finding ------------------------------------------------------------------------------------


@step("locate by name")
def _locate_name(f: Fixture) -> None:
    name = _new_name("found")
    uid = _aes(f, name=name)
    assert f.client.locate(attributes=[_name_attribute(name)]) == [uid]
    assert f.client.locate(attributes=[_name_attribute(name + "x")]) == []


@step("locate by several attributes")
def _locate_many(f: Fixture) -> None:
    name = _new_name("several")
    uid = _aes(f, name=name)
    given = [
        _name_attribute(name),
        _attribute("State", enums.State.ACTIVE),
        _attribute("Cryptographic Algorithm", _A.AES),
        _attribute("Cryptographic Length", 256),
        _attribute("Object Type", enums.ObjectType.SYMMETRIC_KEY),
        _attribute("Cryptographic Usage Mask", [_M.ENCRYPT]),
    ]
    assert f.client.locate(attributes=given) == [uid]
    other = [_name_attribute(name), _attribute("State", enums.State.PRE_ACTIVE)]
    assert f.client.locate(attributes=other) == []


@step("locate by dates")
def _locate_dates(f: Fixture) -> None:
    name = _new_name("dated")
    uid = _aes(f, name=name)
    made = next(a.attribute_value.value for a in f.client.get_attributes(uid, ["Initial Date"])[1])
    within = [_attribute("Initial Date", made - 5), _attribute("Initial Date", made + 5)]
    before = [_attribute("Initial Date", made - 50), _attribute("Initial Date", made - 40)]
    assert f.client.locate(attributes=[_name_attribute(name), *within]) == [uid]
    assert f.client.locate(attributes=[_name_attribute(name), *before]) == []


@step("locate in pages")
def _locate_pages(f: Fixture) -> None:
    group = _new_name("group")
    made = [_created(f, "Object Group", group) for _ in range(5)]
    wanted = [_attribute("Object Group", group)]
    pages = [f.client.locate(maximum_items=2, offset_items=at, attributes=wanted) for at in (0, 2, 4, 6)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert sorted(uid for page in pages for uid in page) == sorted(made)


def _created(f: Fixture, kind: str, value: Any) -> str:
    """A key made through the lower interface, with one attribute more."""
    attributes = [
        _attribute("Cryptographic Algorithm", _A.AES),
        _attribute("Cryptographic Length", 128),
        _attribute("Cryptographic Usage Mask", [_M.ENCRYPT]),
        _attribute(kind, value),
    ]
    template = objects.TemplateAttribute(attributes=attributes)
    result = f.proxy.create(enums.ObjectType.SYMMETRIC_KEY, template)
    assert result.result_status.value == enums.ResultStatus.SUCCESS
    return str(result.uuid)


# --- attributes ---------------------------------------------------------------------------------


@step("get attributes")
def _get_attributes(f: Fixture) -> None:
    name = _new_name("attributes")
    uid = _aes(f, name=name)
    found_uid, attributes = f.client.get_attributes(uid, ["Name", "State", "Cryptographic Length"])
    values = {a.attribute_name.value: a.attribute_value for a in attributes}
    assert found_uid == uid
    assert values["Name"].name_value.value == name
    assert values["State"].value == enums.State.ACTIVE
    assert values["Cryptographic Length"].value == 256


@step("get attributes that are not there")
def _get_attributes_absent(f: Fixture) -> None:
    # PyKMIP cannot ask for a vendor's attribute in 2.0.
    absent = "Contact Information" if f.speaks_2 else "x-Product_Version"
    uid, attributes = f.client.get_attributes(_aes(f), [absent])
    assert uid
    assert attributes == []


# From 1.3 on PyKMIP stops at attributes it has no class for: Random Number Generator, Short Unique Identifier.
@step("get all attributes", until=(1, 2))
def _get_all_attributes(f: Fixture) -> None:
    name = _new_name("all")
    uid = _aes(f, name=name)
    values = {a.attribute_name.value: a.attribute_value for a in f.client.get_attributes(uid)[1]}
    assert values["Unique Identifier"].value == uid
    assert values["Name"].name_value.value == name
    assert values["Cryptographic Algorithm"].value == _A.AES
    assert values["Cryptographic Usage Mask"].value == _M.ENCRYPT.value | _M.DECRYPT.value
    assert values["State"].value == enums.State.ACTIVE


@step("get attribute list")
def _get_attribute_list(f: Fixture) -> None:
    names = f.client.get_attribute_list(_aes(f, name=_new_name("list")))
    assert {"Name", "State", "Object Type", "Unique Identifier", "Digest", "Initial Date"} <= set(names)


@step("modify attribute")
def _modify(f: Fixture) -> None:
    name, renamed = _new_name("before"), _new_name("after")
    uid = _aes(f, name=name)
    if f.speaks_2:
        names = {"current_attribute": _current("Name", name), "new_attribute": _new("Name", renamed)}
        assert f.client.modify_attribute(uid, **names)[0] == uid
    else:
        same, attribute = f.client.modify_attribute(uid, attribute=_name_attribute(renamed))
        assert same == uid
        assert attribute.attribute_value.name_value.value == renamed
    assert f.client.locate(attributes=[_name_attribute(renamed)]) == [uid]
    assert f.client.locate(attributes=[_name_attribute(name)]) == []


@step("modify attribute that has one value", since=(2, 0))
def _modify_single(f: Fixture) -> None:
    uid = _created(f, "Activation Date", _FUTURE)
    assert f.client.modify_attribute(uid, new_attribute=_new("Activation Date", _FUTURE + 60))[0] == uid
    assert f.client.get_attributes(uid, ["Activation Date"])[1][0].attribute_value.value == _FUTURE + 60
    other = {"current_attribute": _current("Activation Date", 6), "new_attribute": _new("Activation Date", _FUTURE)}
    _refused("ATTRIBUTE_INSTANCE_NOT_FOUND", lambda: f.client.modify_attribute(uid, **other))


@step("delete attribute")
def _delete(f: Fixture) -> None:
    name = _new_name("deleted")
    uid = _aes(f, name=name)
    if f.speaks_2:
        assert f.client.delete_attribute(uid, current_attribute=_current("Name", name))[0] == uid
    else:
        same, attribute = f.client.delete_attribute(uid, attribute_name="Name", attribute_index=0)
        assert same == uid
        assert attribute.attribute_value.name_value.value == name
    assert f.client.locate(attributes=[_name_attribute(name)]) == []
    assert f.client.get_attributes(uid, ["Name"])[1] == []


@step("set attribute is refused cleanly", until=(1, 4))
def _set_refused(f: Fixture) -> None:
    uid = _aes(f)
    try:
        f.client.set_attribute(uid, attribute_name="Sensitive", attribute_value=True)
    except KmipOperationFailure as error:
        assert error.reason == enums.ResultReason.OPERATION_NOT_SUPPORTED
    except Exception as error:
        # The client itself will not send a 2.0 operation in 1.x.
        assert "SetAttribute" in str(error), error
    assert f.client.get(uid)


@step("set attribute", since=(2, 0))
def _set(f: Fixture) -> None:
    uid = _aes(f)
    assert f.client.set_attribute(uid, attribute_name="Sensitive", attribute_value=True) == uid
    assert f.client.get_attributes(uid, ["Sensitive"])[1][0].attribute_value.value is True
    _refused("SENSITIVE", lambda: f.client.get(uid))


# --- life ---------------------------------------------------------------------------------------


@step("activate, revoke, destroy")
def _life(f: Fixture) -> None:
    uid = _aes(f, active=False)
    assert _state(f, uid) == enums.State.PRE_ACTIVE
    f.client.activate(uid)
    assert _state(f, uid) == enums.State.ACTIVE
    _refused("PERMISSION_DENIED", lambda: f.client.destroy(uid))
    f.client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid)
    assert _state(f, uid) == enums.State.DEACTIVATED
    f.client.destroy(uid)
    assert _state(f, uid) == enums.State.DESTROYED
    _refused("OBJECT_DESTROYED" if f.speaks_2 else "ITEM_NOT_FOUND", lambda: f.client.get(uid))


@step("revoke for a compromise")
def _compromise(f: Fixture) -> None:
    uid = _aes(f)
    f.client.revoke(enums.RevocationReasonCode.KEY_COMPROMISE, uid, "lost", compromise_occurrence_date=6)
    assert _state(f, uid) == enums.State.COMPROMISED
    f.client.destroy(uid)
    assert _state(f, uid) == enums.State.DESTROYED_COMPROMISED


@step("destroy before activation")
def _destroy_pre_active(f: Fixture) -> None:
    uid = _aes(f, active=False)
    f.client.destroy(uid)
    assert uid not in f.client.locate()


def _state(f: Fixture, uid: str) -> Any:
    return f.client.get_attributes(uid, ["State"])[1][0].attribute_value.value


# --- use ----------------------------------------------------------------------------------------


@step("encrypt, decrypt", since=(1, 2))
def _encrypt(f: Fixture) -> None:
    uid = _aes(f)
    data, iv = b"some data to keep secret", os.urandom(16)
    encrypted, _ = f.client.encrypt(data, uid, cryptographic_parameters=_CBC, iv_counter_nonce=iv)
    assert encrypted != data
    assert f.client.decrypt(encrypted, uid, cryptographic_parameters=_CBC, iv_counter_nonce=iv) == data


@step("encrypt with a random IV", since=(1, 2))
def _encrypt_random(f: Fixture) -> None:
    uid = _aes(f)
    encrypted, iv = f.client.encrypt(b"data", uid, cryptographic_parameters={**_CBC, "random_iv": True})
    assert len(iv) == 16
    assert f.client.decrypt(encrypted, uid, cryptographic_parameters=_CBC, iv_counter_nonce=iv) == b"data"


@step("sign, signature verify", since=(1, 2))
def _sign(f: Fixture) -> None:
    public, private = f.client.create_key_pair(
        _A.RSA, 2048, public_usage_mask=[_M.VERIFY], private_usage_mask=[_M.SIGN]
    )
    for uid in (public, private):
        f.client.activate(uid)
    parameters = {
        "padding_method": enums.PaddingMethod.PSS,
        "cryptographic_algorithm": _A.RSA,
        "hashing_algorithm": enums.HashingAlgorithm.SHA_256,
    }
    signature = f.client.sign(b"a contract", private, parameters)
    valid = f.client.signature_verify(b"a contract", signature, public, parameters)
    invalid = f.client.signature_verify(b"another", signature, public, parameters)
    assert valid == enums.ValidityIndicator.VALID
    assert invalid == enums.ValidityIndicator.INVALID


@step("mac", since=(1, 2))
def _mac(f: Fixture) -> None:
    key = os.urandom(32)
    uid = f.client.register(pie.SymmetricKey(_A.HMAC_SHA256, 256, key, [_M.MAC_GENERATE], _new_name("mac")))
    f.client.activate(uid)
    import hmac

    same, computed = f.client.mac(b"data", uid, _A.HMAC_SHA256)
    assert same == uid
    assert computed == hmac.digest(key, b"data", "sha256")


@step("operations of later versions are refused")
def _too_early(f: Fixture) -> None:
    uid = _aes(f)
    if f.version in ("1.0", "1.1"):
        _refused(
            "OPERATION_NOT_SUPPORTED",
            lambda: f.client.encrypt(b"data", uid, cryptographic_parameters=_CBC, iv_counter_nonce=bytes(16)),
        )
    else:
        assert f.client.encrypt(b"data", uid, cryptographic_parameters=_CBC, iv_counter_nonce=bytes(16))


# --- the lower interface ------------------------------------------------------------------------


@step("query")
def _query(f: Fixture) -> None:
    functions = [
        enums.QueryFunction.QUERY_OPERATIONS,
        enums.QueryFunction.QUERY_OBJECTS,
        enums.QueryFunction.QUERY_SERVER_INFORMATION,
        enums.QueryFunction.QUERY_APPLICATION_NAMESPACES,
        enums.QueryFunction.QUERY_EXTENSION_LIST,
        enums.QueryFunction.QUERY_EXTENSION_MAP,
    ]
    result = f.proxy.query(query_functions=functions)
    assert result.result_status.value == enums.ResultStatus.SUCCESS
    assert enums.Operation.GET in result.operations
    assert enums.ObjectType.SYMMETRIC_KEY in result.object_types
    assert result.vendor_identification
    assert (enums.Operation.ENCRYPT in result.operations) == (f.version >= "1.2")


@step("discover versions", since=(1, 1))
def _discover(f: Fixture) -> None:
    result = f.proxy.discover_versions()
    assert result.result_status.value == enums.ResultStatus.SUCCESS
    assert [str(v) for v in result.protocol_versions] == ["2.1", "2.0", "1.4", "1.3", "1.2", "1.1", "1.0"]
    known = [contents.ProtocolVersion(1, 1), contents.ProtocolVersion(9, 9)]
    result = f.proxy.discover_versions(protocol_versions=known)
    assert [str(v) for v in result.protocol_versions] == ["1.1"]


@step("two requests in a batch, without ids", since=(1, 1))
def _batch(f: Fixture) -> None:
    f.proxy.query(batch=True, query_functions=[enums.QueryFunction.QUERY_OPERATIONS])
    result = f.proxy.discover_versions()
    statuses = [each.result_status.value for each in (result if isinstance(result, list) else [result])]
    assert statuses and all(status == enums.ResultStatus.SUCCESS for status in statuses)


@step("rekey key pair", since=(1, 1))
def _rekey_key_pair(f: Fixture) -> None:
    name = _new_name("rotated pair")
    public, private = f.client.create_key_pair(_A.RSA, 2048, private_name=name)
    result = f.proxy.rekey_key_pair(private_key_uuid=attributes.PrivateKeyUniqueIdentifier(private))
    assert result.result_status.value == enums.ResultStatus.SUCCESS
    new_private, new_public = (
        str(getattr(each, "value", each)) for each in (result.private_key_uuid, result.public_key_uuid)
    )
    assert {new_private, new_public}.isdisjoint({private, public})
    assert f.client.locate(attributes=[_name_attribute(name)]) == [new_private]
    loaded = serialization.load_der_private_key(f.client.get(new_private).value, None)
    assert loaded.public_key() == serialization.load_der_public_key(f.client.get(new_public).value)
    # Without an identifier there is no pair, as nothing is in the ID Placeholder; the connection stays of use.
    result = f.proxy.rekey_key_pair(private_key_uuid=None)
    assert result.result_status.value == enums.ResultStatus.OPERATION_FAILED
    assert result.result_reason.value in (enums.ResultReason.ITEM_NOT_FOUND, enums.ResultReason.OBJECT_NOT_FOUND)


@step("a wrong password is refused")
def _wrong_password(f: Fixture) -> None:
    credential = objects.Credential(
        credential_type=enums.CredentialType.USERNAME_AND_PASSWORD,
        credential_value=objects.UsernamePasswordCredential(username="nobody", password="guess"),
    )
    result = f.proxy.get(uuid=_aes(f), credential=credential)
    assert result.result_status.value == enums.ResultStatus.OPERATION_FAILED
    assert result.result_reason.value == enums.ResultReason.AUTHENTICATION_NOT_SUCCESSFUL


# --- two clients --------------------------------------------------------------------------------


@step("another client's objects do not exist")
def _others(f: Fixture) -> None:
    name = _new_name("mine")
    uid = _aes(f, name=name)
    absent = "OBJECT_NOT_FOUND" if f.speaks_2 else "ITEM_NOT_FOUND"
    _refused(absent, lambda: f.other.get(uid))
    _refused(absent, lambda: f.other.get_attributes(uid))
    _refused(absent, lambda: f.other.revoke(enums.RevocationReasonCode.SUPERSEDED, uid))
    _refused(absent, lambda: f.other.destroy(uid))
    assert uid not in f.other.locate()
    assert f.other.locate(attributes=[_name_attribute(name)]) == []
    theirs = f.other.create(_A.AES, 256, name=name, cryptographic_usage_mask=[_M.ENCRYPT])
    assert f.other.locate(attributes=[_name_attribute(name)]) == [theirs]
    assert f.client.locate(attributes=[_name_attribute(name)]) == [uid]


@step("the same name twice is refused")
def _same_name(f: Fixture) -> None:
    name = _new_name("twice")
    _aes(f, name=name)
    _refused("NON_UNIQUE_NAME_ATTRIBUTE" if f.speaks_2 else "INVALID_FIELD", lambda: _aes(f, name=name))


# --- running it ---------------------------------------------------------------------------------


def proxy_client(endpoint: Endpoint, certificate: str, key: str, version: str) -> Any:
    """A ProxyKmipClient with this certificate."""
    return ProxyKmipClient(
        hostname=endpoint.host,
        port=endpoint.port,
        cert=certificate,
        key=key,
        ca=endpoint.ca,
        kmip_version=VERSIONS[version],
    )


def run(endpoint: Endpoint, version: str) -> list[Outcome]:
    """Every step in one version."""
    proxy = KMIPProxy(
        host=endpoint.host,
        port=endpoint.port,
        certfile=endpoint.certificate,
        keyfile=endpoint.key,
        ca_certs=endpoint.ca,
        kmip_version=VERSIONS[version],
    )
    proxy.open()
    try:
        with (
            proxy_client(endpoint, endpoint.certificate, endpoint.key, version) as first,
            proxy_client(endpoint, endpoint.other_certificate, endpoint.other_key, version) as second,
        ):
            fixture = Fixture(version, first, second, proxy)
            return [perform(each, version, fixture) for each in step.steps if each.belongs_to(version)]
    finally:
        proxy.close()
