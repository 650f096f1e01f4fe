"""What many objects cost: finding one by its Name, the memory of a worker, and how long a start takes.

Strategy: two instances, of few and of many objects, measured in turn, so that what else the machine does hits both.
Objects are made over the wire, many in a message, as any client could: they are what a client's would be, row by
row. A start is timed from the command to the line that says ready.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench import messages, processes, servers, traffic
from bench.load import Endpoint, Job, connect
from tests.support.server import RunningServer

TOUCHED = 10_000
"""Objects that are looked up before memory is looked at."""
CONNECTIONS = (1, 16)
_BATCH = 10
_MAKERS = 4
"""Connections over which they are made, to two workers."""


def make(folder: Path, count: int) -> Path:
    """An instance with so many named objects."""
    instance = servers.make(folder)
    begun = time.perf_counter()
    with servers.running(instance, "--set", "server.workers=2") as server, ThreadPoolExecutor(_MAKERS) as makers:
        ends = [count * n // _MAKERS for n in range(_MAKERS + 1)]
        for _ in makers.map(traffic.make_named, [servers.endpoint(server)] * _MAKERS, ends, ends[1:]):
            pass  # what one raised is raised here
    print(f"{count:,} objects made in {time.perf_counter() - begun:.1f} s", file=sys.stderr, flush=True)
    return instance


def start_seconds(instance: Path) -> float:
    begun = time.perf_counter()
    with servers.running(instance):
        return time.perf_counter() - begun


def touch(endpoint: Endpoint, count: int) -> None:
    """Objects all over are searched and read, so that what a worker keeps of them is kept."""
    numbers = range(0, count, max(1, count // TOUCHED))
    with connect(endpoint) as connection:
        for at in range(0, len(numbers), _BATCH):
            searched = [messages.locate(traffic.name(number)) for number in numbers[at : at + _BATCH]]
            found = messages.unique_identifiers(traffic.ask(connection, messages.batch(searched)))
            assert len(found) == len(searched)
            traffic.ask(connection, messages.batch([messages.get(each) for each in found]))


def locate(server: RunningServer, count: int, connections: int, seconds: float) -> dict[str, Any]:
    assert server.process is not None
    job = Job(
        endpoint=servers.endpoint(server),
        messages=traffic.locates(count),
        connections=connections,
        seconds=seconds,
        process=server.process.pid,
    )
    return servers.load(job)


def measure(named: int, count: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """A row for few objects, and one for many."""
    with tempfile.TemporaryDirectory() as folder:
        instances = {named: make(Path(folder) / "few", named), count: make(Path(folder) / "many", count)}
        empty = servers.make(Path(folder) / "none")
        starts: dict[int, list[float]] = {0: [], **{each: [] for each in instances}}
        for _ in range(max(rounds, 1)):
            for each, instance in ((0, empty), *instances.items()):
                starts[each].append(start_seconds(instance))
        rows = [{"objects": each, "start_seconds": statistics.median(times)} for each, times in starts.items()]
        with servers.running(instances[named]) as few, servers.running(instances[count]) as many:
            found: dict[tuple[int, int], list[dict[str, Any]]] = {
                (e, n): [] for e in instances for n in CONNECTIONS
            }
            for _ in range(rounds):
                for n in CONNECTIONS:
                    for each, server in ((named, few), (count, many)):
                        found[each, n].append(locate(server, each, n, seconds))
            for row, server in zip(rows[1:], (few, many), strict=True):
                each = int(row["objects"])
                for n in CONNECTIONS:
                    for figure in ("requests_per_second", "p50_ms", "p99_ms"):
                        row[f"locate_{n}_{figure}"] = statistics.median(one[figure] for one in found[each, n])
                touch(servers.endpoint(server), each)
                assert server.process is not None
                row["resident_mb"] = max(map(processes.resident_mb, processes.family(server.process.pid)))
    return rows
