"""What the processes of one server can see of each other: a line for each, in memory that all of them share.

Strategy: the supervisor makes the memory before it forks, and gives and takes the lines; a worker writes what is
its own, and everybody reads. Every field is one aligned machine word, so nothing is ever half written and no lock
is needed. Times are monotonic, which is one clock for all processes of a machine.
"""

from __future__ import annotations

import enum
import mmap
import time
from collections.abc import Iterator
from typing import Any

SILENT_SECONDS = 0.5
"""A worker of which nothing was heard for so long is not counted with the living."""
BEAT_SECONDS = 0.1
"""How often a worker is heard of."""


class State(enum.IntEnum):
    FREE = 0
    STARTING = 1
    SERVING = 2
    ENDING = 3


class _Field(enum.IntEnum):
    STATE = 0
    SLOT = 1
    PID = 2
    STARTED = 3
    REPLACED = 4
    BEAT = 5
    GROUP = 6
    CONNECTIONS = 7


_WORDS = len(_Field)


class Line:
    """What is known of one process."""

    __slots__ = ("_at", "_words")

    def __init__(self, words: memoryview, number: int) -> None:
        self._words = words
        self._at = number * _WORDS

    def _get(self, field: _Field) -> int:
        return int(self._words[self._at + field])

    def _set(self, field: _Field, value: int) -> None:
        self._words[self._at + field] = value

    @property
    def number(self) -> int:
        """Which of the lines it is."""
        return self._at // _WORDS

    # --- the supervisor's ---------------------------------------------------------------------

    @property
    def state(self) -> State:
        return State(self._get(_Field.STATE))

    @state.setter
    def state(self, state: State) -> None:
        self._set(_Field.STATE, state)

    @property
    def slot(self) -> int:
        return self._get(_Field.SLOT)

    @property
    def pid(self) -> int:
        return self._get(_Field.PID)

    @pid.setter
    def pid(self, pid: int) -> None:
        self._set(_Field.PID, pid)

    @property
    def started(self) -> int:
        """Seconds since 1970."""
        return self._get(_Field.STARTED)

    @property
    def replaced(self) -> int:
        """How often its slot had to be given to another process because one died or hung."""
        return self._get(_Field.REPLACED)

    @replaced.setter
    def replaced(self, times: int) -> None:
        self._set(_Field.REPLACED, times)

    # --- the worker's -------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        return self._get(_Field.CONNECTIONS)

    @connections.setter
    def connections(self, count: int) -> None:
        self._set(_Field.CONNECTIONS, count)

    def beat(self, group_began: float = 0.0) -> None:
        """Be heard of. `group_began`: since when (monotonic) its executor is busy with one group; 0: it is not."""
        self._set(_Field.GROUP, int(group_began * 1e9))
        self._set(_Field.BEAT, time.monotonic_ns())

    def silent_seconds(self) -> float:
        """For how long nothing was heard of it."""
        return (time.monotonic_ns() - self._get(_Field.BEAT)) / 1e9

    @property
    def is_silent(self) -> bool:
        """Whether it should have been heard of. While it starts or ends, nobody listens."""
        return self.state is State.SERVING and self.silent_seconds() > SILENT_SECONDS

    def group_seconds(self) -> float:
        """For how long its executor is busy with one group."""
        began = self._get(_Field.GROUP)
        return (time.monotonic_ns() - began) / 1e9 if began else 0.0


class Board:
    """All lines."""

    def __init__(self, lines: int) -> None:
        self._words = memoryview(mmap.mmap(-1, (lines * _WORDS + 2) * 8)).cast("q")
        self._lines = [Line(self._words, number) for number in range(lines)]

    @property
    def clock_base(self) -> tuple[int, int] | None:
        """What the processes believe of the clock (`SystemClock.base`); None: who comes next may judge."""
        wall, steady = self._words[-2], self._words[-1]
        return (wall, steady) if wall else None

    @clock_base.setter
    def clock_base(self, base: tuple[int, int] | None) -> None:
        self._words[-2], self._words[-1] = base or (0, 0)

    def take(self, slot: int, replaced: int = 0) -> Line:
        """A free line, for a process that is about to start."""
        for number, line in enumerate(self._lines):
            if line.state is State.FREE:
                at = number * _WORDS
                for field, value in (
                    (_Field.SLOT, slot),
                    (_Field.PID, 0),
                    (_Field.STARTED, int(time.time())),
                    (_Field.REPLACED, replaced),
                    (_Field.GROUP, 0),
                    (_Field.CONNECTIONS, 0),
                ):
                    self._words[at + field] = value
                line.beat()
                line.state = State.STARTING
                return line
        raise LookupError("the board is full")

    def taken(self) -> Iterator[Line]:
        """Those of processes that are there."""
        return (line for line in self._lines if line.state is not State.FREE)

    def told(self) -> list[dict[str, Any]]:
        """For people: every process that is there, by its slot; in each slot the eldest first."""
        rows = [
            {
                "slot": line.slot,
                "pid": line.pid,
                "state": "silent" if line.is_silent else line.state.name.lower(),
                "since": line.started,
                "connections": line.connections,
                "replaced": line.replaced,
            }
            for line in self.taken()
        ]
        return sorted(rows, key=lambda row: (row["slot"], row["since"], row["pid"]))

    def fewest_elsewhere(self, own: Line) -> int | None:
        """Connections of the one that has fewest, of all others that serve and are heard of; None without one."""
        counts = [
            line.connections
            for line in self._lines
            if line is not own and line.state is State.SERVING and not line.is_silent
        ]
        return min(counts, default=None)

    def connections_elsewhere(self, own: Line) -> int:
        """Those that all others have."""
        return sum(line.connections for line in self.taken() if line is not own)
