"""A key leaves wrapped by other keys. KMIP 1.4 sections 2.1.5, 2.1.6 and 4.11.

Strategy: what is wrapped are the bytes of the Key Material alone (No Encoding) or the whole Key Value in TTLV (TTLV
Encoding, the default), which may hold attributes; how, are the steps of the Wrapping Method in `wrapping_keys.py`.
The answer names the Cryptographic Parameters used, because some clients cannot do without.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kmip_server.engine import attributes, material
from kmip_server.engine.context import Context, Found
from kmip_server.engine.wrapping_keys import STEPS, Authenticated, Encrypted, Step, authenticate, encrypt
from kmip_server.errors import (
    EncodingOptionError,
    FeatureNotSupported,
    IllegalOperation,
    InvalidField,
    KeyValueNotPresent,
    MissingData,
)
from kmip_server.protocol import ttlv
from kmip_server.protocol.enums import EncodingOption
from kmip_server.protocol.objects import (
    KeyBlock,
    KeyValue,
    KeyWrappingData,
    KeyWrappingSpecification,
    ManagedObject,
    key_value_item,
)


def is_hidden(managed_object: ManagedObject) -> bool:
    """Whether the object is wrapped so that its value cannot be read: MAC/sign alone hides nothing."""
    block = getattr(managed_object, "key_block", None)
    if not isinstance(block, KeyBlock) or block.key_wrapping_data is None:
        return False
    # What a method that is not served does, is to encrypt: TR-31 does.
    return Step.ENCRYPT in STEPS.get(block.key_wrapping_data.wrapping_method, (Step.ENCRYPT,))


def wrapped(
    context: Context, found: Found, managed_object: ManagedObject, specification: KeyWrappingSpecification
) -> ManagedObject:
    """The object with its Key Value wrapped as the specification asks.

    Raises IllegalOperation for an object without Key Value or a wrapping key that is none, KeyValueNotPresent,
    FeatureNotSupported for TR-31, MissingData and InvalidField for the keys that a method does not go with,
    EncodingOptionError, and what `wrapping_keys.encrypt` raises.
    """
    block = material.key_block(managed_object)
    if block.key_value is None:
        raise KeyValueNotPresent("the object was registered without its Key Value")
    if not isinstance(block.key_value, KeyValue) or block.key_wrapping_data is not None:
        raise IllegalOperation(
            "the object is stored wrapped; it can be wrapped anew under Key Wrap Type Not Wrapped"
        )
    specification = _resolved(context, specification)
    _require_keys(found, specification)
    data = _clear(context, found, block.key_value, specification)
    encrypted: Encrypted | None = None
    authenticated: Authenticated | None = None
    for step in STEPS[specification.wrapping_method]:
        if step is Step.ENCRYPT:
            assert specification.encryption_key_information is not None
            encrypted = encrypt(context, specification.encryption_key_information, data)
            data = encrypted.data
        else:
            assert specification.mac_signature_key_information is not None
            authenticated = authenticate(context, specification.mac_signature_key_information, data)
    no_encoding = specification.encoding_option == EncodingOption.NO_ENCODING
    block = replace(
        block,
        # Wrapped un-encoded, the Key Material stays where it is, inside the Key Value: PyKMIP reads nothing else.
        key_value=KeyValue(key_material=data) if no_encoding else data,
        key_wrapping_data=_told(specification, encrypted, authenticated),
    )
    return material.with_key_block(managed_object, block)


def _resolved(context: Context, specification: KeyWrappingSpecification) -> KeyWrappingSpecification:
    """With the Unique Identifiers of its keys, where it names them by what an earlier item has answered."""
    keys: dict[str, Any] = {}
    for name in ("encryption_key_information", "mac_signature_key_information"):
        information = getattr(specification, name)
        if information is not None:
            resolved = context.resolved(information.unique_identifier)
            keys[name] = replace(information, unique_identifier=resolved)
    return replace(specification, **keys)


def _require_keys(found: Found, specification: KeyWrappingSpecification) -> None:
    """Check that the specification names the keys of its Wrapping Method, and no others."""
    method = specification.wrapping_method
    steps = STEPS.get(method)
    if steps is None:
        raise FeatureNotSupported(f"keys are not wrapped by the method {method.title}")
    for step, title, information in (
        (Step.ENCRYPT, "Encryption Key Information", specification.encryption_key_information),
        (Step.AUTHENTICATE, "MAC/Signature Key Information", specification.mac_signature_key_information),
    ):
        if step in steps and information is None:
            raise MissingData(f"the Wrapping Method {method.title} needs {title}")
        if step not in steps and information is not None:
            raise InvalidField(f"the Wrapping Method {method.title} takes no {title}")
        if information is not None and information.unique_identifier == found.unique_identifier:
            raise IllegalOperation("a key does not wrap itself")


def _clear(context: Context, found: Found, value: KeyValue, specification: KeyWrappingSpecification) -> bytes:
    """The bytes to wrap, by the Encoding Option."""
    names = specification.attribute_names
    if specification.encoding_option != EncodingOption.NO_ENCODING:
        seen = attributes.view(found, context.policy.lease_time_seconds)
        along = tuple(attribute for name in dict.fromkeys(names) for attribute in seen.instances(name))
        return ttlv.encode(key_value_item(replace(value, attributes=along), context.version))
    if names:
        raise EncodingOptionError("attributes can be wrapped along under TTLV Encoding only")
    if not isinstance(value.key_material, bytes):
        raise EncodingOptionError("a Transparent key can be wrapped under TTLV Encoding only")
    return value.key_material


def _told(
    specification: KeyWrappingSpecification, encrypted: Encrypted | None, authenticated: Authenticated | None
) -> KeyWrappingData:
    """The Key Wrapping Data that says what was done."""
    return KeyWrappingData(
        wrapping_method=specification.wrapping_method,
        encryption_key_information=encrypted.information if encrypted else None,
        mac_signature_key_information=authenticated.information if authenticated else None,
        mac_signature=authenticated.mac_signature if authenticated else None,
        iv_counter_nonce=encrypted.iv if encrypted else None,
        encoding_option=specification.encoding_option,
    )
