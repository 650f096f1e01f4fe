"""Addresses as people write them, and who is at the other end of a local socket."""

from __future__ import annotations

import socket
import struct

_CREDENTIALS = struct.Struct("3i")


def address(host: str, port: int) -> str:
    """HOST:PORT; an IPv6 address stands in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def process_of(local: socket.socket) -> tuple[int, int]:
    """Process and user at the other end of a connected Unix socket, by the kernel's word."""
    packed = local.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(packed)
    return process, user
