"""Opening the database, and statements for the request path.

Strategy: SQLAlchemy defines the tables and compiles each statement once; the compiled text runs through the
driver itself, which is several times faster. A connection belongs to one thread. Transactions are begun in so
many words, because a read that later wants to write would fail. What the driver raises becomes StoreUnavailable.
"""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement

from kmip_server.errors import SettingsError, StoreUnavailable

_DIALECT = sqlite.dialect(paramstyle="qmark")
LOG_BYTES = 32 << 20
"""The write-ahead log's file keeps so much of its length when the log begins anew: to write over what is there
takes two thirds of the time that making a file longer takes (docs/performance.md)."""
LONGEST_LOG_PAGES = 16_000
"""A longer log is brought into the database file within a COMMIT: where nobody has done it before (`log.py`)."""
# Each connection has a cache of its own, of 8 MB. What does not fit is read from the operating system's.
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -8000",
    "PRAGMA temp_store = MEMORY",
    f"PRAGMA wal_autocheckpoint = {LONGEST_LOG_PAGES}",
    f"PRAGMA journal_size_limit = {LOG_BYTES}",
)
BUSY_SECONDS = 5.0


class Statement:
    """A compiled statement: its text, and its parameters in order."""

    __slots__ = ("defaults", "order", "text")

    def __init__(self, clause: ClauseElement) -> None:
        compiled = clause.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self.text = str(compiled)
        self.order: tuple[str, ...] = tuple(compiled.positiontup or ())  # type: ignore[attr-defined]
        self.defaults: Mapping[str, Any] = compiled.params

    def bind(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The parameters in the order of the text; those not given keep what the clause says."""
        defaults = self.defaults
        return tuple(values[name] if name in values else defaults[name] for name in self.order)

    def run(self, connection: sqlite3.Connection, **values: Any) -> sqlite3.Cursor:
        return connection.execute(self.text, self.bind(values))


def path_of(url: str, base: Path) -> Path:
    """The file that a sqlite URL names; relative to `base`. Raises SettingsError for another database."""
    prefix = "sqlite:///"
    if not url.startswith(prefix):
        raise SettingsError(f"store.url must begin with {prefix}; other databases are not available yet")
    return base / url[len(prefix) :]


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """A connection with every setting the promises rest on. Raises SettingsError, StoreUnavailable."""
    if not create and not path.exists():
        raise SettingsError(
            f"the database {path} (store.url) does not exist; restore a backup, "
            "or make an instance with kmip-server init"
        )
    if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"the database {path} can be read by others; run: chmod 600 {path}")
    if create:
        path.touch(mode=0o600)
    connection = None
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise SettingsError(
                f"the database {path} (store.url) is damaged ({error}); restore a backup"
            ) from error
        raise StoreUnavailable(f"the database {path} (store.url) cannot be opened: {error}") from error
    return connection


class Kept:
    """A connection for what is done again and again: opened when it is used first, and anew after a fault.

    One thread's. As a context: the connection.
    """

    def __init__(self, open_connection: Callable[[], sqlite3.Connection]) -> None:
        self._open = open_connection
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.close()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver raises into StoreUnavailable, which says what kind of trouble it is."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the database refused: {error}") from error
