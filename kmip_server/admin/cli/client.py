"""kmip-admin client: who may connect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kmip_server.admin.cli import output
from kmip_server.admin.cli.options import FILE, JSON, Options, pass_options, secret
from kmip_server.errors import SettingsError


@click.group("client", help="Who may connect.")
def client() -> None:
    pass


@client.command(
    "enroll",
    short_help="A new client.",
    help="A new client NAME: writes PREFIX.pem and PREFIX.key, or pins the certificate it has.",
)
@click.argument("name")
@click.option("--role", required=True, help="Appliance or Administrator.")
@click.option("--out", "prefix", type=click.Path(path_type=Path), metavar="PREFIX", help="Where to write to.")
@click.option("--certificate", type=FILE, help="PEM; the one that the device has made itself, self-signed or not.")
@click.option("--group", help="Whose the keys shall be that NAME makes; all clients of the group share them.")
@click.option("--days", type=int, help="How long the certificate is valid.")
@JSON
@pass_options
def client_enroll(
    options: Options,
    name: str,
    role: str,
    prefix: Path | None,
    certificate: Path | None,
    group: str | None,
    days: int | None,
    as_json: bool,
) -> None:
    if (prefix is None) == (certificate is None):
        raise SettingsError("give --out PREFIX for a new certificate, or --certificate FILE for the device's own")
    if prefix is not None:
        _require_free(prefix)
    own = _read_text(certificate) if certificate is not None else None
    result = options.perform("client.enroll", name=name, role=role, days=days, group=group, certificate=own)
    result |= _written(prefix, result) if prefix is not None else {"certificate": str(certificate)}
    if prefix is None:
        del result["private_key"]
    if as_json:
        output.as_json(result)
    else:
        also = f" and {result['private_key']}" if prefix is not None else ""
        click.echo(f"{name} may connect as {role} with {result['certificate']}{also}")


def _require_free(prefix: Path) -> None:
    for path in (Path(f"{prefix}.pem"), Path(f"{prefix}.key")):
        if path.exists():
            raise SettingsError(f"{path} exists already; nothing was enrolled")
    if not prefix.absolute().parent.is_dir():
        raise SettingsError(f"the folder {prefix.absolute().parent} does not exist; nothing was enrolled")


def _read_text(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as a certificate in PEM form; nothing was enrolled") from error


def _written(prefix: Path, result: dict[str, Any]) -> dict[str, str]:
    from kmip_server.pki.files import write_file

    certificate, key = Path(f"{prefix}.pem"), Path(f"{prefix}.key")
    write_file(key, result["private_key"].encode())
    write_file(certificate, result["certificate"].encode(), 0o644)
    return {"certificate": str(certificate), "private_key": str(key)}


@client.command(
    "password",
    short_help="A password for a client.",
    help="Give NAME a password, for devices that send one besides their certificate.",
)
@click.argument("name")
@click.option("--username", help="What the device calls itself; NAME if not given.")
@click.option("--password-file", type=FILE, help="Mode 0600; asked for where it is not given.")
@JSON
@pass_options
def client_password(
    options: Options, name: str, username: str | None, password_file: Path | None, as_json: bool
) -> None:
    given = secret(password_file, "password", confirm=True)
    result = options.perform("client.password", name=name, username=username, password=given)
    output.as_json(result) if as_json else click.echo(f"{name} may also say who it is as {result['username']}")


@client.command("list", help="Every client, its roles and certificates.")
@JSON
@pass_options
def client_list(options: Options, as_json: bool) -> None:
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


@client.command("show", help="NAME, its certificates, and where it is served otherwise than others.")
@click.argument("name")
@JSON
@pass_options
def client_show(options: Options, name: str, as_json: bool) -> None:
    result = options.perform("client.show", name=name)
    if as_json:
        output.as_json(result)
        return
    quirks, certificates = result.pop("quirks"), result.pop("certificates")
    output.pairs({key: ", ".join(value) if isinstance(value, list) else value for key, value in result.items()})
    click.echo()
    rows = [{**each, "not_after": output.moment(each["not_after"])} for each in certificates]
    output.table(
        rows,
        [("fingerprint", "CERTIFICATE"), ("not_after", "UNTIL"), ("pinned", "PINNED"), ("revoked", "REVOKED")],
    )
    for quirk in quirks:
        click.echo(f"\nquirk {quirk['name']}: {quirk['changes']} (for {quirk['client']}; {quirk['evidence']})")


@client.command("quirk", help="Serve NAME otherwise than others, in the way that QUIRK says; see docs/quirks.md.")
@click.argument("name")
@click.argument("quirk")
@click.option("--off", is_flag=True, help="As others again.")
@JSON
@pass_options
def client_quirk(options: Options, name: str, quirk: str, off: bool, as_json: bool) -> None:
    result = options.perform("client.quirk", name=name, quirk=quirk, off=off)
    on = ", ".join(result["quirks"]) or "none"
    output.as_json(result) if as_json else click.echo(f"quirks of {name}: {on}")


@client.command("revoke", help="Let NAME in no more. Its keys stay.")
@click.argument("name")
@JSON
@pass_options
def client_revoke(options: Options, name: str, as_json: bool) -> None:
    result = options.perform("client.revoke", name=name)
    output.as_json(result) if as_json else click.echo(f"{name} is let in no more")


@client.command("restore", help="Undo a revocation: let NAME in again, with the certificates it had.")
@click.argument("name")
@JSON
@pass_options
def client_restore(options: Options, name: str, as_json: bool) -> None:
    result = options.perform("client.restore", name=name)
    output.as_json(result) if as_json else click.echo(f"{name} is let in again")
