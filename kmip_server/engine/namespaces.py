"""Application Data that the server makes up, where a client names only the namespace. KMIP 1.4 section 3.36.

Strategy: a namespace has one maker here, and Query lists exactly those that have one; for every other namespace the
client brings the data itself. Data made here are random, so they need no register of what is taken.
"""

from __future__ import annotations

from collections.abc import Callable

from kmip_server.engine.ports import KeyStore
from kmip_server.errors import ApplicationNamespaceNotSupported

_AUTHENTICATED_KAD = 12
"""Bytes of the authenticated key-associated data of LTO drives: a key identifier of this size needs no other."""


def _of_a_tape_library(keystore: KeyStore) -> str:
    """A key identifier as tape libraries write theirs: hexadecimal pairs. Tape Library Profile 1.0 §2.4."""
    return keystore.random(_AUTHENTICATED_KAD).hex().upper()


_MAKERS: dict[str, Callable[[KeyStore], str]] = {
    "LIBRARY-LTO": _of_a_tape_library,
    "LIBRARY-LTO4": _of_a_tape_library,
    "LIBRARY-LTO5": _of_a_tape_library,
    "LIBRARY-LTO6": _of_a_tape_library,
    "LIBRARY-LTO7": _of_a_tape_library,
}

SUPPORTED = tuple(_MAKERS)
"""The namespaces that Query lists."""


def require(namespace: str) -> None:
    """Raise ApplicationNamespaceNotSupported unless data can be made up for this namespace."""
    if namespace not in _MAKERS:
        raise ApplicationNamespaceNotSupported(
            "Application Data must be given for this namespace; Query lists those for which it is made up"
        )


def made_up(keystore: KeyStore, namespace: str) -> str:
    """New Application Data for one of the namespaces supported."""
    return _MAKERS[namespace](keystore)
