"""The keys that wrap and unwrap: opened, checked, and put to their one use. KMIP 1.4 sections 2.1.5 and 2.1.6.

Strategy: a Wrapping Method is a row of steps (encrypt, MAC or sign); unwrapping takes them backwards. What a key
must be to take a step, in either direction, is a row too: the State rule of an operation, and a usage mask for each
Object Type. A wrapping key is opened like any object, so nobody wraps by a key that is not his. The server makes
the IV. The tag of an authenticated mode follows the ciphertext, since Key Wrapping Data has no field for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import NamedTuple

from kmip_server.crypto import asymmetric, ciphers, mac, signatures, symmetric
from kmip_server.engine import cryptographic, states
from kmip_server.engine.context import Context, Found
from kmip_server.engine.cryptographic import UsableKey
from kmip_server.engine.mac import mac_algorithm
from kmip_server.errors import (
    CryptographicFailure,
    IllegalOperation,
    InternalError,
    InvalidObjectType,
    KeyValueNotPresent,
    KmipError,
    ObjectArchived,
    ObjectDestroyed,
    ObjectNotFound,
    WrappingKeyUnusable,
    WrappingObjectArchived,
    WrappingObjectDestroyed,
    WrappingObjectNotFound,
    WrappingParametersNotFound,
    WrongKeyLifecycleState,
)
from kmip_server.protocol.attribute_values import CryptographicParameters, Link
from kmip_server.protocol.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    LinkType,
    ObjectType,
    Operation,
    WrappingMethod,
)
from kmip_server.protocol.objects import EncryptionKeyInformation, MACSignatureKeyInformation
from kmip_server.protocol.schema import ObjectReference
from kmip_server.protocol.tags import Tag

KeyInformation = EncryptionKeyInformation | MACSignatureKeyInformation


class Step(Enum):
    """One step of wrapping."""

    ENCRYPT = "encrypt"
    AUTHENTICATE = "MAC or sign"


STEPS: dict[WrappingMethod, tuple[Step, ...]] = {
    WrappingMethod.ENCRYPT: (Step.ENCRYPT,),
    WrappingMethod.MAC_SIGN: (Step.AUTHENTICATE,),
    WrappingMethod.ENCRYPT_THEN_MAC_SIGN: (Step.ENCRYPT, Step.AUTHENTICATE),
    WrappingMethod.MAC_SIGN_THEN_ENCRYPT: (Step.AUTHENTICATE, Step.ENCRYPT),
}
"""The methods that are served, in the order in which they wrap. TR-31 is not."""


class _Use(NamedTuple):
    """What a key must be for one use."""

    like: Operation
    """The operation whose rule about State and dates holds."""
    masks: dict[ObjectType, CryptographicUsageMask]
    """The usage mask that each Object Type needs; other types cannot be used so."""


_T, _M = ObjectType, CryptographicUsageMask
_WRAP = _Use(Operation.ENCRYPT, {_T.SYMMETRIC_KEY: _M.WRAP_KEY, _T.PUBLIC_KEY: _M.WRAP_KEY})
_UNWRAP = _Use(Operation.DECRYPT, {_T.SYMMETRIC_KEY: _M.UNWRAP_KEY, _T.PRIVATE_KEY: _M.UNWRAP_KEY})
_SIGN = _Use(Operation.SIGN, {_T.SYMMETRIC_KEY: _M.MAC_GENERATE, _T.PRIVATE_KEY: _M.SIGN})
_VERIFY = _Use(Operation.SIGNATURE_VERIFY, {_T.SYMMETRIC_KEY: _M.MAC_VERIFY, _T.PUBLIC_KEY: _M.VERIFY})
_KEYS = frozenset({_T.SYMMETRIC_KEY, _T.PUBLIC_KEY, _T.PRIVATE_KEY, _T.SPLIT_KEY, _T.PGP_KEY})
# Key Wrapping Data names one half of a pair, whichever way it is read.
_OTHER_HALF = {_T.PUBLIC_KEY: LinkType.PRIVATE_KEY_LINK, _T.PRIVATE_KEY: LinkType.PUBLIC_KEY_LINK}

# Wrapped without a mode being named anywhere: RFC 3394, which is what arrays expect.
_DEFAULT_MODES = {CryptographicAlgorithm.AES: BlockCipherMode.NISTKEYWRAP}
_WRONG = "the object does not unwrap with the keys that its Key Wrapping Data names"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypted:
    """What the encryption key made; `information` says with what."""

    data: bytes = field(repr=False)
    iv: bytes | None
    information: EncryptionKeyInformation


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """A MAC or a signature; `information` says with what it was made."""

    mac_signature: bytes
    information: MACSignatureKeyInformation


# --- the four uses ------------------------------------------------------------------------------


def encrypt(context: Context, information: EncryptionKeyInformation, data: bytes) -> Encrypted:
    """Encrypt `data` by the wrapping key.

    Raises WrappingObjectNotFound, WrappingObjectArchived, WrappingObjectDestroyed, WrappingKeyUnusable,
    WrappingParametersNotFound, IllegalOperation for what is no key, UsageLimitExceeded, and what `crypto` raises.
    """
    key = _opened(context, information, _WRAP, matching=True)
    weak = context.policy.weak_algorithms
    if key.found.object_type == ObjectType.PUBLIC_KEY:
        _require_rsa(key)
        made = asymmetric.encrypt(key.key, key.key_format_type, data, key.parameters, weak_allowed=weak)
        cryptographic.debit(context, key.found, len(data))
        told = replace(information, cryptographic_parameters=key.parameters)
        return Encrypted(data=made, iv=None, information=told)
    mode = _mode(key)
    iv = _random_iv(context, key, mode)
    done = symmetric.encrypt(
        key.algorithm,
        key.key,
        mode=mode,
        padding=key.parameters.padding_method,
        iv=iv,
        data=data,
        tag_length=key.parameters.tag_length,
        weak_allowed=weak,
    )
    cryptographic.debit(context, key.found, len(data))
    told = replace(information, cryptographic_parameters=replace(key.parameters, block_cipher_mode=mode))
    return Encrypted(data=done.data + (done.tag or b""), iv=iv, information=told)


def decrypt(context: Context, information: EncryptionKeyInformation, data: bytes, iv: bytes | None) -> bytes:
    """What `encrypt` was given. Raises as it does, and CryptographicFailure where the data is not right."""
    key = _opened(context, information, _UNWRAP)
    if key.found.object_type == ObjectType.PRIVATE_KEY:
        _require_rsa(key)
        return asymmetric.decrypt(key.key, key.key_format_type, data, key.parameters)
    mode, parameters, tag = _mode(key), key.parameters, None
    usual = symmetric.usual_tag_length(key.algorithm, mode)
    if usual:
        length = parameters.tag_length or usual
        data, tag = data[:-length], data[-length:]
    return symmetric.decrypt(
        key.algorithm,
        key.key,
        mode=mode,
        padding=parameters.padding_method,
        iv=iv,
        data=data,
        tag=tag,
        tag_length=parameters.tag_length,
    )


def authenticate(context: Context, information: MACSignatureKeyInformation, data: bytes) -> Authenticated:
    """The MAC of `data` by a symmetric key, or its signature by a private one. Raises as `encrypt` does."""
    key = _opened(context, information, _SIGN, matching=True)
    weak = context.policy.weak_algorithms
    parameters = key.parameters
    if key.found.object_type == ObjectType.PRIVATE_KEY:
        made = signatures.sign(key.key, key.key_format_type, data, key.parameters, weak_allowed=weak)
    else:
        algorithm = mac_algorithm(key)
        made = mac.mac(algorithm, key.key, data, weak_allowed=weak)
        if isinstance(algorithm, CryptographicAlgorithm):
            parameters = replace(parameters, cryptographic_algorithm=algorithm)
    cryptographic.debit(context, key.found, len(data))
    told = replace(information, cryptographic_parameters=parameters)
    return Authenticated(mac_signature=made, information=told)


def require_authentic(
    context: Context, information: MACSignatureKeyInformation, data: bytes, mac_signature: bytes | None
) -> None:
    """Raise CryptographicFailure unless `mac_signature` is that of `data`; else as `encrypt` does."""
    key = _opened(context, information, _VERIFY)
    given = mac_signature or b""
    if key.found.object_type == ObjectType.PUBLIC_KEY:
        valid = signatures.verify(key.key, key.key_format_type, data, given, key.parameters)
    else:
        valid = mac.mac_verify(mac_algorithm(key), key.key, data, given)
    if not valid:
        raise CryptographicFailure(_WRONG)


# --- opening ------------------------------------------------------------------------------------


def named(context: Context, unique_identifier: ObjectReference) -> Found:
    """The wrapping object that a client names, if the principal may fetch it.

    Raises WrappingObjectNotFound, WrappingObjectArchived, WrappingObjectDestroyed, WrappingKeyUnusable.
    """
    try:
        return context.open(unique_identifier, Operation.GET)
    except InternalError:
        raise
    except ObjectNotFound as error:
        raise WrappingObjectNotFound("no wrapping key has this Unique Identifier") from error
    except ObjectArchived as error:
        raise WrappingObjectArchived("the wrapping key is archived; recover it first") from error
    except ObjectDestroyed as error:
        raise WrappingObjectDestroyed("the wrapping key has been destroyed") from error
    except KmipError as error:
        raise _unusable(error.message) from error


def _opened(context: Context, information: KeyInformation, use: _Use, *, matching: bool = False) -> UsableKey:
    """The key for one use. `matching`: its Cryptographic Parameters, where it has any, must be those named."""
    found = _half(context, named(context, information.unique_identifier), use)
    needed = use.masks.get(found.object_type)
    if found.object_type not in _KEYS:
        raise IllegalOperation("the wrapping object is not a key")
    if needed is None:
        raise _unusable(f"a {found.object_type.title} does not {use.like.title}")
    try:
        states.require(use.like, found.attributes, context.now)
    except (ObjectDestroyed, WrongKeyLifecycleState) as error:
        raise _unusable(error.message) from error
    mask = found.attributes.one(Tag.CRYPTOGRAPHIC_USAGE_MASK) or CryptographicUsageMask(0)
    if not mask & needed:
        raise _unusable(f"its Cryptographic Usage Mask lacks {(needed.name or '').replace('_', ' ').title()}")
    given = information.cryptographic_parameters
    if matching:
        given = _matching(found, given)
    try:
        return cryptographic.usable(found, given)
    except (IllegalOperation, InvalidObjectType, KeyValueNotPresent) as error:
        raise _unusable(error.message) from error


def _half(context: Context, found: Found, use: _Use) -> Found:
    """The object itself, or the other half of its pair where that is the one for this use."""
    other = _OTHER_HALF.get(found.object_type)
    if other is None or found.object_type in use.masks:
        return found
    links: tuple[Link, ...] = found.attributes.all(Tag.LINK)
    linked = next((each.linked_object_identifier for each in links if each.link_type == other), None)
    if linked is None:
        raise _unusable(f"a {found.object_type.title} does not {use.like.title}, and it has no {other.title}")
    return named(context, linked)


def _matching(found: Found, given: CryptographicParameters | None) -> CryptographicParameters | None:
    """The key's own Cryptographic Parameters that the given ones match; a key that has none takes any.

    "The server SHALL verify that they match one of the instances" (KMIP 1.4 §2.1.6). Keys are wrapped by keys
    that have no such attribute all the time: docs/divergences.md.
    """
    present: tuple[CryptographicParameters, ...] = found.attributes.all(Tag.CRYPTOGRAPHIC_PARAMETERS)
    if given is None or not present:
        return given
    names = [each.name for each in fields(given) if getattr(given, each.name) is not None]
    for each in present:
        if all(getattr(each, name) == getattr(given, name) for name in names):
            return each
    raise WrappingParametersNotFound("the wrapping key has no Cryptographic Parameters that match those given")


def _unusable(why: str) -> WrappingKeyUnusable:
    return WrappingKeyUnusable(f"the wrapping key cannot be used: {why}")


# --- parameters ---------------------------------------------------------------------------------


def _mode(key: UsableKey) -> BlockCipherMode | None:
    return key.parameters.block_cipher_mode or _DEFAULT_MODES.get(key.algorithm)


def _random_iv(context: Context, key: UsableKey, mode: BlockCipherMode | None) -> bytes | None:
    """An IV/Counter/Nonce for one wrapping, None where the mode takes none."""
    length = ciphers.random_iv_length(key.algorithm, mode, key.parameters.iv_length)
    return context.keystore.random(length) if length else None


def _require_rsa(key: UsableKey) -> None:
    if key.algorithm != CryptographicAlgorithm.RSA:
        raise _unusable(f"{key.algorithm.title} keys do not encrypt")
