"""The clock: never back, and not ahead further than it may."""

from __future__ import annotations

import logging

import pytest

from kmip_server.clock import SystemClock

START = 1_700_000_000
DAY = 86_400


class Machine:
    """A wall clock that can be set, and a steady one that cannot."""

    def __init__(self) -> None:
        self.wall, self.steady = START, 1000

    def passes(self, seconds: int) -> None:
        self.wall += seconds
        self.steady += seconds

    def clock(self, floor_seconds: int = 0, most_ahead_seconds: float = DAY) -> SystemClock:
        return SystemClock(
            floor_seconds,
            most_ahead_seconds,
            wall=lambda: self.wall * 1_000_000_000,
            steady=lambda: self.steady * 1_000_000_000,
        )


def test_it_never_moves_back() -> None:
    machine = Machine()
    clock = machine.clock(START + 60)
    assert clock.now() == START + 60
    assert clock.seconds_behind() == 60
    machine.passes(100)
    assert clock.now() == START + 100
    machine.wall -= 50
    assert clock.now() == START + 100
    assert not clock.has_jumped


def test_it_is_not_followed_where_it_jumps(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += 10 * DAY
    with caplog.at_level(logging.WARNING):
        assert clock.now() == START
        assert clock.has_jumped
        assert clock.seconds_ahead() == 10 * DAY
        machine.passes(5)
        assert clock.now() == START + 5  # time goes on
        machine.wall -= 10 * DAY
        assert clock.now() == START + 5
    assert not clock.has_jumped
    assert clock.seconds_ahead() == 0
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "has jumped 864000 s ahead" in said[0]
    assert "is right again" in said[1]


def test_the_administrator_may_say_that_it_is_right() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += 10 * DAY
    clock.now()
    clock.accept()
    assert not clock.has_jumped
    assert clock.now() == START + 10 * DAY


@pytest.mark.parametrize("most", [DAY, 0])
def test_time_that_has_gone_by_is_no_jump(most: int) -> None:
    """Nobody asked for a year; the machine was suspended, or simply idle."""
    machine = Machine()
    clock = machine.clock(most_ahead_seconds=most)
    machine.passes(365 * DAY)
    machine.wall += DAY
    assert clock.now() == START + 366 * DAY
    assert not clock.has_jumped


def test_without_a_bound_it_is_followed() -> None:
    machine = Machine()
    clock = machine.clock(most_ahead_seconds=0)
    machine.wall += 1000 * DAY
    assert clock.now() == START + 1000 * DAY


def test_one_that_was_turned_back_and_is_set_right_has_not_jumped() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.now()
    machine.wall -= 2 * DAY
    assert clock.now() == START
    machine.passes(10)
    clock.now()
    machine.wall += 2 * DAY
    assert clock.now() == START + 10
    assert not clock.has_jumped


def test_who_takes_the_place_of_another_believes_what_that_one_did() -> None:
    machine = Machine()
    before = machine.clock()
    machine.passes(60)
    before.now()
    machine.wall += 30 * DAY
    after = SystemClock(
        0,
        DAY,
        base=before.base,
        wall=lambda: machine.wall * 1_000_000_000,
        steady=lambda: machine.steady * 1_000_000_000,
    )
    assert after.now() == START + 60
    assert after.has_jumped
