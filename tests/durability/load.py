"""Load: clients that know at every moment what they were promised, and what they have asked for since.

Strategy: each client has a connection and objects of its own, so that it can say for each request what the world is
before it and after it. A request that is answered has moved the world; the one that was under way when the server
died has moved it wholly, or not at all. One key with Usage Limits is everybody's. Everything random comes from one
seed; Names are the clients' own, so that also an object whose making was never answered can be looked for.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kmip_server.errors import CodecError
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    BatchErrorContinuationOption,
    Operation,
    ResultStatus,
    RevocationReasonCode,
    State,
    UsageLimitsUnit,
)
from kmip_server.protocol.payloads.attributes import (
    AddAttributeRequest,
    DeleteAttributeRequest,
    ModifyAttributeRequest,
)
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_4
from tests.durability.wire import CountedConnection
from tests.engine.test_use import encrypt
from tests.support.engine import child, children, request_message, result_of
from tests.support.requests import attribute, create, custom, name, register_key, revoke
from tests.support.server import RunningServer

VERSION = V1_4
Option = BatchErrorContinuationOption
Request = tuple[Operation, Any]
UNAVAILABLE = "the server is not available; try again later"
UNKNOWN = "the server cannot say whether this is done; look before asking again"
SERIAL, NOTE = "x-Serial", "x-Note"
_GONE = frozenset({State.DESTROYED, State.DESTROYED_COMPROMISED})


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client knows of an object."""

    state: State
    fields: tuple[tuple[str, str], ...]
    """Custom attributes, by name: their values."""

    @property
    def has_value(self) -> bool:
        return self.state not in _GONE

    def with_field(self, key: str, value: str | None) -> Seen:
        kept = dict(self.fields) | ({} if value is None else {key: value})
        if value is None:
            kept.pop(key)
        return replace(self, fields=tuple(sorted(kept.items())))


@dataclass(frozen=True, slots=True)
class Step:
    """One message, and what is so once it is done."""

    requests: tuple[Request, ...]
    changes: Mapping[str, Seen] = field(default_factory=dict)
    """By Name."""
    option: Option | None = None
    made: tuple[str, ...] = ()
    """The Names of the objects that its Creates and Registers make, in their order; of an undone batch: none."""
    values: Mapping[str, bytes] = field(default_factory=dict)
    """Key values that it brings, by Name."""
    read: str = ""
    """The Name of the object whose value it asks for."""
    names: tuple[str, ...] = ()
    """Names that it must not leave behind."""

    @property
    def uses(self) -> int:
        """How often it uses the key with Usage Limits at most."""
        return sum(operation == Operation.ENCRYPT for operation, _ in self.requests)

    def message(self) -> bytes:
        items: list[tuple[int, Item, bytes | None]] = [
            (int(operation), encode_structure(request, VERSION), number.to_bytes(2, "big"))
            for number, (operation, request) in enumerate(self.requests)
        ]
        return request_message(VERSION, items, option=self.option)


@dataclass(frozen=True, slots=True)
class Answered:
    """A step that was acknowledged. `received`: bytes that had come on the connection by the end of its answer."""

    step: Step
    received: int
    records: tuple[tuple[str, str], ...]
    """What must be on record: operation and outcome of each item."""
    uses: int


class Unacknowledged(Exception):
    """No whole answer came, or one that says that the server cannot say."""


_OUTCOME = {
    ResultStatus.SUCCESS: "allowed",
    ResultStatus.OPERATION_FAILED: "refused",
    ResultStatus.OPERATION_UNDONE: "undone",
}


class Client(threading.Thread):
    """One connection's requests, until it is told to stop or the server is gone."""

    def __init__(
        self,
        server: RunningServer,
        prefix: str,
        rng: random.Random,
        limited: str,
        told: Callable[[], None],
    ) -> None:
        """`limited`: the key with Usage Limits. `told` is called for each answer and at the end, on this thread."""
        super().__init__(name=prefix, daemon=True)
        self._connection = CountedConnection(server)
        self._rng = rng
        self._prefix = prefix
        self._limited = limited
        self._told = told
        self._count = 0
        self.stopping = False
        self.ended = False
        self.history: list[Answered] = []
        self.in_flight: Step | None = None
        """What was asked and not answered."""
        self.world: dict[str, Seen] = {}
        self.identifiers: dict[str, str] = {}
        self.values: dict[str, bytes] = {}
        """Key values, by Name, as they were brought or got."""
        self.refused = 0
        """Messages that the server refused because it could not make them durable."""
        self.failure: Exception | None = None

    @property
    def end(self) -> int:
        """Its connection, as the record of what was sent names it."""
        return self._connection.end

    @property
    def source(self) -> str:
        """Its connection, as the audit record names it."""
        return self._connection.source

    def run(self) -> None:
        try:
            while not self.stopping:
                step = self._next()
                self.in_flight = step
                items = self._exchange(step)
                self._take_over(step, items)
                self.in_flight = None
                self._told()
        except Unacknowledged:
            return
        except Exception as error:
            self.failure = error
        finally:
            self._connection.close()
            self.ended = True
            self._told()

    def _exchange(self, step: Step) -> list[Item]:
        try:
            self._connection.send(step.message())
            return children(ttlv.decode(self._connection.receive()), Tag.BATCH_ITEM)
        except (OSError, CodecError) as error:
            raise Unacknowledged from error

    def _take_over(self, step: Step, items: list[Item]) -> None:
        """The server has promised: so it is from now on. Or it has refused the whole message: so it is not."""
        if child(items[0], Tag.OPERATION) is None:
            if child(items[0], Tag.RESULT_MESSAGE) == UNKNOWN:
                raise Unacknowledged
            assert child(items[0], Tag.RESULT_MESSAGE) == UNAVAILABLE
            self.refused += 1
            return
        statuses = [ResultStatus.of(child(item, Tag.RESULT_STATUS)) for item in items]
        for item, status, (operation, _) in zip(items, statuses, step.requests, strict=False):
            expected = operation in (Operation.ENCRYPT, Operation.GET) or status != ResultStatus.OPERATION_FAILED
            assert expected, f"{operation.title}: {child(item, Tag.RESULT_MESSAGE)}"
        made = iter(step.made)
        for item, status, (operation, _) in zip(items, statuses, step.requests, strict=False):
            if status != ResultStatus.SUCCESS:
                continue
            if operation in (Operation.CREATE, Operation.REGISTER):
                self.identifiers[next(made)] = result_of(item, VERSION).unique_identifier
            if operation == Operation.GET:
                value = key_of(item)
                assert self.values.setdefault(step.read, value) == value
        self.values.update(step.values)
        self.world.update(step.changes)
        titles = [operation.title for operation, _ in step.requests]
        records = tuple((title, _OUTCOME[status]) for title, status in zip(titles, statuses, strict=False))
        uses = records.count((Operation.ENCRYPT.title, "allowed"))
        self.history.append(Answered(step, self._connection.received, records, uses))

    # --- what to ask --------------------------------------------------------------------------

    def _next(self) -> Step:
        rng = self._rng
        kinds: list[tuple[int, Callable[[], Step | None]]] = [
            (5, self._create),
            (3, self._register),
            (3, self._get),
            (4, self._add_or_modify),
            (1, self._delete_field),
            (3, self._activate),
            (2, self._revoke),
            (2, self._destroy),
            (4, self._use),
            (2, self._use_thrice),
            (3, self._batch_done),
            (3, self._batch_undone),
            (1, self._batch_continued),
        ]
        while True:
            (kind,) = rng.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])
            step = kind()
            if step is not None:
                return step

    def _fresh(self) -> tuple[str, str]:
        self._count += 1
        return f"{self._prefix}-{self._count}", str(self._count)

    def _one(self, *states: State) -> str | None:
        """The Name of an object that is in one of these states."""
        found = [each for each, seen in self.world.items() if seen.state in states]
        return self._rng.choice(found) if found else None

    def _making(self) -> tuple[str, Request, Seen]:
        fresh, serial = self._fresh()
        seen = Seen(State.PRE_ACTIVE, ((SERIAL, serial),))
        return fresh, (Operation.CREATE, create(name(fresh), custom(SERIAL, serial))), seen

    def _create(self) -> Step:
        fresh, request, seen = self._making()
        return Step((request,), {fresh: seen}, made=(fresh,), names=(fresh,))

    def _register(self) -> Step:
        fresh, serial = self._fresh()
        key = self._rng.randbytes(32)
        request = register_key(key, name(fresh), custom(SERIAL, serial))
        changes = {fresh: Seen(State.PRE_ACTIVE, ((SERIAL, serial),))}
        return Step(((Operation.REGISTER, request),), changes, made=(fresh,), values={fresh: key}, names=(fresh,))

    def _get(self) -> Step | None:
        found = self._one(State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED)
        if found is None:
            return None
        request = GetRequest(unique_identifier=self.identifiers[found])
        return Step(((Operation.GET, request),), read=found)

    def _setting(self, found: str) -> tuple[Request, Seen]:
        identifier, seen = self.identifiers[found], self.world[found]
        value = self._rng.randbytes(8).hex()
        if NOTE in dict(seen.fields):
            modified = ModifyAttributeRequest(unique_identifier=identifier, attribute=custom(NOTE, value))
            return (Operation.MODIFY_ATTRIBUTE, modified), seen.with_field(NOTE, value)
        added = AddAttributeRequest(unique_identifier=identifier, attribute=custom(NOTE, value))
        return (Operation.ADD_ATTRIBUTE, added), seen.with_field(NOTE, value)

    def _add_or_modify(self) -> Step | None:
        found = self._one(State.PRE_ACTIVE, State.ACTIVE)
        if found is None:
            return None
        request, seen = self._setting(found)
        return Step((request,), {found: seen})

    def _delete_field(self) -> Step | None:
        found = self._one(State.PRE_ACTIVE, State.ACTIVE)
        if found is None or NOTE not in dict(self.world[found].fields):
            return None
        request = DeleteAttributeRequest(unique_identifier=self.identifiers[found], attribute_name=NOTE)
        return Step(((Operation.DELETE_ATTRIBUTE, request),), {found: self.world[found].with_field(NOTE, None)})

    def _activate(self) -> Step | None:
        found = self._one(State.PRE_ACTIVE)
        if found is None:
            return None
        request = ActivateRequest(unique_identifier=self.identifiers[found])
        return Step(((Operation.ACTIVATE, request),), {found: replace(self.world[found], state=State.ACTIVE)})

    def _revoke(self) -> Step | None:
        found = self._one(State.ACTIVE)
        if found is None:
            return None
        code, state = self._rng.choice(
            (
                (RevocationReasonCode.CESSATION_OF_OPERATION, State.DEACTIVATED),
                (RevocationReasonCode.KEY_COMPROMISE, State.COMPROMISED),
            )
        )
        request = revoke(self.identifiers[found], code)
        return Step(((Operation.REVOKE, request),), {found: replace(self.world[found], state=state)})

    def _destroy(self) -> Step | None:
        found = self._one(State.PRE_ACTIVE, State.DEACTIVATED, State.COMPROMISED)
        if found is None:
            return None
        seen = self.world[found]
        state = State.DESTROYED_COMPROMISED if seen.state == State.COMPROMISED else State.DESTROYED
        request = DestroyRequest(unique_identifier=self.identifiers[found])
        return Step(((Operation.DESTROY, request),), {found: replace(seen, state=state)})

    def _use(self) -> Step:
        return Step(((Operation.ENCRYPT, encrypt(self._limited)),))

    def _use_thrice(self) -> Step:
        option = self._rng.choice((None, Option.CONTINUE, Option.UNDO))
        return Step(((Operation.ENCRYPT, encrypt(self._limited)),) * 3, option=option)

    def _batch_done(self) -> Step | None:
        """An object made, activated and marked, and another changed: all of it, or nothing."""
        other = self._one(State.PRE_ACTIVE, State.ACTIVE)
        if other is None:
            return None
        fresh, making, seen = self._making()
        setting, changed = self._setting(other)
        activate = (Operation.ACTIVATE, ActivateRequest(unique_identifier=None))
        requests = (making, activate, setting)
        changes = {fresh: replace(seen, state=State.ACTIVE), other: changed}
        return Step(requests, changes, option=Option.UNDO, made=(fresh,), names=(fresh,))

    def _batch_undone(self) -> Step | None:
        """The same, but the last item fails: nothing of it stays."""
        step = self._batch_done()
        if step is None:
            return None
        absent = (Operation.GET, GetRequest(unique_identifier="absent"))
        uses = ((Operation.ENCRYPT, encrypt(self._limited)),) * self._rng.randint(0, 1)
        return replace(step, requests=(*step.requests, *uses, absent), changes={}, made=())

    def _batch_continued(self) -> Step | None:
        """An item that fails between two that do not."""
        other = self._one(State.PRE_ACTIVE, State.ACTIVE)
        if other is None:
            return None
        fresh, making, seen = self._making()
        setting, changed = self._setting(other)
        absent = (Operation.GET, GetRequest(unique_identifier="absent"))
        changes = {fresh: seen, other: changed}
        return Step((making, absent, setting), changes, option=Option.CONTINUE, made=(fresh,), names=(fresh,))


def key_of(item: Item) -> bytes:
    """The key in the answer to a Get. Raises Refused."""
    value = result_of(item, VERSION).managed_object.key_block.key_value.key_material
    assert isinstance(value, bytes)
    return value


class Load:
    """Several clients at once on one server."""

    def __init__(self, server: RunningServer, seed: str, *, clients: int = 8) -> None:
        self.rng = random.Random(seed)
        self.total = self.rng.choice((20, 60, 10_000))
        """The Usage Limits of the key that all share."""
        self._changed = threading.Condition()
        self.limited = self._make_limited(server)
        self.clients = [
            Client(server, f"{seed}-{number}", random.Random(f"{seed}/{number}"), self.limited, self._told)
            for number in range(clients)
        ]
        for client in self.clients:
            client.start()

    def _make_limited(self, server: RunningServer) -> str:
        limits = UsageLimits(usage_limits_total=self.total, usage_limits_unit=UsageLimitsUnit.OBJECT)
        making = Step(((Operation.CREATE, create(attribute(Tag.USAGE_LIMITS, limits))),))
        connection = CountedConnection(server)
        try:
            (item,) = children(connection.exchange(making.message()), Tag.BATCH_ITEM)
            identifier = str(result_of(item, VERSION).unique_identifier)
            activating = Step(((Operation.ACTIVATE, ActivateRequest(unique_identifier=identifier)),))
            (item,) = children(connection.exchange(activating.message()), Tag.BATCH_ITEM)
            result_of(item, VERSION)
            return identifier
        finally:
            connection.close()

    def _told(self) -> None:
        with self._changed:
            self._changed.notify_all()

    @property
    def refused(self) -> int:
        return sum(client.refused for client in self.clients)

    @property
    def acknowledged(self) -> int:
        return sum(len(client.history) for client in self.clients)

    def wait_for(self, count: int) -> None:
        """Until so many requests are answered, or all clients have ended."""
        with self._changed:
            enough = self._changed.wait_for(
                lambda: self.acknowledged + self.refused >= count or all(client.ended for client in self.clients),
                timeout=60,
            )
        assert enough, f"only {self.acknowledged} of {count} requests were answered in a minute"

    def stop(self) -> None:
        """Let each client finish its request."""
        for client in self.clients:
            client.stopping = True

    def join(self) -> None:
        """Once the server is dead, or the clients are stopping. Raises what went wrong in one of them."""
        for client in self.clients:
            client.join(60)
            assert not client.is_alive(), "a client waits for an answer that never comes"
        for client in self.clients:
            if client.failure is not None:
                raise client.failure
