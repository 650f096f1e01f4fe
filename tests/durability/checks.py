"""What must be so after a crash, whatever the moment.

Strategy: every client's objects are as one of two worlds has them: what was acknowledged, or that and the request
that was under way; never anything between, for all its objects together. The record says which, and agrees. And the
store agrees with itself: each object's row with all that hangs on it, the chain with its hashes, the Usage Limits
with the uses on record.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmip_server.audit.record import FIELDS
from kmip_server.audit.verify import verify
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_set import VendorAttribute
from kmip_server.protocol.enums import Operation, State
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.storage import from_storage
from kmip_server.protocol.tags import Tag
from kmip_server.store import audit
from kmip_server.store.terms import terms
from tests.durability.load import VERSION, Answered, Option, Request, Seen, Step, key_of
from tests.support.engine import Refused, children, result_of
from tests.support.requests import name
from tests.support.wire import Connection

Ask = Callable[[bytes], bytes]
"""A message to the server, and its answer."""
_AT_ONCE = 20
_GONE = (State.DESTROYED, State.DESTROYED_COMPROMISED)


def through(connection: Connection) -> Ask:
    """Asking over a connection."""

    def ask(message: bytes) -> bytes:
        connection.send(message)
        return connection.receive()

    return ask


@dataclass(frozen=True, slots=True)
class Promise:
    """What one client was promised: its world, and what may have happened besides."""

    source: str
    world: Mapping[str, Seen]
    identifiers: Mapping[str, str]
    values: Mapping[str, bytes]
    history: tuple[Answered, ...]
    in_flight: Step | None

    @property
    def after(self) -> dict[str, Seen]:
        """The world once the request under way is done."""
        return dict(self.world) | (dict(self.in_flight.changes) if self.in_flight is not None else {})


@dataclass(frozen=True, slots=True)
class Found:
    """What the server says of an object."""

    seen: Seen
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """The world as it turned out to be."""

    world: dict[str, Seen]
    identifiers: dict[str, str]
    values: dict[str, bytes]
    was_done: bool


def check(ask: Ask, database: Path, promises: Iterable[Promise], limited: str, total: int) -> list[Resolved]:
    """Everything, of a server that was started on what the crash left. AssertionError says what is not so."""
    promises = list(promises)
    records = check_record(database)
    check_store(database)
    check_uses(ask, records, promises, limited, total)
    return [check_world(ask, records, promise) for promise in promises]


# --- one client's objects -----------------------------------------------------------------------


def check_world(ask: Ask, records: list[dict[str, Any]], promise: Promise) -> Resolved:
    """One of the two worlds is so, and the record says which."""
    before, after = dict(promise.world), promise.after
    identifiers = dict(promise.identifiers)
    unfinished = promise.in_flight.names if promise.in_flight is not None else ()
    undecided = [each for each in {*after, *unfinished} if each not in identifiers]
    located = _batches(ask, [(Operation.LOCATE, LocateRequest(attributes=(name(each),))) for each in undecided])
    for each, response in zip(undecided, located, strict=True):
        assert not isinstance(response, Refused), response
        found = response.unique_identifiers
        assert len(found) <= 1, f"{each} is there {len(found)} times"
        identifiers.update({each: found[0]} if found else {})
    found = look(ask, identifiers)
    was_done = _recorded(records, promise)
    expected = after if was_done else before
    wrong = {
        each: (expected.get(each), found.get(each))
        for each in {*expected, *found}
        if not _is_as(expected.get(each), found.get(each), promise.values.get(each))
    }
    assert not wrong, f"{promise.source}, request under way {'on record' if was_done else 'not on record'}: {wrong}"
    values = dict(promise.values) | {each: seen.value for each, seen in found.items() if seen.value is not None}
    return Resolved(expected, identifiers, values, was_done)


def _is_as(expected: Seen | None, found: Found | None, value: bytes | None) -> bool:
    if expected is None or found is None:
        return expected is None and found is None
    if found.seen != expected or (found.value is not None) != expected.has_value:
        return False
    return value is None or found.value is None or found.value == value


def look(ask: Ask, identifiers: Mapping[str, str]) -> dict[str, Found]:
    """Every object that is there, by its Name: attributes and value."""
    requests: list[Request] = []
    for identifier in identifiers.values():
        requests.append((Operation.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=identifier)))
        requests.append((Operation.GET, GetRequest(unique_identifier=identifier)))
    answers = iter(_batches(ask, requests))
    found: dict[str, Found] = {}
    for each in identifiers:
        attributes, value = next(answers), next(answers)
        if isinstance(attributes, Refused):
            continue
        fields = sorted(
            (given.key.title, given.value.value)
            for given in attributes.attributes
            if isinstance(given.key, VendorAttribute)
        )
        state = next(given.value for given in attributes.attributes if given.key == Tag.STATE)
        names = [given.value.name_value for given in attributes.attributes if given.key == Tag.NAME]
        assert names == [each], f"{each} has the Names {names}"
        found[each] = Found(Seen(state, tuple(fields)), None if isinstance(value, Refused) else value)
    return found


def _batches(ask: Ask, requests: list[Request]) -> list[Any]:
    """The typed answer to each request, the key of a Get, or the Refused."""
    answers: list[Any] = []
    for at in range(0, len(requests), _AT_ONCE):
        part = requests[at : at + _AT_ONCE]
        reply = ask(Step(tuple(part), option=Option.CONTINUE).message())
        for item, (operation, _) in zip(children(ttlv.decode(reply), Tag.BATCH_ITEM), part, strict=True):
            try:
                answers.append(key_of(item) if operation == Operation.GET else result_of(item, VERSION))
            except Refused as refused:
                answers.append(refused)
    return answers


# --- the record ---------------------------------------------------------------------------------


def check_record(database: Path) -> list[dict[str, Any]]:
    """The records, of a chain that is whole."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("BEGIN")
        rows = list(audit.rows(connection))
        report = verify(rows, audit.heads(connection))
    assert report.faults == ()
    return [dict(zip(FIELDS, json.loads(text), strict=True)) for _, _, text, _ in rows]


def _recorded(records: list[dict[str, Any]], promise: Promise) -> bool:
    """Whether the request under way is on record. What was acknowledged must be, in its order; what was refused
    because it could not be made durable may be, as failed."""
    mine = [each for each in records if each["source"] == promise.source and each["outcome"] != "failed"]
    found = [(each["operation"], each["outcome"]) for each in mine]
    expected = [record for answered in promise.history for record in answered.records]
    assert found[: len(expected)] == expected, f"{promise.source}: acknowledged {expected}, on record {found}"
    more = mine[len(expected) :]
    requests = {each["request_identifier"] for each in more}
    asked = len(promise.in_flight.requests) if promise.in_flight is not None else 0
    assert len(requests) <= 1, f"{promise.source}: one request was under way, on record are {requests}"
    assert len(more) <= asked, f"{promise.source}: {len(more)} records of {asked} operations"
    return bool(more)


def check_uses(ask: Ask, records: list[dict[str, Any]], promises: list[Promise], limited: str, total: int) -> None:
    """No more than allowed, none forgotten, and the count is what the record says."""
    used = [each for each in records if each["object"] == limited and each["operation"] == Operation.ENCRYPT.title]
    recorded = sum(each["outcome"] == "allowed" for each in used)
    acknowledged = sum(answered.uses for promise in promises for answered in promise.history)
    under_way = sum(promise.in_flight.uses for promise in promises if promise.in_flight is not None)
    request = GetAttributesRequest(unique_identifier=limited, attribute_names=(Tag.USAGE_LIMITS,))
    (answer,) = _batches(ask, [(Operation.GET_ATTRIBUTES, request)])
    assert not isinstance(answer, Refused), f"the key with Usage Limits: {answer}"
    (limits,) = answer.attributes
    left = limits.value.usage_limits_count
    assert recorded <= total, f"{recorded} uses of {total}"
    assert left == total - recorded, f"{left} left of {total} after {recorded} uses"
    assert acknowledged <= recorded <= acknowledged + under_way, (acknowledged, recorded, under_way)


# --- the store ----------------------------------------------------------------------------------


def check_store(database: Path) -> None:
    """Each object's row and all that hangs on it say the same; nothing hangs on nothing; SQLite finds no damage."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("BEGIN")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        named = _by_object(connection, "SELECT object_id, name FROM names")
        indexed = _by_object(connection, "SELECT object_id, term FROM attribute_terms")
        with_value = {row[0] for row in connection.execute("SELECT object_id FROM materials")}
        query = "SELECT id, unique_identifier, state, cryptographic_length, attributes FROM objects"
        for number, identifier, state, length, blob in connection.execute(query):
            attributes = from_storage(blob)
            is_gone = attributes.one(Tag.STATE) in _GONE
            assert attributes.one(Tag.UNIQUE_IDENTIFIER) in (None, identifier)
            assert (attributes.one(Tag.STATE), attributes.one(Tag.CRYPTOGRAPHIC_LENGTH)) == (state, length)
            assert indexed.get(number, set()) == terms(attributes), f"{identifier}: its terms are another's"
            if not is_gone:
                names = {each.value.name_value for each in attributes if each.key == Tag.NAME}
                assert named.get(number, set()) == names, f"{identifier}: its Names are another's"
            assert (number in with_value) != is_gone, f"{identifier} in {state}: its value"


def _by_object(connection: sqlite3.Connection, query: str) -> dict[int, set[Any]]:
    found: dict[int, set[Any]] = {}
    for number, value in connection.execute(query):
        found.setdefault(number, set()).add(value)
    return found
