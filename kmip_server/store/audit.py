"""The audit chain in the database: starting one, appending to it, reading it back.

Strategy: each writer has its own chain, so writers never wait for each other's hash. A new chain's first record
names the heads that no chain's start names yet. So every head is covered: by the start that names it, that one by
the start that names its own chain's head, and so on to the newest; a chain that loses its tail, or that is gone,
is missed. A chain that has ended is named once, so starts stay short however many there have been. The head in
memory moves only when the database has it: after a failed commit it is what it was.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from kmip_server.audit.record import CHAIN_START, FIELDS, chained, first_hash, serialised
from kmip_server.clock import Clock
from kmip_server.engine.ports import AuditEntry
from kmip_server.store import tables
from kmip_server.store.database import Statement, translated

_c, _r = tables.audit_chains.c, tables.audit_records.c
_HEADS = Statement(select(_c.id, _c.length, _c.head).order_by(_c.id))
_STARTS = Statement(select(_r.record).join(tables.audit_chains, (_r.chain == _c.id) & (_r.number == 1)))
_NEW_CHAIN = Statement(insert(tables.audit_chains))
_APPEND = Statement(insert(tables.audit_records))
assert _APPEND.order == ("chain", "number", "record", "hash")
_MOVE_HEAD = Statement(
    update(tables.audit_chains)
    .where(_c.id == bindparam("chain"))
    .values(length=bindparam("length"), head=bindparam("head"), last_time=bindparam("last_time"))
)
_LATEST = Statement(select(func.max(_c.last_time)))
_TAIL = Statement(select(_r.record).order_by(_r.number.desc()).where(_r.chain == bindparam("chain")))
_ALL = Statement(select(_r.chain, _r.number, _r.record, _r.hash).order_by(_r.chain, _r.number))


_Head = tuple[int, int, bytes]
"""A chain, its length and the hash of its last record."""
_ROWS = 64
"""Rows in one INSERT: a statement for each row would let go of the interpreter lock as often."""


@cache
def _append(rows: int) -> str:
    """The INSERT of so many records."""
    return _APPEND.text + ", (?, ?, ?, ?)" * (rows - 1)


class Chain:
    """One writer's chain. `append` inside a transaction, then `keep` or `forget` once it is known how it ended."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock, node: str) -> None:
        """Start a chain whose first record names every head that none names yet. Its own transaction."""
        self._connection = connection
        self._clock = clock
        with translated():
            connection.execute("BEGIN IMMEDIATE")
            heads = _HEADS.run(connection).fetchall()
            self.chain: int = max((row[0] for row in heads), default=0) + 1
            now = clock.now_microseconds()
            self._head, self._number = first_hash(self.chain), 0
            _NEW_CHAIN.run(
                connection, id=self.chain, node=node, started=now, last_time=now, length=0, head=self._head
            )
            self._next = (self._head, self._number)
            self.append([_start_entry(_unnamed(connection, heads))])
            connection.execute("COMMIT")
        self.keep()

    def append(self, entries: Iterable[AuditEntry]) -> None:
        """Add records to the open transaction."""
        head, number = self._next
        values: list[Any] = []
        count = 0
        now = self._clock.now_microseconds()
        for entry in entries:
            number += 1
            record = serialised(entry, self.chain, number, now)
            head = chained(head, record)
            values += (self.chain, number, record, head)
            count += 1
        if count:
            for at in range(0, count, _ROWS):
                rows = min(_ROWS, count - at)
                self._connection.execute(_append(rows), values[at * 4 : (at + rows) * 4])
            _MOVE_HEAD.run(self._connection, chain=self.chain, length=number, head=head, last_time=now)
        self._next = (head, number)

    def keep(self) -> None:
        """The transaction is durable."""
        self._head, self._number = self._next

    def forget(self) -> None:
        """The transaction was rolled back."""
        self._next = (self._head, self._number)


def _unnamed(connection: sqlite3.Connection, heads: list[_Head]) -> list[_Head]:
    """The heads that no chain's start names: those of chains that are new, or have grown since."""
    named: set[_Head] = set()
    for (text,) in _STARTS.run(connection):
        # One that was edited is for `verify` to find; here it names nothing.
        with suppress(ValueError, LookupError, TypeError):
            record = dict(zip(FIELDS, json.loads(text), strict=False))
            if record["operation"] == CHAIN_START:
                found = json.loads(record["object"])
                named |= {(chain, length, bytes.fromhex(head)) for chain, length, head in found}
    return [each for each in heads if tuple(each) not in named]


def _start_entry(heads: list[_Head]) -> AuditEntry:
    named = json.dumps([[chain, length, head.hex()] for chain, length, head in heads], separators=(",", ":"))
    return AuditEntry(
        request_identifier="",
        principal="",
        authentication="server",
        source="",
        operation=CHAIN_START,
        version="",
        object=named,
        outcome="allowed",
        reason="",
        rule="",
        policy_revision=0,
    )


def latest_time(connection: sqlite3.Connection) -> int:
    """The latest time on record, microseconds; 0 where nothing is."""
    with translated():
        row = _LATEST.run(connection).fetchone()
    return int(row[0] or 0)


def tail(connection: sqlite3.Connection, count: int) -> list[dict[str, Any]]:
    """The newest `count` records, oldest first, as dictionaries; those of an older format lack its later fields."""
    records: list[list[Any]] = []
    with translated():
        for chain, _, _ in _HEADS.run(connection).fetchall():
            rows = _TAIL.run(connection, chain=chain).fetchmany(count)
            records += [json.loads(row[0]) for row in rows]
    records.sort(key=lambda record: (record[3], record[1], record[2]))
    return [dict(zip(FIELDS, record, strict=False)) for record in records[-count:]]


def rows(connection: sqlite3.Connection) -> Iterator[tuple[int, int, str, bytes]]:
    """Every record: chain, number, text, hash; in order."""
    with translated():
        yield from _ALL.run(connection)


def heads(connection: sqlite3.Connection) -> dict[int, tuple[int, bytes]]:
    """Length and head of every chain, as the database says."""
    with translated():
        return {row[0]: (row[1], row[2]) for row in _HEADS.run(connection).fetchall()}
