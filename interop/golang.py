"""Clients in Go: modules downloaded and programs built into a folder that is kept, and a program's lines read.

Strategy: a client's folder holds a Go module whose go.mod and go.sum name the client's own module by version and
digest, so what is built is the published client, unchanged. A program of ours on top of it prints a line of JSON
for each step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from interop.contract import KEPT, Failed, call
from interop.endpoint import Endpoint
from interop.steps import Outcome, Skipped

CACHES = KEPT / "go"
"""Of all Go clients together: they share the standard library and some modules."""
BUILD_SECONDS = 900
PROBE_SECONDS = 20
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}:\d+(?:->\d{1,3}(?:\.\d{1,3}){3}:\d+)?")


def build(module: Path, target: Path, *, tags: str = "", package: str = ".") -> None:
    """A program, built anew where its source or its modules changed. Raises Skipped where those cannot be had."""
    environment = _environment()
    try:
        call(["go", "mod", "download"], folder=module, environment=environment, seconds=BUILD_SECONDS)
    except Failed as error:
        raise Skipped(f"its Go modules cannot be had: {str(error).splitlines()[-1]}") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    call(
        ["go", "build", "-p", "2", "-trimpath", "-tags", tags, "-o", target, package],
        folder=module,
        environment=environment,
        seconds=BUILD_SECONDS,
    )


def _environment() -> dict[str, str]:
    """Nothing of the user's own settings but where modules come from."""
    return {
        "CGO_ENABLED": "0",
        "GOCACHE": str(CACHES / "build"),
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
        "GOMODCACHE": str(CACHES / "modules"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def arguments(endpoint: Endpoint) -> list[str]:
    """What the programs of ours are told of a server, and of who they are there."""
    return [
        *("-address", f"{endpoint.host}:{endpoint.port}", "-ca", endpoint.ca),
        *("-cert", endpoint.certificate, "-key", endpoint.key),
        *("-other-cert", endpoint.other_certificate, "-other-key", endpoint.other_key),
    ]


def play(
    command: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 240,
) -> list[Outcome]:
    """What a program of ours prints, a step on a line. One that ends otherwise than well is a failed step."""
    try:
        printed = call(command, folder=folder, environment=environment, seconds=seconds)
    except Failed as error:
        return [Outcome("", "the program runs to its end", False, str(error))]
    return [_outcome(line) for line in printed.splitlines() if line.startswith("{")]


def probe(command: Sequence[str | Path], *, folder: Path | None = None) -> str:
    """The first line that a program prints, without addresses, which differ from run to run."""
    try:
        printed = call(command, folder=folder, seconds=PROBE_SECONDS, expect=None).strip()
    except Failed:
        return f"nothing; it still waits after {PROBE_SECONDS} s"
    first = printed.splitlines()[0] if printed else "nothing"
    return without_addresses(first)


def without_addresses(text: str) -> str:
    return _ADDRESS.sub("ADDRESS", text)


def _outcome(line: str) -> Outcome:
    said = json.loads(line)
    return Outcome(said["version"], said["name"], said["passed"], said.get("detail", ""))
