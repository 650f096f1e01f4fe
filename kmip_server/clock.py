"""Time and random identifiers, passed in so that tests can fix them.

Strategy: nobody else calls `time.time()`. The clock never moves back: a key whose Deactivation Date
has come is not active again because the machine's clock was turned back.
"""

from __future__ import annotations

import threading
import time
import uuid
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """UTC, whole seconds since 1970; never less than what it returned before."""

    def now_microseconds(self) -> int:
        """UTC, microseconds since 1970; never less than what it returned before."""

    def identifier(self) -> str:
        """A new random identifier: 36 characters of UUID version 4."""


class SystemClock:
    """The machine's clock, held where it stood when it is turned back."""

    def __init__(self, floor_seconds: int = 0) -> None:
        """`floor_seconds`: the latest time on record, so that a restart does not turn time back either."""
        self._latest = floor_seconds * 1_000_000
        self._lock = threading.Lock()

    def now_microseconds(self) -> int:
        read = time.time_ns() // 1000
        with self._lock:
            if read > self._latest:
                self._latest = read
            return self._latest

    def now(self) -> int:
        return self.now_microseconds() // 1_000_000

    def seconds_behind(self) -> int:
        """How far the machine's clock stands behind the latest time seen; 0 when it is well."""
        return max(0, (self._latest - time.time_ns() // 1000) // 1_000_000)

    def identifier(self) -> str:
        return str(uuid.uuid4())


class SettableClock:
    """A clock for tests: stands until it is moved; identifiers count up."""

    def __init__(self, now: int = 1_700_000_000) -> None:
        self._now = now * 1_000_000
        self._count = 0

    def now_microseconds(self) -> int:
        return self._now

    def now(self) -> int:
        return self._now // 1_000_000

    def advance(self, seconds: float) -> None:
        self._now += int(seconds * 1_000_000)

    def identifier(self) -> str:
        self._count += 1
        return f"00000000-0000-4000-8000-{self._count:012d}"
