"""What ceph-csi and Rook say, by the unmodified Go module that both are built on."""

from __future__ import annotations

from pathlib import Path

from interop import golang
from interop.contract import KEPT, Client
from interop.endpoint import Endpoint
from interop.steps import Outcome

PROGRAM = KEPT / "gemalto" / "gemalto-steps"
PROGRAM_20 = KEPT / "gemalto" / "gemalto-steps-2.0"


def prepare(kept: Path) -> None:
    golang.build(Path(__file__).parent, kept / PROGRAM.name)
    golang.build(Path(__file__).parent, kept / PROGRAM_20.name, tags="version20")


def run(endpoint: Endpoint, folder: Path) -> list[Outcome]:
    arguments = golang.arguments(endpoint)
    return [
        *golang.play([PROGRAM, *arguments], folder=folder),
        *golang.play([PROGRAM_20, *arguments], folder=folder),
    ]


def probe(endpoint: Endpoint, folder: Path) -> str:
    """Rook's passphrase, kept, fetched and deleted; what the module says otherwise."""
    return golang.probe([PROGRAM, "-probe", *golang.arguments(endpoint)], folder=folder)


CLIENT = Client(
    name="gemalto",
    title="What ceph-csi and Rook say, by gemalto kmip-go",
    version="0.0.10",
    language="Go",
    installed_by="Go module `github.com/gemalto/kmip-go` v0.0.10",
    needs=("go",),
    limits=(
        "ceph-csi and Rook themselves need a Kubernetes cluster and are not run. Module: a program that has its"
        " structures of 2.0 writes a Unique Identifier that is a number as an enumeration, in 1.4 too.",
    ),
    prepare=prepare,
    run=run,
    probe=probe,
)
