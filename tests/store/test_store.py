"""Units of work: whole or not at all, in groups, and found again as they were."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from kmip_server.clock import SettableClock
from kmip_server.engine.ports import (
    AuditEntry,
    Condition,
    LocateQuery,
    SealedMaterial,
    StoredObject,
    UnitOfWork,
    Write,
)
from kmip_server.errors import SettingsError, StoreUnavailable
from kmip_server.protocol.attribute_set import AttributeSet
from kmip_server.protocol.enums import ObjectType, State
from kmip_server.protocol.tags import Tag
from kmip_server.store import audit, database, migrate, objects, tables
from kmip_server.store.apply import Writer
from kmip_server.store.objects import Reader
from tests.store.conftest import Connect
from tests.support.requests import attribute, custom, name

SEALED = SealedMaterial(
    generation=1, sealing_key_version=1, wrapped_data_key=b"key", nonce=b"nonce", ciphertext=b"value"
)


def stored(identifier: str, *attributes: Any, order: int = 1) -> StoredObject:
    return StoredObject(
        unique_identifier=identifier,
        domain="default",
        owner="principal:one",
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=AttributeSet([attribute(Tag.STATE, State.PRE_ACTIVE), *attributes]),
        created_order=order,
        sealed=SEALED,
    )


def entry(operation: str = "Create") -> AuditEntry:
    return AuditEntry(
        request_identifier="r",
        principal="one",
        authentication="certificate",
        source="here",
        operation=operation,
        version="1.4",
        object="",
        outcome="allowed",
        reason="",
        rule="",
        policy_revision=1,
    )


def making(made: StoredObject, *names: str) -> UnitOfWork:
    write = Write(
        stored=made, read_revision=0, material_changed=True, names=tuple(("scope", each) for each in names)
    )
    return UnitOfWork(writes=(write,), audit=(entry(),))


def changing(made: StoredObject, revision: int, *names: str, material: bool = False) -> UnitOfWork:
    write = Write(
        stored=made,
        read_revision=revision,
        material_changed=material,
        names=tuple(("scope", each) for each in names),
    )
    return UnitOfWork(writes=(write,), audit=(entry("Change"),))


@pytest.fixture
def writer(connect: Connect) -> Any:
    made = Writer(connect, SettableClock(), "test")
    yield made
    made.close()


@pytest.fixture
def reader(connect: Connect) -> Any:
    made = Reader(connect)
    yield made
    made.close()


def test_an_object_comes_back_as_it_was(writer: Writer, reader: Reader) -> None:
    made = stored("u", name("n"), custom("x-Any", "text"), attribute(Tag.ACTIVATION_DATE, 5))
    assert writer.apply([making(made, "n")]) == [True]
    assert reader.find("u") == replace(made, revision=1)
    assert reader.name_holder("scope", "n") == "u"
    assert reader.find("absent") is None


def test_a_change_needs_the_revision_that_was_read(writer: Writer, reader: Reader) -> None:
    writer.apply([making(stored("u"))])
    first = changing(stored("u", name("first")), 1)
    second = changing(stored("u", name("second")), 1)
    assert writer.apply([first, second]) == [True, False]
    found = reader.find("u")
    assert found is not None
    assert found.revision == 2
    assert found.attributes.one(Tag.NAME).name_value == "first"


def test_a_name_is_held_once(writer: Writer, reader: Reader) -> None:
    assert writer.apply([making(stored("a"), "n"), making(stored("b"), "n")]) == [True, False]
    assert reader.find("b") is None
    # Given up and taken in one group.
    assert writer.apply([changing(stored("a"), 1)]) == [True]
    assert writer.apply([making(stored("b"), "n")]) == [True]
    assert reader.name_holder("scope", "n") == "b"


def test_what_is_overtaken_leaves_no_record(writer: Writer, connect: Connect) -> None:
    writer.apply([making(stored("u"))])
    before = len(audit.tail(connect(), 100))
    writer.apply([changing(stored("u"), 7)])
    assert len(audit.tail(connect(), 100)) == before


def test_erasing_leaves_no_value(writer: Writer, reader: Reader, connect: Connect) -> None:
    writer.apply([making(stored("u"), "n")])
    gone = replace(stored("u"), sealed=None)
    assert writer.apply([changing(gone, 1, material=True)]) == [True]
    found = reader.find("u")
    assert found is not None
    assert found.sealed is None
    assert connect().execute("SELECT count(*) FROM materials").fetchone() == (0,)
    assert reader.name_holder("scope", "n") is None


def test_every_change_raises_the_epoch_and_reading_does_not(writer: Writer, connect: Connect) -> None:
    def epoch() -> int:
        return int(connect().execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0])

    before = epoch()
    writer.apply([UnitOfWork(writes=(), audit=(entry("Get"),))] * 5)
    assert epoch() == before
    writer.apply([making(stored("a")), making(stored("b"))])
    assert epoch() == before + 1


def test_a_snapshot_sees_one_state(writer: Writer, reader: Reader) -> None:
    reader.begin_snapshot()
    assert reader.find("u") is None
    writer.apply([making(stored("u"))])
    assert reader.find("u") is None
    reader.end_snapshot()
    assert reader.find("u") is not None


def test_a_full_disk_refuses_and_recovers(connect: Connect) -> None:
    connection = connect()
    writer = Writer(lambda: connection, SettableClock(), "test")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    big = custom("x-Big", "x" * 100_000)
    with pytest.raises(StoreUnavailable, match="full"):
        writer.apply([making(stored("u", big))])
    connection.execute("PRAGMA max_page_count = 1000000")
    assert writer.apply([making(stored("u", big))]) == [True]
    writer.close()


def _contend(path: Path, number: int, results: Any) -> None:
    writer = Writer(lambda: database.connect(path), SettableClock(), f"node {number}")
    applied = [writer.apply([making(stored(f"{number}-{each}"), f"name {each}")])[0] for each in range(20)]
    results.put(sum(applied))
    writer.close()


def test_two_processes_never_hold_one_name(path: Path, connect: Connect) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_contend, args=(path, number, results)) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert sum(results.get(timeout=10) for _ in processes) == 20
    assert connect().execute("SELECT count(*) FROM names").fetchone() == (20,)


# --- finding ------------------------------------------------------------------------------------


def query(*conditions: Condition, owners: tuple[str, ...] | None = ("principal:one",)) -> LocateQuery:
    return LocateQuery(
        domain="default", owners=owners, conditions=conditions, include_destroyed=False, include_archived=False
    )


def test_candidates_come_newest_first(writer: Writer, reader: Reader) -> None:
    group = attribute(Tag.OBJECT_GROUP, "g")
    for order, identifier in ((2, "b"), (1, "a"), (3, "c")):
        writer.apply([making(stored(identifier, group, order=order))])
    writer.apply([making(replace(stored("theirs", group, order=9), owner="principal:two"))])
    found = [
        each.unique_identifier for each in reader.candidates(query(Condition(key=Tag.OBJECT_GROUP, value="g")))
    ]
    assert found == ["c", "b", "a"]
    everyone = [each.unique_identifier for each in reader.candidates(query(owners=None))]
    assert everyone == ["theirs", "c", "b", "a"]


@pytest.mark.parametrize(
    ("conditions", "index"),
    [
        ((Condition(key=Tag.NAME, value=name("n").value),), "attribute_terms_by_term"),
        ((), "objects_by_owner"),
        ((Condition(key=Tag.UNIQUE_IDENTIFIER, value="u"),), "sqlite_autoindex_objects_1"),
    ],
)
def test_searches_use_an_index_and_sort_nothing(connect: Connect, conditions: Any, index: str) -> None:
    statement, values = objects.search(query(*conditions), {})
    plan = connect().execute("EXPLAIN QUERY PLAN " + statement.text, statement.bind(values)).fetchall()
    text = " ".join(row[3] for row in plan)
    assert index in text
    assert "SCAN" not in text
    assert "TEMP B-TREE" not in text


# --- the schema ---------------------------------------------------------------------------------


def test_the_migrations_make_the_tables(path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    with create_engine(f"sqlite:///{path}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_a_newer_schema_is_refused_with_a_sentence(connect: Connect) -> None:
    connection = connect()
    migrate.require_known(connection)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SettingsError, match="made by a newer release"):
        migrate.require_known(connection)


def test_every_table_and_statement_is_good_for_postgresql() -> None:
    for table in tables.metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=postgresql.dialect()))


def test_the_database_is_opened_as_the_promises_want(connect: Connect, path: Path) -> None:
    connection = connect()
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    assert {key: connection.execute(f"PRAGMA {key}").fetchone()[0] for key in expected} == expected
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        database.connect(path)
