"""What a bound of the whole server is at each of its workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmip_server.app import Application
from kmip_server.config.load import load
from kmip_server.engine.streams import StreamBounds
from kmip_server.transport.limits import Admission, Limits, Place
from kmip_server.transport.ports import AHEAD
from kmip_server.work.board import Board, State
from kmip_server.work.worker import Worker


@pytest.mark.parametrize(
    ("bound", "count", "more", "part"),
    [
        (10, 1, {}, 10),
        (10, 2, {}, 5),
        (10, 3, {}, 4),
        (2, 64, {}, 1),
        (100, 10, {"least": 30}, 30),
        (20, 10, {"least": 30}, 20),
        (10, 2, {"spare": 2}, 7),
        (10, 1, {"spare": 2}, 10),
    ],
)
def test_a_part_is_rounded_up_and_no_less_than_what_is_needed(
    bound: int, count: int, more: dict[str, int], part: int
) -> None:
    assert [Worker(slot, count).part(bound, **more) for slot in range(count)] == [part] * count


def of_worker(folder: Path, count: int) -> tuple[Limits, StreamBounds]:
    application = Application(load(folder / "kmip-server.toml"), worker=Worker(0, count))
    try:
        return application.limits(), application.answerer.streams.bounds
    finally:
        application.close()


def test_bounds_of_the_whole_server_are_divided_and_those_of_one_are_not(new_instance: Path) -> None:
    alone, streams_alone = of_worker(new_instance, 1)
    limits, streams = of_worker(new_instance, 4)
    for name in ("max_handshakes", "max_handshakes_per_address", "max_waiting_bytes"):
        assert getattr(limits, name) * 4 == getattr(alone, name)
    assert (limits.max_connections_per_address - AHEAD) * 4 == alone.max_connections_per_address
    assert limits.max_connections == limits.max_connections_in_all == alone.max_connections
    assert limits.max_message_bytes == alone.max_message_bytes
    assert limits.max_pipelined_messages == alone.max_pipelined_messages
    assert streams.bytes_in_all * 4 == streams_alone.bytes_in_all
    assert (streams.count, streams.count_per_principal) == (streams_alone.count, streams_alone.count_per_principal)
    # However many there are, one message and one operation have room.
    limits, streams = of_worker(new_instance, 1000)
    assert limits.max_waiting_bytes == limits.max_message_bytes
    assert streams.bytes_in_all == streams.bytes


def test_connections_are_counted_over_all_workers() -> None:
    admission = Admission(Limits(max_connections=5, max_connections_in_all=6))
    admission.elsewhere = lambda: 3
    places = [Place(host="a", since=number) for number in range(4)]
    assert [admission.enter(place) for place in places[:3]] == [(None, "")] * 3
    for place in places[:3]:
        admission.prove(place)
    assert admission.enter(places[3]) == (places[3], "total")
    # With the others gone, this process's own bound is left.
    admission.elsewhere = lambda: 0
    assert [admission.enter(Place(host="a", since=9)) for _ in range(2)] == [(None, "")] * 2
    assert admission.enter(Place(host="a", since=9))[1] == "total"


def test_the_board_tells_the_connections_of_all_others() -> None:
    board = Board(4)
    lines = [board.take(slot) for slot in range(3)]
    for count, line in enumerate(lines, 1):
        line.connections = 10**count
    assert [board.connections_elsewhere(line) for line in lines] == [1100, 1010, 110]
    lines[1].state = State.FREE
    assert board.connections_elsewhere(lines[0]) == 1000
