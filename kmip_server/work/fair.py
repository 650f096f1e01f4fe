"""Taking turns: what many peers wait for, one of each in turn.

Strategy: a line for each peer, and the peers in a ring. However much one peer puts in, another's next item is
taken within one round. A peer that has nothing waiting always finds a place, so that nobody can shut others out by
filling the queue; the bounds are for what a peer has waiting besides.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Not thread safe: the caller has a lock."""

    def __init__(self, bound: int, bound_of_one: int) -> None:
        """At most `bound` items in all, `bound_of_one` of one peer."""
        self._bound = bound
        self._bound_of_one = bound_of_one
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, peer: str, item: T) -> bool:
        """Queue an item. False where there is no room for it."""
        line = self._lines.get(peer)
        if line is None:
            line = self._lines[peer] = deque()
        elif len(line) >= self._bound_of_one or self._count >= self._bound:
            return False
        line.append(item)
        self._count += 1
        return True

    def put_first(self, peer: str, item: T) -> None:
        """Queue an item that had its turn already before everything else, whatever the bounds."""
        self._lines.setdefault(peer, deque()).appendleft(item)
        self._lines.move_to_end(peer, last=False)
        self._count += 1

    def take(self, busy: Collection[str] = ()) -> T | None:
        """The next item of the next peer that is not `busy`; None where there is none."""
        peer = next((each for each in self._lines if each not in busy) if busy else iter(self._lines), None)
        if peer is None:
            return None
        line = self._lines[peer]
        item = line.popleft()
        if line:
            self._lines.move_to_end(peer)
        else:
            del self._lines[peer]
        self._count -= 1
        return item
