"""The items of one message: their order, what a failure does to the others, one result for each.

Strategy: items are performed in the order in which they stand, whatever the Batch Order Option says: an order is
always allowed. A failed item leaves nothing behind. Under Undo nothing of the whole batch stays: what earlier
items left is dropped before anything is written. KMIP 1.4 §6.12-6.15 and §11 "Batch Items".
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from kmip_server.engine import registry
from kmip_server.engine.check import CheckFailed
from kmip_server.engine.context import Context
from kmip_server.engine.ports import AuditEntry
from kmip_server.errors import (
    InternalError,
    KmipError,
    OperationNotSupported,
    ResponseTooLarge,
    ServerLimitExceeded,
    UnknownMessageExtension,
)
from kmip_server.frozen import frozen
from kmip_server.protocol import ttlv
from kmip_server.protocol.codec import decode_structure, encode_structure
from kmip_server.protocol.enums import (
    BatchErrorContinuationOption,
    Operation,
    ResultReason,
    ResultStatus,
)
from kmip_server.protocol.messages import (
    RejectedBatchItem,
    RequestBatchItem,
    RequestMessage,
    ResponseBatchItem,
    operation_of,
)
from kmip_server.protocol.reasons import reason_of
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item

log = logging.getLogger(__name__)

_CONTINUE = BatchErrorContinuationOption.CONTINUE
_UNDO = BatchErrorContinuationOption.UNDO
NO_MEMORY = "the server is short of memory; try again later, or ask for less at once"
INTERNAL = InternalError.for_client


@frozen
class Recorder:
    """What every record of this request has in common."""

    request_identifier: str
    source: str
    policy_revision: int
    client_correlation_value: str = ""

    def entry(self, context: Context, operation: str, outcome: str, reason: str = "", rule: str = "") -> AuditEntry:
        return AuditEntry(
            request_identifier=self.request_identifier,
            principal=context.principal.name,
            authentication=context.principal.authentication,
            source=self.source,
            operation=operation,
            version=str(context.version),
            object=context.touched,
            outcome=outcome,
            reason=reason,
            rule=rule or context.decided_rule,
            policy_revision=self.policy_revision,
            client_correlation_value=self.client_correlation_value,
        )


def run(context: Context, message: RequestMessage, recorder: Recorder) -> list[ResponseBatchItem]:
    """Perform the items and return their results. What they changed and their record are in `context`."""
    option = message.header.batch_error_continuation_option
    start = before = context.checkpoint()
    context.keeps_answers = context.version.major > 1 and len(message.batch_items) > 1
    room = context.policy.max_response_bytes
    results: list[ResponseBatchItem] = []
    entries: list[AuditEntry] = []
    for item in message.batch_items:
        if results:
            before = context.checkpoint()
        context.touched, context.decided_rule = "", ""
        result, entry = _perform(context, item, recorder, room)
        if result.response_payload is not None:
            room -= len(result.response_payload[2])
        results.append(result)
        entries.append(entry)
        if result.result_status == ResultStatus.SUCCESS:
            continue
        placeholder = context.id_placeholder
        context.roll_back(before)
        if isinstance(item, RequestBatchItem) and item.operation == Operation.CHECK:
            # A Check that fails empties the ID Placeholder (KMIP 1.4 §4.10).
            context.id_placeholder = placeholder
        if option == _UNDO:
            context.roll_back(start)
            results[:-1] = [_undone(each) for each in results[:-1]]
            entries[:-1] = [each._replace(outcome="undone") for each in entries[:-1]]
        if option != _CONTINUE:
            break
    for entry in entries:
        context.record(entry)
    return results


def _undone(result: ResponseBatchItem) -> ResponseBatchItem:
    """As if it had not been: its answer still says what it was about, but gives away nothing it made or opened."""
    payload = result.response_payload
    if payload is not None:
        payload = ttlv.decode(payload[2])
        payload = (payload[0], payload[1], [field for field in payload[2] if field[0] in _TOLD_OF_UNDONE])
    return replace(result, result_status=ResultStatus.OPERATION_UNDONE, response_payload=payload)


_TOLD_OF_UNDONE = frozenset(
    {
        Tag.OBJECT_TYPE,
        Tag.UNIQUE_IDENTIFIER,
        Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER,
        Tag.PUBLIC_KEY_UNIQUE_IDENTIFIER,
    }
)


def _perform(
    context: Context, item: RequestBatchItem | RejectedBatchItem, recorder: Recorder, room: int
) -> tuple[ResponseBatchItem, AuditEntry]:
    operation = operation_of(item.operation) if item.operation is not None else None
    title = operation.title if operation is not None else f"unknown operation {item.operation}"
    try:
        if isinstance(item, RejectedBatchItem):
            raise item.error
        # Encoded at once: what cannot be encoded fails alone, and what is too much is known before there is more.
        payload = _encoded(_payload(context, item, operation))
        if len(payload[2]) > room:
            most = context.policy.max_response_bytes
            raise ResponseTooLarge(f"the answer to a message has at most {most} bytes; ask for less at once")
        result = ResponseBatchItem(
            operation=item.operation,
            unique_batch_item_id=item.unique_batch_item_id,
            result_status=ResultStatus.SUCCESS,
            response_payload=payload,
        )
        return result, recorder.entry(context, title, "allowed")
    except InternalError as error:
        log.error("request %s: %s: %s", recorder.request_identifier, title, error.message)
        failed = _failed(context, item, operation, InternalError(error.for_client))
    except KmipError as error:
        failed = _failed(context, item, operation, error)
    except MemoryError:
        log.error("request %s: %s: %s", recorder.request_identifier, title, NO_MEMORY)
        failed = _failed(context, item, operation, ServerLimitExceeded(NO_MEMORY))
    except Exception:
        # Whatever it is, it is our fault: the log has it, the client gets the request identifier's worth.
        log.exception("request %s: %s failed", recorder.request_identifier, title)
        failed = _failed(context, item, operation, InternalError(INTERNAL))
    assert failed.result_reason is not None
    outcome = "refused" if failed.result_reason in _REFUSALS else "failed"
    return failed, recorder.entry(context, title, outcome, failed.result_reason.title)


_REFUSALS = frozenset(
    {
        ResultReason.PERMISSION_DENIED,
        ResultReason.ITEM_NOT_FOUND,
        ResultReason.OBJECT_NOT_FOUND,
        ResultReason.AUTHENTICATION_NOT_SUCCESSFUL,
        ResultReason.NOT_EXTRACTABLE,
        ResultReason.SENSITIVE,
    }
)


def _payload(context: Context, item: RequestBatchItem, operation: Operation | None) -> Item:
    """The response payload, as the version has it."""
    for extension in item.message_extensions:
        if extension.criticality_indicator:
            raise UnknownMessageExtension("a critical Message Extension is not understood")
    registration = registry.find(item.operation, context.version)
    if registration is None:
        title = operation.title if operation is not None else f"0x{item.operation:08X}"
        raise OperationNotSupported(f"the operation {title} is not served in KMIP {context.version}")
    request: Any = decode_structure(registration.request, item.request_payload, context.version)
    if context.version.major > 1:
        request = context.with_data(request)
    response = registration.perform(context, request)
    if context.keeps_answers:
        context.remember(registration.operation, response)
    payload = encode_structure(response, context.version)
    if item.ephemeral:
        # What it puts out is for later items of the batch, not for the client (KMIP 2.1 §8.3).
        payload = (payload[0], payload[1], [field for field in payload[2] if field[0] not in _PUT_OUT])
    return payload


def _encoded(payload: Item) -> Item:
    return payload[0], ttlv.ENCODED, ttlv.encode(payload)


_PUT_OUT = frozenset({Tag.DATA, Tag.MAC_DATA, Tag.SIGNATURE_DATA})


def _failed(
    context: Context,
    item: RequestBatchItem | RejectedBatchItem,
    operation: Operation | None,
    error: KmipError,
) -> ResponseBatchItem:
    payload: Any = None
    if isinstance(error, CheckFailed) and context.version.major == 1:
        payload = _encoded(encode_structure(error.response, context.version))
    return ResponseBatchItem(
        operation=item.operation,
        unique_batch_item_id=item.unique_batch_item_id,
        result_status=ResultStatus.OPERATION_FAILED,
        result_reason=reason_of(error, operation, context.version),
        result_message=error.message,
        response_payload=payload,
    )
