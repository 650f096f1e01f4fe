"""Where kmip-admin arrives: a Unix socket for this machine, TLS with a client certificate for others.

Strategy: one POST for one action, JSON in and out. The socket knows its peer by the kernel's word; only the
server's own user and root may use it. Actions run on a thread of their own, never on the reactor's.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL, crypto
from twisted.internet import defer, threads
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web import resource, server
from zope.interface import implementer

from kmip_server.admin import live
from kmip_server.admin.actions import Actions, Instance
from kmip_server.admin.connections import AdminSite, Bounded, of_port, of_socket
from kmip_server.app import node_of
from kmip_server.errors import (
    AuthenticationNotSuccessful,
    KmipError,
    PermissionDenied,
    SettingsError,
    StoreUnavailable,
)
from kmip_server.pki.authority import fingerprint
from kmip_server.principal import Peer, Principal
from kmip_server.protocol.versions import V1_4
from kmip_server.transport.addresses import address, process_of
from kmip_server.transport.channel import Kind
from kmip_server.transport.limits import Limits
from kmip_server.transport.ports import listen, listen_local
from kmip_server.transport.recording import Recording
from kmip_server.transport.sockets import Listening
from kmip_server.transport.tls import ServerTLS
from kmip_server.work.board import Board

if TYPE_CHECKING:
    from kmip_server.app import Application
    from kmip_server.transport.factory import KmipFactory
    from kmip_server.transport.siblings import Siblings

log = logging.getLogger(__name__)

PREFIX = b"v1"
LOCAL_DOMAIN = "default"


class AdminListener:
    """Both ways in, over one set of actions."""

    def __init__(
        self,
        reactor: Any,
        application: Application,
        kmip: KmipFactory,
        board: Board,
        siblings: Siblings | None = None,
    ) -> None:
        self._reactor = reactor
        self._siblings = siblings
        self._application = application
        self._kmip = kmip
        self._board = board
        self._ports: list[Any] = []
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="admin")
        self._actions = Actions(
            Instance(
                settings=application.settings,
                clock=application.clock,
                open_connection=application.open_connection,
                node=node_of(application.settings),
                live=self._live,
                changed=application.identities.refresh,
                record=self._record,
            )
        )
        if siblings is not None:
            siblings.record = self.record_here
        self.tls: ServerTLS = kmip.tls

    def listen(self, listening: Listening) -> None:
        """Accept at the local socket and, where there is one, the port."""
        site = AdminSite(_Root(self))
        self._ports.append(listen_local(self._reactor, listening.local, self._bounded(site, of_socket)))
        if listening.admin is not None:
            over_tls = TLSMemoryBIOFactory(_Creator(self), False, self._bounded(site, of_port))  # type: ignore[arg-type]
            self._ports.append(listen(self._reactor, listening.admin, over_tls))

    def _bounded(self, site: AdminSite, bounds: Callable[[Limits], Limits]) -> Bounded:
        return Bounded(self._reactor, site, bounds(self._kmip.limits), self._kmip.handshake_failed)

    def reload(self) -> None:
        self.tls = self._kmip.tls

    async def stop(self) -> None:
        for port in self._ports:
            await defer.maybeDeferred(port.stopListening)
        await threads.deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._close)

    def _close(self) -> None:
        self._pool.submit(self._actions.close).result()
        self._pool.shutdown()

    def _live(self) -> dict[str, Any]:
        application = self._application
        siblings = self._siblings.statuses() if self._siblings is not None else []
        return {
            "running": True,
            "hsm": application.keystore.description,
            **live.of_all(application.status(), siblings),
            "workers": self._board.told(),
        }

    def record_here(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Begin a recording in this process (`client`, `messages`, `seconds`), look at it, or end it (`ends`),
        which gives what it has. On the reactor's thread."""
        factory, client = self._kmip, wanted["client"]
        recording = factory.recording
        is_free = recording is None or recording.client == client or recording.is_over
        if "seconds" in wanted and is_free:
            bounds = wanted["messages"], wanted["seconds"]
            recording = Recording(client, partial(self._is, client), *bounds, self._reactor.seconds)
            factory.recording = recording
        if recording is None or recording.client != client:
            # Another's is nothing to who asks; it may have begun before this process did.
            return {"is_there": False, "count": 0, "is_over": False, "rows": []}
        if wanted.get("ends"):
            factory.recording = None
        rows = recording.rows() if wanted.get("ends") else []
        return {"is_there": True, "count": recording.count, "is_over": recording.is_over, "rows": rows}

    def _is(self, client: str, peer: Peer) -> bool:
        try:
            return self._application.answerer.identify(peer, None, V1_4).name == client
        except KmipError:
            return False

    def _record(self, wanted: dict[str, Any]) -> list[dict[str, Any] | None]:
        """The same in every process; None of one that does not answer. On the administrator's thread."""
        here = threads.blockingCallFromThread(self._reactor, self.record_here, wanted)
        others = [] if self._siblings is None else self._siblings.ask_all(Kind.RECORD, json.dumps(wanted).encode())
        return [here, *(each for _, each in others)]

    def principal_of(self, request: Any) -> tuple[Principal, str]:
        """Who asks, and from where. Raises AuthenticationNotSuccessful."""
        channel = request.channel.transport
        if hasattr(channel, "getPeerCertificate"):
            certificate = self.tls.certificate_of(channel.getHandle())
            der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
            peer = Peer(address=_address(request), certificate=der, fingerprint=fingerprint(der))
            return self._application.answerer.identify(peer, None, V1_4), peer.address
        process, user = process_of(channel.socket)
        if user not in (0, os.geteuid()):
            raise AuthenticationNotSuccessful(f"the user {user} may not administer this server")
        return local_principal(user), f"process {process}"

    def perform(self, request: Any, action: str, arguments: dict[str, Any]) -> defer.Deferred[Any]:
        """The result of an action, or why not; both are on record before anything is said."""
        try:
            principal, source = self.principal_of(request)
        except AuthenticationNotSuccessful as error:
            refusal, where = error, _address(request)

            def act() -> Any:
                self._actions.refuse(where, action, refusal)
                raise refusal
        else:

            def act() -> Any:
                return self._actions.perform(principal, source, action, arguments)

        done: defer.Deferred[Any] = defer.Deferred()

        def run() -> None:
            try:
                result = act()
            except Exception as error:
                self._reactor.callFromThread(done.errback, error)
            else:
                self._reactor.callFromThread(done.callback, result)

        self._pool.submit(run)
        return done


def _address(request: Any) -> str:
    peer = request.channel.transport.getPeer()
    return address(peer.host, peer.port) if hasattr(peer, "port") else "local"


def local_principal(user: int) -> Principal:
    """The administrator at the machine itself."""
    return Principal(name=f"uid {user}", domain=LOCAL_DOMAIN, roles=("Administrator",), authentication="local")


@implementer(IOpenSSLServerConnectionCreator)
class _Creator:
    def __init__(self, listener: AdminListener) -> None:
        self._listener = listener

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        del protocol
        return self._listener.tls.connection()


class _Root(resource.Resource):
    """POST /v1/ACTION with a JSON object of arguments."""

    isLeaf = True

    def __init__(self, listener: AdminListener) -> None:
        super().__init__()
        self._listener = listener

    def render(self, request: Any) -> Any:
        if request.method != b"POST" or len(request.postpath) != 2 or request.postpath[0] != PREFIX:
            return _reply(request, 404, {"error": "POST /v1/ACTION"})
        try:
            arguments = json.loads(request.content.read() or b"{}")
            if not isinstance(arguments, dict):
                raise ValueError
        except (ValueError, RecursionError):
            return _reply(request, 400, {"error": "the body is a JSON object of arguments"})
        action = request.postpath[1].decode("ascii", "replace")
        done = self._listener.perform(request, action, arguments)
        finished = {"gone": False}
        request.notifyFinish().addErrback(lambda _: finished.update(gone=True))
        done.addCallbacks(
            lambda result: _finish(request, finished, 200, result),
            lambda failure: _finish(request, finished, *_failed(failure.value)),
        )
        return server.NOT_DONE_YET


def _failed(error: Exception) -> tuple[int, dict[str, str]]:
    if isinstance(error, (PermissionDenied, AuthenticationNotSuccessful)):
        return 403, {"error": error.message}
    if isinstance(error, SettingsError):
        return 409, {"error": str(error)}
    if isinstance(error, StoreUnavailable):
        log.error("an administrative action failed: %s", error.message)
        return 503, {"error": error.message}
    if isinstance(error, KmipError):
        return 400, {"error": error.message}
    if isinstance(error, TypeError):
        return 400, {"error": "the arguments are not those of the action"}
    log.error("an administrative action failed", exc_info=error)
    return 500, {"error": "the server failed; its log says more"}


def _finish(request: Any, finished: dict[str, bool], code: int, result: Any) -> None:
    if not finished["gone"]:
        request.write(_reply(request, code, result))
        request.finish()


def _reply(request: Any, code: int, result: Any) -> bytes:
    request.setResponseCode(code)
    body = json.dumps(result).encode() + b"\n"
    request.setHeader(b"content-type", b"application/json")
    request.setHeader(b"content-length", b"%d" % len(body))
    return body
