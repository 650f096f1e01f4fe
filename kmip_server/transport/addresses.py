"""Addresses as people write them."""

from __future__ import annotations


def address(host: str, port: int) -> str:
    """HOST:PORT; an IPv6 address stands in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
