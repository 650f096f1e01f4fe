"""Time and random identifiers, passed in so that tests can fix them.

Strategy: nobody else calls `time.time()`. The clock never moves back: a key whose Deactivation Date
has come is not active again because the machine's clock was turned back.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Protocol

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
        # As uuid.uuid4 does, in a fifth of the time: every request has one.
        text = (int.from_bytes(os.urandom(16)) & ~_UUID_FIXED | _UUID_4).to_bytes(16).hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


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
