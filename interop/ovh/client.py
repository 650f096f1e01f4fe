"""OVHcloud's KMIP client for Go: a program of ours in this folder that uses the unmodified module."""

from __future__ import annotations

from pathlib import Path

from interop import golang
from interop.contract import KEPT, Client
from interop.endpoint import Endpoint
from interop.steps import Outcome

PROGRAM = KEPT / "ovh" / "ovh-steps"


def prepare(kept: Path) -> None:
    golang.build(Path(__file__).parent, kept / PROGRAM.name)


def run(endpoint: Endpoint, folder: Path) -> list[Outcome]:
    return golang.play([PROGRAM, *golang.arguments(endpoint)], folder=folder)


def probe(endpoint: Endpoint, folder: Path) -> str:
    """A key made and fetched; what the client says otherwise."""
    return golang.probe([PROGRAM, "-probe", *golang.arguments(endpoint)], folder=folder)


CLIENT = Client(
    name="ovh",
    title="OVHcloud kmip-go",
    version="0.9.2",
    language="Go",
    installed_by="Go module `github.com/ovh/kmip-go` v0.9.2",
    needs=("go",),
    limits=(
        "Client: its Import sends no object, so the suite fills the payload; its crypto.Signer sends a digest,"
        " which has no field before 1.4; of a batch that stops at an error it says only `Batch count mismatch`.",
    ),
    prepare=prepare,
    run=run,
    probe=probe,
)
