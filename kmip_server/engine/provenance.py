"""Where an object comes from: what its attributes may say of its making, and of where its value is.

Strategy: two checks, one for what the server makes and one for what a client brings; both see only the object and
the attributes asked for. KMIP 1.4 sections 3.34 and 3.41-3.44.
"""

from __future__ import annotations

import dataclasses

from kmip_server.errors import (
    AttributeReadOnly,
    AttributeSingleValued,
    InvalidAttributeValue,
    MissingData,
    UnsupportedAttribute,
    UnsupportedCryptographicParameters,
)
from kmip_server.protocol.attribute_set import AttributeSet
from kmip_server.protocol.attribute_values import RNGParameters
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.enums import (
    CryptographicAlgorithm,
    DRBGAlgorithm,
    HashingAlgorithm,
    ObjectType,
    RNGAlgorithm,
)
from kmip_server.protocol.objects import ManagedObject
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import Version

# How symmetric keys made here get their randomness: the keystore mixes the HSM's and the operating system's.
GENERATOR = RNGParameters(
    rng_algorithm=RNGAlgorithm.DRBG,
    hashing_algorithm=HashingAlgorithm.SHA_512,
    drbg_algorithm=DRBGAlgorithm.HASH,
)

# Key pairs are made by OpenSSL, with its own: CTR_DRBG on AES-256.
PAIR_GENERATOR = RNGParameters(
    rng_algorithm=RNGAlgorithm.DRBG,
    cryptographic_algorithm=CryptographicAlgorithm.AES,
    cryptographic_length=256,
    drbg_algorithm=DRBGAlgorithm.CTR,
)


def generator_of(object_type: ObjectType) -> RNGParameters:
    """The Random Number Generator of what is made here."""
    return PAIR_GENERATOR if object_type in _PAIR else GENERATOR


_PAIR = (ObjectType.PUBLIC_KEY, ObjectType.PRIVATE_KEY)


def check_generated(object_type: ObjectType, attributes: AttributeSet) -> None:
    """What a client may ask of an object that the server makes.

    Raises UnsupportedCryptographicParameters unless the Random Number Generator is one of those asked for,
    AttributeReadOnly for an Original Creation Date, InvalidAttributeValue for an object that is not Fresh,
    UnsupportedAttribute for a Key Value Location.
    """
    generators: tuple[RNGParameters, ...] = attributes.all(Tag.RANDOM_NUMBER_GENERATOR)
    if generators and not any(_is(each, generator_of(object_type)) for each in generators):
        raise UnsupportedCryptographicParameters("the server has none of the Random Number Generators asked for")
    if Tag.ORIGINAL_CREATION_DATE in attributes:
        raise AttributeReadOnly("the Original Creation Date of an object made here is set by the server")
    if attributes.one(Tag.FRESH) is False:
        raise InvalidAttributeValue("an object made here is Fresh")
    _require_elsewhere(attributes, absent=False)


def _is(asked: RNGParameters, ours: RNGParameters) -> bool:
    """Whether every field that is given is that of `ours`; Unspecified asks for nothing in particular."""
    if asked.rng_algorithm == RNGAlgorithm.UNSPECIFIED:
        return True
    names = (field.name for field in dataclasses.fields(asked))
    return all(getattr(asked, name) in (None, getattr(ours, name)) for name in names)


def check_brought(
    managed_object: ManagedObject, object_type: ObjectType, attributes: AttributeSet, version: Version
) -> None:
    """What a client may say of an object that it brings.

    Raises MissingData for an object that must have its Key Value, AttributeSingleValued for two Random Number
    Generators, UnsupportedAttribute for a Key Value Location beside the Key Value.
    """
    if len(attributes.instances(Tag.RANDOM_NUMBER_GENERATOR)) > 1:
        raise AttributeSingleValued("an object was made by one Random Number Generator")
    block = getattr(managed_object, "key_block", None)
    absent = block is not None and block.key_value is None
    row = ATTRIBUTES[Tag.KEY_VALUE_PRESENT]
    if absent and not (row.known_in(version) and row.carried_by(object_type, version)):
        raise MissingData(f"a {object_type.title} must have its Key Value in KMIP {version}")
    _require_elsewhere(attributes, absent)


def _require_elsewhere(attributes: AttributeSet, absent: bool) -> None:
    if Tag.KEY_VALUE_LOCATION in attributes and not absent:
        raise UnsupportedAttribute("Key Value Location is for an object whose Key Value is elsewhere")
