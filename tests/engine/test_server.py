"""Query, Ping, Log, Interop and Set Endpoint Role."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import pytest

from kmip_server.engine.context import Policy
from kmip_server.engine.server import MAX_LOG_CHARACTERS
from kmip_server.protocol import ttlv
from kmip_server.protocol.enums import (
    EndpointRole,
    InteropFunction,
    Operation,
    QueryFunction,
    ResultReason,
)
from kmip_server.protocol.payloads.discovery import QueryRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.payloads.server import (
    InteropRequest,
    LogRequest,
    PingRequest,
    SetEndpointRoleRequest,
)
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V2_0, V2_1, Version
from tests.support.engine import SERVED, Engine, Refused
from tests.support.requests import create, name

Op = Operation
OPERATIONS = QueryRequest(query_functions=(QueryFunction.QUERY_OPERATIONS,))


def refused(engine: Engine, operation: Operation, request: object, **options: object) -> ResultReason:
    with pytest.raises(Refused) as found:
        engine.call(operation, request, **{"version": V2_1, **options})  # type: ignore[arg-type]
    return found.value.reason


ANSWERED: dict[QueryFunction, frozenset[str]] = {
    QueryFunction.QUERY_OPERATIONS: frozenset({"operations"}),
    QueryFunction.QUERY_OBJECTS: frozenset({"object_types"}),
    QueryFunction.QUERY_SERVER_INFORMATION: frozenset({"vendor_identification", "server_information"}),
    QueryFunction.QUERY_APPLICATION_NAMESPACES: frozenset({"application_namespaces"}),
    # There is nothing of the kind.
    QueryFunction.QUERY_EXTENSION_LIST: frozenset(),
    QueryFunction.QUERY_EXTENSION_MAP: frozenset(),
    QueryFunction.QUERY_ATTESTATION_TYPES: frozenset(),
    QueryFunction.QUERY_VALIDATIONS: frozenset(),
    QueryFunction.QUERY_PROFILES: frozenset(),
    QueryFunction.QUERY_CLIENT_REGISTRATION_METHODS: frozenset(),
    QueryFunction.QUERY_RNGS: frozenset({"rng_parameters"}),
    QueryFunction.QUERY_CAPABILITIES: frozenset({"capability_information"}),
    QueryFunction.QUERY_DEFAULTS_INFORMATION: frozenset({"defaults_information"}),
    QueryFunction.QUERY_STORAGE_PROTECTION_MASKS: frozenset({"protection_storage_masks"}),
}
UNREGISTERED = 0x80000001


def answered(engine: Engine, version: Version, *functions: int, **more: object) -> frozenset[str]:
    """The fields of the answer that hold something."""
    request = QueryRequest(query_functions=functions, **more)  # type: ignore[arg-type]
    response = engine.call(Op.QUERY, request, version=version)
    names = (field.name for field in dataclasses.fields(response))
    return frozenset(name for name in names if getattr(response, name) not in (None, ()))


@pytest.mark.parametrize("version", Version, ids=str)
def test_each_query_function_of_each_version_is_answered_with_its_own_items(
    engine: Engine, version: Version
) -> None:
    """What a version does not know yet stays unanswered, as does what nobody registered."""
    assert set(ANSWERED) == set(QueryFunction)
    everything: set[str] = set()
    for function, items in ANSWERED.items():
        expected = items if function.known_in(version) else frozenset()
        assert answered(engine, version, function) == expected, function.title
        everything |= expected
    assert answered(engine, version, UNREGISTERED) == frozenset()
    assert answered(engine, version, *QueryFunction, UNREGISTERED) == everything


def test_the_defaults_are_those_of_every_object_group(engine: Engine) -> None:
    groups = (Tag.OBJECT_GROUPS, ttlv.STRUCTURE, [(Tag.OBJECT_GROUP, ttlv.TEXT_STRING, "of the arrays")])
    asked = (QueryFunction.QUERY_DEFAULTS_INFORMATION,)
    responses = [
        engine.call(Op.QUERY, QueryRequest(query_functions=asked, object_groups=each), version=V2_1)
        for each in (None, groups)
    ]
    assert responses[0].defaults_information is not None
    assert responses[0] == responses[1]


def test_ping_is_answered_from_2_1_on(engine: Engine) -> None:
    engine.call(Op.PING, PingRequest(), version=V2_1)
    assert refused(engine, Op.PING, PingRequest(), version=V2_0) == ResultReason.OPERATION_NOT_SUPPORTED
    assert refused(engine, Op.PING, PingRequest(), principal="nobody") == ResultReason.PERMISSION_DENIED


def test_a_log_message_stays_on_one_line(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        engine.call(Op.LOG, LogRequest(log_message="up\nERROR forged \x1b[31m\u2028line"), version=V2_0)
    (record,) = [each for each in caplog.records if "client one says" in each.getMessage()]
    text = record.getMessage()
    assert text.isprintable()
    assert "forged" in text


def test_a_log_message_has_a_bound(engine: Engine) -> None:
    engine.call(Op.LOG, LogRequest(log_message="x" * MAX_LOG_CHARACTERS), version=V2_1)
    too_long = LogRequest(log_message="x" * (MAX_LOG_CHARACTERS + 1))
    assert refused(engine, Op.LOG, too_long) == ResultReason.INVALID_FIELD


def test_this_end_is_and_stays_the_server(engine: Engine) -> None:
    answer = engine.call(
        Op.SET_ENDPOINT_ROLE, SetEndpointRoleRequest(endpoint_role=EndpointRole.SERVER), version=V2_0
    )
    assert answer.endpoint_role == EndpointRole.SERVER
    change = SetEndpointRoleRequest(endpoint_role=EndpointRole.CLIENT)
    assert refused(engine, Op.SET_ENDPOINT_ROLE, change) == ResultReason.FEATURE_NOT_SUPPORTED


BEGIN = InteropRequest(interop_function=InteropFunction.BEGIN, interop_identifier="case")


def test_interop_does_not_exist_in_production(engine: Engine) -> None:
    assert refused(engine, Op.INTEROP, BEGIN) == ResultReason.OPERATION_NOT_SUPPORTED
    assert Op.INTEROP not in engine.call(Op.QUERY, OPERATIONS, version=V2_1).operations


def test_interop_on_a_test_server(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Policy(served=SERVED, interop=True))
    assert Op.INTEROP in engine.call(Op.QUERY, OPERATIONS, version=V2_1).operations
    engine.call(Op.INTEROP, BEGIN, version=V2_1)
    nameless = InteropRequest(interop_function=InteropFunction.END)
    assert refused(engine, Op.INTEROP, nameless) in (ResultReason.MISSING_DATA, ResultReason.INVALID_MESSAGE)
    mine = engine.call(Op.CREATE, create(name("left behind")), version=V2_1).unique_identifier
    engine.call(Op.ACTIVATE, ActivateRequest(unique_identifier=mine), version=V2_1)
    theirs = engine.call(Op.CREATE, create(name("left behind")), principal="two").unique_identifier
    reset = InteropRequest(interop_function=InteropFunction.RESET)
    engine.call(Op.INTEROP, reset, version=V2_1)
    assert engine.call(Op.LOCATE, LocateRequest(), version=V2_1).unique_identifiers == ()
    engine.call(Op.CREATE, create(name("left behind")), version=V2_1)
    assert engine.call(Op.GET, GetRequest(unique_identifier=theirs), principal="two").unique_identifier == theirs
    engine.close()
