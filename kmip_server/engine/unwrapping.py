"""A key that came wrapped, in clear. KMIP 1.4 sections 2.1.5, 4.3, 4.11 and 4.41.

Strategy: the steps of its Wrapping Method, backwards, with the keys that its Key Wrapping Data names. They are
opened for whoever asks: what a client cannot unwrap itself, the server does not unwrap for it. All that can be
wrong with the wrapped bytes is told in one sentence.
"""

from __future__ import annotations

from dataclasses import replace

from kmip_server.engine import material
from kmip_server.engine.context import Context
from kmip_server.engine.wrapping_keys import STEPS, Step, decrypt, named, require_authentic
from kmip_server.errors import (
    CodecError,
    CryptographicFailure,
    EncodingOptionError,
    InternalError,
    InvalidField,
    KeyValueNotPresent,
    KeyWrapTypeNotSupported,
    KmipError,
)
from kmip_server.protocol import ttlv
from kmip_server.protocol.enums import EncodingOption, WrappingMethod
from kmip_server.protocol.objects import (
    KeyBlock,
    KeyValue,
    KeyWrappingData,
    ManagedObject,
    key_value_item,
    key_value_of,
)
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import LATEST, V1_4

_WRONG = "the object does not unwrap with the keys that its Key Wrapping Data names"


def is_wrapped(managed_object: ManagedObject) -> bool:
    """Whether the object has Key Wrapping Data."""
    return _wrapping_data(managed_object) is not None


def unwrapped(context: Context, managed_object: ManagedObject) -> ManagedObject:
    """The object in clear, with the attributes that were wrapped along inside its Key Value.

    Raises KeyWrapTypeNotSupported for a method that is not served, CryptographicFailure where the value does not
    open, and what `wrapping_keys.decrypt` raises.
    """
    block = material.key_block(managed_object)
    wrapping_data = block.key_wrapping_data
    if wrapping_data is None:
        return managed_object
    steps = _steps(wrapping_data)
    try:
        data = _backwards(context, steps, wrapping_data, _wrapped_bytes(block, wrapping_data))
        value = _key_value(data, wrapping_data.encoding_option)
    except (CryptographicFailure, CodecError) as error:
        raise CryptographicFailure(_WRONG) from error
    return material.with_key_block(managed_object, replace(block, key_value=value, key_wrapping_data=None))


def _backwards(context: Context, steps: tuple[Step, ...], wrapping_data: KeyWrappingData, data: bytes) -> bytes:
    for step in reversed(steps):
        if step is Step.ENCRYPT:
            assert wrapping_data.encryption_key_information is not None
            data = decrypt(context, wrapping_data.encryption_key_information, data, wrapping_data.iv_counter_nonce)
        else:
            assert wrapping_data.mac_signature_key_information is not None
            require_authentic(
                context, wrapping_data.mac_signature_key_information, data, wrapping_data.mac_signature
            )
    return data


def if_it_opens(context: Context, managed_object: ManagedObject) -> ManagedObject | None:
    """A wrapped object in clear where this principal's keys open it, else None: then the client's word is taken."""
    if not is_wrapped(managed_object):
        return None
    rule = context.decided_rule
    try:
        return unwrapped(context, managed_object)
    except InternalError:
        raise
    except KmipError:
        return None
    finally:
        context.decided_rule = rule


def wrapping_key(context: Context, managed_object: ManagedObject) -> str | None:
    """The Unique Identifier of the key that a wrapped object is wrapped by, if the principal has it here."""
    wrapping_data = _wrapping_data(managed_object)
    information = wrapping_data and (
        wrapping_data.encryption_key_information or wrapping_data.mac_signature_key_information
    )
    if not information:
        return None
    rule = context.decided_rule
    try:
        return named(context, information.unique_identifier).unique_identifier
    except InternalError:
        raise
    except KmipError:
        return None
    finally:
        context.decided_rule = rule


def check(block: KeyBlock) -> None:
    """Check what a client says of a wrapped Key Value.

    Raises InvalidField where no key is named or nothing is wrapped, EncodingOptionError for attributes beside a
    value that was wrapped un-encoded.
    """
    wrapping_data = block.key_wrapping_data
    if wrapping_data is None:
        return
    if block.key_value is None:
        raise InvalidField("Key Wrapping Data stands beside a Key Value")
    if wrapping_data.encryption_key_information is None and wrapping_data.mac_signature_key_information is None:
        raise InvalidField("Key Wrapping Data must name an encryption key or a MAC/signature key")
    no_encoding = wrapping_data.encoding_option == EncodingOption.NO_ENCODING
    if no_encoding and isinstance(block.key_value, KeyValue) and block.key_value.attributes:
        raise EncodingOptionError("attributes can be wrapped along under TTLV Encoding only")


def _wrapping_data(managed_object: ManagedObject) -> KeyWrappingData | None:
    block = getattr(managed_object, "key_block", None)
    return block.key_wrapping_data if isinstance(block, KeyBlock) else None


def _steps(wrapping_data: KeyWrappingData) -> tuple[Step, ...]:
    method = wrapping_data.wrapping_method
    steps = STEPS.get(method)
    if steps is None:
        raise KeyWrapTypeNotSupported(f"what is wrapped by the method {method.title} is not unwrapped here")
    if (Step.ENCRYPT in steps and wrapping_data.encryption_key_information is None) or (
        Step.AUTHENTICATE in steps and wrapping_data.mac_signature_key_information is None
    ):
        raise KeyWrapTypeNotSupported(f"the Key Wrapping Data does not name every key of {method.title}")
    return steps


def _wrapped_bytes(block: KeyBlock, wrapping_data: KeyWrappingData) -> bytes:
    """The bytes that were wrapped, wherever they stand: PyKMIP puts them into the Key Material."""
    value = block.key_value
    if value is None:
        raise KeyValueNotPresent("the object was registered without its Key Value")
    if isinstance(value, bytes):
        return value
    no_encoding = wrapping_data.encoding_option == EncodingOption.NO_ENCODING
    if wrapping_data.wrapping_method == WrappingMethod.MAC_SIGN and not no_encoding:
        # Only authenticated, the Key Value may stand as the Structure that it is.
        return ttlv.encode(key_value_item(value, LATEST))
    if not isinstance(value.key_material, bytes):
        raise CodecError("wrapped Key Material must be a Byte String")
    return value.key_material


def _key_value(data: bytes, option: EncodingOption | None) -> KeyValue:
    if option == EncodingOption.NO_ENCODING:
        return KeyValue(key_material=data)
    tag, kind, items = ttlv.decode(data)
    if tag != Tag.KEY_VALUE or kind != ttlv.STRUCTURE:
        raise CodecError("what was wrapped must be a Key Value")
    # The attributes inside are spelled as the client that wrapped them spoke.
    version = V1_4 if any(item[0] == Tag.ATTRIBUTE for item in items) else LATEST
    try:
        return key_value_of(items, version)
    except KmipError as error:
        raise CodecError("what was wrapped must be a Key Value") from error
