"""The record cannot be edited, cut, reordered or doubled unseen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kmip_server.audit.record import FIELDS
from kmip_server.audit.verify import Report, verify
from kmip_server.clock import SettableClock
from kmip_server.engine.ports import UnitOfWork
from kmip_server.store import audit, database, migrate
from kmip_server.store.apply import Writer
from tests.store.test_store import entry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two chains, the second begun after the first has ended."""
    made = tmp_path / "kmip.db"
    database.connect(made, create=True).close()
    migrate.upgrade(made)
    for node in ("first", "second"):
        writer = Writer(lambda: database.connect(made), SettableClock(), node)
        for number in range(5):
            writer.apply([UnitOfWork(writes=(), audit=(entry(f"Operation {number}"),))])
        writer.close()
    return made


def writer(path: Path, records: int) -> Writer:
    made = Writer(lambda: database.connect(path), SettableClock(), "node")
    for number in range(records):
        made.apply([UnitOfWork(writes=(), audit=(entry(f"Operation {number}"),))])
    return made


def starts(path: Path) -> list[list[list[Any]]]:
    """What each chain's start names."""
    select = "SELECT record FROM audit_records WHERE number = 1 ORDER BY chain"
    records = [json.loads(row[0]) for row in database.connect(path).execute(select)]
    return [json.loads(record[FIELDS.index("object")]) for record in records]


def report(path: Path) -> Report:
    connection = database.connect(path)
    return verify(audit.rows(connection), audit.heads(connection))


def test_an_honest_record_is_whole(path: Path) -> None:
    found = report(path)
    assert found.is_whole
    assert (found.records, found.chains) == (12, 2)


TAMPERINGS: dict[str, str] = {
    "a record is deleted": "DELETE FROM audit_records WHERE chain = 1 AND number = 3",
    "the first record is deleted": "DELETE FROM audit_records WHERE chain = 1 AND number = 1",
    "the end of a chain is cut off": "DELETE FROM audit_records WHERE chain = 2 AND number > 4",
    "a chain's end is cut off with its head": (
        "DELETE FROM audit_records WHERE chain = 1 AND number > 4;"
        "UPDATE audit_chains SET length = 4, head = (SELECT hash FROM audit_records WHERE chain = 1 AND number = 4)"
        " WHERE id = 1"
    ),
    "a chain is deleted": "DELETE FROM audit_records WHERE chain = 1; DELETE FROM audit_chains WHERE id = 1",
    "two records change places": (
        "UPDATE audit_records SET number = 99 WHERE chain = 1 AND number = 2;"
        "UPDATE audit_records SET number = 2 WHERE chain = 1 AND number = 3;"
        "UPDATE audit_records SET number = 3 WHERE chain = 1 AND number = 99"
    ),
    "a record is doubled": (
        "INSERT INTO audit_records SELECT chain, 7, record, hash FROM audit_records WHERE chain = 2 AND number = 6"
    ),
    "a record moves to another chain": (
        "INSERT INTO audit_records SELECT 2, 7, record, hash FROM audit_records WHERE chain = 1 AND number = 6"
    ),
    "a hash is changed": "UPDATE audit_records SET hash = zeroblob(32) WHERE chain = 1 AND number = 2",
    "a head is changed": "UPDATE audit_chains SET head = zeroblob(32) WHERE id = 2",
}


@pytest.mark.parametrize("statements", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_tampering_is_found(path: Path, statements: str) -> None:
    database.connect(path).executescript(statements)
    assert not report(path).is_whole


@pytest.mark.parametrize("field", range(len(FIELDS)), ids=FIELDS)
def test_every_field_of_a_record_is_covered(path: Path, field: int) -> None:
    connection = database.connect(path)
    select = "SELECT record FROM audit_records WHERE chain = 1 AND number = 3"
    record: list[Any] = json.loads(connection.execute(select).fetchone()[0])
    change: Callable[[Any], Any] = lambda value: value + 1 if isinstance(value, int) else value + "x"  # noqa: E731
    record[field] = change(record[field])
    update = "UPDATE audit_records SET record = ? WHERE chain = 1 AND number = 3"
    connection.execute(update, (json.dumps(record),))
    faults = report(path).faults
    assert any("chain 1 record 3" in fault for fault in faults)


def test_the_newest_records_come_last(path: Path) -> None:
    found = audit.tail(database.connect(path), 3)
    assert [each["operation"] for each in found] == ["Operation 2", "Operation 3", "Operation 4"]


def test_a_chain_is_named_again_only_when_it_has_grown(path: Path) -> None:
    running = writer(path, 1)
    for _ in range(20):
        writer(path, 1).close()
    running.apply([UnitOfWork(writes=(), audit=(entry("Later"),))])
    writer(path, 1).close()
    named = [[(chain, length) for chain, length, _ in start] for start in starts(path)]
    assert named[:5] == [[], [(1, 6)], [(2, 6)], [(3, 2)], [(4, 2)]]
    assert named[-1] == [(3, 3), (23, 2)]
    assert report(path).is_whole


@pytest.mark.parametrize("chain", range(1, 7))
def test_a_tail_is_missed_whichever_chain_loses_it(path: Path, chain: int) -> None:
    """By whoever can also move the chain's head back: each but the newest chain is covered by a later start."""
    for _ in range(5):
        writer(path, 1).close()
    database.connect(path).executescript(
        f"DELETE FROM audit_records WHERE chain = {chain} AND number > 1;"
        "UPDATE audit_chains SET length = 1, head = (SELECT hash FROM audit_records"
        f" WHERE chain = {chain} AND number = 1) WHERE id = {chain}"
    )
    assert not report(path).is_whole


@pytest.mark.parametrize("chain", range(1, 7))
def test_a_missing_chain_is_missed(path: Path, chain: int) -> None:
    for _ in range(5):
        writer(path, 1).close()
    database.connect(path).executescript(
        f"DELETE FROM audit_records WHERE chain = {chain}; DELETE FROM audit_chains WHERE id = {chain}"
    )
    assert not report(path).is_whole


def test_starts_that_name_every_head_are_still_verified(path: Path) -> None:
    """As earlier releases wrote them: named twice is not wrong."""
    connection = database.connect(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "_unnamed", lambda connection, heads: heads)
        writer(path, 1).close()
        writer(path, 1).close()
    writer(path, 1).close()
    assert [len(start) for start in starts(path)] == [0, 1, 2, 3, 1]
    assert verify(audit.rows(connection), audit.heads(connection)).is_whole


def test_a_record_of_the_format_before_is_still_read(path: Path) -> None:
    """It lacks what came later."""
    connection = database.connect(path)
    old = json.dumps(
        [1, 2, 7, 2_000_000_000_000_000, "r", "one", "certificate", "here", "Old", "1.4", *[""] * 4, 1]
    )
    connection.execute("INSERT INTO audit_records VALUES (2, 7, ?, zeroblob(32))", (old,))
    found = audit.tail(connection, 2)
    assert [each["operation"] for each in found] == ["Operation 4", "Old"]
    assert found[1]["policy_revision"] == 1
    assert "client_correlation_value" not in found[1]
    assert found[0]["client_correlation_value"] == ""


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([1, 2, 1, 0, "", "", "", "", "chain start", "", "[]", "allowed", "", "", 0]),
        json.dumps(
            [2, 2, 1, 0, "", "", "", "", "chain start", "", '[[1, 6, "no hash"]]', "allowed", "", "", 0, ""]
        ),
        "{}",
        "not a record",
    ],
)
def test_a_start_that_names_nothing_stops_no_writer(path: Path, text: str) -> None:
    """One of the format before, or one that was edited: what it does not name is named by the next."""
    database.connect(path).execute("UPDATE audit_records SET record = ? WHERE chain = 2 AND number = 1", (text,))
    writer(path, 1).close()
    newest = database.connect(path).execute("SELECT record FROM audit_records WHERE chain = 3 AND number = 1")
    named = json.loads(json.loads(newest.fetchone()[0])[FIELDS.index("object")])
    assert [chain for chain, _, _ in named] == [1, 2]
    assert not report(path).is_whole
