"""SQLite's write-ahead log: how long it is, and what keeps it short.

Strategy: what is written goes to the log, and a checkpoint brings it into the database file. SQLite would make one
within a COMMIT, and somebody's request would wait for it; so that is put off until the log is very long, and a
thread that nobody waits for makes it before. A passive one: it waits for nobody either. The log's length is its
file's: every connection lets SQLite cut the file to the bound when the log begins anew.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from kmip_server.store.database import LOG_BYTES, translated


class WriteAheadLog:
    """The log of one database. One thread's."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + "-wal")
        self._done = -1
        """Its length when all of it was in the database file."""

    def is_long(self) -> bool:
        """Whether a checkpoint is worth while."""
        length = self._length()
        return length > LOG_BYTES and length != self._done

    def checkpoint(self, connection: sqlite3.Connection) -> bool:
        """Bring into the database file what no reader needs there. True: that was all. Raises StoreUnavailable."""
        length = self._length()
        with translated():
            _, pages, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        is_whole = bool(pages == moved)
        # What came meanwhile makes it longer than this, and then it is looked at again.
        self._done = length if is_whole else -1
        return is_whole

    def _length(self) -> int:
        # By its name: a descriptor of SQLite's files must not be closed by anybody else (locks of the process).
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0
