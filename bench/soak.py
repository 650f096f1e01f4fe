"""Mixed appliance traffic for minutes: does a server grow, and does it ever fail?

    python -m bench.soak [--seconds 600] [--connections 16] [--workers N] [--json FILE]

Strategy: the load generator asks in turns of ten seconds, each with connections of its own. The memory of the
server's processes is looked at every second, and what is said of it is the mean of ten looks, since single ones
jump. A request that is refused, or a connection that ends, is an error and ends its turn; the next turn shows
whether it lasts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import many, processes, report, servers, traffic
from bench.load import Job, Refused
from bench.servers import Contestant, Failed

OBJECTS = 20_000
"""That are there before: what a process keeps of objects is full then, and every request has its usual cost."""
FIRST_SECONDS = 60.0
"""After which nothing should grow."""
_SAID = 10
"""Looks whose mean is said."""
_TURN_SECONDS = 10.0
"""Of one generator."""


@dataclass(slots=True)
class Watch:
    """Resident memory of a server's processes, in MB, once a second, by a thread."""

    process: int
    samples: list[float] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._over.wait(1.0):
            self.samples.append(sum(map(processes.resident_mb, processes.family(self.process))))

    def stop(self) -> None:
        self._over.set()


def growth(samples: list[float], first: int) -> tuple[float | None, float]:
    """Memory after so many samples, None where there are not enough after them, and at the end: means of some."""
    early = samples[first : first + _SAID] if len(samples) >= first + 2 * _SAID else []
    return statistics.mean(early) if early else None, statistics.mean(samples[-_SAID:])


@dataclass(frozen=True, slots=True)
class Turn:
    begun: float
    """Seconds since the first."""
    seconds: float
    requests: int


def by_minute(turns: list[Turn]) -> list[float]:
    """Requests per second of each minute in which a turn began."""
    minutes: dict[int, list[Turn]] = {}
    for turn in turns:
        minutes.setdefault(int(turn.begun // 60), []).append(turn)
    return [
        sum(turn.requests for turn in each) / sum(turn.seconds for turn in each)
        for _, each in sorted(minutes.items())
    ]


def soak(contestant: Contestant, seconds: float, connections: int) -> dict[str, Any]:
    traffic.make_named(contestant.endpoint, 0, OBJECTS)
    many.touch(contestant.endpoint, OBJECTS)
    asked = traffic.prepare(contestant.endpoint, traffic.NAMED).messages[traffic.MIXED]
    watch = Watch(contestant.process)
    watcher = threading.Thread(target=watch.run)
    watcher.start()
    turns: list[Turn] = []
    errors: list[str] = []
    begun = time.monotonic()
    try:
        while (passed := time.monotonic() - begun) < seconds:
            job = Job(
                endpoint=contestant.endpoint,
                messages=asked,
                connections=connections,
                seconds=min(_TURN_SECONDS, max(1.0, seconds - passed)),
                process=contestant.process,
            )
            try:
                turns.append(Turn(passed, job.seconds, int(servers.load(job)["requests"])))
            except (Refused, Failed) as error:
                errors.append(str(error))
            print(f"{passed:6.0f} s  {watch.samples[-1:]} MB  {len(errors)} errors", file=sys.stderr, flush=True)
    finally:
        watch.stop()
        watcher.join()
    first, end = growth(watch.samples, int(FIRST_SECONDS))
    return {
        "seconds": seconds,
        "connections": connections,
        "requests": sum(turn.requests for turn in turns),
        "errors": len(errors),
        "what_failed": sorted(set(errors)),
        "first_minute_mb": first,
        "end_mb": end,
        "growth_mb": None if first is None else end - first,
        "rates": by_minute(turns),
        "resident_mb": watch.samples,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, default=Path("bench/results/soak.json"))
    options = parser.parse_args()
    workers = f"server.workers={options.workers}"
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.ours(Path(folder) / "ours", servers.OURS, workers) as contestant,
    ):
        found = soak(contestant, options.seconds, options.connections)
    print(report.soak_line(found))
    for words in found["what_failed"]:
        print(f"failed: {words}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"machine": report.machine()} | found, indent=2) + "\n")
    return 1 if found["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
