"""SQLite's write-ahead log, and what keeps it short.

Strategy: what is written goes to the log, and a checkpoint brings it into the database file. SQLite would make one
within a COMMIT, and somebody's request would wait for it; so that is put off until the log is very long, and a
thread that nobody waits for makes one for every second in which something was written. A passive one: it waits for
nobody either. After it the log begins anew in the same file, whose length says nothing then: that something was
written is told by the time of its last change.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from kmip_server.store.database import translated

CHECKPOINT_SECONDS = 1.0
"""Between two checkpoints at least."""


class WriteAheadLog:
    """The log of one database. One thread's."""

    def __init__(self, database: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path = database.with_name(database.name + "-wal")
        self._monotonic = monotonic
        self._ended = float("-inf")
        """When the last checkpoint ended."""
        self._done = 0
        """The change of the log up to which all is in the database file; 0 where that is not known."""
        self._left, self._left_until = -1, 0.0

    def is_due(self) -> bool:
        """Whether a checkpoint is worth while."""
        now, changed = self._monotonic(), self._changed()
        if now - self._ended < CHECKPOINT_SECONDS or changed == self._done:
            return False
        return changed != self._left or now >= self._left_until

    @property
    def was_left(self) -> bool:
        """Whether nothing has changed since it was left to others: either it is done, or they are gone."""
        return self._changed() == self._left

    def leave_to_others(self, seconds: float) -> None:
        """What is written so far is another process's to bring in, for so long."""
        self._left, self._left_until = self._changed(), self._monotonic() + seconds

    def checkpoint(self, connection: sqlite3.Connection) -> bool:
        """Bring into the database file what no reader needs there. True: that was all. Raises StoreUnavailable."""
        # What comes meanwhile changes it again, and then it is looked at again.
        changed = self._changed()
        with translated():
            _, pages, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        is_whole = bool(pages == moved)
        self._done = changed if is_whole else 0
        self._ended = self._monotonic()
        return is_whole

    def _changed(self) -> int:
        """When something was written last, in the file system's nanoseconds; 0 for never."""
        # By its name: a descriptor of SQLite's files must not be closed by anybody else (locks of the process).
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return 0
        return found.st_mtime_ns if found.st_size else 0
