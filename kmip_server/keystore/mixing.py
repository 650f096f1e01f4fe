"""Random bytes from two sources, so that one bad source is not enough.

Strategy: a state into which random of the holder (the HSM) is hashed, drawn from a stock that is filled
beforehand, so that nobody waits for the HSM; its output, exclusive-or what the operating system gives, is what
leaves. It is no worse than the better of the two. Where the stock is used up for a moment the state, which holds
the HSM's random of before, goes on alone.
"""

from __future__ import annotations

import hashlib
import os
import threading

from kmip_server.errors import KeyStoreUnavailable

STOCK_BYTES = 4096
"""The holder's random in one filling: 64 bytes for the state, the rest for 126 requests."""
_STATE_BYTES = 64
_FRESH_BYTES = 32


class MixedRandom:
    """Thread safe; a request of 32 bytes costs some microseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = bytes(_STATE_BYTES)
        self._stock = bytearray()

    def fill(self, fresh: bytes) -> None:
        """`STOCK_BYTES` of the holder's random. Raises KeyStoreUnavailable where they cannot be random."""
        _require_random(fresh)
        self.seed(fresh[:_STATE_BYTES])
        with self._lock:
            self._stock[:] = fresh[_STATE_BYTES:]

    def seed(self, data: bytes) -> None:
        """Stir `data` in; never less random than before, whoever chose it."""
        with self._lock:
            self._state = hashlib.sha512(b"seed" + self._state + data).digest()

    @property
    def is_low(self) -> bool:
        return len(self._stock) < STOCK_BYTES // 2

    def take(self, length: int) -> bytes:
        """`length` bytes. What is remembered afterwards does not tell what was given out before."""
        with self._lock:
            fresh = self._state + self._stock[-_FRESH_BYTES:]
            del self._stock[-_FRESH_BYTES:]
            self._state = hashlib.sha512(b"next" + fresh).digest()
        stream = hashlib.shake_256(b"output" + fresh).digest(length)
        mixed = int.from_bytes(os.urandom(length), "big") ^ int.from_bytes(stream, "big")
        return mixed.to_bytes(length, "big")


def _require_random(data: bytes) -> None:
    """A health test: a source that repeats itself is broken (after NIST SP 800-90B section 4.4)."""
    blocks = [data[at : at + 16] for at in range(0, len(data), 16)]
    if len(data) < STOCK_BYTES or len(set(blocks)) != len(blocks):
        raise KeyStoreUnavailable("the random generator of the HSM repeats itself or gives too little")
