"""Operations in several parts through the executor: overtaken, refused at commit, and paid for exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kmip_server.engine.ports import Outcome, UnitOfWork
from kmip_server.errors import StoreUnavailable
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import BlockCipherMode, Operation, ResultReason, UsageLimitsUnit
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.cryptographic import EncryptRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_4
from kmip_server.store.apply import Writer
from tests.engine.test_use import active, encrypt
from tests.support.engine import Engine, Refused, child, children, request_message, result_of
from tests.support.requests import attribute, create, parameters
from tests.work.test_executor import PEER, Harness

GCM = parameters(block_cipher_mode=BlockCipherMode.GCM, tag_length=16)
IV = bytes(12)
PLAIN = bytes(range(90))


class Troubled(Writer):
    """A writer that refuses now and then: `plan` says how each group ends, and after it all are applied."""

    plan: Iterator[str] = iter(())

    def apply(self, units: Sequence[UnitOfWork]) -> list[Outcome]:
        match next(self.plan, "applied"):
            case "overtaken":
                return [Outcome.OVERTAKEN] * len(units)
            case "unavailable":
                raise StoreUnavailable("the disk is full")
        return super().apply(units)


class Conversation:
    """One request after the other, through an executor with a plan."""

    def __init__(self, engine: Engine) -> None:
        self.writer = Troubled(engine.connect, engine.clock, "test")
        self._harness = Harness(engine, lambda: self.writer)
        self._count = 0

    def say(self, request: EncryptRequest, plan: Sequence[str] = ()) -> Any:
        """The response. Raises Refused."""
        self.writer.plan = iter(plan)
        message = request_message(V1_4, [(int(Operation.ENCRYPT), encode_structure(request, V1_4), None)])
        assert self._harness.submit(message)
        self._count += 1
        self._harness.wait(self._count)
        reply = self._harness.replies[-1]
        assert reply is not None
        (item,) = children(ttlv.decode(reply), Tag.BATCH_ITEM)
        if child(item, Tag.OPERATION) is None:
            raise ConnectionError(child(item, Tag.RESULT_MESSAGE))
        return result_of(item, V1_4)

    def stop(self) -> None:
        self._harness.executor.stop()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.close()


@pytest.fixture
def conversation(engine: Engine) -> Iterator[Conversation]:
    made = Conversation(engine)
    yield made
    made.stop()


def part(uid: str, data: bytes, value: bytes | None = None, *, last: bool = False) -> EncryptRequest:
    return EncryptRequest(
        unique_identifier=uid,
        cryptographic_parameters=GCM,
        data=data,
        iv_counter_nonce=IV,
        correlation_value=value,
        init_indicator=None if value else True,
        final_indicator=last or None,
    )


def limited(engine: Engine) -> str:
    limits = UsageLimits(usage_limits_total=1000, usage_limits_unit=UsageLimitsUnit.BYTE)
    return active(engine, create(attribute(Tag.USAGE_LIMITS, limits)))


def left(engine: Engine, uid: str) -> int:
    asked = GetAttributesRequest(unique_identifier=uid, attribute_names=(Tag.USAGE_LIMITS,))
    count: int = engine.call(Operation.GET_ATTRIBUTES, asked).attributes[0].value.usage_limits_count
    return count


@pytest.mark.parametrize("plan", [(), ("overtaken",), ("overtaken",) * 3])
def test_parts_that_are_overtaken_advance_once_and_are_paid_once(
    engine: Engine, conversation: Conversation, plan: tuple[str, ...]
) -> None:
    uid = limited(engine)
    whole = engine.call(Operation.ENCRYPT, encrypt(uid, PLAIN, GCM, iv_counter_nonce=IV))
    one = conversation.say(part(uid, PLAIN[:30]), plan)
    two = conversation.say(part(uid, PLAIN[30:60], one.correlation_value), plan)
    three = conversation.say(part(uid, PLAIN[60:], one.correlation_value, last=True), plan)
    assert one.data + two.data + three.data == whole.data
    assert three.authenticated_encryption_tag == whole.authenticated_encryption_tag
    assert left(engine, uid) == 1000 - 2 * len(PLAIN)
    assert len(engine.answerer.streams) == 0


@pytest.mark.parametrize("plan", [("unavailable",), ("overtaken", "unavailable")])
def test_a_part_whose_commit_fails_ends_the_operation(
    engine: Engine, conversation: Conversation, plan: tuple[str, ...]
) -> None:
    uid = limited(engine)
    one = conversation.say(part(uid, PLAIN[:30]))
    with pytest.raises(ConnectionError, match="not available"):
        conversation.say(part(uid, PLAIN[30:60], one.correlation_value), plan)
    with pytest.raises(Refused) as refused:
        conversation.say(part(uid, PLAIN[30:60], one.correlation_value))
    assert refused.value.reason == ResultReason.ITEM_NOT_FOUND
    assert left(engine, uid) == 970
    assert len(engine.answerer.streams) == 0


def test_a_first_part_whose_commit_fails_leaves_nothing(engine: Engine, conversation: Conversation) -> None:
    uid = limited(engine)
    with pytest.raises(ConnectionError):
        conversation.say(part(uid, PLAIN[:30]), ("unavailable",))
    assert len(engine.answerer.streams) == 0
    assert left(engine, uid) == 1000


def test_many_operations_in_parts_at_once(engine: Engine) -> None:
    """They share a key with Usage Limits, so that real requests overtake each other."""
    uid = limited(engine)
    expected = engine.call(Operation.ENCRYPT, encrypt(uid, PLAIN, GCM, iv_counter_nonce=IV)).data
    harness = Harness(engine)

    def said(requests: list[EncryptRequest]) -> list[Any]:
        before = len(harness.replies)
        answers: list[Any] = [None] * len(requests)
        for number, request in enumerate(requests):
            message = request_message(V1_4, [(int(Operation.ENCRYPT), encode_structure(request, V1_4), None)])

            def deliver(reply: bytes | None, number: int = number) -> None:
                answers[number] = reply
                harness._deliver(reply)

            assert harness.executor.submit(message, PEER, deliver)
        harness.wait(before + len(requests))
        return [result_of(children(ttlv.decode(reply), Tag.BATCH_ITEM)[0], V1_4) for reply in answers]

    one = said([part(uid, PLAIN[:30]) for _ in range(10)])
    two = said([part(uid, PLAIN[30:60], each.correlation_value) for each in one])
    three = said([part(uid, PLAIN[60:], each.correlation_value, last=True) for each in one])
    harness.executor.stop()
    assert [a.data + b.data + c.data for a, b, c in zip(one, two, three, strict=True)] == [expected] * 10
    assert left(engine, uid) == 1000 - 11 * len(PLAIN)
    assert len(engine.answerer.streams) == 0
