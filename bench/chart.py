"""A chart of one run, as SVG: requests per second of each server, a panel for each work.

Strategy: bars on a scale of powers of ten, since servers differ by a hundred times; each bar has its figure
beside it, so that nobody has to read it off the scale. Only text and rectangles, and no library.
"""

from __future__ import annotations

import math
from html import escape
from typing import Any

CONNECTIONS = 16
_COLUMNS, _WIDTH, _LABEL, _BAR, _ROW = 2, 440, 118, 220, 20
_COLOURS = {
    "ours": "#1f5fa8",
    "ours, 2 workers": "#4c8fd4",
    "ours, deferred": "#8fbce6",
    "before": "#b8b8b8",
    "PyKMIP": "#d0782a",
    "bare TLS": "#6a6a6a",
}


def _text(x: float, y: float, words: str, size: int = 12, rest: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}"{rest}>{escape(words)}</text>'


def length(rate: float, most: float) -> float:
    """Of a bar: its share of the whole, both as powers of ten. One request per second has none."""
    return _BAR * max(0.01, math.log10(max(rate, 1)) / math.log10(max(most, 10)))


def _bar(row: dict[str, Any], x: float, y: float, most: float) -> list[str]:
    parts = [_text(x + _LABEL - 8, y + 13, row["who"], rest=' text-anchor="end"')]
    rate = row.get("requests_per_second")
    if rate is None:
        return [
            *parts,
            _text(x + _LABEL, y + 13, "refused" if "refused" in row else "not measured", rest=' fill="#888"'),
        ]
    wide = length(rate, most)
    colour = _COLOURS.get(row["who"], "#444")
    parts.append(f'<rect x="{x + _LABEL}" y="{y + 3}" width="{wide:.1f}" height="{_ROW - 6}" fill="{colour}"/>')
    return [*parts, _text(x + _LABEL + wide + 5, y + 13, f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}")]


def svg(rows: list[dict[str, Any]], machine: dict[str, Any]) -> str:
    """Of the rows at 16 connections."""
    shown = [row for row in rows if row["connections"] == CONNECTIONS]
    works = list(dict.fromkeys(row["what"] for row in shown))
    most = max((row.get("requests_per_second", 0.0) for row in shown), default=10.0)
    parts, tops = [], [56.0] * _COLUMNS
    for at, work in enumerate(works):
        column = at % _COLUMNS
        x, y = 16 + column * _WIDTH, tops[column]
        parts.append(_text(x, y + 13, work, 13, ' font-weight="bold"'))
        bars = [row for row in shown if row["what"] == work]
        for number, row in enumerate(bars, 1):
            parts += _bar(row, x, y + number * _ROW, most)
        tops[column] = y + (len(bars) + 2) * _ROW
    high, wide = max(tops) + 8, _COLUMNS * _WIDTH + 32
    title = f"Requests per second, {CONNECTIONS} connections"
    made = f"{machine['date']}, {machine['cores']} cores, Python {machine['python']}; scale of powers of ten"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high:.0f}" '
        f'width="{wide}" height="{high:.0f}" font-family="sans-serif" fill="#222">',
        f'<rect width="{wide}" height="{high:.0f}" fill="#fff"/>',
        _text(16, 24, title, 16, ' font-weight="bold"'),
        _text(16, 42, made, 12, ' fill="#666"'),
    )
    return "\n".join([*head, *parts, "</svg>"]) + "\n"
