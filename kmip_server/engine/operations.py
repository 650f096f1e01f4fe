"""Every operation, by being imported: a new one is a new file and a name here."""

from __future__ import annotations

from kmip_server.engine import (
    attributes,
    check,
    create,
    cryptographic,
    discovery,
    get,
    keyless,
    lifecycle,
    locate,
    register,
    rekey,
)

__all__ = [
    "attributes",
    "check",
    "create",
    "cryptographic",
    "discovery",
    "get",
    "keyless",
    "lifecycle",
    "locate",
    "register",
    "rekey",
]
