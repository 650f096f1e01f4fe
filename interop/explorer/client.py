"""kmip-explorer, a terminal program for KMIP objects: keys typed as a person does, checked by PyKMIP beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from kmip.core import enums
from kmip.core.factories.attributes import AttributeFactory
from kmip.pie.client import ProxyKmipClient
from kmip.pie.exceptions import KmipOperationFailure

from interop import golang
from interop.contract import KEPT, Client
from interop.endpoint import Endpoint
from interop.explorer.terminal import Ended, Terminal
from interop.steps import Outcome, Step, Steps, perform

PROGRAM = KEPT / "explorer" / "kmip-explorer"
PACKAGE = "github.com/phsym/kmip-explorer/cmd/kmip-explorer"
ENTER, TAB, BACK_TAB, ESCAPE, DOWN = "\r", "\t", "\x1b[Z", "\x1b", "\x1b[B"
CONTROL_D, CONTROL_R, CONTROL_T = "\x04", "\x12", "\x14"
_ERROR = re.compile(r"[═─] ?Error ?[═─]")
step = Steps()


class Session:
    """The program on its terminal, and PyKMIP as the same client, by which it is checked."""

    def __init__(self, terminal: Terminal, pykmip: ProxyKmipClient) -> None:
        self.terminal = terminal
        self.pykmip = pykmip

    def type(self, *keys: str) -> None:
        self.terminal.type("".join(keys))

    def shows(self, *texts: str, without: str = "\0") -> str:
        """The screen, once it shows all of these. An error that it shows instead ends the waiting."""

        def shown(screen: str) -> bool:
            if without not in screen and all(each in screen for each in texts):
                return True
            if _ERROR.search(screen):
                raise Ended(f"an error is shown: {_said(screen)}")
            return False

        return self.terminal.until(shown, " and ".join(map(repr, texts)))

    def create(self, name: str, kind: int = 0, size: int = 0) -> None:
        """By the form: the option's number in each of its lists."""
        self.type("C")
        self.shows("Create object")
        self.type(name, TAB, ENTER, DOWN * kind, ENTER, TAB, ENTER, DOWN * size, ENTER, TAB, ENTER)
        self.shows(name, without="Create object")

    def select(self, name: str) -> None:
        """The row with this name."""
        self.type(ESCAPE)
        screen = self.terminal.until(
            lambda screen: "[0/" in screen and _row(screen, name) > 0, f"{name} in the list"
        )
        row = _row(screen, name)
        self.type(DOWN * row)
        self.shows(f"[{row}/", f"NameValue: {name}")

    def confirm(self) -> None:
        """The program asks, with No before it."""
        self.shows("Yes", "No")
        self.type(BACK_TAB, ENTER)

    def content(self, *texts: str) -> str:
        """What is shown of the selected object's value."""
        self.type(" ")
        return self.shows("Material", *texts)

    def found(self, name: str) -> str:
        """The one object of that name."""
        value = AttributeFactory().create_attribute(enums.AttributeType.NAME, _name(name))
        (uid,) = self.pykmip.locate(attributes=[value])
        return str(uid)

    def attribute(self, uid: str, name: str) -> Any:
        _, (attribute,) = self.pykmip.get_attributes(uid, [name])
        value = attribute.attribute_value
        return getattr(value, "value", value)


def _name(value: str) -> Any:
    from kmip.core.attributes import Name

    return Name.create(value, enums.NameType.UNINTERPRETED_TEXT_STRING)


def _row(screen: str, name: str) -> int:
    """Which row of the list has this name; 0 where none has, or its name has not come yet."""
    lines = screen.splitlines()
    header = next((number for number, line in enumerate(lines) if "Algorithm" in line and "Age" in line), 0)
    row = re.compile(rf"[║│]\S+ +\w+ +{re.escape(name)} ")  # a form that is just going shows the name too
    return next((number - header for number, line in enumerate(lines) if row.match(line)), 0)


def _total(screen: str) -> int:
    """How many objects are listed."""
    found = re.search(r"All Objects \[\d+/(\d+)\]", screen)
    return int(found[1]) if found else -1


def _said(screen: str) -> str:
    lines = [line.strip(" ║│─═╔╗╚╝┌┐└┘") for line in screen.splitlines()]
    return " ".join(line for line in lines if "ailed" in line or "rror" in line)[:300]


@contextmanager
def _session(endpoint: Endpoint, folder: Path) -> Iterator[Session]:
    with (
        ProxyKmipClient(
            endpoint.host, endpoint.port, cert=endpoint.certificate, key=endpoint.key, ca=endpoint.ca
        ) as pykmip,
        Terminal(_command(endpoint), {"HOME": str(folder)}) as terminal,
    ):
        session = Session(terminal, pykmip)
        session.shows("v1.4", "All Objects [0/")
        yield session


@step("starts: negotiates 1.4, lists what there is, quits")
def _starts(session: Session) -> None:
    session.shows("Symmetric Keys", "Templates")
    session.type("q")
    assert session.terminal.end() == 0


@step("an AES key made by the form; its attributes shown")
def _aes(session: Session) -> None:
    session.create("explorer-aes", 0, 2)
    uid = session.found("explorer-aes")
    assert session.attribute(uid, "Cryptographic Length") == 256
    session.select("explorer-aes")
    session.shows(uid, "Cryptographic Length: 256", "State: PreActive")


@step("a key's content shown")
def _content(session: Session) -> None:
    session.create("explorer-content", 0, 2)
    session.select("explorer-content")
    session.content(session.pykmip.get(session.found("explorer-content")).value.hex())


@step("an RSA and an EC key pair made; both keys of each shown as PEM, and they are a pair")
def _pairs(session: Session) -> None:
    for kind, name in ((1, "explorer-rsa"), (2, "explorer-ec")):
        session.create(name, kind, 0)
        pem = {}
        for half, word in (("Private", "PRIVATE KEY"), ("Public", "PUBLIC KEY")):
            session.select(f"{name}-{half}")
            screen = session.content(f"-----END {word}-----")
            pem[half] = _pem(screen, word)
            session.type(ESCAPE)
            session.shows("All Objects", without="Material")
        private = serialization.load_pem_private_key(pem["Private"], None)
        public = serialization.load_pem_public_key(pem["Public"])
        assert private.public_key() == public


def _pem(screen: str, word: str) -> bytes:
    """What stands in the box that shows it."""
    lines = screen.splitlines()
    first = next(number for number, line in enumerate(lines) if f"-----BEGIN {word}-----" in line)
    last = next(number for number, line in enumerate(lines) if f"-----END {word}-----" in line)
    column = lines[first].index("-----BEGIN")
    return "\n".join(line[column:].split("║")[0].strip() for line in lines[first : last + 1]).encode()


@step("a secret and an AES key registered by the form")
def _register(session: Session) -> None:
    for kind, name, value in (
        (0, "explorer-secret", "open sesame"),
        (2, "explorer-own", "00112233445566778899aabbccddeeff"),
    ):
        session.type("R")
        session.shows("Register object")
        session.type(name, TAB, ENTER, DOWN * kind, ENTER, TAB, value, TAB, TAB, ENTER)
        session.shows(name, without="Register object")
    assert session.pykmip.get(session.found("explorer-secret")).value == b"open sesame"
    assert session.pykmip.get(session.found("explorer-own")).value.hex() == "00112233445566778899aabbccddeeff"


@step("activated, revoked, destroyed, after a question; an active key is not, and it is said why")
def _life(session: Session) -> None:
    session.create("explorer-life", 0, 2)
    uid = session.found("explorer-life")
    session.select("explorer-life")
    session.type("a")
    session.shows("State: Active")
    assert session.attribute(uid, "State") is enums.State.ACTIVE
    session.type(CONTROL_D)
    session.confirm()
    session.terminal.until(lambda screen: "PermissionDenied" in screen, "why an active key is not destroyed")
    session.type(ENTER)
    session.terminal.until(lambda screen: not _ERROR.search(screen), "the list")
    session.type("r")
    session.shows("Revoke an object")
    session.type(TAB, "no longer used", TAB, ENTER)
    session.confirm()
    session.shows("State: Deactivated", "RevocationMessage: no longer used")
    session.type(CONTROL_D)
    session.confirm()
    session.shows("All Objects", without="explorer-life")
    try:
        session.pykmip.get(uid)
    except KmipOperationFailure:
        pass
    else:
        raise AssertionError("a destroyed key was fetched")


@step("re-keyed: the name stands for another key")
def _rekey(session: Session) -> None:
    session.create("explorer-rekey", 0, 2)
    old = session.found("explorer-rekey")
    session.select("explorer-rekey")
    session.type("a")
    before = _total(session.shows("State: Active"))
    session.type(CONTROL_T)
    session.shows("Offset days")
    session.type(TAB, ENTER)
    session.confirm()
    session.terminal.until(lambda screen: _total(screen) == before + 1, "one more key")
    fresh = session.found("explorer-rekey")
    assert fresh != old
    assert session.pykmip.get(fresh).value != session.pykmip.get(old).value


@step("a page for each kind of objects")
def _pages(session: Session) -> None:
    session.create("explorer-page", 0, 0)
    session.type(TAB)
    session.shows("Symmetric Keys [0/", "explorer-page")
    session.type(TAB)
    session.shows("Private Keys [0/", without="explorer-page")


def prepare(kept: Path) -> None:
    golang.build(Path(__file__).parent, kept / PROGRAM.name, package=PACKAGE)


def run(endpoint: Endpoint, folder: Path) -> list[Outcome]:
    return [_played(each, endpoint, folder) for each in step.steps]


def _played(each: Step, endpoint: Endpoint, folder: Path) -> Outcome:
    """On a terminal of its own."""
    try:
        with _session(endpoint, folder) as session:
            return perform(each, "1.4", session)
    except Ended as reason:
        return Outcome("1.4", each.name, False, f"does not start: {reason}")


def probe(endpoint: Endpoint, folder: Path) -> str:
    """What it shows of the server at its start."""
    with Terminal(_command(endpoint), {"HOME": str(folder)}) as terminal:
        try:
            screen = terminal.until(lambda screen: "v1.4" in screen or "ERROR" in screen, "anything")
        except Ended:
            screen = terminal.screen.text()
    said = next((line for line in screen.splitlines() if "ERROR" in line), "")
    return golang.without_addresses(said.strip()) or ("the list of objects" if "v1.4" in screen else "nothing")


def _command(endpoint: Endpoint) -> list[str | Path]:
    """PyKMIP's server cannot read a Client Correlation Value; the program's own page names the option for it."""
    return [
        *(PROGRAM, "-addr", f"{endpoint.host}:{endpoint.port}", "-ca", endpoint.ca),
        *("-cert", endpoint.certificate, "-key", endpoint.key, "-no-check-update"),
        *(() if endpoint.server is not None else ("-no-ccv",)),
    ]


CLIENT = Client(
    name="explorer",
    title="kmip-explorer",
    version="0.8.0",
    language="Go",
    installed_by="Go module `github.com/phsym/kmip-explorer` v0.8.0",
    needs=("go", "setsid"),
    limits=(
        "Client: it shows the negotiated version in the line for its own version. It is built with kmip-go v0.9.2"
        " in place of v0.9.1, which could not be had.",
    ),
    prepare=prepare,
    run=run,
    probe=probe,
)
