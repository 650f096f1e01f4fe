"""make interop: every client against a server that is started for it; writes down what came out.

python interop/run.py [--client NAME]

A client is a module with a NAME, a TITLE, a PAGE that it is described on, `run(folder) -> outcomes` that starts
what it needs below the folder, and `page(outcomes)`. An outcome says whether it is `acceptable`, and prints as a
line. The exit code is 1 where one is not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from interop.oasis import client as oasis  # noqa: E402
from interop.pykmip import client as pykmip  # noqa: E402
from interop.steps import Skipped  # noqa: E402

CLIENTS = {client.NAME: client for client in (pykmip, oasis)}


def perform(name: str, folder: Path) -> bool:
    """Run a client and write its page. Whether everything came out as it should."""
    client = CLIENTS[name]
    print(f"{client.TITLE}:")
    try:
        found = client.run(folder)
    except Skipped as reason:
        print(f"  left out: {reason}")
        return True
    (ROOT / client.PAGE).write_text(client.page(found), encoding="utf-8")
    wrong = [outcome for outcome in found if not outcome.acceptable]
    for outcome in wrong:
        print(f"  {outcome}")
    print(f"  {len(found) - len(wrong)} of {len(found)} as they should be; see {client.PAGE}")
    return not wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", choices=sorted(CLIENTS), help="only this one")
    only = parser.parse_args().client
    with tempfile.TemporaryDirectory() as folder:
        right = [perform(name, Path(folder)) for name in CLIENTS if only in (None, name)]
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
