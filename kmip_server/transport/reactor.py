"""The reactor: Twisted's epoll reactor, which takes turns with the executor.

Strategy: between two waits for the network the reactor has the turn (`work/turns.py`). Before it waits again it
gives the turn back, and only then calls those who asked for its end. So whoever is woken there finds the
interpreter free, and all that the turn has brought.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from contextlib import suppress

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.python import log

from kmip_server.work.turns import Turn


class TurnReactor(EPollReactor):
    """`turn` is set once, before it runs. Its time is steady: a clock that is set moves no deadline."""

    seconds = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self._side = Turn().reactor
        self._at_end: list[Callable[[], None]] = []
        super().__init__()

    def take_turns(self, turn: Turn) -> None:
        self._side = turn.reactor

    def at_end_of_turn(self, call: Callable[[], None]) -> None:
        """Call once, on the reactor's thread, when all that is ready now has been looked at.

        How long the reactor then waits is decided already: who wants it to go on uses `callFromThread`.
        """
        self._at_end.append(call)

    def doPoll(self, timeout: float | None) -> None:
        """Wait for the network, then let everyone who is ready read or write."""
        self._side.end()
        if self._at_end:
            calls, self._at_end = self._at_end, []
            for call in calls:
                call()
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, max(1, len(self._selectables)))
        except OSError as error:
            if error.errno == errno.EINTR:
                return
            raise
        self._side.begin()
        selectables, look = self._selectables, self._doReadOrWrite
        for descriptor, event in events:
            selectable = selectables.get(descriptor)
            if selectable is not None:
                try:
                    look(selectable, descriptor, event)
                except Exception:
                    # Where memory is short, saying so may fail as well: the others are looked at all the same.
                    with suppress(Exception):
                        log.err()

    doIteration = doPoll


def installed() -> TurnReactor:
    """The process's reactor: made and installed at the first call. A fork must come before that."""
    global _reactor
    if _reactor is None:
        _reactor = TurnReactor()
        installReactor(_reactor)
    return _reactor


_reactor: TurnReactor | None = None
