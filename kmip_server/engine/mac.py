"""MAC and MAC Verify. KMIP 1.4 sections 4.33 and 4.34."""

from __future__ import annotations

from kmip_server.crypto import mac
from kmip_server.engine.context import Context
from kmip_server.engine.cryptographic import UsableKey, debit, indicator, opened, required
from kmip_server.engine.registry import operation
from kmip_server.protocol.enums import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    Operation,
)
from kmip_server.protocol.payloads.cryptographic import (
    MACRequest,
    MACResponse,
    MACVerifyRequest,
    MACVerifyResponse,
)

_MASK = CryptographicUsageMask
_MAC_KEYS = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.SECRET_DATA})


def mac_algorithm(key: UsableKey) -> CryptographicAlgorithm:
    """HMAC with the hash that the parameters or the key name; CMAC with a cipher's key."""
    parameters = key.parameters
    if parameters.cryptographic_algorithm is not None:
        return parameters.cryptographic_algorithm
    if parameters.hashing_algorithm is not None:
        return mac.hmac_of(parameters.hashing_algorithm)
    return key.algorithm


@operation(Operation.MAC)
def compute_mac(context: Context, request: MACRequest) -> MACResponse:
    """Compute a MAC over data. KMIP 1.4 §4.33; KMIP 2.1 §6.1.32."""
    key = opened(context, request, Operation.MAC, _MASK.MAC_GENERATE, _MAC_KEYS)
    data = required(request.data)
    computed = mac.mac(mac_algorithm(key), key.key, data, weak_allowed=context.policy.weak_algorithms)
    debit(context, key.found, len(data))
    return MACResponse(unique_identifier=key.found.unique_identifier, mac_data=computed)


@operation(Operation.MAC_VERIFY)
def mac_verify(context: Context, request: MACVerifyRequest) -> MACVerifyResponse:
    """Say whether a MAC is that of data. KMIP 1.4 §4.34; KMIP 2.1 §6.1.33."""
    key = opened(context, request, Operation.MAC_VERIFY, _MASK.MAC_VERIFY, _MAC_KEYS)
    given = required(request.mac_data, "MAC Data")
    valid = mac.mac_verify(mac_algorithm(key), key.key, required(request.data), given)
    return MACVerifyResponse(unique_identifier=key.found.unique_identifier, validity_indicator=indicator(valid))
