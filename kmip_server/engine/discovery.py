"""Query and Discover Versions: what this server can do. KMIP 1.4 sections 4.25 and 4.26.

Strategy: the answers come from the registry and the tables, so they cannot say what is not so, and hold nothing
that the client's version does not know.
"""

from __future__ import annotations

from kmip_server import VENDOR_IDENTIFICATION
from kmip_server.engine import defaults, making, namespaces, provenance, registry
from kmip_server.engine.context import Context
from kmip_server.engine.registry import operation
from kmip_server.protocol.attribute_set import Attribute
from kmip_server.protocol.attribute_values import ProtectionStorageMasks
from kmip_server.protocol.enums import (
    DestroyAction,
    ObjectType,
    Operation,
    QueryFunction,
    RNGMode,
    ShreddingAlgorithm,
    UnwrapMode,
)
from kmip_server.protocol.messages import ProtocolVersion
from kmip_server.protocol.payloads.discovery import (
    CapabilityInformation,
    DefaultsInformation,
    DiscoverVersionsRequest,
    DiscoverVersionsResponse,
    ObjectDefaults,
    QueryRequest,
    QueryResponse,
    ServerInformation,
)

CAPABILITIES = CapabilityInformation(
    streaming_capability=True,
    asynchronous_capability=False,
    attestation_capability=False,
    batch_undo_capability=True,
    batch_continue_capability=True,
    unwrap_mode=UnwrapMode.PROCESSED,
    destroy_action=DestroyAction.KEY_MATERIAL_SHREDDED,
    shredding_algorithm=ShreddingAlgorithm.CRYPTOGRAPHIC,
    rng_mode=RNGMode.SHARED_INSTANTIATION,
    quantum_safe_capability=True,
)
"""What this server can do, as KMIP 2.1 §7.5 asks."""

OBJECT_TYPES = (
    ObjectType.CERTIFICATE,
    ObjectType.SYMMETRIC_KEY,
    ObjectType.PUBLIC_KEY,
    ObjectType.PRIVATE_KEY,
    ObjectType.SPLIT_KEY,
    ObjectType.TEMPLATE,
    ObjectType.SECRET_DATA,
    ObjectType.OPAQUE_OBJECT,
    ObjectType.PGP_KEY,
)


@operation(Operation.DISCOVER_VERSIONS)
def discover_versions(context: Context, request: DiscoverVersionsRequest) -> DiscoverVersionsResponse:
    """The versions served, best first: all, or those the client names too.

    KMIP 1.4 §4.26; KMIP 2.1 §6.1.16.
    """
    wanted = request.protocol_versions
    return DiscoverVersionsResponse(
        protocol_versions=tuple(
            pair
            for version in sorted(context.policy.served, reverse=True)
            if (pair := ProtocolVersion(protocol_version_major=version.major, protocol_version_minor=version.minor))
            in wanted
            or not wanted
        )
    )


@operation(Operation.QUERY)
def query(context: Context, request: QueryRequest) -> QueryResponse:
    """What the server offers. Functions it does not know, or has nothing to say to, stay unanswered.

    It has no extensions, attests nothing, was validated by nobody, registers no client by itself, and names no
    profile: each server profile of 2.1 rests on the Baseline Server, which also calls its clients (Put, Notify).
    Object Groups narrow nothing down, as defaults are the same in each.
    KMIP 1.4 §4.25; KMIP 2.1 §6.1.40.
    """
    asked = frozenset(request.query_functions)
    version = context.version
    information = QueryFunction.QUERY_SERVER_INFORMATION in asked
    return QueryResponse(
        operations=_operations(context) if QueryFunction.QUERY_OPERATIONS in asked else (),
        object_types=tuple(t for t in OBJECT_TYPES if t.known_in(version))
        if QueryFunction.QUERY_OBJECTS in asked
        else (),
        vendor_identification=VENDOR_IDENTIFICATION if information else None,
        server_information=ServerInformation() if information else None,
        application_namespaces=namespaces.SUPPORTED if QueryFunction.QUERY_APPLICATION_NAMESPACES in asked else (),
        rng_parameters=(provenance.GENERATOR, provenance.PAIR_GENERATOR)
        if QueryFunction.QUERY_RNGS in asked
        else (),
        capability_information=(CAPABILITIES,) if QueryFunction.QUERY_CAPABILITIES in asked else (),
        defaults_information=_defaults() if QueryFunction.QUERY_DEFAULTS_INFORMATION in asked else None,
        protection_storage_masks=ProtectionStorageMasks(masks=(making.STORED_IN,))
        if QueryFunction.QUERY_STORAGE_PROTECTION_MASKS in asked
        else None,
    )


def _defaults() -> DefaultsInformation:
    """The defaults of every kind of object, whichever Object Group it would be in."""
    return DefaultsInformation(
        object_defaults=tuple(
            ObjectDefaults(
                object_type=object_type,
                attributes=tuple(Attribute(tag, None, value) for tag, value in values.items()),
            )
            for object_type, values in defaults.DEFAULTS.items()
        )
    )


def _operations(context: Context) -> tuple[Operation, ...]:
    served = registry.served(context.version)
    return tuple(each for each in served if each != Operation.INTEROP or context.policy.interop)
