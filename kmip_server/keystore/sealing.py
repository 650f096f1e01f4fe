"""Sealing: what makes an object's value useless to whoever has the database.

Strategy: each value is encrypted with AES-256-GCM under a data key of its own, and the data key with
AES-256-GCM under a sealing key. Both bind the object's identifier and type, the sealing key's version and the
material's generation, so nothing opens in another's place. Nothing that changes in an object's life is bound,
so a change of State seals nothing anew. GCM rather than AES key wrap for data keys, because every Get unwraps
one: 2 µs against 60. A sealing key seals fewer than 2^32 values, the bound for random nonces (NIST SP 800-38D
section 8.3).
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmip_server.engine.ports import SealedMaterial
from kmip_server.errors import SealBroken
from kmip_server.protocol.enums import ObjectType

KEY_BYTES = 32
NONCE_BYTES = 12
_FORMAT = 1
_BOUND = struct.Struct(">BIIIH")
_BROKEN = "a sealed value does not open"
# What a row can hold that was not sealed here: wrong bytes, numbers out of range, other types altogether.
_NOT_SEALED = (InvalidTag, KeyError, ValueError, TypeError, OverflowError, struct.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingKeyRecord:
    """A sealing key as the database keeps it: encrypted as data by the key in the token."""

    version: int
    scheme: str
    """How it is encrypted: a name in the token's mechanism table."""
    encrypted: bytes = field(repr=False)
    created: int
    """Seconds since 1970, UTC."""


def bound(unique_identifier: str, object_type: ObjectType, version: int, generation: int) -> bytes:
    """The associated data: a format version, numbers of fixed width, the identifier after its length.

    No two different things read alike, now or once a later format adds a field.
    """
    name = unique_identifier.encode()
    return _BOUND.pack(_FORMAT, int(object_type), version, generation, len(name)) + name


def overwrite(secret: bytes) -> None:
    """Zero the memory of a key that nobody needs any more. Nothing else may refer to it.

    Libraries hand keys over as `bytes`, which cannot be changed but by address. Copies that a library made
    inside itself are not reached: this shortens how long a key stands in memory, and is no more than that.
    """
    ctypes.memset(id(secret) + bytes.__basicsize__ - 1, 0, len(secret))


class Sealer:
    """Opened sealing keys. Thread safe. Each seal and each open costs some microseconds.

    The keys live inside OpenSSL's contexts alone, and OpenSSL clears those when the last reference goes.
    """

    def __init__(self, keys: Mapping[int, bytes], current: int) -> None:
        """`keys` by version, 32 bytes each; new values are sealed under `current`."""
        self._ciphers = {version: AESGCM(key) for version, key in keys.items()}
        self._current = current

    def seal(
        self, value: bytes, *, unique_identifier: str, object_type: ObjectType, generation: int
    ) -> SealedMaterial:
        """`value` under a new data key."""
        associated = bound(unique_identifier, object_type, self._current, generation)
        data_key = os.urandom(KEY_BYTES)
        key_nonce, nonce = os.urandom(NONCE_BYTES), os.urandom(NONCE_BYTES)
        return SealedMaterial(
            generation=generation,
            sealing_key_version=self._current,
            wrapped_data_key=key_nonce + self._ciphers[self._current].encrypt(key_nonce, data_key, associated),
            nonce=nonce,
            ciphertext=AESGCM(data_key).encrypt(nonce, value, associated),
        )

    def open(self, sealed: SealedMaterial, *, unique_identifier: str, object_type: ObjectType) -> bytes:
        """The value. Raises SealBroken, which says no more, where anything about it is not what was sealed."""
        wrapped = sealed.wrapped_data_key
        try:
            cipher = self._ciphers[sealed.sealing_key_version]
            associated = bound(unique_identifier, object_type, sealed.sealing_key_version, sealed.generation)
            data_key = cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], associated)
            return AESGCM(data_key).decrypt(sealed.nonce, sealed.ciphertext, associated)
        except _NOT_SEALED as error:
            raise SealBroken(_BROKEN) from error
