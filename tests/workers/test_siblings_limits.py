"""What a bound of the whole server is at each of its workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmip_server.app import Application
from kmip_server.config.load import load
from kmip_server.engine.streams import StreamBounds
from kmip_server.transport.limits import Limits
from kmip_server.work.worker import Worker


@pytest.mark.parametrize(
    ("bound", "count", "least", "part"),
    [(10, 1, 1, 10), (10, 2, 1, 5), (10, 3, 1, 4), (2, 64, 1, 1), (100, 10, 30, 30), (20, 10, 30, 20)],
)
def test_a_part_is_rounded_up_and_no_less_than_what_is_needed(
    bound: int, count: int, least: int, part: int
) -> None:
    assert [Worker(slot, count).part(bound, least) for slot in range(count)] == [part] * count


def of_worker(folder: Path, count: int) -> tuple[Limits, StreamBounds]:
    application = Application(load(folder / "kmip-server.toml"), worker=Worker(0, count))
    try:
        return application.limits(), application.answerer.streams.bounds
    finally:
        application.close()


def test_bounds_of_the_whole_server_are_divided_and_those_of_one_are_not(new_instance: Path) -> None:
    alone, streams_alone = of_worker(new_instance, 1)
    limits, streams = of_worker(new_instance, 4)
    # This one is counted over all workers: see tests/workers/test_balance.py.
    assert limits.max_connections == alone.max_connections
    for name in (
        "max_connections_per_address",
        "max_handshakes",
        "max_handshakes_per_address",
        "max_waiting_bytes",
    ):
        assert getattr(limits, name) * 4 == getattr(alone, name)
    assert limits.max_message_bytes == alone.max_message_bytes
    assert limits.max_pipelined_messages == alone.max_pipelined_messages
    assert streams.bytes_in_all * 4 == streams_alone.bytes_in_all
    assert (streams.count, streams.count_per_principal) == (streams_alone.count, streams_alone.count_per_principal)
    # However many there are, one message and one operation have room.
    limits, streams = of_worker(new_instance, 1000)
    assert limits.max_waiting_bytes == limits.max_message_bytes
    assert streams.bytes_in_all == streams.bytes
