"""The commands of kmip-admin: each parses, asks, and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kmip_server import __version__
from kmip_server.__main__ import Commands
from kmip_server.admin.cli import output
from kmip_server.admin.cli.connection import Refused, Target, target
from kmip_server.errors import SettingsError

_FILE = click.Path(dir_okay=False, path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")


class _Options:
    """Where to, as the options say; connected when first used."""

    def __init__(self, config: Path | None, url: str | None, cert: Path | None, key: Path | None, ca: Path | None):
        self.config = config
        self._arguments = (config, url, cert, key, ca)
        self._target: Target | None = None

    def perform(self, action: str, **arguments: Any) -> Any:
        if self._target is None:
            self._target = target(*self._arguments)
        return self._target.perform(action, **arguments)

    def local_config(self) -> Path:
        if self.config is None:
            raise SettingsError("this command works on files; give --config FILE")
        return self.config


_pass_options = click.make_pass_decorator(_Options)


@click.group(cls=Commands, help="Administer a KMIP key server.")
@click.version_option(__version__, prog_name="kmip-admin")
@click.option("--config", type=_FILE, help="Settings file of an instance on this machine.")
@click.option("--url", metavar="https://HOST:PORT", help="An instance elsewhere.")
@click.option("--cert", type=_FILE, help="Your certificate, for --url.")
@click.option("--key", type=_FILE, help="Its private key.")
@click.option("--ca", type=_FILE, help="The CA of the server's certificate; the system's own if not given.")
@click.pass_context
def admin_commands(
    context: click.Context,
    config: Path | None,
    url: str | None,
    cert: Path | None,
    key: Path | None,
    ca: Path | None,
) -> None:
    context.obj = _Options(config, url, cert, key, ca)


@admin_commands.command("status", help="How the server is.")
@_JSON
@_pass_options
def status(options: _Options, as_json: bool) -> None:
    result = options.perform("status")
    output.as_json(result) if as_json else output.pairs(result)


# --- client -------------------------------------------------------------------------------------


@admin_commands.group("client", help="Who may connect.")
def client() -> None:
    pass


@client.command("enroll", help="A new client NAME: writes PREFIX.pem and PREFIX.key.")
@click.argument("name")
@click.option("--role", required=True, help="Appliance or Administrator.")
@click.option("--out", "prefix", required=True, type=click.Path(path_type=Path), metavar="PREFIX")
@click.option("--days", type=int, help="How long the certificate is valid.")
@_JSON
@_pass_options
def client_enroll(options: _Options, name: str, role: str, prefix: Path, days: int | None, as_json: bool) -> None:
    from kmip_server.pki.files import write_file

    certificate, key = Path(f"{prefix}.pem"), Path(f"{prefix}.key")
    for path in (certificate, key):
        if path.exists():
            raise SettingsError(f"{path} exists already; nothing was enrolled")
    if not prefix.absolute().parent.is_dir():
        raise SettingsError(f"the folder {prefix.absolute().parent} does not exist; nothing was enrolled")
    result = options.perform("client.enroll", name=name, role=role, days=days)
    write_file(key, result.pop("private_key").encode())
    write_file(certificate, result.pop("certificate").encode(), 0o644)
    result |= {"certificate": str(certificate), "private_key": str(key)}
    if as_json:
        output.as_json(result)
    else:
        click.echo(f"{name} may connect as {role} with {certificate} and {key}")


@client.command("list", help="Every client, its roles and certificates.")
@_JSON
@_pass_options
def client_list(options: _Options, as_json: bool) -> None:
    result = options.perform("client.list")
    if as_json:
        output.as_json(result)
        return
    rows = [
        {
            **row,
            "valid": ", ".join(
                "revoked" if c["revoked"] else output.moment(c["not_after"])[:10] for c in row["certificates"]
            ),
        }
        for row in result
    ]
    output.table(
        rows,
        [("name", "NAME"), ("roles", "ROLES"), ("enabled", "ENABLED"), ("valid", "CERTIFICATES UNTIL")],
    )


@client.command("revoke", help="Let NAME in no more. Its keys stay.")
@click.argument("name")
@_JSON
@_pass_options
def client_revoke(options: _Options, name: str, as_json: bool) -> None:
    result = options.perform("client.revoke", name=name)
    output.as_json(result) if as_json else click.echo(f"{name} is let in no more")


# --- key ----------------------------------------------------------------------------------------


@admin_commands.group("key", help="The objects that are kept; never their values.")
def key() -> None:
    pass


@key.command("list", help="Objects, newest first.")
@click.option("--limit", type=int, default=100, show_default=True)
@click.option("--owner", help="Only this principal's, or group:NAME.")
@click.option("--destroyed", is_flag=True, help="Destroyed ones too.")
@_JSON
@_pass_options
def key_list(options: _Options, limit: int, owner: str | None, destroyed: bool, as_json: bool) -> None:
    result = options.perform("key.list", limit=limit, owner=owner, destroyed=destroyed)
    if as_json:
        output.as_json(result)
        return
    rows = [{**row, "made": output.moment(row["initial_date"])} for row in result]
    output.table(
        rows,
        [
            ("unique_identifier", "UNIQUE IDENTIFIER"),
            ("object_type", "TYPE"),
            ("algorithm", "ALGORITHM"),
            ("length", "BITS"),
            ("state", "STATE"),
            ("owner", "OWNER"),
            ("made", "MADE"),
            ("names", "NAMES"),
        ],
    )


@key.command("show", help="Every attribute of one object.")
@click.argument("unique_identifier")
@_JSON
@_pass_options
def key_show(options: _Options, unique_identifier: str, as_json: bool) -> None:
    result = options.perform("key.show", unique_identifier=unique_identifier)
    if as_json:
        output.as_json(result)
        return
    attributes = result.pop("attributes")
    output.pairs(result)
    click.echo()
    output.pairs({name: "; ".join(values) for name, values in attributes.items()})


# --- audit --------------------------------------------------------------------------------------


@admin_commands.group("audit", help="The record of who did what.")
def audit() -> None:
    pass


@audit.command("tail", help="The newest records.")
@click.option("-n", "--count", type=int, default=20, show_default=True)
@_JSON
@_pass_options
def audit_tail(options: _Options, count: int, as_json: bool) -> None:
    result = options.perform("audit.tail", count=count)
    if as_json:
        output.as_json(result)
        return
    rows = [{**row, "time": output.moment(row["time"] / 1e6)} for row in result]
    output.table(
        rows,
        [
            ("time", "TIME (UTC)"),
            ("principal", "PRINCIPAL"),
            ("operation", "OPERATION"),
            ("outcome", "OUTCOME"),
            ("reason", "REASON"),
            ("object", "OBJECT"),
            ("rule", "RULE"),
        ],
    )


@audit.command("verify", help="Whether the record is whole: exit 0 if it is, 1 if not.")
@_JSON
@_pass_options
def audit_verify(options: _Options, as_json: bool) -> None:
    result = options.perform("audit.verify")
    if as_json:
        output.as_json(result)
    else:
        for fault in result["faults"]:
            click.echo(fault)
        click.echo(f"{result['records']} records in {result['chains']} chains: {_verdict(result['faults'])}")
    if result["faults"]:
        raise Refused("the record is not whole")


def _verdict(faults: list[str]) -> str:
    return f"{len(faults)} faults" if faults else "whole"


# --- backup -------------------------------------------------------------------------------------


@admin_commands.group("backup", help="The whole instance in one sealed file.")
def backup() -> None:
    pass


_PASSPHRASE = click.option(
    "--passphrase-file", type=_FILE, help="Mode 0600; asked for where it is not given. Never lose it."
)


def _passphrase(path: Path | None, *, confirm: bool) -> str:
    if path is not None:
        from kmip_server.keystore.holder import secret_from

        return secret_from(path, "passphrase")
    answer: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return answer


@backup.command("create", help="Write database, token, settings and certificates to FILE, also while serving.")
@click.argument("file", type=_FILE)
@_PASSPHRASE
@_JSON
@_pass_options
def backup_create(options: _Options, file: Path, passphrase_file: Path | None, as_json: bool) -> None:
    from kmip_server.backup.instance import create

    config = options.local_config()
    passphrase = _passphrase(passphrase_file, confirm=True)
    options.perform("backup.create")
    result = create(config, file, passphrase)
    output.as_json(result) if as_json else click.echo(
        f"{file} holds {result['objects']} objects; keep the passphrase"
    )


@backup.command("restore", help="Make the instance in FILE again, in the new folder DIR.")
@click.argument("file", type=_FILE)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_PASSPHRASE
@_JSON
def backup_restore(file: Path, folder: Path, passphrase_file: Path | None, as_json: bool) -> None:
    from kmip_server.backup.instance import restore

    result = restore(file, folder, _passphrase(passphrase_file, confirm=False))
    output.as_json(result) if as_json else click.echo(
        f"restored {result['objects']} objects to {result['settings']}"
    )
