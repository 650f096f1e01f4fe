"""Which answers may leave before their record is durable, where `audit.reads` says deferred.

Strategy: a request whose every operation only tells what there is, and succeeded. What makes, changes or uses a
key, what was refused, and what is sent for the record's sake is durable first, whatever the setting. Records that
were put off are written with the next group that must be durable, and at the latest `SECONDS` after the first of
them: a crash loses the record of at most so many seconds of reads.
"""

from __future__ import annotations

import time
from typing import Final

from kmip_server.engine.ports import UnitOfWork
from kmip_server.protocol.enums import Operation

SECONDS: Final = 0.05
RETRY_SECONDS: Final = 1.0
"""How soon records that could not be written are tried again, where no request does it before."""
MOST: Final = 1000
"""Requests whose records wait at most."""

READS: Final = frozenset(
    each.title
    for each in (
        Operation.GET,
        Operation.GET_ATTRIBUTES,
        Operation.GET_ATTRIBUTE_LIST,
        Operation.LOCATE,
        Operation.CHECK,
        Operation.QUERY,
        Operation.DISCOVER_VERSIONS,
        Operation.PING,
    )
)


def may_wait(unit: UnitOfWork) -> bool:
    """Whether the record of this request may follow its answer."""
    return not unit.writes and all(each.outcome == "allowed" and each.operation in READS for each in unit.audit)


class Deferral:
    """How long records have waited. The executor's thread alone."""

    def __init__(self, is_on: bool) -> None:
        self._is_on = is_on
        self._since: float | None = None
        self._waiting = 0
        self._failed_at: float | None = None

    def takes(self, units: list[UnitOfWork]) -> bool:
        """Whether all of these may be answered before their record is durable."""
        return self._is_on and self._failed_at is None and all(map(may_wait, units))

    def put_off(self, count: int) -> None:
        """The records of so many requests wait from now on."""
        self._waiting += count
        if self._since is None:
            self._since = time.monotonic()

    def written(self) -> None:
        """Nothing waits any more."""
        self._since, self._waiting, self._failed_at = None, 0, None

    def failed(self) -> None:
        """They could not be written. Until they are, nothing else is put off."""
        self._failed_at = time.monotonic()

    def seconds_left(self) -> float | None:
        """Until what waits must be written; None where nothing does."""
        if self._since is None:
            return None
        if self._failed_at is not None:
            return max(0.0, self._failed_at + RETRY_SECONDS - time.monotonic())
        return 0.0 if self._waiting >= MOST else max(0.0, self._since + SECONDS - time.monotonic())
