"""The standard's error tables of 2.x, row by row, over the wire: KMIP 2.0 and 2.1, section 6.1.

How a client provokes each row, or why none can, stands in `tests/support/provoke_second.py`. The rows come from the
standard's own tables and the operations from the registry, so that a new operation fails here until it has its rows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kmip_server.authz.roles import Permission, Role
from kmip_server.engine import (
    operations,  # noqa: F401 - registers every operation
    registry,
)
from kmip_server.protocol.enums import Operation, ResultReason
from kmip_server.protocol.versions import V2_0, V2_1, Version
from kmip_server.store import database, principals
from tests.support.engine import Refused
from tests.support.provoke_second import ASKED, COMMON, NOT_HERE, PROVOKED, TOLD_OTHERWISE, USUAL
from tests.support.server import RunningServer, make_instance
from tests.support.watching import Watching
from tests.support.wire import Client, Connection

ERRORS = Path(__file__).parents[3] / "shared" / "kmip-reference" / "errors.csv"
VERSIONS = {"2.0": V2_0, "2.1": V2_1}
Row = tuple[Operation, ResultReason]
needs_tables = pytest.mark.skipif(not ERRORS.exists(), reason="the standard's tables are not beside this checkout")


@cache
def rows(version: Version) -> frozenset[Row]:
    """(operation, reason) for every operation that is served."""
    if not ERRORS.exists():
        return frozenset()
    served = {each.title.casefold(): each for each in registry.served(version)}
    reasons = {each.title.casefold(): each for each in ResultReason}
    with ERRORS.open(encoding="utf-8") as file:
        return frozenset(
            (served[row["operation"].casefold()], reasons[row["result_reason"].casefold()])
            for row in csv.DictReader(file)
            if VERSIONS.get(row["version"]) == version
            and row["direction"] == "client-to-server"
            and row["operation"].casefold() in served
        )


def provoked(row: Row) -> bool:
    operation, reason = row
    return row in PROVOKED or (
        (reason in COMMON or reason == ResultReason.PERMISSION_DENIED) and operation in USUAL
    )


def not_here(row: Row) -> bool:
    return row in NOT_HERE or (None, row[1]) in NOT_HERE


def told(row: Row, version: Version) -> ResultReason:
    """What the client is told: in 2.0 a wrong State is Permission Denied."""
    reason = TOLD_OTHERWISE.get(row, row[1])
    if version == V2_0 and reason == ResultReason.WRONG_KEY_LIFECYCLE_STATE:
        return ResultReason.PERMISSION_DENIED
    return reason


def cases() -> list[Any]:
    """Every row of 2.1, and of 2.0 where it is told otherwise."""
    found = [
        (row, version)
        for version in VERSIONS.values()
        for row in sorted(rows(version), key=lambda row: (row[0].title, row[1].title))
        if provoked(row) and not not_here(row) and (version == V2_1 or told(row, version) != told(row, V2_1))
    ]
    return [pytest.param(*each, id=f"{each[0][0].title}-{each[0][1].title}-{each[1]}") for each in found]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that also offers Interop, with a principal that may see every object, and nothing else."""
    folder = tmp_path_factory.mktemp("second") / "kmip"
    make_instance(folder, "--keystore", "software", "--set", "protocol.interop=true")
    onlooker = Role(name="Onlooker", permissions=(Permission(operations=("Locate",), objects="domain"),))
    connection = database.connect(folder / "kmip.db")
    try:
        connection.execute("BEGIN IMMEDIATE")
        principals.add_role(connection, onlooker)
        connection.execute("COMMIT")
    finally:
        connection.close()
    with RunningServer(folder) as running:
        running.admin(
            "client", "enroll", "onlooker", "--role", "Onlooker", "--out", str(folder / "certs" / "onlooker")
        )
        yield running


@pytest.fixture(scope="module")
def connection(server: RunningServer) -> Iterator[Connection]:
    with Connection(server) as made:
        yield made


@pytest.fixture(scope="module")
def onlooking(server: RunningServer) -> Iterator[Connection]:
    with Connection(server, "onlooker") as made:
        yield made


@pytest.mark.parametrize(("row", "version"), cases())
def test_row(connection: Connection, onlooking: Connection, row: Row, version: Version) -> None:
    """The reason is the table's, and what was refused has changed nothing: see `Watching`."""
    operation, reason = row
    client = Watching(connection, version)
    other = Watching(onlooking, version, owner=client)
    with pytest.raises(Refused) as refused:
        if row in PROVOKED:
            PROVOKED[row](client)
        elif reason == ResultReason.PERMISSION_DENIED:
            other.call(operation, USUAL[operation](client))
        else:
            COMMON[reason](client, operation)
    assert refused.value.reason == told(row, version), refused.value
    assert refused.value.message
    if operation in ASKED and reason not in (ResultReason.OBJECT_NOT_FOUND, ResultReason.ITEM_NOT_FOUND):
        assert client.watched | other.watched


@pytest.mark.parametrize("operation", USUAL, ids=lambda each: each.title)
def test_what_is_usual_succeeds(connection: Connection, operation: Operation) -> None:
    """So a refusal above is for what was spoilt, and for nothing else."""
    client = Client(connection, V2_1)
    client.call(operation, USUAL[operation](client))


@needs_tables
@pytest.mark.parametrize("version", VERSIONS.values(), ids=str)
def test_every_operation_that_is_served_has_its_rows(version: Version) -> None:
    for operation in registry.served(version):
        assert operation in USUAL, (
            f"say in tests/support/provoke_second.py what a usual {operation.title} is (USUAL)"
        )
    missing = [row for row in rows(version) if not provoked(row) and not not_here(row)]
    sentences = [f"{operation.title}: {reason.title}" for operation, reason in missing]
    assert not sentences, "say in tests/support/provoke_second.py how a client provokes this, or why none can"


@needs_tables
def test_no_row_is_of_another_table() -> None:
    every = rows(V2_0) | rows(V2_1)
    reasons = {reason for _, reason in every}
    assert not set(PROVOKED) - every
    assert not set(TOLD_OTHERWISE) - every
    for operation, reason in NOT_HERE:
        assert (operation, reason) in every or (operation is None and reason in reasons), reason
        assert (operation, reason) not in PROVOKED, reason
