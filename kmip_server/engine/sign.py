"""Sign and Signature Verify. KMIP 1.4 sections 4.31 and 4.32."""

from __future__ import annotations

from kmip_server.crypto import signatures
from kmip_server.engine.context import Context
from kmip_server.engine.cryptographic import debit, indicator, opened, required
from kmip_server.engine.registry import operation
from kmip_server.errors import (
    InvalidField,
)
from kmip_server.protocol.enums import (
    CryptographicUsageMask,
    ObjectType,
    Operation,
)
from kmip_server.protocol.payloads.cryptographic import (
    SignatureVerifyRequest,
    SignatureVerifyResponse,
    SignRequest,
    SignResponse,
)

_MASK = CryptographicUsageMask


@operation(Operation.SIGN)
def sign(context: Context, request: SignRequest) -> SignResponse:
    """Sign data, or its digest, with a private key. KMIP 1.4 §4.31; KMIP 2.1 §6.1.55."""
    key = opened(context, request, Operation.SIGN, _MASK.SIGN, frozenset({ObjectType.PRIVATE_KEY}))
    data, digested = _signed(request.data, request.digested_data)
    # First: what fails later is not paid for, and a signature is too dear to be made and thrown away.
    debit(context, key.found, len(data))
    signature = signatures.sign(
        key.key,
        key.key_format_type,
        data,
        key.parameters,
        digested=digested,
        weak_allowed=context.policy.weak_algorithms,
    )
    return SignResponse(unique_identifier=key.found.unique_identifier, signature_data=signature)


@operation(Operation.SIGNATURE_VERIFY)
def signature_verify(context: Context, request: SignatureVerifyRequest) -> SignatureVerifyResponse:
    """Say whether a signature is valid for data, or its digest. KMIP 1.4 §4.32; KMIP 2.1 §6.1.56."""
    key = opened(context, request, Operation.SIGNATURE_VERIFY, _MASK.VERIFY, frozenset({ObjectType.PUBLIC_KEY}))
    data, digested = _signed(request.data, request.digested_data)
    valid = signatures.verify(
        key.key,
        key.key_format_type,
        data,
        required(request.signature_data, "Signature Data"),
        key.parameters,
        digested=digested,
    )
    return SignatureVerifyResponse(
        unique_identifier=key.found.unique_identifier, validity_indicator=indicator(valid)
    )


def _signed(data: bytes | None, digested_data: bytes | None) -> tuple[bytes, bool]:
    if data is not None and digested_data is not None:
        raise InvalidField("Data and Digested Data cannot be given together")
    if digested_data is not None:
        return digested_data, True
    return required(data), False
