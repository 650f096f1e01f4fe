"""Every operation, by being imported: a new one is a new file and a name here."""

from __future__ import annotations

from kmip_server.engine import (
    attributes,
    check,
    create,
    discovery,
    encrypt,
    exporting,
    get,
    importing,
    keyless,
    lifecycle,
    locate,
    mac,
    register,
    rekey,
    server,
    sign,
)

__all__ = [
    "attributes",
    "check",
    "create",
    "discovery",
    "encrypt",
    "exporting",
    "get",
    "importing",
    "keyless",
    "lifecycle",
    "locate",
    "mac",
    "register",
    "rekey",
    "server",
    "sign",
]
