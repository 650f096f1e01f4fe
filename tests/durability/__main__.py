"""The long form: the server killed, and its power cut, hundreds of times.

python -m tests.durability [--rounds N] [--cuts N] [--seed N]
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.durability import cuts, shim
from tests.durability.rounds import Rounds
from tests.support.server import make_instance


def kill(folder: Path, rounds: int, seed: int) -> None:
    """So many with one worker, and with two."""
    for workers in (1, 2):
        instance = make_instance(folder / f"kmip-{workers}", "--set", f"server.workers={workers}")
        figures = Rounds(instance, seed, tell=lambda text: print(text, flush=True)).run(rounds)
        print(f"{workers} worker(s): {figures}", flush=True)


def cut(folder: Path, count: int, seed: int) -> None:
    start = time.monotonic()
    instance = make_instance(folder / "recorded", "--keystore", "software")
    recording = cuts.record(instance, shim.build(folder), str(seed), count=1000)
    rng = random.Random(seed)
    lost = sum(
        cuts.cut(recording, rng, each, torn=torn)
        for torn, each in ((False, count // 2), (True, count - count // 2))
    )
    print(
        f"{count} power cuts over {recording.load.acknowledged} requests and {len(recording.events)} events; with "
        f"{lost} changes unsynced in all, nothing acknowledged was lost; {time.monotonic() - start:.0f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    given = parser.parse_args()
    logging.disable(logging.WARNING)  # the software keystore says at each opening that it is no HSM
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        if given.rounds:
            kill(Path(folder), given.rounds, given.seed)
        if given.cuts:
            cut(Path(folder), given.cuts, given.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
