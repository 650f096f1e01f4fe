"""The settings that operations need."""

from __future__ import annotations

from dataclasses import dataclass

from kmip_server.protocol.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The settings that operations need."""

    weak_algorithms: bool = False
    interop: bool = False
    """Whether Interop is served: on a server that only tests."""
    lease_time_seconds: int = 3600
    unique_names: str = "owner"
    """"owner", "domain" or "off"."""
    max_locate_items: int = 100_000
    """More matches than this are refused, never cut short."""
    max_examined: int = 200_000
    """Objects that the Locates of one message may look at, in all."""
    max_attributes: int = 2_000
    """Of one object."""
    max_attribute_bytes: int = 1 << 20
    """Of all attributes of one object, encoded."""
    max_response_bytes: int = 16 << 20
    """Of the payloads that answer one message."""
    served: tuple[Version, ...] = ()
