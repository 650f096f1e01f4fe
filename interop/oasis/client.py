"""The OASIS vectors as a client: plays them with the conformance runner and tells what each came to.

Strategy: the runner is another program and judges alone. Here it is started against a fresh server for each
version, and its verdicts are read and put beside `expected.EXPECTED`; no verdict is changed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from interop import steps
from interop.contract import ROOT, Client
from interop.endpoint import Endpoint
from interop.oasis.expected import EXPECTED
from interop.steps import Skipped
from kmip_server import __version__
from tests.support.server import RunningServer, make_instance

PAGE = "conformance.md"

CONFORMANCE = Path(
    os.environ.get("KMIP_CONFORMANCE") or Path(__file__).resolve().parents[3] / "shared" / "conformance"
)
SETS = {"1.4": "vectors/v1.4", "2.1": "vectors/v2.1"}

# What the vectors need that a server as `init` makes it does not offer: DES, 3DES with two keys, Skipjack; Interop.
SETTINGS: tuple[str, ...] = ("protocol.weak_algorithms=true", "protocol.interop=true")

_DEADLINE_SECONDS = 600
_RESULTS = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}
_LONG_HEX = re.compile(r"\b(?:[0-9a-f]{2}){16,}\b")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A vector and what it came to. `differences` from what was wanted, or why it was not played."""

    version: str
    name: str
    group: str
    result: str  # passed, failed or skipped
    differences: tuple[str, ...] = ()
    known_bad: str = ""  # kind and reason, where the runner's authors list the vector so

    @property
    def expected(self) -> str:
        """Why the vector does not pass, where `EXPECTED` knows that and it fails in no other way; else empty."""
        known = EXPECTED.get(self.name)
        return known.reason if known is not None and known.covers(self.differences) else ""

    @property
    def acceptable(self) -> bool:
        return self.result == "passed" or bool(self.expected)

    def __str__(self) -> str:
        more = f" (and {len(self.differences) - 1} more)" if len(self.differences) > 1 else ""
        return f"{self.version} {self.name}: {self.result}, {''.join(self.differences[:1])}{more}"


def available() -> bool:
    """Whether the runner and the vectors are there."""
    return (CONFORMANCE / "kmipconf").is_dir()


def prepare(_: Path) -> None:
    """Raises Skipped where the runner or the vectors are missing."""
    if not available():
        raise Skipped("the conformance runner and the OASIS vectors are not beside this repository")


def run(_: Endpoint, folder: Path) -> list[steps.Outcome]:
    """Every vector of every set, against servers of its own; a page of its own tells of them."""
    found = [outcome for version in SETS for outcome in play(version, folder)]
    (ROOT / "docs" / PAGE).write_text(page(found), encoding="utf-8")
    return [steps.Outcome(each.version, each.name, each.acceptable, str(each)) for each in found]


def play(
    version: str, folder: Path, settings: Sequence[str] = SETTINGS, vectors: Path | None = None
) -> list[Outcome]:
    """The vectors of one version, or those in a folder, against a server of their own with these settings."""
    options = [word for setting in settings for word in ("--set", setting)]
    instance = make_instance(folder / f"oasis-{version}", *options)
    verdicts = folder / f"oasis-{version}.json"
    with RunningServer(instance) as server:
        _play(server, str(vectors or SETS[version]), verdicts)
    known = known_bad()
    found = json.loads(verdicts.read_text(encoding="utf-8"))["results"]
    return [
        Outcome(
            version,
            each["name"],
            each["group"],
            _RESULTS[each["status"]],
            tuple(shortened(difference) for difference in each["reasons"]),
            known.get(each["name"], ""),
        )
        for each in found
    ]


def corrected(version: str, folder: Path) -> Path:
    """A folder with the version's vectors that are wrong, each as its row in `EXPECTED` corrects it."""
    made = folder / f"corrected-{version}"
    made.mkdir()
    for path in (CONFORMANCE / SETS[version]).rglob("*.xml"):
        known = EXPECTED.get(path.stem)
        if known is not None and known.correction is not None:
            text = path.read_text(encoding="utf-8")
            if known.correction[0] not in text:
                raise ValueError(f"{path.name} does not hold what EXPECTED corrects")
            (made / path.name).write_text(text.replace(*known.correction), encoding="utf-8")
    return made


def _play(server: RunningServer, vectors: str, verdicts: Path) -> None:
    certificate, key = server.certificate()
    subprocess.run(
        [
            *(sys.executable, "-m", "kmipconf", "run"),
            *("--host", "127.0.0.1", "--port", str(server.port)),
            *("--ca", server.ca, "--cert", certificate, "--key", key),
            *("--json", str(verdicts), vectors),
        ],
        cwd=CONFORMANCE,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=_DEADLINE_SECONDS,
    )


def known_bad() -> dict[str, str]:
    """Vectors in error, or that only a particular server passes: name to kind and reason."""
    listed = json.loads((CONFORMANCE / "known_bad.json").read_text(encoding="utf-8"))["vectors"]
    return {name: f"{each['kind']}: {each['reason']}" for each in listed for name in each["names"]}


def shortened(difference: str) -> str:
    """What came, where it is long, by its length: it is random, and the page changes only where a result does."""
    before, got, came = difference.partition(" got ")
    return before + got + _LONG_HEX.sub(lambda value: f"other {len(value[0]) // 2} bytes", came)


# --- the page -----------------------------------------------------------------------------------


def page(found: list[Outcome]) -> str:
    """docs/conformance.md."""
    settings = " and ".join(f"`{each}`" for each in SETTINGS)
    lines = [
        "# Conformance",
        "",
        f"Written by `make interop` with version {__version__} of this server: the official test cases of the KMIP",
        f"Profiles {' and '.join(SETS)}, mandatory (`-M-`) and optional (`-O-`), played over mutual TLS by a",
        "conformance runner that shares no code with it. Each version's vectors meet a server of their own, as",
        f"`kmip-server init` makes it on SoftHSM, with {settings}.",
        "Answers are compared item by item; what may vary is section 4.1, Permitted Test Case Variations, of the",
        "KMIP Profiles.",
        "",
        "## Totals",
        "",
        *_totals(found),
    ]
    for version in SETS:
        lines += ["", f"## KMIP {version}", "", "| vector | result | remark |", "|---|---|---|"]
        lines += [
            f"| {each.name} | {_result(each)} | {_remark(each)} |" for each in found if each.version == version
        ]
    return "\n".join(lines) + "\n"


def _totals(found: list[Outcome]) -> list[str]:
    counts = Counter((each.version, group, each.result) for each in found for group in (each.group, "all"))
    titles = [f"{version} {result}" for version in SETS for result in _RESULTS.values()]
    lines = ["| group | " + " | ".join(titles) + " |", "|---|" + "---|" * len(titles)]
    for group in [*sorted({each.group for each in found}), "all"]:
        cells = [counts[version, group, result] for version in SETS for result in _RESULTS.values()]
        lines.append(f"| {group} | " + " | ".join(str(cell or "") for cell in cells) + " |")
    return lines


def _result(outcome: Outcome) -> str:
    return outcome.result if outcome.acceptable else f"**{outcome.result}**"


def _remark(outcome: Outcome) -> str:
    if outcome.result == "passed":
        return ""
    listed = f"listed as known-bad ({outcome.known_bad})" if outcome.known_bad else ""
    given = (outcome.expected, listed, *outcome.differences[:1])
    return "; ".join(each for each in given if each).replace("|", "\\|")


CLIENT = Client(
    name="oasis",
    title="OASIS KMIP test cases, played by a conformance runner",
    version="1.4 and 2.1",
    language="Python",
    installed_by="stands beside the repository",
    prepare=prepare,
    run=run,
    side_by_side=False,
    plays_pykmip=False,
    page=PAGE,
    limits=("Vectors that no server passes, and the few that are excepted, count as passed; the page names them.",),
)
