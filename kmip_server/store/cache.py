"""A dictionary that forgets: bounded in entries and in bytes, the oldest goes first.

Strategy: how large an entry is, its maker says, roughly. One that would take a good part of the whole is not kept.
"""

from __future__ import annotations

from typing import Generic, TypeVar

V = TypeVar("V")
_LARGEST_PART = 8


class Cache(Generic[V]):
    """By text. One thread's."""

    def __init__(self, count: int, size: int) -> None:
        """At most `count` entries, of `size` bytes together."""
        self._count, self._bytes = count, size
        self._entries: dict[str, tuple[V, int]] = {}
        self.size = 0
        """Bytes kept."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> V | None:
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def put(self, key: str, value: V, size: int) -> None:
        """Keep `value` of about `size` bytes in the place of what has this key."""
        self._forget(key)
        if size > self._bytes // _LARGEST_PART:
            return
        while len(self._entries) >= self._count or self.size + size > self._bytes:
            self._forget(next(iter(self._entries)))
        self._entries[key] = (value, size)
        self.size += size

    def clear(self) -> None:
        self._entries.clear()
        self.size = 0

    def _forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry[1]
