"""Writing: units of work made durable together.

Strategy: BEGIN IMMEDIATE; from then on nobody else changes anything. A unit says what it was evaluated on: where
the epoch is still that one, all of it holds; where it has risen, the policy and every object that was opened must
have the revision that was read, also for a unit that only read. Then its rows, under a savepoint. A unit that finds
another revision, or a Name taken, is rolled back alone and evaluated again; one that cannot be written through a
fault of ours is rolled back alone and goes on record as failed. Records are appended, and COMMIT makes all of it
durable at once. If the database fails, nothing of the group happened; a COMMIT that fails half-way is written over,
so that no crash brings back what was refused.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from kmip_server.clock import Clock
from kmip_server.engine.ports import AuditEntry, Basis, Outcome, StoredObject, UnitOfWork, Write
from kmip_server.errors import OutcomeUnknown, StoreUnavailable
from kmip_server.protocol.enums import ResultReason
from kmip_server.protocol.storage import to_storage
from kmip_server.protocol.tags import Tag
from kmip_server.store import tables
from kmip_server.store.audit import Chain
from kmip_server.store.database import Statement, translated
from kmip_server.store.terms import terms
from kmip_server.store.turn import WriteTurn

log = logging.getLogger(__name__)

_o = tables.objects.c
_COLUMNS = {
    "state": Tag.STATE,
    "cryptographic_algorithm": Tag.CRYPTOGRAPHIC_ALGORITHM,
    "cryptographic_length": Tag.CRYPTOGRAPHIC_LENGTH,
    "initial_date": Tag.INITIAL_DATE,
    "activation_date": Tag.ACTIVATION_DATE,
    "process_start_date": Tag.PROCESS_START_DATE,
    "protect_stop_date": Tag.PROTECT_STOP_DATE,
    "deactivation_date": Tag.DEACTIVATION_DATE,
    "destroy_date": Tag.DESTROY_DATE,
    "compromise_occurrence_date": Tag.COMPROMISE_OCCURRENCE_DATE,
    "compromise_date": Tag.COMPROMISE_DATE,
    "archive_date": Tag.ARCHIVE_DATE,
    "last_change_date": Tag.LAST_CHANGE_DATE,
    "original_creation_date": Tag.ORIGINAL_CREATION_DATE,
}
_CHANGING = (*_COLUMNS, "owner", "domain", "object_type", "created_order", "attributes", "revision")

_INSERT = Statement(
    insert(tables.objects).values({c.name: bindparam(c.name) for c in tables.objects.c if c.name != "id"})
)
_UPDATE = Statement(
    update(tables.objects)
    .where(_o.unique_identifier == bindparam("identifier"), _o.revision == bindparam("read_revision"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)
_ID = Statement(select(_o.id).where(_o.unique_identifier == bindparam("identifier")))
_INSERT_MATERIAL = Statement(insert(tables.materials))
_DELETE_MATERIAL = Statement(delete(tables.materials).where(tables.materials.c.object_id == bindparam("object_id")))
_INSERT_TERM = Statement(insert(tables.attribute_terms))
_DELETE_TERMS = Statement(
    delete(tables.attribute_terms).where(tables.attribute_terms.c.object_id == bindparam("object_id"))
)
_INSERT_NAME = Statement(insert(tables.names))
_DELETE_NAMES = Statement(delete(tables.names).where(tables.names.c.object_id == bindparam("object_id")))
_REVISION = Statement(select(_o.revision).where(_o.unique_identifier == bindparam("identifier")))
# Two rows: epoch stands before policy_revision.
_MOMENT = Statement(
    select(tables.meta.c.value)
    .where(tables.meta.c.name.in_(["epoch", "policy_revision"]))
    .order_by(tables.meta.c.name)
)
_RAISE_EPOCH = Statement(
    update(tables.meta).where(tables.meta.c.name == "epoch").values(value=tables.meta.c.value + 1)
)


_FAULTS = (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)
"""What the driver raises for a value that it cannot take: the unit's fault, not the database's."""
_UNFINISHED = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE})
"""How a COMMIT fails whose last frame is not in the log: no recovery takes it for done."""


class _Overtaken(Exception):
    """Somebody else changed what this unit read."""


class _Moment:
    """Within one transaction: where the database stood at its beginning, and what the group has changed since."""

    __slots__ = ("changed", "epoch", "policy_revision")

    def __init__(self, epoch: int, policy_revision: int) -> None:
        self.epoch = epoch
        self.policy_revision = policy_revision
        self.changed: set[str] = set()


class Writer:
    """One thread's writer, with its own chain of records."""

    def __init__(
        self,
        open_connection: Callable[[], sqlite3.Connection],
        clock: Clock,
        node: str,
        before_wait: Callable[[], None] = lambda: None,
        turn: WriteTurn | None = None,
    ) -> None:
        """`before_wait` is called when a group has nothing left to do but to become durable, and when it is another
        process's `turn` to write."""
        self._before_wait = before_wait
        self._turn = turn
        self._open_connection = open_connection
        self._clock = clock
        self._node = node
        self._connection = open_connection()
        self._chain = Chain(self._connection, clock, node)
        self._is_broken = False
        # Records of answers that have left, for the next transaction.
        self._put_off: list[AuditEntry] = []

    def close(self) -> None:
        self._connection.close()

    def apply(self, units: Sequence[UnitOfWork]) -> list[Outcome]:
        """Make the units durable, and say what became of each.

        Raises StoreUnavailable where nothing of the group is durable, OutcomeUnknown where that cannot be said.
        """
        if not units and not self._put_off:
            return []
        with self._transaction(entry for unit in units for entry in _failed(unit)):
            moment = self._moment()
            outcomes = [self._apply(unit, moment) for unit in units]
            if moment.changed:
                _RAISE_EPOCH.run(self._connection)
            entries = self._put_off.copy()
            for unit, outcome in zip(units, outcomes, strict=True):
                if outcome is not Outcome.OVERTAKEN:
                    entries += unit.audit if outcome is Outcome.APPLIED else _failed(unit)
            self._chain.append(entries)
            self._before_wait()
        self._put_off.clear()
        return outcomes

    def put_off(self, units: Sequence[UnitOfWork]) -> list[Outcome]:
        """See of units that write nothing whether they hold, and keep their records for the next transaction.

        Raises StoreUnavailable where that cannot be seen.
        """
        if self._is_broken:
            return self.apply(units)
        with translated():
            moment = self._moment()
        outcomes = []
        for unit in units:
            overtaken = unit.basis is not None and self._is_overtaken(unit.basis, moment)
            outcomes.append(Outcome.OVERTAKEN if overtaken else Outcome.APPLIED)
            if not overtaken:
                self._put_off.extend(unit.audit)
        return outcomes

    def _moment(self) -> _Moment:
        rows = self._connection.execute(_MOMENT.text, _MOMENT.bind({})).fetchall()
        return _Moment(rows[0][0], rows[1][0])

    def change(self, change: Callable[[sqlite3.Connection], None], entry: AuditEntry) -> None:
        """A change that is no object's, with its record, in one transaction. What `change` raises undoes it.

        Raises StoreUnavailable, OutcomeUnknown.
        """
        with self._transaction([_failure(entry)]):
            change(self._connection)
            self._chain.append([entry])

    @contextmanager
    def _transaction(self, refused: Iterable[AuditEntry]) -> Iterator[None]:
        """Durable at its end, or not at all. `refused`: what is on record where COMMIT fails half-way."""
        is_ending = False
        if self._turn is not None:
            self._turn.begin(self._before_wait)
        try:
            self._begin()
            yield
            is_ending = True
            self._connection.execute("COMMIT")
        except (sqlite3.Error, MemoryError) as error:
            self._recover()
            if is_ending and getattr(error, "sqlite_errorcode", None) not in _UNFINISHED:
                self._write_over(refused, error)
            why = str(error) or "out of memory"
            raise StoreUnavailable(f"the database refused, nothing was changed: {why}") from error
        except BaseException:
            self._recover()
            raise
        finally:
            if self._turn is not None:
                self._turn.end()
        self._chain.keep()

    def _write_over(self, refused: Iterable[AuditEntry], error: Exception) -> None:
        """Put the record of a refusal in the place of what was refused.

        A COMMIT that fails at its sync leaves its frames whole in the log. While the server runs nobody reads them;
        after a crash the recovery of the log would take them for done. The next transaction takes their place.
        Raises OutcomeUnknown where the disk does not take that either.
        """
        try:
            self._begin()
            self._chain.append(refused)
            self._connection.execute("COMMIT")
        except Exception as again:
            self._recover()
            raise OutcomeUnknown(
                f"the database failed to commit, and whether the changes are durable is not known: {error}"
            ) from again
        self._chain.keep()

    def _begin(self) -> None:
        if self._is_broken:
            self._connection.close()
            self._connection = self._open_connection()
            self._chain = Chain(self._connection, self._clock, self._node)
            self._is_broken = False
        self._connection.execute("BEGIN IMMEDIATE")

    def _recover(self) -> None:
        """Back to the last durable state; the next transaction has a new connection where this one is of no use."""
        self._chain.forget()
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._is_broken = True

    def _apply(self, unit: UnitOfWork, moment: _Moment) -> Outcome:
        if unit.basis is not None and self._is_overtaken(unit.basis, moment):
            return Outcome.OVERTAKEN
        if not unit.writes:
            return Outcome.APPLIED
        outcome = self._write(unit)
        if outcome is Outcome.APPLIED:
            moment.changed.update(write.stored.unique_identifier for write in unit.writes)
        return outcome

    def _is_overtaken(self, basis: Basis, moment: _Moment) -> bool:
        """Whether something has changed that the unit rests on: through others, or earlier in the group."""
        if moment.changed and not moment.changed.isdisjoint(basis.revisions):
            return True
        if basis.epoch == moment.epoch:
            return False
        return basis.policy_revision != moment.policy_revision or any(
            self._revision(identifier) != revision for identifier, revision in basis.revisions.items()
        )

    def _revision(self, unique_identifier: str) -> int:
        row = _REVISION.run(self._connection, identifier=unique_identifier).fetchone()
        return 0 if row is None else int(row[0])

    def _write(self, unit: UnitOfWork) -> Outcome:
        self._connection.execute("SAVEPOINT unit")
        try:
            # Names that are given up are free for others of the same unit.
            ids = [self._update(write) if write.read_revision else self._insert(write) for write in unit.writes]
            for write, object_id in zip(unit.writes, ids, strict=True):
                self._index(write, object_id)
        except (_Overtaken, sqlite3.IntegrityError):
            return self._without(Outcome.OVERTAKEN)
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not isinstance(error, _FAULTS):
                raise
            log.exception("request %s cannot be written", _request_of(unit))
            return self._without(Outcome.FAILED)
        self._connection.execute("RELEASE unit")
        return Outcome.APPLIED

    def _without(self, outcome: Outcome) -> Outcome:
        """Roll back the unit, and it alone."""
        self._connection.execute("ROLLBACK TO unit")
        self._connection.execute("RELEASE unit")
        return outcome

    def _insert(self, write: Write) -> int:
        """Returns the row's id."""
        stored = write.stored
        values = _values(stored) | {
            "unique_identifier": stored.unique_identifier,
            "revision": 1,
        }
        object_id = self._connection.execute(_INSERT.text, _INSERT.bind(values)).lastrowid
        assert object_id is not None
        return object_id

    def _update(self, write: Write) -> int:
        """Returns the row's id."""
        values = _values(write.stored) | {"revision": write.read_revision + 1}
        bound = {f"new_{name}": values[name] for name in _CHANGING}
        bound |= {"identifier": write.stored.unique_identifier, "read_revision": write.read_revision}
        if self._connection.execute(_UPDATE.text, _UPDATE.bind(bound)).rowcount != 1:
            raise _Overtaken
        object_id = self._object_id(write)
        _DELETE_NAMES.run(self._connection, object_id=object_id)
        _DELETE_TERMS.run(self._connection, object_id=object_id)
        if write.material_changed:
            _DELETE_MATERIAL.run(self._connection, object_id=object_id)
        return object_id

    def _index(self, write: Write, object_id: int) -> None:
        """Everything that hangs on the object's row."""
        stored = write.stored
        if write.material_changed and stored.sealed is not None:
            sealed = stored.sealed
            _INSERT_MATERIAL.run(
                self._connection,
                object_id=object_id,
                generation=sealed.generation,
                sealing_key_version=sealed.sealing_key_version,
                wrapped_data_key=sealed.wrapped_data_key,
                nonce=sealed.nonce,
                ciphertext=sealed.ciphertext,
            )
        for scope, name in write.names:
            _INSERT_NAME.run(self._connection, scope=scope, name=name, object_id=object_id)
        for each in terms(stored.attributes):
            _INSERT_TERM.run(self._connection, object_id=object_id, term=each, created_order=stored.created_order)

    def _object_id(self, write: Write) -> int:
        row = _ID.run(self._connection, identifier=write.stored.unique_identifier).fetchone()
        return int(row[0])


def _request_of(unit: UnitOfWork) -> str:
    return unit.audit[0].request_identifier if unit.audit else ""


def _failed(unit: UnitOfWork) -> list[AuditEntry]:
    """The record of a unit of which nothing was written."""
    return [_failure(entry) for entry in unit.audit]


def _failure(entry: AuditEntry) -> AuditEntry:
    reason = ResultReason.GENERAL_FAILURE.title
    return entry._replace(outcome="failed", reason=reason) if entry.outcome == "allowed" else entry


def _values(stored: StoredObject) -> dict[str, Any]:
    """The columns that change with the object."""
    attributes = stored.attributes
    values: dict[str, Any] = {name: attributes.one(tag) for name, tag in _COLUMNS.items()}
    values = {name: None if value is None else int(value) for name, value in values.items()}
    return values | {
        "owner": stored.owner,
        "domain": stored.domain,
        "object_type": int(stored.object_type),
        "created_order": stored.created_order,
        "attributes": to_storage(attributes),
    }
