"""The executor: everything is answered once, in groups, and only what is durable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kmip_server.engine.ports import Outcome, UnitOfWork
from kmip_server.errors import StoreUnavailable
from kmip_server.principal import Peer
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import Operation, ResultStatus, UsageLimitsUnit
from kmip_server.protocol.payloads.attributes import AddAttributeRequest, GetAttributesRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_2
from kmip_server.store.apply import Writer
from kmip_server.store.objects import Reader
from kmip_server.work import executor
from kmip_server.work.executor import Executor
from tests.engine.test_use import encrypt
from tests.support.engine import Engine, child, request_message
from tests.support.requests import A, attribute, create, create_key_pair, custom

PEER = Peer(address="test:1", certificate=b"", fingerprint="", subject_common_name="one")


def message(operation: Operation, request: Any) -> bytes:
    return request_message(V1_2, [(int(operation), encode_structure(request, V1_2), None)])


class Harness:
    """An executor whose reactor is whoever calls."""

    def __init__(self, engine: Engine, open_writer: Callable[[], Any] | None = None, **options: int) -> None:
        self.engine = engine
        self.groups: list[int] = []
        self.replies: list[bytes | None] = []
        self._arrived = threading.Condition()
        self.executor = Executor(
            engine.answerer,
            lambda: Reader(engine.connect),
            open_writer or self._writer,
            lambda call: call(),
            lambda call: call(),
            **options,
        )
        self.executor.start()

    def _writer(self) -> Any:
        groups = self.groups

        class Counting(Writer):
            def apply(self, units: Sequence[UnitOfWork]) -> list[Outcome]:
                groups.append(len(units))
                return super().apply(units)

        return Counting(self.engine.connect, self.engine.clock, "test")

    def submit(self, data: bytes) -> bool:
        return self.executor.submit(data, PEER, self._deliver)

    def _deliver(self, reply: bytes | None) -> None:
        with self._arrived:
            self.replies.append(reply)
            self._arrived.notify()

    def wait(self, count: int) -> list[ResultStatus | None]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.replies) >= count, timeout=60)
            return [
                None
                if each is None
                else ResultStatus.of(child(ttlv.decode(each), Tag.BATCH_ITEM, Tag.RESULT_STATUS))
                for each in self.replies
            ]


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    made = Engine(tmp_path)
    yield made
    made.close()


def test_everything_is_answered_once_and_committed_in_groups(engine: Engine) -> None:
    harness = Harness(engine)
    for _ in range(200):
        assert harness.submit(message(Operation.CREATE, create()))
    assert harness.wait(200) == [ResultStatus.SUCCESS] * 200
    harness.executor.stop()
    assert sum(harness.groups) == 200
    assert len(harness.groups) < 200
    assert engine.connect().execute("SELECT count(*) FROM objects").fetchone() == (200,)


def test_slow_requests_do_not_hold_up_the_others(engine: Engine) -> None:
    harness = Harness(engine)
    harness.submit(message(Operation.CREATE_KEY_PAIR, create_key_pair(A.RSA, 2048)))
    harness.submit(message(Operation.CREATE, create()))
    assert harness.wait(2) == [ResultStatus.SUCCESS] * 2
    harness.executor.stop()


def test_usage_limits_are_exact_under_contention(engine: Engine) -> None:
    limits = UsageLimits(usage_limits_total=10, usage_limits_unit=UsageLimitsUnit.OBJECT)
    uid = engine.call(Operation.CREATE, create(attribute(Tag.USAGE_LIMITS, limits))).unique_identifier
    engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
    harness = Harness(engine)
    for _ in range(30):
        harness.submit(message(Operation.ENCRYPT, encrypt(uid)))
    statuses = harness.wait(30)
    harness.executor.stop()
    assert statuses.count(ResultStatus.SUCCESS) == 10
    assert statuses.count(ResultStatus.OPERATION_FAILED) == 20


@pytest.mark.parametrize("group_seconds", [60.0, 0.01])
def test_who_is_overtaken_keeps_his_turn(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, group_seconds: float
) -> None:
    """Users of one key are served in the order in which they came, and evaluated twice at most."""
    monkeypatch.setattr(executor, "GROUP_SECONDS", group_seconds)
    uid = engine.call(Operation.CREATE, create()).unique_identifier
    evaluated: list[bytes] = []
    answerer = engine.answerer

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(answerer, name)

        def evaluate(self, data: bytes, *more: Any) -> Any:
            evaluated.append(data)
            return answerer.evaluate(data, *more)

    engine.answerer = Counting()  # type: ignore[assignment]
    harness = Harness(engine)
    count = 40
    requests = [
        message(
            Operation.ADD_ATTRIBUTE,
            AddAttributeRequest(unique_identifier=uid, attribute=custom("x-N", str(number))),
        )
        for number in range(count)
    ]
    for each in requests:
        assert harness.submit(each)
    assert harness.wait(count) == [ResultStatus.SUCCESS] * count
    harness.executor.stop()
    asked = GetAttributesRequest(unique_identifier=uid, attribute_names=(custom("x-N", "").key,))
    engine.answerer = answerer
    added = [each.value.value for each in engine.call(Operation.GET_ATTRIBUTES, asked).attributes]
    assert added == [str(number) for number in range(count)]
    assert all(evaluated.count(each) <= 2 for each in requests)


def test_where_nothing_is_durable_nothing_is_promised(engine: Engine) -> None:
    class Refusing:
        def apply(self, units: Sequence[UnitOfWork]) -> list[Outcome]:
            raise StoreUnavailable("the disk is full")

        def close(self) -> None: ...

    harness = Harness(engine, Refusing)
    harness.submit(message(Operation.CREATE, create()))
    assert harness.wait(1) == [ResultStatus.OPERATION_FAILED]
    harness.executor.stop()
    assert engine.connect().execute("SELECT count(*) FROM objects").fetchone() == (0,)


def test_a_full_queue_says_so(engine: Engine) -> None:
    held = threading.Event()

    class Waiting(Writer):
        def apply(self, units: Sequence[UnitOfWork]) -> list[Outcome]:
            held.wait(30)
            return super().apply(units)

    harness = Harness(engine, lambda: Waiting(engine.connect, engine.clock, "test"), max_waiting=5)
    taken = [harness.submit(message(Operation.CREATE, create())) for _ in range(100)]
    assert not all(taken)
    held.set()
    harness.wait(sum(taken))
    harness.executor.stop()
    assert not harness.submit(message(Operation.CREATE, create()))
