"""NLnet Labs' KMIP client in Rust, which Krill and Nameshed sign with: the crate `kmip-protocol`, over OpenSSL.

Strategy: the steps are written in Rust (`program/`), by the crate's own client; the program writes a line for each.
The crate speaks the least version that has an operation, 1.0 to 1.2; all goes over one connection.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from interop.contract import KEPT, Client, Failed, call
from interop.endpoint import Endpoint
from interop.steps import Outcome, Skipped

PROGRAM = Path(__file__).resolve().parent / "program"
BINARY = KEPT / "nlnet" / "target" / "debug" / "nlnet-steps"


def _say(endpoint: Endpoint, *more: str) -> str:
    it = endpoint
    return call((BINARY, it.host, str(it.port), it.ca, it.certificate, it.key, *more))


def run(endpoint: Endpoint, _: Path) -> list[Outcome]:
    lines = [line.split("\t") for line in _say(endpoint).splitlines()]
    return [Outcome(version, name, not wrong, wrong) for version, name, wrong in lines]


def probe(endpoint: Endpoint, _: Path) -> str:
    """A key pair made and destroyed."""
    try:
        return _say(endpoint, "probe").splitlines()[0]
    except Failed as error:
        return str(error).splitlines()[0]


def prepare(kept: Path) -> None:
    """The program built, with the versions of its Cargo.lock."""
    try:
        if shutil.which("pkg-config") is None or not Path("/usr/include/openssl/ssl.h").exists():
            call(("apt-get", "install", "-y", "--no-install-recommends", "pkg-config", "libssl-dev"))
        call(
            ("cargo", "build", "--locked", "--quiet", "--jobs", "2"),
            folder=PROGRAM,
            environment={"CARGO_TARGET_DIR": str(kept / "target")},
            seconds=600,
        )
    except Failed as error:
        raise Skipped(f"kmip-protocol cannot be built: {error}") from error


CLIENT = Client(
    name="nlnet",
    title="NLnet Labs' KMIP client (Krill, Nameshed)",
    version="kmip-protocol 0.4.3",
    language="Rust",
    installed_by="`cargo add kmip-protocol@0.4.3 --features tls-with-openssl`",
    needs=("cargo",),
    limits=(
        "PyKMIP's server leaves Modify Attribute out of its Query, has no RNG Retrieve and no Add Attribute, and"
        " forgets what it destroyed (KMIP 1.0 §4.20: its attributes are retained).",
    ),
    prepare=prepare,
    run=run,
    probe=probe,
)
