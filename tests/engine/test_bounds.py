"""What one request can ask of the server is bounded: each bound is met exactly, and passed by one is refused."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kmip_server.engine import attribute_rules, locate
from kmip_server.engine.context import Found, Policy
from kmip_server.errors import CodecError, KmipError, ServerLimitExceeded, TooManyInstances
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_set import Attribute, AttributeSet
from kmip_server.protocol.attribute_values import LATEST_DATE, Name, UsageLimits
from kmip_server.protocol.enums import (
    BlockCipherMode,
    CertificateType,
    EncodingOption,
    HashingAlgorithm,
    ItemType,
    KeyFormatType,
    NameType,
    ObjectType,
    Operation,
    PaddingMethod,
    ResultReason,
    UsageLimitsUnit,
    WrappingMethod,
)
from kmip_server.protocol.messages import MalformedMessage, decode_request
from kmip_server.protocol.objects import (
    Certificate,
    EncryptionKeyInformation,
    KeyBlock,
    KeyWrappingSpecification,
    SymmetricKey,
    Template,
)
from kmip_server.protocol.payloads.attributes import AddAttributeRequest, GetAttributesRequest
from kmip_server.protocol.payloads.create import CreateRequest
from kmip_server.protocol.payloads.cryptographic import DecryptRequest, EncryptRequest, SignRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.payloads.rekey import RekeyRequest
from kmip_server.protocol.spellings import TemplateAttribute
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_4, V2_1, Version
from tests.support.engine import SERVED, Engine, Refused, request_message, result_of
from tests.support.requests import (
    A,
    M,
    attribute,
    create,
    create_key_pair,
    custom,
    name,
    parameters,
    register_key,
    template,
)

R = ResultReason
ACTIVE = attribute(Tag.ACTIVATION_DATE, 1)


def refused(engine: Engine, operation: Operation, request: Any, **options: Any) -> ResultReason:
    with pytest.raises(Refused) as caught:
        engine.call(operation, request, **options)
    return caught.value.reason


def made(engine: Engine, *attributes: Attribute, **options: Any) -> str:
    uid: str = engine.call(Operation.CREATE, create(*attributes, **options)).unique_identifier
    return uid


def attribute_of(engine: Engine, uid: str, tag: Tag) -> Any:
    request = GetAttributesRequest(unique_identifier=uid, attribute_names=(tag,))
    (only,) = engine.call(Operation.GET_ATTRIBUTES, request).attributes
    return only.value


# --- private keys -------------------------------------------------------------------------------


def test_a_key_pair_signs_without_being_validated(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = engine.call(Operation.CREATE_KEY_PAIR, create_key_pair(A.RSA, 2048, ACTIVE))
    load, skipped = serialization.load_der_private_key, []

    def loading(data: bytes, password: None, *, unsafe_skip_rsa_key_validation: bool = False) -> Any:
        skipped.append(unsafe_skip_rsa_key_validation)
        return load(data, password, unsafe_skip_rsa_key_validation=unsafe_skip_rsa_key_validation)

    monkeypatch.setattr(serialization, "load_der_private_key", loading)
    request = SignRequest(
        unique_identifier=pair.private_key_unique_identifier,
        cryptographic_parameters=parameters(
            padding_method=PaddingMethod.PKCS1_V1_5, hashing_algorithm=HashingAlgorithm.SHA_256
        ),
        data=b"x",
    )
    engine.call(Operation.SIGN, request)
    assert skipped
    assert all(skipped)


# --- Random IV ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [2**31 - 8, 128 * 8 + 8, 7 * 8, 0, -8])
def test_an_iv_length_is_checked_before_the_iv_is_made(
    engine: Engine, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = made(engine, ACTIVE)
    monkeypatch.setattr(engine.keystore, "random", lambda length: pytest.fail(f"{length} bytes were made"))
    request = EncryptRequest(
        unique_identifier=uid,
        cryptographic_parameters=parameters(block_cipher_mode=BlockCipherMode.GCM, random_iv=True, iv_length=bits),
        data=b"x",
    )
    assert refused(engine, Operation.ENCRYPT, request, version=V2_1) == R.BAD_CRYPTOGRAPHIC_PARAMETERS


# --- Templates ----------------------------------------------------------------------------------


def named(*names: str) -> CreateRequest:
    said = tuple(Name(name_value=each, name_type=NameType.UNINTERPRETED_TEXT_STRING) for each in names)
    given = create().template_attribute
    return CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        template_attribute=TemplateAttribute(names=said, attributes=given.attributes),
    )


def register_template(engine: Engine, title: str, *attributes: Attribute) -> str:
    request = RegisterRequest(
        object_type=ObjectType.TEMPLATE,
        template_attribute=template(name(title)),
        managed_object=Template(attributes=attributes),
    )
    uid: str = engine.call(Operation.REGISTER, request).unique_identifier
    return uid


def test_templates_that_one_item_names(engine: Engine) -> None:
    register_template(engine, "T", custom("x-a", "b"))
    engine.call(Operation.CREATE, named(*["T"] * attribute_rules.MAX_TEMPLATES))
    too_many = named(*["T"] * (attribute_rules.MAX_TEMPLATES + 1))
    assert refused(engine, Operation.CREATE, too_many, version=V1_4) == R.GENERAL_FAILURE


def test_a_template_is_unsealed_once_for_a_message(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = register_template(engine, "T", custom("x-a", "b"))
    opened: list[str] = []
    material = Found.material

    def counting(found: Found) -> Any:
        opened.append(found.unique_identifier)
        return material(found)

    monkeypatch.setattr(Found, "material", counting)
    items = engine.batch(V1_4, [(Operation.CREATE, named("T", "T"))] * 5)
    assert all(result_of(item, V1_4).unique_identifier for item in items)
    assert opened == [uid]


def test_the_count_of_usage_limits_is_the_servers(engine: Engine) -> None:
    limits = UsageLimits(usage_limits_total=1, usage_limits_count=10**9, usage_limits_unit=UsageLimitsUnit.OBJECT)
    uid = register_template(engine, "UL", attribute(Tag.USAGE_LIMITS, limits))
    kept = engine.call(Operation.GET, GetRequest(unique_identifier=uid)).managed_object.attributes
    assert [each.value.usage_limits_count for each in kept] == [1]
    key = engine.call(Operation.CREATE, named("UL")).unique_identifier
    assert attribute_of(engine, key, Tag.USAGE_LIMITS).usage_limits_count == 1


def test_the_count_that_an_older_template_keeps_is_not_inherited(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = UsageLimits(usage_limits_total=1, usage_limits_count=10**9, usage_limits_unit=UsageLimitsUnit.OBJECT)
    register_template(engine, "UL")
    older = Template(attributes=(attribute(Tag.USAGE_LIMITS, limits, 0),))
    monkeypatch.setattr(Found, "material", lambda _: older)
    key = engine.call(Operation.CREATE, named("UL")).unique_identifier
    assert attribute_of(engine, key, Tag.USAGE_LIMITS).usage_limits_count == 1


# --- attributes ---------------------------------------------------------------------------------


def numbered(count: int) -> list[Attribute]:
    return [custom(f"x-{number}", number, ItemType.INTEGER) for number in range(count)]


def adding(uid: str, number: int) -> AddAttributeRequest:
    return AddAttributeRequest(unique_identifier=uid, attribute=custom(f"x-more-{number}", "y"))


def test_attributes_of_one_object(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Policy(served=SERVED, max_attributes=40))
    uid = made(engine, *numbered(10))
    stored = engine.reader.find(uid)
    assert stored is not None
    for number in range(40 - sum(1 for _ in stored.attributes)):
        engine.call(Operation.ADD_ATTRIBUTE, adding(uid, number))
    assert refused(engine, Operation.ADD_ATTRIBUTE, adding(uid, 40), version=V2_1) == R.SERVER_LIMIT_EXCEEDED
    assert refused(engine, Operation.CREATE, create(*numbered(38))) == R.GENERAL_FAILURE
    with pytest.raises(Refused):
        register_template(engine, "T", *numbered(41))
    engine.close()


def test_bytes_of_attributes_of_one_object(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Policy(served=SERVED, max_attribute_bytes=10_000))
    uid = made(engine, custom("x-a", "a" * 5_000))
    request = AddAttributeRequest(unique_identifier=uid, attribute=custom("x-b", "b" * 5_000))
    assert refused(engine, Operation.ADD_ATTRIBUTE, request, version=V2_1) == R.SERVER_LIMIT_EXCEEDED
    assert refused(engine, Operation.CREATE, create(custom("x-a", "a" * 10_000))) == R.GENERAL_FAILURE
    engine.close()


@pytest.mark.parametrize("index", [attribute_rules.MAX_GIVEN_INDEX, 2**31 - 1, -1])
def test_an_attribute_index_leaves_room_to_count_on(engine: Engine, index: int) -> None:
    value = name("a").value
    assert refused(engine, Operation.CREATE, create(attribute(Tag.NAME, value, index))) in (
        R.INVALID_FIELD,
        R.INVALID_ATTRIBUTE_VALUE,
    )
    uid = made(engine, attribute(Tag.NAME, value, attribute_rules.MAX_GIVEN_INDEX - 1))
    added = engine.call(Operation.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=uid, attribute=name("b")))
    assert added.attribute.index == attribute_rules.MAX_GIVEN_INDEX


def test_no_index_is_larger_than_an_integer() -> None:
    last = AttributeSet([attribute(Tag.OBJECT_GROUP, "a", 2**31 - 1)])
    with pytest.raises(TooManyInstances):
        last.adding(Tag.OBJECT_GROUP, "b")


# --- Locate -------------------------------------------------------------------------------------


def test_conditions_of_one_locate(engine: Engine) -> None:
    uid = made(engine)
    said = attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.ENCRYPT)
    request = LocateRequest(attributes=(said,) * locate.MAX_CONDITIONS)
    assert engine.call(Operation.LOCATE, request).unique_identifiers == (uid,)
    assert len(locate.conditions_of(request.attributes)) == 1
    request = LocateRequest(attributes=(said,) * (locate.MAX_CONDITIONS + 1))
    assert refused(engine, Operation.LOCATE, request, version=V2_1) == R.SERVER_LIMIT_EXCEEDED


def test_objects_that_one_message_looks_at(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Policy(served=SERVED, max_examined=10))
    for _ in range(4):
        made(engine, name(f"n{_}"))
    everything, one = LocateRequest(), LocateRequest(attributes=(name("n1"),))
    items = engine.batch(V2_1, [(Operation.LOCATE, one)] * 2 + [(Operation.LOCATE, everything)] * 2)
    assert [len(result_of(item, V2_1).unique_identifiers) for item in items] == [1, 1, 4, 4]
    items = engine.batch(V2_1, [(Operation.LOCATE, everything)] * 3)
    with pytest.raises(Refused) as caught:
        result_of(items[2], V2_1)
    assert caught.value.reason == R.SERVER_LIMIT_EXCEEDED
    assert "name more attributes" in caught.value.message
    engine.close()


# --- dates --------------------------------------------------------------------------------------


def test_an_offset_moves_no_date_out_of_time(engine: Engine) -> None:
    uid = made(engine, ACTIVE, attribute(Tag.DEACTIVATION_DATE, LATEST_DATE))
    for offset in (0, 2**31):
        request = RekeyRequest(unique_identifier=uid, offset=offset)
        assert refused(engine, Operation.RE_KEY, request) == R.INVALID_FIELD
    ends = engine.clock.now() + 10
    uid = made(engine, attribute(Tag.ACTIVATION_DATE, ends - 20), attribute(Tag.DEACTIVATION_DATE, ends))
    new = engine.call(Operation.RE_KEY, RekeyRequest(unique_identifier=uid, offset=0)).unique_identifier
    assert attribute_of(engine, new, Tag.DEACTIVATION_DATE) == engine.clock.now() + 20


# --- tags ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [BlockCipherMode.GCM, BlockCipherMode.CCM])
def test_a_short_tag_is_taken_only_where_its_length_is_said(engine: Engine, mode: BlockCipherMode) -> None:
    iv, plain = bytes(12), b"secret"
    usual = parameters(block_cipher_mode=mode)
    short = parameters(block_cipher_mode=mode, tag_length=8)
    uid = made(engine, ACTIVE)
    of_key = made(engine, ACTIVE, attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, short))

    def encrypted(key: str, how: Any) -> Any:
        request = EncryptRequest(
            unique_identifier=key, cryptographic_parameters=how, data=plain, iv_counter_nonce=iv
        )
        return engine.call(Operation.ENCRYPT, request)

    def decrypt(key: str, how: Any, data: bytes, tag: bytes) -> DecryptRequest:
        return DecryptRequest(
            unique_identifier=key,
            cryptographic_parameters=how,
            data=data,
            iv_counter_nonce=iv,
            authenticated_encryption_tag=tag,
        )

    whole = encrypted(uid, usual)
    tag = whole.authenticated_encryption_tag
    assert engine.call(Operation.DECRYPT, decrypt(uid, usual, whole.data, tag)).data == plain
    assert len(tag) == 16
    cut = encrypted(uid, short)
    tag = cut.authenticated_encryption_tag
    assert len(tag) == 8
    assert engine.call(Operation.DECRYPT, decrypt(uid, short, cut.data, tag)).data == plain
    request = decrypt(uid, usual, cut.data, tag)
    assert refused(engine, Operation.DECRYPT, request, version=V2_1) == R.CRYPTOGRAPHIC_FAILURE
    own = encrypted(of_key, None)
    tag = own.authenticated_encryption_tag
    assert engine.call(Operation.DECRYPT, decrypt(of_key, None, own.data, tag)).data == plain


# --- the wrapping key ---------------------------------------------------------------------------


@pytest.mark.parametrize("ended", ["stopped", "spent"])
def test_a_key_that_protects_no_more_does_not_wrap(engine: Engine, ended: str) -> None:
    now = engine.clock.now()
    spent = UsageLimits(usage_limits_total=31, usage_limits_unit=UsageLimitsUnit.BYTE)
    ends = {
        "stopped": attribute(Tag.PROTECT_STOP_DATE, now - 10),
        "spent": attribute(Tag.USAGE_LIMITS, spent),
    }
    wrapping = made(engine, ACTIVE, ends[ended])
    fresh, uid = made(engine, ACTIVE), made(engine)

    def request(key: str) -> GetRequest:
        wanted = KeyWrappingSpecification(
            wrapping_method=WrappingMethod.ENCRYPT,
            encryption_key_information=EncryptionKeyInformation(unique_identifier=key),
            encoding_option=EncodingOption.NO_ENCODING,
        )
        return GetRequest(unique_identifier=uid, key_wrapping_specification=wanted)

    assert engine.call(Operation.GET, request(fresh)).managed_object
    with pytest.raises(Refused):
        engine.call(Operation.GET, request(wrapping))
    if ended == "spent":
        # What was refused is not counted.
        assert attribute_of(engine, wrapping, Tag.USAGE_LIMITS).usage_limits_count == 31


# --- what has no value, and what nobody reads ---------------------------------------------------


def test_a_key_without_its_value_is_not_answered_empty(engine: Engine) -> None:
    block = KeyBlock(key_format_type=KeyFormatType.RAW, cryptographic_algorithm=A.AES, cryptographic_length=256)
    request = RegisterRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        template_attribute=register_key(bytes(32)).template_attribute,
        managed_object=SymmetricKey(key_block=block),
    )
    uid = engine.call(Operation.REGISTER, request).unique_identifier
    assert (
        refused(engine, Operation.GET, GetRequest(unique_identifier=uid), version=V2_1) == R.KEY_VALUE_NOT_PRESENT
    )
    assert attribute_of(engine, uid, Tag.KEY_VALUE_PRESENT) is False


def test_a_certificate_with_an_edi_party_name_is_kept(engine: Engine) -> None:
    """RFC 5280 section 4.2.1.6: ediPartyName [5], here with the partyName [1] "x"."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "host")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    names = bytes.fromhex("3007a505a1030c0178")
    certificate = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=subject, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
        .add_extension(x509.UnrecognizedExtension(x509.OID_SUBJECT_ALTERNATIVE_NAME, names), critical=False)
        .sign(key, hashes.SHA256())
    )
    request = RegisterRequest(
        object_type=ObjectType.CERTIFICATE,
        template_attribute=template(),
        managed_object=Certificate(
            certificate_type=CertificateType.X_509,
            certificate_value=certificate.public_bytes(serialization.Encoding.DER),
        ),
    )
    uid = engine.call(Operation.REGISTER, request).unique_identifier
    told = attribute_of(engine, uid, Tag.X_509_CERTIFICATE_SUBJECT)
    assert told.subject_alternative_names == ()


# --- batch items --------------------------------------------------------------------------------

MOST_ITEMS = 1000


def ping(items: int) -> bytes:
    payload = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [])
    return request_message(V2_1, [(int(Operation.PING), payload, None)] * items)


def refused_items(data: bytes) -> tuple[Version, type[KmipError]]:
    with pytest.raises(MalformedMessage) as refusal:
        decode_request(data, SERVED, MOST_ITEMS)
    return refusal.value.version, type(refusal.value.error)


def test_batch_items_are_bounded() -> None:
    assert len(decode_request(ping(MOST_ITEMS), SERVED, MOST_ITEMS).batch_items) == MOST_ITEMS
    assert refused_items(ping(MOST_ITEMS + 1)) == (V2_1, ServerLimitExceeded)


def test_too_many_batch_items_are_refused_unseen() -> None:
    """What follows the header is not even TTLV: nobody has looked."""
    whole = ping(MOST_ITEMS + 1)
    header = whole.index(ttlv.encode((Tag.BATCH_COUNT, ttlv.INTEGER, MOST_ITEMS + 1))) + 16
    assert refused_items(whole[:header] + b"\xff" * (len(whole) - header)) == (V2_1, ServerLimitExceeded)


def test_a_batch_count_that_is_too_small_hides_nothing() -> None:
    whole = ping(MOST_ITEMS + 1)
    said = ttlv.encode((Tag.BATCH_COUNT, ttlv.INTEGER, MOST_ITEMS + 1))
    one = ttlv.encode((Tag.BATCH_COUNT, ttlv.INTEGER, 1))
    assert refused_items(whole.replace(said, one)) == (V2_1, CodecError)
