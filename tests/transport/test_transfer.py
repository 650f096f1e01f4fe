"""Import, Export and wrapped keys over the wire, in 1.4 and 2.1: two clients of one server, down to the bytes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import keywrap

from kmip_server.protocol import ttlv
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import KeyWrapType, ObjectType, Operation, ResultReason, State, WrappingMethod
from kmip_server.protocol.objects import EncryptionKeyInformation, KeyWrappingSpecification
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.transfer import ExportRequest, ImportRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_4, V2_1, Version
from tests.support import requests as r
from tests.support.engine import Refused, child, children
from tests.support.server import RunningServer
from tests.support.wire import Client, Connection

M, Op = r.M, Operation
VERSIONS = (V1_4, V2_1)


@pytest.fixture
def connections(server: RunningServer) -> Iterator[tuple[Connection, Connection]]:
    with Connection(server) as one, Connection(server, "client2") as two:
        yield one, two


def import_request(uid: str, version: Version, *attributes: r.Attribute, **more: object) -> ImportRequest:
    return ImportRequest(
        unique_identifier=uid,
        object_type=ObjectType.SYMMETRIC_KEY if version.major > 1 else None,
        attributes=attributes,
        **({"managed_object": r.register_key(bytes(range(16))).managed_object} | more),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_a_move_and_who_may_not(connections: tuple[Connection, Connection], version: Version) -> None:
    one, two = (Client(each, version) for each in connections)
    uid = one.fresh_name()
    state = r.attribute(Tag.STATE, State.DEACTIVATED)
    request = import_request(uid, version, state, r.attribute(Tag.INITIAL_DATE, 1_000))
    assert one.call(Op.IMPORT, request).unique_identifier == uid
    sent = one.call(Op.EXPORT, ExportRequest(unique_identifier=uid))
    told = {each.key: each.value for each in sent.attributes}
    assert (told[Tag.STATE], told[Tag.INITIAL_DATE]) == (State.DEACTIVATED, 1_000)
    assert sent.managed_object == request.managed_object
    absent = {V1_4: ResultReason.ITEM_NOT_FOUND, V2_1: ResultReason.OBJECT_NOT_FOUND}[version]
    replacing = import_request(uid, version, replace_existing=True)
    for operation, attempt, reason in (
        (Op.EXPORT, ExportRequest(unique_identifier=uid), absent),
        (Op.IMPORT, replacing, ResultReason.OBJECT_ALREADY_EXISTS),
    ):
        with pytest.raises(Refused) as refused:
            two.call(operation, attempt)
        assert refused.value.reason == reason
    one.call(Op.IMPORT, replacing)
    again = one.call(Op.EXPORT, ExportRequest(unique_identifier=uid))
    assert {each.key: each.value for each in again.attributes}[Tag.STATE] == State.PRE_ACTIVE


@pytest.mark.parametrize(
    ("version", "order"),
    [
        (V1_4, [Tag.UNIQUE_IDENTIFIER, Tag.REPLACE_EXISTING, Tag.KEY_WRAP_TYPE, Tag.ATTRIBUTE, Tag.SYMMETRIC_KEY]),
        (
            V2_1,
            [
                Tag.UNIQUE_IDENTIFIER,
                Tag.OBJECT_TYPE,
                Tag.REPLACE_EXISTING,
                Tag.KEY_WRAP_TYPE,
                Tag.ATTRIBUTES,
                Tag.SYMMETRIC_KEY,
            ],
        ),
    ],
)
def test_fields_stand_as_the_standard_has_them(
    connections: tuple[Connection, Connection], version: Version, order: list[Tag]
) -> None:
    client = Client(connections[0], version)
    uid = client.fresh_name()
    request = import_request(
        uid,
        version,
        r.attribute(Tag.STATE, State.ACTIVE),
        replace_existing=False,
        key_wrap_type=KeyWrapType.AS_REGISTERED,
    )
    assert [item[0] for item in encode_structure(request, version)[2]] == order
    imported, exported = client.batch((Op.IMPORT, request), (Op.EXPORT, ExportRequest()))
    (payload,) = children(imported, Tag.RESPONSE_PAYLOAD)
    assert payload[2] == [(Tag.UNIQUE_IDENTIFIER, ttlv.TEXT_STRING, uid)]
    (payload,) = children(exported, Tag.RESPONSE_PAYLOAD)
    seen = list(dict.fromkeys(item[0] for item in payload[2]))
    assert seen == [Tag.OBJECT_TYPE, Tag.UNIQUE_IDENTIFIER, order[-2], Tag.SYMMETRIC_KEY]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrapped_get_and_back(connections: tuple[Connection, Connection], version: Version) -> None:
    client = Client(connections[0], version)
    by_key = bytes(range(32))
    by = client.call(
        Op.REGISTER, r.register_key(by_key, r.attribute(Tag.ACTIVATION_DATE, 0), mask=M.WRAP_KEY | M.UNWRAP_KEY)
    ).unique_identifier
    uid = client.call(Op.REGISTER, r.register_key(bytes(16))).unique_identifier
    specification = KeyWrappingSpecification(
        wrapping_method=WrappingMethod.ENCRYPT,
        encryption_key_information=EncryptionKeyInformation(unique_identifier=by),
    )
    wrapped = client.call(Op.GET, GetRequest(unique_identifier=uid, key_wrapping_specification=specification))
    inside = ttlv.decode(keywrap.aes_key_unwrap(by_key, wrapped.managed_object.key_block.key_value))
    assert child(inside, Tag.KEY_MATERIAL) == bytes(16)
    copy = client.fresh_name()
    request = import_request(
        copy, version, managed_object=wrapped.managed_object, key_wrap_type=KeyWrapType.NOT_WRAPPED
    )
    client.call(Op.IMPORT, request)
    back = client.call(Op.GET, GetRequest(unique_identifier=copy)).managed_object.key_block
    assert back.key_value.key_material == bytes(16)
    assert back.key_wrapping_data is None
