"""Ping, Log, Interop and Set Endpoint Role."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kmip_server.engine.context import Policy
from kmip_server.engine.server import MAX_LOG_CHARACTERS
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
from kmip_server.protocol.versions import V2_0, V2_1
from tests.support.engine import SERVED, Engine, Refused
from tests.support.requests import create, name

Op = Operation
OPERATIONS = QueryRequest(query_functions=(QueryFunction.QUERY_OPERATIONS,))


def refused(engine: Engine, operation: Operation, request: object, **options: object) -> ResultReason:
    with pytest.raises(Refused) as found:
        engine.call(operation, request, **{"version": V2_1, **options})  # type: ignore[arg-type]
    return found.value.reason


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
