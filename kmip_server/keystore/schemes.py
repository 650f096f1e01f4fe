"""How a token encrypts a sealing key as data.

Strategy: tokens differ in what they can do, so each way is a row of `SCHEMES`, best first, with the mechanisms
it needs; the row's name is stored beside what it encrypted. Every row authenticates: what was edited does not
open. A new kind of token is a new row.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pkcs11
from pkcs11 import Mechanism

from kmip_server.errors import SealBroken
from kmip_server.keystore.sealing import KEY_BYTES

BOUND = b"kmip-server sealing key"
"""What every scheme binds, so that nothing else the wrapping key ever encrypted passes for a sealing key."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to encrypt 32 bytes as data."""

    name: str
    mechanisms: tuple[Mechanism, ...]
    """What the token must have."""
    size: int
    """Bytes that `encrypt` makes of a key, always."""
    encrypt: Callable[[Any, bytes], bytes]
    decrypt: Callable[[Any, bytes], bytes]
    """Of the wrapping key and the bytes. Raise PKCS11Error, and `decrypt` SealBroken."""


# --- AES-GCM: nonce (12), ciphertext, tag (16) ----------------------------------------------------


def _gcm_encrypt(key: Any, data: bytes) -> bytes:
    nonce = os.urandom(12)
    sealed: bytes = key.encrypt(
        data, mechanism=Mechanism.AES_GCM, mechanism_param=pkcs11.GCMParams(nonce, BOUND, 128)
    )
    return nonce + sealed


def _gcm_decrypt(key: Any, encrypted: bytes) -> bytes:
    parameters = pkcs11.GCMParams(encrypted[:12], BOUND, 128)
    data: bytes = key.decrypt(encrypted[12:], mechanism=Mechanism.AES_GCM, mechanism_param=parameters)
    return data


# --- AES-CBC, then HMAC-SHA-256: IV (16), ciphertext, tag (32) ------------------------------------


def _cbc_mac_key(key: Any) -> bytes:
    """A key to authenticate with, which only the token can make again: its encryption of a fixed text."""
    made: bytes = key.encrypt(BOUND.ljust(32, b"\0"), mechanism=Mechanism.AES_CBC, mechanism_param=bytes(16))
    return sha256(made).digest()


def _cbc_encrypt(key: Any, data: bytes) -> bytes:
    iv = os.urandom(16)
    encrypted: bytes = key.encrypt(data, mechanism=Mechanism.AES_CBC, mechanism_param=iv)
    return iv + encrypted + hmac.digest(_cbc_mac_key(key), iv + encrypted, "sha256")


def _cbc_decrypt(key: Any, encrypted: bytes) -> bytes:
    body, tag = encrypted[:-32], encrypted[-32:]
    if not hmac.compare_digest(hmac.digest(_cbc_mac_key(key), body, "sha256"), tag):
        raise SealBroken("a sealing key does not open: its record was changed, or is of another token")
    data: bytes = key.decrypt(body[16:], mechanism=Mechanism.AES_CBC, mechanism_param=body[:16])
    return data


SCHEMES = (
    Scheme("AES-GCM", (Mechanism.AES_GCM,), 12 + KEY_BYTES + 16, _gcm_encrypt, _gcm_decrypt),
    # For tokens that have no GCM, opencryptoki's soft token among them.
    Scheme("AES-CBC-HMAC", (Mechanism.AES_CBC,), 16 + KEY_BYTES + 32, _cbc_encrypt, _cbc_decrypt),
)


def scheme_named(name: str, encrypted: bytes) -> Scheme:
    """The scheme that made `encrypted`. Raises SealBroken where none can have."""
    for scheme in SCHEMES:
        if scheme.name == name and scheme.size == len(encrypted):
            return scheme
    raise SealBroken(f"a sealing key is said to be encrypted by {name!r}, and is nothing that it makes")
