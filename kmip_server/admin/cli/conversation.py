"""Conversations of clients, played."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import click

from kmip_server.admin.cli.options import FILE, Options, pass_options
from kmip_server.conversation import replay as player
from kmip_server.conversation import script
from kmip_server.errors import SettingsError

DEFAULT_PORT = 5696
_LOOK_SECONDS = 1.0


@click.command("record", help="Record what a client says and is told, without keys, credentials and names.")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--seconds", type=click.FloatRange(1, 600), default=60, show_default=True, help="For how long at most."
)
@click.option("--messages", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many at most.")
@pass_options
def record(options: Options, name: str, file: Path, seconds: float, messages: int) -> None:
    if file.exists():
        raise SettingsError(f"{file} exists; give another name")
    options.perform("client.record", name=name, step="begin", seconds=seconds, messages=messages)
    click.echo(f"recording {name} for at most {seconds:.0f} s; end it sooner by Ctrl-C")
    with suppress(KeyboardInterrupt):
        while not options.perform("client.record", name=name, step="look")["is_over"]:
            time.sleep(_LOOK_SECONDS)
    found = options.perform("client.record", name=name, step="end")
    file.touch(mode=0o600)
    file.write_text(found["conversation"], encoding="utf-8")
    if found["workers_not_answering"]:
        click.echo(f"what {found['workers_not_answering']} workers kept is not in it: they do not answer", err=True)
    click.echo(f"{found['messages']} messages of {name} in {file}; read it before you send it to anybody")


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
