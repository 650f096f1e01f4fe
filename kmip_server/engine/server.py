"""Operations about the server itself: Ping, Log, Interop, Set Endpoint Role. KMIP 2.1 section 6.1."""

from __future__ import annotations

import logging

from kmip_server.engine import states
from kmip_server.engine.context import Context
from kmip_server.engine.ports import LocateQuery
from kmip_server.engine.registry import operation
from kmip_server.errors import FeatureNotSupported, InvalidField, MissingData, OperationNotSupported
from kmip_server.protocol.enums import EndpointRole, InteropFunction, Operation
from kmip_server.protocol.payloads.server import (
    InteropRequest,
    InteropResponse,
    LogRequest,
    LogResponse,
    PingRequest,
    PingResponse,
    SetEndpointRoleRequest,
    SetEndpointRoleResponse,
)
from kmip_server.protocol.tags import Tag

log = logging.getLogger(__name__)

MAX_LOG_CHARACTERS = 4096
"""A longer Log Message is refused."""


@operation(Operation.PING)
def ping(context: Context, request: PingRequest) -> PingResponse:  # noqa: ARG001
    """Say that the server is alive. KMIP 2.1 §6.1.36."""
    context.permit(Operation.PING)
    return PingResponse()


@operation(Operation.LOG)
def write_log(context: Context, request: LogRequest) -> LogResponse:
    """Write a client's message into the server's log, on one line, whatever it holds.

    Raises InvalidField for one that is too long. KMIP 2.1 §6.1.29.
    """
    context.permit(Operation.LOG)
    if len(request.log_message) > MAX_LOG_CHARACTERS:
        raise InvalidField(f"a Log Message has at most {MAX_LOG_CHARACTERS} characters")
    log.info("client %s says: %s", context.principal.name, _on_one_line(request.log_message))
    return LogResponse()


def _on_one_line(text: str) -> str:
    """Printable: a client must not be able to forge further lines of the log."""
    return ascii(text)


@operation(Operation.INTEROP)
def interop(context: Context, request: InteropRequest) -> InteropResponse:
    """Note where a test between products begins and ends, or clear away what it left: the client's own objects.

    "It SHALL NOT be available in a production server": without the setting protocol.interop it does not exist.
    Raises OperationNotSupported, MissingData. KMIP 2.1 §6.1.26.
    """
    if not context.policy.interop:
        raise OperationNotSupported("Interop is switched off; protocol.interop is for servers that only test")
    context.permit(Operation.INTEROP)
    if request.interop_function == InteropFunction.RESET:
        _clear(context)
    elif request.interop_identifier is None:
        raise MissingData("Interop must have an Interop Identifier")
    log.info(
        "client %s: Interop %s %s",
        context.principal.name,
        request.interop_function.title,
        _on_one_line(request.interop_identifier or ""),
    )
    return InteropResponse()


def _clear(context: Context) -> None:
    """Destroy every object of the principal, whatever its State."""
    every = LocateQuery(
        domain=context.principal.domain,
        owners=None,
        conditions=(),
        include_destroyed=False,
        include_archived=True,
    )
    for stored in list(context.candidates(every)):
        if stored.owner in context.principal.owners:
            found = context.open(stored.unique_identifier, Operation.REVOKE)
            ends = {Tag.STATE: states.DESTROYED, Tag.DESTROY_DATE: context.now}
            context.erase(found, found.attributes.with_values(ends))


@operation(Operation.SET_ENDPOINT_ROLE)
def set_endpoint_role(context: Context, request: SetEndpointRoleRequest) -> SetEndpointRoleResponse:
    """Settle who is the server on this connection: this end is, and stays so.

    Raises FeatureNotSupported where the client wants to change places. KMIP 2.1 §6.1.54.
    """
    context.permit(Operation.SET_ENDPOINT_ROLE)
    if request.endpoint_role != EndpointRole.SERVER:
        raise FeatureNotSupported("this end of the connection is a server only; it sends no requests")
    return SetEndpointRoleResponse(endpoint_role=EndpointRole.SERVER)
