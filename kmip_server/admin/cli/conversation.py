"""Conversations of clients, played."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import click

from kmip_server.admin.cli.options import FILE
from kmip_server.conversation import replay as player
from kmip_server.conversation import script

DEFAULT_PORT = 5696


@click.command(
    "replay", help="Play a client's conversation against a server, and see whether the answers are what it needs."
)
@click.argument("file", type=FILE)
@click.option("--server", default="localhost", show_default=True, metavar="HOST[:PORT]", help="Where to play it.")
@click.option("--cert", type=FILE, required=True, help="The client's certificate.")
@click.option("--key", type=FILE, required=True, help="Its private key.")
@click.option("--ca", type=FILE, help="The CA of the server's certificate; the system's own if not given.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="What $NAME in the file stands for.")
@click.option("--answers", is_flag=True, help="Print each answer.")
def replay(
    file: Path, server: str, cert: Path, key: Path, ca: Path | None, given: tuple[str, ...], answers: bool
) -> None:
    conversation = script.read(file)
    pairs = [each.partition("=") for each in given]
    bound = {f"${name.removeprefix('$')}": value for name, _, value in pairs}
    host, _, port = server.partition(":")
    where = player.Server(
        host=host, port=int(port) if port.isdecimal() else DEFAULT_PORT, ca=ca, certificate=cert, key=key
    )
    click.echo(f"{conversation.client} ({conversation.evidence}: {conversation.source})")
    wrong = 0
    for played in player.play(conversation, where, bound):
        click.echo(
            f"{played.number:3}  {played.operations}: {'differs' if played.differences else 'as it needs it'}"
        )
        for each in played.differences:
            click.echo(f"       {each}")
        if answers and played.answer is not None:
            ElementTree.indent(played.answer)
            click.echo(ElementTree.tostring(played.answer, encoding="unicode"))
        wrong += bool(played.differences)
    asked = len(conversation.exchanges)
    click.echo(f"{asked - wrong} of {asked} answers are as the client needs them")
    if wrong:
        raise SystemExit(1)
