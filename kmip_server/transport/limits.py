"""The bounds that keep one peer from hurting another.

Strategy: a connection has a place only while there is room. Where there is none, the oldest one that has not
finished its handshake makes room, of the address that has most of them; only where all have finished is the
newcomer refused. So connections that say nothing cannot lock out those that do. Whether one is late with its
handshake the others say, not the clock: those that came later have finished theirs. Where the server itself is
behind, because all clients come at once, nobody is ended for it. File descriptors are counted before the first
connection: the bound is lowered to what the process may open.
"""

from __future__ import annotations

import logging
import resource
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from kmip_server.errors import SettingsError

log = logging.getLogger(__name__)

HANDSHAKE_GRACE_SECONDS = 3.0
"""A handshake is one too many only where one that began so much later is done."""
BURST = 16
"""Connections that are accepted, or ended, in one turn: the others wait no longer than for these."""
RESERVED_DESCRIPTORS = 256
"""For a burst, and for the database, the HSM, administration and files."""
_LEAST_CONNECTIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times in seconds, sizes in bytes. Idle is long: arrays keep a connection for a request a minute."""

    handshake_timeout_seconds: float = 15
    message_timeout_seconds: float = 30
    """From a message's first byte to its last."""
    write_timeout_seconds: float = 30
    """For a peer that does not read its answer."""
    idle_timeout_seconds: float = 3600
    max_message_bytes: int = 1 << 20
    max_pipelined_messages: int = 64
    """Messages that wait on one connection before reading from it pauses."""
    max_pipelined_bytes: int = 4 << 20
    """Bytes of them."""
    max_waiting_bytes: int = 256 << 20
    """Bytes that wait on all connections before reading pauses on those that have more than their small share."""
    max_connections: int = 10_000
    max_connections_per_address: int = 2_000
    max_handshakes: int = 512
    max_handshakes_per_address: int = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """What the bounds need to know of a connection. Each is its own."""

    host: str
    since: float


def _nowhere() -> int:
    return 0


class Admission:
    """Who has a place. On the reactor's thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._places: set[Place] = set()
        self._by_address: Counter[str] = Counter()
        self._unproven: dict[str, dict[Place, None]] = {}
        """Those that have not finished their handshake, by address, the oldest first."""
        self._unproven_count = 0
        self._latest_proven = float("-inf")
        """When the latest of those came that have finished their handshake."""
        self._in_all, self._elsewhere = limits.max_connections, _nowhere

    def share(self, in_all: int, elsewhere: Callable[[], int]) -> None:
        """With other workers: `in_all` is the bound of all, `elsewhere` tells how many connections they have."""
        self._in_all, self._elsewhere = in_all, elsewhere

    def enter(self, place: Place) -> tuple[Place | None, str]:
        """Give it a place. Returns who loses one for that, perhaps itself, and by which bound."""
        self._places.add(place)
        self._by_address[place.host] += 1
        self._unproven.setdefault(place.host, {})[place] = None
        self._unproven_count += 1
        count = len(self._places)
        if count > self._limits.max_connections or count + self._elsewhere() > self._in_all:
            return self._give_up(self._largest_crowd()), "total"
        if self._by_address[place.host] > self._limits.max_connections_per_address:
            return self._give_up(self._unproven[place.host]), "address"
        return None, ""

    def prove(self, place: Place) -> None:
        """Its handshake is done."""
        self._latest_proven = max(self._latest_proven, place.since)
        self._remove_unproven(place)

    def _remove_unproven(self, place: Place) -> None:
        unproven = self._unproven.get(place.host, {})
        if place in unproven:
            del unproven[place]
            self._unproven_count -= 1
            if not unproven:
                del self._unproven[place.host]

    def leave(self, place: Place) -> None:
        """It is gone, or going."""
        if place not in self._places:
            return
        self._remove_unproven(place)
        self._places.remove(place)
        self._by_address[place.host] -= 1
        if not self._by_address[place.host]:
            del self._by_address[place.host]

    def surplus(self) -> list[Place]:
        """Those that lose their place because too many handshakes stand, past the grace; the oldest first."""
        past = self._latest_proven - HANDSHAKE_GRACE_SECONDS
        over = []
        for unproven in list(self._unproven.values()):
            excess = len(unproven) - self._limits.max_handshakes_per_address
            over += [place for place in list(unproven)[: max(0, excess)] if place.since < past]
        for place in over:
            self.leave(place)
        while self._unproven_count > self._limits.max_handshakes:
            oldest = next(iter(self._largest_crowd()))
            if oldest.since >= past:
                break
            self.leave(oldest)
            over.append(oldest)
        return over

    def _largest_crowd(self) -> dict[Place, None]:
        return max(self._unproven.values(), key=len)

    def _give_up(self, unproven: dict[Place, None]) -> Place:
        oldest = next(iter(unproven))
        self.leave(oldest)
        return oldest


def fit_descriptors(limits: Limits) -> Limits:
    """Let this process open as many files as it may, and fit the number of connections to that.

    Raises SettingsError where there is no room to serve at all.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = descriptors_for_connections()
    if room < _LEAST_CONNECTIONS:
        raise SettingsError(
            f"the process may open only {hard} files (ulimit -Hn, LimitNOFILE=): "
            f"at least {RESERVED_DESCRIPTORS + _LEAST_CONNECTIONS} are needed"
        )
    if room < limits.max_connections:
        log.warning(
            "limits.max_connections is lowered to %d: %s", room, too_few_descriptors(limits.max_connections)
        )
    return replace(limits, max_connections=min(room, limits.max_connections))


def descriptors_for_connections() -> int:
    """How many connections the hard limit of open files leaves room for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (1 << 30 if hard == resource.RLIM_INFINITY else hard) - RESERVED_DESCRIPTORS


def too_few_descriptors(connections: int) -> str:
    """What to do about it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        f"the process may open only {hard} files; let it open {connections + RESERVED_DESCRIPTORS} "
        "(ulimit -Hn, LimitNOFILE=)"
    )
