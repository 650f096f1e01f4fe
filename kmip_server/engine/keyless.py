"""Hash and random numbers: the operations that need no key. KMIP 1.4 sections 4.35-4.37."""

from __future__ import annotations

from kmip_server.crypto import hashing
from kmip_server.engine.context import Context
from kmip_server.engine.parts import part_of
from kmip_server.engine.registry import operation
from kmip_server.errors import BadCryptographicParameters, InvalidField
from kmip_server.protocol.enums import Operation
from kmip_server.protocol.payloads.cryptographic import (
    HashRequest,
    HashResponse,
    RNGRetrieveRequest,
    RNGRetrieveResponse,
    RNGSeedRequest,
    RNGSeedResponse,
)

MAX_RANDOM_BYTES = 64 * 1024
"""More than this in one RNG Retrieve is refused."""


@operation(Operation.HASH)
def compute_hash(context: Context, request: HashRequest) -> HashResponse:
    """The digest of data, whole or in parts. KMIP 1.4 §4.37; KMIP 2.1 §6.1.24."""
    context.permit(Operation.HASH)
    part = part_of(context, request, Operation.HASH, None)
    response: HashResponse = part.advance(lambda: _Hashing(request))
    return response


class _Hashing:
    keeps_data = False

    def __init__(self, request: HashRequest) -> None:
        self.parameters = request.cryptographic_parameters
        self.repeatable: dict[str, bytes | None] = {}
        if self.parameters.hashing_algorithm is None:
            raise BadCryptographicParameters("a Hashing Algorithm must be given")
        self._work = hashing.digesting(self.parameters.hashing_algorithm)

    def advance(self, request: HashRequest, data: bytes, last: bool) -> HashResponse:  # noqa: ARG002
        self._work.update(data)
        return HashResponse(data=self._work.finalize() if last else None)


@operation(Operation.RNG_RETRIEVE)
def rng_retrieve(context: Context, request: RNGRetrieveRequest) -> RNGRetrieveResponse:
    """Random bytes: the HSM's and the operating system's, mixed. KMIP 1.4 §4.35; KMIP 2.1 §6.1.49."""
    context.permit(Operation.RNG_RETRIEVE)
    if not 0 < request.data_length <= MAX_RANDOM_BYTES:
        raise InvalidField(f"Data Length is from 1 to {MAX_RANDOM_BYTES} bytes")
    return RNGRetrieveResponse(data=context.keystore.random(request.data_length))


@operation(Operation.RNG_SEED)
def rng_seed(context: Context, request: RNGSeedRequest) -> RNGSeedResponse:
    """Stir the client's bytes into the generator; all of them are used. KMIP 1.4 §4.36; KMIP 2.1 §6.1.50."""
    context.permit(Operation.RNG_SEED)
    context.keystore.seed(request.data)
    return RNGSeedResponse(data_length=len(request.data))
