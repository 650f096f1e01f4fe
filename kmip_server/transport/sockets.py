"""The sockets that a server listens on, opened before anybody serves them.

Strategy: whoever opens them is not always who accepts: a supervisor hands them to its workers, which share them. So
nobody shuts one down, and the path of the local one is cleared away by its opener alone.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from kmip_server.config.settings import Settings
from kmip_server.errors import SettingsError
from kmip_server.transport.addresses import address

_BACKLOG = 1024
_LOCAL_BACKLOG = 50
LOCAL_SOCKET = "admin.sock"


def local_socket(settings: Settings) -> Path:
    """Where kmip-admin finds a running server."""
    return settings.folder / LOCAL_SOCKET


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Open sockets, which accept nobody yet."""

    kmip: socket.socket
    admin: socket.socket | None
    local: socket.socket
    path: Path
    """Of the local one."""

    def addresses(self, settings: Settings) -> tuple[str, str]:
        """HOST:PORT of KMIP, and of administration or "-"; hosts as the settings write them."""
        admin = "-" if self.admin is None else _address(settings.admin.host, self.admin)
        return _address(settings.kmip.host, self.kmip), admin

    def close(self) -> None:
        """In a child: let go of them."""
        for each in (self.kmip, self.admin, self.local):
            if each is not None:
                each.close()

    def remove(self) -> None:
        """Close them for good."""
        self.path.unlink(missing_ok=True)
        self.close()


def addresses_of(settings: Settings) -> tuple[object, ...]:
    """What must be the same for the sockets to be the right ones."""
    kmip, admin = settings.kmip, settings.admin
    return kmip.host, kmip.port, admin.enabled, admin.host, admin.port, local_socket(settings)


def open_sockets(settings: Settings) -> Listening:
    """Raises SettingsError, at the key that says it, for an address that cannot be had.

    Only for who has the instance's lock: a local socket that is there was left behind.
    """
    opened: list[socket.socket] = []
    try:
        kmip = _listening("kmip", settings.kmip.host, settings.kmip.port)
        opened.append(kmip)
        admin = None
        if settings.admin.enabled:
            admin = _listening("admin", settings.admin.host, settings.admin.port)
            opened.append(admin)
        path = local_socket(settings)
        return Listening(kmip=kmip, admin=admin, local=_local(path), path=path)
    except SettingsError:
        for each in opened:
            each.close()
        raise


def _listening(section: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setblocking(False)
        place = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4] if host else (host, port)
        made.bind(place)
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        key = "port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "host"
        raise _refused(f"{section}.{key}: {address(host, port)}", error) from error
    return made


def _local(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        if path.is_socket():
            path.unlink()
        made.bind(str(path))
        path.chmod(0o600)
        made.listen(_LOCAL_BACKLOG)
    except OSError as error:
        made.close()
        raise _refused(f"the socket {os.fspath(path)}", error) from error
    return made


def _refused(where: str, error: OSError) -> SettingsError:
    hint = "; is a server running?" if error.errno == errno.EADDRINUSE else ""
    return SettingsError(f"{where} cannot be listened on: {error.strerror or error}{hint}")


def _address(host: str, listening: socket.socket) -> str:
    return address(host, listening.getsockname()[1])
