"""Reading objects: the `ObjectStore` that the engine sees.

Strategy: one read gives an object whole. Every change of an object raises the epoch in its own transaction; while
the epoch that a snapshot sees is the one of the last, what was read still holds and is not read again. Where it
has risen each row is, and says by its revision whether it must be decoded anew; so no cache can be wrong.
Candidates of a Locate come from the most telling index, newest first, one at a time; whether they match is the
engine's to say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, bindparam, or_, select

from kmip_server.engine.ports import Condition, LocateQuery, SealedMaterial, StoredObject
from kmip_server.errors import StoreUnavailable
from kmip_server.protocol.attribute_set import AttributeKey, AttributeSet
from kmip_server.protocol.enums import ObjectType
from kmip_server.protocol.storage import from_storage
from kmip_server.protocol.tags import Tag
from kmip_server.store import tables
from kmip_server.store.cache import Cache
from kmip_server.store.database import Statement, translated
from kmip_server.store.terms import has_terms, term

CACHED = 4096
CACHED_BYTES = 32 << 20
"""Objects and decoded attribute sets kept in memory, in number and in bytes."""
SHAPES = 256
"""Compiled searches kept. A shape is made of what a client asks for, so there is no end to them."""

_o, _m = tables.objects.c, tables.materials.c
_HEAD = (
    _o.unique_identifier,
    _o.domain,
    _o.owner,
    _o.object_type,
    _o.revision,
    _o.created_order,
    _o.attributes,
)
_FIND = Statement(
    select(*_HEAD, _m.generation, _m.sealing_key_version, _m.wrapped_data_key, _m.nonce, _m.ciphertext)
    .select_from(tables.objects.outerjoin(tables.materials))
    .where(_o.unique_identifier == bindparam("unique_identifier"))
)
_EPOCH = Statement(select(tables.meta.c.value).where(tables.meta.c.name == "epoch"))
_NAME_HOLDER = Statement(
    select(_o.unique_identifier)
    .select_from(tables.names.join(tables.objects))
    .where(tables.names.c.scope == bindparam("scope"), tables.names.c.name == bindparam("name"))
)

# Attributes that are columns: equal, or for dates in a range.
COLUMNS: dict[AttributeKey, Any] = {
    Tag.UNIQUE_IDENTIFIER: _o.unique_identifier,
    Tag.OBJECT_TYPE: _o.object_type,
    Tag.CRYPTOGRAPHIC_ALGORITHM: _o.cryptographic_algorithm,
    Tag.CRYPTOGRAPHIC_LENGTH: _o.cryptographic_length,
    Tag.INITIAL_DATE: _o.initial_date,
    Tag.ACTIVATION_DATE: _o.activation_date,
    Tag.PROCESS_START_DATE: _o.process_start_date,
    Tag.PROTECT_STOP_DATE: _o.protect_stop_date,
    Tag.DEACTIVATION_DATE: _o.deactivation_date,
    Tag.DESTROY_DATE: _o.destroy_date,
    Tag.COMPROMISE_OCCURRENCE_DATE: _o.compromise_occurrence_date,
    Tag.COMPROMISE_DATE: _o.compromise_date,
    Tag.ARCHIVE_DATE: _o.archive_date,
    Tag.LAST_CHANGE_DATE: _o.last_change_date,
    Tag.ORIGINAL_CREATION_DATE: _o.original_creation_date,
}
_UNDEFINED_DATE = 0x7FFFFFFFFFFFFFFF


class _Row(NamedTuple):
    """An object as its row was read."""

    mark: tuple[int, int | None, int | None]
    """Revision, generation and sealing key."""
    stored: StoredObject
    size: int
    """Bytes it takes in memory, roughly."""


def _size(blob: bytes) -> int:
    """The memory that decoded attributes take, roughly: several times their encoding, and something for each."""
    return 1024 + 8 * len(blob)


class Reader:
    """One thread's view. Between `begin_snapshot` and `end_snapshot` every read sees the same state."""

    def __init__(
        self,
        open_connection: Callable[[], sqlite3.Connection],
        on_snapshot: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        """`on_snapshot` is called with the connection at the beginning of each snapshot of a new epoch."""
        self._open_connection = open_connection
        self._connection = open_connection()
        self._on_snapshot = on_snapshot
        self._epoch = 0
        self._in_snapshot = False
        # Objects as the current epoch has them.
        self._current: Cache[StoredObject] = Cache(CACHED, CACHED_BYTES)
        # Rows as they were read: good while revision, generation and sealing key of the row are the same.
        self._found: Cache[_Row] = Cache(CACHED, CACHED_BYTES)
        self._decoded: Cache[tuple[int, AttributeSet]] = Cache(CACHED, CACHED_BYTES)
        self._searches: dict[object, Statement] = {}

    @property
    def epoch(self) -> int:
        return self._epoch

    def begin_snapshot(self) -> None:
        try:
            with translated():
                self._connection.execute("BEGIN")
                epoch = self._connection.execute(_EPOCH.text, _EPOCH.bind({})).fetchone()[0]
            if epoch != self._epoch:
                self._current.clear()
                if self._on_snapshot is not None:
                    self._on_snapshot(self._connection)
                self._epoch = epoch
        except BaseException:
            self._recover()
            raise
        self._in_snapshot = True

    def end_snapshot(self) -> None:
        self._in_snapshot = False
        try:
            with translated():
                self._connection.execute("COMMIT")
        except BaseException:
            self._recover()
            raise

    def _recover(self) -> None:
        """Out of a transaction that failed, on a new connection where the old one is of no use: the next snapshot
        begins as if nothing had been."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._connection.close()
            with suppress(StoreUnavailable):  # the next snapshot fails, and tries again
                self._connection = self._open_connection()

    def close(self) -> None:
        self._connection.close()

    # --- one object ---------------------------------------------------------------------------

    def find(self, unique_identifier: str) -> StoredObject | None:
        current = self._current.get(unique_identifier) if self._in_snapshot else None
        if current is not None:
            return current
        found = self._read(unique_identifier)
        if found is None:
            return None
        if self._in_snapshot:
            self._current.put(unique_identifier, found.stored, found.size)
        return found.stored

    def _read(self, unique_identifier: str) -> _Row | None:
        with translated():
            row = self._connection.execute(_FIND.text, (unique_identifier,)).fetchone()
        if row is None:
            return None
        mark = (row[4], row[7], row[8])
        cached = self._found.get(unique_identifier)
        if cached is not None and cached.mark == mark:
            return cached
        sealed = None
        if row[7] is not None:
            sealed = SealedMaterial(
                generation=row[7],
                sealing_key_version=row[8],
                wrapped_data_key=row[9],
                nonce=row[10],
                ciphertext=row[11],
            )
        size = _size(row[6]) + (0 if sealed is None else len(sealed.ciphertext))
        found = _Row(mark, self._stored(row, sealed), size)
        self._found.put(unique_identifier, found, size)
        return found

    def _stored(self, row: tuple[Any, ...], sealed: SealedMaterial | None) -> StoredObject:
        unique_identifier, domain, owner, object_type, revision, created_order, blob = row[:7]
        return StoredObject(
            unique_identifier=unique_identifier,
            domain=domain,
            owner=owner,
            object_type=ObjectType.of(object_type),
            attributes=self._attributes(unique_identifier, revision, blob),
            revision=revision,
            created_order=created_order,
            sealed=sealed,
        )

    def _attributes(self, unique_identifier: str, revision: int, blob: bytes) -> AttributeSet:
        cached = self._decoded.get(unique_identifier)
        if cached is not None and cached[0] == revision:
            return cached[1]
        decoded = from_storage(blob)
        self._decoded.put(unique_identifier, (revision, decoded), _size(blob))
        return decoded

    def name_holder(self, scope: str, name: str) -> str | None:
        with translated():
            row = _NAME_HOLDER.run(self._connection, scope=scope, name=name).fetchone()
        return None if row is None else str(row[0])

    # --- many objects -------------------------------------------------------------------------

    def candidates(self, query: LocateQuery) -> Iterable[StoredObject]:
        return self._search(*search(query, self._searches))

    def _search(self, statement: Statement, values: dict[str, Any]) -> Iterator[StoredObject]:
        with translated():
            rows = self._connection.execute(statement.text, statement.bind(values))
        while True:
            with translated():
                batch = rows.fetchmany(64)
            if not batch:
                return
            for row in batch:
                yield self._stored(row, None)


def search(query: LocateQuery, compiled: dict[object, Statement]) -> tuple[Statement, dict[str, Any]]:
    """The statement and the values that find a superset of what matches, newest first."""
    values: dict[str, Any] = {"domain": query.domain}
    by_term = [c for c in query.conditions if has_terms(c.key)]
    # The first of each column: there is an end to the columns, and what the others exclude is the engine's to say.
    first: dict[AttributeKey, Condition] = {}
    for condition in query.conditions:
        if condition.key in COLUMNS and condition.value != _UNDEFINED_DATE:
            first.setdefault(condition.key, condition)
    by_column = list(first.values())
    for number, condition in enumerate(by_term[:1]):
        values[f"term_{number}"] = term(condition.key, condition.value)
    for number, owner in enumerate(query.owners or ()):
        values[f"owner_{number}"] = owner
    for number, condition in enumerate(by_column):
        values[f"low_{number}"], values[f"high_{number}"] = condition.value, condition.value_to
    shape = (
        len(by_term[:1]),
        None if query.owners is None else len(query.owners),
        tuple((c.key, c.value_to is None) for c in by_column),
    )
    statement = compiled.pop(shape, None)
    if statement is None:
        while len(compiled) >= SHAPES:
            compiled.pop(next(iter(compiled)))
        statement = Statement(_select(len(by_term[:1]), query.owners, by_column))
    compiled[shape] = statement  # used last, forgotten last
    return statement, values


def _select(terms: int, owners: tuple[str, ...] | None, by_column: list[Condition]) -> Select[Any]:
    tree = select(*_HEAD).where(_o.domain == bindparam("domain"))
    if owners is not None:
        tree = tree.where(or_(*(_o.owner == bindparam(f"owner_{n}") for n in range(len(owners)))))
    for number, condition in enumerate(by_column):
        column = COLUMNS[condition.key]
        low: Any = bindparam(f"low_{number}")
        high: Any = bindparam(f"high_{number}")
        tree = tree.where(column == low if condition.value_to is None else and_(column >= low, column <= high))
    if terms:
        t = tables.attribute_terms.c
        tree = tree.select_from(tables.attribute_terms.join(tables.objects))
        return tree.where(t.term == bindparam("term_0")).order_by(t.created_order.desc(), t.object_id.desc())
    return tree.order_by(_o.created_order.desc(), _o.id.desc())
