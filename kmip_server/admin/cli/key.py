"""kmip-admin key: the objects that are kept; never their values."""

from __future__ import annotations

import click

from kmip_server.admin.cli import output
from kmip_server.admin.cli.options import JSON, Options, pass_options


@click.group("key", help="The objects that are kept; never their values.")
def key() -> None:
    pass


@key.command("list", help="Objects, newest first.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--owner", help="Only this principal's, or group:NAME.")
@click.option("--destroyed", is_flag=True, help="Destroyed ones too.")
@JSON
@pass_options
def key_list(options: Options, limit: int, owner: str | None, destroyed: bool, as_json: bool) -> None:
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
@JSON
@pass_options
def key_show(options: Options, unique_identifier: str, as_json: bool) -> None:
    result = options.perform("key.show", unique_identifier=unique_identifier)
    if as_json:
        output.as_json(result)
        return
    attributes = result.pop("attributes")
    output.pairs({**result, "initial_date": output.moment(result["initial_date"])})
    click.echo()
    output.pairs({name: "; ".join(values) for name, values in attributes.items()})
