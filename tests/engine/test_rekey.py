"""Re-key and Re-key Key Pair: what moves, what is copied, what is new, and what is refused. KMIP 1.4 §4.4-4.5."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kmip_server.protocol.attribute_values import (
    ApplicationSpecificInformation,
    CryptographicDomainParameters,
    Link,
    UsageLimits,
)
from kmip_server.protocol.enums import (
    KeyFormatType,
    LinkType,
    ObjectType,
    Operation,
    RecommendedCurve,
    ResultReason,
    RevocationReasonCode,
    State,
    UsageLimitsUnit,
)
from kmip_server.protocol.objects import KeyBlock, PrivateKey, PublicKey, SymmetricKey
from kmip_server.protocol.payloads.attributes import AddAttributeRequest, GetAttributesRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.payloads.rekey import RekeyKeyPairRequest, RekeyRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_0, V1_1, V1_2, V1_4, V2_1, Version
from kmip_server.work.weight import is_slow
from tests.support.engine import Engine, Refused, child, request_message
from tests.support.requests import A, M, attribute, create, create_key_pair, name, revoke, template

R = ResultReason
PAIR = Operation.RE_KEY_KEY_PAIR
REPLACEMENT, REPLACED = LinkType.REPLACEMENT_OBJECT_LINK, LinkType.REPLACED_OBJECT_LINK


def values(engine: Engine, uid: str, tag: Tag, version: Version = V1_4) -> list[Any]:
    request = GetAttributesRequest(unique_identifier=uid, attribute_names=(tag,))
    found = engine.call(Operation.GET_ATTRIBUTES, request, version=version)
    return [each.value for each in found.attributes]


def links(engine: Engine, uid: str) -> dict[LinkType, str]:
    return {each.link_type: each.linked_object_identifier for each in values(engine, uid, Tag.LINK)}


def pair(
    engine: Engine, *common: Any, algorithm: A = A.ECDSA, length: int = 256, **options: Any
) -> tuple[str, str]:
    made = engine.call(Operation.CREATE_KEY_PAIR, create_key_pair(algorithm, length, *common), **options)
    return made.private_key_unique_identifier, made.public_key_unique_identifier


def rekeyed(engine: Engine, private: str, version: Version = V1_4, **options: Any) -> tuple[str, str]:
    request = RekeyKeyPairRequest(private_key_unique_identifier=private, **options)
    made = engine.call(PAIR, request, version=version)
    return made.private_key_unique_identifier, made.public_key_unique_identifier


def refusal(engine: Engine, operation: Operation, request: Any, version: Version = V1_4) -> ResultReason:
    with pytest.raises(Refused) as refused:
        engine.call(operation, request, version=version)
    return refused.value.reason


# --- Re-key Key Pair ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V1_1, V1_4, V2_1])
def test_both_keys_are_replaced_and_linked_both_ways(engine: Engine, version: Version) -> None:
    private, public = pair(engine, version=version)
    new_private, new_public = rekeyed(engine, private, version)
    assert links(engine, private) == {LinkType.PUBLIC_KEY_LINK: public, REPLACEMENT: new_private}
    assert links(engine, public) == {LinkType.PRIVATE_KEY_LINK: private, REPLACEMENT: new_public}
    assert links(engine, new_private) == {LinkType.PUBLIC_KEY_LINK: new_public, REPLACED: private}
    assert links(engine, new_public) == {LinkType.PRIVATE_KEY_LINK: new_private, REPLACED: public}
    for old, new in ((private, new_private), (public, new_public)):
        first = engine.call(Operation.GET, GetRequest(unique_identifier=old), version=version).managed_object
        second = engine.call(Operation.GET, GetRequest(unique_identifier=new), version=version).managed_object
        assert type(first) is type(second)
        assert first.key_block.key_value.key_material != second.key_block.key_value.key_material
        assert first.key_block.key_format_type == second.key_block.key_format_type


def test_names_move_and_the_rest_is_copied(engine: Engine) -> None:
    limits = UsageLimits(usage_limits_total=100, usage_limits_unit=UsageLimitsUnit.BYTE)
    about = ApplicationSpecificInformation(application_namespace="x", application_data="y")
    domain = CryptographicDomainParameters(recommended_curve=RecommendedCurve.SECP256K1)
    given = (
        attribute(Tag.USAGE_LIMITS, limits),
        attribute(Tag.APPLICATION_SPECIFIC_INFORMATION, about),
        attribute(Tag.OBJECT_GROUP, "tapes"),
        attribute(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, domain),
    )
    private, public = pair(engine, *given, algorithm=A.ECDSA)
    for uid, called in ((private, "signer"), (public, "verifier")):
        engine.call(Operation.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=uid, attribute=name(called)))
    before = {uid: values(engine, uid, Tag.DIGEST) for uid in (private, public)}
    engine.clock.advance(100)
    new_private, new_public = rekeyed(engine, private)
    now = engine.clock.now()
    for old, new, called in ((private, new_private, "signer"), (public, new_public, "verifier")):
        located = engine.call(Operation.LOCATE, LocateRequest(attributes=(name(called),)))
        assert located.unique_identifiers == (new,)
        assert values(engine, old, Tag.NAME) == []
        for tag in (
            Tag.CRYPTOGRAPHIC_ALGORITHM,
            Tag.CRYPTOGRAPHIC_LENGTH,
            Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS,
            Tag.CRYPTOGRAPHIC_USAGE_MASK,
            Tag.APPLICATION_SPECIFIC_INFORMATION,
            Tag.OBJECT_GROUP,
        ):
            assert values(engine, new, tag) == values(engine, old, tag), tag
        (told,) = values(engine, new, Tag.USAGE_LIMITS)
        assert (told.usage_limits_total, told.usage_limits_count) == (100, 100)
        for tag in (Tag.INITIAL_DATE, Tag.ORIGINAL_CREATION_DATE, Tag.LAST_CHANGE_DATE):
            assert values(engine, new, tag) == [now], tag
        assert values(engine, old, Tag.INITIAL_DATE) == [now - 100]
        assert values(engine, old, Tag.DIGEST) == before[old]
        assert values(engine, new, Tag.DIGEST) != before[old]


def test_dates_move_by_the_offset(engine: Engine) -> None:
    now = engine.clock.now()
    dates = (attribute(Tag.ACTIVATION_DATE, now - 100), attribute(Tag.DEACTIVATION_DATE, now + 900))
    private, _ = pair(engine, *dates)
    for uid in rekeyed(engine, private, offset=50):
        assert values(engine, uid, Tag.ACTIVATION_DATE) == [now + 50]
        assert values(engine, uid, Tag.DEACTIVATION_DATE) == [now + 1050]
        assert values(engine, uid, Tag.STATE) == [State.PRE_ACTIVE]
    private, _ = pair(engine, *dates)
    for uid in rekeyed(engine, private):
        assert values(engine, uid, Tag.ACTIVATION_DATE) == [now - 100]
        assert values(engine, uid, Tag.STATE) == [State.ACTIVE]


def test_a_compromised_pair_is_replaced_by_one_that_is_not(engine: Engine) -> None:
    private, public = pair(engine, attribute(Tag.ACTIVATION_DATE, engine.clock.now()))
    for uid in (private, public):
        engine.call(Operation.REVOKE, revoke(uid, RevocationReasonCode.KEY_COMPROMISE))
    for uid in rekeyed(engine, private):
        assert values(engine, uid, Tag.STATE) == [State.ACTIVE]
        assert values(engine, uid, Tag.REVOCATION_REASON) == []
        assert values(engine, uid, Tag.COMPROMISE_DATE) == []


def test_the_request_may_say_more(engine: Engine) -> None:
    private, _ = pair(engine)
    new_private, new_public = rekeyed(
        engine,
        private,
        common_template_attribute=template(attribute(Tag.OBJECT_GROUP, "both")),
        private_key_template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.SIGN), name("one")),
        public_key_template_attribute=template(name("other")),
    )
    assert values(engine, new_private, Tag.CRYPTOGRAPHIC_USAGE_MASK) == [M.SIGN]
    assert values(engine, new_public, Tag.CRYPTOGRAPHIC_USAGE_MASK) == [M.VERIFY | M.ENCRYPT]
    assert values(engine, new_private, Tag.NAME)[0].name_value == "one"
    assert values(engine, new_public, Tag.NAME)[0].name_value == "other"
    assert values(engine, new_public, Tag.OBJECT_GROUP) == ["both"]


def test_the_id_placeholder_is_the_new_private_key(engine: Engine) -> None:
    private, _ = pair(engine)
    items = engine.batch(
        V1_4,
        [
            (PAIR, RekeyKeyPairRequest(private_key_unique_identifier=private)),
            (Operation.GET_ATTRIBUTES, GetAttributesRequest(attribute_names=(Tag.OBJECT_TYPE,))),
        ],
    )
    new = child(items[0], Tag.RESPONSE_PAYLOAD, Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER)
    assert child(items[1], Tag.RESPONSE_PAYLOAD, Tag.UNIQUE_IDENTIFIER) == new


def test_a_format_of_2_x_stays_with_the_replacement(engine: Engine) -> None:
    pkcs_8 = template(attribute(Tag.KEY_FORMAT_TYPE, KeyFormatType.PKCS_8))
    request = create_key_pair(A.RSA, 2048)
    wanted = replace(
        request,
        private_key_template_attribute=replace(
            request.private_key_template_attribute,
            attributes=(*request.private_key_template_attribute.attributes, *pkcs_8.attributes),
        ),
    )
    made = engine.call(Operation.CREATE_KEY_PAIR, wanted, version=V2_1)
    new_private, new_public = rekeyed(engine, made.private_key_unique_identifier, V2_1)
    assert values(engine, new_private, Tag.KEY_FORMAT_TYPE, V2_1) == [KeyFormatType.PKCS_8]
    assert values(engine, new_public, Tag.KEY_FORMAT_TYPE, V2_1) == [KeyFormatType.PKCS_1]


def test_nothing_is_left_of_a_rekey_that_fails_half_way(engine: Engine) -> None:
    """The Name of the new public key is taken: neither key is made, and the old ones keep what they have."""
    engine.call(Operation.CREATE, create(name("taken")))
    private, public = pair(engine, attribute(Tag.OBJECT_GROUP, "mine"))
    engine.call(Operation.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=private, attribute=name("kept")))
    request = RekeyKeyPairRequest(
        private_key_unique_identifier=private, public_key_template_attribute=template(name("taken"))
    )
    assert refusal(engine, PAIR, request) == R.INVALID_FIELD
    assert [each.name_value for each in values(engine, private, Tag.NAME)] == ["kept"]
    assert links(engine, private) == {LinkType.PUBLIC_KEY_LINK: public}
    grouped = engine.call(Operation.LOCATE, LocateRequest(attributes=(attribute(Tag.OBJECT_GROUP, "mine"),)))
    assert set(grouped.unique_identifiers) == {private, public}


def hidden_pair(engine: Engine) -> str:
    """A pair whose values the server never got (both keys may come so from 2.0 on)."""
    uids = []
    for kind, object_type in ((PrivateKey, ObjectType.PRIVATE_KEY), (PublicKey, ObjectType.PUBLIC_KEY)):
        block = KeyBlock(
            key_format_type=KeyFormatType.PKCS_8 if kind is PrivateKey else KeyFormatType.X_509,
            cryptographic_algorithm=A.RSA,
            cryptographic_length=2048,
        )
        request = RegisterRequest(
            object_type=object_type,
            template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.SIGN)),
            managed_object=kind(key_block=block),
        )
        uids.append(engine.call(Operation.REGISTER, request, version=V2_1).unique_identifier)
    link = Link(link_type=LinkType.PUBLIC_KEY_LINK, linked_object_identifier=uids[1])
    engine.call(
        Operation.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=uids[0], attribute=attribute(Tag.LINK, link))
    )
    private: str = uids[0]
    return private


def alone(engine: Engine) -> str:
    """A private key without a Link to a public one."""
    private, _ = pair(engine)
    block = engine.call(Operation.GET, GetRequest(unique_identifier=private)).managed_object
    request = RegisterRequest(
        object_type=ObjectType.PRIVATE_KEY,
        template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.SIGN)),
        managed_object=block,
    )
    uid: str = engine.call(Operation.REGISTER, request).unique_identifier
    return uid


def replaced(engine: Engine) -> str:
    private, _ = pair(engine)
    rekeyed(engine, private)
    return private


REFUSED = [
    (lambda e: "absent", {}, R.ITEM_NOT_FOUND, R.OBJECT_NOT_FOUND),
    (lambda e: pair(e)[1], {}, R.PERMISSION_DENIED, R.INVALID_OBJECT_TYPE),
    (alone, {}, R.PERMISSION_DENIED, R.INVALID_OBJECT_TYPE),
    (replaced, {}, R.PERMISSION_DENIED, R.INVALID_OBJECT_TYPE),
    (hidden_pair, {}, R.KEY_VALUE_NOT_PRESENT, R.KEY_VALUE_NOT_PRESENT),
    (
        lambda e: pair(e)[0],
        {"common_template_attribute": template(attribute(Tag.CRYPTOGRAPHIC_LENGTH, 384))},
        R.INVALID_FIELD,
        R.INVALID_FIELD,
    ),
    (
        lambda e: pair(e)[0],
        {"offset": 5, "public_key_template_attribute": template(attribute(Tag.ACTIVATION_DATE, 7))},
        R.INVALID_MESSAGE,
        R.INVALID_MESSAGE,
    ),
    (
        lambda e: pair(e, attribute(Tag.DEACTIVATION_DATE, 1 << 40))[0],
        {"offset": 5},
        R.ILLEGAL_OPERATION,
        None,
    ),
]


@pytest.mark.parametrize(("made", "options", "in_1_4", "in_2_1"), REFUSED)
def test_the_error_table_of_rekey_key_pair(
    engine: Engine, made: Any, options: dict[str, Any], in_1_4: ResultReason, in_2_1: ResultReason | None
) -> None:
    request = RekeyKeyPairRequest(private_key_unique_identifier=made(engine), **options)
    assert refusal(engine, PAIR, request, V1_4) == in_1_4
    if in_2_1 is not None:
        assert refusal(engine, PAIR, request, V2_1) == in_2_1


def test_rekey_key_pair_came_with_1_1(engine: Engine) -> None:
    private, _ = pair(engine)
    message = request_message(V1_0, [(int(PAIR), (Tag.REQUEST_PAYLOAD, 1, []), None)])
    item = next(each for each in engine.exchange(message)[2] if each[0] == Tag.BATCH_ITEM)
    assert child(item, Tag.RESULT_REASON) == R.OPERATION_NOT_SUPPORTED
    assert rekeyed(engine, private, V1_1)


def test_making_a_pair_is_slow_work() -> None:
    for operation, slow in ((Operation.CREATE_KEY_PAIR, True), (PAIR, True), (Operation.RE_KEY, False)):
        message = request_message(V1_4, [(int(operation), (Tag.REQUEST_PAYLOAD, 1, []), None)])
        assert is_slow(message) is slow


# --- Re-key -------------------------------------------------------------------------------------


def test_a_replacement_has_the_one_link_to_what_it_replaces(engine: Engine) -> None:
    """Table 173: "Set to point to the existing key as the replaced key"."""
    other = engine.call(Operation.CREATE, create()).unique_identifier
    link = Link(link_type=LinkType.DERIVATION_BASE_OBJECT_LINK, linked_object_identifier=other)
    old = engine.call(Operation.CREATE, create(attribute(Tag.LINK, link))).unique_identifier
    new = engine.call(Operation.RE_KEY, RekeyRequest(unique_identifier=old)).unique_identifier
    assert links(engine, new) == {REPLACED: old}
    assert links(engine, old) == {LinkType.DERIVATION_BASE_OBJECT_LINK: other, REPLACEMENT: new}


@pytest.mark.parametrize(("version", "reason"), [(V1_0, R.ILLEGAL_OPERATION), (V1_2, R.KEY_VALUE_NOT_PRESENT)])
def test_a_key_without_its_value_is_not_replaced(engine: Engine, version: Version, reason: ResultReason) -> None:
    block = KeyBlock(key_format_type=KeyFormatType.RAW, cryptographic_algorithm=A.AES, cryptographic_length=128)
    request = RegisterRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.ENCRYPT)),
        managed_object=SymmetricKey(key_block=block),
    )
    uid = engine.call(Operation.REGISTER, request, version=V1_2).unique_identifier
    assert refusal(engine, Operation.RE_KEY, RekeyRequest(unique_identifier=uid), version) == reason
