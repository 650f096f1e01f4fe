"""make interop: start a server, run every client's suite against it, print and write down what came out.

python interop/run.py [--client NAME]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from interop.pykmip import suite as pykmip  # noqa: E402
from interop.steps import Outcome  # noqa: E402
from kmip_server import __version__  # noqa: E402
from tests.support.server import RunningServer, make_instance  # noqa: E402

PAGE = ROOT / "docs" / "interop.md"
CLIENTS = {"pykmip": "PyKMIP 0.11.0 (Python; ProxyKmipClient and KMIPProxy, unmodified)"}


def outcomes(server: RunningServer, versions: list[str]) -> list[Outcome]:
    """PyKMIP's steps in each version."""
    endpoint = pykmip.Endpoint("127.0.0.1", server.port, server.ca)
    certificates = {name: server.certificate(name) for name in ("client", "client2")}
    return [each for version in versions for each in pykmip.run(endpoint, certificates, version)]


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
        f"## {CLIENTS['pykmip']}",
        "",
        "| step | " + " | ".join(versions) + " |",
        "|---|" + "---|" * len(versions),
    ]
    for name in steps:
        cells = [_cell(by_place.get((name, version))) for version in versions]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    passed = sum(each.passed for each in found)
    lines += ["", f"{passed} of {len(found)} passed.", ""]
    lines += [f"* {each.version} {each.step}: {each.detail}" for each in found if not each.passed]
    return "\n".join(lines).rstrip() + "\n"


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    return "passed" if outcome.passed else "**failed**"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", choices=sorted(CLIENTS), help="only this one")
    parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        instance = make_instance(Path(folder) / "kmip")
        with RunningServer(instance) as server:
            found = outcomes(server, list(pykmip.VERSIONS))
    text = page(found)
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return 0 if all(each.passed for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
