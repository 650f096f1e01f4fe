"""Application Data that the server makes up. KMIP 1.4 §3.36."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kmip_server.engine.namespaces import SUPPORTED
from kmip_server.protocol.attribute_set import Attribute
from kmip_server.protocol.attribute_values import ApplicationSpecificInformation
from kmip_server.protocol.enums import Operation, QueryFunction, ResultReason
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    GetAttributesRequest,
    ModifyAttributeRequest,
    SetAttributeRequest,
)
from kmip_server.protocol.payloads.discovery import QueryRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_0, V1_4, V2_0, V2_1, Version
from tests.support.engine import SERVED, Engine, Refused
from tests.support.requests import create

ASI = Tag.APPLICATION_SPECIFIC_INFORMATION
KEY_IDENTIFIER = re.compile("([0-9A-F]{2}){12}")


def information(namespace: str, data: str | None = None) -> Attribute:
    value = ApplicationSpecificInformation(application_namespace=namespace, application_data=data)
    return Attribute(ASI, None, value)


def data_of(engine: Engine, uid: str) -> list[tuple[str, str]]:
    request = GetAttributesRequest(unique_identifier=uid, attribute_names=(ASI,))
    values = [each.value for each in engine.call(Operation.GET_ATTRIBUTES, request).attributes]
    return [(each.application_namespace, each.application_data) for each in values]


@pytest.mark.parametrize("version", SERVED)
def test_query_lists_the_namespaces_for_which_data_is_made_up(engine: Engine, version: Version) -> None:
    request = QueryRequest(query_functions=(QueryFunction.QUERY_APPLICATION_NAMESPACES,))
    listed = engine.call(Operation.QUERY, request, version=version).application_namespaces
    assert listed == SUPPORTED
    for namespace in listed:
        uid = engine.call(Operation.CREATE, create(information(namespace)), version=version).unique_identifier
        ((kept, data),) = data_of(engine, uid)
        assert kept == namespace
        assert KEY_IDENTIFIER.fullmatch(data)
    others = QueryRequest(query_functions=(QueryFunction.QUERY_OPERATIONS,))
    assert engine.call(Operation.QUERY, others, version=version).application_namespaces == ()


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_0, V2_1])
@pytest.mark.parametrize("namespace", ["ssl", "LIBRARY-LTO3", "library-lto", ""])
def test_other_namespaces_need_their_data(engine: Engine, namespace: str, version: Version) -> None:
    reason = ResultReason.APPLICATION_NAMESPACE_NOT_SUPPORTED
    uid = engine.call(Operation.CREATE, create(), version=version).unique_identifier
    requests: list[tuple[Operation, Any]] = [
        (Operation.CREATE, create(information(namespace))),
        (Operation.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=uid, attribute=information(namespace))),
        (
            Operation.MODIFY_ATTRIBUTE,
            ModifyAttributeRequest(unique_identifier=uid, attribute=information(namespace)),
        ),
    ]
    for operation, request in requests:
        with pytest.raises(Refused) as refused:
            engine.call(operation, request, version=version)
        assert refused.value.reason == reason
    assert data_of(engine, uid) == []
    given = create(information(namespace, "given"))
    uid = engine.call(Operation.CREATE, given, version=version).unique_identifier
    assert data_of(engine, uid) == [(namespace, "given")]


def test_add_and_modify_answer_what_was_made_up(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    given = information("LIBRARY-LTO")
    added = engine.call(Operation.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=uid, attribute=given))
    first = added.attribute.value.application_data
    assert data_of(engine, uid) == [("LIBRARY-LTO", first)]
    changed = engine.call(
        Operation.MODIFY_ATTRIBUTE, ModifyAttributeRequest(unique_identifier=uid, attribute=given)
    )
    second = changed.attribute.value.application_data
    assert data_of(engine, uid) == [("LIBRARY-LTO", second)]
    assert second != first
    asked = LocateRequest(attributes=(information("LIBRARY-LTO", second),))
    assert engine.call(Operation.LOCATE, asked).unique_identifiers == (uid,)


def test_2_x_sets_it_and_reads_it_back(engine: Engine) -> None:
    uid = engine.call(Operation.CREATE, create(), version=V2_1).unique_identifier
    request = SetAttributeRequest(unique_identifier=uid, attribute=information("LIBRARY-LTO7"))
    engine.call(Operation.SET_ATTRIBUTE, request, version=V2_1)
    ((_, data),) = data_of(engine, uid)
    assert KEY_IDENTIFIER.fullmatch(data)
    # The instance is named by the value that was made up, not by what the client left open.
    for current, refused in ((information("LIBRARY-LTO7"), True), (information("LIBRARY-LTO7", data), False)):
        change = ModifyAttributeRequest(
            unique_identifier=uid, current_attribute=current, attribute=information("ssl", "host")
        )
        if refused:
            with pytest.raises(Refused):
                engine.call(Operation.MODIFY_ATTRIBUTE, change, version=V2_1)
        else:
            engine.call(Operation.MODIFY_ATTRIBUTE, change, version=V2_1)
    assert data_of(engine, uid) == [("ssl", "host")]
