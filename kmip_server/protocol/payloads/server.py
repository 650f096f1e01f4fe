"""Operations about the server itself. KMIP 2.1 §6.1.26, 6.1.29, 6.1.36 and 6.1.54."""

from __future__ import annotations

from kmip_server.protocol.enums import EndpointRole, InteropFunction
from kmip_server.protocol.schema import field, structure
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V2_0


@structure(Tag.REQUEST_PAYLOAD)
class PingRequest:
    pass


@structure(Tag.RESPONSE_PAYLOAD)
class PingResponse:
    pass


@structure(Tag.REQUEST_PAYLOAD)
class LogRequest:
    log_message: str = field(Tag.LOG_MESSAGE, since=V2_0)


@structure(Tag.RESPONSE_PAYLOAD)
class LogResponse:
    pass


@structure(Tag.REQUEST_PAYLOAD)
class InteropRequest:
    interop_function: InteropFunction = field(Tag.INTEROP_FUNCTION, since=V2_0)
    interop_identifier: str | None = field(Tag.INTEROP_IDENTIFIER, since=V2_0)


@structure(Tag.RESPONSE_PAYLOAD)
class InteropResponse:
    pass


@structure(Tag.REQUEST_PAYLOAD)
class SetEndpointRoleRequest:
    endpoint_role: EndpointRole = field(Tag.ENDPOINT_ROLE, since=V2_0)


@structure(Tag.RESPONSE_PAYLOAD)
class SetEndpointRoleResponse:
    endpoint_role: EndpointRole = field(Tag.ENDPOINT_ROLE, since=V2_0)
