"""Query and Discover Versions, and the structures of their answers.

KMIP 1.4 §4.25-4.26, 2.1.9 and 2.1.18-2.1.21; KMIP 2.1 §6.1.16 and 6.1.40.
"""

from __future__ import annotations

from typing import Annotated

from kmip_server.protocol.attribute_set import Attribute
from kmip_server.protocol.attribute_values import ProtectionStorageMasks, RNGParameters
from kmip_server.protocol.enums import (
    AttestationType,
    ClientRegistrationMethod,
    DestroyAction,
    ItemType,
    ObjectType,
    Operation,
    ProfileName,
    RNGMode,
    ShreddingAlgorithm,
    UnwrapMode,
    ValidationAuthorityType,
    ValidationType,
)
from kmip_server.protocol.messages import ProtocolVersion
from kmip_server.protocol.schema import AnyItem, field, structure
from kmip_server.protocol.spellings import ATTRIBUTES
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_1, V1_2, V1_3, V2_0, V2_1

_RawEnumeration = Annotated[int, ItemType.ENUMERATION]


@structure(Tag.REQUEST_PAYLOAD)
class DiscoverVersionsRequest:
    protocol_versions: tuple[ProtocolVersion, ...] = field(Tag.PROTOCOL_VERSION)


@structure(Tag.RESPONSE_PAYLOAD)
class DiscoverVersionsResponse:
    protocol_versions: tuple[ProtocolVersion, ...] = field(Tag.PROTOCOL_VERSION)


@structure(Tag.REQUEST_PAYLOAD)
class QueryRequest:
    """A function that nobody registered is no error: it stays unanswered."""

    query_functions: tuple[_RawEnumeration, ...] = field(Tag.QUERY_FUNCTION)
    object_groups: AnyItem | None = field(Tag.OBJECT_GROUPS, since=V2_1)


@structure(Tag.SERVER_INFORMATION)
class ServerInformation:
    """Its content is the vendor's; this server says nothing there."""


@structure(Tag.EXTENSION_INFORMATION)
class ExtensionInformation:
    extension_name: str = field(Tag.EXTENSION_NAME)
    extension_tag: int | None = field(Tag.EXTENSION_TAG)
    extension_type: int | None = field(Tag.EXTENSION_TYPE)


@structure(Tag.PROFILE_INFORMATION)
class ProfileInformation:
    profile_name: ProfileName = field(Tag.PROFILE_NAME)
    server_uri: str | None = field(Tag.SERVER_URI)
    server_port: int | None = field(Tag.SERVER_PORT)


@structure(Tag.VALIDATION_INFORMATION)
class ValidationInformation:
    validation_authority_type: ValidationAuthorityType = field(Tag.VALIDATION_AUTHORITY_TYPE)
    validation_authority_country: str | None = field(Tag.VALIDATION_AUTHORITY_COUNTRY)
    validation_authority_uri: str | None = field(Tag.VALIDATION_AUTHORITY_URI)
    validation_version_major: int = field(Tag.VALIDATION_VERSION_MAJOR)
    validation_version_minor: int | None = field(Tag.VALIDATION_VERSION_MINOR)
    validation_type: ValidationType = field(Tag.VALIDATION_TYPE)
    validation_level: int = field(Tag.VALIDATION_LEVEL)
    validation_certificate_identifier: str | None = field(Tag.VALIDATION_CERTIFICATE_IDENTIFIER)
    validation_certificate_uri: str | None = field(Tag.VALIDATION_CERTIFICATE_URI)
    validation_vendor_uri: str | None = field(Tag.VALIDATION_VENDOR_URI)
    validation_profiles: tuple[str, ...] = field(Tag.VALIDATION_PROFILE)


@structure(Tag.CAPABILITY_INFORMATION)
class CapabilityInformation:
    streaming_capability: bool | None = field(Tag.STREAMING_CAPABILITY)
    asynchronous_capability: bool | None = field(Tag.ASYNCHRONOUS_CAPABILITY)
    attestation_capability: bool | None = field(Tag.ATTESTATION_CAPABILITY)
    batch_undo_capability: bool | None = field(Tag.BATCH_UNDO_CAPABILITY)
    batch_continue_capability: bool | None = field(Tag.BATCH_CONTINUE_CAPABILITY)
    unwrap_mode: UnwrapMode | None = field(Tag.UNWRAP_MODE)
    destroy_action: DestroyAction | None = field(Tag.DESTROY_ACTION)
    shredding_algorithm: ShreddingAlgorithm | None = field(Tag.SHREDDING_ALGORITHM)
    rng_mode: RNGMode | None = field(Tag.RNG_MODE)
    quantum_safe_capability: bool | None = field(Tag.QUANTUM_SAFE_CAPABILITY, since=V2_0)


@structure(Tag.OBJECT_DEFAULTS)
class ObjectDefaults:
    object_type: ObjectType = field(Tag.OBJECT_TYPE, since=V2_0)
    attributes: tuple[Attribute, ...] = field(Tag.ATTRIBUTES, since=V2_0, spellings={2: ATTRIBUTES[2]})


@structure(Tag.DEFAULTS_INFORMATION)
class DefaultsInformation:
    """What the server uses where a client leaves it out. KMIP 2.1 §7.11."""

    object_defaults: tuple[ObjectDefaults, ...] = field(Tag.OBJECT_DEFAULTS, since=V2_0)


@structure(Tag.RESPONSE_PAYLOAD)
class QueryResponse:
    operations: tuple[Operation, ...] = field(Tag.OPERATION)
    object_types: tuple[ObjectType, ...] = field(Tag.OBJECT_TYPE)
    vendor_identification: str | None = field(Tag.VENDOR_IDENTIFICATION)
    server_information: ServerInformation | None = field(Tag.SERVER_INFORMATION)
    application_namespaces: tuple[str, ...] = field(Tag.APPLICATION_NAMESPACE)
    extension_information: tuple[ExtensionInformation, ...] = field(Tag.EXTENSION_INFORMATION, since=V1_1)
    attestation_types: tuple[AttestationType, ...] = field(Tag.ATTESTATION_TYPE, since=V1_2)
    rng_parameters: tuple[RNGParameters, ...] = field(Tag.RNG_PARAMETERS, since=V1_3)
    profile_information: tuple[ProfileInformation, ...] = field(Tag.PROFILE_INFORMATION, since=V1_3)
    validation_information: tuple[ValidationInformation, ...] = field(Tag.VALIDATION_INFORMATION, since=V1_3)
    capability_information: tuple[CapabilityInformation, ...] = field(Tag.CAPABILITY_INFORMATION, since=V1_3)
    client_registration_methods: tuple[ClientRegistrationMethod, ...] = field(
        Tag.CLIENT_REGISTRATION_METHOD, since=V1_3
    )
    defaults_information: DefaultsInformation | None = field(Tag.DEFAULTS_INFORMATION, since=V2_0)
    protection_storage_masks: ProtectionStorageMasks | None = field(Tag.PROTECTION_STORAGE_MASKS, since=V2_0)
