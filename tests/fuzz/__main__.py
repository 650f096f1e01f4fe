"""make fuzz: atheris, from the committed seeds and what earlier runs have left.

    python -m tests.fuzz [TARGET...] [--seconds S | --runs N] [--seed N] [--work FOLDER]
    python -m tests.fuzz TARGET --replay FILE...

Strategy: atheris changes inputs, by `mutation.py` where they are messages, and keeps those that reach new branches of
the server in FOLDER (var/fuzz/TARGET). The server is instrumented once; each target then has a process of its own, one
after the other. A finding ends the run with exit code 77 and leaves its input beside them as `finding-...`: put it into
`found/TARGET/` under a name that tells what it was, and mend the server.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.fuzz import CORPUS, FOUND, NAMES

MAX_LENGTH = {"framing": 10_000, "ttlv": 2_000, "typed": 6_000, "conversation": 8_000}
SLOWEST_SECONDS = 20
"""One input that takes longer is a finding."""
MEMORY_MB = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=NAMES, metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=0, help="for each target")
    parser.add_argument("--runs", type=int, default=-1, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("var/fuzz"))
    parser.add_argument("--replay", type=Path, nargs="+", help="only these inputs, without atheris")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(NAMES):
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if options.replay:
        replay(options.targets, options.replay)
    else:
        sys.exit(fuzz(options))


def replay(targets: list[str], paths: list[Path]) -> None:
    """Raises what a target raises."""
    from tests.fuzz.targets import TARGETS

    for target in targets:
        for path in paths:
            TARGETS[target](path.read_bytes())


def fuzz(options: argparse.Namespace) -> int:
    """Run the targets up to the first that finds something; returns its exit code, or 0."""
    import atheris

    # The server's own branches count, and only those.
    with atheris.instrument_imports(include=["kmip_server"]):
        import tests.fuzz.targets  # noqa: F401
    for target in options.targets:
        print(f"--- {target}", file=sys.stderr, flush=True)
        child = os.fork()
        if child == 0:
            _run(target, options)
        _, status = os.waitpid(child, 0)
        if code := os.waitstatus_to_exitcode(status):
            return code
    return 0


def _run(target: str, options: argparse.Namespace) -> None:
    """Atheris ends the process."""
    import atheris

    from tests.fuzz.mutation import Mutation
    from tests.fuzz.targets import TARGETS

    work = options.work / target
    work.mkdir(parents=True, exist_ok=True)
    folders = [each / target for each in (CORPUS, FOUND) if (each / target).is_dir()]
    pool = [path.read_bytes() for folder in folders for path in sorted(folder.iterdir())]

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        return Mutation(seed, pool).apply(data, max_size, atheris.Mutate)

    arguments = [
        sys.argv[0],
        f"-seed={options.seed}",
        f"-runs={options.runs}",
        f"-max_total_time={options.seconds}",
        f"-max_len={MAX_LENGTH[target]}",
        f"-timeout={SLOWEST_SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-artifact_prefix={work / 'finding-'}",
        "-print_final_stats=1",
        str(work),
        *map(str, folders),
    ]
    atheris.Setup(arguments, TARGETS[target], custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
