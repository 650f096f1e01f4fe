"""kmip-admin backup: the whole instance in one sealed file."""

from __future__ import annotations

from pathlib import Path

import click

from kmip_server.admin.cli import output
from kmip_server.admin.cli.options import FILE, JSON, Options, pass_options, secret


@click.group("backup", help="The whole instance in one sealed file.")
def backup() -> None:
    pass


_PASSPHRASE = click.option(
    "--passphrase-file", type=FILE, help="Mode 0600; asked for where it is not given. Never lose it."
)


@backup.command("create", help="Write database, token, settings and certificates to FILE, also while serving.")
@click.argument("file", type=FILE)
@_PASSPHRASE
@JSON
@pass_options
def backup_create(options: Options, file: Path, passphrase_file: Path | None, as_json: bool) -> None:
    from kmip_server.backup.instance import create

    config = options.local_config()
    passphrase = secret(passphrase_file, "passphrase", confirm=True)
    options.perform("backup.create")
    result = create(config, file, passphrase)
    if as_json:
        output.as_json(result)
        return
    click.echo(f"{file} holds {result['objects']} objects, and can be restored; keep the passphrase")
    if result["left_out"]:
        click.echo(f"attention: {result['left_out']}", err=True)


@backup.command("restore", help="Make the instance in FILE again, in the new folder DIR.")
@click.argument("file", type=FILE)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_PASSPHRASE
@JSON
def backup_restore(file: Path, folder: Path, passphrase_file: Path | None, as_json: bool) -> None:
    from kmip_server.backup.instance import restore

    result = restore(file, folder, secret(passphrase_file, "passphrase", confirm=False))
    output.as_json(result) if as_json else click.echo(
        f"restored {result['objects']} objects to {result['settings']}"
    )
