"""The standard's error tables, row by row, over the wire: KMIP 1.0, 1.2 and 1.4, section 11.

The rows come from the standard's own tables; here stands how a client provokes each. A row that no client can
provoke on this server stands in NOT_HERE with the reason, and a test holds both lists against the tables.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kmip_server.engine import operations  # noqa: F401 - registers every operation
from kmip_server.engine.attribute_rules import MAX_INSTANCES
from kmip_server.engine.registry import find
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import ApplicationSpecificInformation, Name
from kmip_server.protocol.enums import (
    BlockCipherMode,
    EncodingOption,
    HashingAlgorithm,
    KeyFormatType,
    KeyWrapType,
    NameType,
    ObjectType,
    Operation,
    ResultReason,
    WrappingMethod,
)
from kmip_server.protocol.objects import (
    KeyWrappingSpecification,
    MACSignatureKeyInformation,
    PrivateKey,
)
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    DeleteAttributeRequest,
    GetAttributeListRequest,
    GetAttributesRequest,
    ModifyAttributeRequest,
)
from kmip_server.protocol.payloads.check import CheckRequest
from kmip_server.protocol.payloads.create import CreateKeyPairRequest, CreateRequest
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    EncryptRequest,
    HashRequest,
    MACRequest,
    MACVerifyRequest,
    SignatureVerifyRequest,
    SignRequest,
)
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.payloads.rekey import RekeyKeyPairRequest, RekeyRequest
from kmip_server.protocol.payloads.transfer import ExportRequest, ImportRequest
from kmip_server.protocol.spellings import TemplateAttribute
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_0, V1_2, V1_4, Version
from tests.support import requests as r
from tests.support.engine import Refused
from tests.support.provoke import (
    ABSENT,
    BESIDE,
    CBC,
    NAMESPACE,
    PKCS5,
    RSA_SHA256,
    Provoke,
    active,
    altered,
    destroyed,
    key,
    pair,
    registering,
    secret,
    stored_wrapped,
    taken,
    template,
    too_many,
    valueless,
    wrapped,
    wrapped_object,
)
from tests.support.server import RunningServer
from tests.support.watching import Watching
from tests.support.wire import Client, Connection

ERRORS = Path(__file__).parents[3] / "shared" / "kmip-reference" / "errors.csv"
VERSIONS = (V1_0, V1_2, V1_4)
A, M, Op = r.A, r.M, Operation

# Reasons that the tables of the standard misspell or name by their meaning.
SPELLED = {
    "Not Supported.": ResultReason.FEATURE_NOT_SUPPORTED,
    "Not Supported": ResultReason.FEATURE_NOT_SUPPORTED,
    "Not Extractble": ResultReason.NOT_EXTRACTABLE,
    "Key Format Type and/or Key Compression Type Not Supported": ResultReason.KEY_FORMAT_TYPE_NOT_SUPPORTED,
}


def served() -> dict[str, Operation]:
    """The operations of the tables that this server has, by the tables' titles."""
    titles = {"HASH": Operation.HASH, **{each.title: each for each in Operation}}
    return {title: each for title, each in titles.items() if find(each, V1_4) is not None}


@cache
def rows() -> dict[tuple[str, str, Version], ResultReason]:
    """(operation, condition, version) -> reason. Before 1.4 the operations of 1.2 have no tables; 1.4's serve."""
    found: dict[tuple[str, str, Version], ResultReason] = {}
    if not ERRORS.exists():
        return found
    by_name = {f"{each.major}.{each.minor}": each for each in VERSIONS}
    with ERRORS.open() as file:
        for row in csv.DictReader(file):
            if row["version"] in by_name and row["operation"] in served():
                reason = SPELLED.get(row["result_reason"]) or _reason(row["result_reason"])
                found[row["operation"], row["error_definition"], by_name[row["version"]]] = reason
    later = {each for each, _, version in found if version == V1_4} - {each for each, _, v in found if v == V1_2}
    for (operation, condition, _), reason in list(found.items()):
        if operation in later and condition != NO_CORRELATION and find(served()[operation], V1_2) is not None:
            found[operation, condition, V1_2] = reason
    return found


def _reason(title: str) -> ResultReason:
    return next(each for each in ResultReason if each.title == title)


# --- what conditions are made of ----------------------------------------------------------------


NAMES_NOTHING = TemplateAttribute(
    names=(Name(name_value="no such template", name_type=NameType.UNINTERPRETED_TEXT_STRING),)
)
# What each operation asks of one object.
ASKED: dict[Operation, Callable[[str], Any]] = {
    Op.GET: lambda i: GetRequest(unique_identifier=i),
    Op.EXPORT: lambda i: ExportRequest(unique_identifier=i),
    Op.GET_ATTRIBUTES: lambda i: GetAttributesRequest(unique_identifier=i),
    Op.GET_ATTRIBUTE_LIST: lambda i: GetAttributeListRequest(unique_identifier=i),
    Op.ADD_ATTRIBUTE: lambda i: AddAttributeRequest(unique_identifier=i, attribute=r.custom("x-a", "b")),
    Op.MODIFY_ATTRIBUTE: lambda i: ModifyAttributeRequest(unique_identifier=i, attribute=r.custom("x-a", "b")),
    Op.DELETE_ATTRIBUTE: lambda i: DeleteAttributeRequest(unique_identifier=i, attribute_name="x-a"),
    Op.CHECK: lambda i: CheckRequest(unique_identifier=i, cryptographic_usage_mask=M.ENCRYPT),
    Op.ACTIVATE: lambda i: ActivateRequest(unique_identifier=i),
    Op.REVOKE: lambda i: r.revoke(i),
    Op.DESTROY: lambda i: DestroyRequest(unique_identifier=i),
    Op.RE_KEY: lambda i: RekeyRequest(unique_identifier=i),
    Op.RE_KEY_KEY_PAIR: lambda i: RekeyKeyPairRequest(private_key_unique_identifier=i),
    Op.ENCRYPT: lambda i: EncryptRequest(
        unique_identifier=i, cryptographic_parameters=CBC, data=bytes(16), iv_counter_nonce=bytes(16)
    ),
    Op.DECRYPT: lambda i: DecryptRequest(
        unique_identifier=i, cryptographic_parameters=CBC, data=bytes(16), iv_counter_nonce=bytes(16)
    ),
    Op.SIGN: lambda i: SignRequest(unique_identifier=i, cryptographic_parameters=RSA_SHA256, data=b"x"),
    Op.SIGNATURE_VERIFY: lambda i: SignatureVerifyRequest(
        unique_identifier=i, cryptographic_parameters=RSA_SHA256, data=b"x", signature_data=bytes(256)
    ),
    Op.MAC: lambda i: MACRequest(unique_identifier=i, data=b"x"),
    Op.MAC_VERIFY: lambda i: MACVerifyRequest(unique_identifier=i, data=b"x", mac_data=bytes(32)),
}


def on(operation: Operation, made: Callable[[Client], str]) -> Provoke:
    """The operation's usual request, on an object made so."""
    return lambda client: client.call(operation, ASKED[operation](made(client)))


def create_with(*attributes: Any, **options: Any) -> Provoke:
    return lambda client: client.call(Op.CREATE, r.create(*attributes, **options))


def pair_with(*attributes: Any, **options: Any) -> Provoke:
    return lambda client: client.call(Op.CREATE_KEY_PAIR, r.create_key_pair(A.RSA, 2048, *attributes))


def register_with(*attributes: Any, **options: Any) -> Provoke:
    return lambda client: client.call(Op.REGISTER, r.register_key(bytes(16), *attributes, **options))


def get_with(**options: Any) -> Provoke:
    return lambda client: client.call(Op.GET, GetRequest(unique_identifier=key(client), **options))


def twice(of: Callable[..., Provoke]) -> Provoke:
    """Two objects of one Name."""

    def provoke(client: Client) -> Any:
        name = r.name(client.fresh_name())
        key(client, name)
        return of(name)(client)

    return provoke


def add(attribute: Callable[[Client], Any], *present: Any) -> Provoke:
    return lambda client: client.call(
        Op.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=key(client, *present), attribute=attribute(client))
    )


def modify(attribute: Callable[[Client], Any], *present: Any) -> Provoke:
    return lambda client: client.call(
        Op.MODIFY_ATTRIBUTE,
        ModifyAttributeRequest(unique_identifier=key(client, *present), attribute=attribute(client)),
    )


def delete(name: str, index: int | None, *present: Any) -> Provoke:
    return lambda client: client.call(
        Op.DELETE_ATTRIBUTE,
        DeleteAttributeRequest(unique_identifier=key(client, *present), attribute_name=name, attribute_index=index),
    )


def wrapping(
    specified: Callable[[Client], KeyWrappingSpecification], operation: Operation = Op.GET, **options: Any
) -> Provoke:
    """A Get or an Export of a key, wrapped."""
    request = {Op.GET: GetRequest, Op.EXPORT: ExportRequest}[operation]
    return lambda client: client.call(
        operation,
        request(unique_identifier=key(client), key_wrapping_specification=specified(client), **options),
    )


def authenticated(client: Client, made: Callable[[Client], str]) -> KeyWrappingSpecification:
    return KeyWrappingSpecification(
        wrapping_method=WrappingMethod.MAC_SIGN,
        mac_signature_key_information=MACSignatureKeyInformation(unique_identifier=made(client)),
    )


def of_gcm(client: Client) -> str:
    """An active wrapping key whose own Cryptographic Parameters say GCM."""
    gcm = r.parameters(block_cipher_mode=BlockCipherMode.GCM)
    made = key(client, r.attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, gcm))
    client.call(Op.ACTIVATE, ActivateRequest(unique_identifier=made))
    return made


# What is wrong with a wrapping, alike in Get and Export: the tables' conditions.
WRAPPINGS: dict[str, tuple[Callable[[Client], KeyWrappingSpecification], dict[str, Any]]] = {
    "Wrapping key does not exist": (lambda c: wrapped(ABSENT), {}),
    "Object with Encryption Key Information exists, but it is not a key": (lambda c: wrapped(secret(c)), {}),
    "Object with Encryption Key Information exists, but it is not able to be used for wrapping": (
        lambda c: wrapped(active(c, mask=M.ENCRYPT)),
        {},
    ),
    "Object with MAC/Signature Key Information exists, but it is not a key": (
        lambda c: authenticated(c, secret),
        {},
    ),
    "Object with MAC/Signature Key Information exists, but it is not able to be used for MACing/signing": (
        lambda c: authenticated(c, lambda each: active(each, mask=M.ENCRYPT)),
        {},
    ),
    "Cryptographic Parameters associated with the object do not exist or do not match those provided in the"
    " Encryption Key Information and/or Signature Key Information": (lambda c: wrapped(of_gcm(c)), {}),
    "Object exists but cannot be provided in the desired Encoding Option": (
        lambda c: wrapped(active(c), option=EncodingOption.NO_ENCODING),
        {"key_format_type": KeyFormatType.TRANSPARENT_SYMMETRIC_KEY},
    ),
    "Encoding Option not permitted when Key Wrapping Specification contains attribute names": (
        lambda c: wrapped(active(c), option=EncodingOption.NO_ENCODING, attribute_names=(Tag.NAME,)),
        {},
    ),
}


def importing(*attributes: Any, twice: bool = False, **changes: Any) -> Provoke:
    """An Import of a key under a new identifier, or under one that is then taken."""

    def provoke(client: Client) -> Any:
        request = import_request(client, *attributes, **changes)
        for _ in range(1 + twice):
            client.call(Op.IMPORT, request)

    return provoke


def import_request(client: Client, *attributes: Any, **changes: Any) -> ImportRequest:
    given = {"managed_object": r.register_key(bytes(16)).managed_object} | changes
    return ImportRequest(unique_identifier=client.fresh_name(), attributes=attributes, **given)


def import_with_a_later_field(client: Client) -> Any:
    """In 1.x an Import has no field for the Object Type."""
    field = (Tag.OBJECT_TYPE, ttlv.ENUMERATION, int(ObjectType.SYMMETRIC_KEY))
    return client.call(Op.IMPORT, import_request(client), change=lambda item: (item[0], item[1], [*item[2], field]))


def imported_with_a_name_that_is_taken(client: Client) -> Any:
    name = r.name(client.fresh_name())
    key(client, name)
    return importing(name)(client)


def rekeyed(made: Callable[[Client], str], **options: Any) -> Provoke:
    return lambda client: client.call(Op.RE_KEY, RekeyRequest(unique_identifier=made(client), **options))


def pair_rekeyed(*attributes: Any, common: Any = None, **options: Any) -> Provoke:
    """Re-key Key Pair of a pair with these attributes, asking for those of `common`."""

    def provoke(client: Client) -> Any:
        made = client.call(Op.CREATE_KEY_PAIR, r.create_key_pair(A.EC, 256, *attributes))
        wanted = r.template(common) if common is not None else None
        return client.call(
            Op.RE_KEY_KEY_PAIR,
            RekeyKeyPairRequest(
                private_key_unique_identifier=made.private_key_unique_identifier,
                common_template_attribute=wanted,
                **options,
            ),
        )

    return provoke


def used(operation: Operation, made: Callable[[Client], str], **options: Any) -> Provoke:
    request = {
        Op.ENCRYPT: EncryptRequest,
        Op.DECRYPT: DecryptRequest,
        Op.SIGN: SignRequest,
        Op.SIGNATURE_VERIFY: SignatureVerifyRequest,
        Op.MAC: MACRequest,
        Op.MAC_VERIFY: MACVerifyRequest,
    }[operation]
    return lambda client: client.call(operation, request(unique_identifier=made(client), **options))


def in_parts(operation: Operation, made: Callable[[Client], str]) -> Provoke:
    return used(operation, made, data=b"x", correlation_value=b"unknown")


NO_OBJECT = ("No object with the specified Unique Identifier exists", "Object does not exist")
TEMPLATES = "Templates that do not exist are given in request"
VALUES = "Incorrect attribute value(s) specified"
CREATED_NAME = "Trying to create a new object with the same Name attribute value as an existing object"
REGISTERED_NAME = "Trying to register a new object with the same Name attribute value as an existing object"
INSTANCES = "Trying to set more instances than the server supports of an attribute that MAY have multiple instances"
NO_NAMESPACE = (
    "The particular Application Namespace is not supported, and Application Data cannot be generated if it was"
    " omitted from the client request"
)
NO_CORRELATION = "No outstanding operation with the specified Correlation Value exists"

PROVOKED: dict[tuple[str, str], Provoke] = {
    ("Create", "Object Type is not recognized"): altered(Op.CREATE, lambda c: r.create(), Tag.OBJECT_TYPE, 0x77),
    ("Create", TEMPLATES): lambda c: c.call(
        Op.CREATE, CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, template_attribute=NAMES_NOTHING)
    ),
    ("Create", VALUES): create_with(length=100),
    ("Create", INSTANCES): create_with(*too_many()),
    ("Create", CREATED_NAME): twice(create_with),
    ("Create", NO_NAMESPACE): create_with(NAMESPACE),
    ("Create Key Pair", TEMPLATES): lambda c: c.call(
        Op.CREATE_KEY_PAIR, CreateKeyPairRequest(common_template_attribute=NAMES_NOTHING)
    ),
    ("Create Key Pair", VALUES): lambda c: c.call(Op.CREATE_KEY_PAIR, r.create_key_pair(A.RSA, 1000)),
    ("Create Key Pair", CREATED_NAME): twice(pair_with),
    ("Create Key Pair", INSTANCES): pair_with(*too_many()),
    ("Create Key Pair", NO_NAMESPACE): pair_with(NAMESPACE),
    ("Register", "Object Type is not recognized"): altered(
        Op.REGISTER, lambda c: r.register_key(bytes(16)), Tag.OBJECT_TYPE, 0x77
    ),
    ("Register", "Object Type does not match type of cryptographic object provided"): altered(
        Op.REGISTER, lambda c: r.register_key(bytes(16)), Tag.OBJECT_TYPE, int(ObjectType.SECRET_DATA)
    ),
    ("Register", TEMPLATES): lambda c: c.call(
        Op.REGISTER,
        RegisterRequest(
            object_type=ObjectType.SYMMETRIC_KEY,
            template_attribute=NAMES_NOTHING,
            managed_object=r.register_key(bytes(16)).managed_object,
        ),
    ),
    ("Register", VALUES): register_with(r.attribute(Tag.CRYPTOGRAPHIC_LENGTH, 192)),
    ("Register", REGISTERED_NAME): twice(register_with),
    ("Register", INSTANCES): register_with(*too_many()),
    ("Register", NO_NAMESPACE): register_with(NAMESPACE),
    ("Re-key", "Object specified is not able to be re-keyed"): rekeyed(lambda c: pair(c)[0]),
    (
        "Re-key",
        "Offset field is not permitted to be specified at the same time as any of the Activation Date, Process"
        " Start Date, Protect Stop Date, or Deactivation Date attributes",
    ): rekeyed(active, offset=60, template_attribute=r.template(r.attribute(Tag.ACTIVATION_DATE, 5))),
    ("Re-key", NO_NAMESPACE): rekeyed(active, template_attribute=r.template(NAMESPACE)),
    (
        "Re-key",
        "An offset cannot be used to specify new Process Start, Protect Stop and/or Deactivation Date attribute"
        " values since no Activation Date has been specified for the existing key",
    ): rekeyed(lambda c: key(c, r.attribute(Tag.DEACTIVATION_DATE, 4_000_000_000)), offset=60),
    ("Re-key Key Pair", "Object specified is not able to be re-keyed"): on(Op.RE_KEY_KEY_PAIR, key),
    (
        "Re-key Key Pair",
        "Offset field is not permitted to be specified at the same time as any of the Activation Date or"
        " Deactivation Date attributes",
    ): pair_rekeyed(common=r.attribute(Tag.ACTIVATION_DATE, 5), offset=60),
    ("Re-key Key Pair", NO_NAMESPACE): pair_rekeyed(common=NAMESPACE),
    (
        "Re-key Key Pair",
        "An offset cannot be used to specify new Process Start, Protect Stop and/or Deactivation Date attribute"
        " values since no Activation Date has been specified for the existing key",
    ): pair_rekeyed(r.attribute(Tag.DEACTIVATION_DATE, 4_000_000_000), offset=60),
    ("Check", "Check cannot be performed on this object"): on(Op.CHECK, template),
    ("Check", "The client is not allowed to use the object according to the specified attributes"): on(
        Op.CHECK, lambda c: key(c, mask=M.DECRYPT)
    ),
    **{
        (title, condition): wrapping(specified, operation, **options)
        for title, operation in (("Get", Op.GET), ("Export", Op.EXPORT))
        for condition, (specified, options) in WRAPPINGS.items()
    },
    (
        "Export",
        "Object exists but cannot be provided in the desired Key Format Type and/or Key Compression Type",
    ): lambda c: c.call(Op.EXPORT, ExportRequest(unique_identifier=key(c), key_format_type=KeyFormatType.PKCS_1)),
    ("Export", "Key Wrap Type is not supported by the server"): lambda c: c.call(
        Op.EXPORT, ExportRequest(unique_identifier=stored_wrapped(c), key_wrap_type=KeyWrapType.NOT_WRAPPED)
    ),
    (
        "Import",
        "Unique identifier already exists on the server and Replace Existing is false or not specified.",
    ): importing(twice=True),
    ("Import", "Object Type is not recognized"): altered(
        Op.IMPORT,
        lambda c: import_request(c, r.attribute(Tag.OBJECT_TYPE, ObjectType.SYMMETRIC_KEY)),
        Tag.ATTRIBUTE_VALUE,
        0x77,
    ),
    ("Import", "Field is not supported by server"): import_with_a_later_field,
    ("Import", "Object Type does not match type of cryptographic object provided"): importing(
        r.attribute(Tag.OBJECT_TYPE, ObjectType.SECRET_DATA)
    ),
    ("Import", VALUES): importing(r.attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256)),
    ("Import", REGISTERED_NAME): imported_with_a_name_that_is_taken,
    ("Import", INSTANCES): importing(*too_many()),
    ("Import", NO_NAMESPACE): importing(NAMESPACE),
    ("Import", "Encoding Option not permitted when Key Wrapping Specification contains attribute names"): (
        importing(managed_object=wrapped_object(BESIDE))
    ),
    ("Register", "Encoding Option not permitted when Key Wrapping Specification contains attribute names"): (
        lambda c: c.call(Op.REGISTER, registering(wrapped_object(BESIDE)))
    ),
    (
        "Get",
        "Object exists but cannot be provided in the desired Key Format Type and/or Key Compression Type",
    ): get_with(key_format_type=KeyFormatType.PKCS_1),
    ("Get", "Key Wrap Type is not supported by the server."): lambda c: c.call(
        Op.GET, GetRequest(unique_identifier=stored_wrapped(c), key_wrap_type=KeyWrapType.NOT_WRAPPED)
    ),
    ("Get", "Object is Sensitive"): on(Op.GET, lambda c: key(c, r.attribute(Tag.SENSITIVE, True))),
    ("Get", "Object is not Extractable"): on(Op.GET, lambda c: key(c, r.attribute(Tag.EXTRACTABLE, False))),
    ("Get Attributes", "The same Attribute Name is present more than once"): lambda c: c.call(
        Op.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=key(c), attribute_names=(Tag.NAME, Tag.NAME))
    ),
    ("Add Attribute", "Attempt to add a read-only attribute"): add(lambda c: r.attribute(Tag.STATE, 2)),
    ("Add Attribute", "Attempt to add an attribute that is not supported for this object"): add(
        lambda c: r.attribute(Tag.CERTIFICATE_LENGTH, 100)
    ),
    ("Add Attribute", "The specified attribute already exists"): add(
        lambda c: r.attribute(Tag.CONTACT_INFORMATION, "b"), r.attribute(Tag.CONTACT_INFORMATION, "a")
    ),
    ("Add Attribute", "New attribute contains Attribute Index"): add(
        lambda c: r.attribute(Tag.OBJECT_GROUP, "g", 3)
    ),
    ("Add Attribute", "Trying to add a Name attribute with the same value that another object already has"): add(
        taken
    ),
    (
        "Add Attribute",
        "Trying to add a new instance to an attribute with multiple instances but the server limit on instances"
        " has been reached",
    ): add(lambda c: r.custom("x-many", "one more"), *too_many()[:MAX_INSTANCES]),
    ("Add Attribute", NO_NAMESPACE): add(lambda c: NAMESPACE),
    ("Modify Attribute", "A specified attribute does not exist (i.e., it needs to first be added)"): modify(
        lambda c: r.custom("x-none", "b")
    ),
    ("Modify Attribute", "An Attribute Index is specified, but no matching instance exists."): modify(
        lambda c: r.attribute(Tag.OBJECT_GROUP, "b", 7), r.attribute(Tag.OBJECT_GROUP, "a")
    ),
    ("Modify Attribute", "No matching attribute instance exists"): modify(
        lambda c: r.attribute(Tag.OBJECT_GROUP, "b", 7), r.attribute(Tag.OBJECT_GROUP, "a")
    ),
    ("Modify Attribute", "The specified attribute is read-only"): modify(lambda c: r.attribute(Tag.STATE, 2)),
    (
        "Modify Attribute",
        "Trying to set the Name attribute value to a value already used by another object",
    ): lambda c: modify(taken, r.name(c.fresh_name()))(c),
    ("Modify Attribute", NO_NAMESPACE): modify(
        lambda c: NAMESPACE,
        r.attribute(
            Tag.APPLICATION_SPECIFIC_INFORMATION,
            ApplicationSpecificInformation(application_namespace="a", application_data="b"),
        ),
    ),
    ("Delete Attribute", "Attempt to delete a read-only/REQUIRED attribute"): delete("State", None),
    ("Delete Attribute", "No attribute with the specified name exists"): delete("x-none", None),
    ("Delete Attribute", "No matching attribute instance exists"): delete(
        "Object Group", 7, r.attribute(Tag.OBJECT_GROUP, "a")
    ),
    (
        "Delete Attribute",
        "Attribute Index is specified, but the attribute does not have multiple instances (i.e., no Attribute"
        " Index is permitted to be specified)",
    ): delete("Contact Information", 1, r.attribute(Tag.CONTACT_INFORMATION, "a")),
    (
        "Activate",
        "Unique Identifier specifies a template or other object that is not able to be activated",
    ): on(Op.ACTIVATE, template),
    ("Activate", "Object is not in Pre-Active state"): on(Op.ACTIVATE, active),
    ("Revoke", "Revocation Reason is not recognized"): altered(
        Op.REVOKE, lambda c: r.revoke(active(c)), Tag.REVOCATION_REASON_CODE, 0x77
    ),
    ("Revoke", "Unique Identifier specifies a template or other object that is not able to be revoked"): on(
        Op.REVOKE, template
    ),
    ("Destroy", "Object exists, but has already been destroyed"): on(Op.DESTROY, destroyed),
    ("Destroy", "Object is not in Pre-Active, Deactivated or Compromised state"): on(Op.DESTROY, active),
    ("Encrypt", "Object specified is not able to be used for encryption"): on(
        Op.ENCRYPT, lambda c: active(c, mask=M.DECRYPT)
    ),
    ("Encrypt", "Cryptographic error during encryption"): used(
        Op.ENCRYPT, active, cryptographic_parameters=CBC, data=b"no block", iv_counter_nonce=bytes(16)
    ),
    ("Encrypt", NO_CORRELATION): in_parts(Op.ENCRYPT, active),
    ("Decrypt", "Object specified is not able to be used for decryption"): on(
        Op.DECRYPT, lambda c: active(c, mask=M.ENCRYPT)
    ),
    ("Decrypt", "Cryptographic error during decryption"): used(
        Op.DECRYPT, active, cryptographic_parameters=PKCS5, data=b"no block", iv_counter_nonce=bytes(16)
    ),
    ("Decrypt", NO_CORRELATION): in_parts(Op.DECRYPT, active),
    ("Sign", "Object specified is not able to be used for signing"): on(Op.SIGN, active),
    ("Sign", NO_CORRELATION): in_parts(Op.SIGN, lambda c: pair(c)[0]),
    ("Signature Verify", "Object specified is not able to be used for signature verification"): on(
        Op.SIGNATURE_VERIFY, active
    ),
    ("Signature Verify", NO_CORRELATION): in_parts(Op.SIGNATURE_VERIFY, lambda c: pair(c)[1]),
    ("MAC", "Object specified is not able to be used for MACing"): on(
        Op.MAC, lambda c: active(c, mask=M.MAC_VERIFY)
    ),
    ("MAC", NO_CORRELATION): in_parts(Op.MAC, lambda c: active(c, algorithm=A.HMAC_SHA256)),
    ("MAC Verify", "Object specified is not able to be used for MAC verification"): on(
        Op.MAC_VERIFY, lambda c: active(c, mask=M.MAC_GENERATE)
    ),
    ("MAC Verify", NO_CORRELATION): in_parts(Op.MAC_VERIFY, lambda c: active(c, algorithm=A.HMAC_SHA256)),
    ("HASH", NO_CORRELATION): lambda c: c.call(
        Op.HASH,
        HashRequest(
            cryptographic_parameters=r.parameters(hashing_algorithm=HashingAlgorithm.SHA_256),
            data=b"x",
            correlation_value=b"unknown",
        ),
    ),
}

NO_VALUE = "The Key Value is not present on the server"
PROVOKED |= {
    ("Encrypt", NO_VALUE): on(Op.ENCRYPT, valueless(A.AES, 128)),
    ("Decrypt", NO_VALUE): on(Op.DECRYPT, valueless(A.AES, 128)),
    ("MAC", NO_VALUE): on(Op.MAC, valueless(A.HMAC_SHA256, 256)),
    ("MAC Verify", NO_VALUE): on(Op.MAC_VERIFY, valueless(A.HMAC_SHA256, 256)),
    ("Sign", NO_VALUE): on(Op.SIGN, valueless(A.RSA, 2048, PrivateKey, ObjectType.PRIVATE_KEY)),
    ("Re-key", NO_VALUE): on(Op.RE_KEY, valueless(A.AES, 128)),
    ("Re-key Key Pair", NO_VALUE): on(
        Op.RE_KEY_KEY_PAIR, valueless(A.RSA, 2048, PrivateKey, ObjectType.PRIVATE_KEY)
    ),
    (
        "Get",
        "Object exists and is not a Template, but the server only has attributes for this object",
    ): lambda c: c.call(
        Op.GET,
        GetRequest(unique_identifier=valueless(A.AES, 128)(c), key_wrapping_specification=wrapped(active(c))),
    ),
}

for _title, _operation in served().items():
    if _operation in ASKED:
        PROVOKED.update({(_title, each): on(_operation, lambda c: ABSENT) for each in NO_OBJECT})

# Why no client can provoke a row on this server. The second column is a condition, or its beginning.
NOT_HERE: list[tuple[str, str, str]] = [
    ("*", "Object is archived", "only an Import makes an archived object here: tests/engine/test_transfer.py"),
    ("*", "Template object is archived", "Archive is not served: nothing can be archived"),
    (
        "*",
        "Error creating cryptographic object",
        "what cannot be made is an incorrect value, told before it is tried",
    ),
    (
        "Re-key",
        "Cryptographic error during re-key",
        "a replacement has the algorithm and length of a key that was made",
    ),
    (
        "Re-key Key Pair",
        "Cryptographic error during re-key",
        "a replacement has the algorithm and length of a key that was made",
    ),
    (
        "Create Key Pair",
        "REQUIRED field(s) missing",
        "no field is required: clients ask for pairs without templates",
    ),
    (
        "Register",
        "Trying to register a new Template object containing a Name",
        "the Name is the Template-Attribute's",
    ),
    ("Register", "Key Format Type is PKCS#12", "PKCS#12 is refused as a Key Format Type"),
    ("Locate", "Non-existing attributes", "answered with no match, as clients need it: docs/divergences.md"),
    ("Get Attributes", "An Attribute Index is specified", "the request has no field for an index"),
    ("Delete Attribute", "Attribute Index is not specified and the attribute has", "absent means 0 since 1.1"),
    ("Sign", "Cryptographic error during signing", "parameters that do not fit the key are told as such"),
    ("Signature Verify", "Cryptographic error during", "a signature that does not verify is answered Invalid"),
    ("MAC", "Cryptographic error during", "a key that does not fit the algorithm is told as such"),
    ("MAC Verify", "Cryptographic error during", "a MAC that does not verify is answered Invalid"),
    ("Signature Verify", "The Key Value is not present", "a public key is registered with its value"),
    ("RNG Retrieve", "Cryptographic error during", "random that cannot be had is a fault of the server"),
    ("RNG Seed", "Cryptographic error during", "a seed is stirred in; it cannot fail for what it holds"),
    ("HASH", "Cryptographic error during", "every hash that is served hashes every message"),
]


def not_here(title: str, condition: str) -> bool:
    return any(each in ("*", title) and condition.startswith(start) for each, start, _ in NOT_HERE)


def cases() -> list[Any]:
    return [
        pytest.param(title, condition, version, id=f"{title}-{version}-{condition[:60]}")
        for title, condition, version in rows()
        if (title, condition) in PROVOKED
    ]


@pytest.fixture(scope="module")
def connection(server: RunningServer) -> Iterator[Connection]:
    with Connection(server) as made:
        yield made


@pytest.mark.parametrize(("title", "condition", "version"), cases())
def test_row(connection: Connection, title: str, condition: str, version: Version) -> None:
    """The reason is the table's, and what was refused has changed nothing: see `Watching`."""
    with pytest.raises(Refused) as refused:
        PROVOKED[title, condition](Watching(connection, version))
    assert refused.value.reason == rows()[title, condition, version], refused.value
    assert refused.value.message


@pytest.mark.skipif(not ERRORS.exists(), reason="the standard's tables are not beside this checkout")
def test_every_row_is_provoked_or_has_a_reason() -> None:
    missing = {(t, c) for t, c, _ in rows() if (t, c) not in PROVOKED and not not_here(t, c)}
    assert not missing
    told = {(t, c) for t, c, _ in rows()}
    assert not {each for each in PROVOKED if each not in told and each[1] not in NO_OBJECT}
    for title, start, _ in NOT_HERE:
        assert any(title in ("*", t) and c.startswith(start) for t, c in told), start
