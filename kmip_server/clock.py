"""Time and random identifiers, passed in so that tests can fix them.

Strategy: nobody else calls `time.time()`. The clock never moves back: a key whose Deactivation Date
has come is not active again because the machine's clock was turned back. So it must not run ahead either: where the
machine's clock jumps further than it may, beyond what the steady clock says has gone by, it is not followed, and
whoever answers requests says so.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger(__name__)

# Version and variant, the fixed bits of a random UUID (RFC 9562 section 5.4).
_UUID_FIXED = 0xF000_C000_0000_0000_0000
_UUID_4 = 0x4000_8000_0000_0000_0000


class Clock(Protocol):
    def now(self) -> int:
        """UTC, whole seconds since 1970; never less than what it returned before."""

    def now_microseconds(self) -> int:
        """UTC, microseconds since 1970; never less than what it returned before."""

    def identifier(self) -> str:
        """A new random identifier: 36 characters of UUID version 4."""

    @property
    def has_jumped(self) -> bool:
        """Whether the time is not to be trusted: the machine's clock has jumped ahead."""


def _steady() -> int:
    """Nanoseconds of a clock that nobody sets; it runs on while the machine is suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


_SLEW = 1_000_000_000
"""Nanoseconds by which one clock may fall behind the other without having been set."""


class SystemClock:
    """The machine's clock, held where it stood when it is turned back, and not followed where it jumps ahead."""

    def __init__(
        self,
        floor_seconds: int = 0,
        most_ahead_seconds: float = 0,
        *,
        base: tuple[int, int] | None = None,
        wall: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = _steady,
    ) -> None:
        """`floor_seconds`: the latest time on record, so that a restart does not turn time back either.
        `most_ahead_seconds`: how far it may jump; 0 for as far as it likes. `base`: how this clock and the steady
        one stood to each other in the process whose place this one takes. The two clocks are in nanoseconds.
        """
        self._latest = floor_seconds * 1_000_000
        self._most_ahead = int(most_ahead_seconds * 1_000_000_000)
        self._wall, self._steady = wall, steady
        self._lock = threading.Lock()
        self.has_jumped = False
        self.accept()
        if base is not None:
            self._read, self._steadied = base

    @property
    def base(self) -> tuple[int, int]:
        """The machine's clock and the steady one, when the former was believed last."""
        return self._read, self._steadied

    def accept(self) -> None:
        """Follow the machine's clock from where it stands now."""
        with self._lock:
            self._read, self._steadied = self._wall(), self._steady()
            self.has_jumped = False

    def now_microseconds(self) -> int:
        with self._lock:
            read, steady = self._wall(), self._steady()
            if self._most_ahead and read - self._read > steady - self._steadied + self._most_ahead:
                if not self.has_jumped:
                    self.has_jumped = True
                    log.critical(
                        "the machine's clock has jumped %d s ahead: requests are refused until it is set right; "
                        "where it is right now, send SIGHUP to the server or start it again",
                        self._ahead(read, steady),
                    )
                read = self._read + steady - self._steadied
            else:
                # One that was turned back and is set right has not jumped.
                if read - self._read >= steady - self._steadied - _SLEW:
                    self._read, self._steadied = read, steady
                if self.has_jumped:
                    self.has_jumped = False
                    log.warning("the machine's clock is right again: requests are served")
            if read // 1000 > self._latest:
                self._latest = read // 1000
            return self._latest

    def seconds_ahead(self) -> int:
        """How far the machine's clock has jumped ahead; 0 when it is well."""
        with self._lock:
            return self._ahead(self._wall(), self._steady()) if self.has_jumped else 0

    def _ahead(self, read: int, steady: int) -> int:
        return max(0, (read - self._read - (steady - self._steadied)) // 1_000_000_000)

    def now(self) -> int:
        return self.now_microseconds() // 1_000_000

    def seconds_behind(self) -> int:
        """How far the machine's clock stands behind the latest time seen; 0 when it is well."""
        return max(0, (self._latest - self._wall() // 1000) // 1_000_000)

    def identifier(self) -> str:
        # As uuid.uuid4 does, in a fifth of the time: every request has one.
        text = (int.from_bytes(os.urandom(16)) & ~_UUID_FIXED | _UUID_4).to_bytes(16).hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class SettableClock:
    """A clock for tests: stands until it is moved; identifiers count up."""

    def __init__(self, now: int = 1_700_000_000) -> None:
        self._now = now * 1_000_000
        self._count = 0
        self.has_jumped = False

    def now_microseconds(self) -> int:
        return self._now

    def now(self) -> int:
        return self._now // 1_000_000

    def advance(self, seconds: float) -> None:
        self._now += int(seconds * 1_000_000)

    def identifier(self) -> str:
        self._count += 1
        return f"00000000-0000-4000-8000-{self._count:012d}"
