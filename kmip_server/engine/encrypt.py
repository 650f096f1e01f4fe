"""Encrypt and Decrypt, with symmetric and RSA keys, whole or in parts. KMIP 1.4 sections 4.29 and 4.30.

Strategy: one process for each direction and kind of key (`streams.Process`); how it encrypts is `crypto`'s. RSA and
the modes that need all of the data keep the parts until the last. Authenticated data in parts is given out with the
last one, when its tag has been verified: the standard asks for none of it earlier ("Data: No for multi-part").
"""

from __future__ import annotations

from dataclasses import replace

from kmip_server.crypto import asymmetric, ciphers, symmetric
from kmip_server.engine.context import Context
from kmip_server.engine.cryptographic import UsableKey, debit, opened
from kmip_server.engine.quirks import IV_BEFORE_CIPHERTEXT
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
from kmip_server.protocol.versions import V1_4, Version

_MASK = CryptographicUsageMask
_ENCRYPTING = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.PUBLIC_KEY})
_DECRYPTING = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.PRIVATE_KEY})


@operation(Operation.ENCRYPT)
def encrypt(context: Context, request: EncryptRequest) -> EncryptResponse:
    """Encrypt data with a symmetric or a public RSA key.

    Under Random IV the server makes the IV and the answer holds it. Before 1.4 an authentication tag has no field
    of its own and follows the data. Raises MissingInitializationVector, UsageLimitExceeded, and what `parts` and
    `crypto` raise. KMIP 1.4 §4.29; KMIP 2.1 §6.1.17.
    """
    part, key = opened(context, request, Operation.ENCRYPT, _MASK.ENCRYPT, _ENCRYPTING)
    public = key.found.object_type == ObjectType.PUBLIC_KEY
    response: EncryptResponse = part.advance(
        lambda: (_RSAEncrypting if public else _Encrypting)(context, key, request), key.found
    )
    debit(context, key.found, len(part.data), first=part.first)
    return response


@operation(Operation.DECRYPT)
def decrypt(context: Context, request: DecryptRequest) -> DecryptResponse:
    """Decrypt data with a symmetric or a private RSA key.

    Raises CryptographicFailure for a wrong tag, padding or length, in the same words, and what `parts` and `crypto`
    raise. KMIP 1.4 §4.30; KMIP 2.1 §6.1.11.
    """
    if IV_BEFORE_CIPHERTEXT in context.principal.quirks:
        request = _with_iv_of_data(request)
    part, key = opened(context, request, Operation.DECRYPT, _MASK.DECRYPT, _DECRYPTING)
    private = key.found.object_type == ObjectType.PRIVATE_KEY
    response: DecryptResponse = part.advance(
        lambda: (_RSADecrypting if private else _Decrypting)(context, key, request), key.found
    )
    return response


# --- symmetric keys -----------------------------------------------------------------------------


class _Encrypting:
    def __init__(self, context: Context, key: UsableKey, request: EncryptRequest) -> None:
        iv, made = _iv(context, key, request.iv_counter_nonce)
        self.parameters = key.parameters
        self.repeatable = _repeatable(request, iv)
        self._unique_identifier = key.found.unique_identifier
        self._tag_apart = _tag_apart(context.version)
        self._work = symmetric.encryption(
            _cipher(key), key.key, _how(key, request, iv), weak_allowed=context.policy.weak_algorithms
        )
        self._iv_to_tell = iv if made else None
        self.keeps_data = self._work.keeps_data

    def advance(self, request: EncryptRequest, data: bytes, last: bool) -> EncryptResponse:  # noqa: ARG002
        iv, self._iv_to_tell = self._iv_to_tell, None
        encrypted, tag = self._work.update(data), None
        if last:
            rest = self._work.finalize()
            encrypted, tag = encrypted + rest.data, rest.tag
            if not self._tag_apart:
                encrypted, tag = encrypted + (tag or b""), None
        return EncryptResponse(
            unique_identifier=self._unique_identifier,
            data=encrypted if last or encrypted else None,
            iv_counter_nonce=iv,
            authenticated_encryption_tag=tag,
        )


class _Decrypting:
    def __init__(self, context: Context, key: UsableKey, request: DecryptRequest) -> None:  # noqa: ARG002
        mode = key.parameters.block_cipher_mode
        self.parameters = key.parameters
        self.repeatable = _repeatable(request, request.iv_counter_nonce)
        self._unique_identifier = key.found.unique_identifier
        self._work = symmetric.decryption(_cipher(key), key.key, _how(key, request, request.iv_counter_nonce))
        self.keeps_data = self._work.keeps_data
        self._tag: bytes | None = None
        # Before 1.4, and for some clients since, the tag follows the data.
        usual = symmetric.usual_tag_length(key.algorithm, mode)
        self._tag_behind = (key.parameters.tag_length or usual) if usual else 0

    def advance(self, request: DecryptRequest, data: bytes, last: bool) -> DecryptResponse:
        given = request.authenticated_encryption_tag
        if given is not None:
            if self._tag not in (None, given):
                raise BadCryptographicParameters("a later part contradicts the first")
            self._tag = given
        decrypted = self._work.update(data)
        if last:
            decrypted += self._work.finalize(self._tag, behind=self._tag_behind if self._tag is None else 0)
        return DecryptResponse(
            unique_identifier=self._unique_identifier, data=decrypted if last or decrypted else None
        )


def _with_iv_of_data(request: DecryptRequest) -> DecryptRequest:
    """The request with the first block of its Data for an IV, where it gives none and mode CBC."""
    parameters, data = request.cryptographic_parameters, request.data
    is_cbc = parameters is not None and parameters.block_cipher_mode == BlockCipherMode.CBC
    if not is_cbc or request.iv_counter_nonce is not None or not isinstance(data, bytes) or len(data) <= _BLOCK:
        return request
    return replace(request, iv_counter_nonce=data[:_BLOCK], data=data[_BLOCK:])


_BLOCK = 16
"""Of AES."""


def _tag_apart(version: Version) -> bool:
    """Whether the tag has a field of its own."""
    return version >= V1_4


def _how(key: UsableKey, request: EncryptRequest | DecryptRequest, iv: bytes | None) -> symmetric.How:
    parameters = key.parameters
    return symmetric.How(
        mode=parameters.block_cipher_mode,
        padding=parameters.padding_method,
        iv=iv,
        aad=request.authenticated_encryption_additional_data or b"",
        tag_length=parameters.tag_length,
        counter_length=parameters.counter_length,
        initial_counter_value=parameters.initial_counter_value,
    )


def _repeatable(request: EncryptRequest | DecryptRequest, iv: bytes | None) -> dict[str, bytes | None]:
    return {
        "iv_counter_nonce": iv,
        "authenticated_encryption_additional_data": request.authenticated_encryption_additional_data,
    }


def _cipher(key: UsableKey) -> CryptographicAlgorithm:
    """The key's algorithm. Raises BadCryptographicParameters where the parameters name another, or lack a mode."""
    named = key.parameters.cryptographic_algorithm
    if named is not None and named != key.algorithm:
        raise BadCryptographicParameters(f"the key is for {key.algorithm.title}, not for {named.title}")
    if key.parameters.block_cipher_mode is None and ciphers.needs_mode(key.algorithm):
        raise BadCryptographicParameters("a Block Cipher Mode must be given, in the request or with the key")
    return key.algorithm


def _iv(context: Context, key: UsableKey, given: bytes | None) -> tuple[bytes | None, bool]:
    """The IV to use, and whether it was made here.

    Raises MissingInitializationVector, and what `ciphers.random_iv_length` and `_cipher` raise.
    """
    parameters, algorithm = key.parameters, _cipher(key)
    mode: BlockCipherMode | None = parameters.block_cipher_mode
    if given is not None or not ciphers.mode_row(algorithm, mode).ivs:
        return given, False
    if not parameters.random_iv:
        raise MissingInitializationVector("an IV/Counter/Nonce must be given, or Random IV be True")
    length = ciphers.random_iv_length(algorithm, mode, parameters.iv_length, parameters.counter_length)
    return context.keystore.random(length), True


# --- RSA ----------------------------------------------------------------------------------------


class _RSAEncrypting:
    keeps_data = True

    def __init__(self, context: Context, key: UsableKey, request: EncryptRequest) -> None:
        self.parameters = key.parameters
        self.repeatable = _repeatable(request, request.iv_counter_nonce)
        self._key = key
        self._weak_allowed = context.policy.weak_algorithms
        self._data = b""

    def advance(self, request: EncryptRequest, data: bytes, last: bool) -> EncryptResponse:  # noqa: ARG002
        self._data += data
        encrypted = None
        if last:
            encrypted = asymmetric.encrypt(
                self._key.key,
                self._key.key_format_type,
                self._data,
                self.parameters,
                weak_allowed=self._weak_allowed,
            )
        return EncryptResponse(unique_identifier=self._key.found.unique_identifier, data=encrypted)


class _RSADecrypting:
    keeps_data = True

    def __init__(self, context: Context, key: UsableKey, request: DecryptRequest) -> None:  # noqa: ARG002
        self.parameters = key.parameters
        self.repeatable = _repeatable(request, request.iv_counter_nonce)
        self._key = key
        self._data = b""

    def advance(self, request: DecryptRequest, data: bytes, last: bool) -> DecryptResponse:  # noqa: ARG002
        self._data += data
        decrypted = None
        if last:
            decrypted = asymmetric.decrypt(self._key.key, self._key.key_format_type, self._data, self.parameters)
        return DecryptResponse(unique_identifier=self._key.found.unique_identifier, data=decrypted)
