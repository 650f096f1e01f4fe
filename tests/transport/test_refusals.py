"""What a State, a date, a usage mask, a count or a rule forbids leaves everything as it was, over the wire.

`Watching` compares every attribute before and after; the keys here have Usage Limits. The error tables do the same for
every reason of 2.x; here stands what forbids a use, in both majors, and what a batch makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    BatchErrorContinuationOption,
    Operation,
    ResultReason,
    ResultStatus,
    RevocationReasonCode,
    State,
    UsageLimitsUnit,
)
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.lifecycle import DestroyRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_4, V2_0, V2_1, Version
from tests.support import requests as r
from tests.support.engine import Refused, child
from tests.support.provoke import M, active, key
from tests.support.provoke_second import ASKED, LATER, private
from tests.support.server import RunningServer
from tests.support.watching import LIMIT, Watching
from tests.support.wire import Client, Connection

Op, R = Operation, ResultReason
FROM_THE_START = r.attribute(Tag.ACTIVATION_DATE, 0)
# What is told in each of VERSIONS.
WRONG_STATE = (R.PERMISSION_DENIED, R.PERMISSION_DENIED, R.WRONG_KEY_LIFECYCLE_STATE)
WRONG_MASK = (R.PERMISSION_DENIED, *(R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,) * 2)
WRONG_TYPE = (R.PERMISSION_DENIED, *(R.INVALID_OBJECT_TYPE,) * 2)
VERSIONS = (V1_4, V2_0, V2_1)


def revoked(client: Client, code: RevocationReasonCode = RevocationReasonCode.CESSATION_OF_OPERATION) -> str:
    made = active(client)
    client.call(Op.REVOKE, r.revoke(made, code))
    return made


def gone(client: Client) -> str:
    made = key(client)
    client.call(Op.DESTROY, DestroyRequest(unique_identifier=made))
    return made


def dated(tag: Tag, date: int) -> Callable[[Client], str]:
    return lambda client: key(client, FROM_THE_START, r.attribute(tag, date))


class Forbidden(NamedTuple):
    """An operation, the object it is forbidden on, and what is told in each of VERSIONS."""

    operation: Operation
    made: Callable[[Client], str]
    reasons: tuple[ResultReason, ...]
    changes: dict[str, Any] = {}  # noqa: RUF012 - never changed


FORBIDDEN: dict[str, Forbidden] = {
    "Encrypt before activation": Forbidden(Op.ENCRYPT, key, WRONG_STATE),
    "Decrypt before activation": Forbidden(Op.DECRYPT, key, WRONG_STATE),
    "Encrypt after revocation": Forbidden(Op.ENCRYPT, revoked, WRONG_STATE),
    "Encrypt when compromised": Forbidden(
        Op.ENCRYPT, lambda c: revoked(c, RevocationReasonCode.KEY_COMPROMISE), WRONG_STATE
    ),
    "Encrypt when destroyed": Forbidden(Op.ENCRYPT, gone, WRONG_STATE),
    "Decrypt when destroyed": Forbidden(Op.DECRYPT, gone, WRONG_STATE),
    "Get when destroyed": Forbidden(Op.GET, gone, (R.ITEM_NOT_FOUND, R.OBJECT_DESTROYED, R.OBJECT_DESTROYED)),
    "Activate twice": Forbidden(Op.ACTIVATE, active, WRONG_STATE),
    "Destroy when active": Forbidden(Op.DESTROY, active, WRONG_STATE),
    "Revoke before activation": Forbidden(Op.REVOKE, key, WRONG_STATE),
    "Encrypt after the Protect Stop Date": Forbidden(Op.ENCRYPT, dated(Tag.PROTECT_STOP_DATE, 1), WRONG_STATE),
    "Decrypt before the Process Start Date": Forbidden(
        Op.DECRYPT, dated(Tag.PROCESS_START_DATE, LATER), WRONG_STATE
    ),
    "Encrypt after the Deactivation Date": Forbidden(Op.ENCRYPT, dated(Tag.DEACTIVATION_DATE, 1), WRONG_STATE),
    "Encrypt without the bit": Forbidden(Op.ENCRYPT, lambda c: active(c, mask=M.DECRYPT), WRONG_MASK),
    "Decrypt without the bit": Forbidden(Op.DECRYPT, lambda c: active(c, mask=M.ENCRYPT), WRONG_MASK),
    "MAC without the bit": Forbidden(Op.MAC, lambda c: active(c, mask=M.ENCRYPT), WRONG_MASK),
    "Sign with a key that does not": Forbidden(Op.SIGN, active, WRONG_TYPE),
    "Encrypt with a private key": Forbidden(Op.ENCRYPT, private, WRONG_TYPE),
    "Encrypt more than is left": Forbidden(
        Op.ENCRYPT, active, (R.PERMISSION_DENIED,) * 3, {"data": bytes(LIMIT + 16 - LIMIT % 16)}
    ),
    "MAC more than is left": Forbidden(
        Op.MAC,
        active,
        (R.PERMISSION_DENIED, *(R.USAGE_LIMIT_EXCEEDED,) * 2),
        {"data": bytes(LIMIT + 1)},
    ),
    "Encrypt what does not fit": Forbidden(
        Op.ENCRYPT, active, (R.CRYPTOGRAPHIC_FAILURE,) * 3, {"data": b"no block"}
    ),
    "Encrypt without an IV": Forbidden(
        Op.ENCRYPT,
        active,
        (R.INVALID_MESSAGE, *(R.MISSING_INITIALIZATION_VECTOR,) * 2),
        {"iv_counter_nonce": None},
    ),
    "Get what is not Extractable": Forbidden(
        Op.GET, lambda c: key(c, r.attribute(Tag.EXTRACTABLE, False)), (R.NOT_EXTRACTABLE,) * 3
    ),
    "Get what is Sensitive": Forbidden(
        Op.GET, lambda c: key(c, r.attribute(Tag.SENSITIVE, True)), (R.SENSITIVE,) * 3
    ),
}


@pytest.fixture(scope="module")
def connections(server: RunningServer) -> Iterator[dict[str, Connection]]:
    with Connection(server) as own, Connection(server, "client2") as other, Connection(server, "admin") as admin:
        yield {"own": own, "other": other, "admin": admin}


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("case", FORBIDDEN)
def test_what_is_forbidden_changes_nothing(connections: dict[str, Connection], case: str, version: Version) -> None:
    operation, made, reasons, changes = FORBIDDEN[case]
    client = Watching(connections["own"], version)
    unique_identifier = made(client)
    assert Tag.USAGE_LIMITS in seen(client, unique_identifier)
    with pytest.raises(Refused) as refused:
        client.call(operation, replace(ASKED[operation](unique_identifier), **changes))
    assert refused.value.reason == reasons[VERSIONS.index(version)], refused.value
    assert client.watched == {unique_identifier}


@pytest.mark.parametrize("version", [V1_4, V2_1], ids=str)
@pytest.mark.parametrize("who", ["other", "admin"])
@pytest.mark.parametrize("operation", [Op.GET, Op.ENCRYPT, Op.DECRYPT, Op.MAC, Op.RE_KEY], ids=lambda o: o.title)
def test_what_somebody_else_may_not_changes_nothing(
    connections: dict[str, Connection], operation: Operation, who: str, version: Version
) -> None:
    """To another client the key does not exist; an administrator sees it, and may not use it."""
    owner = Watching(connections["own"], version)
    unique_identifier = active(owner)
    somebody = Watching(connections[who], version, owner=owner)
    with pytest.raises(Refused) as refused:
        somebody.call(operation, ASKED[operation](unique_identifier))
    absent = R.ITEM_NOT_FOUND if version == V1_4 else R.OBJECT_NOT_FOUND
    assert refused.value.reason == (R.PERMISSION_DENIED if who == "admin" else absent)
    assert unique_identifier in somebody.watched


def seen(client: Client, unique_identifier: str) -> dict[Any, Any]:
    request = GetAttributesRequest(unique_identifier=unique_identifier)
    return {each.key: each.value for each in client.call(Op.GET_ATTRIBUTES, request).attributes}


def left(client: Client, unique_identifier: str) -> int:
    count: int = seen(client, unique_identifier)[Tag.USAGE_LIMITS].usage_limits_count
    return count


@pytest.mark.parametrize("version", [V1_4, V2_1], ids=str)
def test_the_last_bytes_can_be_used_after_a_refusal(connections: dict[str, Connection], version: Version) -> None:
    client = Watching(connections["own"], version)
    limits = UsageLimits(usage_limits_total=32, usage_limits_unit=UsageLimitsUnit.BYTE)
    made = key(client, FROM_THE_START, r.attribute(Tag.USAGE_LIMITS, limits))
    usual = ASKED[Op.ENCRYPT](made)
    client.call(Op.ENCRYPT, usual)
    with pytest.raises(Refused):
        client.call(Op.ENCRYPT, replace(usual, data=bytes(32)))
    assert left(client, made) == 16
    client.call(Op.ENCRYPT, usual)
    with pytest.raises(Refused):
        client.call(Op.ENCRYPT, usual)
    assert left(client, made) == 0
    assert seen(client, made)[Tag.STATE] == State.ACTIVE


@pytest.mark.parametrize("version", [V1_4, V2_1], ids=str)
@pytest.mark.parametrize(
    ("option", "used"),
    [
        (BatchErrorContinuationOption.STOP, 16),
        (BatchErrorContinuationOption.CONTINUE, 32),
        (BatchErrorContinuationOption.UNDO, 0),
    ],
    ids=lambda each: getattr(each, "title", ""),
)
def test_in_a_batch_what_succeeded_alone_is_counted(
    connections: dict[str, Connection], option: BatchErrorContinuationOption, used: int, version: Version
) -> None:
    client = Client(connections["own"], version)
    limits = UsageLimits(usage_limits_total=LIMIT, usage_limits_unit=UsageLimitsUnit.BYTE)
    made = key(client, FROM_THE_START, r.attribute(Tag.USAGE_LIMITS, limits))
    usual = ASKED[Op.ENCRYPT](made)
    refused = replace(usual, data=b"no block")
    payloads = [encode_structure(each, version) for each in (usual, refused, usual)]
    items = client.batch(*((Op.ENCRYPT, each) for each in payloads), option=option)
    statuses = [ResultStatus.of(child(item, Tag.RESULT_STATUS)) for item in items]
    undone = option == BatchErrorContinuationOption.UNDO
    assert statuses[:2] == [
        ResultStatus.OPERATION_UNDONE if undone else ResultStatus.SUCCESS,
        ResultStatus.OPERATION_FAILED,
    ]
    assert len(items) == (3 if option == BatchErrorContinuationOption.CONTINUE else 2)
    assert left(client, made) == LIMIT - used
