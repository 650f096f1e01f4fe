"""Activate, Revoke and Destroy. KMIP 1.4 §4.19-4.21; KMIP 2.1 §6.1.1, 6.1.15 and 6.1.44."""

from __future__ import annotations

from kmip_server.protocol.attribute_values import RevocationReason
from kmip_server.protocol.schema import DateTime, ObjectReference, field, structure
from kmip_server.protocol.tags import Tag


@structure(Tag.REQUEST_PAYLOAD)
class ActivateRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)


@structure(Tag.RESPONSE_PAYLOAD)
class ActivateResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)


@structure(Tag.REQUEST_PAYLOAD)
class RevokeRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    revocation_reason: RevocationReason = field(Tag.REVOCATION_REASON)
    compromise_occurrence_date: DateTime | None = field(Tag.COMPROMISE_OCCURRENCE_DATE)


@structure(Tag.RESPONSE_PAYLOAD)
class RevokeResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)


@structure(Tag.REQUEST_PAYLOAD)
class DestroyRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)


@structure(Tag.RESPONSE_PAYLOAD)
class DestroyResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
