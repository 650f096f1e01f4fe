"""Which of the processes that serve one instance this one is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Worker:
    """One of `count` processes. `Worker(0, 1)` is the only one."""

    slot: int = 0
    count: int = 1

    def part(self, bound: int, least: int = 1) -> int:
        """This worker's part of a bound of the whole server, rounded up; `least`, where the bound allows that."""
        return min(bound, max(-(-bound // self.count), least))
