"""Check. KMIP 1.4 §4.10; KMIP 2.1 §6.1.7."""

from __future__ import annotations

from kmip_server.protocol.enums import CryptographicUsageMask
from kmip_server.protocol.schema import Interval, LongInteger, ObjectReference, field, structure
from kmip_server.protocol.tags import Tag


@structure(Tag.REQUEST_PAYLOAD)
class CheckRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    usage_limits_count: LongInteger | None = field(Tag.USAGE_LIMITS_COUNT)
    cryptographic_usage_mask: CryptographicUsageMask | None = field(Tag.CRYPTOGRAPHIC_USAGE_MASK)
    lease_time: Interval | None = field(Tag.LEASE_TIME)


@structure(Tag.RESPONSE_PAYLOAD)
class CheckResponse:
    """The identifier where the object may be used; else the fields at fault."""

    unique_identifier: str | None = field(Tag.UNIQUE_IDENTIFIER)
    usage_limits_count: LongInteger | None = field(Tag.USAGE_LIMITS_COUNT)
    cryptographic_usage_mask: CryptographicUsageMask | None = field(Tag.CRYPTOGRAPHIC_USAGE_MASK)
    lease_time: Interval | None = field(Tag.LEASE_TIME)
