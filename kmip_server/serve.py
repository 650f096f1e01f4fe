"""The listening process: sockets, signals, and an orderly end."""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

from twisted.internet import defer, error, reactor
from twisted.python import log as twisted_log

from kmip_server.errors import SettingsError
from kmip_server.transport.addresses import address
from kmip_server.transport.kmip import KmipFactory, listen
from kmip_server.transport.limits import Limits, fit_descriptors
from kmip_server.transport.siblings import Siblings

if TYPE_CHECKING:
    from kmip_server.app import Application

log = logging.getLogger(__name__)


class Serving:
    """Listeners over one application."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._reactor: Any = reactor
        self._executor = application.executor(self._reactor)
        limits = fit_descriptors(application.limits())
        self._siblings = self._with_siblings(limits) if application.worker.count > 1 else None
        answerer = self._siblings or self._executor
        self._factory = KmipFactory(self._reactor, answerer, application.server_tls(), limits)
        self._ports: list[Any] = []
        self._admin: Any = None
        self._stopping = False
        self._result = 0

    def _with_siblings(self, limits: Limits) -> Siblings:
        application = self._application
        return Siblings(
            self._reactor,
            self._executor,
            application.worker,
            application.settings.folder,
            limits,
            application.settings.limits.max_response_bytes,
            application.status,
        )

    def run(self) -> int:
        """Listen, say so, and serve. Raises SettingsError where a port cannot be had."""
        twisted_log.PythonLoggingObserver("twisted").start()
        self._executor.start()
        self._listen_to_siblings()
        settings = self._application.settings
        kmip = self._listen("kmip", settings.kmip.host, settings.kmip.port)
        admin = self._listen_admin()
        self._application.identities.changed.append(self._identities_changed)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._reactor.callFromThread(self._stop))
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._reload))
        print(f"ready kmip={kmip} https=- admin={admin}", flush=True)
        _notify("READY=1")
        _spare_the_collector()
        self._reactor.run(installSignalHandlers=False)
        return self._result

    def _listen(self, section: str, host: str, port: int) -> str:
        try:
            listening = listen(self._reactor, host, port, self._factory)
        except error.CannotListenError as failure:
            self._executor.stop()
            raise _not_listening(section, failure) from failure
        self._ports.append(listening)
        return address(host, listening.getHost().port)

    def _listen_to_siblings(self) -> None:
        if self._siblings is None:
            return
        try:
            self._siblings.listen()
        except error.CannotListenError as failure:
            self._executor.stop()
            raise _not_listening("server", failure) from failure

    def _listen_admin(self) -> str:
        from kmip_server.admin.listener import AdminListener

        self._admin = AdminListener(self._reactor, self._application, self._factory, self._siblings)
        try:
            return str(self._admin.listen())
        except error.CannotListenError as failure:
            self._executor.stop()
            raise _not_listening("admin", failure) from failure

    def _identities_changed(self, _: object) -> None:
        """Called on whatever thread saw the change."""
        self._reactor.callFromThread(self._factory.close_where, self._application.identifier.is_over)

    def _reload(self) -> None:
        """SIGHUP: the log's level, certificates and client CAs anew, as the file has them now."""
        try:
            self._factory.tls = self._application.reload()
            if self._admin is not None:
                self._admin.reload()
            log.info("log level and certificates reloaded")
        except SettingsError as failure:
            log.error("nothing reloaded, the old settings serve on: %s", failure)

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            log.info("stopping: finishing requests under way")
            _notify("STOPPING=1")
            defer.ensureDeferred(self._drain())

    async def _drain(self) -> None:
        try:
            for port in self._ports:
                await defer.maybeDeferred(port.stopListening)
            grace_seconds = self._application.settings.server.drain_seconds
            await self._factory.stop(grace_seconds)
            if self._siblings is not None:
                await self._siblings.stop(grace_seconds)
            if self._admin is not None:
                await self._admin.stop()
        except Exception:
            log.exception("the orderly end failed")
            self._result = 1
        finally:
            self._reactor.callInThread(self._end)

    def _end(self) -> None:
        self._executor.stop()
        self._reactor.callFromThread(self._reactor.stop)


def _not_listening(section: str, failure: error.CannotListenError) -> SettingsError:
    """What is wrong with an address, at the key that says it. The local socket's follows from the folder."""
    number = getattr(failure.socketError, "errno", None)
    key = "port" if number in (errno.EADDRINUSE, errno.EACCES) else "host"
    reason = getattr(failure.socketError, "strerror", None) or failure.socketError
    hint = "; is a server running?" if number == errno.EADDRINUSE else ""
    if isinstance(failure.port, int):
        where = f"{section}.{key}: {address(failure.interface, failure.port)}"
    else:
        where = f"the socket {os.fsdecode(failure.port)}"
    return SettingsError(f"{where} cannot be listened on: {reason}{hint}")


def _spare_the_collector() -> None:
    """Requests make many small objects that die by reference count alone; what was made at start lives for ever.

    So the cycle collector need not look at the latter at all, nor at the former every few requests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def _notify(state: str) -> None:
    """Tell systemd, where it asks (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.connect("\0" + address[1:] if address.startswith("@") else address)
            channel.send(state.encode())
        except OSError as failure:
            log.warning("systemd was not told %s: %s", state, failure)
