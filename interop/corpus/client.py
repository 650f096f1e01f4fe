"""Appliances that cannot be run: what they say, played, and whether the answers are what each needs."""

from __future__ import annotations

from pathlib import Path

from interop.contract import Client
from interop.endpoint import Endpoint
from interop.steps import Outcome
from kmip_server.conversation import replay, script
from kmip_server.conversation.script import Conversation

FOLDER = Path(__file__).resolve().parent
PASSWORD = "a password of the corpus"


def conversations() -> dict[str, Conversation]:
    """By the file's name."""
    return {path.stem: script.read(path) for path in sorted(FOLDER.glob("*.xml"))}


def run(endpoint: Endpoint, folder: Path) -> list[Outcome]:
    """A step for each conversation."""
    _with_password(endpoint, folder)
    server = replay.Server(
        host="localhost",
        port=endpoint.port,
        ca=Path(endpoint.ca),
        certificate=Path(endpoint.certificate),
        key=Path(endpoint.key),
    )
    given = {"$USERNAME": endpoint.identity, "$PASSWORD": PASSWORD}
    outcomes = []
    for name, conversation in conversations().items():
        told = [
            f"{played.number} {played.operations}: {each}"
            for played in replay.play(conversation, server, given)
            for each in played.differences
        ]
        step = f"{conversation.client} ({name}.xml, {conversation.evidence})"
        outcomes.append(Outcome("", step, not told, "; ".join(told)))
    return outcomes


def _with_password(endpoint: Endpoint, folder: Path) -> None:
    """FortiGate sends one beside its certificate."""
    if endpoint.server is not None:
        file = folder / "password"
        file.touch(mode=0o600)
        file.write_text(PASSWORD)
        endpoint.server.admin("client", "password", endpoint.identity, "--password-file", str(file))


CLIENT = Client(
    name="corpus",
    title="Conversations of appliances that cannot be run",
    version="",
    language="data",
    installed_by="in `interop/corpus/`",
    run=run,
    limits=("Written from what is known of each, by evidence; the appliances themselves were not run.",),
)
