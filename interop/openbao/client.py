"""OpenBao's KMIP seal: the unmodified module that OpenBao itself seals by, in a program of ours in this folder.

Strategy: what the seal does to keys is played by the program alone (`steps.go`). What an operator meets is played
here, against a server of its own: an identity enrolled, a key made by PyKMIP, the seal configured by OpenBao's
variables and held in a process that goes on while the server is stopped and started again.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from kmip.core import enums
from kmip.pie.client import ProxyKmipClient

from interop import golang, servers
from interop.contract import KEPT, Client
from interop.endpoint import Endpoint
from interop.steps import Outcome, Steps, perform

PROGRAM = KEPT / "openbao" / "openbao-seal"
ROOT_KEY = b"a root key of OpenBao, 32 bytes!"
_MASK = enums.CryptographicUsageMask
step = Steps()


class Refused(Exception):
    """What the seal says of an error."""


class Seal:
    """The seal in a process that goes on, as OpenBao's does."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [str(PROGRAM)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.version = self._answer()

    def seal(self, data: bytes) -> bytes:
        return self._ask("seal", data)

    def unseal(self, blob: bytes) -> bytes:
        return self._ask("unseal", blob)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def _ask(self, word: str, data: bytes) -> bytes:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word} {data.hex()}\n")
        self._process.stdin.flush()
        return bytes.fromhex(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        word, _, said = self._process.stdout.readline().strip().partition(" ")
        if word != "ok":
            raise Refused(said)
        return said


class Operator:
    """Who sets OpenBao up: an identity for it, and a key that this identity owns."""

    def __init__(self, endpoint: Endpoint, folder: Path) -> None:
        assert endpoint.server is not None
        self.server = endpoint.server
        self.prefix = folder / "openbao"
        self.server.admin("client", "enroll", "openbao", "--role", "Appliance", "--out", str(self.prefix))
        with self.client() as client:
            self.uid = client.create(
                enums.CryptographicAlgorithm.AES,
                256,
                name="openbao unseal",
                cryptographic_usage_mask=[
                    enums.CryptographicUsageMask.ENCRYPT,
                    enums.CryptographicUsageMask.DECRYPT,
                ],
            )
            client.activate(self.uid)

    def client(self) -> ProxyKmipClient:
        certificate, key = f"{self.prefix}.pem", f"{self.prefix}.key"
        return ProxyKmipClient("127.0.0.1", self.server.port, cert=certificate, key=key, ca=self.server.ca)

    def environment(self) -> dict[str, str]:
        """OpenBao's own names."""
        return {
            "BAO_KMIP_ENDPOINT": f"127.0.0.1:{self.server.port}",
            "BAO_KMIP_CA_CERT": self.server.ca,
            "BAO_KMIP_CLIENT_CERT": f"{self.prefix}.pem",
            "BAO_KMIP_CLIENT_KEY": f"{self.prefix}.key",
            "BAO_KMIP_WRAPPER_KEY_ID": self.uid,
            "BAO_KMIP_TIMEOUT": "10",
        }


@step(
    "set up: an identity enrolled, a key made by PyKMIP, BAO_KMIP_ variables; on record with the key's identifier"
)
def _set_up(operator: Operator) -> None:
    with Seal(operator.environment()) as seal:
        assert seal.version == "1.4"
        assert seal.unseal(seal.seal(ROOT_KEY)) == ROOT_KEY
    recorded = operator.server.admin("audit", "tail", "--json").stdout
    assert operator.uid in recorded


@step("the server stopped and started: the seal says so, then goes on; what was sealed before is unsealed")
def _restart(operator: Operator) -> None:
    with Seal(operator.environment()) as seal:
        blob = seal.seal(ROOT_KEY)
        operator.server.stop()
        try:
            said = _refused(seal, blob)
            assert "connection refused" in said, said
        finally:
            operator.server.start()
        assert seal.unseal(blob) == ROOT_KEY
    with Seal(operator.environment()) as fresh:
        assert fresh.unseal(blob) == ROOT_KEY


@step("the key revoked by its owner while the seal runs: sealed no more, still unsealed; destroyed: not at all")
def _revoked(operator: Operator) -> None:
    with Seal(operator.environment()) as seal, operator.client() as client:
        blob = seal.seal(ROOT_KEY)
        client.revoke(enums.RevocationReasonCode.SUPERSEDED, operator.uid)
        try:
            seal.seal(ROOT_KEY)
        except Refused as reason:
            assert "OperationFailed" in str(reason)
        else:
            raise AssertionError("a revoked key seals")
        assert seal.unseal(blob) == ROOT_KEY
        client.destroy(operator.uid)
        assert "OperationFailed" in _refused(seal, blob)


def _refused(seal: Seal, blob: bytes) -> str:
    try:
        seal.unseal(blob)
    except Refused as reason:
        return str(reason)
    raise AssertionError("was unsealed")


@contextmanager
def _operator(folder: Path) -> Iterator[Operator]:
    """With a server of its own, which others are not using while it is down."""
    with servers.ours(folder) as endpoints:
        yield Operator(endpoints[servers.IDENTITIES[0]], folder)


def prepare(kept: Path) -> None:
    golang.build(Path(__file__).parent, kept / PROGRAM.name)


def run(endpoint: Endpoint, folder: Path) -> list[Outcome]:
    outcomes = golang.play([PROGRAM, "-steps", *golang.arguments(endpoint)], folder=folder)
    if endpoint.server is not None:
        with _operator(folder) as operator:
            outcomes += [perform(each, "1.4", operator) for each in step.steps]
    return outcomes


def probe(endpoint: Endpoint, folder: Path) -> str:
    """Sealed and unsealed once; what the seal says otherwise."""
    return golang.probe([PROGRAM, "-probe", *golang.arguments(endpoint)], folder=folder)


CLIENT = Client(
    name="openbao",
    title="OpenBao's KMIP seal",
    version="2.1.0",
    language="Go",
    installed_by="Go module `github.com/openbao/go-kms-wrapping/wrappers/kmip/v2` v2.1.0",
    needs=("go",),
    limits=(
        "The seal's module is run, not OpenBao: no package registry has it. v2.2.0 of the module has no entry in"
        " Go's checksum database, so v2.1.0 is played.",
    ),
    prepare=prepare,
    run=run,
    probe=probe,
)
