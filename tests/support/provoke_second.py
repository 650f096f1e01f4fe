"""How a client of 2.x provokes each reason that an operation's error table lists; or why none can here.

Strategy: the tables of 2.x say which reasons an operation gives, not when. So there is a row here for each operation
and reason. Eight reasons stand in nearly every table; they are provoked alike, by `COMMON`, with the operation's
`USUAL` request. What no client can provoke stands in `NOT_HERE` with the reason. A new operation has to get its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import (
    CryptographicDomainParameters,
    Link,
    ProtectionStorageMasks,
    UsageLimits,
)
from kmip_server.protocol.enums import (
    AdjustmentType,
    AsynchronousIndicator,
    BlockCipherMode,
    EncodingOption,
    EndpointRole,
    HashingAlgorithm,
    InteropFunction,
    KeyCompressionType,
    KeyFormatType,
    KeyWrapType,
    LinkType,
    ObjectType,
    PaddingMethod,
    ProtectionStorageMask,
    RecommendedCurve,
    RevocationReasonCode,
    State,
    UsageLimitsUnit,
)
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import CryptographicUsageMask as M
from kmip_server.protocol.enums import Operation as Op
from kmip_server.protocol.enums import ResultReason as R
from kmip_server.protocol.objects import KeyBlock, KeyValue, PrivateKey, PublicKey
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    AdjustAttributeRequest,
    DeleteAttributeRequest,
    GetAttributeListRequest,
    GetAttributesRequest,
    ModifyAttributeRequest,
    SetAttributeRequest,
)
from kmip_server.protocol.payloads.check import CheckRequest
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    EncryptRequest,
    HashRequest,
    MACRequest,
    MACVerifyRequest,
    RNGRetrieveRequest,
    RNGSeedRequest,
    SignatureVerifyRequest,
    SignRequest,
)
from kmip_server.protocol.payloads.discovery import DiscoverVersionsRequest, QueryRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.payloads.rekey import RekeyKeyPairRequest, RekeyRequest
from kmip_server.protocol.payloads.server import (
    InteropRequest,
    LogRequest,
    PingRequest,
    SetEndpointRoleRequest,
)
from kmip_server.protocol.payloads.transfer import ExportRequest, ImportRequest
from kmip_server.protocol.tags import Tag
from tests.support import requests as r
from tests.support.engine import result_of
from tests.support.provoke import (
    ABSENT,
    BESIDE,
    CBC,
    Provoke,
    active,
    destroyed,
    key,
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
from tests.support.wire import Client

LATER = 4_000_000_000
EC_SHA256 = r.parameters(hashing_algorithm=HashingAlgorithm.SHA_256)
SHA_256 = r.parameters(hashing_algorithm=HashingAlgorithm.SHA_256)
Asked = Callable[[str], Any]
Made = Callable[[Client], str]


# --- objects ------------------------------------------------------------------------------------


def pair(client: Client) -> tuple[str, str]:
    """Private and public key of an active pair of an elliptic curve."""
    common = (r.attribute(Tag.ACTIVATION_DATE, 0),)
    made = client.call(Op.CREATE_KEY_PAIR, r.create_key_pair(A.EC, 256, *common))
    return made.private_key_unique_identifier, made.public_key_unique_identifier


def private(client: Client) -> str:
    return pair(client)[0]


def public(client: Client) -> str:
    return pair(client)[1]


def hmac(client: Client, **options: Any) -> str:
    return active(client, algorithm=A.HMAC_SHA256, **options)


def grouped(client: Client) -> str:
    """A key with two instances of an attribute."""
    return key(client, r.attribute(Tag.OBJECT_GROUP, "a"), r.attribute(Tag.OBJECT_GROUP, "b"))


def compromised(client: Client) -> str:
    """A key that is Compromised and has never had an Activation Date."""
    made = key(client)
    client.call(Op.REVOKE, r.revoke(made, RevocationReasonCode.KEY_COMPROMISE))
    return made


def spent(client: Client, algorithm: A = A.AES, *, mask: M = r.ALL_USES) -> str:
    """An active key whose Usage Limits are used up: they are for no byte at all."""
    limits = r.attribute(
        Tag.USAGE_LIMITS, UsageLimits(usage_limits_total=0, usage_limits_unit=UsageLimitsUnit.BYTE)
    )
    return key(client, limits, r.attribute(Tag.ACTIVATION_DATE, 0), algorithm=algorithm, mask=mask)


def of_a_weak_algorithm(client: Client) -> str:
    """A key that can be kept, but not made here. It has a Name, which a replacement would take over."""
    request = r.register_key(bytes(range(1, 25)), r.name(client.fresh_name()), algorithm=A.TRIPLE_DES)
    unique_identifier: str = client.call(Op.REGISTER, request).unique_identifier
    return unique_identifier


def of_a_weak_pair(client: Client) -> str:
    """The private key of a pair that can be kept, but not made here."""
    made = rsa.generate_private_key(65537, 1024)
    public_form = made.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    private_form = made.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    other = _registered(client, PublicKey, ObjectType.PUBLIC_KEY, KeyFormatType.X_509, public_form)
    link = Link(link_type=LinkType.PUBLIC_KEY_LINK, linked_object_identifier=other)
    attributes = (r.attribute(Tag.LINK, link), r.name(client.fresh_name()))
    return _registered(client, PrivateKey, ObjectType.PRIVATE_KEY, KeyFormatType.PKCS_8, private_form, *attributes)


def _registered(
    client: Client, kind: type[Any], object_type: ObjectType, form: KeyFormatType, value: bytes, *attributes: Any
) -> str:
    block = KeyBlock(
        key_format_type=form,
        key_value=KeyValue(key_material=value),
        cryptographic_algorithm=A.RSA,
        cryptographic_length=1024,
    )
    mask = r.attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.SIGN | M.VERIFY)
    request = RegisterRequest(
        object_type=object_type,
        template_attribute=r.template(mask, *attributes),
        managed_object=kind(key_block=block),
    )
    unique_identifier: str = client.call(Op.REGISTER, request).unique_identifier
    return unique_identifier


# --- requests -----------------------------------------------------------------------------------

# What each operation asks of one object.
ASKED: dict[Op, Asked] = {
    Op.ACTIVATE: lambda i: ActivateRequest(unique_identifier=i),
    Op.ADD_ATTRIBUTE: lambda i: AddAttributeRequest(unique_identifier=i, attribute=r.custom("x-a", "b")),
    Op.ADJUST_ATTRIBUTE: lambda i: adjusting(i, Tag.PROTECTION_PERIOD),
    Op.CHECK: lambda i: CheckRequest(unique_identifier=i, cryptographic_usage_mask=M.ENCRYPT),
    Op.DECRYPT: lambda i: DecryptRequest(
        unique_identifier=i, cryptographic_parameters=CBC, data=bytes(16), iv_counter_nonce=bytes(16)
    ),
    Op.DELETE_ATTRIBUTE: lambda i: DeleteAttributeRequest(
        unique_identifier=i, attribute_references=(Tag.CONTACT_INFORMATION,)
    ),
    Op.DESTROY: lambda i: DestroyRequest(unique_identifier=i),
    Op.ENCRYPT: lambda i: EncryptRequest(
        unique_identifier=i, cryptographic_parameters=CBC, data=bytes(16), iv_counter_nonce=bytes(16)
    ),
    Op.EXPORT: lambda i: ExportRequest(unique_identifier=i),
    Op.GET: lambda i: GetRequest(unique_identifier=i),
    Op.GET_ATTRIBUTES: lambda i: GetAttributesRequest(unique_identifier=i),
    Op.GET_ATTRIBUTE_LIST: lambda i: GetAttributeListRequest(unique_identifier=i),
    Op.MAC: lambda i: MACRequest(unique_identifier=i, data=b"x"),
    Op.MAC_VERIFY: lambda i: MACVerifyRequest(unique_identifier=i, data=b"x", mac_data=bytes(32)),
    Op.MODIFY_ATTRIBUTE: lambda i: ModifyAttributeRequest(
        unique_identifier=i, attribute=r.attribute(Tag.CONTACT_INFORMATION, "b")
    ),
    Op.RE_KEY: lambda i: RekeyRequest(unique_identifier=i),
    Op.RE_KEY_KEY_PAIR: lambda i: RekeyKeyPairRequest(private_key_unique_identifier=i),
    Op.REVOKE: lambda i: r.revoke(i),
    Op.SET_ATTRIBUTE: lambda i: SetAttributeRequest(
        unique_identifier=i, attribute=r.attribute(Tag.CONTACT_INFORMATION, "b")
    ),
    Op.SIGN: lambda i: SignRequest(unique_identifier=i, cryptographic_parameters=EC_SHA256, data=b"x"),
    Op.SIGNATURE_VERIFY: lambda i: SignatureVerifyRequest(
        unique_identifier=i, cryptographic_parameters=EC_SHA256, data=b"x", signature_data=bytes(64)
    ),
}


def adjusting(
    unique_identifier: str, tag: Tag, adjustment: AdjustmentType = AdjustmentType.INCREMENT, **more: Any
) -> AdjustAttributeRequest:
    return AdjustAttributeRequest(
        unique_identifier=unique_identifier, attribute_references=(tag,), adjustment_type=adjustment, **more
    )


def contacted(client: Client) -> str:
    return key(client, r.attribute(Tag.CONTACT_INFORMATION, "a"))


# An object that the operation of ASKED can be performed on.
FITTING: dict[Op, Made] = {
    Op.DECRYPT: active,
    Op.DELETE_ATTRIBUTE: contacted,
    Op.ENCRYPT: active,
    Op.MAC: hmac,
    Op.MAC_VERIFY: hmac,
    Op.MODIFY_ATTRIBUTE: contacted,
    Op.RE_KEY_KEY_PAIR: private,
    Op.REVOKE: active,
    Op.SIGN: private,
    Op.SIGNATURE_VERIFY: public,
}


def import_request(client: Client, *attributes: Any, **changes: Any) -> ImportRequest:
    given = {"managed_object": r.register_key(bytes(16)).managed_object} | changes
    return ImportRequest(
        unique_identifier=client.fresh_name(),
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=attributes,
        **given,
    )


def usual(operation: Op) -> Callable[[Client], Any]:
    return lambda c: ASKED[operation](FITTING.get(operation, key)(c))


# The usual request of every operation; one that succeeds.
USUAL: dict[Op, Callable[[Client], Any]] = {
    **{operation: usual(operation) for operation in ASKED},
    Op.CREATE: lambda c: r.create(),
    Op.CREATE_KEY_PAIR: lambda c: r.create_key_pair(A.EC, 256),
    Op.DISCOVER_VERSIONS: lambda c: DiscoverVersionsRequest(),
    Op.HASH: lambda c: HashRequest(cryptographic_parameters=SHA_256, data=b"x"),
    Op.IMPORT: import_request,
    Op.INTEROP: lambda c: InteropRequest(interop_function=InteropFunction.BEGIN, interop_identifier="a"),
    Op.LOCATE: lambda c: LocateRequest(attributes=(r.name("nobody's"),)),
    Op.LOG: lambda c: LogRequest(log_message="a"),
    Op.PING: lambda c: PingRequest(),
    Op.QUERY: lambda c: QueryRequest(query_functions=(1,)),
    Op.REGISTER: lambda c: r.register_key(bytes(16)),
    Op.RNG_RETRIEVE: lambda c: RNGRetrieveRequest(data_length=16),
    Op.RNG_SEED: lambda c: RNGSeedRequest(data=b"x"),
    Op.SET_ENDPOINT_ROLE: lambda c: SetEndpointRoleRequest(endpoint_role=EndpointRole.SERVER),
}


def header(client: Client, operation: Op, *fields: ttlv.Item) -> Any:
    """The usual request, with these fields in the Request Header."""
    request = USUAL[operation](client)
    (item,) = client.batch((operation, request), ids=[None], header=list(fields))
    return result_of(item, client.version)


# How the reasons that stand in nearly every table are provoked, whatever the operation. Permission Denied is another
# principal's: see `test_error_tables_second.py`.
COMMON: dict[R, Callable[[Client, Op], Any]] = {
    R.INVALID_MESSAGE: lambda c, o: c.call(
        o,
        USUAL[o](c),
        change=lambda item: (item[0], ttlv.INTEGER, 1),  # a payload is a Structure
    ),
    R.INVALID_FIELD: lambda c, o: header(c, o, (Tag.MAXIMUM_RESPONSE_SIZE, ttlv.INTEGER, -1)),
    R.RESPONSE_TOO_LARGE: lambda c, o: header(c, o, (Tag.MAXIMUM_RESPONSE_SIZE, ttlv.INTEGER, 16)),
    R.FEATURE_NOT_SUPPORTED: lambda c, o: header(
        c, o, (Tag.ASYNCHRONOUS_INDICATOR, ttlv.ENUMERATION, int(AsynchronousIndicator.MANDATORY))
    ),
}


def on(operation: Op, made: Made) -> Provoke:
    """The operation's usual request, on an object made so."""
    return lambda c: c.call(operation, ASKED[operation](made(c)))


def used(operation: Op, made: Made, **changes: Any) -> Provoke:
    """The same, with some fields otherwise."""
    return lambda c: c.call(operation, replace(ASKED[operation](made(c)), **changes))


def sent(operation: Op, request: Callable[[Client], Any]) -> Provoke:
    return lambda c: c.call(operation, request(c))


# --- what is wrong with the attributes of a new object ------------------------------------------


def _create(*attributes: Any) -> Any:
    return r.create(*attributes)


def _create_key_pair(*attributes: Any) -> Any:
    return r.create_key_pair(A.EC, 256, *attributes)


def _register(*attributes: Any) -> Any:
    return r.register_key(bytes(16), *attributes)


_CREATING: dict[Op, Callable[[Client, list[Any]], Any]] = {
    Op.CREATE: lambda c, given: _create(*given),
    Op.CREATE_KEY_PAIR: lambda c, given: _create_key_pair(*given),
    Op.REGISTER: lambda c, given: _register(*given),
    Op.IMPORT: lambda c, given: import_request(c, *given),
}
CONTACTS = [r.attribute(Tag.CONTACT_INFORMATION, "a"), r.attribute(Tag.CONTACT_INFORMATION, "b")]
# Of keys of elliptic curves alone.
CURVE = r.attribute(
    Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, CryptographicDomainParameters(recommended_curve=RecommendedCurve.P_256)
)
_WRONG: dict[R, Callable[[Client], list[Any]]] = {
    # Attributes that begin with y- are the server's, in Import too.
    R.ATTRIBUTE_READ_ONLY: lambda c: [r.custom("y-a", "b")],
    R.ATTRIBUTE_SINGLE_VALUED: lambda c: CONTACTS,
    R.INVALID_ATTRIBUTE: lambda c: [CURVE],
    R.INVALID_ATTRIBUTE_VALUE: lambda c: [
        r.attribute(Tag.ACTIVATION_DATE, 100),
        r.attribute(Tag.DEACTIVATION_DATE, 1),
    ],
    R.NON_UNIQUE_NAME_ATTRIBUTE: lambda c: [taken(c)],
    R.SERVER_LIMIT_EXCEEDED: lambda c: too_many(),
}


def _made_with(operation: Op, wrong: Callable[[Client], list[Any]]) -> Provoke:
    return lambda c: c.call(operation, _CREATING[operation](c, wrong(c)))


# --- what is wrong with wrapping ----------------------------------------------------------------


def _wrapping(operation: Op, made: Made, *, mode: Any = None, **options: Any) -> Provoke:
    def provoke(client: Client) -> Any:
        specification = wrapped(made(client), **options)
        information = specification.encryption_key_information
        if mode is not None and information is not None:
            information = replace(information, cryptographic_parameters=r.parameters(block_cipher_mode=mode))
            specification = replace(specification, encryption_key_information=information)
        request = replace(ASKED[operation](key(client)), key_wrapping_specification=specification)
        return client.call(operation, request)

    return provoke


def _delivering(operation: Op) -> dict[tuple[Op, R], Provoke]:
    """What is wrong with a Get or an Export."""
    return {
        (operation, R.BAD_CRYPTOGRAPHIC_PARAMETERS): _wrapping(operation, active, mode=BlockCipherMode.X9_102_AKW1),
        (operation, R.ENCODING_OPTION_ERROR): _wrapping(
            operation, active, option=EncodingOption.NO_ENCODING, attribute_names=(Tag.NAME,)
        ),
        (operation, R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK): _wrapping(
            operation, lambda c: active(c, mask=M.ENCRYPT)
        ),
        (operation, R.INVALID_OBJECT_TYPE): _wrapping(operation, secret),
        (operation, R.KEY_COMPRESSION_TYPE_NOT_SUPPORTED): used(
            operation, key, key_compression_type=KeyCompressionType.EC_PUBLIC_KEY_TYPE_X9_62_HYBRID
        ),
        (operation, R.KEY_FORMAT_TYPE_NOT_SUPPORTED): used(operation, key, key_format_type=KeyFormatType.PKCS_1),
        (operation, R.KEY_VALUE_NOT_PRESENT): lambda c: c.call(
            operation,
            replace(ASKED[operation](valueless(A.AES, 128)(c)), key_wrapping_specification=wrapped(active(c))),
        ),
        (operation, R.KEY_WRAP_TYPE_NOT_SUPPORTED): used(
            operation, stored_wrapped, key_wrap_type=KeyWrapType.NOT_WRAPPED
        ),
        (operation, R.WRAPPING_OBJECT_DESTROYED): _wrapping(operation, destroyed),
        (operation, R.WRAPPING_OBJECT_NOT_FOUND): _wrapping(operation, lambda c: ABSENT),
    }


# --- what is wrong with the use of a key --------------------------------------------------------


def _using(
    operation: Op,
    fit: Made,
    *,
    other_mask: Made,
    other_type: Made,
    unvalued: Made,
    state: Made,
    bad: dict[str, Any],
) -> dict[tuple[Op, R], Provoke]:
    return {
        (operation, R.BAD_CRYPTOGRAPHIC_PARAMETERS): used(operation, fit, **bad),
        (operation, R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK): on(operation, other_mask),
        (operation, R.INVALID_CORRELATION_VALUE): used(operation, fit, correlation_value=b"unknown"),
        (operation, R.INVALID_OBJECT_TYPE): on(operation, other_type),
        (operation, R.KEY_VALUE_NOT_PRESENT): on(operation, unvalued),
        (operation, R.WRONG_KEY_LIFECYCLE_STATE): on(operation, state),
    }


_OF_3DES = {"cryptographic_parameters": replace(CBC, cryptographic_algorithm=A.TRIPLE_DES)}
NO_MODE = r.parameters(block_cipher_mode=BlockCipherMode.X9_102_AKW1)
_NO_HASH = {"cryptographic_parameters": r.parameters(salt_length=1)}
_NO_MAC = {"cryptographic_parameters": r.parameters(cryptographic_algorithm=A.RSA)}


def _unused_pair(which: int) -> Made:
    """A key of a pair that is Pre-Active."""

    def made(client: Client) -> str:
        created = client.call(Op.CREATE_KEY_PAIR, r.create_key_pair(A.EC, 256))
        names: tuple[str, str] = (created.private_key_unique_identifier, created.public_key_unique_identifier)
        return names[which]

    return made


def _for_agreement(which: int) -> Made:
    """A key of an active pair that is for nothing but Key Agreement."""

    def made(client: Client) -> str:
        mask = r.template(r.attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.KEY_AGREEMENT))
        request = r.create_key_pair(A.EC, 256, r.attribute(Tag.ACTIVATION_DATE, 0))
        created = client.call(
            Op.CREATE_KEY_PAIR,
            replace(request, private_key_template_attribute=mask, public_key_template_attribute=mask),
        )
        names: tuple[str, str] = (created.private_key_unique_identifier, created.public_key_unique_identifier)
        return names[which]

    return made


# --- the rows -----------------------------------------------------------------------------------

NOWHERE = ProtectionStorageMasks(masks=(ProtectionStorageMask.HYPERVISOR,))

PROVOKED: dict[tuple[Op, R], Provoke] = {
    **{
        (operation, reason): _made_with(operation, wrong)
        for operation in _CREATING
        for reason, wrong in _WRONG.items()
    },
    (Op.CREATE_KEY_PAIR, R.INVALID_ATTRIBUTE): sent(
        Op.CREATE_KEY_PAIR, lambda c: _create_key_pair(r.attribute(Tag.CERTIFICATE_LENGTH, 100))
    ),
    **_delivering(Op.GET),
    **_delivering(Op.EXPORT),
    **_using(
        Op.ENCRYPT,
        active,
        other_mask=lambda c: active(c, mask=M.DECRYPT),
        other_type=private,
        unvalued=valueless(A.AES, 128),
        state=key,
        bad=_OF_3DES,
    ),
    **_using(
        Op.DECRYPT,
        active,
        other_mask=lambda c: active(c, mask=M.ENCRYPT),
        other_type=public,
        unvalued=valueless(A.AES, 128),
        state=key,
        bad=_OF_3DES,
    ),
    **_using(
        Op.MAC,
        hmac,
        other_mask=lambda c: hmac(c, mask=M.MAC_VERIFY),
        other_type=private,
        unvalued=valueless(A.HMAC_SHA256, 256),
        state=lambda c: key(c, algorithm=A.HMAC_SHA256),
        bad=_NO_MAC,
    ),
    **_using(
        Op.MAC_VERIFY,
        hmac,
        other_mask=lambda c: hmac(c, mask=M.MAC_GENERATE),
        other_type=public,
        unvalued=valueless(A.HMAC_SHA256, 256),
        state=lambda c: key(c, algorithm=A.HMAC_SHA256),
        bad=_NO_MAC,
    ),
    **_using(
        Op.SIGN,
        private,
        other_mask=_for_agreement(0),
        other_type=active,
        unvalued=valueless(A.EC, 256, PrivateKey, ObjectType.PRIVATE_KEY),
        state=_unused_pair(0),
        bad=_NO_HASH,
    ),
    **_using(
        Op.SIGNATURE_VERIFY,
        public,
        other_mask=_for_agreement(1),
        other_type=active,
        unvalued=valueless(A.EC, 256, PublicKey, ObjectType.PUBLIC_KEY),
        state=_unused_pair(1),
        bad=_NO_HASH,
    ),
    (Op.ACTIVATE, R.INVALID_OBJECT_TYPE): on(Op.ACTIVATE, template),
    (Op.ACTIVATE, R.WRONG_KEY_LIFECYCLE_STATE): on(Op.ACTIVATE, active),
    (Op.ADD_ATTRIBUTE, R.ATTRIBUTE_SINGLE_VALUED): used(
        Op.ADD_ATTRIBUTE, contacted, attribute=r.attribute(Tag.CONTACT_INFORMATION, "b")
    ),
    (Op.ADD_ATTRIBUTE, R.INVALID_ATTRIBUTE): used(
        Op.ADD_ATTRIBUTE, key, attribute=r.attribute(Tag.CERTIFICATE_LENGTH, 100)
    ),
    (Op.ADD_ATTRIBUTE, R.NON_UNIQUE_NAME_ATTRIBUTE): lambda c: c.call(
        Op.ADD_ATTRIBUTE, AddAttributeRequest(unique_identifier=key(c), attribute=taken(c))
    ),
    (Op.ADD_ATTRIBUTE, R.READ_ONLY_ATTRIBUTE): used(
        Op.ADD_ATTRIBUTE, key, attribute=r.attribute(Tag.STATE, State.ACTIVE)
    ),
    (Op.ADD_ATTRIBUTE, R.SERVER_LIMIT_EXCEEDED): used(
        Op.ADD_ATTRIBUTE, lambda c: key(c, *too_many()[:-1]), attribute=r.custom("x-many", "one more")
    ),
    (Op.ADD_ATTRIBUTE, R.WRONG_KEY_LIFECYCLE_STATE): used(
        Op.ADD_ATTRIBUTE, compromised, attribute=r.attribute(Tag.ACTIVATION_DATE, LATER)
    ),
    (Op.ADJUST_ATTRIBUTE, R.INVALID_DATA_TYPE): sent(
        Op.ADJUST_ATTRIBUTE, lambda c: adjusting(contacted(c), Tag.CONTACT_INFORMATION)
    ),
    (Op.ADJUST_ATTRIBUTE, R.MULTI_VALUED_ATTRIBUTE): sent(
        Op.ADJUST_ATTRIBUTE, lambda c: adjusting(grouped(c), Tag.OBJECT_GROUP)
    ),
    (Op.ADJUST_ATTRIBUTE, R.NUMERIC_RANGE): sent(
        Op.ADJUST_ATTRIBUTE, lambda c: adjusting(key(c), Tag.PROTECTION_PERIOD, AdjustmentType.DECREMENT)
    ),
    (Op.ADJUST_ATTRIBUTE, R.READ_ONLY_ATTRIBUTE): sent(
        Op.ADJUST_ATTRIBUTE, lambda c: adjusting(key(c), Tag.INITIAL_DATE)
    ),
    (Op.ADJUST_ATTRIBUTE, R.UNSUPPORTED_ATTRIBUTE): sent(
        Op.ADJUST_ATTRIBUTE, lambda c: adjusting(key(c), Tag.CERTIFICATE_LENGTH)
    ),
    (Op.ADJUST_ATTRIBUTE, R.WRONG_KEY_LIFECYCLE_STATE): sent(
        Op.ADJUST_ATTRIBUTE, lambda c: adjusting(active(c), Tag.ACTIVATION_DATE)
    ),
    (Op.CHECK, R.ILLEGAL_OBJECT_TYPE): on(Op.CHECK, template),
    (Op.CHECK, R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK): on(Op.CHECK, lambda c: key(c, mask=M.DECRYPT)),
    (Op.CHECK, R.USAGE_LIMIT_EXCEEDED): used(
        Op.CHECK, lambda c: spent(c), cryptographic_usage_mask=None, usage_limits_count=1
    ),
    (Op.CREATE, R.INVALID_OBJECT_TYPE): sent(
        Op.CREATE, lambda c: replace(r.create(), object_type=ObjectType.PRIVATE_KEY)
    ),
    (Op.CREATE, R.PROTECTION_STORAGE_UNAVAILABLE): sent(
        Op.CREATE, lambda c: replace(r.create(), protection_storage_masks=NOWHERE)
    ),
    (Op.CREATE_KEY_PAIR, R.PRIVATE_PROTECTION_STORAGE_UNAVAILABLE): sent(
        Op.CREATE_KEY_PAIR, lambda c: replace(_create_key_pair(), private_protection_storage_masks=NOWHERE)
    ),
    (Op.CREATE_KEY_PAIR, R.PUBLIC_PROTECTION_STORAGE_UNAVAILABLE): sent(
        Op.CREATE_KEY_PAIR, lambda c: replace(_create_key_pair(), public_protection_storage_masks=NOWHERE)
    ),
    (Op.DECRYPT, R.CRYPTOGRAPHIC_FAILURE): used(
        Op.DECRYPT,
        active,
        data=bytes(16),
        cryptographic_parameters=replace(CBC, padding_method=PaddingMethod.PKCS5),
    ),
    (Op.DECRYPT, R.MISSING_INITIALIZATION_VECTOR): used(Op.DECRYPT, active, iv_counter_nonce=None),
    (Op.DECRYPT, R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS): used(
        Op.DECRYPT, active, cryptographic_parameters=NO_MODE
    ),
    (Op.DELETE_ATTRIBUTE, R.ATTRIBUTE_INSTANCE_NOT_FOUND): used(
        Op.DELETE_ATTRIBUTE,
        grouped,
        attribute_references=(),
        current_attribute=r.attribute(Tag.OBJECT_GROUP, "c"),
    ),
    (Op.DELETE_ATTRIBUTE, R.ATTRIBUTE_NOT_FOUND): on(Op.DELETE_ATTRIBUTE, key),
    (Op.DELETE_ATTRIBUTE, R.ATTRIBUTE_READ_ONLY): used(Op.DELETE_ATTRIBUTE, key, attribute_references=(Tag.STATE,)),
    (Op.DELETE_ATTRIBUTE, R.INVALID_ATTRIBUTE): lambda c: c.call(
        Op.DELETE_ATTRIBUTE, ASKED[Op.DELETE_ATTRIBUTE](key(c)), change=_no_attribute
    ),
    (Op.DESTROY, R.OBJECT_DESTROYED): on(Op.DESTROY, destroyed),
    (Op.DESTROY, R.WRONG_KEY_LIFECYCLE_STATE): on(Op.DESTROY, active),
    (Op.ENCRYPT, R.CRYPTOGRAPHIC_FAILURE): used(Op.ENCRYPT, active, data=b"no block"),
    (Op.ENCRYPT, R.MISSING_INITIALIZATION_VECTOR): used(Op.ENCRYPT, active, iv_counter_nonce=None),
    (Op.ENCRYPT, R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS): used(
        Op.ENCRYPT, active, cryptographic_parameters=NO_MODE
    ),
    (Op.ENCRYPT, R.USAGE_LIMIT_EXCEEDED): on(Op.ENCRYPT, spent),
    (Op.GET, R.NOT_EXTRACTABLE): on(Op.GET, lambda c: key(c, r.attribute(Tag.EXTRACTABLE, False))),
    (Op.GET, R.SENSITIVE): on(Op.GET, lambda c: key(c, r.attribute(Tag.SENSITIVE, True))),
    (Op.GET_ATTRIBUTES, R.INVALID_ATTRIBUTE): lambda c: c.call(
        Op.GET_ATTRIBUTES,
        GetAttributesRequest(unique_identifier=key(c), attribute_names=(Tag.STATE,)),
        change=_no_attribute,
    ),
    (Op.HASH, R.CRYPTOGRAPHIC_FAILURE): sent(
        Op.HASH, lambda c: HashRequest(cryptographic_parameters=r.parameters(), data=b"x")
    ),
    (Op.HASH, R.INVALID_CORRELATION_VALUE): sent(
        Op.HASH,
        lambda c: HashRequest(cryptographic_parameters=SHA_256, data=b"x", correlation_value=b"unknown"),
    ),
    (Op.IMPORT, R.ENCODING_OPTION_ERROR): sent(
        Op.IMPORT, lambda c: import_request(c, managed_object=wrapped_object(BESIDE))
    ),
    (Op.IMPORT, R.OBJECT_ALREADY_EXISTS): sent(
        Op.IMPORT, lambda c: replace(import_request(c), unique_identifier=key(c))
    ),
    (Op.LOCATE, R.INVALID_ATTRIBUTE): lambda c: c.call(
        Op.LOCATE,
        LocateRequest(attributes=(r.attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),)),
        change=_length_as_text,
    ),
    (Op.MAC, R.USAGE_LIMIT_EXCEEDED): on(Op.MAC, lambda c: spent(c, A.HMAC_SHA256)),
    (Op.MODIFY_ATTRIBUTE, R.ATTRIBUTE_INSTANCE_NOT_FOUND): used(
        Op.MODIFY_ATTRIBUTE,
        grouped,
        current_attribute=r.attribute(Tag.OBJECT_GROUP, "c"),
        attribute=r.attribute(Tag.OBJECT_GROUP, "d"),
    ),
    (Op.MODIFY_ATTRIBUTE, R.ATTRIBUTE_NOT_FOUND): on(Op.MODIFY_ATTRIBUTE, key),
    (Op.MODIFY_ATTRIBUTE, R.ATTRIBUTE_READ_ONLY): used(
        Op.MODIFY_ATTRIBUTE, key, attribute=r.attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128)
    ),
    (Op.MODIFY_ATTRIBUTE, R.NON_UNIQUE_NAME_ATTRIBUTE): lambda c: c.call(
        Op.MODIFY_ATTRIBUTE,
        ModifyAttributeRequest(unique_identifier=key(c, r.name(c.fresh_name())), attribute=taken(c)),
    ),
    (Op.MODIFY_ATTRIBUTE, R.WRONG_KEY_LIFECYCLE_STATE): used(
        Op.MODIFY_ATTRIBUTE, active, attribute=r.attribute(Tag.ACTIVATION_DATE, LATER)
    ),
    (Op.REGISTER, R.ENCODING_OPTION_ERROR): sent(Op.REGISTER, lambda c: registering(wrapped_object(BESIDE))),
    (Op.REGISTER, R.INVALID_OBJECT_TYPE): sent(
        Op.REGISTER, lambda c: replace(r.register_key(bytes(16)), object_type=ObjectType.SECRET_DATA)
    ),
    (Op.REGISTER, R.PROTECTION_STORAGE_UNAVAILABLE): sent(
        Op.REGISTER, lambda c: replace(r.register_key(bytes(16)), protection_storage_masks=NOWHERE)
    ),
    (Op.REVOKE, R.INVALID_OBJECT_TYPE): on(Op.REVOKE, template),
    (Op.REVOKE, R.WRONG_KEY_LIFECYCLE_STATE): on(Op.REVOKE, key),
    (Op.RE_KEY, R.CRYPTOGRAPHIC_FAILURE): on(Op.RE_KEY, of_a_weak_algorithm),
    (Op.RE_KEY, R.INVALID_OBJECT_TYPE): on(Op.RE_KEY, private),
    (Op.RE_KEY, R.KEY_VALUE_NOT_PRESENT): on(Op.RE_KEY, valueless(A.AES, 128)),
    (Op.RE_KEY, R.PROTECTION_STORAGE_UNAVAILABLE): used(Op.RE_KEY, key, protection_storage_masks=NOWHERE),
    (Op.RE_KEY_KEY_PAIR, R.CRYPTOGRAPHIC_FAILURE): on(Op.RE_KEY_KEY_PAIR, of_a_weak_pair),
    (Op.RE_KEY_KEY_PAIR, R.INVALID_OBJECT_TYPE): on(Op.RE_KEY_KEY_PAIR, key),
    (Op.RE_KEY_KEY_PAIR, R.KEY_VALUE_NOT_PRESENT): on(
        Op.RE_KEY_KEY_PAIR, valueless(A.EC, 256, PrivateKey, ObjectType.PRIVATE_KEY)
    ),
    (Op.RE_KEY_KEY_PAIR, R.PRIVATE_PROTECTION_STORAGE_UNAVAILABLE): used(
        Op.RE_KEY_KEY_PAIR, private, private_protection_storage_masks=NOWHERE
    ),
    (Op.RE_KEY_KEY_PAIR, R.PUBLIC_PROTECTION_STORAGE_UNAVAILABLE): used(
        Op.RE_KEY_KEY_PAIR, private, public_protection_storage_masks=NOWHERE
    ),
    (Op.SET_ATTRIBUTE, R.INVALID_ATTRIBUTE_VALUE): used(
        Op.SET_ATTRIBUTE, active, attribute=r.attribute(Tag.DEACTIVATION_DATE, 1)
    ),
    (Op.SET_ATTRIBUTE, R.MULTI_VALUED_ATTRIBUTE): used(
        Op.SET_ATTRIBUTE, grouped, attribute=r.attribute(Tag.OBJECT_GROUP, "c")
    ),
    (Op.SET_ATTRIBUTE, R.NON_UNIQUE_NAME_ATTRIBUTE): lambda c: c.call(
        Op.SET_ATTRIBUTE, SetAttributeRequest(unique_identifier=key(c), attribute=taken(c))
    ),
    (Op.SET_ATTRIBUTE, R.READ_ONLY_ATTRIBUTE): used(
        Op.SET_ATTRIBUTE, key, attribute=r.attribute(Tag.STATE, State.ACTIVE)
    ),
    (Op.SET_ATTRIBUTE, R.WRONG_KEY_LIFECYCLE_STATE): used(
        Op.SET_ATTRIBUTE, active, attribute=r.attribute(Tag.ACTIVATION_DATE, LATER)
    ),
    (Op.SIGN, R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS): used(
        Op.SIGN, private, cryptographic_parameters=r.parameters(hashing_algorithm=HashingAlgorithm.TIGER)
    ),
    (Op.SIGN, R.USAGE_LIMIT_EXCEEDED): lambda c: c.call(Op.SIGN, ASKED[Op.SIGN](_spent_private(c))),
    (Op.SIGNATURE_VERIFY, R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS): used(
        Op.SIGNATURE_VERIFY, public, cryptographic_parameters=r.parameters(hashing_algorithm=HashingAlgorithm.TIGER)
    ),
    # Where the table has one word for an object that is not there: Item Not Found in Adjust Attribute's.
    **{
        (operation, R.ITEM_NOT_FOUND if operation is Op.ADJUST_ATTRIBUTE else R.OBJECT_NOT_FOUND): on(
            operation, lambda c: ABSENT
        )
        for operation in ASKED
    },
}


def _no_attribute(item: ttlv.Item) -> ttlv.Item:
    """The payload with a reference to a tag that is no attribute's."""
    fields = [
        (each[0], each[1], int(Tag.BATCH_COUNT)) if each[0] == Tag.ATTRIBUTE_REFERENCE else each for each in item[2]
    ]
    return (item[0], item[1], fields)


def _length_as_text(item: ttlv.Item) -> ttlv.Item:
    if item[1] == ttlv.STRUCTURE:
        return (item[0], item[1], [_length_as_text(each) for each in item[2]])
    return (item[0], ttlv.TEXT_STRING, "128") if item[0] == Tag.CRYPTOGRAPHIC_LENGTH else item


def _spent_private(client: Client) -> str:
    limits = UsageLimits(usage_limits_total=0, usage_limits_unit=UsageLimitsUnit.OBJECT)
    mask = r.attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.SIGN)
    request = r.create_key_pair(A.EC, 256, r.attribute(Tag.ACTIVATION_DATE, 0))
    template_attribute = r.template(mask, r.attribute(Tag.USAGE_LIMITS, limits))
    made = client.call(Op.CREATE_KEY_PAIR, replace(request, private_key_template_attribute=template_attribute))
    unique_identifier: str = made.private_key_unique_identifier
    return unique_identifier


# The official test cases decide against the text: see docs/divergences.md.
TOLD_OTHERWISE: dict[tuple[Op, R], R] = {
    (Op.ENCRYPT, R.USAGE_LIMIT_EXCEEDED): R.PERMISSION_DENIED,  # CS-BC-M-7
    (Op.DECRYPT, R.MISSING_INITIALIZATION_VECTOR): R.INVALID_MESSAGE,  # CS-BC-M-11, 12, 13
}

# Why no client can provoke a reason on this server; None is every operation.
NOT_HERE: dict[tuple[Op | None, R], str] = {
    (None, R.ATTESTATION_REQUIRED): "no operation requires attestation",
    (None, R.ATTESTATION_FAILED): "no operation requires attestation",
    (None, R.OPERATION_NOT_SUPPORTED): "the operation is served",
    (None, R.OBJECT_ARCHIVED): "Archive is not served: nothing can be archived",
    (None, R.WRAPPING_OBJECT_ARCHIVED): "Archive is not served: nothing can be archived",
    (Op.DISCOVER_VERSIONS, R.PERMISSION_DENIED): "anybody may ask",
    (Op.QUERY, R.PERMISSION_DENIED): "anybody may ask",
    (Op.LOCATE, R.PERMISSION_DENIED): "who may see no object finds none",
    (Op.QUERY, R.UNKNOWN_OBJECT_GROUP): "the defaults are the same for every Object Group",
    (Op.CREATE, R.READ_ONLY_ATTRIBUTE): "the same fault twice in one table; told as Attribute Read Only",
    (Op.CREATE, R.UNSUPPORTED_ATTRIBUTE): "the server has every attribute of the standard",
    (Op.CREATE, R.CRYPTOGRAPHIC_FAILURE): "what cannot be made is an incorrect value, told before it is tried",
    (Op.CREATE_KEY_PAIR, R.CRYPTOGRAPHIC_FAILURE): "what cannot be made is an incorrect value",
    (Op.DELETE_ATTRIBUTE, R.WRONG_KEY_LIFECYCLE_STATE): "what a client may delete, it may delete in every State",
    (Op.IMPORT, R.PROTECTION_STORAGE_UNAVAILABLE): "the request has no field for Protection Storage Masks",
    (Op.REGISTER, R.BAD_PASSWORD): "PKCS#12 is refused as a Key Format Type",
    (Op.SIGN, R.CRYPTOGRAPHIC_FAILURE): "parameters that do not fit the key are told as such",
    (Op.SIGNATURE_VERIFY, R.CRYPTOGRAPHIC_FAILURE): "a signature that does not verify is answered Invalid",
    (Op.MAC, R.CRYPTOGRAPHIC_FAILURE): "a key that does not fit the algorithm is told as such",
    (Op.MAC_VERIFY, R.CRYPTOGRAPHIC_FAILURE): "a MAC that does not verify is answered Invalid",
    (Op.RNG_RETRIEVE, R.CRYPTOGRAPHIC_FAILURE): "random that cannot be had is a fault of the server",
    (Op.RNG_SEED, R.CRYPTOGRAPHIC_FAILURE): "a seed is stirred in; it cannot fail for what it holds",
}
