"""Power cuts: the server under load with everything recorded, and the disk as it would be at any moment of it.

Strategy: the record says when each answer left. A power cut at any place in the record must leave a disk on which
everything is so that was answered before that place; whether by losing all that was not synced, or by keeping any
part of it. One run of the server thus stands for as many cuts as there is time for.
"""

from __future__ import annotations

import copy
import random
import shutil
import signal
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kmip_server.protocol.enums import Operation
from kmip_server.protocol.payloads.discovery import DiscoverVersionsRequest
from tests.durability import shim
from tests.durability.checks import Ask, Promise, check, through
from tests.durability.disk import Disk
from tests.durability.load import Client, Load, Step
from tests.durability.offline import Offline
from tests.durability.shim import Event, Kind
from tests.support.server import RunningServer
from tests.support.wire import Connection

DATABASE = "kmip.db"
WAL = "kmip.db-wal"


class Unsafe(RunningServer):
    """The server as it would be if it did not sync its log at each commit: what the checks must find out."""

    def command(self) -> list[str]:
        python, option, program, *arguments = super().command()
        spoil = (
            "from kmip_server.store import database\n"
            "database._PRAGMAS = tuple(each.replace('= FULL', '= NORMAL') for each in database._PRAGMAS)\n"
        )
        return [python, option, spoil + program, *arguments]


@dataclass
class Recording:
    """One run: the instance as it was before, and the record of what was done to its disk."""

    before: Path
    folder: Path
    events: list[Event]
    load: Load
    disk: Disk
    """The disk before the first event."""

    def left(self, client: Client) -> list[int]:
        """At which place in the record each answer that the client has was on its way whole."""
        sent = 0
        places, ends = [], []
        for place, event in enumerate(self.events):
            if event.kind == Kind.SENT and event.file == client.end:
                sent += event.number
                places.append(place)
                ends.append(sent)
        return [places[bisect_left(ends, answered.received)] for answered in client.history]

    @property
    def first(self) -> int:
        """From this place on the load is under way."""
        ends = {client.end for client in self.load.clients}
        return next(n for n, event in enumerate(self.events) if event.kind == Kind.SENT and event.file in ends)


def record(
    instance: Path,
    library: Path,
    seed: str,
    *,
    kind: type[RunningServer] = RunningServer,
    count: int = 400,
    clients: int = 8,
) -> Recording:
    """Serve `instance` until `count` requests are acknowledged, then end the server without an orderly end."""
    before = instance.with_name(f"{instance.name}-before")
    shutil.copytree(instance, before)
    written = instance.with_name(f"{instance.name}.record")
    disk = Disk(instance, DATABASE)
    server = kind(instance, environment=shim.environment(library, instance, record=written)).start()
    try:
        load = Load(server, seed, clients=clients)
        load.wait_for(count)
        load.stop()
        load.join()
        # What is done is recorded a moment later, under a lock that this answer must have too.
        with Connection(server) as connection:
            through(connection)(Step(((Operation.DISCOVER_VERSIONS, DiscoverVersionsRequest()),)).message())
    finally:
        server.stop(signal.SIGKILL)
    return Recording(before, instance, list(shim.events(written)), load, disk)


def promise_at(client: Client, left: list[int], place: int) -> Promise:
    """What the client had been promised when the record was at `place`."""
    answered = bisect_left(left, place)
    world = {name: seen for each in client.history[:answered] for name, seen in each.step.changes.items()}
    following = client.history[answered].step if answered < len(client.history) else client.in_flight
    return Promise(
        source=client.source,
        world=world,
        identifiers={name: client.identifiers[name] for name in world},
        values=client.values,
        history=tuple(client.history[:answered]),
        in_flight=following,
    )


def places(recording: Recording, rng: random.Random, count: int) -> list[int]:
    """Where to cut: half of them just after an answer has left, where there is least time to spare."""
    first = recording.first
    sent = [n + 1 for n, event in enumerate(recording.events) if event.kind == Kind.SENT and n >= first]
    anywhere = range(first, len(recording.events))
    return sorted([rng.choice(sent) for _ in range(count // 2)] + rng.choices(anywhere, k=count - count // 2))


def cut(recording: Recording, rng: random.Random, count: int, *, torn: bool, real: bool = False) -> int:
    """Cut the power at so many random places, and check what is found after each. Returns how many changes of files
    were lost. `torn`: a part of what was not synced is kept. `real`: asked through a server process."""
    left = {client.source: recording.left(client) for client in recording.load.clients}
    disk, done, lost = copy.deepcopy(recording.disk), 0, 0
    target = recording.folder.with_name("after-cut")
    for place in places(recording, rng, count):
        for event in recording.events[done:place]:
            disk.apply(event)
        done = place
        lost += disk.unsynced(DATABASE) + disk.unsynced(WAL)
        files = disk.after_torn_cut(rng) if torn else disk.after_cut()
        disk.write_out(recording.before, target, files)
        promises = [promise_at(client, left[client.source], place) for client in recording.load.clients]
        try:
            with asked(target, real=real) as ask:
                check(ask, target / DATABASE, promises, recording.load.limited, recording.load.total)
        except BaseException as error:
            error.add_note(f"power cut at {place} of {len(recording.events)}, torn: {torn}")
            raise
        shutil.rmtree(target)
    return lost


@contextmanager
def asked(folder: Path, *, real: bool) -> Iterator[Ask]:
    """A way to ask the instance: its engine here, or a server process."""
    if not real:
        with Offline(folder) as offline:
            yield offline.ask
        return
    with RunningServer(folder) as server, Connection(server) as connection:
        yield through(connection)
