"""Sign and Signature Verify, whole or in parts. KMIP 1.4 sections 4.31 and 4.32."""

from __future__ import annotations

from kmip_server.crypto import signatures
from kmip_server.engine.context import Context
from kmip_server.engine.cryptographic import Claim, UsableKey, debit, indicator, opened, required
from kmip_server.engine.parts import Part
from kmip_server.engine.registry import operation
from kmip_server.errors import InvalidField
from kmip_server.protocol.enums import CryptographicUsageMask, ObjectType, Operation
from kmip_server.protocol.payloads.cryptographic import (
    SignatureVerifyRequest,
    SignatureVerifyResponse,
    SignRequest,
    SignResponse,
)

_MASK = CryptographicUsageMask
_SIGNING_KEYS = frozenset({ObjectType.PRIVATE_KEY})
_VERIFYING_KEYS = frozenset({ObjectType.PUBLIC_KEY})


@operation(Operation.SIGN)
def sign(context: Context, request: SignRequest) -> SignResponse:
    """Sign data, or its digest, with a private key. KMIP 1.4 §4.31; KMIP 2.1 §6.1.55."""
    part, key = opened(context, request, Operation.SIGN, _MASK.SIGN, _SIGNING_KEYS)
    digest = _digest(request, part)
    # First: what fails later is not paid for, and a signature is too dear to be made and thrown away.
    debit(context, key.found, len(part.data if digest is None else digest), first=part.first)
    weak = context.policy.weak_algorithms
    if digest is None:
        response: SignResponse = part.advance(lambda: _Signing(key, weak_allowed=weak), key.found)
        return response
    signature = signatures.sign(
        key.key, key.key_format_type, digest, key.parameters, digested=True, weak_allowed=weak
    )
    return SignResponse(unique_identifier=key.found.unique_identifier, signature_data=signature)


@operation(Operation.SIGNATURE_VERIFY)
def signature_verify(context: Context, request: SignatureVerifyRequest) -> SignatureVerifyResponse:
    """Say whether a signature is valid for data, or its digest.

    In several parts, Signature Data may come with any of them, and the validity is Unknown until the last.
    KMIP 1.4 §4.32; KMIP 2.1 §6.1.56.
    """
    part, key = opened(context, request, Operation.SIGNATURE_VERIFY, _MASK.VERIFY, _VERIFYING_KEYS)
    digest = _digest(request, part)
    if digest is None:
        response: SignatureVerifyResponse = part.advance(lambda: _Verifying(key), key.found)
        return response
    signature = required(request.signature_data, "Signature Data")
    valid = signatures.verify(key.key, key.key_format_type, digest, signature, key.parameters, digested=True)
    return SignatureVerifyResponse(
        unique_identifier=key.found.unique_identifier, validity_indicator=indicator(valid)
    )


def _digest(request: SignRequest | SignatureVerifyRequest, part: Part) -> bytes | None:
    """The Digested Data, which is there at once. Raises InvalidField beside Data, and in several parts."""
    if request.digested_data is None:
        return None
    if request.data is not None:
        raise InvalidField("Data and Digested Data cannot be given together")
    if not (part.first and part.last):
        raise InvalidField("Digested Data is not given in several parts; they make the digest of their Data")
    return request.digested_data


class _Signing:
    def __init__(self, key: UsableKey, *, weak_allowed: bool) -> None:
        self.parameters = key.parameters
        self.repeatable: dict[str, bytes | None] = {}
        self._unique_identifier = key.found.unique_identifier
        self._work = signatures.Signing(key.key, key.key_format_type, key.parameters, weak_allowed=weak_allowed)
        self.keeps_data = self._work.keeps_data

    def advance(self, request: SignRequest, data: bytes, last: bool) -> SignResponse:  # noqa: ARG002
        self._work.update(data)
        return SignResponse(
            unique_identifier=self._unique_identifier, signature_data=self._work.finalize() if last else None
        )


class _Verifying:
    def __init__(self, key: UsableKey) -> None:
        self._claim = Claim("Signature Data")
        self.parameters = key.parameters
        self.repeatable: dict[str, bytes | None] = {}
        self._unique_identifier = key.found.unique_identifier
        self._work = signatures.Verifying(key.key, key.key_format_type, key.parameters)
        self.keeps_data = self._work.keeps_data

    def advance(self, request: SignatureVerifyRequest, data: bytes, last: bool) -> SignatureVerifyResponse:
        self._claim.take(request.signature_data)
        self._work.update(data)
        validity = self._claim.validity(last, self._work.matches)
        return SignatureVerifyResponse(unique_identifier=self._unique_identifier, validity_indicator=validity)
