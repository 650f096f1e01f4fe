"""make interop: every client against servers that are started for it; writes down what came out.

python interop/run.py [--client NAME] [--only-ours] [--no-skip]

Each client's suite is played by two identities side by side against this server, then against PyKMIP's where the
client's folder says so, and then it meets what can be wrong (`trouble.py`). What came of it is kept in
`results/NAME.json`, and `docs/interop.md` is made of all of those. The exit code is 1 where something did not come
out as it should at this server.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from interop import page, play  # noqa: E402
from interop.contract import Client  # noqa: E402
from interop.steps import Skipped  # noqa: E402

FOLDER = Path(__file__).resolve().parent


def clients() -> dict[str, Client]:
    """Of each folder that has a client.py."""
    found = sorted(path.parent.name for path in FOLDER.glob("*/client.py"))
    return {name: importlib.import_module(f"interop.{name}.client").CLIENT for name in found}


def main() -> int:
    known = clients()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", choices=sorted(known), help="only this one")
    parser.add_argument("--only-ours", action="store_true", help="not against PyKMIP's server")
    parser.add_argument("--no-skip", action="store_true", help="a client that cannot be had is a failure")
    options = parser.parse_args()
    wrong = 0
    for name, client in known.items():
        if options.client not in (None, name):
            continue
        print(f"{client.title}:", flush=True)
        began = time.monotonic()
        try:
            with tempfile.TemporaryDirectory() as folder:
                result = play.whole(client, Path(folder), only_ours=options.only_ours)
        except Skipped as reason:
            print(f"  left out: {reason}", flush=True)
            wrong += options.no_skip
            continue
        play.keep(result)
        for line in result.complaints():
            print(f"  {line}", flush=True)
        wrong += len(result.complaints())
        print(f"  {result.summary()}; {time.monotonic() - began:.0f} s", flush=True)
    page.write(play.kept())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
