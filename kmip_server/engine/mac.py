"""MAC and MAC Verify, whole or in parts. KMIP 1.4 sections 4.33 and 4.34."""

from __future__ import annotations

from kmip_server.crypto import mac
from kmip_server.crypto.hashing import Digesting
from kmip_server.engine.context import Context
from kmip_server.engine.cryptographic import Claim, UsableKey, debit, opened
from kmip_server.engine.registry import operation
from kmip_server.errors import UnsupportedCryptographicParameters
from kmip_server.protocol.enums import (
    BlockCipherMode,
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


@operation(Operation.MAC)
def compute_mac(context: Context, request: MACRequest) -> MACResponse:
    """Compute a MAC over data. KMIP 1.4 §4.33; KMIP 2.1 §6.1.32."""
    part, key = opened(context, request, Operation.MAC, _MASK.MAC_GENERATE, _MAC_KEYS)
    weak = context.policy.weak_algorithms
    response: MACResponse = part.advance(lambda: _Computing(key, weak_allowed=weak), key.found)
    debit(context, key.found, len(part.data), first=part.first)
    return response


@operation(Operation.MAC_VERIFY)
def mac_verify(context: Context, request: MACVerifyRequest) -> MACVerifyResponse:
    """Say whether a MAC is that of data.

    In several parts, MAC Data may come with any of them, and the validity is Unknown until the last.
    KMIP 1.4 §4.34; KMIP 2.1 §6.1.33.
    """
    part, key = opened(context, request, Operation.MAC_VERIFY, _MASK.MAC_VERIFY, _MAC_KEYS)
    response: MACVerifyResponse = part.advance(lambda: _Verifying(key), key.found)
    return response


class _MACProcess:
    """What both have: a MAC in the making."""

    keeps_data = False

    def __init__(self, key: UsableKey, *, weak_allowed: bool = True) -> None:
        self.parameters = key.parameters
        self.repeatable: dict[str, bytes | None] = {}
        self._unique_identifier = key.found.unique_identifier
        self._work: Digesting = mac.begin(mac_algorithm(key), key.key, weak_allowed=weak_allowed)


class _Computing(_MACProcess):
    def advance(self, request: MACRequest, data: bytes, last: bool) -> MACResponse:  # noqa: ARG002
        self._work.update(data)
        return MACResponse(
            unique_identifier=self._unique_identifier, mac_data=self._work.finalize() if last else None
        )


class _Verifying(_MACProcess):
    def __init__(self, key: UsableKey) -> None:
        super().__init__(key)
        self._claim = Claim("MAC Data")

    def advance(self, request: MACVerifyRequest, data: bytes, last: bool) -> MACVerifyResponse:
        self._claim.take(request.mac_data)
        self._work.update(data)
        validity = self._claim.validity(last, lambda claimed: mac.matches(self._work.finalize(), claimed))
        return MACVerifyResponse(unique_identifier=self._unique_identifier, validity_indicator=validity)


def mac_algorithm(key: UsableKey) -> CryptographicAlgorithm | mac.HMACOf:
    """HMAC with the hash that the parameters or the key name; CMAC with a cipher's key.

    Raises UnsupportedCryptographicParameters for a Block Cipher Mode that makes no MAC, where a cipher is to.
    """
    parameters = key.parameters
    mode = parameters.block_cipher_mode
    algorithm = parameters.cryptographic_algorithm
    if algorithm is None and mode != BlockCipherMode.CMAC and parameters.hashing_algorithm is not None:
        return mac.hmac_of(parameters.hashing_algorithm)
    algorithm = algorithm or key.algorithm
    if algorithm not in mac.HMACS and mode not in (None, BlockCipherMode.CMAC):
        raise UnsupportedCryptographicParameters(f"{mode.title} makes no MAC here; CMAC does")
    return algorithm
