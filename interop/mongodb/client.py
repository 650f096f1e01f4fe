"""MongoDB's client-side field level encryption by pymongo and libmongocrypt; `vault.py` is the application."""

from __future__ import annotations

import sys
from pathlib import Path

from interop.contract import KEPT, Client, Failed, call
from interop.endpoint import Endpoint
from interop.mongodb import suite
from interop.steps import Outcome, Skipped

PINS = ("pymongo[encryption]==4.20.0", "pymongocrypt==1.21.2")
PYTHON = KEPT / "mongodb" / "venv" / "bin" / "python"
PROGRAM = (PYTHON, Path(__file__).resolve().parent / "vault.py")


def run(endpoint: Endpoint, folder: Path) -> list[Outcome]:
    return suite.play(PROGRAM, endpoint, folder)


def probe(endpoint: Endpoint, folder: Path) -> str:
    return suite.look(PROGRAM, endpoint, folder)


def prepare(kept: Path) -> None:
    """A Python of its own with the driver; once."""
    stamp = kept / "pins"
    if stamp.exists() and stamp.read_text() == str(PINS) and PYTHON.exists():
        return
    try:
        call((sys.executable, "-m", "venv", "--clear", kept / "venv"))
        call((kept / "venv" / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *PINS))
    except Failed as error:
        raise Skipped(f"pymongo cannot be installed: {error}") from error
    stamp.write_text(str(PINS))


CLIENT = Client(
    name="mongodb",
    title="MongoDB field level encryption: libmongocrypt by pymongo",
    version="1.21.0 (pymongocrypt 1.21.2, pymongo 4.20.0)",
    language="C, Python",
    installed_by="`pip install 'pymongo[encryption]==4.20.0' pymongocrypt==1.21.2`",
    limits=suite.LIMITS,
    prepare=prepare,
    run=run,
    probe=probe,
)
