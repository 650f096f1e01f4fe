"""Who is asking, and how we know."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A person or an appliance, as the decision function sees it."""

    name: str
    domain: str
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    owner_group: str = ""
    """The group that what it makes belongs to; empty where that is the principal itself."""
    quirks: tuple[str, ...] = ()
    """Departures from the standard that it needs: see `engine/quirks.py`."""
    authentication: str = "certificate"
    """How we know: "certificate", "certificate+password", "local" (the administration socket)."""

    owner: str = field(init=False)
    """The owner string of what this principal makes."""
    owners: tuple[str, ...] = field(init=False)
    """The owner strings whose objects are this principal's own."""

    def __post_init__(self) -> None:
        own = f"principal:{self.name}"
        object.__setattr__(self, "owner", f"group:{self.owner_group}" if self.owner_group else own)
        object.__setattr__(self, "owners", (own, *(f"group:{group}" for group in self.groups)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What the transport knows of the other end of a connection."""

    address: str
    """Host and port, as text, for the record."""
    certificate: bytes
    """The client's certificate, DER. Empty only on the local administration socket."""
    fingerprint: str
    """SHA-256 of the certificate, lower-case hexadecimal."""
    subject_common_name: str = ""
