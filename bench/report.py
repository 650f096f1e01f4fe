"""The table, with ratios: only these compare, as machines differ."""

from __future__ import annotations

import datetime
import os
import platform
from typing import Any


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown. The ratio is to PyKMIP's server at the same work."""
    lines = [
        "| work | connections | server | requests/s | p50 ms | p99 ms | to PyKMIP |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        base = next(
            (
                r["requests_per_second"]
                for r in rows
                if (r["what"], r["connections"], r["who"]) == (row["what"], row["connections"], "PyKMIP")
            ),
            None,
        )
        ratio = f"{row['requests_per_second'] / base:.1f} ×" if base else ""
        lines.append(
            f"| {row['what']} | {row['connections']} | {row['who']} | {row['requests_per_second']:,.0f}"
            f" | {row['p50_ms']:.2f} | {row['p99_ms']:.2f} | {ratio} |"
        )
    return "\n".join(lines) + "\n"


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
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


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
