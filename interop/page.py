"""docs/interop.md, of what the last runs came to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interop.play import Result
from interop.steps import Outcome

PAGE = Path(__file__).resolve().parent.parent / "docs" / "interop.md"
PYKMIP = "PyKMIP's server 0.11.0"


def write(results: Sequence[Result]) -> None:
    PAGE.write_text(text(results), encoding="utf-8")


def text(results: Sequence[Result]) -> str:
    lines = [
        "# Interoperability",
        "",
        "Written by `make interop`: real, unmodified clients, each from its own package, over mutual TLS against",
        "this server as `kmip-server init` makes it, with the answers checked. Two clients with different",
        f"certificates run each suite side by side. Where it can be, it is played against {PYKMIP} too.",
        "",
        f"| client | version | language | KMIP | steps passed | at {PYKMIP} | known limits |",
        "|---|---|---|---|---|---|---|",
        *(_row(each) for each in results),
    ]
    troubles = [each for each in results if each.troubles]
    if troubles:
        lines += ["", "## What a client shows when something is wrong", ""]
        for each in troubles:
            lines += [
                f"### {each.title}",
                "",
                "| what is wrong | what it shows | the server's log |",
                "|---|---|---|",
            ]
            lines += [f"| {' | '.join(map(_cell, (what, *said)))} |" for what, said in each.troubles.items()]
            lines.append("")
    for each in results:
        lines += ["", *_steps(each)]
    return "\n".join(lines).rstrip() + "\n"


def _row(result: Result) -> str:
    versions = _versions(result.ours)
    theirs = "" if result.pykmip is None else _share(result.pykmip)
    limits = " ".join(result.limits)
    cells = (
        result.title,
        result.version,
        result.language,
        ", ".join(versions),
        _share(result.ours),
        theirs,
        limits,
    )
    return f"| {' | '.join(map(_cell, cells))} |"


def _share(outcomes: Sequence[Outcome]) -> str:
    return f"{sum(each.passed for each in outcomes)} of {len(outcomes)}"


def _versions(outcomes: Sequence[Outcome]) -> list[str]:
    return sorted({each.version for each in outcomes} - {""})


def _steps(result: Result) -> list[str]:
    """The steps of one client, in each version, here and at PyKMIP's server."""
    versions = _versions(result.ours) or [""]
    steps = list(dict.fromkeys(each.step for each in result.ours))
    servers = [("", result.ours)] + ([(" at PyKMIP's", result.pykmip)] if result.pykmip is not None else [])
    columns = [
        (version, outcomes, f"{version}{where}".strip() or "here")
        for where, outcomes in servers
        for version in versions
    ]
    lines = [
        f"## {result.title} {result.version}".rstrip(),
        "",
        f"{result.language}; {result.installed_by}. Last run on {result.date}, server version {result.server}.",
        "",
    ]
    if result.page:
        return [*lines, f"Its steps are in [{result.page}]({result.page})."]
    lines += [
        f"| step | {' | '.join(title for _, _, title in columns)} |",
        "|---|" + "---|" * len(columns),
    ]
    for step in steps:
        cells = [_passed(outcomes, step, version) for version, outcomes, _ in columns]
        lines.append(f"| {_cell(step)} | {' | '.join(cells)} |")
    failed = [each for each in (*result.ours, *result.beside) if not each.passed]
    if failed:
        lines += ["", *(f"* {each}" for each in failed)]
    return lines


def _passed(outcomes: Sequence[Outcome], step: str, version: str) -> str:
    for each in outcomes:
        if each.step == step and each.version in (version, ""):
            return "passed" if each.passed else "**failed**"
    return ""


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|")
