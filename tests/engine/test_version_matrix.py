"""Version x operation x tag: no version receives what it does not know.

Objects of every type, with every attribute that 2.1 and 1.4 can give them and the youngest values of their enumerations,
are read, changed and used through every operation in every version; each response, success or failure, is searched for
tags, enumeration values, mask bits, attribute names and Item Types that the version lacks. An operation that is served
and stands not in SCENARIO fails the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from kmip_server.engine import registry
from kmip_server.engine.context import Policy
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_set import Attribute, VendorAttribute
from kmip_server.protocol.attribute_values import (
    CryptographicParameters,
    CustomValue,
    Link,
    RNGParameters,
    UsageLimits,
)
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    AdjustmentType,
    BatchErrorContinuationOption,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DigitalSignatureAlgorithm,
    EndpointRole,
    HashingAlgorithm,
    InteropFunction,
    ItemType,
    KeyFormatType,
    KeyRoleType,
    LinkType,
    MaskGenerator,
    ObjectType,
    Operation,
    PaddingMethod,
    QueryFunction,
    RecommendedCurve,
    ResultStatus,
    RevocationReasonCode,
    RNGAlgorithm,
    SplitKeyMethod,
    UsageLimitsUnit,
    WrappingMethod,
)
from kmip_server.protocol.objects import (
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingSpecification,
    PrivateKey,
    SplitKey,
    SymmetricKey,
    TransparentMaterial,
)
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    AdjustAttributeRequest,
    DeleteAttributeRequest,
    GetAttributeListRequest,
    GetAttributesRequest,
    ModifyAttributeRequest,
    SetAttributeRequest,
)
from kmip_server.protocol.payloads.check import CheckRequest
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    EncryptRequest,
    HashRequest,
    MACRequest,
    MACVerifyRequest,
    RNGRetrieveRequest,
    RNGSeedRequest,
    SignatureVerifyRequest,
    SignRequest,
)
from kmip_server.protocol.payloads.discovery import DiscoverVersionsRequest, QueryRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.payloads.rekey import RekeyKeyPairRequest, RekeyRequest
from kmip_server.protocol.payloads.server import (
    InteropRequest,
    LogRequest,
    PingRequest,
    SetEndpointRoleRequest,
)
from kmip_server.protocol.payloads.transfer import ExportRequest, ImportRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import SERVED, V1_2, V1_4, V2_1, Version
from tests.support.engine import Engine, child, children, request_message
from tests.support.knowledge import unknown
from tests.support.objects import block, registered, types_of
from tests.support.requests import A, M, attribute, create, create_key_pair, custom, parameters, revoke, template
from tests.support.values import values

Op = Operation
CBC = parameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5)
ECDSA = parameters(hashing_algorithm=HashingAlgorithm.SHA_256)
CMAC = parameters(cryptographic_algorithm=A.AES)
ALL_BITS = CryptographicUsageMask(sum(CryptographicUsageMask))

YOUNGEST: tuple[Attribute, ...] = (
    attribute(
        Tag.CRYPTOGRAPHIC_PARAMETERS,
        CryptographicParameters(
            block_cipher_mode=BlockCipherMode.AEAD,
            hashing_algorithm=HashingAlgorithm.SHA3_512,
            key_role_type=KeyRoleType.TRKBK,
            digital_signature_algorithm=DigitalSignatureAlgorithm.SHA3_512_WITH_RSA_ENCRYPTION,
            cryptographic_algorithm=CryptographicAlgorithm.ED448,
            mask_generator=MaskGenerator.MGF1,
            mask_generator_hashing_algorithm=HashingAlgorithm.SHA3_224,
            random_iv=True,
            trailer_field=1,
        ),
    ),
    attribute(
        Tag.CRYPTOGRAPHIC_PARAMETERS,
        CryptographicParameters(digital_signature_algorithm=DigitalSignatureAlgorithm.RSASSA_PSS),
    ),
    attribute(Tag.RANDOM_NUMBER_GENERATOR, RNGParameters(rng_algorithm=RNGAlgorithm.NRBG)),
    *(
        attribute(Tag.LINK, Link(link_type=each, linked_object_identifier="elsewhere"))
        for each in LinkType
        if each != LinkType.REPLACEMENT_OBJECT_LINK
    ),
    custom("x-Old", "custom"),
    custom("x-Number", 5, ItemType.INTEGER),
    Attribute(
        VendorAttribute("x", "Extended"), None, CustomValue(ItemType.DATE_TIME_EXTENDED, 1_700_000_000_000_000)
    ),
    Attribute(VendorAttribute("acme", "Label"), None, CustomValue(ItemType.TEXT_STRING, "vendor's")),
    Attribute(
        VendorAttribute("x", "Structure"),
        None,
        CustomValue(ItemType.STRUCTURE, ((int(Tag.QUANTUM_SAFE), int(ItemType.BOOLEAN), True),)),
    ),
    attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, ALL_BITS),
)
"""Values that came late, and what only 2.x knows."""


@dataclass
class World:
    """The objects, and what was answered."""

    engine: Engine
    version: Version
    objects: list[str] = field(default_factory=list)
    usable: dict[str, str] = field(default_factory=dict)
    succeeded: set[Operation] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def ask(self, operation: Operation, request: Any) -> Item:
        """One request of the version; its response is searched, and the batch item returned."""
        payload = request if isinstance(request, tuple) else encode_structure(request, self.version)
        response = self.engine.exchange(request_message(self.version, [(int(operation), payload, b"1")]))
        self.search(operation, response)
        (item,) = children(response, Tag.BATCH_ITEM)
        if child(item, Tag.RESULT_STATUS) == ResultStatus.SUCCESS:
            self.succeeded.add(operation)
        return item

    def search(self, operation: Operation, response: Item) -> None:
        # What was encoded when the object was registered is an item like any other for a client.
        again = ttlv.decode(ttlv.encode(response))
        echo = f"/Response Message/Batch Item/Operation: {operation.title}"
        # The operation is said again as the client has said it, known or not.
        found = [each for each in unknown(again, self.version) if each != echo]
        self.problems += [f"{operation.title} in {self.version}: {each}" for each in found]

    def new(self, version: Version, request: Any, operation: Operation = Op.CREATE) -> str:
        """An object made in another version, unsearched."""
        made: str = self.engine.call(operation, request, version=version).unique_identifier
        return made


def furnish(world: World) -> None:
    """Objects of every type with every attribute, and keys that can be used."""
    for version in (V2_1, V1_4):
        for object_type in types_of(version):
            given = list(rich(object_type, version))
            world.objects.append(world.new(version, registered(object_type, *given), Op.REGISTER))
    for request in particular():
        world.objects.append(world.new(V1_4, request, Op.REGISTER))
    pair = world.engine.call(Op.CREATE_KEY_PAIR, create_key_pair(A.ECDSA, 256), version=V2_1)
    world.usable = {
        "aes": world.new(V2_1, create(attribute(Tag.DESCRIPTION, "used"))),
        "private": pair.private_key_unique_identifier,
        "public": pair.public_key_unique_identifier,
    }
    for uid in world.usable.values():
        world.engine.call(Op.ACTIVATE, ActivateRequest(unique_identifier=uid))
    world.objects += world.usable.values()
    destroyed = world.new(V2_1, create())
    world.engine.call(Op.DESTROY, DestroyRequest(unique_identifier=destroyed))
    compromised = world.new(V2_1, create(attribute(Tag.COMMENT, "compromised")))
    world.engine.call(Op.REVOKE, revoke(compromised, RevocationReasonCode.KEY_COMPROMISE))
    rekeyed = world.new(V2_1, RekeyRequest(unique_identifier=world.new(V2_1, create())), Op.RE_KEY)
    world.objects += [destroyed, compromised, rekeyed]


def rich(object_type: ObjectType, version: Version) -> Iterator[Attribute]:
    """Every attribute that a client can give an object of this type, and the youngest values."""
    youngest = [
        a for a in YOUNGEST if not isinstance(a.key, Tag) or ATTRIBUTES[a.key].carried_by(object_type, version)
    ]
    taken = {a.key for a in youngest}
    for tag, row in ATTRIBUTES.items():
        if (
            row.set_by == "server"
            or tag in taken
            or not row.known_in(version)
            or not row.carried_by(object_type, version)
        ):
            continue
        # What the object itself says, what contradicts its value, and Names, which are unique.
        if tag in (
            Tag.CRYPTOGRAPHIC_ALGORITHM,
            Tag.CRYPTOGRAPHIC_LENGTH,
            Tag.KEY_FORMAT_TYPE,
            Tag.KEY_VALUE_LOCATION,
        ):
            continue
        if tag in (Tag.NAME, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, Tag.QUANTUM_SAFE):
            continue
        yield attribute(tag, values(tag)[0])
    yield from youngest


def particular() -> Iterator[RegisterRequest]:
    """Keys of algorithms, formats and curves that some version lacks."""
    late = block(bytes(32), algorithm=A.CHACHA20)
    yield _key(SymmetricKey(key_block=late), ObjectType.SYMMETRIC_KEY)
    yield _key(
        SymmetricKey(key_block=replace(late, cryptographic_algorithm=A.HMAC_SHA3_256)), ObjectType.SYMMETRIC_KEY
    )
    split = SplitKey(
        split_key_parts=3,
        key_part_identifier=1,
        split_key_threshold=2,
        split_key_method=SplitKeyMethod.POLYNOMIAL_SHARING_GF_2_8,
        key_block=block(bytes(32)),
    )
    yield _key(split, ObjectType.SPLIT_KEY)
    curve = ((int(Tag.RECOMMENDED_CURVE), int(ItemType.ENUMERATION), int(RecommendedCurve.SECP256K1)),)
    numbers = TransparentMaterial((*curve, (int(Tag.D), int(ItemType.BIG_INTEGER), 12345)))
    for key_format_type in (KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY, KeyFormatType.TRANSPARENT_ECDSA_PRIVATE_KEY):
        key_block = KeyBlock(
            key_format_type=key_format_type,
            key_value=KeyValue(key_material=numbers),
            cryptographic_algorithm=A.EC
            if key_format_type == KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY
            else A.ECDSA,
            cryptographic_length=256,
        )
        yield _key(PrivateKey(key_block=key_block), ObjectType.PRIVATE_KEY)
    # A Secret of which the bytes look like a later key must not be taken for one.
    looks_so = ttlv.encode((Tag.CRYPTOGRAPHIC_ALGORITHM, ttlv.ENUMERATION, int(A.CHACHA20)))
    opaque = registered(ObjectType.OPAQUE_OBJECT)
    yield replace(opaque, managed_object=replace(opaque.managed_object, opaque_data_value=looks_so))  # type: ignore[type-var]


def _key(managed_object: Any, object_type: ObjectType) -> RegisterRequest:
    return RegisterRequest(
        object_type=object_type,
        template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.EXPORT)),
        managed_object=managed_object,
    )


# --- what each operation is asked ---------------------------------------------------------------


def _create(world: World) -> Iterator[Any]:
    yield create()
    yield create(length=7)


def _create_key_pair(world: World) -> Iterator[Any]:
    yield create_key_pair(A.ECDSA, 256)
    yield create_key_pair(A.ECDSA, 7)


def _register(world: World) -> Iterator[Any]:
    for object_type in types_of(world.version):
        yield registered(object_type)


def _rekey(world: World) -> Iterator[Any]:
    uid = world.new(V2_1, create(attribute(Tag.COMMENT, "to be replaced")))
    yield RekeyRequest(unique_identifier=uid)
    yield RekeyRequest(unique_identifier=uid)


def _rekey_key_pair(world: World) -> Iterator[Any]:
    pair = world.engine.call(Op.CREATE_KEY_PAIR, create_key_pair(A.ECDSA, 256), version=V2_1)
    yield RekeyKeyPairRequest(private_key_unique_identifier=pair.private_key_unique_identifier)


def _locate(world: World) -> Iterator[Any]:
    yield LocateRequest()
    yield LocateRequest(attributes=(attribute(Tag.OBJECT_GROUP, "one"),))
    yield LocateRequest(maximum_items=-1)


def _check(world: World) -> Iterator[Any]:
    limits = attribute(Tag.USAGE_LIMITS, UsageLimits(usage_limits_total=5, usage_limits_unit=UsageLimitsUnit.BYTE))
    uid = world.new(V2_1, create(limits, mask=M.ENCRYPT))
    yield CheckRequest(unique_identifier=uid, usage_limits_count=1)
    yield CheckRequest(
        unique_identifier=uid, usage_limits_count=9, cryptographic_usage_mask=ALL_BITS, lease_time=1 << 30
    )


def _get(world: World) -> Iterator[Any]:
    specification = KeyWrappingSpecification(
        wrapping_method=WrappingMethod.ENCRYPT,
        encryption_key_information=EncryptionKeyInformation(unique_identifier=world.usable["aes"]),
        attribute_names=tuple(tag for tag, row in ATTRIBUTES.items() if row.known_in(world.version)),
    )
    for uid in [*world.objects, "absent"]:
        yield GetRequest(unique_identifier=uid)
        yield GetRequest(unique_identifier=uid, key_wrapping_specification=specification)
        yield GetRequest(unique_identifier=uid, key_format_type=KeyFormatType.RAW)


def _export(world: World) -> Iterator[Any]:
    return (ExportRequest(unique_identifier=uid) for uid in [*world.objects, "absent"])


def _import(world: World) -> Iterator[Any]:
    request = registered(ObjectType.SECRET_DATA)
    for number in range(2):
        yield ImportRequest(
            unique_identifier="imported",
            object_type=ObjectType.SECRET_DATA if world.version.major > 1 else None,
            replace_existing=number == 1,
            attributes=request.template_attribute.attributes,
            managed_object=request.managed_object,
        )


def _get_attributes(world: World) -> Iterator[Any]:
    for uid in [*world.objects, "absent"]:
        yield GetAttributesRequest(unique_identifier=uid)
        for tag, row in ATTRIBUTES.items():
            if row.known_in(world.version):
                yield GetAttributesRequest(unique_identifier=uid, attribute_names=(tag,))


def _get_attribute_list(world: World) -> Iterator[Any]:
    return (GetAttributeListRequest(unique_identifier=uid) for uid in [*world.objects, "absent"])


def _keys_rich(world: World) -> list[str]:
    """Two keys with every attribute, one made in 2.1 and one in 1.4."""
    return [
        world.new(
            version, registered(ObjectType.SYMMETRIC_KEY, *rich(ObjectType.SYMMETRIC_KEY, version)), Op.REGISTER
        )
        for version in (V2_1, V1_4)
    ]


def _known(world: World) -> list[Tag]:
    return [tag for tag, row in ATTRIBUTES.items() if row.known_in(world.version)]


def _add_attribute(world: World) -> Iterator[Any]:
    for uid in _keys_rich(world):
        for tag in _known(world):
            yield AddAttributeRequest(unique_identifier=uid, attribute=attribute(tag, values(tag)[1]))


def _modify_attribute(world: World) -> Iterator[Any]:
    for uid in _keys_rich(world):
        for tag in _known(world):
            yield ModifyAttributeRequest(unique_identifier=uid, attribute=attribute(tag, values(tag)[1]))


def _delete_attribute(world: World) -> Iterator[Any]:
    for uid in _keys_rich(world):
        for tag in _known(world):
            for index in range(3):
                if world.version.major == 1:
                    yield DeleteAttributeRequest(
                        unique_identifier=uid, attribute_name=tag.title, attribute_index=index
                    )
                else:
                    yield DeleteAttributeRequest(unique_identifier=uid, attribute_references=(tag,))
        if world.version.major == 1:
            for name in ("x-Old", "x-Extended", "x-Structure"):
                yield DeleteAttributeRequest(unique_identifier=uid, attribute_name=name)


def _set_attribute(world: World) -> Iterator[Any]:
    for uid in _keys_rich(world):
        for tag in _known(world):
            yield SetAttributeRequest(unique_identifier=uid, attribute=attribute(tag, values(tag)[1]))


def _adjust_attribute(world: World) -> Iterator[Any]:
    for uid in _keys_rich(world):
        for tag in _known(world):
            for adjustment in AdjustmentType:
                yield AdjustAttributeRequest(
                    unique_identifier=uid, attribute_references=(tag,), adjustment_type=adjustment
                )


def _life(request: Callable[[str], Any]) -> Callable[[World], Iterator[Any]]:
    def ask(world: World) -> Iterator[Any]:
        uid = world.new(V2_1, create(attribute(Tag.COMMENT, "moves on")))
        if request is revoke:
            world.engine.call(Op.ACTIVATE, ActivateRequest(unique_identifier=uid))
        yield request(uid)
        yield request(uid)
        yield request("absent")

    return ask


def _query(world: World) -> Iterator[Any]:
    yield QueryRequest(query_functions=tuple(QueryFunction))
    yield QueryRequest(query_functions=(0x7F,))
    yield QueryRequest()


def _encrypt(world: World) -> Iterator[Any]:
    plain = EncryptRequest(
        unique_identifier=world.usable["aes"], cryptographic_parameters=CBC, data=b"x", iv_counter_nonce=bytes(16)
    )
    yield plain
    gcm = parameters(block_cipher_mode=BlockCipherMode.GCM, tag_length=16, random_iv=True)
    yield replace(plain, cryptographic_parameters=gcm, iv_counter_nonce=None)
    yield replace(plain, unique_identifier=world.usable["public"])


def _decrypt(world: World) -> Iterator[Any]:
    (request, *_) = _encrypt(world)
    done = world.engine.call(Op.ENCRYPT, request, version=V1_2)
    yield DecryptRequest(
        unique_identifier=world.usable["aes"],
        cryptographic_parameters=CBC,
        data=done.data,
        iv_counter_nonce=bytes(16),
    )


def _sign(world: World) -> Iterator[Any]:
    yield SignRequest(unique_identifier=world.usable["private"], cryptographic_parameters=ECDSA, data=b"x")
    yield SignRequest(unique_identifier=world.usable["aes"], cryptographic_parameters=ECDSA, data=b"x")


def _signature_verify(world: World) -> Iterator[Any]:
    (request, *_) = _sign(world)
    signature = world.engine.call(Op.SIGN, request, version=V1_2).signature_data
    for data in (b"x", b"y"):
        yield SignatureVerifyRequest(
            unique_identifier=world.usable["public"],
            cryptographic_parameters=ECDSA,
            data=data,
            signature_data=signature,
        )


def _mac(world: World) -> Iterator[Any]:
    uid = world.new(V2_1, create(mask=M.MAC_GENERATE | M.MAC_VERIFY))
    world.engine.call(Op.ACTIVATE, ActivateRequest(unique_identifier=uid))
    yield MACRequest(unique_identifier=uid, cryptographic_parameters=CMAC, data=b"x")
    yield MACRequest(unique_identifier="absent", cryptographic_parameters=CMAC, data=b"x")


def _mac_verify(world: World) -> Iterator[Any]:
    (request, *_) = _mac(world)
    computed = world.engine.call(Op.MAC, request, version=V1_2).mac_data
    for data in (b"x", b"y"):
        yield MACVerifyRequest(
            unique_identifier=request.unique_identifier,
            cryptographic_parameters=CMAC,
            data=data,
            mac_data=computed,
        )


SCENARIO: dict[Operation, Callable[[World], Iterator[Any]]] = {
    Op.CREATE: _create,
    Op.CREATE_KEY_PAIR: _create_key_pair,
    Op.REGISTER: _register,
    Op.RE_KEY: _rekey,
    Op.RE_KEY_KEY_PAIR: _rekey_key_pair,
    Op.LOCATE: _locate,
    Op.CHECK: _check,
    Op.GET: _get,
    Op.GET_ATTRIBUTES: _get_attributes,
    Op.GET_ATTRIBUTE_LIST: _get_attribute_list,
    Op.ADD_ATTRIBUTE: _add_attribute,
    Op.MODIFY_ATTRIBUTE: _modify_attribute,
    Op.DELETE_ATTRIBUTE: _delete_attribute,
    Op.SET_ATTRIBUTE: _set_attribute,
    Op.ADJUST_ATTRIBUTE: _adjust_attribute,
    Op.ACTIVATE: _life(lambda uid: ActivateRequest(unique_identifier=uid)),
    Op.REVOKE: _life(revoke),
    Op.DESTROY: _life(lambda uid: DestroyRequest(unique_identifier=uid)),
    Op.QUERY: _query,
    Op.DISCOVER_VERSIONS: lambda world: iter([DiscoverVersionsRequest()]),
    Op.ENCRYPT: _encrypt,
    Op.DECRYPT: _decrypt,
    Op.SIGN: _sign,
    Op.SIGNATURE_VERIFY: _signature_verify,
    Op.MAC: _mac,
    Op.MAC_VERIFY: _mac_verify,
    Op.RNG_RETRIEVE: lambda world: iter([RNGRetrieveRequest(data_length=8), RNGRetrieveRequest(data_length=-1)]),
    Op.RNG_SEED: lambda world: iter([RNGSeedRequest(data=b"seed")]),
    Op.HASH: lambda world: iter([HashRequest(cryptographic_parameters=ECDSA, data=b"x")]),
    Op.IMPORT: _import,
    Op.EXPORT: _export,
    Op.LOG: lambda world: iter([LogRequest(log_message="a line")]),
    Op.SET_ENDPOINT_ROLE: lambda world: iter([SetEndpointRoleRequest(endpoint_role=EndpointRole.SERVER)]),
    Op.INTEROP: lambda world: iter(
        [InteropRequest(interop_function=InteropFunction.BEGIN, interop_identifier="a")]
    ),
    Op.PING: lambda world: iter([PingRequest()]),
}


@pytest.fixture(scope="module", params=SERVED, ids=str)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for each version."""
    policy = Policy(served=SERVED, interop=True, weak_algorithms=True)
    engine = Engine(tmp_path_factory.mktemp("matrix"), policy)
    made = World(engine, request.param)
    furnish(made)
    yield made
    engine.close()


def test_every_operation_that_is_served_is_in_the_scenario() -> None:
    assert {each.operation for each in registry.registrations()} == set(SCENARIO)


def test_the_objects_have_what_old_versions_lack(world: World) -> None:
    """Else the matrix would find nothing because there is nothing."""
    given = {
        a.key
        for uid in world.objects
        for version in (V1_4, V2_1)
        for a in world.engine.call(
            Op.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=uid), version=version
        ).attributes
    }
    lacking = {row.name for row in ATTRIBUTES.values() if row.set_by != "server" and row.tag not in given}
    assert lacking == {"Name", "Key Value Location", "Quantum Safe"}
    assert {VendorAttribute("acme", "Label"), VendorAttribute("x", "Extended")} <= given


@pytest.mark.parametrize("operation", SCENARIO, ids=lambda each: each.title)
def test_no_version_receives_what_it_does_not_know(world: World, operation: Operation) -> None:
    world.problems.clear()
    for request in SCENARIO[operation](world):
        # A version that does not have the operation refuses it, in words of its own too.
        if operation.since > world.version:
            request = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [])
        world.ask(operation, request)
    assert sorted(set(world.problems)) == []
    served = registry.find(operation, world.version) is not None
    assert (operation in world.succeeded) == served, f"{operation.title} never succeeded: nothing was tested"


def test_batches_that_are_undone(world: World) -> None:
    world.problems.clear()
    requests = [
        (Op.CREATE, create()),
        (Op.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=world.objects[0])),
        (Op.GET, GetRequest(unique_identifier="absent")),
    ]
    items = [
        (int(operation), encode_structure(request, world.version), str(number).encode())
        for number, (operation, request) in enumerate(requests)
    ]
    for option in BatchErrorContinuationOption:
        response = world.engine.exchange(request_message(world.version, items, option=option))
        world.search(Op.GET, response)
    assert world.problems == []


def test_the_search_finds_what_is_hidden() -> None:
    """The search itself: one of each kind of thing that a version may not know."""
    name = (Tag.ATTRIBUTE_NAME, ttlv.TEXT_STRING, "Sensitive")
    mask = (Tag.ATTRIBUTE_NAME, ttlv.TEXT_STRING, "Cryptographic Usage Mask")
    bits = (Tag.ATTRIBUTE_VALUE, ttlv.INTEGER, 0x00F00000)
    algorithm = (Tag.CRYPTOGRAPHIC_ALGORITHM, ttlv.ENUMERATION, int(A.CHACHA20))
    cases: list[tuple[Item, Version, int]] = [
        ((Tag.ATTRIBUTES, ttlv.STRUCTURE, []), V1_4, 1),
        ((Tag.TEMPLATE_ATTRIBUTE, ttlv.STRUCTURE, []), V2_1, 1),
        ((Tag.ATTRIBUTE, ttlv.STRUCTURE, [name]), V1_2, 2),
        ((Tag.ATTRIBUTE, ttlv.STRUCTURE, [name]), V1_4, 0),
        ((Tag.ATTRIBUTE, ttlv.STRUCTURE, [mask, bits]), V1_4, 1),
        ((Tag.CRYPTOGRAPHIC_PARAMETERS, ttlv.STRUCTURE, [algorithm]), V1_2, 1),
        ((Tag.CRYPTOGRAPHIC_PARAMETERS, ttlv.STRUCTURE, [algorithm]), V1_4, 0),
        ((Tag.ATTRIBUTE_VALUE, int(ItemType.DATE_TIME_EXTENDED), 1), V1_4, 1),
        ((0x42FFFF, ttlv.INTEGER, 1), V1_4, 1),
        ((Tag.ATTRIBUTE_REFERENCE, ttlv.ENUMERATION, int(Tag.OPERATION_POLICY_NAME)), V2_1, 1),
        ((Tag.CRYPTOGRAPHIC_USAGE_MASK, ttlv.INTEGER, 1 << 15), V2_1, 1),
    ]
    for item, version, count in cases:
        assert len(list(unknown(item, version))) == count, (item, version)
