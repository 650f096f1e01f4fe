"""What shipping clients and appliances send, over the wire: each exchange as its client has it.

The clients and their habits stand in docs/interop.md. Each test is named for the client that taught it.
"""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import ApplicationSpecificInformation
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    BatchErrorContinuationOption,
    BlockCipherMode,
    CredentialType,
    ItemType,
    KeyFormatType,
    ObjectType,
    Operation,
    PaddingMethod,
    QueryFunction,
    ResultReason,
    ResultStatus,
    RevocationReasonCode,
    SecretDataType,
    State,
)
from kmip_server.protocol.objects import (
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingSpecification,
    SecretData,
)
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    GetAttributeListRequest,
    GetAttributesRequest,
    ModifyAttributeRequest,
)
from kmip_server.protocol.payloads.check import CheckRequest
from kmip_server.protocol.payloads.create import CreateKeyPairRequest
from kmip_server.protocol.payloads.cryptographic import DecryptRequest, EncryptRequest
from kmip_server.protocol.payloads.discovery import DiscoverVersionsRequest, QueryRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.payloads.rekey import RekeyRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import SERVED, V1_0, V1_1, V1_2, V1_4, Version
from tests.support import requests as r
from tests.support.engine import Refused, child, children, request_message
from tests.support.server import RunningServer
from tests.support.wire import Client, Connection

A, M, Op = r.A, r.M, Operation
SUCCESS = ResultStatus.SUCCESS


@pytest.fixture(scope="module")
def connection(server: RunningServer) -> Iterator[Connection]:
    with Connection(server) as made:
        yield made


def status(item: Item) -> ResultStatus:
    return ResultStatus.of(child(item, Tag.RESULT_STATUS))


def tags(item: Item) -> list[int]:
    return [each[0] for each in item[2]]


def payload_of(item: Item) -> Item:
    assert status(item) == SUCCESS, child(item, Tag.RESULT_MESSAGE)
    return children(item, Tag.RESPONSE_PAYLOAD)[0]


def secret_data(value: bytes, *attributes: Any, kind: SecretDataType = SecretDataType.PASSWORD) -> RegisterRequest:
    block = KeyBlock(key_format_type=KeyFormatType.OPAQUE, key_value=KeyValue(key_material=value))
    return RegisterRequest(
        object_type=ObjectType.SECRET_DATA,
        template_attribute=r.template(*attributes),
        managed_object=SecretData(secret_data_type=kind, key_block=block),
    )


def mask(value: Any) -> Any:
    return r.attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M(value))


def credential(username: str, password: str) -> Item:
    value = [(Tag.USERNAME, ttlv.TEXT_STRING, username), (Tag.PASSWORD, ttlv.TEXT_STRING, password)]
    fields: list[Item] = [
        (Tag.CREDENTIAL_TYPE, ttlv.ENUMERATION, int(CredentialType.USERNAME_AND_PASSWORD)),
        (Tag.CREDENTIAL_VALUE, ttlv.STRUCTURE, value),
    ]
    return (Tag.AUTHENTICATION, ttlv.STRUCTURE, [(Tag.CREDENTIAL, ttlv.STRUCTURE, fields)])


# --- appliances ---------------------------------------------------------------------------------


def test_vcenter(connection: Connection) -> None:
    """1.1: no Name, never activated, custom attributes asked for before they are there."""
    client = Client(connection, V1_1)
    for batch_id in (None, b"QLKC1000"):
        (item,) = client.batch((Op.DISCOVER_VERSIONS, DiscoverVersionsRequest()), ids=[batch_id])
        assert child(item, Tag.UNIQUE_BATCH_ITEM_ID) == batch_id
        assert len(children(payload_of(item), Tag.PROTOCOL_VERSION)) == len(SERVED)
    information = client.call(Op.QUERY, QueryRequest(query_functions=(QueryFunction.QUERY_SERVER_INFORMATION,)))
    assert information.vendor_identification
    uid = client.call(Op.CREATE, r.create(mask=M(12))).unique_identifier
    wanted = GetAttributesRequest(unique_identifier=uid, attribute_names=(r.custom("x-Product_Version", "").key,))
    (item,) = client.batch((Op.GET_ATTRIBUTES, wanted), ids=[b"QLKC2000"])
    assert tags(payload_of(item)) == [Tag.UNIQUE_IDENTIFIER]
    added = [
        (Op.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=uid, attribute=r.custom(title, "7.0.3")))
        for title in ("x-Product_Version", "x-Vendor", "x-Product")
    ]
    assert [status(each) for each in client.batch(*added)] == [SUCCESS] * 3
    assert (
        len(client.call(Op.GET, GetRequest(unique_identifier=uid)).managed_object.key_block.key_value.key_material)
        == 32
    )
    state = client.call(
        Op.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=uid, attribute_names=(Tag.STATE,))
    )
    assert [each.value for each in state.attributes] == [State.PRE_ACTIVE]


def test_synology(server: RunningServer) -> None:
    """1.2, a connection for each operation; the first name is exchanged for another."""

    def call(operation: Operation, request: Any) -> Any:
        with Connection(server) as fresh:
            return Client(fresh, V1_2).call(operation, request)

    call(Op.QUERY, QueryRequest(query_functions=tuple(QueryFunction(each) for each in range(1, 7))))
    first, second = "a" * 128, "b" * 128
    assert call(Op.LOCATE, LocateRequest(attributes=(r.name(first),))).unique_identifiers == ()
    policy = r.attribute(Tag.OPERATION_POLICY_NAME, "default")
    uid = call(Op.REGISTER, secret_data(bytes(72), mask(M.VERIFY), policy, r.name(first))).unique_identifier
    changed = call(Op.MODIFY_ATTRIBUTE, ModifyAttributeRequest(unique_identifier=uid, attribute=r.name(second)))
    assert changed.attribute.value.name_value == second
    assert call(Op.LOCATE, LocateRequest(attributes=(r.name(first),))).unique_identifiers == ()
    assert call(Op.LOCATE, LocateRequest(attributes=(r.name(second),))).unique_identifiers == (uid,)
    call(Op.ACTIVATE, ActivateRequest(unique_identifier=uid))
    listed = call(Op.GET_ATTRIBUTE_LIST, GetAttributeListRequest(unique_identifier=uid)).attribute_names
    assert {Tag.NAME, Tag.STATE, Tag.OPERATION_POLICY_NAME} <= set(listed)
    wanted = (Tag.STATE, Tag.OBJECT_TYPE, Tag.OPERATION_POLICY_NAME)
    got = call(Op.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=uid, attribute_names=wanted)).attributes
    assert [each.value for each in got] == [State.ACTIVE, ObjectType.SECRET_DATA, "default"]
    fetched = call(Op.GET, GetRequest(unique_identifier=uid)).managed_object
    assert fetched.key_block.key_value.key_material == bytes(72)


def test_fortigate(server: RunningServer, connection: Connection, tmp_path: Path) -> None:
    """1.0 with a credential; AES and HMAC-SHA1 under names that differ at their ends only; Locate by Template-Attribute."""
    password_file = tmp_path / "password"
    password_file.write_text("of the firewall")
    password_file.chmod(0o600)
    server.admin("client", "password", "client", "--password-file", str(password_file))
    header: list[Item] = [
        (Tag.MAXIMUM_RESPONSE_SIZE, ttlv.INTEGER, 65536),
        credential("client", "of the firewall"),
    ]
    client = Client(connection, V1_0)
    stem = client.fresh_name()
    registered = client.batch(
        (Op.REGISTER, r.register_key(bytes(16), r.name(f"{stem}-enc"))),
        (Op.REGISTER, r.register_key(bytes(20), r.name(f"{stem}-auth"), algorithm=A.HMAC_SHA1, mask=M(384))),
        header=header,
        option=BatchErrorContinuationOption.CONTINUE,
    )
    # Nothing but the identifier, whatever was set by itself.
    assert [tags(payload_of(each)) for each in registered] == [[Tag.UNIQUE_IDENTIFIER]] * 2
    ids = [child(payload_of(each), Tag.UNIQUE_IDENTIFIER) for each in registered]

    def locate(value: str) -> Item:
        attributes = encode_structure(LocateRequest(attributes=(r.name(value),)), V1_0)[2]
        fields = [(Tag.MAXIMUM_ITEMS, ttlv.INTEGER, 1), (Tag.TEMPLATE_ATTRIBUTE, ttlv.STRUCTURE, attributes)]
        return (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, fields)

    found = client.batch(
        (Op.LOCATE, locate(f"{stem}-enc")),
        (Op.LOCATE, locate(f"{stem}-auth")),
        header=header,
        ids=[b"000001", b"000002"],
    )
    assert [child(payload_of(each), Tag.UNIQUE_IDENTIFIER) for each in found] == ids
    fetched = client.batch(*((Op.GET, GetRequest(unique_identifier=each)) for each in ids), header=header)
    assert [status(each) for each in fetched] == [SUCCESS, SUCCESS]

    refused = client.batch((Op.LOCATE, locate(stem)), header=[credential("client", "a wrong one")])
    assert child(refused[0], Tag.RESULT_REASON) == ResultReason.AUTHENTICATION_NOT_SUCCESSFUL
    server.admin("client", "password", "client2", "--password-file", str(password_file))
    refused = client.batch((Op.LOCATE, locate(stem)), header=[credential("client2", "of the firewall")])
    assert child(refused[0], Tag.RESULT_REASON) == ResultReason.AUTHENTICATION_NOT_SUCCESSFUL


def test_a_credential_may_name_the_user_otherwise_than_the_certificate(
    server: RunningServer, tmp_path: Path
) -> None:
    """Some devices call themselves by a name of their own; it is bound to the certificate's principal."""
    password_file = tmp_path / "password"
    password_file.write_text("x")
    password_file.chmod(0o600)
    done = server.admin(
        "client", "password", "client", "--username", "tape 7", "--password-file", str(password_file)
    )
    assert "tape 7" in done.stdout
    with Connection(server) as connection:
        (item,) = Client(connection, V1_2).batch((Op.QUERY, QueryRequest()), header=[credential("tape 7", "x")])
    assert status(item) == SUCCESS


def test_vast(connection: Connection) -> None:
    """1.4: the Operation Policy Name said twice, Re-key that moves the Name, Check, a wrapped Get without a mode."""
    client = Client(connection, V1_4)
    name = r.name(client.fresh_name())
    policy = r.attribute(Tag.OPERATION_POLICY_NAME, "default")
    old = client.call(Op.CREATE, r.create(policy)).unique_identifier
    for attribute in (name, r.attribute(Tag.OBJECT_GROUP, "vast"), policy):
        client.call(Op.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=old, attribute=attribute))
    client.call(Op.ACTIVATE, ActivateRequest(unique_identifier=old))
    new = client.call(Op.RE_KEY, RekeyRequest(unique_identifier=old)).unique_identifier
    assert new != old
    assert client.call(Op.LOCATE, LocateRequest(attributes=(name,))).unique_identifiers == (new,)
    wanted = GetAttributesRequest(unique_identifier=new, attribute_names=(Tag.OPERATION_POLICY_NAME,))
    assert [each.value for each in client.call(Op.GET_ATTRIBUTES, wanted).attributes] == ["default"]
    wanted = GetAttributesRequest(unique_identifier=old, attribute_names=(Tag.STATE,))
    assert [each.value for each in client.call(Op.GET_ATTRIBUTES, wanted).attributes] == [State.ACTIVE]
    client.call(Op.CHECK, CheckRequest(unique_identifier=new, cryptographic_usage_mask=M.ENCRYPT))
    specification = KeyWrappingSpecification(
        wrapping_method=1, encryption_key_information=EncryptionKeyInformation(unique_identifier=old)
    )
    wrapped = client.call(Op.GET, GetRequest(unique_identifier=new, key_wrapping_specification=specification))
    assert wrapped.managed_object.key_block.key_wrapping_data is not None


def test_percona(connection: Connection) -> None:
    """1.0: Offset Items of a later version, pages until an empty one, an Object Group that is empty."""
    client = Client(connection, V1_0)
    group = r.attribute(Tag.OBJECT_GROUP, client.fresh_name())
    made = {client.call(Op.REGISTER, secret_data(b"s", mask(576), group)).unique_identifier for _ in range(5)}
    found: list[str] = []
    for offset in range(0, 6, 2):
        inner = [
            (Tag.MAXIMUM_ITEMS, ttlv.INTEGER, 2),
            (Tag.OFFSET_ITEMS, ttlv.INTEGER, offset),
            *encode_structure(LocateRequest(attributes=(group,)), V1_0)[2],
        ]
        (item,) = client.batch((Op.LOCATE, (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, inner)))
        # No Located Items: an old client reads on for ever.
        assert set(tags(payload_of(item))) <= {Tag.UNIQUE_IDENTIFIER}
        found += [each[2] for each in payload_of(item)[2]]
    assert set(found) == made
    assert len(found) == 5
    empty = client.call(Op.CREATE, r.create(r.attribute(Tag.OBJECT_GROUP, ""))).unique_identifier
    newer = Client(connection, V1_4)
    batch = newer.batch(
        (Op.GET, GetRequest(unique_identifier=empty)),
        (Op.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=empty, attribute_names=(Tag.NAME,))),
        header=[(Tag.MAXIMUM_RESPONSE_SIZE, ttlv.INTEGER, 8192)],
    )
    assert [status(each) for each in batch] == [SUCCESS, SUCCESS]
    assert tags(payload_of(batch[1])) == [Tag.UNIQUE_IDENTIFIER]


def test_ontap(connection: Connection) -> None:
    """Sixteen custom attributes on each key, and Locate by them."""
    client = Client(connection, V1_1)
    cluster = client.fresh_name()
    custom = [r.custom("x-NETAPP-ClusterName", cluster), *(r.custom(f"x-NETAPP-{n}", str(n)) for n in range(15))]
    uid = client.call(Op.CREATE, r.create(*custom)).unique_identifier
    assert client.call(Op.LOCATE, LocateRequest(attributes=tuple(custom))).unique_identifiers == (uid,)
    others = (custom[0], r.custom("x-NETAPP-3", "other"))
    assert client.call(Op.LOCATE, LocateRequest(attributes=others)).unique_identifiers == ()


def test_a_san_array_in_one_message_of_four(connection: Connection) -> None:
    """1.0: Query, Locate by custom attributes, Get as Opaque and Get Attributes of what was located."""
    client = Client(connection, V1_0)
    where = (r.custom("x-ResourceID", 4711, ItemType.INTEGER), r.custom("x-SystemID", client.fresh_name()))
    uid = client.call(Op.REGISTER, secret_data(b"opaque", mask(0), *where)).unique_identifier
    items = client.batch(
        (Op.QUERY, QueryRequest(query_functions=(QueryFunction.QUERY_OPERATIONS,))),
        (Op.LOCATE, LocateRequest(attributes=where)),
        (Op.GET, GetRequest(key_format_type=KeyFormatType.OPAQUE)),
        (Op.GET_ATTRIBUTES, GetAttributesRequest()),
    )
    assert [status(each) for each in items] == [SUCCESS] * 4
    assert child(payload_of(items[2]), Tag.UNIQUE_IDENTIFIER) == uid
    assert child(payload_of(items[3]), Tag.UNIQUE_IDENTIFIER) == uid


def test_scylla(connection: Connection) -> None:
    """A misspelt attribute in Locate finds nothing and is no error: a refusal made it create key after key."""
    client = Client(connection, V1_2)
    client.call(Op.CREATE, r.create())
    inner = (
        Tag.ATTRIBUTE,
        ttlv.STRUCTURE,
        [
            (Tag.ATTRIBUTE_NAME, ttlv.TEXT_STRING, "Cryptographic Alogrithm"),
            (Tag.ATTRIBUTE_VALUE, ttlv.ENUMERATION, 3),
        ],
    )
    (item,) = client.batch((Op.LOCATE, (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [inner])))
    assert payload_of(item)[2] == []


def test_tape_libraries(connection: Connection) -> None:
    """Create and Locate by Application Specific Information."""
    client = Client(connection, V1_2)
    information = ApplicationSpecificInformation(
        application_namespace="LIBRARY-LTO", application_data=client.fresh_name()
    )
    about = r.attribute(Tag.APPLICATION_SPECIFIC_INFORMATION, information)
    uid = client.call(Op.CREATE, r.create(about)).unique_identifier
    assert client.call(Op.LOCATE, LocateRequest(attributes=(about,))).unique_identifiers == (uid,)


# --- software -----------------------------------------------------------------------------------


def test_mongodb_csfle(server: RunningServer) -> None:
    """A seed of 96 bytes with no use at all; or 1.0 and 1.2 mixed, encrypting at the server under its own IV."""

    def call(version: Version, operation: Operation, request: Any) -> Any:
        with Connection(server) as fresh:
            return Client(fresh, version).call(operation, request)

    seed = call(V1_0, Op.REGISTER, secret_data(bytes(96), mask(0), kind=SecretDataType.SEED)).unique_identifier
    call(V1_0, Op.ACTIVATE, ActivateRequest(unique_identifier=seed))
    assert call(
        V1_0, Op.GET, GetRequest(unique_identifier=seed)
    ).managed_object.key_block.key_value.key_material == bytes(96)
    uid = call(V1_2, Op.CREATE, r.create(mask=M(12))).unique_identifier
    call(V1_0, Op.ACTIVATE, ActivateRequest(unique_identifier=uid))
    how = {"block_cipher_mode": BlockCipherMode.CBC, "padding_method": PaddingMethod.PKCS5}
    done = call(
        V1_2,
        Op.ENCRYPT,
        EncryptRequest(
            unique_identifier=uid, data=b"a data key", cryptographic_parameters=r.parameters(**how, random_iv=True)
        ),
    )
    assert len(done.iv_counter_nonce) == 16
    back = DecryptRequest(
        unique_identifier=uid,
        data=done.data,
        iv_counter_nonce=done.iv_counter_nonce,
        cryptographic_parameters=r.parameters(**how),
    )
    assert call(V1_2, Op.DECRYPT, back).data == b"a data key"
    with pytest.raises(Refused) as refused:
        call(V1_0, Op.GET, GetRequest(unique_identifier="unknown"))
    assert refused.value.reason == ResultReason.ITEM_NOT_FOUND
    assert refused.value.message


@pytest.mark.parametrize(
    ("algorithm", "length"),
    [(A.AES, 128), (A.HMAC_SHA256, 256), (A.HMAC_SHA512, 512), (A.HMAC_SHA1, 160)],
)
def test_barbican_creates_keys_of_each_kind_and_destroys_them_pre_active(
    connection: Connection, algorithm: Any, length: int
) -> None:
    client = Client(connection, V1_2)
    uid = client.call(Op.CREATE, r.create(algorithm=algorithm, length=length)).unique_identifier
    block = client.call(Op.GET, GetRequest(unique_identifier=uid)).managed_object.key_block
    assert len(block.key_value.key_material) * 8 == length
    assert block.cryptographic_algorithm == algorithm
    client.call(Op.DESTROY, DestroyRequest(unique_identifier=uid))


def test_barbican_makes_key_pairs_without_mask_or_further_templates(connection: Connection) -> None:
    client = Client(connection, V1_2)
    common = r.template(
        r.attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, A.RSA), r.attribute(Tag.CRYPTOGRAPHIC_LENGTH, 2048)
    )
    made = client.call(Op.CREATE_KEY_PAIR, CreateKeyPairRequest(common_template_attribute=common))
    assert made.private_key_unique_identifier != made.public_key_unique_identifier


@pytest.mark.parametrize("bits", [1024, 336, 8])
def test_rook_registers_aes_of_a_length_that_no_cipher_has(connection: Connection, bits: int) -> None:
    """A LUKS passphrase under the name of AES, for export only; fetched and destroyed Pre-Active."""
    client = Client(connection, V1_4)
    uid = client.call(Op.REGISTER, r.register_key(bytes(bits // 8), mask=M.EXPORT)).unique_identifier
    block = client.call(Op.GET, GetRequest(unique_identifier=uid)).managed_object.key_block
    assert (block.key_value.key_material, block.cryptographic_length) == (bytes(bits // 8), bits)
    client.call(Op.DESTROY, DestroyRequest(unique_identifier=uid))


def test_ceph_csi_asks_for_one_version_and_gets_one(connection: Connection) -> None:
    item = (
        Tag.REQUEST_PAYLOAD,
        ttlv.STRUCTURE,
        [
            (
                Tag.PROTOCOL_VERSION,
                ttlv.STRUCTURE,
                [(Tag.PROTOCOL_VERSION_MAJOR, ttlv.INTEGER, 1), (Tag.PROTOCOL_VERSION_MINOR, ttlv.INTEGER, 4)],
            )
        ],
    )
    (answer,) = Client(connection, V1_4).batch((Op.DISCOVER_VERSIONS, item), ids=[bytes(16)])
    assert child(answer, Tag.UNIQUE_BATCH_ITEM_ID) == bytes(16)
    assert len(children(payload_of(answer), Tag.PROTOCOL_VERSION)) == 1


def test_truenas(connection: Connection) -> None:
    """A password with no use, activated, fetched, ended and destroyed."""
    client = Client(connection, V1_2)
    uid = client.call(
        Op.REGISTER, secret_data(b"of a dataset", mask(0), r.name(client.fresh_name()))
    ).unique_identifier
    client.call(Op.ACTIVATE, ActivateRequest(unique_identifier=uid))
    client.call(Op.GET, GetRequest(unique_identifier=uid))
    client.call(Op.REVOKE, r.revoke(uid, RevocationReasonCode.CESSATION_OF_OPERATION))
    client.call(Op.DESTROY, DestroyRequest(unique_identifier=uid))


def test_cyphera(connection: Connection) -> None:
    """Query with no function; the object before the Template-Attribute; wrong tags that are refused and no more."""
    client = Client(connection, V1_4)
    (item,) = client.batch((Op.QUERY, (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [])))
    assert payload_of(item)[2] == []
    fields = encode_structure(r.register_key(bytes(16)), V1_4)[2]
    turned = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [fields[0], fields[2], fields[1]])
    (item,) = client.batch((Op.REGISTER, turned))
    uid = child(payload_of(item), Tag.UNIQUE_IDENTIFIER)
    wrong = [(Tag.UNIQUE_IDENTIFIER, ttlv.TEXT_STRING, uid), (Tag.KEY_MATERIAL, ttlv.BYTE_STRING, b"data")]
    for operation in (Op.REVOKE, Op.ENCRYPT, Op.SIGN):
        (item,) = client.batch((operation, (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, wrong)))
        assert status(item) == ResultStatus.OPERATION_FAILED
    client.call(Op.GET, GetRequest(unique_identifier=uid))


def test_veeam(connection: Connection) -> None:
    """An RSA pair, and a Key Value with nothing but the key in it."""
    client = Client(connection, V1_4)
    made = client.call(Op.CREATE_KEY_PAIR, r.create_key_pair(A.RSA, 2048, r.attribute(Tag.OBJECT_GROUP, "veeam")))
    for uid in (made.private_key_unique_identifier, made.public_key_unique_identifier):
        (item,) = client.batch((Op.GET, GetRequest(unique_identifier=uid)))
        key = payload_of(item)[2][2]
        block = children(key, Tag.KEY_BLOCK)[0]
        assert tags(block) == [
            Tag.KEY_FORMAT_TYPE,
            Tag.KEY_VALUE,
            Tag.CRYPTOGRAPHIC_ALGORITHM,
            Tag.CRYPTOGRAPHIC_LENGTH,
        ]
        assert tags(children(block, Tag.KEY_VALUE)[0]) == [Tag.KEY_MATERIAL]


def test_pykmip_batches_without_ids(connection: Connection) -> None:
    client = Client(connection, V1_2)
    items = client.batch((Op.CREATE, r.create()), (Op.GET_ATTRIBUTES, GetAttributesRequest()), ids=[None, None])
    assert [status(each) for each in items] == [SUCCESS, SUCCESS]
    assert all(child(each, Tag.UNIQUE_BATCH_ITEM_ID) is None for each in items)


# --- headers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "correlated"), [(V1_0, False), (V1_1, False), (V1_4, False), (V1_4, True)])
def test_the_answers_header_is_what_old_clients_read(
    connection: Connection, version: Version, correlated: bool
) -> None:
    """Version, Time Stamp, Batch Count; Correlation Values, the client's and the server's, where the client sent one."""
    header: list[Item] = [(Tag.MAXIMUM_RESPONSE_SIZE, ttlv.INTEGER, 65536)]
    if correlated:
        header.append((Tag.CLIENT_CORRELATION_VALUE, ttlv.TEXT_STRING, "c-1"))
    message = request_message(
        version, [(int(Op.QUERY), encode_structure(QueryRequest(), version), b"1")], header=header
    )
    response = connection.exchange(message)
    expected = [Tag.PROTOCOL_VERSION, Tag.TIME_STAMP, Tag.BATCH_COUNT]
    if correlated:
        expected[2:2] = [Tag.CLIENT_CORRELATION_VALUE, Tag.SERVER_CORRELATION_VALUE]
    assert tags(children(response, Tag.RESPONSE_HEADER)[0]) == expected


def test_header_fields_in_an_order_of_the_clients_own(connection: Connection) -> None:
    version = (
        Tag.PROTOCOL_VERSION,
        ttlv.STRUCTURE,
        [(Tag.PROTOCOL_VERSION_MAJOR, ttlv.INTEGER, 1), (Tag.PROTOCOL_VERSION_MINOR, ttlv.INTEGER, 0)],
    )
    fields: list[Item] = [
        (Tag.BATCH_COUNT, ttlv.INTEGER, 1),
        (Tag.TIME_STAMP, ttlv.DATE_TIME, 1_700_000_000),
        (Tag.BATCH_ORDER_OPTION, ttlv.BOOLEAN, True),
        version,
        (Tag.MAXIMUM_RESPONSE_SIZE, ttlv.INTEGER, 8192),
    ]
    item = (
        Tag.BATCH_ITEM,
        ttlv.STRUCTURE,
        [(Tag.OPERATION, ttlv.ENUMERATION, int(Op.QUERY)), encode_structure(QueryRequest(), V1_0)],
    )
    whole = [(Tag.REQUEST_HEADER, ttlv.STRUCTURE, fields), item]
    response = connection.exchange(ttlv.encode((Tag.REQUEST_MESSAGE, ttlv.STRUCTURE, whole)))
    assert status(children(response, Tag.BATCH_ITEM)[0]) == SUCCESS


def test_a_vendors_message_extension_that_is_not_critical_is_passed_over(connection: Connection) -> None:
    extension = (
        Tag.MESSAGE_EXTENSION,
        ttlv.STRUCTURE,
        [
            (Tag.VENDOR_IDENTIFICATION, ttlv.TEXT_STRING, "a vendor"),
            (Tag.CRITICALITY_INDICATOR, ttlv.BOOLEAN, False),
            (Tag.VENDOR_EXTENSION, ttlv.STRUCTURE, [(0x540001, ttlv.INTEGER, 1)]),
        ],
    )
    message = ttlv.decode(request_message(V1_2, [(int(Op.QUERY), encode_structure(QueryRequest(), V1_2), None)]))
    message[2][1][2].append(extension)
    assert status(children(connection.exchange(ttlv.encode(message)), Tag.BATCH_ITEM)[0]) == SUCCESS


# --- who a client is ----------------------------------------------------------------------------


def test_a_device_with_its_own_certificate(server: RunningServer, tmp_path: Path) -> None:
    """Self-signed: unknown at first, pinned by the administrator, and out again when revoked; without a restart."""
    certificate, key = tmp_path / "device.pem", tmp_path / "device.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=whatever"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    tls = ssl.create_default_context(cafile=server.ca)
    tls.load_cert_chain(certificate, key)

    def served() -> bool:
        try:
            with Connection(server, tls=tls) as connection:
                (item,) = Client(connection, V1_2).batch((Op.CREATE, r.create()))
                return status(item) == SUCCESS
        except (ssl.SSLError, ConnectionError, ttlv.CodecError):
            return False

    assert not served()
    server.admin("client", "enroll", "device-1", "--role", "Appliance", "--certificate", str(certificate))
    assert served()
    assert '"owner": "principal:device-1"' in server.admin("key", "list", "--json", "--limit", "1").stdout
    server.admin("client", "revoke", "device-1")
    assert not served()


def test_a_cluster_shares_its_keys(server: RunningServer, tmp_path: Path) -> None:
    """What a member of a group makes belongs to the group; a stranger to it sees nothing."""
    clients = []
    for node in ("node-1", "node-2"):
        server.admin(
            "client", "enroll", node, "--role", "Appliance", "--group", "cluster", "--out", str(tmp_path / node)
        )
        for suffix in ("pem", "key"):
            (server.folder / "certs" / f"{node}.{suffix}").write_bytes((tmp_path / f"{node}.{suffix}").read_bytes())
        clients.append(Client(Connection(server, node), V1_2))
    one, two = clients
    uid = one.call(Op.CREATE, r.create(r.name("of the cluster"))).unique_identifier
    two.call(Op.ACTIVATE, ActivateRequest(unique_identifier=uid))
    one.call(Op.GET, GetRequest(unique_identifier=uid))
    with pytest.raises(Refused):
        two.call(Op.CREATE, r.create(r.name("of the cluster")))
    with Connection(server) as connection, pytest.raises(Refused) as refused:
        Client(connection, V1_2).call(Op.GET, GetRequest(unique_identifier=uid))
    assert refused.value.reason == ResultReason.ITEM_NOT_FOUND
    for client in clients:
        client.connection.close()
