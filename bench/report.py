"""What was measured, as tables: only ratios of one run compare, as machines differ.

    python -m bench.report bench/results/latest.json docs/performance.md

writes the tables of that run between the two marks of the page, and the chart beside it. A run of `bench.soak`
whose soak.json stands beside that JSON is taken in.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from bench import chart, targets
from bench.servers import BARE, PYKMIP

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def _ratio(row: dict[str, Any], rows: list[dict[str, Any]], who: str) -> str:
    """To that server at the same work. The bare responder does but one: a Get's answer."""
    for other in rows:
        if (other["what"], other["connections"], other["who"]) == (row["what"], row["connections"], who):
            return f"{targets.times(row, other):.2f} ×" if other.get("requests_per_second") else ""
    return ""


def _milliseconds(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def _line(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    begin = f"| {row['what']} | {row['connections']} | {row['who']} |"
    for key, words in (("refused", "refused"), ("failed", "failed"), ("not_measured", "not measured")):
        if key in row:
            return f"{begin} {words}: {row[key].replace('|', '/')} | | | | | | | |"
    rate = row["requests_per_second"]
    cells = [
        f"{rate:,.0f}" if rate >= 10 else f"{rate:.2f}",
        *(_milliseconds(row[f"p{share}_ms"]) for share in (50, 95, 99)),
        f"{row['cpu_ms']:.2f}",
        f"{row['resident_mb']:.0f}",
        _ratio(row, rows, PYKMIP),
        _ratio(row, rows, BARE),
    ]
    return f"{begin} {' | '.join(cells)} |"


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown, of what `bench` measures."""
    names = ["work", "connections", "server", "requests/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "MB"]
    names += [f"to {PYKMIP}", f"to {BARE}"]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|", *(_line(row, rows) for row in rows)]
    return "\n".join(lines) + "\n"


def many_table(rows: list[dict[str, Any]]) -> str:
    """Markdown, of what `bench.many` measures."""
    lines = [
        "| objects | start to ready, s | Locate by name, p50 ms | p99 ms"
        " | 16 connections, requests/s | worker, MB |",
        "|---|---|---|---|---|---|",
    ]
    keys = ("start_seconds", "locate_1_p50_ms", "locate_1_p99_ms", "locate_16_requests_per_second", "resident_mb")
    forms = (".2f", ".2f", ".2f", ",.0f", ".0f")
    for row in rows:
        cells = [format(row[key], form) if key in row else "" for key, form in zip(keys, forms, strict=True)]
        lines.append(f"| {row['objects']:,} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _figure(value: float, unit: str) -> str:
    return f"{value:,.4g} {unit}".strip()


def targets_table(rows: list[dict[str, Any]]) -> str:
    """Markdown, of what `bench.targets` judges."""
    lines = ["| to reach | bound | found | |", "|---|---|---|---|"]
    for row in rows:
        bound = ("≤ " if row["at_most"] else "≥ ") + _figure(row["bound"], row["unit"])
        found = _figure(row["found"], row["unit"]) if "found" in row else ""
        said = "not measured" if "found" not in row else "reached" if row["reached"] else "**missed**"
        lines.append(f"| {row['target']} | {bound} | {found} | {said} |")
    return "\n".join(lines) + "\n"


def soak_line(soak: dict[str, Any]) -> str:
    """Of what `bench.soak` measures."""
    rates = ", ".join(f"{rate:,.0f}" for rate in soak["rates"])
    memory = f"{soak['end_mb']:.1f} MB resident at the end"
    if soak["growth_mb"] is not None:
        memory += f", {soak['growth_mb']:+.1f} MB since the first minute"
    counts = f"{soak['requests']:,} requests, {soak['errors']} errors"
    return (
        f"{soak['seconds']:.0f} s of mixed traffic at {soak['connections']} connections: {counts}; {memory};"
        f" requests/s of each minute: {rates}.\n"
    )


def whole(measured: dict[str, Any]) -> str:
    """Everything of one run."""
    machine = measured["machine"]
    parts = [
        f"{machine['date']}; {machine['cores']} cores, {machine.get('processor', '')}, Python {machine['python']};"
        f" {measured['rounds']} interleaved rounds of {measured['seconds']:g} s for each row, medians.\n"
    ]
    if "targets" in measured:
        parts.append(targets_table(measured["targets"]))
    if "rows" in measured:
        parts.append(table(measured["rows"]))
    if "many" in measured:
        parts.append(many_table(measured["many"]))
    if "soak" in measured:
        parts.append(soak_line(measured["soak"]))
    if "codec" in measured:
        parts.append(codec_table(measured["codec"]))
    return "\n".join(parts)


def put(page: str, tables: str) -> str:
    """The page with these tables between its marks. Raises ValueError where it has not both."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs a line {BEGIN} and after it a line {END}")
    return f"{before}{BEGIN}\n{tables.strip()}\n{END}{after}"


def codec_table(rows: list[dict[str, Any]]) -> str:
    """Markdown, of what `bench.codec` measures."""
    base = next(row["together_us"] for row in rows if row["who"] == "PyKMIP")
    lines = [
        "| codec | Get request decoded, µs | answer encoded, µs | together, µs | to PyKMIP |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['who']} | {row['decode_us']:.1f} | {row['encode_us']:.1f} | {row['together_us']:.1f}"
            f" | {base / row['together_us']:.1f} × |"
        )
    return "\n".join(lines) + "\n"


def machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": processor(Path("/proc/cpuinfo").read_text()),
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


def processor(cpuinfo: str) -> str:
    """What it calls itself."""
    for line in cpuinfo.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def hostile_table(attacks: list[dict[str, Any]], crowd: dict[str, Any], storm: dict[str, Any]) -> str:
    """Markdown, of what `bench.hostile` measures."""
    lines = ["| attack | p99 quiet, ms | p99 meanwhile, ms | ratio |", "|---|---|---|---|"]
    lines += [
        f"| {row['attack']} | {row['quiet_p99_ms']:.1f} | {row['p99_ms']:.1f} | {row['ratio']:.1f} × |"
        for row in attacks
    ]
    memory = f"{crowd['mb']:.0f} MB resident ({crowd['before_mb']:.0f} MB before)"
    served = f"{storm['served']:,} of {storm['clients']:,} clients served, the last after {storm['seconds']:.1f} s"
    lines += ["", f"{crowd['connections']:,} idle connections: {memory}.", f"Boot storm: {served}."]
    return "\n".join(lines) + "\n"


def main() -> int:
    source, page = (Path(each) for each in sys.argv[1:3])
    measured = json.loads(source.read_text())
    beside = source.parent / "soak.json"
    if beside.exists():
        measured["soak"] = json.loads(beside.read_text())
        measured["targets"] = targets.judge(measured)
    tables = whole(measured)
    if "rows" in measured:
        drawn = page.with_suffix(".svg")
        drawn.write_text(chart.svg(measured["rows"], measured["machine"]))
        tables = f"![Requests per second of each server]({drawn.name})\n\n{tables}"
    page.write_text(put(page.read_text(), tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
