"""The process that serves: connections, signals, and an orderly end.

Strategy: it is given open sockets and an application, and knows nothing of who opened them. The one process of a
server and each of its workers are the same here; a worker tells how it is on its line of the board, where its
supervisor and the other workers look.
"""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet import defer
from twisted.internet.task import LoopingCall
from twisted.python import log as twisted_log

from kmip_server import metrics
from kmip_server.admin.listener import AdminListener
from kmip_server.errors import SettingsError, StoreUnavailable
from kmip_server.notify import notify
from kmip_server.transport.factory import KmipFactory, over_tls
from kmip_server.transport.limits import BURST, Limits, fit_descriptors
from kmip_server.transport.memory import Memory
from kmip_server.transport.ports import AHEAD, listen_kmip
from kmip_server.transport.reactor import installed
from kmip_server.transport.siblings import Siblings
from kmip_server.transport.sockets import Listening
from kmip_server.transport.tls import ServerTLS
from kmip_server.work.board import BEAT_SECONDS, Board, Line
from kmip_server.work.duties import LOOK_SECONDS
from kmip_server.work.every import Every
from kmip_server.work.worker import RETIRE

if TYPE_CHECKING:
    from kmip_server.app import Application

log = logging.getLogger(__name__)


IDENTITIES_SECONDS = 0.5
"""How soon the connections of who is let in no more are closed, where they ask for nothing."""


class Serving:
    """Listeners over one application."""

    def __init__(
        self, application: Application, listening: Listening, tls: ServerTLS, board: Board, line: Line
    ) -> None:
        """`line` is this process's on the board."""
        self._application = application
        self._listening = listening
        self._board = board
        self._line = line
        self._reactor: Any = installed()
        self._reactor.take_turns(application.turn)
        self._executor = application.executor(self._reactor)
        limits = fit_descriptors(application.limits(), application.worker.count)
        self._siblings = self._with_siblings(limits) if application.worker.count > 1 else None
        self._factory = KmipFactory(self._reactor, self._siblings or self._executor, tls, limits)
        self._factory.counted = self._counted
        self._factory.admission.elsewhere = lambda: board.connections_elsewhere(line)
        self._ports: list[Any] = []
        self._admin = AdminListener(self._reactor, application, self._factory, board, self._siblings)
        self._duties = application.duties()
        self._background = (
            Every(LOOK_SECONDS, "looking after the database", self._duties.look),
            Every(IDENTITIES_SECONDS, "looking for changed identities", application.look_at_identities),
        )
        self._memory = Memory()
        self._alone = True
        self._stopping = False
        self._result = 0

    def _with_siblings(self, limits: Limits) -> Siblings:
        application = self._application
        return Siblings(
            self._reactor,
            self._executor,
            self._board,
            self._line,
            application.settings.folder,
            limits,
            application.settings.limits.max_response_bytes,
            application.status,
        )

    def run(self, ready: Callable[[], None], *, alone: bool) -> int:
        """Serve until told to stop; `ready` is called once it does. Returns 0 after an orderly end.

        `alone`: without a supervisor, which otherwise is who is told to reload, by whom, and when to stop.
        """
        self._alone = alone
        twisted_log.PythonLoggingObserver("twisted").start()
        self._executor.start()
        if self._siblings is not None:
            self._siblings.listen()
        self._factory.start()
        self._ports.append(listen_kmip(self._reactor, self._listening.kmip, over_tls(self._factory), self._room))
        self._admin.listen(self._listening)
        self._application.identities.changed.append(self._identities_changed)
        for each in self._background:
            each.start()
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        signal.signal(RETIRE, lambda *_: self.stop(retires=True))
        signal.signal(signal.SIGINT, lambda *_: self.stop() if alone else None)
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._reload) if alone else None)
        beating = LoopingCall(self._beat)
        beating.clock = self._reactor
        beating.start(BEAT_SECONDS)
        _spare_the_collector()
        # Made now: where memory is short, the end must not depend on a thread that cannot be made.
        self._reactor.getThreadPool().adjustPoolsize(minthreads=1)
        self._reactor.callWhenRunning(ready)
        self._reactor.run(installSignalHandlers=False)
        return self._result

    def _beat(self) -> None:
        self._line.beat(self._executor.group_began)
        clock = self._application.clock
        clock.now()  # so that a jump is seen also where nobody asks
        if not clock.has_jumped:
            self._board.clock_base = clock.base
        # Whatever keeps it from looking, the heart goes on.
        with suppress(OSError, ValueError):
            try:
                self._factory.is_short = self._memory.is_short()
            except MemoryError:
                self._factory.is_short = True

    def _counted(self, connections: int) -> None:
        metrics.connections.set(connections)
        self._line.connections = connections

    def _room(self) -> int:
        """How many more connections do not put this worker ahead of another."""
        fewest = self._board.fewest_elsewhere(self._line)
        return BURST if fewest is None else fewest + AHEAD - self._line.connections

    def _identities_changed(self, _: object) -> None:
        """Called on whatever thread saw the change."""
        self._reactor.callFromThread(self._factory.close_where, self._application.identifier.is_over)

    def _reload(self) -> None:
        """SIGHUP: the log's level, certificates and client CAs anew, as the file has them now."""
        try:
            self._factory.tls = self._application.reload()
            self._admin.reload()
            log.info("log level and certificates reloaded")
        except SettingsError as failure:
            log.error("nothing reloaded, the old settings serve on: %s", failure)

    def stop(self, *, retires: bool = False) -> None:
        """Begin the orderly end; `retires`: others serve on. From any thread."""
        self._reactor.callFromThread(self._stop, retires)

    def _stop(self, retires: bool) -> None:
        if not self._stopping:
            self._stopping = True
            log.info("stopping: finishing requests under way")
            if self._alone:
                notify("STOPPING=1")
            defer.ensureDeferred(self._drain(retires))

    async def _drain(self, retires: bool) -> None:
        try:
            for port in self._ports:
                await defer.maybeDeferred(port.stopListening)
            end = self._reactor.seconds() + self._application.settings.server.drain_seconds
            await self._factory.stop(end - self._reactor.seconds(), keep_new=retires)
            if self._siblings is not None:
                await self._siblings.stop(max(0.0, end - self._reactor.seconds()))
            await self._admin.stop()
        except Exception:
            log.exception("the orderly end failed")
            self._result = 1
        finally:
            self._reactor.callInThread(self._end)

    def _end(self) -> None:
        self._executor.stop()
        for each in self._background:
            each.stop()
        try:
            self._duties.close()
        except StoreUnavailable as failure:
            log.warning("a duty was not handed over: %s", failure.message)
        self._reactor.callFromThread(self._reactor.stop)


def _spare_the_collector() -> None:
    """Requests make many small objects that die by reference count alone; what was made at start lives for ever.

    So the cycle collector need not look at the latter at all, nor at the former every few requests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
