"""The operations that use a key. KMIP 1.4 sections 4.29-4.34.

Strategy: each operation opens the key (permission, State, dates), requires its usage mask, settles the
Cryptographic Parameters, debits the Usage Limits, and hands bytes to `crypto/`. The debit is part of the unit
of work, so the answer leaves only if it is durable. What the request leaves open comes from the key's own first
Cryptographic Parameters, as the standard says, and from nowhere else.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Any, Protocol

from kmip_server.crypto import algorithms, asymmetric, mac, symmetric
from kmip_server.engine import material
from kmip_server.engine.context import Context, Found
from kmip_server.engine.registry import operation
from kmip_server.errors import (
    BadCryptographicParameters,
    FeatureNotSupported,
    IncompatibleCryptographicUsageMask,
    InvalidCorrelationValue,
    InvalidField,
    InvalidObjectType,
    MissingData,
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
    UsageLimitExceeded,
)
from kmip_server.protocol.attribute_values import CryptographicParameters, UsageLimits
from kmip_server.protocol.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
    Operation,
    UsageLimitsUnit,
    ValidityIndicator,
)
from kmip_server.protocol.objects import (
    TransparentMaterial,
    TransparentSymmetricKey,
    transparent_numbers,
)
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    DecryptResponse,
    EncryptRequest,
    EncryptResponse,
    MACRequest,
    MACResponse,
    MACVerifyRequest,
    MACVerifyResponse,
    SignatureVerifyRequest,
    SignatureVerifyResponse,
    SignRequest,
    SignResponse,
)
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import LATEST, V1_4

_MASK = CryptographicUsageMask


class _InParts(Protocol):
    @property
    def correlation_value(self) -> bytes | None: ...

    @property
    def init_indicator(self) -> bool | None: ...

    @property
    def final_indicator(self) -> bool | None: ...


@dataclass(frozen=True, slots=True)
class UsableKey:
    """A key opened for one use: its bytes, and the parameters to use it with."""

    found: Found
    algorithm: CryptographicAlgorithm
    key: bytes
    key_format_type: KeyFormatType
    parameters: CryptographicParameters

    def __repr__(self) -> str:
        return f"UsableKey({self.found.unique_identifier})"


# --- what all of them do ------------------------------------------------------------------------


def opened(
    context: Context,
    request: Any,
    operation: Operation,
    needed: CryptographicUsageMask,
    object_types: frozenset[ObjectType],
) -> UsableKey:
    """The key, if it may be used so.

    Raises what `Context.open` raises, InvalidObjectType, IncompatibleCryptographicUsageMask,
    BadCryptographicParameters where the parameters name another algorithm than the key's.
    """
    refuse_parts(request)
    found = context.open(request.unique_identifier, operation)
    if found.object_type not in object_types:
        raise InvalidObjectType(f"{operation.title} does not work with a {found.object_type.title}")
    mask = found.attributes.one(Tag.CRYPTOGRAPHIC_USAGE_MASK) or _MASK(0)
    if not mask & needed:
        raise IncompatibleCryptographicUsageMask(f"the Cryptographic Usage Mask does not allow {operation.title}")
    parameters = _parameters(found, request.cryptographic_parameters)
    algorithm = found.attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM)
    if algorithm is None:
        raise InvalidObjectType("the object has no Cryptographic Algorithm")
    managed_object = found.material()
    key = material.key_material(managed_object)
    block = material.key_block(managed_object)
    if isinstance(key, TransparentMaterial):
        key = _from_transparent(key, block.key_format_type)
    return UsableKey(found, algorithm, key, block.key_format_type, parameters)


def _parameters(found: Found, given: CryptographicParameters | None) -> CryptographicParameters:
    """What the request says; else the key's first Cryptographic Parameters (KMIP 1.4 §4.29)."""
    if given is not None and any(value is not None for value in _values(given)):
        return given
    present: CryptographicParameters | None = found.attributes.one(Tag.CRYPTOGRAPHIC_PARAMETERS)
    return present or CryptographicParameters()


def _values(parameters: CryptographicParameters) -> list[Any]:
    return [getattr(parameters, field.name) for field in dataclasses.fields(parameters)]


def _from_transparent(key: TransparentMaterial, key_format_type: KeyFormatType) -> bytes:
    if key_format_type != KeyFormatType.TRANSPARENT_SYMMETRIC_KEY:
        raise UnsupportedCryptographicParameters("a Transparent key can be fetched but not used here")
    numbers: TransparentSymmetricKey = transparent_numbers(key_format_type, key, LATEST)
    return numbers.key


def refuse_parts(request: _InParts) -> None:
    """Operations in several parts are not served: all of the data comes at once.

    Raises InvalidCorrelationValue, since none is outstanding, and FeatureNotSupported for a first part.
    """
    if request.correlation_value is not None:
        raise InvalidCorrelationValue("no operation with this Correlation Value is outstanding")
    if bool(request.init_indicator) != bool(request.final_indicator):
        raise FeatureNotSupported("operations in several parts are not served; send all of the data at once")


def required(data: bytes | None, title: str = "Data") -> bytes:
    if data is None:
        raise MissingData(f"{title} must be given")
    return data


def debit(context: Context, found: Found, size: int) -> None:
    """Take `size` bytes, or one use, off the Usage Limits. Raises UsageLimitExceeded. KMIP 1.4 §3.21."""
    limits: UsageLimits | None = found.attributes.one(Tag.USAGE_LIMITS)
    if limits is None:
        return
    amount = size if limits.usage_limits_unit == UsageLimitsUnit.BYTE else 1
    left = (limits.usage_limits_count or 0) - amount
    if left < 0:
        raise UsageLimitExceeded("the Usage Limits of the key are spent")
    attributes = found.attributes.with_value(Tag.USAGE_LIMITS, replace(limits, usage_limits_count=left))
    context.save(found, attributes, silently=True)


# --- Encrypt and Decrypt ------------------------------------------------------------------------

_ENCRYPTING = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.PUBLIC_KEY})
_DECRYPTING = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.PRIVATE_KEY})


@operation(Operation.ENCRYPT)
def encrypt(context: Context, request: EncryptRequest) -> EncryptResponse:
    """Encrypt data with a symmetric or a public RSA key.

    Under Random IV the server makes the IV and the answer holds it. Before 1.4 an authentication tag has no field
    of its own and follows the data. Raises MissingInitializationVector, UsageLimitExceeded, and what `crypto`
    raises. KMIP 1.4 §4.29; KMIP 2.1 §6.1.18.
    """
    key = opened(context, request, Operation.ENCRYPT, _MASK.ENCRYPT, _ENCRYPTING)
    data = required(request.data)
    weak = context.policy.weak_algorithms
    if key.found.object_type == ObjectType.PUBLIC_KEY:
        encrypted = asymmetric.encrypt(key.key, key.key_format_type, data, **_rsa(key), weak_allowed=weak)
        debit(context, key.found, len(data))
        return EncryptResponse(unique_identifier=key.found.unique_identifier, data=encrypted)
    parameters = key.parameters
    mode = _mode(key)
    iv, made = _iv(context, key, request.iv_counter_nonce, mode)
    done = symmetric.encrypt(
        _cipher(key),
        key.key,
        mode=mode,
        padding=parameters.padding_method,
        iv=iv,
        data=data,
        aad=request.authenticated_encryption_additional_data or b"",
        tag_length=parameters.tag_length,
        weak_allowed=weak,
    )
    debit(context, key.found, len(data))
    separate = context.version >= V1_4
    return EncryptResponse(
        unique_identifier=key.found.unique_identifier,
        data=done.data if separate else done.data + (done.tag or b""),
        iv_counter_nonce=iv if made else None,
        authenticated_encryption_tag=done.tag if separate else None,
    )


@operation(Operation.DECRYPT)
def decrypt(context: Context, request: DecryptRequest) -> DecryptResponse:
    """Decrypt data with a symmetric or a private RSA key.

    Raises CryptographicFailure for a wrong tag, padding or length, in the same words. KMIP 1.4 §4.30; KMIP 2.1
    §6.1.12.
    """
    key = opened(context, request, Operation.DECRYPT, _MASK.DECRYPT, _DECRYPTING)
    data = required(request.data)
    if key.found.object_type == ObjectType.PRIVATE_KEY:
        decrypted = asymmetric.decrypt(key.key, key.key_format_type, data, **_rsa(key))
        return DecryptResponse(unique_identifier=key.found.unique_identifier, data=decrypted)
    parameters = key.parameters
    mode = _mode(key)
    tag = request.authenticated_encryption_tag
    if mode == BlockCipherMode.GCM and tag is None:
        # Before 1.4, and for some clients since, the tag follows the data.
        length = parameters.tag_length or symmetric.DEFAULT_TAG_LENGTH
        data, tag = data[:-length], data[-length:]
    decrypted = symmetric.decrypt(
        _cipher(key),
        key.key,
        mode=mode,
        padding=parameters.padding_method,
        iv=request.iv_counter_nonce,
        data=data,
        aad=request.authenticated_encryption_additional_data or b"",
        tag=tag,
        tag_length=parameters.tag_length,
    )
    return DecryptResponse(unique_identifier=key.found.unique_identifier, data=decrypted)


def _cipher(key: UsableKey) -> CryptographicAlgorithm:
    named = key.parameters.cryptographic_algorithm
    if named is not None and named != key.algorithm:
        raise BadCryptographicParameters(f"the key is for {key.algorithm.title}, not for {named.title}")
    return key.algorithm


def _mode(key: UsableKey) -> BlockCipherMode | None:
    mode = key.parameters.block_cipher_mode
    if mode is None and algorithms.needs_mode(key.algorithm):
        raise BadCryptographicParameters("a Block Cipher Mode must be given, in the request or with the key")
    return mode


def _iv(
    context: Context, key: UsableKey, given: bytes | None, mode: BlockCipherMode | None
) -> tuple[bytes | None, bool]:
    """The IV to use, and whether it was made here."""
    length = symmetric.iv_length(key.algorithm, mode)
    if given is not None or length == 0:
        return given, False
    if not key.parameters.random_iv:
        raise MissingInitializationVector("an IV/Counter/Nonce must be given, or Random IV be True")
    wanted = key.parameters.iv_length
    if wanted is not None and mode == BlockCipherMode.GCM and wanted > 0 and wanted % 8 == 0:
        length = wanted // 8
    return context.keystore.random(length), True


def _rsa(key: UsableKey) -> dict[str, Any]:
    """The parameters of RSA encryption, as `crypto.asymmetric` names them."""
    if key.algorithm != CryptographicAlgorithm.RSA:
        raise InvalidObjectType(f"{key.algorithm.title} keys do not encrypt")
    parameters = key.parameters
    return {
        "padding_method": parameters.padding_method,
        "hashing_algorithm": parameters.hashing_algorithm,
        "mask_generator_hashing_algorithm": parameters.mask_generator_hashing_algorithm,
        "label": parameters.p_source or b"",
    }


# --- Sign and Signature Verify ------------------------------------------------------------------


def _signature(key: UsableKey) -> dict[str, Any]:
    """The parameters of a signature, as `crypto.asymmetric` names them."""
    parameters = key.parameters
    return {
        "algorithm": key.algorithm,
        "padding_method": parameters.padding_method,
        "hashing_algorithm": parameters.hashing_algorithm,
        "digital_signature_algorithm": parameters.digital_signature_algorithm,
        "mask_generator_hashing_algorithm": parameters.mask_generator_hashing_algorithm,
        "salt_length": parameters.salt_length,
    }


@operation(Operation.SIGN)
def sign(context: Context, request: SignRequest) -> SignResponse:
    """Sign data, or its digest, with a private key. KMIP 1.4 §4.31; KMIP 2.1 §6.1.56."""
    key = opened(context, request, Operation.SIGN, _MASK.SIGN, frozenset({ObjectType.PRIVATE_KEY}))
    data, digested = _signed(request.data, request.digested_data)
    signature = asymmetric.sign(
        key.key,
        key.key_format_type,
        data,
        digested=digested,
        weak_allowed=context.policy.weak_algorithms,
        **_signature(key),
    )
    debit(context, key.found, len(data))
    return SignResponse(unique_identifier=key.found.unique_identifier, signature_data=signature)


@operation(Operation.SIGNATURE_VERIFY)
def signature_verify(context: Context, request: SignatureVerifyRequest) -> SignatureVerifyResponse:
    """Say whether a signature is valid for data, or its digest. KMIP 1.4 §4.32; KMIP 2.1 §6.1.57."""
    key = opened(context, request, Operation.SIGNATURE_VERIFY, _MASK.VERIFY, frozenset({ObjectType.PUBLIC_KEY}))
    data, digested = _signed(request.data, request.digested_data)
    valid = asymmetric.verify(
        key.key,
        key.key_format_type,
        data,
        required(request.signature_data, "Signature Data"),
        digested=digested,
        **_signature(key),
    )
    return SignatureVerifyResponse(
        unique_identifier=key.found.unique_identifier, validity_indicator=_indicator(valid)
    )


def _signed(data: bytes | None, digested_data: bytes | None) -> tuple[bytes, bool]:
    if data is not None and digested_data is not None:
        raise InvalidField("Data and Digested Data cannot be given together")
    if digested_data is not None:
        return digested_data, True
    return required(data), False


def _indicator(valid: bool) -> ValidityIndicator:
    return ValidityIndicator.VALID if valid else ValidityIndicator.INVALID


# --- MAC and MAC Verify -------------------------------------------------------------------------

_MAC_KEYS = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.SECRET_DATA})


def _mac_algorithm(key: UsableKey) -> CryptographicAlgorithm:
    """HMAC with the hash that the parameters or the key name; CMAC with a cipher's key."""
    parameters = key.parameters
    if parameters.cryptographic_algorithm is not None:
        return parameters.cryptographic_algorithm
    if parameters.hashing_algorithm is not None:
        return mac.hmac_of(parameters.hashing_algorithm)
    return key.algorithm


@operation(Operation.MAC)
def compute_mac(context: Context, request: MACRequest) -> MACResponse:
    """Compute a MAC over data. KMIP 1.4 §4.33; KMIP 2.1 §6.1.32."""
    key = opened(context, request, Operation.MAC, _MASK.MAC_GENERATE, _MAC_KEYS)
    data = required(request.data)
    computed = mac.mac(_mac_algorithm(key), key.key, data, weak_allowed=context.policy.weak_algorithms)
    debit(context, key.found, len(data))
    return MACResponse(unique_identifier=key.found.unique_identifier, mac_data=computed)


@operation(Operation.MAC_VERIFY)
def mac_verify(context: Context, request: MACVerifyRequest) -> MACVerifyResponse:
    """Say whether a MAC is that of data. KMIP 1.4 §4.34; KMIP 2.1 §6.1.33."""
    key = opened(context, request, Operation.MAC_VERIFY, _MASK.MAC_VERIFY, _MAC_KEYS)
    given = required(request.mac_data, "MAC Data")
    valid = mac.mac_verify(_mac_algorithm(key), key.key, required(request.data), given)
    return MACVerifyResponse(unique_identifier=key.found.unique_identifier, validity_indicator=_indicator(valid))
