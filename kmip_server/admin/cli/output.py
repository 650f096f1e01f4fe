"""How kmip-admin speaks.

Conventions: results go to standard output, everything else to standard error. A table for people; with --json
the same data as JSON and nothing else. Times are UTC. Exit codes: 0 done, 1 refused or failed, 2 usage or
settings.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

import click


def as_json(result: Any) -> None:
    click.echo(json.dumps(result, indent=2))


def table(rows: Sequence[dict[str, Any]], columns: Sequence[tuple[str, str]]) -> None:
    """`columns`: key and heading. Widths follow the content; nothing is cut, so that it can be copied."""
    cells = [[heading for _, heading in columns]]
    cells += [[text(row.get(key, "")) for key, _ in columns] for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    for number, line in enumerate(cells):
        padded = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        click.echo(click.style(padded, bold=True) if number == 0 else padded)


def pairs(result: dict[str, Any]) -> None:
    """A line for each key."""
    width = max((len(key) for key in result), default=0)
    for key, value in result.items():
        click.echo(f"{key.replace('_', ' '):{width}}  {text(value)}")


def text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(text(each) for each in value)
    return "" if value is None else str(value)


def moment(seconds: float | None) -> str:
    """A time as people write it, UTC."""
    if seconds is None:
        return ""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
