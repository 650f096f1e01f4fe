"""Whose turn it is to write: one at a time, the next is woken, and nobody waits long for who is gone."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmip_server.store.turn import PATIENCE_SECONDS, WriteTurn


@pytest.fixture
def turn() -> Iterator[WriteTurn]:
    made = WriteTurn()
    yield made
    made.close()


def waited(turn: WriteTurn) -> bool:
    """Take it; whether that was to be waited for."""
    calls: list[None] = []
    turn.begin(lambda: calls.append(None))
    return bool(calls)


def test_who_is_alone_never_waits(turn: WriteTurn) -> None:
    for _ in range(100):
        assert not waited(turn)
        turn.end()


def test_the_next_is_woken(turn: WriteTurn) -> None:
    turn.begin()
    waiting, had = threading.Event(), threading.Event()

    def other() -> None:
        turn.begin(waiting.set)
        had.set()
        turn.end()

    thread = threading.Thread(target=other)
    thread.start()
    assert waiting.wait(10)
    assert not had.is_set()
    began = time.monotonic()
    turn.end()
    assert had.wait(10)
    thread.join(10)
    # Woken, and not by the end of its patience: that began before `waiting` was set.
    assert time.monotonic() - began < PATIENCE_SECONDS or not waited(turn)


def test_one_at_a_time_through_a_fork(turn: WriteTurn, tmp_path: Path) -> None:
    """Two processes raise a number in a file, each by reading and writing: no step is lost."""
    file = os.open(tmp_path / "number", os.O_RDWR | os.O_CREAT)

    def steps() -> None:
        for _ in range(300):
            turn.begin()
            number = int.from_bytes(os.pread(file, 4, 0), "big")
            os.sched_yield()
            os.pwrite(file, (number + 1).to_bytes(4, "big"), 0)
            turn.end()

    child = os.fork()
    if child == 0:
        steps()
        os._exit(0)
    steps()
    assert os.waitpid(child, 0)[1] == 0
    assert int.from_bytes(os.pread(file, 4, 0), "big") == 600
    os.close(file)


def test_who_died_with_it_is_not_waited_for_twice(turn: WriteTurn) -> None:
    child = os.fork()
    if child == 0:
        turn.begin()
        os._exit(0)
    os.waitpid(child, 0)
    assert waited(turn)  # as long as its patience, and then it goes on
    turn.end()
    assert not waited(turn)
    turn.end()


def test_one_who_went_on_without_it_leaves_no_second(turn: WriteTurn) -> None:
    turn.begin()
    assert waited(turn)  # went on beside the other
    turn.end()
    turn.end()
    assert not waited(turn)
    assert waited(turn)
