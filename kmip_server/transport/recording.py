"""What one client says and is told, kept for a while because an administrator asked for it.

Strategy: whole messages, in the memory of the process that served them, bounded in number, in bytes and in time.
They leave only redacted (`conversation/redact.py`), and are gone once they were fetched or their time is up.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from kmip_server.principal import Peer

MAX_MESSAGES = 1000
MAX_BYTES = 2 << 20
MAX_SECONDS = 600.0
KEPT_SECONDS = 60.0
"""How long after its time a recording may be fetched."""
_numbers = itertools.count(1)


@dataclass(slots=True)
class Exchanged:
    """One message and its answer, hexadecimal; its connection, and when it came: monotonic, and seconds UTC."""

    connection: int
    at: float
    now: int
    request: str = field(repr=False)
    answer: str | None = field(default=None, repr=False)


class Recording:
    """On the reactor's thread."""

    def __init__(
        self,
        client: str,
        is_meant: Callable[[Peer], bool],
        most: int,
        seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        """`is_meant`: whether a peer is the client that is recorded."""
        self.client = client
        self._is_meant = is_meant
        self._most = min(most, MAX_MESSAGES)
        self._monotonic = monotonic
        self.until = monotonic() + min(seconds, MAX_SECONDS)
        self._kept: list[Exchanged] = []
        self._bytes = 0

    @property
    def count(self) -> int:
        return len(self._kept)

    @property
    def is_over(self) -> bool:
        return self._monotonic() > self.until or self.count >= self._most

    @property
    def is_stale(self) -> bool:
        """Nobody has fetched it."""
        return self._monotonic() > self.until + KEPT_SECONDS

    def asked(self, connection: int, peer: Peer, message: bytes, now: int) -> Exchanged | None:
        """Keep a message, where it is one to keep; its answer comes later."""
        if self.is_over or self._bytes + len(message) > MAX_BYTES or not self._is_meant(peer):
            return None
        self._bytes += len(message)
        kept = Exchanged(connection, self._monotonic(), now, message.hex())
        self._kept.append(kept)
        return kept

    def answered(self, kept: Exchanged, answer: bytes | None) -> None:
        if answer is not None and self._bytes + len(answer) <= MAX_BYTES:
            self._bytes += len(answer)
            kept.answer = answer.hex()

    def rows(self) -> list[dict[str, Any]]:
        """Everything, as JSON can say it."""
        return [asdict(each) for each in self._kept]


def connection_number() -> int:
    """Different for each connection of the server's processes."""
    return os.getpid() << 32 | next(_numbers)
