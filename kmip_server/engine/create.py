"""Create and Create Key Pair. KMIP 1.4 sections 4.1 and 4.2."""

from __future__ import annotations

from kmip_server.crypto import algorithms, asymmetric, conversion, formats
from kmip_server.crypto.formats import KeyDescription
from kmip_server.engine import attribute_rules, defaults, key_formats, making
from kmip_server.engine.context import Context, Found
from kmip_server.engine.registry import operation
from kmip_server.errors import (
    InvalidAttributeValue,
    InvalidObjectType,
    PrivateProtectionStorageUnavailable,
    PublicProtectionStorageUnavailable,
)
from kmip_server.protocol.attribute_set import AttributeSet
from kmip_server.protocol.attribute_values import CryptographicDomainParameters
from kmip_server.protocol.enums import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    LinkType,
    ObjectType,
    Operation,
    SecretDataType,
)
from kmip_server.protocol.objects import (
    KeyBlock,
    KeyValue,
    ManagedObject,
    PrivateKey,
    PublicKey,
    SecretData,
    SymmetricKey,
)
from kmip_server.protocol.payloads.create import (
    CreateKeyPairRequest,
    CreateKeyPairResponse,
    CreateRequest,
    CreateResponse,
)
from kmip_server.protocol.tags import Tag

_M, _A = CryptographicUsageMask, CryptographicAlgorithm
# The usage masks of a private and a public key where the client names none.
_SIGNING = (_M.SIGN, _M.VERIFY)
_EC_MASKS = (_M.SIGN | _M.KEY_AGREEMENT, _M.VERIFY | _M.KEY_AGREEMENT)
_MASKS: dict[CryptographicAlgorithm, tuple[CryptographicUsageMask, CryptographicUsageMask]] = {
    _A.RSA: (_M.SIGN | _M.DECRYPT | _M.UNWRAP_KEY, _M.VERIFY | _M.ENCRYPT | _M.WRAP_KEY),
    _A.DSA: _SIGNING,
    _A.ED25519: _SIGNING,
    _A.ED448: _SIGNING,
}
# Algorithms whose keys have domain parameters that are not implied.
_WITH_DOMAIN = frozenset({_A.DSA, *formats.EC_ALGORITHMS})


@operation(Operation.CREATE)
def create(context: Context, request: CreateRequest) -> CreateResponse:
    """Make a symmetric key, or from 2.0 on a secret, and put it into the ID Placeholder.

    Raises InvalidObjectType for any other Object Type, InvalidAttributeValue where algorithm, length or usage mask
    do not make a key, UnsupportedCryptographicParameters for what is weak and switched off,
    ProtectionStorageUnavailable. KMIP 1.4 §4.1; KMIP 2.1 §6.1.8.
    """
    context.permit(Operation.CREATE)
    object_type = request.object_type
    if object_type not in _CREATED or (object_type == ObjectType.SECRET_DATA and context.version.major == 1):
        raise InvalidObjectType("Create makes Symmetric Keys; others are made by Create Key Pair or Register")
    making.require_storage(request.protection_storage_masks)
    attributes = attribute_rules.requested(context, object_type, request.template_attribute)
    attributes = defaults.completed(attributes, object_type, context.version)
    if Tag.CRYPTOGRAPHIC_USAGE_MASK not in attributes:
        raise InvalidAttributeValue("Create must have a Cryptographic Usage Mask")
    found = _CREATED[object_type](context, attributes)
    return CreateResponse(object_type=object_type, unique_identifier=found.unique_identifier)


def make_symmetric_key(context: Context, attributes: AttributeSet) -> Found:
    """A new symmetric key of the algorithm and length in `attributes`; the length has a default."""
    algorithm: CryptographicAlgorithm | None = attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM)
    if algorithm is None:
        raise InvalidAttributeValue("a Cryptographic Algorithm must be given")
    length = attributes.one(Tag.CRYPTOGRAPHIC_LENGTH)
    length = algorithms.symmetric_key_length(algorithm, length, weak_allowed=context.policy.weak_algorithms)
    key = context.keystore.random(algorithms.symmetric_key_bytes(algorithm, length))
    key = algorithms.with_parity(algorithm, key)
    attributes = attributes.with_value(Tag.CRYPTOGRAPHIC_LENGTH, length)
    made: ManagedObject = SymmetricKey(key_block=making.raw_key_block(key, algorithm, length))
    wanted: KeyFormatType | None = attributes.one(Tag.KEY_FORMAT_TYPE)
    if wanted is not None:
        made = key_formats.formatted(made, attributes, wanted)
    return making.make(context, made, ObjectType.SYMMETRIC_KEY, attributes, generated=True)


def make_secret_data(context: Context, attributes: AttributeSet) -> Found:
    """A new secret: random bytes, as many as Cryptographic Length (in bits) says. Raises InvalidAttributeValue."""
    length: int = attributes.one(Tag.CRYPTOGRAPHIC_LENGTH)
    if length % 8 or not 0 < length <= MAX_SECRET_BITS:
        raise InvalidAttributeValue(f"a secret has whole bytes, and at most {MAX_SECRET_BITS} bits")
    block = KeyBlock(
        key_format_type=KeyFormatType.RAW, key_value=KeyValue(key_material=context.keystore.random(length // 8))
    )
    made = SecretData(secret_data_type=SecretDataType.SEED, key_block=block)
    return making.make(context, made, ObjectType.SECRET_DATA, attributes, generated=True)


MAX_SECRET_BITS = 64 * 1024
_CREATED = {ObjectType.SYMMETRIC_KEY: make_symmetric_key, ObjectType.SECRET_DATA: make_secret_data}


@operation(Operation.CREATE_KEY_PAIR)
def create_key_pair(context: Context, request: CreateKeyPairRequest) -> CreateKeyPairResponse:
    """Make a private and a public key, linked to each other; the private key goes into the ID Placeholder.

    A usage mask may be left out: some clients do. Raises as Create does.
    KMIP 1.4 §4.2; KMIP 2.1 §6.1.9.
    """
    context.permit(Operation.CREATE_KEY_PAIR)
    making.require_storage(request.common_protection_storage_masks)
    making.require_storage(request.private_protection_storage_masks, PrivateProtectionStorageUnavailable)
    making.require_storage(request.public_protection_storage_masks, PublicProtectionStorageUnavailable)
    common = request.common_template_attribute
    private = attribute_rules.requested(
        context, ObjectType.PRIVATE_KEY, common, request.private_key_template_attribute
    )
    public = attribute_rules.requested(
        context, ObjectType.PUBLIC_KEY, common, request.public_key_template_attribute
    )
    private, public = _agreed(private, public)
    private = defaults.completed(private, ObjectType.PRIVATE_KEY, context.version)
    public = defaults.completed(public, ObjectType.PUBLIC_KEY, context.version)
    private_key, public_key = make_key_pair(context, private, public)
    context.id_placeholder = private_key.unique_identifier
    return CreateKeyPairResponse(
        private_key_unique_identifier=private_key.unique_identifier,
        public_key_unique_identifier=public_key.unique_identifier,
    )


def _agreed(private: AttributeSet, public: AttributeSet) -> tuple[AttributeSet, AttributeSet]:
    """Both sets with one algorithm, length and curve, whichever of them named it."""
    for tag in (
        Tag.CRYPTOGRAPHIC_ALGORITHM,
        Tag.CRYPTOGRAPHIC_LENGTH,
        Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS,
    ):
        one, other = private.one(tag), public.one(tag)
        if one is not None and other is not None and one != other:
            raise InvalidAttributeValue(f"{tag.title} differs between the private and the public key")
        agreed = other if one is None else one
        private, public = private.with_value(tag, agreed), public.with_value(tag, agreed)
    return private, public


def make_key_pair(context: Context, private: AttributeSet, public: AttributeSet) -> tuple[Found, Found]:
    """A new pair of the algorithm, length and domain parameters in `private`; each key in the format asked for."""
    algorithm: CryptographicAlgorithm | None = private.one(Tag.CRYPTOGRAPHIC_ALGORITHM)
    if algorithm is None:
        raise InvalidAttributeValue("a Cryptographic Algorithm must be given")
    domain = private.one(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS) or CryptographicDomainParameters()
    pair = asymmetric.generate(
        algorithm,
        private.one(Tag.CRYPTOGRAPHIC_LENGTH),
        domain.recommended_curve,
        domain.qlength,
        weak_allowed=context.policy.weak_algorithms,
    )
    masks = _MASKS.get(algorithm, _EC_MASKS)
    private = _with_defaults(private, pair.description, masks[0])
    public = _with_defaults(public, pair.description, masks[1])
    public_block = _key_block(context, pair.public, ObjectType.PUBLIC_KEY, public)
    private_block = _key_block(context, pair.private, ObjectType.PRIVATE_KEY, private)
    public_key = making.make(
        context, PublicKey(key_block=public_block), ObjectType.PUBLIC_KEY, public, generated=True
    )
    private_key = making.make(
        context, PrivateKey(key_block=private_block), ObjectType.PRIVATE_KEY, private, generated=True
    )
    private_key = making.linked(context, private_key, LinkType.PUBLIC_KEY_LINK, public_key)
    public_key = making.linked(context, public_key, LinkType.PRIVATE_KEY_LINK, private_key)
    return private_key, public_key


def _key_block(
    context: Context, key: formats.PrivateKey | formats.PublicKey, object_type: ObjectType, attributes: AttributeSet
) -> KeyBlock:
    """The key in the Key Format Type asked for, or the default one. Raises KeyFormatTypeNotSupported."""
    wanted: KeyFormatType | None = attributes.one(Tag.KEY_FORMAT_TYPE)
    wanted = wanted or key_formats.default(object_type, attributes, context.version)
    assert wanted is not None
    algorithm, length = attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM), attributes.one(Tag.CRYPTOGRAPHIC_LENGTH)
    return making.raw_key_block(conversion.write(key, wanted), algorithm, length, wanted)


def _with_defaults(
    attributes: AttributeSet, description: KeyDescription, mask: CryptographicUsageMask
) -> AttributeSet:
    """What the client left open: the length, the curve that a length stands for, the usage mask."""
    attributes = attributes.with_value(Tag.CRYPTOGRAPHIC_LENGTH, description.length)
    if Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS not in attributes and description.algorithm in _WITH_DOMAIN:
        domain = CryptographicDomainParameters(qlength=description.qlength, recommended_curve=description.curve)
        attributes = attributes.with_value(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, domain)
    if Tag.CRYPTOGRAPHIC_USAGE_MASK not in attributes:
        attributes = attributes.with_value(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask)
    return attributes
