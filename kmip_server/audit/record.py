"""The form of an audit record, and its place in a chain.

Strategy: a record is a JSON array in a fixed order, so that one set of bytes is hashed, stored, exported and
verified. Each record's hash covers the hash before it: nothing can be changed, left out or put in between without
changing every hash that follows. `verify.py` re-derives all of it from the bytes alone.
"""

from __future__ import annotations

from hashlib import sha256
from json.encoder import encode_basestring as _text

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


def serialised(entry: AuditEntry, chain: int, number: int, time: int) -> str:
    """The record's text. Unambiguous: JSON strings hold whatever a client sent."""
    return (
        f"[{FORMAT},{chain},{number},{time},{_text(entry.request_identifier)},{_text(entry.principal)},"
        f"{_text(entry.authentication)},{_text(entry.source)},{_text(entry.operation)},{_text(entry.version)},"
        f"{_text(entry.object)},{_text(entry.outcome)},{_text(entry.reason)},{_text(entry.rule)},"
        f"{entry.policy_revision:d},{_text(entry.client_correlation_value)}]"
    )


def chained(previous: bytes, record: str) -> bytes:
    """The hash of a record that follows the one whose hash is `previous`: 32 bytes."""
    return sha256(previous + record.encode("utf-8")).digest()


def first_hash(chain: int) -> bytes:
    """What stands before a chain's first record."""
    return sha256(f"kmip-key-server audit chain {chain}".encode()).digest()
