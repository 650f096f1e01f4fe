"""What was to be reached, and whether it is: each a ratio or a figure of one run.

Strategy: a target is a row of TARGETS with a function from what was measured to a figure; what was not measured
judges nothing. The table says what was aimed at, also where it was missed.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.servers import BARE, OURS, PYKMIP, TWO_WORKERS
from bench.traffic import BATCH, CREATE, FRESH, GET, NAMED

Measured = dict[str, Any]
MANY = 100_000


class NotMeasured(Exception):
    pass


def row_of(measured: Measured, what: str, who: str, connections: int) -> Measured:
    rows: list[Measured] = measured.get("rows", [])
    for row in rows:
        if (row["what"], row["who"], row["connections"]) == (what, who, connections):
            if "requests_per_second" in row:
                return row
            break
    raise NotMeasured


def figure(measured: Measured, what: str, who: str, connections: int, key: str) -> Any:
    return row_of(measured, what, who, connections)[key]


def many(measured: Measured, objects: int, key: str) -> float:
    for row in measured.get("many", ()):
        if row["objects"] == objects and key in row:
            return float(row[key])
    raise NotMeasured


@dataclass(frozen=True, slots=True)
class Target:
    text: str
    bound: float
    found: Callable[[Measured], float]
    at_most: bool = False
    unit: str = "×"


def times(mine: Measured, theirs: Measured) -> float:
    """How many times as many requests per second, of two rows. The median of the rounds: what else the machine did
    in one of them hit both."""
    ones, others = mine.get("rates", ()), theirs.get("rates", ())
    if ones and len(ones) == len(others):
        return float(statistics.median(one / other for one, other in zip(ones, others, strict=True)))
    return float(mine["requests_per_second"] / theirs["requests_per_second"])


def rate(what: str, connections: int, who: str, other: str) -> Callable[[Measured], float]:
    """Requests per second to the other's."""

    def ratio(measured: Measured) -> float:
        return times(row_of(measured, what, who, connections), row_of(measured, what, other, connections))

    return ratio


def _share(what: str, connections: int, who: str, other: str) -> Callable[[Measured], float]:
    ratio = rate(what, connections, who, other)
    return lambda measured: ratio(measured) * 100


def _spread(measured: Measured) -> float:
    p50, p99 = (figure(measured, GET, OURS, 128, key) for key in ("p50_ms", "p99_ms"))
    return float(p99 / p50)


def _cpu(measured: Measured) -> float:
    """With as many connections for each worker."""
    two, one = figure(measured, GET, TWO_WORKERS, 32, "cpu_ms"), figure(measured, GET, OURS, 16, "cpu_ms")
    return float(two / one)


def evenness(measured: Measured) -> float:
    """Processor time of the worker that got least, to that of the one that got most, where that is worst."""
    found = []
    for connections in (16, 128):
        # The first of the family is the supervisor, which serves nobody.
        _, *workers = figure(measured, GET, TWO_WORKERS, connections, "cpu_seconds_of_each")
        if len(workers) < 2 or not max(workers):
            raise NotMeasured
        found.append(min(workers) / max(workers))
    return float(min(found)) * 100


def _batch(measured: Measured) -> float:
    of_ten, single = (figure(measured, what, OURS, 16, "requests_per_second") for what in (BATCH, GET))
    return float(of_ten * 10 / single)


def _growth(measured: Measured) -> float:
    few, lot = (many(measured, objects, "locate_1_p50_ms") for objects in (NAMED, MANY))
    return lot / few


TARGETS = (
    Target("Get, 16 connections: to PyKMIP's server", 12, rate(GET, 16, OURS, PYKMIP)),
    Target("Get, 16 connections: of the bare responder", 30, _share(GET, 16, OURS, BARE), unit="%"),
    Target("Get, 128 connections: to PyKMIP's server", 15, rate(GET, 128, OURS, PYKMIP)),
    Target("Get, 128 connections: p99 to p50", 4, _spread, at_most=True),
    Target("Create, 16 connections, durable: to PyKMIP's server", 10, rate(CREATE, 16, OURS, PYKMIP)),
    Target(
        "Create, 16 connections, durable: p99",
        19,
        lambda measured: float(figure(measured, CREATE, OURS, 16, "p99_ms")),
        at_most=True,
        unit="ms",
    ),
    Target("New connection + Get: of the bare responder", 80, _share(FRESH, 16, OURS, BARE), unit="%"),
    Target("Two workers, 16 connections each: processor time of a Get to one worker's", 1.25, _cpu, at_most=True),
    Target("Two workers: the one that did least, of the other", 50, evenness, unit="%"),
    Target("Batch of ten Gets: keys per second to those of single Gets", 2.5, _batch),
    Target(
        "Locate by name, 100,000 objects: p50",
        5,
        lambda measured: many(measured, MANY, "locate_1_p50_ms"),
        at_most=True,
        unit="ms",
    ),
    Target("Locate by name, 100,000 objects: p50 to that of 1,000", 3, _growth, at_most=True),
    Target(
        "Resident memory of a worker with 100,000 objects",
        150,
        lambda measured: many(measured, MANY, "resident_mb"),
        at_most=True,
        unit="MB",
    ),
    Target(
        "Start with 100,000 objects",
        2,
        lambda measured: many(measured, MANY, "start_seconds"),
        at_most=True,
        unit="s",
    ),
    Target(
        "Ten minutes of mixed traffic: growth after the first minute",
        5,
        lambda measured: soaked(measured, "growth_mb"),
        at_most=True,
        unit="MB",
    ),
    Target(
        "Ten minutes of mixed traffic: errors",
        0,
        lambda measured: soaked(measured, "errors"),
        at_most=True,
        unit="",
    ),
)
"""No growth is 5 MB at most: the allocator does not give back every page. A worker that does half of what the other
does is not starved: connections are balanced, and their number is small."""


def soaked(measured: Measured, key: str) -> float:
    """Of `python -m bench.soak`, where it ran for ten minutes."""
    soak = measured.get("soak", {})
    if soak.get("seconds", 0) < 600:
        raise NotMeasured
    return float(soak[key])


def judge(measured: Measured) -> list[dict[str, Any]]:
    """A row for each target. `reached` is missing where it was not measured."""
    rows = []
    for target in TARGETS:
        row: dict[str, Any] = {"target": target.text, "bound": target.bound, "at_most": target.at_most}
        row["unit"] = target.unit
        try:
            found = target.found(measured)
        except NotMeasured:
            rows.append(row)
            continue
        row["found"] = found
        row["reached"] = found <= target.bound if target.at_most else found >= target.bound
        rows.append(row)
    return rows
