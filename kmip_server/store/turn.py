"""One writer after the other, of the processes that share a database.

Strategy: SQLite lets one write at a time. Who finds it taken sleeps and looks again, ever longer, and may look
at the wrong moments for a long time. So the workers of one server pass on a token, and who waits for it is woken.
It is a courtesy and no lock: SQLite's own decides. Who has it and dies, or hangs, is not waited for long, and
whoever ends a turn leaves exactly one token behind, however many there were.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

PATIENCE_SECONDS: Final = 0.25
"""A commit takes some milliseconds, on a slow disk some dozens."""


class WriteTurn:
    """Made before the fork, so that all have the same."""

    def __init__(self) -> None:
        self._token = os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._token, select.POLLIN)

    def begin(self, before_wait: Callable[[], None] = lambda: None) -> None:
        """Take the token, or have waited long enough for it. `before_wait` is called where it is not there."""
        if self._took():
            return
        before_wait()
        until = time.monotonic() + PATIENCE_SECONDS
        while (left := until - time.monotonic()) > 0:
            self._poll.poll(left * 1000)
            if self._took():
                return

    def end(self) -> None:
        """Pass it on."""
        self._took()
        os.eventfd_write(self._token, 1)

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._token)

    def _took(self) -> bool:
        """Reading takes all that there is."""
        try:
            os.eventfd_read(self._token)
        except BlockingIOError:
            return False
        return True
