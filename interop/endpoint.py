"""Where a client finds its server, and what a suite may do to that server."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.server import RunningServer


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A KMIP server over mutual TLS, and who the client is there. Files are PEM."""

    host: str
    port: int
    ca: str
    certificate: str
    key: str
    identity: str = "client"
    """The certificate's Common Name, and the principal's name at this server."""
    other_certificate: str = ""
    other_key: str = ""
    """Another client's: what that one makes is nothing to this one."""
    server: RunningServer | None = None
    """This server, to be stopped and started; None where it is somebody else's."""
