"""Check: may the object be used so? KMIP 1.4 section 4.10."""

from __future__ import annotations

from kmip_server.engine.context import Context
from kmip_server.engine.registry import operation
from kmip_server.errors import (
    IllegalOperation,
    IncompatibleCryptographicUsageMask,
    PermissionDenied,
    UsageLimitExceeded,
)
from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.enums import CryptographicUsageMask, Operation
from kmip_server.protocol.payloads.check import CheckRequest, CheckResponse
from kmip_server.protocol.tags import Tag


class CheckFailed(PermissionDenied):
    """The object may not be used so. `response` holds the fields of the request that are at fault."""

    def __init__(self, response: CheckResponse) -> None:
        super().__init__("the object may not be used as the request wants")
        self.response = response


class MaskDenied(IncompatibleCryptographicUsageMask, CheckFailed):
    """The Cryptographic Usage Mask does not allow the use."""


class TooMuchDenied(UsageLimitExceeded, CheckFailed):
    """The Usage Limits leave less than is asked for."""


@operation(Operation.CHECK)
def check(context: Context, request: CheckRequest) -> CheckResponse:
    """The Unique Identifier, if the object may be used as the request says.

    Raises CheckFailed, having emptied the ID Placeholder so that what follows in the batch fails;
    IllegalOperation where the object has no such attribute. KMIP 1.4 §4.10; KMIP 2.1 §6.1.7.
    """
    found = context.open(request.unique_identifier, Operation.CHECK)
    mask: CryptographicUsageMask | None = found.attributes.one(Tag.CRYPTOGRAPHIC_USAGE_MASK)
    wanted = request.cryptographic_usage_mask
    if wanted is not None and mask is None:
        raise IllegalOperation(f"a {found.object_type.title} has no Cryptographic Usage Mask")
    too_much_use = wanted is not None and mask is not None and wanted & mask != wanted
    limits: UsageLimits | None = found.attributes.one(Tag.USAGE_LIMITS)
    count, lease = request.usage_limits_count, request.lease_time
    too_many = count is not None and limits is not None and count > (limits.usage_limits_count or 0)
    too_long = lease is not None and lease > context.policy.lease_time_seconds
    if too_much_use or too_many or too_long:
        context.id_placeholder = None
        denied = MaskDenied if too_much_use else TooMuchDenied if too_many else CheckFailed
        raise denied(
            CheckResponse(
                usage_limits_count=count if too_many else None,
                cryptographic_usage_mask=wanted if too_much_use else None,
                lease_time=lease if too_long else None,
            )
        )
    return CheckResponse(unique_identifier=found.unique_identifier)
