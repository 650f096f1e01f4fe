"""Who runs: the reactor's thread and the executor's take turns.

Strategy: both want the interpreter lock, and both let go of it at every call into OpenSSL, the socket or SQLite.
Left to themselves they take it from each other at each of these calls, several times for every request, and a
wake-up costs more than most of the calls. So whoever begins a piece of work takes the turn first, and the other
waits where waiting costs nothing. A turn is a courtesy and no lock: nobody waits longer for it than
`PATIENCE_SECONDS`, so one that hangs holds up nobody.
"""

from __future__ import annotations

import threading
from typing import Final

PATIENCE_SECONDS: Final = 0.005
"""The interpreter's own switch interval: what one thread may make another wait anyway."""


class Side:
    """One thread's way to the turn. Used on that thread alone."""

    __slots__ = ("_lock", "has")

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self.has = False

    def begin(self) -> None:
        """Wait for the turn, as long as that is of use."""
        if not self.has:
            self.has = self._lock.acquire(timeout=PATIENCE_SECONDS)

    def end(self) -> None:
        """Let the other go on."""
        if self.has:
            self.has = False
            self._lock.release()


class Turn:
    """The one turn there is, and the two who take it."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self.reactor = Side(lock)
        self.executor = Side(lock)
