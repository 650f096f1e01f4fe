"""The form of an audit record, and its place in a chain.

Strategy: a record is a JSON array in a fixed order, so that one set of bytes is hashed, stored, exported and
verified. Each record's hash covers the hash before it: nothing can be changed, left out or put in between without
changing every hash that follows. `verify.py` re-derives all of it from the bytes alone.
"""

from __future__ import annotations

import json
from hashlib import sha256

from kmip_server.engine.ports import AuditEntry

FORMAT = 2
"""Format 1, of older records, ends with `policy_revision`."""
FIELDS = (
    "format",
    "chain",
    "number",
    "time",
    "request_identifier",
    "principal",
    "authentication",
    "source",
    "operation",
    "version",
    "object",
    "outcome",
    "reason",
    "rule",
    "policy_revision",
    "client_correlation_value",
)
"""The array's fields. `time` is microseconds since 1970, UTC."""

CHAIN_START = "chain start"
"""The operation of a chain's first record; its `object` names the heads of chains before it that none names yet."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def serialised(entry: AuditEntry, chain: int, number: int, time: int) -> str:
    """The record's text. Unambiguous: JSON strings hold whatever a client sent."""
    return _encode(
        [
            FORMAT,
            chain,
            number,
            time,
            entry.request_identifier,
            entry.principal,
            entry.authentication,
            entry.source,
            entry.operation,
            entry.version,
            entry.object,
            entry.outcome,
            entry.reason,
            entry.rule,
            entry.policy_revision,
            entry.client_correlation_value,
        ]
    )


def chained(previous: bytes, record: str) -> bytes:
    """The hash of a record that follows the one whose hash is `previous`: 32 bytes."""
    return sha256(previous + record.encode("utf-8")).digest()


def first_hash(chain: int) -> bytes:
    """What stands before a chain's first record."""
    return sha256(f"kmip-key-server audit chain {chain}".encode()).digest()
