"""What a client's folder holds: `client.py` with CLIENT, as declared here, and a README.md.

Strategy: a client is the real, unmodified program from its own package. `prepare` brings it, into a folder that is
kept between runs; `run` plays its steps against the server it is given, and knows nothing of which server that is;
`probe` does the least that it can, and tells what it shows to its user. Who has steps of this server alone (a
restart, a key revoked from outside) looks at `endpoint.server`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interop.endpoint import Endpoint
from interop.steps import Outcome, Skipped

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "var" / "interop"
"""What `prepare` brings, a folder for each client."""

Play = Callable[[Endpoint, Path], list[Outcome]]
"""With a scratch folder. Names of objects may repeat from run to run: each run has an owner of its own."""


def nothing_to_prepare(_: Path) -> None:
    """For clients that `make setup` installs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client, and how it is run."""

    name: str
    """The folder's."""
    title: str
    version: str
    language: str
    installed_by: str
    """In a few words, for the table."""
    needs: tuple[str, ...] = ()
    """Programs that a machine may lack (go, cargo, mvn): without them the client is left out, with a sentence."""
    settings: tuple[str, ...] = ()
    """What this server is made with besides what `init` does; `section.key=value`."""
    limits: tuple[str, ...] = ()
    """What does not work, and on which side: sentences for the table."""
    prepare: Callable[[Path], None] = nothing_to_prepare
    """Raises Skipped where it cannot be had."""
    run: Play
    probe: Callable[[Endpoint, Path], str] | None = None
    """Fetch or make a key once; returns what the client shows, also of an error (first line, no addresses)."""
    plays_pykmip: bool = True
    """Whether the same suite is played against PyKMIP's server too."""
    side_by_side: bool = True
    """Whether two identities play it at the same time; a suite that brings its own servers is played once."""
    page: str = ""
    """Below docs/, where its steps are told on a page of their own."""

    @property
    def kept(self) -> Path:
        return KEPT / self.name

    def require(self) -> None:
        """Raise Skipped where a program is missing."""
        for program in self.needs:
            if shutil.which(program) is None:
                raise Skipped(f"{self.title} needs {program}, which is not on this machine")


class Failed(Exception):
    """A program of a client ended otherwise than expected."""


def call(
    command: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 240,
    expect: int | None = 0,
) -> str:
    """What a program prints, both ways together. Raises Failed where it ends otherwise or takes too long."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=os.environ | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{words[0]} took more than {seconds:.0f} s") from error
    if expect is not None and done.returncode != expect:
        raise Failed(f"{' '.join(words[:3])} ended with {done.returncode}: {done.stdout[-2000:].strip()}")
    return done.stdout


@contextmanager
def running(
    command: Sequence[str | Path], output: Path, *, seconds: float = 10
) -> Iterator[subprocess.Popen[bytes]]:
    """A server, until the end of the block. `seconds`: what its end may take before it is killed."""
    with output.open("ab") as file:
        process = subprocess.Popen(
            list(map(str, command)), stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
