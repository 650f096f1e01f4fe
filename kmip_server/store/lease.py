"""A lease: what one process at a time may do, among all that share a database.

Strategy: a row names the holder and counts its turns: every taking and renewal is another turn. Nobody compares
clocks. The holder counts the term from before its turn was written; whoever wants the lease counts it, on its own
clock, from when it has seen that turn, which is later. Where a turn stands for a whole term and a margin, its
holder is gone. So there are never two, as long as clocks run alike within the margin. Which of two that want it
comes first, the database says.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import bindparam, insert, select, update

from kmip_server.store import tables
from kmip_server.store.database import Statement, translated

MARGIN = 1.1
"""By how much two clocks may run apart within a term."""

_l = tables.leases.c
_LOOK = Statement(select(_l.holder, _l.turn).where(_l.name == bindparam("lease")))
_ADD = Statement(insert(tables.leases))
_TURN = Statement(
    update(tables.leases)
    .where(_l.name == bindparam("lease"))
    .values(holder=bindparam("new_holder"), turn=_l.turn + 1)
)
_RELEASE = Statement(
    update(tables.leases)
    .where(_l.name == bindparam("lease"), _l.holder == bindparam("old_holder"))
    .values(holder="", turn=_l.turn + 1)
)


class Lease:
    """One lease, as one process sees it. One thread's."""

    def __init__(
        self, name: str, holder: str, term_seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`holder` is this process and no other, of all that there will ever be."""
        self.name = name
        self._holder = holder
        self._term = term_seconds
        self._monotonic = monotonic
        self._until = float("-inf")
        self._seen: tuple[str, int] | None = None
        self._seen_at = 0.0

    @property
    def seconds_left(self) -> float:
        """For how long it is still held; 0 where it is not."""
        return max(0.0, self._until - self._monotonic())

    def take(self, connection: sqlite3.Connection) -> bool:
        """Take it, or take another turn. False: another has it. Raises StoreUnavailable."""
        if not self._is_free(self._look(connection)):
            return False
        began = self._monotonic()
        with _writing(connection):
            found = self._look(connection)
            if not self._is_free(found):
                return False
            if found is None:
                _ADD.run(connection, name=self.name, holder=self._holder, turn=1)
            else:
                _TURN.run(connection, lease=self.name, new_holder=self._holder)
        self._until = began + self._term
        return True

    def release(self, connection: sqlite3.Connection) -> None:
        """Let the next have it at once. Raises StoreUnavailable."""
        if self._until > float("-inf"):
            self._until = float("-inf")
            with _writing(connection):
                _RELEASE.run(connection, lease=self.name, old_holder=self._holder)

    def _look(self, connection: sqlite3.Connection) -> tuple[str, int] | None:
        with translated():
            row = _LOOK.run(connection, lease=self.name).fetchone()
        found = None if row is None else (str(row[0]), int(row[1]))
        if found != self._seen:
            # Read after the row was: not before its holder began to count.
            self._seen, self._seen_at = found, self._monotonic()
        return found

    def _is_free(self, found: tuple[str, int] | None) -> bool:
        return (
            found is None
            or found[0] in ("", self._holder)
            or self._monotonic() - self._seen_at > self._term * MARGIN
        )


@contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[None]:
    with translated():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
