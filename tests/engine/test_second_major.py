"""What 2.x says differently: references within a batch, ephemeral items, defaults, storage, destroyed objects."""

from __future__ import annotations

from typing import Any

import pytest

from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import Link, ProtectionStorageMasks, UsageLimits
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    AsynchronousIndicator,
    BatchErrorContinuationOption,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DataEnumeration,
    HashingAlgorithm,
    LinkType,
    ObjectType,
    Operation,
    PaddingMethod,
    ProtectionLevel,
    ProtectionStorageMask,
    QueryFunction,
    ResultReason,
    ResultStatus,
    StorageStatusMask,
    UsageLimitsUnit,
)
from kmip_server.protocol.enums import UniqueIdentifierEnumeration as Named
from kmip_server.protocol.payloads.attributes import AddAttributeRequest, GetAttributesRequest
from kmip_server.protocol.payloads.check import CheckRequest
from kmip_server.protocol.payloads.create import CreateKeyPairRequest, CreateRequest
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    EncryptRequest,
    HashRequest,
    RNGRetrieveRequest,
)
from kmip_server.protocol.payloads.discovery import QueryRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.schema import NthData, NthIdentifier
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_4, V2_0, V2_1, Version
from tests.support.engine import Engine, Refused, child, children, request_message, result_of
from tests.support.requests import attribute, create, create_key_pair, name, parameters, template

A, M, Op = CryptographicAlgorithm, CryptographicUsageMask, Operation
GIVEN = EncryptRequest(
    unique_identifier=Named.CREATE,
    cryptographic_parameters=parameters(
        block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5, random_iv=True
    ),
    data=b"in the batch",
)
ACTIVE = attribute(Tag.ACTIVATION_DATE, 0)


def outcome(engine: Engine, requests: list[tuple[Operation, Any]], version: Version = V2_1) -> list[Any]:
    """The typed answers of a batch, or what they were refused for."""
    found: list[Any] = []
    for item in engine.batch(version, requests, option=BatchErrorContinuationOption.CONTINUE):
        try:
            found.append(result_of(item, version))
        except Refused as refused:
            found.append(refused.reason)
    return found


# --- references ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference", [Named.ID_PLACEHOLDER, Named.CREATE, NthIdentifier(1), NthIdentifier(-1)], ids=str
)
def test_an_item_names_what_an_earlier_one_made(engine: Engine, reference: Any) -> None:
    first, second, got = outcome(
        engine,
        [(Op.CREATE, create()), (Op.CREATE, create()), (Op.GET, GetRequest(unique_identifier=reference))],
    )
    assert got.unique_identifier == second.unique_identifier != first.unique_identifier


def test_identifiers_are_counted_over_the_whole_response(engine: Engine) -> None:
    pair = create_key_pair(A.EC, 256)
    answers = outcome(
        engine,
        [
            (Op.CREATE_KEY_PAIR, pair),
            (Op.CREATE, create()),
            (Op.GET, GetRequest(unique_identifier=NthIdentifier(0))),
            (Op.GET, GetRequest(unique_identifier=NthIdentifier(1))),
            (Op.GET, GetRequest(unique_identifier=NthIdentifier(-3))),
            (Op.GET, GetRequest(unique_identifier=Named.CREATE_KEY_PAIR_PUBLIC_KEY)),
            (Op.GET, GetRequest(unique_identifier=Named.CREATE_KEY_PAIR_PRIVATE_KEY)),
        ],
    )
    private, public = answers[0].private_key_unique_identifier, answers[0].public_key_unique_identifier
    assert [each.unique_identifier for each in answers[2:]] == [
        private,
        public,
        answers[1].unique_identifier,
        public,
        private,
    ]


@pytest.mark.parametrize("reference", [Named.REGISTER, NthIdentifier(1), NthIdentifier(-2), Named.ID_PLACEHOLDER])
def test_a_reference_to_nothing_is_refused(engine: Engine, reference: Any) -> None:
    asks = (Op.GET, GetRequest(unique_identifier=reference))
    requests = [asks] if reference is Named.ID_PLACEHOLDER else [(Op.CREATE, create()), asks]
    assert outcome(engine, requests)[-1] == ResultReason.OBJECT_NOT_FOUND


def test_a_reference_to_several_objects_is_refused(engine: Engine) -> None:
    answers = outcome(
        engine,
        [
            (Op.CREATE_KEY_PAIR, create_key_pair(A.EC, 256)),
            (Op.GET, GetRequest(unique_identifier=Named.CREATE_KEY_PAIR)),
        ],
    )
    assert answers[1] == ResultReason.INVALID_FIELD


def test_a_failed_item_answers_nothing_to_refer_to(engine: Engine) -> None:
    weak = create(algorithm=A.TRIPLE_DES, length=168)
    requests = [(Op.CREATE, create()), (Op.CREATE, weak), (Op.GET, GetRequest(unique_identifier=NthIdentifier(1)))]
    first, refused, absent = outcome(engine, requests)
    assert first.unique_identifier
    assert isinstance(refused, ResultReason)
    assert absent == ResultReason.OBJECT_NOT_FOUND


def test_1_x_knows_no_references(engine: Engine) -> None:
    number = (Tag.UNIQUE_IDENTIFIER, ttlv.INTEGER, 0)
    payload = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [number])
    response = engine.exchange(request_message(V1_4, [(int(Op.GET), payload, None)]))
    assert child(response, Tag.BATCH_ITEM, Tag.RESULT_STATUS) == ResultStatus.OPERATION_FAILED


def test_a_link_to_an_earlier_item_is_kept_as_its_identifier(engine: Engine) -> None:
    link = attribute(Tag.LINK, Link(link_type=LinkType.PARENT_LINK, linked_object_identifier=NthIdentifier(0)))
    parent, made, got = outcome(
        engine,
        [(Op.CREATE, create()), (Op.CREATE, create(link)), (Op.GET_ATTRIBUTES, GetAttributesRequest())],
    )
    (kept,) = [each.value for each in got.attributes if each.key == Tag.LINK]
    assert kept.linked_object_identifier == parent.unique_identifier != made.unique_identifier


@pytest.mark.parametrize("reference", [DataEnumeration.ENCRYPT, NthData(0), NthData(-1)], ids=str)
def test_data_goes_from_item_to_item(engine: Engine, reference: Any) -> None:
    digest = HashRequest(
        cryptographic_parameters=parameters(hashing_algorithm=HashingAlgorithm.SHA_256), data=reference
    )
    _, encrypted, hashed = outcome(engine, [(Op.CREATE, create(ACTIVE)), (Op.ENCRYPT, GIVEN), (Op.HASH, digest)])
    again = engine.call(
        Op.HASH,
        HashRequest(
            cryptographic_parameters=parameters(hashing_algorithm=HashingAlgorithm.SHA_256), data=encrypted.data
        ),
        version=V2_1,
    )
    assert hashed.data == again.data


def test_a_reference_to_data_nobody_put_out_is_refused(engine: Engine) -> None:
    digest = HashRequest(
        cryptographic_parameters=parameters(hashing_algorithm=HashingAlgorithm.SHA_256),
        data=DataEnumeration.DECRYPT,  # type: ignore[arg-type]
    )
    assert outcome(engine, [(Op.CREATE, create()), (Op.HASH, digest)])[1] == ResultReason.INVALID_FIELD


def test_an_ephemeral_item_keeps_its_data_for_the_batch(engine: Engine) -> None:
    def item(operation: Operation, request: Any, ephemeral: bool = False) -> Any:
        fields = [(Tag.OPERATION, ttlv.ENUMERATION, int(operation))]
        if ephemeral:
            fields.append((Tag.EPHEMERAL, ttlv.BOOLEAN, True))
        return (Tag.BATCH_ITEM, ttlv.STRUCTURE, [*fields, encode_structure(request, V2_1)])

    numbers = [(Tag.PROTOCOL_VERSION_MAJOR, ttlv.INTEGER, 2), (Tag.PROTOCOL_VERSION_MINOR, ttlv.INTEGER, 1)]
    header = [(Tag.PROTOCOL_VERSION, ttlv.STRUCTURE, numbers), (Tag.BATCH_COUNT, ttlv.INTEGER, 2)]
    digest = HashRequest(
        cryptographic_parameters=parameters(hashing_algorithm=HashingAlgorithm.SHA_256),
        data=DataEnumeration.RNG_RETRIEVE,  # type: ignore[arg-type]
    )
    message = ttlv.encode(
        (
            Tag.REQUEST_MESSAGE,
            ttlv.STRUCTURE,
            [
                (Tag.REQUEST_HEADER, ttlv.STRUCTURE, header),
                item(Op.RNG_RETRIEVE, RNGRetrieveRequest(data_length=16), ephemeral=True),
                item(Op.HASH, digest),
            ],
        )
    )
    drawn, hashed = children(engine.exchange(message), Tag.BATCH_ITEM)
    assert child(drawn, Tag.RESULT_STATUS) == child(hashed, Tag.RESULT_STATUS) == ResultStatus.SUCCESS
    assert child(drawn, Tag.RESPONSE_PAYLOAD) == []
    assert len(child(hashed, Tag.RESPONSE_PAYLOAD, Tag.DATA)) == 32


# --- what is undone -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V1_4, V2_1], ids=str)
def test_what_is_undone_gives_nothing_away(engine: Engine, version: Version) -> None:
    """Else a limit that is debited and given back with the rest could be used again and again."""
    limits = UsageLimits(usage_limits_total=100, usage_limits_unit=UsageLimitsUnit.BYTE)
    key = engine.call(Op.CREATE, create(ACTIVE, attribute(Tag.USAGE_LIMITS, limits))).unique_identifier
    requests = [
        (Op.ENCRYPT, EncryptRequest(**{**fields(GIVEN), "unique_identifier": key})),
        (Op.GET, GetRequest(unique_identifier=key)),
        (Op.GET, GetRequest(unique_identifier="absent")),
    ]
    items = engine.batch(version, requests, option=BatchErrorContinuationOption.UNDO)
    assert child(items[0], Tag.RESULT_STATUS) == ResultStatus.OPERATION_UNDONE
    assert [each[0] for each in child(items[0], Tag.RESPONSE_PAYLOAD)] == [Tag.UNIQUE_IDENTIFIER]
    assert [each[0] for each in child(items[1], Tag.RESPONSE_PAYLOAD)] == [Tag.OBJECT_TYPE, Tag.UNIQUE_IDENTIFIER]
    left = engine.call(Op.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=key)).attributes
    assert next(each.value.usage_limits_count for each in left if each.key == Tag.USAGE_LIMITS) == 100


@pytest.mark.parametrize("version", [V1_4, V2_0, V2_1], ids=str)
def test_a_check_that_fails_names_the_fields_in_1_x_alone(engine: Engine, version: Version) -> None:
    """In 2.x a failed item need have no Response Payload (KMIP 2.1 §8.6)."""
    key = engine.call(Op.CREATE, create(mask=M.ENCRYPT)).unique_identifier
    with pytest.raises(Refused) as refused:
        engine.call(Op.CHECK, CheckRequest(unique_identifier=key, cryptographic_usage_mask=M.SIGN), version=version)
    at_fault = (Tag.CRYPTOGRAPHIC_USAGE_MASK, ttlv.INTEGER, int(M.SIGN))
    payload = refused.value.payload
    assert payload == ((Tag.RESPONSE_PAYLOAD, ttlv.STRUCTURE, [at_fault]) if version == V1_4 else None)


def fields(request: Any) -> dict[str, Any]:
    return {each: getattr(request, each) for each in request.__slots__}


# --- defaults -----------------------------------------------------------------------------------


def shown(engine: Engine, unique_identifier: str) -> dict[Any, Any]:
    answer = engine.call(Op.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=unique_identifier), version=V2_1)
    return {each.key: each.value for each in answer.attributes}


@pytest.mark.parametrize("version", [V2_0, V2_1], ids=str)
def test_create_makes_what_query_says_it_makes(engine: Engine, version: Version) -> None:
    asked = QueryRequest(query_functions=(QueryFunction.QUERY_DEFAULTS_INFORMATION,))
    information = engine.call(Op.QUERY, asked, version=version).defaults_information
    promised = {each.object_type: {a.key: a.value for a in each.attributes} for each in information.object_defaults}
    for object_type in (ObjectType.SYMMETRIC_KEY, ObjectType.SECRET_DATA):
        request = CreateRequest(object_type=object_type, template_attribute=template())
        made = engine.call(Op.CREATE, request, version=version)
        seen = shown(engine, made.unique_identifier)
        assert promised[object_type].items() <= seen.items()
    pair = engine.call(Op.CREATE_KEY_PAIR, CreateKeyPairRequest(), version=version)
    private = shown(engine, pair.private_key_unique_identifier)
    public = shown(engine, pair.public_key_unique_identifier)
    assert promised[ObjectType.PRIVATE_KEY].items() <= private.items()
    assert promised[ObjectType.PUBLIC_KEY].items() <= public.items()


def test_a_default_goes_with_its_algorithm(engine: Engine) -> None:
    made = engine.call(Op.CREATE, create(algorithm=A.HMAC_SHA256, length=None, mask=None), version=V2_1)
    seen = shown(engine, made.unique_identifier)
    assert seen[Tag.CRYPTOGRAPHIC_USAGE_MASK] == M.MAC_GENERATE | M.MAC_VERIFY
    assert seen[Tag.CRYPTOGRAPHIC_LENGTH] == 256


def test_1_x_has_no_defaults(engine: Engine) -> None:
    with pytest.raises(Refused):
        engine.call(Op.CREATE, create(mask=None), version=V1_4)
    with pytest.raises(Refused):
        engine.call(
            Op.CREATE,
            CreateRequest(object_type=ObjectType.SECRET_DATA, template_attribute=template()),
            version=V1_4,
        )


@pytest.mark.parametrize("length", [0, 7, -8, 1 << 30])
def test_a_secret_has_whole_bytes_and_a_bound(engine: Engine, length: int) -> None:
    request = CreateRequest(
        object_type=ObjectType.SECRET_DATA, template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_LENGTH, length))
    )
    with pytest.raises(Refused) as refused:
        engine.call(Op.CREATE, request, version=V2_1)
    assert refused.value.reason == ResultReason.INVALID_ATTRIBUTE_VALUE


# --- storage, safety, asynchrony ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("masks", "served"),
    [
        ((), True),
        ((ProtectionStorageMask.SOFTWARE,), True),
        ((ProtectionStorageMask.HARDWARE, ProtectionStorageMask.SOFTWARE), True),
        ((ProtectionStorageMask.HARDWARE,), False),
        ((ProtectionStorageMask.SOFTWARE | ProtectionStorageMask.VALIDATED,), False),
        ((ProtectionStorageMask(0),), False),
    ],
)
def test_one_mask_must_be_served_with_all_its_bits(engine: Engine, masks: Any, served: bool) -> None:
    request = CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        template_attribute=template(),
        protection_storage_masks=ProtectionStorageMasks(masks=masks),
    )
    if served:
        made = engine.call(Op.CREATE, request, version=V2_1)
        assert shown(engine, made.unique_identifier)[Tag.PROTECTION_STORAGE_MASK] == ProtectionStorageMask.SOFTWARE
        return
    with pytest.raises(Refused) as refused:
        engine.call(Op.CREATE, request, version=V2_1)
    assert refused.value.reason == ResultReason.PROTECTION_STORAGE_UNAVAILABLE


@pytest.mark.parametrize(
    ("length", "level", "safe"),
    [
        (256, ProtectionLevel.HIGH, True),
        (128, ProtectionLevel.HIGH, False),
        (128, ProtectionLevel.LOW, True),
        (128, None, False),
        (256, None, True),
    ],
)
def test_quantum_safe_is_held_to(engine: Engine, length: int, level: ProtectionLevel | None, safe: bool) -> None:
    wanted = [attribute(Tag.QUANTUM_SAFE, True)]
    if level is not None:
        wanted.append(attribute(Tag.PROTECTION_LEVEL, level))
    if safe:
        made = engine.call(Op.CREATE, create(*wanted, length=length), version=V2_1)
        assert shown(engine, made.unique_identifier)[Tag.QUANTUM_SAFE] is True
        return
    with pytest.raises(Refused) as refused:
        engine.call(Op.CREATE, create(*wanted, length=length), version=V2_1)
    assert refused.value.reason == ResultReason.GENERAL_FAILURE
    # Nor can it be claimed afterwards.
    made = engine.call(Op.CREATE, create(*wanted[1:], length=length), version=V2_1)
    claim = AddAttributeRequest(unique_identifier=made.unique_identifier, attribute=wanted[0])
    with pytest.raises(Refused):
        engine.call(Op.ADD_ATTRIBUTE, claim, version=V2_1)


def test_key_pairs_are_not_quantum_safe(engine: Engine) -> None:
    with pytest.raises(Refused):
        engine.call(Op.CREATE_KEY_PAIR, create_key_pair(A.EC, 256, attribute(Tag.QUANTUM_SAFE, True)), version=V2_1)


@pytest.mark.parametrize("indicator", list(AsynchronousIndicator))
def test_an_asynchronous_answer_cannot_be_demanded(engine: Engine, indicator: AsynchronousIndicator) -> None:
    header = [(Tag.ASYNCHRONOUS_INDICATOR, ttlv.ENUMERATION, int(indicator))]
    item = (int(Op.QUERY), encode_structure(QueryRequest(), V2_1), None)
    response = engine.exchange(request_message(V2_1, [item], header=header))
    refused = indicator == AsynchronousIndicator.MANDATORY
    expected = ResultStatus.OPERATION_FAILED if refused else ResultStatus.SUCCESS
    assert child(response, Tag.BATCH_ITEM, Tag.RESULT_STATUS) == expected


def test_destroyed_objects_are_located_where_their_storage_is_asked_for(engine: Engine) -> None:
    made = engine.call(Op.CREATE, create(name("gone"))).unique_identifier
    engine.call(Op.DESTROY, DestroyRequest(unique_identifier=made))
    for mask, expected in (
        (None, ()),
        (StorageStatusMask.ON_LINE_STORAGE, ()),
        (StorageStatusMask.DESTROYED_STORAGE, (made,)),
        (StorageStatusMask.ON_LINE_STORAGE | StorageStatusMask.DESTROYED_STORAGE, (made,)),
    ):
        found = engine.call(
            Op.LOCATE, LocateRequest(storage_status_mask=mask, attributes=(name("gone"),)), version=V2_1
        )
        assert found.unique_identifiers == expected


def test_located_is_newest_first_within_a_second(engine: Engine) -> None:
    made = [engine.call(Op.CREATE, create()).unique_identifier for _ in range(5)]
    found = engine.call(Op.LOCATE, LocateRequest(), version=V2_1)
    assert found.unique_identifiers == tuple(reversed(made))


def test_a_key_of_one_major_version_is_the_others_too(engine: Engine) -> None:
    made = engine.call(Op.CREATE, create(ACTIVE), version=V2_1).unique_identifier
    encrypted = engine.call(
        Op.ENCRYPT, EncryptRequest(**{**fields(GIVEN), "unique_identifier": made}), version=V1_4
    )
    opened = engine.call(
        Op.DECRYPT,
        DecryptRequest(
            unique_identifier=made,
            cryptographic_parameters=GIVEN.cryptographic_parameters,
            data=encrypted.data,
            iv_counter_nonce=encrypted.iv_counter_nonce,
        ),
        version=V2_1,
    )
    assert opened.data == GIVEN.data
    with pytest.raises(Refused):
        engine.call(Op.ACTIVATE, ActivateRequest(unique_identifier=made), version=V2_1)
