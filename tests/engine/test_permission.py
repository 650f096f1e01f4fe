"""Who may do what, on the wire: own, the group's, others', and another domain's objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kmip_server.protocol.enums import Operation, ResultReason
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    DeleteAttributeRequest,
    GetAttributeListRequest,
    GetAttributesRequest,
    ModifyAttributeRequest,
)
from kmip_server.protocol.payloads.check import CheckRequest
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    EncryptRequest,
    MACRequest,
    MACVerifyRequest,
    RNGRetrieveRequest,
    SignatureVerifyRequest,
    SignRequest,
)
from kmip_server.protocol.payloads.discovery import QueryRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.payloads.rekey import RekeyKeyPairRequest, RekeyRequest
from kmip_server.protocol.payloads.transfer import ExportRequest
from tests.support.engine import Engine, Refused
from tests.support.requests import create, custom, name, revoke

READING = [
    (Operation.GET_ATTRIBUTES, GetAttributesRequest()),
    (Operation.GET_ATTRIBUTE_LIST, GetAttributeListRequest()),
    (Operation.CHECK, CheckRequest()),
]
MANAGING = [
    (Operation.ADD_ATTRIBUTE, AddAttributeRequest(attribute=custom("x-New", "value"))),
    (Operation.MODIFY_ATTRIBUTE, ModifyAttributeRequest(attribute=name("renamed"))),
    (Operation.DELETE_ATTRIBUTE, DeleteAttributeRequest(attribute_name="Name")),
    (Operation.ACTIVATE, ActivateRequest()),
    (Operation.REVOKE, revoke(None)),
    (Operation.DESTROY, DestroyRequest()),
]
SEEING_KEYS = [
    (Operation.GET, GetRequest()),
    (Operation.EXPORT, ExportRequest()),
    (Operation.RE_KEY, RekeyRequest()),
    (Operation.RE_KEY_KEY_PAIR, RekeyKeyPairRequest()),
    (Operation.ENCRYPT, EncryptRequest(data=b"x")),
    (Operation.DECRYPT, DecryptRequest(data=b"x")),
    (Operation.SIGN, SignRequest(data=b"x")),
    (Operation.SIGNATURE_VERIFY, SignatureVerifyRequest(data=b"x")),
    (Operation.MAC, MACRequest(data=b"x")),
    (Operation.MAC_VERIFY, MACVerifyRequest(data=b"x")),
]
EVERY = READING + MANAGING + SEEING_KEYS
_title = lambda value: getattr(value, "title", "")  # noqa: E731


def naming(request: Any, unique_identifier: str) -> Any:
    """The request for this object."""
    if isinstance(request, RekeyKeyPairRequest):
        return replace(request, private_key_unique_identifier=unique_identifier)
    return replace(request, unique_identifier=unique_identifier)


def reason(engine: Engine, operation: Operation, request: Any, principal: str) -> tuple[ResultReason, str]:
    with pytest.raises(Refused) as refused:
        engine.call(operation, request, principal=principal)
    return refused.value.reason, refused.value.message


@pytest.mark.parametrize(("operation", "request_"), EVERY, ids=_title)
@pytest.mark.parametrize("principal", ["two", "nobody", "elsewhere"])
def test_what_is_not_yours_is_as_if_it_were_absent(
    engine: Engine, operation: Operation, request_: Any, principal: str
) -> None:
    uid = engine.call(Operation.CREATE, create(name("mine"))).unique_identifier
    forbidden = reason(engine, operation, naming(request_, uid), principal)
    absent = reason(engine, operation, naming(request_, "absent"), principal)
    assert forbidden == absent
    assert forbidden[0] == ResultReason.ITEM_NOT_FOUND


@pytest.mark.parametrize(("operation", "request_"), READING + MANAGING[:4], ids=_title)
def test_an_administrator_manages(engine: Engine, operation: Operation, request_: Any) -> None:
    uid = engine.call(Operation.CREATE, create(name("mine"))).unique_identifier
    engine.call(operation, naming(request_, uid), principal="admin")


@pytest.mark.parametrize(("operation", "request_"), SEEING_KEYS, ids=_title)
def test_an_administrator_does_not_see_keys(engine: Engine, operation: Operation, request_: Any) -> None:
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    denied = reason(engine, operation, naming(request_, uid), "admin")
    assert denied[0] == ResultReason.PERMISSION_DENIED


def test_an_administrator_locates_the_whole_domain_and_no_other(engine: Engine) -> None:
    one = engine.call(Operation.CREATE, create()).unique_identifier
    two = engine.call(Operation.CREATE, create(), principal="two").unique_identifier
    other = engine.call(Operation.CREATE, create(), principal="elsewhere").unique_identifier
    found = engine.call(Operation.LOCATE, LocateRequest(), principal="admin").unique_identifiers
    assert set(found) == {one, two}
    assert other not in found


def test_no_role_no_operation(engine: Engine) -> None:
    for operation, request in (
        (Operation.CREATE, create()),
        (Operation.RNG_RETRIEVE, RNGRetrieveRequest(data_length=8)),
    ):
        assert reason(engine, operation, request, "nobody")[0] == ResultReason.PERMISSION_DENIED


def test_query_needs_a_principal_but_no_object(engine: Engine) -> None:
    engine.call(Operation.QUERY, QueryRequest())


def test_two_owners_may_use_the_same_name(engine: Engine) -> None:
    engine.call(Operation.CREATE, create(name("same")))
    engine.call(Operation.CREATE, create(name("same")), principal="two")
    assert reason(engine, Operation.CREATE, create(name("same")), "one")[0] == ResultReason.INVALID_FIELD


def test_refusals_are_on_record_with_their_rule(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    reason(engine, Operation.GET, GetRequest(unique_identifier=uid), "two")
    record = engine.connect().execute("SELECT record FROM audit_records ORDER BY number DESC").fetchone()[0]
    assert '"two"' in record
    assert uid in record
    assert "default deny: not visible" in record
