"""The bounds that keep one peer from hurting another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times in seconds, sizes in bytes. Idle is long: arrays keep a connection for a request a minute."""

    handshake_timeout_seconds: float = 15
    message_timeout_seconds: float = 30
    """From a message's first byte to its last."""
    write_timeout_seconds: float = 30
    """For a peer that does not read its answer."""
    idle_timeout_seconds: float = 3600
    max_message_bytes: int = 1 << 20
    max_pipelined_messages: int = 64
    """Messages that wait on one connection before reading from it pauses."""
    max_pipelined_bytes: int = 4 << 20
    """Bytes of them."""
    max_waiting_bytes: int = 256 << 20
    """Bytes that wait on all connections before reading pauses on those that have more than their small share."""
    max_connections: int = 10_000
    max_connections_per_address: int = 2_000
