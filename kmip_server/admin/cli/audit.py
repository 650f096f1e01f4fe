"""kmip-admin audit: the record of who did what."""

from __future__ import annotations

import click

from kmip_server.admin.cli import output
from kmip_server.admin.cli.connection import Refused
from kmip_server.admin.cli.options import JSON, Options, pass_options


@click.group("audit", help="The record of who did what.")
def audit() -> None:
    pass


@audit.command("tail", help="The newest records.")
@click.option("-n", "--count", type=int, default=20, show_default=True)
@JSON
@pass_options
def audit_tail(options: Options, count: int, as_json: bool) -> None:
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
@JSON
@pass_options
def audit_verify(options: Options, as_json: bool) -> None:
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
