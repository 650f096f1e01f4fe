"""Which of the processes that serve one instance this one is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Worker:
    """One of `count` processes. `Worker(0, 1)` is the only one."""

    slot: int = 0
    count: int = 1
