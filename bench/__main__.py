"""make bench: this server, PyKMIP's and a bare Twisted TLS responder, side by side in one run.

    python -m bench [--short | --codec] [--seconds S] [--json FILE]

The same messages, encoded before, over mutual TLS; rounds interleaved, so that what else the machine does
hits all alike; medians of the rounds. The codecs are measured first, alone. See bench/README.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench import codec, messages, report, servers
from bench.load import Endpoint, connect, exchange

CONNECTIONS = (1, 16)
_KEYS = 100


def names(count: int) -> list[str]:
    return [f"bench key {number:06d}" for number in range(count)]


def populate(endpoint: Endpoint, start: int, count: int) -> None:
    """Named keys, made over the wire."""
    connection = connect(endpoint)
    for name in names(count)[start:]:
        assert messages.succeeded(exchange(connection, messages.create(name)))
    connection.close()


def keys(endpoint: Endpoint) -> list[bytes]:
    """Get messages for fresh keys."""
    connection = connect(endpoint)
    made = [messages.unique_identifier(exchange(connection, messages.create())) for _ in range(_KEYS)]
    connection.close()
    return [messages.get(each) for each in made]


def locates(count: int) -> list[bytes]:
    every = names(count)
    return [messages.locate(every[at]) for at in range(0, count, max(1, count // 97))]


@contextmanager
def contestants() -> Iterator[dict[str, Endpoint]]:
    """All servers, started, by name."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(servers.ours(folder))
        pykmip = stack.enter_context(servers.pykmip(folder, ours))
        bare = stack.enter_context(servers.bare(folder, ours))
        yield {"ours": ours, "PyKMIP": pykmip, "bare TLS": bare}


def measure(
    rounds: int, seconds: float, plan: list[tuple[str, str, Endpoint, list[bytes], int]]
) -> list[dict[str, Any]]:
    """Run the whole plan `rounds` times, interleaved; a row for each entry with the medians."""
    found: dict[int, list[dict[str, float]]] = {}
    for number in range(rounds):
        for at, (what, who, endpoint, given, connections) in enumerate(plan):
            result = servers.load(endpoint, given, connections, seconds)
            found.setdefault(at, []).append(result)
            print(
                f"round {number + 1}/{rounds}  {what:16} {connections:3} connections  {who:9}"
                f"{result['requests_per_second']:9.0f}/s",
                file=sys.stderr,
                flush=True,
            )
    rows = []
    for at, (what, who, _, _, connections) in enumerate(plan):
        medians = {key: statistics.median(each[key] for each in found[at]) for key in found[at][0]}
        rows.append({"what": what, "who": who, "connections": connections, **medians})
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one round of two seconds, 1,000 objects only")
    parser.add_argument(
        "--codec", action="store_true", help="only the codecs: no server is started, nothing written"
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="for each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("bench/results/latest.json"))
    options = parser.parse_args()
    codecs = codec.measure()
    if options.codec:
        print(report.codec_table(codecs))
        return 0
    rounds, seconds = (1, 2.0) if options.short else (options.rounds, options.seconds)
    rows: list[dict[str, Any]] = []
    with contestants() as endpoints:
        plan = []
        for who, endpoint in endpoints.items():
            given = keys(endpoint) if who != "bare TLS" else [messages.get("x" * 36)]
            plan += [("Get", who, endpoint, given, connections) for connections in CONNECTIONS]
        both = {who: endpoint for who, endpoint in endpoints.items() if who != "bare TLS"}
        plan += [("Create", who, e, [messages.create()], c) for who, e in both.items() for c in CONNECTIONS]
        plan.sort(key=lambda each: (each[0] != "Get", each[4]))
        rows += measure(rounds, seconds, plan)
        before = 0
        for count in (1000,) if options.short else (1000, 10_000):
            populate(endpoints["ours"], before, count)
            servers.populate_pykmip(endpoints["PyKMIP"], before, count)
            before = count
            what = f"Locate, {count:,}"
            # PyKMIP looks at every object in Python: with many connections at once one answer takes minutes.
            one = [(what, who, e, locates(count), 1) for who, e in both.items()]
            rows += measure(rounds, seconds, [*one, (what, "ours", endpoints["ours"], locates(count), 16)])
    print(report.table(rows))
    print(report.codec_table(codecs))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    measured = {"machine": report.machine(), "rounds": rounds, "seconds": seconds, "rows": rows, "codec": codecs}
    options.json.write_text(json.dumps(measured, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
