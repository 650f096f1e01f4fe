"""The commands of kmip-admin: each parses, asks, and prints. A group of them is a file beside this one."""

from __future__ import annotations

from pathlib import Path

import click

from kmip_server import __version__
from kmip_server.__main__ import Commands
from kmip_server.admin.cli import audit, backup, client, conversation, key, output
from kmip_server.admin.cli.options import FILE, JSON, Options, pass_options

_WORKERS = (
    ("slot", "WORKER"),
    ("pid", "PROCESS"),
    ("state", "STATE"),
    ("since", "SINCE"),
    ("connections", "CONNECTIONS"),
    ("replaced", "REPLACED"),
)


@click.group(cls=Commands, help="Administer a KMIP key server.")
@click.version_option(__version__, prog_name="kmip-admin")
@click.option("--config", type=FILE, help="Settings file of an instance on this machine.")
@click.option("--url", metavar="https://HOST:PORT", help="An instance elsewhere.")
@click.option("--cert", type=FILE, help="Your certificate, for --url.")
@click.option("--key", type=FILE, help="Its private key.")
@click.option("--ca", type=FILE, help="The CA of the server's certificate; the system's own if not given.")
@click.pass_context
def admin_commands(
    context: click.Context,
    config: Path | None,
    url: str | None,
    cert: Path | None,
    key: Path | None,
    ca: Path | None,
) -> None:
    context.obj = Options(config, url, cert, key, ca)


@admin_commands.command("status", help="How the server is.")
@JSON
@pass_options
def status(options: Options, as_json: bool) -> None:
    result = options.perform("status")
    if as_json:
        output.as_json(result)
        return
    workers = result.pop("workers", [])
    output.pairs(result)
    if workers:
        click.echo()
        rows = [{**row, "since": output.moment(row["since"])} for row in workers]
        output.table(rows, _WORKERS)


for _group in (client.client, key.key, audit.audit, backup.backup, conversation.replay, conversation.record):
    admin_commands.add_command(_group)
