"""Killing the server at random instants, again and again, on one instance.

Strategy: each round starts the server, lets clients loose on it, kills it without warning once a random number of
requests is acknowledged and a random moment more has passed, starts it again and checks everything (`checks.py`). What
earlier rounds left is looked at again every few rounds and at the end. A round's seed makes its load again; the
moment of its death is the machine's.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.durability.checks import Promise, Resolved, check, look, through
from tests.durability.load import Client, Load
from tests.support.server import RunningServer
from tests.support.wire import Connection

ALL_AGAIN = 25
"""Every so many rounds the objects of all rounds are looked at."""


@dataclass
class Figures:
    """What the rounds amounted to."""

    rounds: int = 0
    acknowledged: int = 0
    under_way: int = 0
    done: int = 0
    objects: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.rounds} kills; {self.acknowledged} requests acknowledged, none lost; {self.under_way} under way, of "
            f"which {self.done} were wholly done and {self.under_way - self.done} not at all; {self.objects} objects "
            f"as they were; {self.seconds:.0f} s"
        )


@dataclass
class Rounds:
    """One instance, through many deaths."""

    folder: Path
    seed: int
    kind: type[RunningServer] = RunningServer
    tell: Callable[[str], None] = lambda _: None
    figures: Figures = field(default_factory=Figures)
    kept: list[Resolved] = field(default_factory=list)

    def run(self, count: int) -> Figures:
        start = time.monotonic()
        server = self.kind(self.folder).start()
        try:
            for number in range(count):
                try:
                    self._round(server, f"{self.seed}/{number}")
                except BaseException as error:
                    error.add_note(f"seed {self.seed}, round {number}; the log is {server.log}")
                    raise
                self.figures.rounds += 1
                self.figures.seconds = time.monotonic() - start
                if self.figures.rounds % ALL_AGAIN == 0 or self.figures.rounds == count:
                    self._look_again(server)
                    self.tell(f"so far {self.figures}")
        finally:
            server.stop()
        return self.figures

    def _round(self, server: RunningServer, seed: str) -> None:
        """Load, death, a new process, all checks."""
        load = Load(server, seed)
        load.wait_for(load.rng.randint(1, 200))
        time.sleep(load.rng.uniform(0, 0.02))  # the instant is to be anywhere within a group, not at its end
        server.stop(signal.SIGKILL)
        load.join()
        server.start()
        promises = [promise_of(client) for client in load.clients]
        with Connection(server) as connection:
            resolved = check(through(connection), self.folder / "kmip.db", promises, load.limited, load.total)
        self.kept += resolved
        self.figures.acknowledged += load.acknowledged
        self.figures.under_way += sum(promise.in_flight is not None for promise in promises)
        self.figures.done += sum(each.was_done for each in resolved)
        self.figures.objects += sum(len(each.world) for each in resolved)

    def _look_again(self, server: RunningServer) -> None:
        """The objects of every round so far; and the record, by the administrator's command."""
        with Connection(server) as connection:
            for each in self.kept:
                found = look(through(connection), each.identifiers)
                assert {name: seen.seen for name, seen in found.items()} == each.world
                values = {name: seen.value for name, seen in found.items() if seen.value is not None}
                assert values == {name: each.values[name] for name, seen in each.world.items() if seen.has_value}
        assert server.admin("audit", "verify").returncode == 0


def promise_of(client: Client) -> Promise:
    """What a client that has ended was promised."""
    return Promise(
        source=client.source,
        world=client.world,
        identifiers=client.identifiers,
        values=client.values,
        history=tuple(client.history),
        in_flight=client.in_flight,
    )
