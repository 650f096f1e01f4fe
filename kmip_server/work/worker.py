"""Which of the processes that serve together this one is."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from kmip_server.store.turn import WriteTurn

RETIRE = signal.SIGUSR1
"""Tells a worker that another serves in its place."""


@dataclass(frozen=True, slots=True)
class Worker:
    """The only one, where nothing else is said."""

    slot: int = 0
    """From 0 to count - 1. One that replaces another has the other's slot, and both may live for a while."""
    count: int = 1
    number: int = 0
    """Its line on the board: no two that live have the same."""
    writing: WriteTurn | None = None
    """Whose turn it is to write, where there are others."""
    clock_base: tuple[int, int] | None = None
    """What the processes before it believed of the clock: see `SystemClock`."""

    def part(self, bound: int, *, least: int = 1, spare: int = 0) -> int:
        """This worker's part of a bound of the whole server: rounded up, with `spare` more, no less than `least`,
        and never more than the bound."""
        return min(bound, max(-(-bound // self.count) + spare, least))
