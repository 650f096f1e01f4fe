"""Encrypt and Decrypt, with symmetric and RSA keys. KMIP 1.4 sections 4.29 and 4.30."""

from __future__ import annotations

from kmip_server.crypto import algorithms, asymmetric, symmetric
from kmip_server.engine.context import Context
from kmip_server.engine.cryptographic import UsableKey, debit, opened, required
from kmip_server.engine.registry import operation
from kmip_server.errors import (
    BadCryptographicParameters,
    MissingInitializationVector,
)
from kmip_server.protocol.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    Operation,
)
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    DecryptResponse,
    EncryptRequest,
    EncryptResponse,
)
from kmip_server.protocol.versions import V1_4

_MASK = CryptographicUsageMask
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
        encrypted = asymmetric.encrypt(key.key, key.key_format_type, data, key.parameters, weak_allowed=weak)
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
        decrypted = asymmetric.decrypt(key.key, key.key_format_type, data, key.parameters)
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
