"""make bench: this server, PyKMIP's and a bare Twisted TLS responder, side by side in one run.

    python -m bench [--short | --codec] [--only Get,Create] [--against TREE] [--json FILE]

Strategy: the same messages, encoded before, over mutual TLS; rounds interleaved, so that what else the machine does
hits all alike; medians of the rounds. What a server refuses, or takes too long for, is a row that says so. The
codecs are measured first, alone; what many objects cost is measured last. See bench/README.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import codec, many, report, servers, targets, traffic
from bench.load import Job, Refused
from bench.servers import BARE, BEFORE, DEFERRED, OURS, PYKMIP, TWO_WORKERS, Contestant, Failed
from bench.traffic import FRESH, GET, LOCATE, MIXED, WORKS, Traffic, Work

OBJECTS = 100_000
_DOES_NOTHING_ELSE = {BARE: (GET, FRESH), DEFERRED: (GET, FRESH, traffic.BATCH, LOCATE, MIXED)}
"""The responder has one answer, and what is deferred is the record of what only reads."""
_MOST = {LOCATE: 1, MIXED: 16}
"""Connections at which PyKMIP's server is asked to search, once: it looks at every object, for seconds."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the table."""

    work: str
    who: str
    connections: int
    job: Job | None
    """None: it is not measured, and `why` says why."""
    once: bool = False
    why: dict[str, str] | None = None

    @property
    def row(self) -> dict[str, Any]:
        return {"what": self.work, "who": self.who, "connections": self.connections}


@contextmanager
def contestants(against: Path | None) -> Iterator[list[Contestant]]:
    """All servers, started."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def of_ours(who: str, *options: str, tree: Path = servers.ROOT) -> Contestant:
            place = folder / who.replace(" ", "-").replace(",", "")
            return stack.enter_context(servers.ours(place, who, *options, tree=tree))

        every = [
            of_ours(OURS),
            of_ours(TWO_WORKERS, "server.workers=2"),
            of_ours(DEFERRED, 'audit.reads="deferred"'),
        ]
        if against is not None:
            every.append(of_ours(BEFORE, tree=against))
        like = every[0].endpoint
        every.append(stack.enter_context(servers.pykmip(folder, like)))
        every.append(stack.enter_context(servers.bare(like)))
        yield every


def prepare(contestant: Contestant, named: int) -> Traffic:
    """Its objects, made, and the messages of each work."""
    if contestant.who == BARE:
        fixed = [traffic.any_get()]
        return Traffic(messages={GET: fixed, FRESH: fixed})
    if contestant.who == PYKMIP:
        servers.populate_pykmip(contestant.endpoint, 0, named)
    else:
        traffic.make_named(contestant.endpoint, 0, named)
    return traffic.prepare(contestant.endpoint, named)


def cell(work: Work, connections: int, contestant: Contestant, prepared: Traffic, seconds: float) -> Cell:
    who = contestant.who
    if work.name in prepared.refused:
        return Cell(work.name, who, connections, None, why={"refused": prepared.refused[work.name]})
    searches = who == PYKMIP and work.name in _MOST
    if searches and connections > _MOST[work.name]:
        why = {"not_measured": "it looks at every object for each Locate: it would take minutes"}
        return Cell(work.name, who, connections, None, why=why)
    job = Job(
        endpoint=contestant.endpoint,
        messages=prepared.messages[work.name],
        connections=connections,
        seconds=seconds,
        fresh=work.fresh,
        process=contestant.process,
        at_least=20 if searches else 1,
        at_most_seconds=max(5.0, 15 * seconds),
    )
    return Cell(work.name, who, connections, job, once=searches)


def plan(works: list[Work], every: list[Contestant], named: int, seconds: float) -> list[Cell]:
    """In the order of measuring: what is to be compared stands together."""
    prepared = {each.who: prepare(each, named) for each in every}
    return [
        cell(work, connections, contestant, prepared[contestant.who], seconds)
        for work in works
        for connections in work.connections
        for contestant in every
        if work.name in _DOES_NOTHING_ELSE.get(contestant.who, (work.name,))
    ]


def one_round(number: int, cells: list[Cell], found: dict[int, list[dict[str, Any]]]) -> None:
    for at, each in enumerate(cells):
        if each.job is None or (each.once and number):
            continue
        try:
            result = servers.load(each.job)
            told = f"{result['requests_per_second']:9.0f}/s"
        except (Refused, Failed) as error:
            result = {"refused" if isinstance(error, Refused) else "failed": str(error)}
            told = f"  {error}"
        found.setdefault(at, []).append(result)
        words = f"round {number + 1}  {each.work:24} {each.connections:3} connections  {each.who:16}{told}"
        print(words, file=sys.stderr, flush=True)


def measure(rounds: int, cells: list[Cell]) -> list[dict[str, Any]]:
    """The whole plan `rounds` times, interleaved; a row for each cell with the medians."""
    found: dict[int, list[dict[str, Any]]] = {}
    for number in range(rounds):
        one_round(number, cells, found)
    return [each.row | (each.why or medians(found[at])) for at, each in enumerate(cells)]


def medians(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each figure; one round that went wrong is told instead, since it must not be lost among the others."""
    for result in results:
        if "refused" in result or "failed" in result:
            return result
    found: dict[str, Any] = {}
    for key, first in results[0].items():
        column = [result[key] for result in results]
        if isinstance(first, list):
            found[key] = [statistics.median(each) for each in zip(*column, strict=False)]
        else:
            found[key] = statistics.median(column)
    if "requests_per_second" in found:
        found["rates"] = [result["requests_per_second"] for result in results]
    return found


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    short = ", ".join(work.short for work in WORKS)
    parser.add_argument(
        "--short", action="store_true", help="one round of 0.3 s, few objects: it shows that all works"
    )
    parser.add_argument("--codec", action="store_true", help="only the codecs: no server is started")
    parser.add_argument("--only", default="", help=f"of {short}, Many, Codec; by commas")
    parser.add_argument("--against", type=Path, help="another checkout of this project, as a server `before`")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--objects", type=int, default=OBJECTS, help="how many are many")
    parser.add_argument("--json", type=Path, default=Path("bench/results/latest.json"))
    options = parser.parse_args()
    options.named = traffic.NAMED
    options.only = [each for each in options.only.split(",") if each]
    unknown = set(options.only) - {work.short for work in WORKS} - {"Many", "Codec"}
    if unknown:
        parser.error(f"--only knows {short}, Many and Codec, not {', '.join(sorted(unknown))}")
    if options.against is not None and not (options.against / "kmip_server").is_dir():
        parser.error(f"{options.against} is no checkout of this project: it has no kmip_server")
    if options.short:
        options.rounds, options.seconds, options.objects, options.named = 1, 0.3, 500, 100
    return options


def main() -> int:
    options = parsed()
    measured: dict[str, Any] = {"machine": report.machine(), "rounds": options.rounds, "seconds": options.seconds}
    if not options.only or "Codec" in options.only:
        measured["codec"] = codec.measure(*((3, 300) if options.short else ()))
    if options.codec:
        print(report.codec_table(measured["codec"]))
        return 0
    works: list[Work] = [work for work in WORKS if not options.only or work.short in options.only]
    if works:
        against = options.against.resolve() if options.against else None
        with contestants(against) as every:
            measured["rows"] = measure(options.rounds, plan(works, every, options.named, options.seconds))
    if not options.only or "Many" in options.only:
        measured["many"] = many.measure(options.named, options.objects, options.rounds, options.seconds)
    measured["targets"] = targets.judge(measured)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(measured, indent=2) + "\n")
    print(report.whole(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
