"""Duties: what one process does for all that share the database, and no request waits for.

Strategy: every process looks whether there is something to do; who gets the lease of a duty does it, and keeps the
lease while there is more. Who dies loses it with time. No duty is needed for an answer to be right, and each may be
broken off anywhere.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kmip_server.store.database import Kept
from kmip_server.store.lease import Lease
from kmip_server.store.log import WriteAheadLog

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
TERM_SECONDS = 10.0
"""How long a duty waits for a holder that is gone."""


class Duties:
    """One process's share in the duties. `look` on one thread, again and again."""

    def __init__(
        self,
        connection: Kept,
        database: Path,
        node: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._log = WriteAheadLog(database, monotonic)
        holder = f"{node[:64]} {os.getpid()} {uuid.uuid4()}"
        self._checkpoints = Lease("checkpoint", holder, TERM_SECONDS, monotonic)

    def look(self) -> None:
        """Do what is to be done and is this process's to do. Raises StoreUnavailable."""
        if not self._log.is_due():
            return
        with self._connection as connection:
            self._checkpoint(connection)

    def close(self) -> None:
        """Leave the duties to others at once. Raises StoreUnavailable."""
        try:
            if self._checkpoints.seconds_left:
                with self._connection as connection:
                    self._checkpoints.release(connection)
        finally:
            self._connection.close()

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        # To take the lease is a write too, which calls for a checkpoint: where nothing has changed for a term, one
        # is made without. Else the processes of an idle server would take it from each other for ever.
        is_mine = self._log.was_left or self._checkpoints.seconds_left >= TERM_SECONDS / 2
        if not is_mine and not self._checkpoints.take(connection):
            self._log.leave_to_others(TERM_SECONDS)
            return
        began = time.monotonic()
        is_whole = self._log.checkpoint(connection)
        log.debug("checkpoint of the log: %s, %.3f s", "all" if is_whole else "in part", time.monotonic() - began)
