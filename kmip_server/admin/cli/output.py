"""How kmip-admin speaks.

Conventions: results go to standard output, everything else to standard error. A table for people; with --json
the same data as JSON and nothing else. Times are UTC. Exit codes: 0 done, 1 refused or failed, 2 usage or
settings. Names come from clients: whatever could move the cursor, begin a line or turn the writing round is shown
as an escape, so that a line on the screen is a row of the answer; a cell is cut where no screen has room for it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

import click

MAX_CELL = 2000
"""Characters."""


def as_json(result: Any) -> None:
    click.echo(json.dumps(result, indent=2))


def table(rows: Sequence[dict[str, Any]], columns: Sequence[tuple[str, str]]) -> None:
    """`columns`: key and heading. Widths follow the content; what people copy is shorter than a cell may be."""
    cells = [[heading for _, heading in columns]]
    cells += [[text(row.get(key, "")) for key, _ in columns] for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    for number, line in enumerate(cells):
        padded = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        click.echo(click.style(padded, bold=True) if number == 0 else padded)


def pairs(result: dict[str, Any]) -> None:
    """A line for each key."""
    lines = [(text(key.replace("_", " ")), text(value)) for key, value in result.items()]
    width = max((len(key) for key, _ in lines), default=0)
    for key, value in lines:
        click.echo(f"{key:{width}}  {value}")


def text(value: Any) -> str:
    """One cell: one line, printable, bounded."""
    return plain(_words(value))


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_words(each) for each in value)
    return "" if value is None else str(value)


def plain(words: str, most: int = MAX_CELL) -> str:
    """Without anything that a terminal obeys: control and format characters, separators, lone surrogates."""
    cut = words[:most]
    shown = cut if cut.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in cut)
    return shown if len(words) <= most else f"{shown}... ({len(words)} characters)"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def moment(seconds: float | None) -> str:
    """A time as people write it, UTC."""
    if seconds is None:
        return ""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s since 1970"
