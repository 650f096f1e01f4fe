"""How kmip-admin reaches an instance: its socket, its address, or the files of one that is stopped."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kmip_server.errors import KmipError, SettingsError, told

TIMEOUT_SECONDS = 60
DEFAULT_PORT = 5698


class Refused(KmipError):
    """The instance said no, or could not."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(str(self.path))


class Remote:
    """An instance that is running."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def _where(self) -> str:
        connection = self._connection
        return (
            str(connection.path)
            if isinstance(connection, _UnixConnection)
            else f"{connection.host}:{connection.port}"
        )

    def perform(self, action: str, **arguments: Any) -> Any:
        """The result of an action. Raises Refused with the server's own sentence."""
        given = {key: value for key, value in arguments.items() if value is not None}
        try:
            self._connection.request(
                "POST", f"/v1/{action}", json.dumps(given), {"content-type": "application/json"}
            )
            response = self._connection.getresponse()
            body = response.read()
        except ssl.SSLCertVerificationError as error:
            raise Refused(
                f"the server's certificate is not trusted ({error.verify_message}); give --ca DIR/certs/ca.pem, "
                "the CA of the instance"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise Refused(
                f"the server at {self._where()} does not answer: {told(error) or type(error).__name__}"
            ) from error
        try:
            result = json.loads(body)
        except ValueError as error:
            raise Refused(
                f"the answer is not that of an administration port (HTTP {response.status}); is --url right?"
            ) from error
        if response.status == 409:
            raise SettingsError(result["error"])
        if response.status != 200:
            raise Refused(result["error"])
        return result


class Offline:
    """The files of an instance that is not running, used by whoever may read them."""

    def __init__(self, config: Path) -> None:
        from kmip_server.admin.actions import Actions, Instance
        from kmip_server.app import node_of
        from kmip_server.clock import SystemClock
        from kmip_server.config.load import load
        from kmip_server.store import audit, database, migrate

        settings = load(config)
        path = database.path_of(settings.store.url, settings.folder)
        connection = database.connect(path)
        migrate.require_known(connection)
        clock = SystemClock(audit.latest_time(connection) // 1_000_000)
        connection.close()
        self._actions = Actions(
            Instance(
                settings=settings,
                clock=clock,
                open_connection=lambda: database.connect(path),
                node=f"{node_of(settings)} kmip-admin",
            )
        )

    def perform(self, action: str, **arguments: Any) -> Any:
        from kmip_server.principal import Principal

        principal = Principal(
            name=f"uid {os.geteuid()}", domain="default", roles=("Administrator",), authentication="local"
        )
        given = {key: value for key, value in arguments.items() if value is not None}
        try:
            return self._actions.perform(principal, f"process {os.getpid()}", action, given)
        finally:
            self._actions.close()


Target = Remote | Offline


def target(config: Path | None, url: str | None, cert: Path | None, key: Path | None, ca: Path | None) -> Target:
    """What the options name. Raises SettingsError where they do not name one thing."""
    if (config is None) == (url is None):
        raise SettingsError("give --config FILE for an instance here, or --url, --cert and --key for one elsewhere")
    if config is not None:
        return _local(config)
    assert url is not None
    return Remote(_remote(url, cert, key, ca))


def _local(config: Path) -> Target:
    if not config.exists():
        raise SettingsError(f"the settings file {config} does not exist")
    path = config.resolve().parent / "admin.sock"
    if path.exists():
        connection = _UnixConnection(path)
        try:
            connection.connect()
            return Remote(connection)
        except ConnectionRefusedError:
            connection.close()  # a server that died left its socket behind
        except OSError as error:
            raise SettingsError(f"{path} cannot be used: {error.strerror}") from error
    return Offline(config)


def _remote(url: str, cert: Path | None, key: Path | None, ca: Path | None) -> http.client.HTTPConnection:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        raise SettingsError("--url is https://HOST:PORT") from None
    if parts.scheme != "https" or not host:
        raise SettingsError("--url is https://HOST:PORT")
    if cert is None or key is None:
        raise SettingsError("--url needs --cert and --key")
    return http.client.HTTPSConnection(host, port, context=_context(cert, key, ca), timeout=TIMEOUT_SECONDS)


def _context(cert: Path, key: Path, ca: Path | None) -> ssl.SSLContext:
    for path in (cert, key, ca):
        try:
            if path is not None:
                path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca is not None else None)
    except ssl.SSLError as error:
        raise SettingsError(f"--ca {ca} holds no certificate in PEM form") from error
    try:
        # Nobody is ever asked for a pass phrase.
        context.load_cert_chain(cert, key, password="")
    except ssl.SSLError as error:
        raise SettingsError(
            f"--cert {cert} and --key {key} are not a certificate and its unencrypted private key, in PEM form"
        ) from error
    return context
