"""PyKMIP as a client of `make interop`: its steps in every version, and the page about them."""

from __future__ import annotations

from pathlib import Path

from interop.pykmip import suite
from interop.steps import Outcome
from kmip_server import __version__
from tests.support.server import RunningServer, make_instance

NAME = "pykmip"
TITLE = "PyKMIP 0.11.0 (Python; ProxyKmipClient and KMIPProxy, unmodified)"
PAGE = "docs/interop.md"


def run(folder: Path) -> list[Outcome]:
    """Every step in every version, against a server as `init` makes it."""
    instance = make_instance(folder / "pykmip")
    with RunningServer(instance) as server:
        return [outcome for version in suite.VERSIONS for outcome in play(server, version)]


def play(server: RunningServer, version: str) -> list[Outcome]:
    """Every step in one version."""
    endpoint = suite.Endpoint("127.0.0.1", server.port, server.ca)
    certificates = {name: server.certificate(name) for name in ("client", "client2")}
    return suite.run(endpoint, certificates, version)


def page(found: list[Outcome]) -> str:
    """docs/interop.md."""
    versions = sorted({each.version for each in found})
    by_place = {(each.step, each.version): each for each in found}
    steps = list(dict.fromkeys(each.step for each in found))
    lines = [
        "# Interoperability",
        "",
        f"Written by `make interop` with version {__version__} of this server. Each cell is a step of the real",
        "client, over mutual TLS, with its answer checked; a blank: the KMIP version does not have the operation.",
        "",
        f"## {TITLE}",
        "",
        "| step | " + " | ".join(versions) + " |",
        "|---|" + "---|" * len(versions),
    ]
    for name in steps:
        cells = [_cell(by_place.get((name, version))) for version in versions]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    passed = sum(each.passed for each in found)
    lines += ["", f"{passed} of {len(found)} passed.", ""]
    lines += [f"* {each}" for each in found if not each.passed]
    return "\n".join(lines).rstrip() + "\n"


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    return "passed" if outcome.passed else "**failed**"
