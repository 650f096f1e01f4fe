"""NLnet Labs' KMIP client in Rust, which Krill and Nameshed sign with: the crate `kmip-protocol`, over OpenSSL.

Strategy: the steps are written in Rust (`program/`), by the crate's own client; the program writes a line for each.
The crate speaks the least version that has an operation, 1.0 to 1.2; all goes over one connection.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from interop.contract import KEPT, Client, Failed, call
from interop.endpoint import Endpoint
from interop.steps import Outcome, Skipped, Steps, perform

PROGRAM = Path(__file__).resolve().parent / "program"
BINARY = KEPT / "nlnet" / "target" / "debug" / "nlnet-steps"

here = Steps()
"""Those of this server alone."""


def _say(endpoint: Endpoint, *more: str) -> str:
    it = endpoint
    return call((BINARY, it.host, str(it.port), it.ca, it.certificate, it.key, *more))


@here("a username and its password are taken, a wrong password and another's name are not")
def _credential(endpoint: Endpoint, folder: Path) -> None:
    assert endpoint.server is not None
    password = folder / "password"
    password.touch(0o600)
    password.write_text("correct horse battery staple")
    name = endpoint.identity
    endpoint.server.admin("client", "password", name, "--password-file", str(password))
    assert _say(endpoint, "as", name, "correct horse battery staple").strip() == "welcome"
    for username, secret in ((name, "wrong horse"), ("nobody", "correct horse battery staple")):
        said = _say(endpoint, "as", username, secret)
        assert said.startswith("Server error: Operation RNGRetrieve failed"), said


def run(endpoint: Endpoint, folder: Path) -> list[Outcome]:
    lines = [line.split("\t") for line in _say(endpoint).splitlines()]
    steps = here.steps if endpoint.server is not None else ()
    return [
        *(Outcome(version, name, not wrong, wrong) for version, name, wrong in lines),
        *(perform(each, "1.2", endpoint, folder) for each in steps),
    ]


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
        "PyKMIP's server leaves Modify Attribute out of its Query, and has no RNG Retrieve and no Add Attribute.",
    ),
    prepare=prepare,
    run=run,
    probe=probe,
)
