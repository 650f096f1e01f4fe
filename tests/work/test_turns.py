"""The reactor and the executor take turns, and nobody waits for one that hangs."""

from __future__ import annotations

import socket
import threading

from twisted.internet.abstract import FileDescriptor

from kmip_server.transport.reactor import TurnReactor
from kmip_server.work.turns import Turn

DEADLINE = 60


def test_who_wants_the_turn_waits_for_its_end() -> None:
    turn = Turn()
    order: list[str] = []
    turn.executor.begin()
    waiting = threading.Event()

    def reactor() -> None:
        waiting.set()
        while not turn.reactor.has:
            turn.reactor.begin()
        order.append("reactor")
        turn.reactor.end()

    thread = threading.Thread(target=reactor)
    thread.start()
    assert waiting.wait(DEADLINE)
    order.append("executor")
    turn.executor.end()
    thread.join(DEADLINE)
    assert order == ["executor", "reactor"]


def test_nobody_waits_for_one_that_hangs() -> None:
    turn = Turn()
    turn.executor.begin()
    turn.reactor.begin()
    assert not turn.reactor.has
    turn.reactor.end()
    assert turn.executor.has, "a turn that was not had is not given away"


def test_the_turn_is_begun_once_and_ended_once() -> None:
    turn = Turn()
    turn.executor.begin()
    turn.executor.begin()
    turn.executor.end()
    turn.executor.end()
    turn.reactor.begin()
    assert turn.reactor.has


def test_the_reactor_gives_the_turn_back_before_it_waits_and_only_then_calls() -> None:
    reactor, turn = TurnReactor(), Turn()
    reactor.take_turns(turn)
    seen: list[bool] = []

    def at_end() -> None:
        turn.executor.begin()
        seen.append(turn.executor.has)
        turn.executor.end()
        reactor.callFromThread(in_next)

    def in_next() -> None:
        seen.append(turn.reactor.has)
        reactor.stop()

    def in_first() -> None:
        reactor.at_end_of_turn(at_end)

    reactor.callWhenRunning(in_first)
    reactor.run(installSignalHandlers=False)
    assert seen == [True, True]


def test_what_fails_at_one_descriptor_ends_that_one_alone() -> None:
    """The reactor's own loop is ours: an error in a reader is logged and costs that reader only."""
    reactor = TurnReactor()
    ends: list[str] = []

    class Reader(FileDescriptor):
        def __init__(self, name: str, channel: socket.socket) -> None:
            super().__init__(reactor)
            self.name, self.channel = name, channel
            self.fileno = channel.fileno

        def doRead(self) -> None:
            self.channel.recv(1)
            if self.name == "bad":
                raise RuntimeError("provoked")
            ends.append("read")
            reactor.stop()

        def connectionLost(self, reason: object) -> None:
            super().connectionLost(reason)
            ends.append("lost")
            good_far.send(b"x")

    bad, bad_far = socket.socketpair()
    good, good_far = socket.socketpair()
    reactor.addReader(Reader("bad", bad))
    reactor.addReader(Reader("good", good))
    reactor.callWhenRunning(bad_far.send, b"x")
    reactor.run(installSignalHandlers=False)
    assert ends == ["lost", "read", "lost"], "the bad one, and the good one when the reactor ended"
    for each in (bad, bad_far, good, good_far):
        each.close()
