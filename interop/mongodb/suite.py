"""The steps of MongoDB's client-side field level encryption, for any of its drivers.

Strategy: a program that encrypts and decrypts as an application does reads requests from a file and answers in
another (`vault.py` here, `../mongodb_java`); it is a new process each time, so that what is decrypted was not
remembered. What the server holds is looked at by PyKMIP, not by libmongocrypt. The steps are played in both of its
ways: KMIP 1.0, where the master key is fetched and the client wraps with it, and KMIP 1.2, `delegated`, where the
server wraps and the master key stays there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from kmip.core import enums
from kmip.pie.client import ProxyKmipClient
from kmip.pie.objects import SecretData, SymmetricKey

from interop.contract import call
from interop.endpoint import Endpoint
from interop.steps import Outcome, Steps, perform

Program = Sequence[str | Path]
"""The application's command line, but for the two files."""

LIMITS = (
    "Where it is not `delegated`, the client wraps with the master key that it fetched, a revoked one too."
    " Its side: Get of a Deactivated object is allowed.",
    "PyKMIP's server refuses Decrypt with a Deactivated key, which KMIP 1.2 §3.22 allows.",
)

WAYS = {"1.0": False, "1.2": True}
"""By the version that the way brought; whether it is `delegated`."""

step = Steps()
here = Steps()
"""Those of this server alone."""


@dataclass
class Application:
    """A key vault, and an application that uses it; the next process is always a new one."""

    program: Program
    endpoint: Endpoint
    folder: Path
    delegated: bool
    vault: str = ""
    _numbers: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        both = self.folder / "client.pem"
        both.write_text(Path(self.endpoint.certificate).read_text() + Path(self.endpoint.key).read_text())
        self.vault = self.vault or str(self.folder / "vault")

    def ask(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        """What a new process answers."""
        asked, answered = (self.folder / f"{next(self._numbers)}.json" for _ in range(2))
        asked.write_text(
            json.dumps(
                {
                    "server": f"{self.endpoint.host}:{self.endpoint.port}",
                    "ca": self.endpoint.ca,
                    "certificate_and_key": str(self.folder / "client.pem"),
                    "vault": self.vault,
                    "requests": [{"delegated": self.delegated} | each for each in requests],
                }
            )
        )
        call((*self.program, asked, answered), seconds=60)
        answers: list[dict[str, Any]] = json.loads(answered.read_text())
        return answers

    def do(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        """Of requests that must succeed, in one new process."""
        answers = self.ask(*requests)
        for each in answers:
            assert "error" not in each, each["error"]
        return answers

    def refused(self, *requests: dict[str, Any]) -> list[str]:
        """The errors of requests that must not."""
        answers = self.ask(*requests)
        for request, answer in zip(requests, answers, strict=True):
            assert "error" in answer, f"{request['action']} succeeded"
        return [str(each["error"]) for each in answers]

    def server(self) -> ProxyKmipClient:
        """PyKMIP, as the same identity."""
        it = self.endpoint
        return ProxyKmipClient(hostname=it.host, port=it.port, cert=it.certificate, key=it.key, ca=it.ca)


def create(name: str, **request: Any) -> dict[str, Any]:
    return {"action": "create", "name": name, **request}


def encrypt(name: str, value: Any, algorithm: str = "Random") -> dict[str, Any]:
    return {"action": "encrypt", "name": name, "value": value, "algorithm": algorithm}


def decrypt(encrypted: dict[str, Any]) -> dict[str, Any]:
    return {"action": "decrypt", "ciphertext": encrypted["ciphertext"]}


def _master(made: dict[str, Any]) -> str:
    return str(made["master_key"]["keyId"])


def _state(server: ProxyKmipClient, uid: str) -> enums.State:
    _, attributes = server.get_attributes(uid, ["State"])
    state: enums.State = attributes[0].attribute_value.value
    return state


@step("a data key is made; its master key at the server is what it should be")
def _made(application: Application) -> None:
    made = application.do(create("one"), create("two"))
    assert all(each["master_key"].get("delegated", False) == application.delegated for each in made)
    one, two = map(_master, made)
    with application.server() as server:
        for uid in (one, two):
            key = server.get(uid)
            if application.delegated:
                assert isinstance(key, SymmetricKey)
                assert key.cryptographic_algorithm is enums.CryptographicAlgorithm.AES
                assert len(key.value) == 32
            else:
                assert isinstance(key, SecretData)
                assert key.data_type is enums.SecretDataType.SEED
                assert len(key.value) == 96
            assert _state(server, uid) is enums.State.ACTIVE
        assert server.get(one).value != server.get(two).value


@step("a field is encrypted, and decrypted by a process that remembers nothing")
def _cold(application: Application) -> None:
    number, name = encrypt("one", "a card number"), encrypt("one", "a name", "Deterministic")
    _, first, second, third, fourth = application.do(create("one"), number, number, name, name)
    assert first["ciphertext"] != second["ciphertext"]
    assert third["ciphertext"] == fourth["ciphertext"]
    read = application.do(*map(decrypt, (first, second, third)))
    assert [each["value"] for each in read] == ["a card number", "a card number", "a name"]


@step("twenty fields under ten data keys of one master key")
def _many(application: Application) -> None:
    made = application.do(
        create("0"),
        *(create(str(number), master_of="0") for number in range(1, 10)),
        *(encrypt(str(number % 10), number) for number in range(20)),
    )
    assert {_master(each) for each in made[:10]} == {_master(made[0])}
    read = application.do(*map(decrypt, made[10:]))
    assert [each["value"] for each in read] == list(range(20))


@step("rotation: every data key wrapped by a new master key, the old one destroyed")
def _rotation(application: Application) -> None:
    one, two, *encrypted, three = application.do(
        create("one"), create("two", master_of="one"), encrypt("one", 1), encrypt("two", 2), create("three")
    )
    old, new = _master(one), _master(three)
    assert _master(two) == old != new
    (rewrapped,) = application.do({"action": "rewrap", "master_of": "three"})
    assert rewrapped["rewrapped"] == 3
    with application.server() as server:
        server.revoke(enums.RevocationReasonCode.SUPERSEDED, old)
        server.destroy(old)
    first, second, *again = application.do(*map(decrypt, encrypted), encrypt("one", 3), encrypt("two", 4))
    assert (first["value"], second["value"]) == (1, 2)
    assert {_master(each) for each in again} == {new}


@step("a master key that is not there: the error says so")
def _unknown(application: Application) -> None:
    (error,) = application.refused(create("one", key_id="no-such-key"))
    assert "Item Not Found" in error, error


@step("another client's master key is of no use")
def _another(application: Application) -> None:
    it = application.endpoint
    made, encrypted = application.do(create("one"), encrypt("one", "not for others"))
    folder = application.folder / "other"
    folder.mkdir()
    theirs = Endpoint(it.host, it.port, it.ca, it.other_certificate, it.other_key)
    other = replace(application, endpoint=theirs, folder=folder)
    for error in other.refused(decrypt(encrypted), create("two", key_id=_master(made))):
        assert "Item Not Found" in error or "Permission Denied" in error, error


@step("a master key revoked: what was encrypted can be read, the server wraps nothing more with it")
def _revoked(application: Application) -> None:
    made, encrypted = application.do(create("one"), encrypt("one", "from before"))
    with application.server() as server:
        server.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, _master(made))
        assert _state(server, _master(made)) is enums.State.DEACTIVATED
    read, more = application.ask(decrypt(encrypted), create("two", key_id=_master(made)))
    assert read.get("value") == "from before", read
    if application.delegated:  # otherwise the client wraps, and asks nobody
        assert "Permission Denied" in more.get("error", ""), more


@step("a master key destroyed: nothing under it can be read any more, and the error says so")
def _destroyed(application: Application) -> None:
    made, encrypted = application.do(create("one"), encrypt("one", "gone"))
    with application.server() as server:
        server.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, _master(made))
        server.destroy(_master(made))
    for error in application.refused(decrypt(encrypted), encrypt("one", "more")):
        assert "Item Not Found" in error or "Permission Denied" in error, error


@here("as the page says: an application enrolled by kmip-admin, its key listed and on the record")
def _enrolled(application: Application) -> None:
    it, server = application.endpoint, application.endpoint.server
    assert server is not None
    name, prefix = f"app-{it.identity}-{application.folder.name}", application.folder / "enrolled"
    server.admin("client", "enroll", name, "--role", "Appliance", "--out", str(prefix))
    folder = application.folder / "theirs"
    folder.mkdir()
    theirs = Endpoint(it.host, it.port, it.ca, f"{prefix}.pem", f"{prefix}.key")
    enrolled = replace(application, endpoint=theirs, folder=folder)
    made, encrypted = enrolled.do(create("cards"), encrypt("cards", "a value"))
    (read,) = enrolled.do(decrypt(encrypted))
    assert read["value"] == "a value"
    assert _master(made) in server.admin("key", "list").stdout
    assert name in server.admin("audit", "tail").stdout


def play(program: Program, endpoint: Endpoint, folder: Path) -> list[Outcome]:
    steps = [*step.steps, *(here.steps if endpoint.server is not None else ())]
    outcomes = []
    for version, delegated in WAYS.items():
        for number, each in enumerate(steps):
            scratch = folder / f"{version}-{number}"
            scratch.mkdir()
            outcomes.append(perform(each, version, Application(program, endpoint, scratch, delegated)))
    return outcomes


def look(program: Program, endpoint: Endpoint, folder: Path) -> str:
    """A data key made, and a field encrypted with it."""
    application = Application(program, endpoint, folder, delegated=False)
    for answer in application.ask(create("one"), encrypt("one", "a value")):
        if "error" in answer:
            return str(answer["error"]).splitlines()[0].replace(f"{endpoint.host}:{endpoint.port}", "the server")
    return "a data key, made and used"
