"""No peer shuts others out: turns, quotas, and a thread that goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kmip_server.engine.ports import Outcome, UnitOfWork
from kmip_server.errors import StoreUnavailable
from kmip_server.principal import Peer, Principal
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_set import Attribute
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import ObjectType, Operation, ResultStatus
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_2, V1_4, V2_1, Version
from kmip_server.store import database
from kmip_server.store.apply import Writer
from kmip_server.work import executor
from kmip_server.work.fair import FairQueue
from kmip_server.work.weight import LONG_BATCH, is_slow
from tests.support.engine import Engine, child, children, request_message
from tests.support.requests import A, attribute, create, create_key_pair, name
from tests.work.test_executor import Harness, message

SLOW = message(Operation.CREATE_KEY_PAIR, create_key_pair(A.EC, 256))
QUICK = message(Operation.CREATE, create())


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.close()


def peer(name: str) -> Peer:
    return Peer(address="test:1", certificate=b"", fingerprint=name, subject_common_name="one")


def test_peers_take_turns() -> None:
    queue: FairQueue[str] = FairQueue(100, 100)
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        assert queue.put(item[0], item)
    queue.put_first("c", "c0")
    assert [queue.take() for _ in range(8)] == ["c0", "a1", "b1", "c1", "a2", "b2", "a3", None]
    assert len(queue) == 0


def test_a_busy_peer_waits_for_its_own_turn() -> None:
    queue: FairQueue[str] = FairQueue(100, 100)
    for item in ("a1", "b1"):
        queue.put(item[0], item)
    assert queue.take(busy={"a"}) == "b1"
    assert queue.take(busy={"a"}) is None
    assert queue.take() == "a1"


def test_whoever_has_nothing_waiting_finds_a_place() -> None:
    queue: FairQueue[int] = FairQueue(4, 3)
    assert [queue.put("a", n) for n in range(5)] == [True, True, True, False, False]
    assert [queue.put("b", n) for n in range(3)] == [True, False, False]
    assert queue.put("c", 0)


class Gate:
    """Identification that holds up one peer."""

    def __init__(self, engine: Engine, held: str) -> None:
        self._held = held
        self._principal = engine.principals["one"]
        self.reached, self.go = threading.Semaphore(0), threading.Event()
        engine.answerer = replace(engine.answerer, identify=self._identify)

    def _identify(self, asking: Peer, *_: Any) -> Principal:
        if asking.fingerprint == self._held:
            self.reached.release()
            assert self.go.wait(30)
        return self._principal


def test_one_peer_never_has_the_whole_pool(engine: Engine) -> None:
    gate = Gate(engine, "greedy")
    harness = Harness(engine)
    for _ in range(5):
        harness.executor.submit(SLOW, peer("greedy"), harness._deliver)
    assert gate.reached.acquire(timeout=30)
    harness.executor.submit(SLOW, peer("modest"), harness._deliver)
    harness.executor.submit(QUICK, peer("quick"), harness._deliver)
    assert harness.wait(2) == [ResultStatus.SUCCESS] * 2
    assert not gate.reached.acquire(blocking=False)
    gate.go.set()
    assert harness.wait(7) == [ResultStatus.SUCCESS] * 7
    harness.executor.stop()


def test_stopping_finishes_what_waits_for_the_pool(engine: Engine) -> None:
    gate = Gate(engine, "greedy")
    harness = Harness(engine)
    for _ in range(3):
        harness.executor.submit(SLOW, peer("greedy"), harness._deliver)
    assert gate.reached.acquire(timeout=30)
    stopping = threading.Thread(target=harness.executor.stop)
    stopping.start()
    gate.go.set()
    stopping.join(30)
    assert harness.wait(3) == [ResultStatus.SUCCESS] * 3


def test_what_takes_long_takes_no_place_from_what_does_not(engine: Engine) -> None:
    gate = Gate(engine, "greedy")
    harness = Harness(engine, max_waiting=5, max_waiting_of_one=3)
    taken = [harness.executor.submit(SLOW, peer("greedy"), harness._deliver) for _ in range(20)]
    assert not all(taken)
    assert harness.executor.submit(QUICK, peer("quick"), harness._deliver)
    assert harness.wait(1) == [ResultStatus.SUCCESS]
    gate.go.set()
    harness.wait(1 + sum(taken))
    harness.executor.stop()


def test_key_pairs_in_one_message_are_bounded(engine: Engine) -> None:
    pair = encode_structure(create_key_pair(A.EC, 256), V1_2)
    bound = engine.answerer.max_key_pairs

    def answered(count: int) -> set[int]:
        items = [(int(Operation.CREATE_KEY_PAIR), pair, bytes([n])) for n in range(count)]
        response = engine.exchange(request_message(V1_2, items))
        return {child(item, Tag.RESULT_STATUS) for item in children(response, Tag.BATCH_ITEM)}

    assert answered(bound) == {ResultStatus.SUCCESS}
    assert answered(bound + 1) == {ResultStatus.OPERATION_FAILED}


# --- the database is away -----------------------------------------------------------------------


def test_where_the_database_cannot_be_written_nothing_starts(engine: Engine) -> None:
    def refusing() -> Writer:
        raise StoreUnavailable("the database refused: database or disk is full")

    with pytest.raises(StoreUnavailable, match="disk is full"):
        Harness(engine, refusing)


def test_a_lock_of_another_program_refuses_until_it_is_gone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.02)
    harness = Harness(engine)
    other = engine.connect()
    other.execute("BEGIN IMMEDIATE")
    harness.submit(QUICK)
    assert harness.wait(1) == [ResultStatus.OPERATION_FAILED]
    assert b"not available; try again later" in (harness.replies[0] or b"")
    other.execute("ROLLBACK")
    other.close()
    harness.submit(QUICK)
    assert harness.wait(2)[1] == ResultStatus.SUCCESS
    harness.executor.stop()


def test_the_thread_goes_on_after_a_fault_of_its_own(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness(engine)
    settle = engine.answerer.streams.settle
    faults = [RuntimeError("nobody thought of this")]

    def failing(identifier: str, durable: bool) -> None:
        if faults:
            raise faults.pop()
        settle(identifier, durable)

    monkeypatch.setattr(engine.answerer.streams, "settle", failing)
    harness.submit(QUICK)
    assert harness.wait(1) == [None]
    harness.submit(QUICK)
    assert harness.wait(2) == [None, ResultStatus.SUCCESS]
    harness.executor.stop()


def test_wrong_passwords_and_pairs_are_slow() -> None:
    password = [
        (
            Tag.AUTHENTICATION,
            ttlv.STRUCTURE,
            [(Tag.CREDENTIAL, ttlv.STRUCTURE, [(Tag.CREDENTIAL_TYPE, ttlv.ENUMERATION, 1)])],
        )
    ]
    payload = encode_structure(create(), V1_2)
    with_password = request_message(V1_2, [(int(Operation.CREATE), payload, None)], header=password)
    assert [is_slow(each) for each in (SLOW, with_password, QUICK)] == [True, True, False]


@pytest.mark.parametrize("version", [V1_2, V2_1])
def test_what_may_have_to_look_at_every_object_is_slow(version: Version) -> None:
    def locating(*attributes: Attribute) -> bytes:
        payload = encode_structure(LocateRequest(attributes=attributes), version)
        return request_message(version, [(int(Operation.LOCATE), payload, None)])

    assert is_slow(locating())
    assert is_slow(locating(attribute(Tag.OBJECT_TYPE, ObjectType.SYMMETRIC_KEY)))
    assert not is_slow(locating(name("a")))


def test_long_batches_are_slow() -> None:
    item = (int(Operation.CREATE), encode_structure(create(), V1_2), None)
    assert not is_slow(request_message(V1_2, [item] * LONG_BATCH))
    assert is_slow(request_message(V1_2, [item] * (LONG_BATCH + 1)))
    # A text in the header that looks like a Batch Count of one hides nothing.
    lure = ttlv.encode((Tag.BATCH_COUNT, ttlv.INTEGER, 1)).decode("utf-8")
    header = [(Tag.CLIENT_CORRELATION_VALUE, ttlv.TEXT_STRING, lure)]
    assert is_slow(request_message(V1_4, [item] * (LONG_BATCH + 1), header=header))


def test_a_locate_by_name_hides_no_other() -> None:
    by_name, by_nothing = (
        encode_structure(LocateRequest(attributes=attributes), V1_2) for attributes in ((name("a"),), ())
    )
    items = [(int(Operation.LOCATE), each, None) for each in (by_name, by_nothing)]
    assert not is_slow(request_message(V1_2, items[:1]))
    assert is_slow(request_message(V1_2, items))


def test_a_group_that_takes_long_is_closed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes meanwhile is not behind everything that waited before."""
    monkeypatch.setattr(executor, "GROUP_SECONDS", -1.0)
    gate = Gate(engine, "greedy")
    harness = Harness(engine)
    order: list[str] = []

    def submit(who: str) -> None:
        def deliver(reply: bytes | None) -> None:
            order.append(who)
            harness._deliver(reply)

        assert harness.executor.submit(QUICK, peer(who), deliver)

    for _ in range(10):
        submit("greedy")
    assert gate.reached.acquire(timeout=30)
    submit("modest")
    gate.go.set()
    assert harness.wait(11) == [ResultStatus.SUCCESS] * 11
    harness.executor.stop()
    assert order.index("modest") <= 2
    assert harness.groups == [1] * 11


def test_a_group_is_taken_in_turn(engine: Engine) -> None:
    """A full line of one peer: the other's single request is in the next group, not behind them all."""
    held, reached = threading.Event(), threading.Event()
    groups: list[int] = []

    class Waiting(Writer):
        def apply(self, units: Sequence[UnitOfWork]) -> list[Outcome]:
            groups.append(len(units))
            reached.set()
            assert held.wait(30)
            return super().apply(units)

    harness = Harness(engine, lambda: Waiting(engine.connect, engine.clock, "test"))
    harness.executor.submit(QUICK, peer("greedy"), harness._deliver)
    assert reached.wait(30)
    for _ in range(200):
        harness.executor.submit(QUICK, peer("greedy"), harness._deliver)
    served_after: list[int] = []

    def deliver(_: bytes | None) -> None:
        served_after.append(len(harness.replies))

    harness.executor.submit(QUICK, peer("modest"), deliver)
    held.set()
    harness.wait(201)
    harness.executor.stop()
    # Behind the group under way, and within the first of the four that follow.
    assert served_after[0] <= 1 + 64
