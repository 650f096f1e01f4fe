"""cyphera-kmip, a client in Python alone: a second opinion on KMIP 1.4, and a source of malformed requests.

Strategy: `operations.py` has the steps and is run by a Python of its own, with nothing but the client in it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from interop import servers
from interop.contract import KEPT, Client, Failed, call
from interop.endpoint import Endpoint
from interop.steps import Outcome, Skipped

PIN = "cyphera-kmip==0.0.1a1"
PYTHON = KEPT / "cyphera" / "venv" / "bin" / "python"
OPERATIONS = Path(__file__).resolve().parent / "operations.py"


def _say(endpoint: Endpoint, *more: str) -> str:
    it = endpoint
    return call((PYTHON, OPERATIONS, it.host, str(it.port), it.ca, it.certificate, it.key, *more))


def run(endpoint: Endpoint, folder: Path) -> list[Outcome]:
    outcomes = json.loads(_say(endpoint))
    if endpoint.server is not None:
        # It gives both keys of a pair one Name, which `init`'s setting refuses: those meet a server that does not.
        with servers.ours(folder, ('names.unique="off"',)) as endpoints:
            outcomes += json.loads(_say(endpoints[endpoint.identity], "pair"))
    return [Outcome(**each) for each in outcomes]


def probe(endpoint: Endpoint, _: Path) -> str:
    """A key made and destroyed."""
    return _say(endpoint, "probe").splitlines()[0]


def prepare(kept: Path) -> None:
    """A Python of its own with the client; once."""
    stamp = kept / "pin"
    if stamp.exists() and stamp.read_text() == PIN and PYTHON.exists():
        return
    try:
        call((sys.executable, "-m", "venv", "--clear", kept / "venv"))
        call((kept / "venv" / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", PIN))
    except Failed as error:
        raise Skipped(f"cyphera-kmip cannot be installed: {error}") from error
    stamp.write_text(PIN)


CLIENT = Client(
    name="cyphera",
    title="cyphera-kmip",
    version="0.0.1a1",
    language="Python",
    installed_by="`pip install --pre cyphera-kmip==0.0.1a1`",
    limits=(
        "Its side: Revoke, Derive Key, Delete Attribute, Poll, Encrypt, Decrypt, Sign, Signature Verify and MAC are"
        " malformed (wrong tags, fields missing) and refused; it shows no reason, since it looks for that under a"
        " wrong tag too; Query asks for nothing. Create Key Pair gives both keys one Name, against KMIP 1.4 §3.2:"
        ' it needs `names.unique = "off"`.',
        "This server's side: Obtain Lease, Archive, Recover, Derive Key and Poll are not served in this version.",
    ),
    prepare=prepare,
    run=run,
    probe=probe,
)
