"""Who is asking, and how we know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A person or an appliance, as the decision function sees it."""

    name: str
    domain: str
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    owner_group: str = ""
    """The group that what it makes belongs to; empty where that is the principal itself."""
    authentication: str = "certificate"
    """How we know: "certificate", "certificate+password", "local" (the administration socket)."""

    @property
    def owner(self) -> str:
        """The owner string of what this principal makes."""
        return f"group:{self.owner_group}" if self.owner_group else f"principal:{self.name}"

    @property
    def owners(self) -> tuple[str, ...]:
        """The owner strings whose objects are this principal's own."""
        return (f"principal:{self.name}", *(f"group:{group}" for group in self.groups))


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
