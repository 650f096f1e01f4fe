"""kmip-admin audit: the record of who did what."""

from __future__ import annotations

import json
from typing import Any

import click

from kmip_server.admin.cli import output
from kmip_server.admin.cli.connection import Refused
from kmip_server.admin.cli.options import JSON, Options, pass_options
from kmip_server.audit.record import CHAIN_START

_MAX_OBJECT = 200
"""Characters of what a record is about; --json has all of it."""


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
    rows = [
        {**row, "time": output.moment(row["time"] / 1e6), "object": output.plain(_object(row), _MAX_OBJECT)}
        for row in result
    ]
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


def _object(row: dict[str, Any]) -> str:
    """What a record is about; of a chain's start, how many chains it names."""
    words = str(row["object"])
    if row["operation"] != CHAIN_START:
        return words
    try:
        return f"names {len(json.loads(words))} chains"
    except (ValueError, TypeError):
        return words


@audit.command("verify", help="Whether the record is whole: exit 0 if it is, 1 if not.")
@JSON
@pass_options
def audit_verify(options: Options, as_json: bool) -> None:
    result = options.perform("audit.verify")
    if as_json:
        output.as_json(result)
    else:
        for fault in result["faults"]:
            click.echo(output.plain(fault))
        click.echo(f"{result['records']} records in {result['chains']} chains: {_verdict(result['faults'])}")
    if result["faults"]:
        raise Refused("the record is not whole")


def _verdict(faults: list[str]) -> str:
    return f"{len(faults)} faults" if faults else "whole"
