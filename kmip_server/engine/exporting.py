"""Export: an object leaves the server with all its attributes. KMIP 1.4 section 4.40.

Strategy: the object as Get delivers it, under the same protection, and the attributes as Get Attributes shows them.
Of a destroyed object the attributes remain, and they alone are exported.
"""

from __future__ import annotations

from kmip_server.engine import attributes
from kmip_server.engine.context import Context
from kmip_server.engine.get import delivered, not_fresh
from kmip_server.engine.registry import operation
from kmip_server.protocol.enums import Operation
from kmip_server.protocol.payloads.transfer import ExportRequest, ExportResponse


@operation(Operation.EXPORT)
def export_object(context: Context, request: ExportRequest) -> ExportResponse:
    """The object and every attribute; it goes into the ID Placeholder.

    Raises what `get.delivered` raises: neither Sensitive nor Extractable is got round by asking for more.
    KMIP 1.4 §4.40; KMIP 2.1 §6.1.18.
    """
    found = context.open(request.unique_identifier, Operation.EXPORT)
    seen = attributes.view(found, context.policy.lease_time_seconds)
    managed_object = None
    if found.stored.sealed is not None:
        managed_object = delivered(context, found, request)
        not_fresh(context, found)
    context.id_placeholder = found.unique_identifier
    return ExportResponse(
        object_type=found.object_type,
        unique_identifier=found.unique_identifier,
        attributes=tuple(seen),
        managed_object=managed_object,
    )
