"""Wiring: builds every room from the settings, hands each what it needs, and serves until told to stop."""

from __future__ import annotations

import logging
import os
import resource
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from kmip_server import metrics
from kmip_server.answer import Answerer
from kmip_server.authz.records import Identities
from kmip_server.authz.rules import RoleAuthorizer
from kmip_server.clock import SystemClock
from kmip_server.config.settings import Settings
from kmip_server.engine import operations  # noqa: F401 - registers every operation
from kmip_server.engine.context import Policy
from kmip_server.engine.streams import StreamBounds, Streams
from kmip_server.errors import SettingsError, StoreUnavailable
from kmip_server.identity.certificate import IdentityRule
from kmip_server.identity.identify import Identifier
from kmip_server.keystore import factory
from kmip_server.keystore.guard import GuardedKeyStore
from kmip_server.keystore.holder import Holder
from kmip_server.lock import InstanceLock
from kmip_server.notify import notify
from kmip_server.pki.files import require_private_authority
from kmip_server.protocol import codec
from kmip_server.protocol.versions import SERVED
from kmip_server.store import audit, database, migrate, principals
from kmip_server.store.apply import Writer
from kmip_server.store.database import Kept
from kmip_server.store.objects import Reader
from kmip_server.transport.intermediates import FILE, Intermediates
from kmip_server.transport.limits import Limits
from kmip_server.transport.ports import AHEAD
from kmip_server.transport.sockets import Listening, open_sockets
from kmip_server.transport.tls import IsPinned, ServerTLS, nobody
from kmip_server.work.board import Board, State
from kmip_server.work.duties import Duties
from kmip_server.work.executor import Executor
from kmip_server.work.turns import Turn
from kmip_server.work.worker import Worker

log = logging.getLogger(__name__)

ALONE = Worker()


class IdentitySource:
    """The identities of the moment. Looked up at every group of requests; read again when they have changed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.current = principals.load_identities(connection)
        self.authorizer = RoleAuthorizer(self.current.roles)
        self.changed: list[Callable[[Identities], None]] = []
        self._lock = threading.Lock()

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Take over what `connection` sees, where it is newer: another thread's snapshot may be older than what
        is known already, and must not bring back who was revoked since."""
        if principals.policy_revision(connection) <= self.current.policy_revision:
            return
        with self._lock:
            current = principals.load_identities(connection)
            if current.policy_revision <= self.current.policy_revision:
                return
            # In this order: whoever sees the new revision decides by its roles.
            self.authorizer = RoleAuthorizer(current.roles)
            self.current = current
        for changed in self.changed:
            changed(current)

    def is_pinned(self, fingerprint: str) -> bool:
        known = self.current.certificates.get(fingerprint)
        return known is not None and known.pinned and not known.revoked


def holder_of(settings: Settings) -> Holder:
    """What holds the wrapping key, by the settings."""
    folder = settings.path(settings.keystore.folder or ".")
    if settings.keystore.kind == "software":
        return factory.software_holder(folder)
    token = settings.keystore.token[0]
    return factory.token_holder(token.module, token.label, settings.path(token.pin_file), folder)


def node_of(settings: Settings) -> str:
    return settings.server.node or socket.gethostname()


def tls_of(settings: Settings, is_pinned: IsPinned = nobody) -> ServerTLS:
    """TLS by the settings. Raises SettingsError."""
    tls, path = settings.tls, settings.path
    shared = path(FILE) if settings.server.workers > 1 else None
    return ServerTLS(
        profile=settings.kmip.tls_profile,
        certificate=path(tls.certificate),
        private_key=path(tls.private_key),
        client_ca=[path(each) for each in tls.client_ca],
        is_pinned=is_pinned,
        intermediates=Intermediates(shared),
    )


class Application:
    """One serving process."""

    def __init__(
        self, settings: Settings, reread: Callable[[], Settings] | None = None, worker: Worker = ALONE
    ) -> None:
        """Open the database and the HSM. Raises SettingsError. `reread` reads the settings again."""
        self.settings = settings
        self.reread = reread
        self.worker = worker
        self.database = database.path_of(settings.store.url, settings.folder)
        self.open_connection: Callable[[], sqlite3.Connection] = lambda: database.connect(self.database)
        self.connection = self.open_connection()
        self._looking, self._pins = Kept(self.open_connection), Kept(self.open_connection)
        migrate.require_known(self.connection)
        self.turn = Turn()
        self.clock = SystemClock(
            audit.latest_time(self.connection) // 1_000_000,
            settings.server.max_clock_jump_seconds,
            base=worker.clock_base,
        )
        self.identities = IdentitySource(self.connection)
        self.keystore = GuardedKeyStore(
            holder_of(settings), principals.sealing_keys(self.connection), settings.keystore.grace_seconds
        )
        self.keystore.start()
        behind = self.clock.seconds_behind()
        if behind > 0:
            log.error(
                "the machine's clock is %d s behind the record: set it right; until then every request is "
                "answered and recorded at the time of the newest record",
                behind,
            )
        rules = [IdentityRule(source=r.source, principal=r.principal) for r in settings.identity.rule]
        self.identifier = Identifier(lambda: self.identities.current, rules)
        self.answerer = self._answerer()
        codec.compile_plans()

    def _answerer(self) -> Answerer:
        settings = self.settings
        return Answerer(
            clock=self.clock,
            keystore=self.keystore,
            identify=self.identifier.identify,
            authorizer=lambda: self.identities.authorizer,
            policy=Policy(
                weak_algorithms=settings.protocol.weak_algorithms,
                interop=settings.protocol.interop,
                lease_time_seconds=settings.protocol.lease_time_seconds,
                unique_names=settings.names.unique,
                max_locate_items=settings.limits.max_locate_items,
                max_examined=settings.limits.max_examined,
                max_attributes=settings.limits.max_attributes,
                max_attribute_bytes=settings.limits.max_attribute_bytes,
                max_response_bytes=settings.limits.max_response_bytes,
                served=SERVED,
            ),
            policy_revision=lambda: self.identities.current.policy_revision,
            max_batch_items=settings.limits.max_batch_items,
            max_key_pairs=settings.limits.max_key_pairs,
            streams=Streams(self._stream_bounds(), self.worker.number),
        )

    def _stream_bounds(self) -> StreamBounds:
        bounds, part = self.settings.limits, self.worker.part
        return StreamBounds(
            # Not divided: all that a client has begun on one connection is at one worker.
            count=bounds.max_streams,
            count_per_principal=bounds.max_streams_per_principal,
            seconds=bounds.stream_timeout_seconds,
            bytes=bounds.max_stream_bytes,
            bytes_in_all=part(bounds.max_stream_bytes_in_all, least=bounds.max_stream_bytes),
        )

    def open_reader(self) -> Reader:
        return Reader(self.open_connection, on_snapshot=self.identities.refresh)

    def open_writer(self) -> Writer:
        return Writer(
            self.open_connection, self.clock, node_of(self.settings), self.turn.executor.end, self.worker.writing
        )

    def duties(self) -> Duties:
        return Duties(Kept(self.open_connection), self.database, node_of(self.settings))

    def look_at_identities(self) -> None:
        """See whether another process has changed them, also where no request asks. On one thread, again and again.

        Raises StoreUnavailable.
        """
        with self._looking as connection:
            self.identities.refresh(connection)

    def is_pinned(self, fingerprint: str) -> bool:
        """As the database has it now: another worker may have pinned or revoked it a moment ago. One thread's.

        Only what no CA vouches for comes here, so no ordinary handshake waits for this.
        """
        with suppress(StoreUnavailable), self._pins as connection:
            self.identities.refresh(connection)
        return self.identities.is_pinned(fingerprint)

    def executor(self, reactor: Any) -> Executor:
        return Executor(
            self.answerer,
            self.open_reader,
            self.open_writer,
            reactor.callFromThread,
            reactor.at_end_of_turn,
            turn=self.turn,
            defers_reads=self.settings.audit.reads == "deferred",
            max_waiting=self.worker.part(self.settings.limits.max_waiting_messages),
            max_waiting_of_one=self.worker.part(self.settings.limits.max_waiting_messages_per_client),
        )

    def server_tls(self) -> ServerTLS:
        return tls_of(self.settings, self.is_pinned)

    def reload(self) -> ServerTLS:
        """The settings file again, for what may change while serving: the log's level, and the certificates.

        Raises SettingsError for what is wrong with any of it; then all is as it was. A clock that has jumped is
        taken to be right then: the administrator has been told.
        """
        before = self.settings
        fresh = self.reread() if self.reread is not None else before
        self.settings = replace(before, log=fresh.log, tls=fresh.tls)
        try:
            tls = self.server_tls()
        except SettingsError:
            self.settings = before
            raise
        logging.getLogger().setLevel(fresh.log.level.upper())
        if self.clock.has_jumped:
            log.warning("the machine's clock is taken to be right: %d s ahead", self.clock.seconds_ahead())
            self.clock.accept()
        return tls

    def limits(self) -> Limits:
        bounds, part = self.settings.limits, self.worker.part
        return Limits(
            handshake_timeout_seconds=bounds.handshake_timeout_seconds,
            message_timeout_seconds=bounds.message_timeout_seconds,
            write_timeout_seconds=bounds.write_timeout_seconds,
            idle_timeout_seconds=bounds.idle_timeout_seconds,
            max_message_bytes=bounds.max_message_bytes,
            max_pipelined_messages=bounds.max_pipelined_messages,
            max_pipelined_bytes=bounds.max_pipelined_bytes,
            max_waiting_bytes=part(bounds.max_waiting_bytes, least=bounds.max_message_bytes),
            # Counted over all workers; one alone may have them all while the others are not there.
            max_connections=bounds.max_connections,
            max_connections_in_all=bounds.max_connections,
            # Connections are spread by their number, not by their addresses, and not to the last one.
            max_connections_per_address=part(bounds.max_connections_per_address, spare=AHEAD),
            max_handshakes=part(bounds.max_handshakes),
            max_handshakes_per_address=part(bounds.max_handshakes_per_address),
        )

    def status(self) -> dict[str, Any]:
        """How this process is, as JSON can say it; `admin/live.py` makes one of all workers'."""
        return {
            "hsm_available": self.keystore.is_available(),
            "clock_behind_seconds": self.clock.seconds_behind(),
            "clock_ahead_seconds": self.clock.seconds_ahead(),
            "samples": metrics.counts().rows(),
        }

    def close(self) -> None:
        self._looking.close()
        self._pins.close()
        self.keystore.stop()
        self.connection.close()


def set_up_logging(settings: Settings, who: str = "") -> None:
    """One line each, to standard error, from our code, and what goes wrong in Twisted's. `who`: which worker."""
    logging.basicConfig(
        level=settings.log.level.upper(),
        format=f"%(asctime)s %(levelname)s {who}%(name)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )
    # Where it listens is in the line that says ready; of the rest only what is wrong matters here.
    for library in ("twisted", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)


def run(settings: Settings, reread: Callable[[], Settings]) -> int:
    """Serve until SIGTERM or SIGINT. 0 when stopped, 1 when it failed. Raises before it serves: SettingsError,
    and StoreUnavailable, with which it is worth trying again."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    set_up_logging(settings)
    require_private_authority(settings.folder)
    with InstanceLock(settings.folder) as lock:
        if settings.server.workers == 1:
            return _serve_alone(settings, reread)
        from kmip_server.supervisor import Supervisor

        return Supervisor(settings, reread, lock).run()


def prepare(settings: Settings) -> None:
    """See that the database can be served, before there is anybody to serve it; bring it to the newest schema.

    Raises as `opened`.
    """
    path = database.path_of(settings.store.url, settings.folder)
    with _start_told(settings):
        connection = database.connect(path)
        try:
            migrate.require_known(connection)
            present = migrate.version(connection)
        finally:
            connection.close()
        if present != migrate.NEWEST:
            log.info("the database %s is brought from the schema %s to %s", path, present, migrate.NEWEST)
            migrate.upgrade(path)


@contextmanager
def opened(
    settings: Settings, reread: Callable[[], Settings] | None = None, worker: Worker = ALONE
) -> Iterator[Application]:
    """An application to serve with. Raises SettingsError, StoreUnavailable."""
    with _start_told(settings):
        application = Application(settings, reread, worker)
        try:
            yield application
        finally:
            application.close()


@contextmanager
def _start_told(settings: Settings) -> Iterator[None]:
    """Say what to do where the database refuses."""
    try:
        yield
    except StoreUnavailable as error:
        raise StoreUnavailable(
            f"{error.message}; see that its disk has room and that no other program holds {settings.store.url}, "
            "then start again"
        ) from error


def _serve_alone(settings: Settings, reread: Callable[[], Settings]) -> int:
    """In this very process."""
    prepare(settings)
    with opened(settings, reread) as application:
        tls = application.server_tls()
        listening = open_sockets(settings)
        try:
            from kmip_server.serve import Serving

            board = Board(1)
            line = board.take(0)
            line.pid, line.state = os.getpid(), State.SERVING
            serving = Serving(application, listening, tls, board, line)
            result = serving.run(lambda: say_ready(listening, settings), alone=True)
        finally:
            listening.remove()
    return result


def say_ready(listening: Listening, settings: Settings) -> None:
    """The line that whoever started the server waits for."""
    kmip, admin = listening.addresses(settings)
    print(f"ready kmip={kmip} https=- admin={admin}", flush=True)
    notify("READY=1")
