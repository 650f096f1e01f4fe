"""Who accepts: a worker that is ahead looks away, and the bound of all connections is one for all workers."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from kmip_server.protocol.enums import ResultStatus
from kmip_server.transport.limits import Admission, Limits, Place
from kmip_server.work.board import Board, Line, State
from tests.support.server import RunningServer
from tests.support.wire import Connection, context
from tests.support.workers import connection_to, processes, until
from tests.transport.test_wire import answered
from tests.workers.conftest import TWO


def serving(board: Board, slot: int, connections: int) -> Line:
    line = board.take(slot)
    line.state, line.connections = State.SERVING, connections
    return line


def test_the_fewest_are_those_of_a_worker_that_could_take_more() -> None:
    board = Board(8)
    own = serving(board, 0, 5)
    assert board.fewest_elsewhere(own) is None
    serving(board, 1, 7)
    assert board.fewest_elsewhere(own) == 7
    few = serving(board, 2, 1)
    assert board.fewest_elsewhere(own) == 1
    for state in (State.STARTING, State.ENDING, State.FREE):
        few.state = state
        assert board.fewest_elsewhere(own) == 7


def test_all_that_are_there_count_for_the_bound_of_all() -> None:
    board = Board(8)
    own = serving(board, 0, 2)
    other, ending = serving(board, 1, 3), serving(board, 0, 4)
    ending.state = State.ENDING
    assert board.connections_elsewhere(own) == 7
    admission = Admission(Limits(max_connections=100, max_connections_in_all=9))
    admission.elsewhere = lambda: board.connections_elsewhere(own)
    places = [Place(host="a", since=float(number)) for number in range(3)]
    assert [admission.enter(place)[0] for place in places[:2]] == [None, None]
    assert admission.enter(places[2]) == (places[0], "total")
    other.connections = 2
    assert admission.enter(Place(host="a", since=3.0))[0] is None


def test_a_line_is_given_again_and_begins_anew() -> None:
    board = Board(2)
    line = serving(board, 3, 9)
    line.beat(1.0)
    assert line.group_seconds() > 0
    line.state = State.FREE
    assert list(board.taken()) == []
    again = board.take(4, replaced=2)
    assert again.number == line.number
    assert (again.slot, again.connections, again.replaced, again.state) == (4, 0, 2, State.STARTING)
    assert again.group_seconds() == 0
    board.take(5)
    with pytest.raises(LookupError):
        board.take(6)


def test_the_bound_of_all_connections_is_one_for_all_workers(new_instance: Path) -> None:
    """However they are spread: the worker that has more than half of them refuses nobody for that."""
    with RunningServer(new_instance, *TWO, "--set", "limits.max_connections=10") as server:
        tls = context(server)
        one, other = processes(server)
        held = [connection_to(server, one, tls=tls) for _ in range(2)]
        held += [connection_to(server, other, tls=tls) for _ in range(2)]
        while len(held) < 10:
            held.append(Connection(server, tls=tls))
        assert all(answered(each) == ResultStatus.SUCCESS for each in held)
        with pytest.raises((ssl.SSLError, OSError)):
            Connection(server, tls=tls)
        held.pop().close()
        held.append(until(lambda: _let_in(server, tls), "room again"))
        assert all(answered(each) == ResultStatus.SUCCESS for each in held)
        for each in held:
            each.close()


def _let_in(server: RunningServer, tls: ssl.SSLContext) -> Connection | None:
    try:
        return Connection(server, tls=tls)
    except (ssl.SSLError, OSError):
        return None
