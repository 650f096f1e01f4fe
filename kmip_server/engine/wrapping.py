"""A key leaves wrapped by another key. KMIP 1.4 sections 2.1.5, 2.1.6 and 4.11.

Strategy: Encrypt with AES key wrap, of the bytes alone (No Encoding) or of the whole Key Value in TTLV (TTLV
Encoding, the default). The wrapping key is opened like any object: with permission, and only if it is Active
and may wrap. The answer names the Cryptographic Parameters used, because some clients cannot do without.
"""

from __future__ import annotations

from dataclasses import replace

from kmip_server.crypto import wrapping as key_wrap
from kmip_server.engine import material
from kmip_server.engine.context import Context, Found
from kmip_server.errors import (
    EncodingOptionError,
    FeatureNotSupported,
    IllegalOperation,
    KmipError,
    MissingData,
    ObjectNotFound,
    UnsupportedCryptographicParameters,
    WrappingKeyUnusable,
    WrappingObjectNotFound,
)
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import CryptographicParameters
from kmip_server.protocol.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    EncodingOption,
    ObjectType,
    Operation,
    State,
    WrappingMethod,
)
from kmip_server.protocol.objects import (
    EncryptionKeyInformation,
    KeyValue,
    KeyWrappingData,
    KeyWrappingSpecification,
    ManagedObject,
    key_value_item,
)
from kmip_server.protocol.schema import ObjectReference
from kmip_server.protocol.tags import Tag

_WRAP = {
    BlockCipherMode.NISTKEYWRAP: key_wrap.wrap,
    BlockCipherMode.AESKEYWRAPPADDING: key_wrap.wrap_with_padding,
}
# Wrapped without a mode being named anywhere: RFC 3394, which is what arrays expect.
_DEFAULT_MODE = BlockCipherMode.NISTKEYWRAP


def wrapped(
    context: Context, found: Found, managed_object: ManagedObject, specification: KeyWrappingSpecification
) -> ManagedObject:
    """The object with its Key Value wrapped as the specification asks.

    Raises IllegalOperation for an object without Key Value or a wrapping key that is none, FeatureNotSupported
    for other methods, EncodingOptionError, WrappingObjectNotFound, WrappingKeyUnusable,
    UnsupportedCryptographicParameters.
    """
    block = material.key_block(managed_object)
    value = block.key_value
    if not isinstance(value, KeyValue) or block.key_wrapping_data is not None:
        raise IllegalOperation("the object is stored wrapped, or without its value; it cannot be wrapped again")
    _require_supported(specification)
    information = specification.encryption_key_information
    if information is None:
        raise MissingData("Key Wrapping Specification must have Encryption Key Information")
    key, parameters = _wrapping_key(context, information)
    attributes = tuple(
        attribute for name in specification.attribute_names for attribute in found.attributes.instances(name)
    )
    no_encoding = specification.encoding_option == EncodingOption.NO_ENCODING
    if no_encoding and specification.attribute_names:
        raise EncodingOptionError("attributes can be wrapped along under TTLV Encoding only")
    if no_encoding and not isinstance(value.key_material, bytes):
        raise EncodingOptionError("a Transparent key can be wrapped under TTLV Encoding only")
    mode = parameters.block_cipher_mode or _DEFAULT_MODE
    wrapping_data = KeyWrappingData(
        wrapping_method=specification.wrapping_method,
        encryption_key_information=EncryptionKeyInformation(
            unique_identifier=information.unique_identifier,
            cryptographic_parameters=replace(parameters, block_cipher_mode=mode),
        ),
        encoding_option=specification.encoding_option,
    )
    if no_encoding and isinstance(value.key_material, bytes):
        # Wrapped un-encoded, the Key Material stays where it is, inside the Key Value: PyKMIP reads nothing else.
        hidden: KeyValue | bytes = KeyValue(key_material=_WRAP[mode](key, value.key_material))
    else:
        clear = ttlv.encode(key_value_item(replace(value, attributes=attributes), context.version))
        hidden = _WRAP[mode](key, clear)
    block = replace(block, key_value=hidden, key_wrapping_data=wrapping_data)
    return material.with_key_block(managed_object, block)


def _require_supported(specification: KeyWrappingSpecification) -> None:
    if specification.wrapping_method != WrappingMethod.ENCRYPT:
        raise FeatureNotSupported("keys are wrapped by the method Encrypt only")
    if specification.mac_signature_key_information is not None:
        raise FeatureNotSupported("the method Encrypt takes no MAC/Signature Key Information")


def _wrapping_key(context: Context, information: EncryptionKeyInformation) -> tuple[bytes, CryptographicParameters]:
    """The bytes of the wrapping key, and the parameters to wrap with."""
    found = _open(context, information.unique_identifier)
    if found.object_type != ObjectType.SYMMETRIC_KEY:
        raise IllegalOperation("the wrapping object is not a Symmetric Key")
    if found.state != State.ACTIVE:
        raise WrappingKeyUnusable("the wrapping key is not Active")
    mask = found.attributes.one(Tag.CRYPTOGRAPHIC_USAGE_MASK) or CryptographicUsageMask(0)
    if not mask & CryptographicUsageMask.WRAP_KEY:
        raise WrappingKeyUnusable("the Cryptographic Usage Mask of the wrapping key lacks Wrap Key")
    if found.attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM) != CryptographicAlgorithm.AES:
        raise UnsupportedCryptographicParameters("keys are wrapped by AES keys only")
    parameters = information.cryptographic_parameters
    if parameters is None:
        parameters = found.attributes.one(Tag.CRYPTOGRAPHIC_PARAMETERS) or CryptographicParameters()
    if (parameters.block_cipher_mode or _DEFAULT_MODE) not in _WRAP:
        raise UnsupportedCryptographicParameters("keys are wrapped by NIST Key Wrap or AES Key Wrap Padding only")
    key = material.key_material(found.material())
    if not isinstance(key, bytes):
        raise IllegalOperation("the wrapping key is Transparent; register it Raw")
    return key, parameters


def _open(context: Context, unique_identifier: ObjectReference) -> Found:
    try:
        return context.open(unique_identifier, Operation.GET)
    except ObjectNotFound as error:
        raise WrappingObjectNotFound("no wrapping key has this Unique Identifier") from error
    except KmipError as error:
        raise WrappingKeyUnusable(f"the wrapping key cannot be used: {error.message}") from error
