"""Messages from one worker to another and back: handed over once, answered once, and bounded; two reactors at least.

The workers of these tests are reactors on threads of their own, with executors that do as they are told.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import defer
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.threads import blockingCallFromThread

from kmip_server.errors import KmipError, SettingsError
from kmip_server.pki.authority import fingerprint
from kmip_server.principal import Peer
from kmip_server.transport import channel, siblings
from kmip_server.transport.channel import Kind
from kmip_server.transport.limits import Limits
from kmip_server.transport.siblings import Siblings, socket_of
from kmip_server.work.board import Board, Line, State
from tests.workers.test_siblings_addressee import message, part

SECONDS = 30


def peer(name: str = "one") -> Peer:
    der = name.encode()
    return Peer(address="[::1]:5", certificate=der, fingerprint=fingerprint(der))


class Told:
    """An executor that answers as `answer` says: at once, or not at all; `has_room` False refuses."""

    def __init__(self, name: str, reactor: Any) -> None:
        self._reactor = reactor
        self.answer: Callable[[bytes], bytes | None] | None = lambda data: name.encode() + b":" + data[-8:]
        self.has_room = True
        self.taken: list[tuple[bytes, Peer, Callable[[bytes | None], None]]] = []
        self.came = threading.Semaphore(0)
        self.refused = threading.Semaphore(0)

    def submit(self, data: bytes, peer: Peer, deliver: Callable[[bytes | None], None]) -> bool:
        if not self.has_room:
            self.refused.release()
            return False
        self.taken.append((data, peer, deliver))
        if self.answer is not None:
            self._reactor.callLater(0, deliver, self.answer(data))
        self.came.release()
        return True

    def malformed(self, prefix: bytes, error: KmipError) -> bytes | None:
        return b"malformed"


class Process:
    """A worker's reactor, executor and siblings."""

    def __init__(self, folder: Path, board: Board, line: Line, name: str) -> None:
        self.reactor = SelectReactor()
        self.line = line
        self.own = Told(name, self.reactor)
        self.replies: list[bytes | None] = []
        self._replied = threading.Condition()
        status = {"worker": line.number}
        self.siblings = Siblings(self.reactor, self.own, board, line, folder, Limits(), 2 << 20, lambda: status)
        self._thread = threading.Thread(target=self.reactor.run, args=(False,), daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """On the reactor's thread."""
        return blockingCallFromThread(self.reactor, function, *arguments)

    def submit(self, data: bytes, of: Peer | None = None) -> bool:
        taken: bool = self.call(self.siblings.submit, data, of or peer(), self._deliver)
        return taken

    def _deliver(self, reply: bytes | None) -> None:
        with self._replied:
            self.replies.append(reply)
            self._replied.notify()

    def wait(self, count: int = 1) -> list[bytes | None]:
        with self._replied:
            assert self._replied.wait_for(lambda: len(self.replies) >= count, SECONDS)
            return self.replies

    def ask(self, data: bytes, of: Peer | None = None) -> bytes | None:
        """The one reply to a message."""
        before = len(self.replies)
        assert self.submit(data, of)
        return self.wait(before + 1)[before]

    def stop(self, grace_seconds: float = 5) -> None:
        self.call(lambda: defer.ensureDeferred(self.siblings.stop(grace_seconds)))

    def end(self) -> None:
        if self._thread.is_alive():
            self.reactor.callFromThread(self.reactor.stop)
            self._thread.join(SECONDS)
            assert not self._thread.is_alive()


class Site:
    """The workers of one test. Each has the next number, from 0 on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.board = Board(16)
        self.started: list[Process] = []

    def line(self, state: State = State.SERVING) -> Line:
        """Of a process that the board says is there."""
        line = self.board.take(sum(1 for _ in self.board.taken()))
        line.state = state
        return line

    def process(self, line: Line | None = None, name: str = "") -> Process:
        own = line or self.line()
        made = Process(self.folder, self.board, own, name or f"worker {own.number}")
        self.started.append(made)
        made.call(made.siblings.listen)
        return made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    for each in made.started:
        each.end()


FOR_1 = message(part(1, b"some 16 bytes ..."))
FOR_0 = message(part(0, b"some 16 bytes ..."))
ORDINARY = message(part(None, b"some 16 bytes ..."))


def of(name: str, data: bytes) -> bytes:
    return name.encode() + b":" + data[-8:]


# --- handed over --------------------------------------------------------------------------------


def test_a_message_goes_to_the_worker_that_it_names_with_its_peer(site: Site) -> None:
    asker, sibling = site.process(), site.process()
    assert asker.ask(FOR_1) == of("worker 1", FOR_1)
    assert asker.ask(FOR_0) == of("worker 0", FOR_0)
    assert asker.ask(ORDINARY) == of("worker 0", ORDINARY)
    assert [(data, of) for data, of, _ in sibling.own.taken] == [(FOR_1, peer())]
    # One that is not there: no worker has the number, or it has ended, or not begun.
    site.line(State.STARTING)
    for number in (2, 7, 255):
        unknown = message(part(number))
        assert asker.ask(unknown) == of("worker 0", unknown)
    # And one that is ending, which finishes what it has.
    sibling.line.state = State.ENDING
    assert asker.ask(FOR_1) == of("worker 1", FOR_1)


def test_what_is_handed_over_is_not_handed_on(site: Site) -> None:
    asker, sibling = site.process(), site.process()
    # As where another process has its number meanwhile.
    packed = siblings._packed(FOR_0, peer())
    done = threading.Event()
    answers: list[tuple[Kind, bytes]] = []

    def answered(kind: Kind, body: bytes) -> None:
        answers.append((kind, body))
        done.set()

    asker.call(asker.siblings._link(1).ask, Kind.MESSAGE, packed, SECONDS, answered)
    assert done.wait(SECONDS)
    assert answers == [(Kind.REPLY, of("worker 1", FOR_0))]
    assert len(sibling.own.taken) == 1
    assert not asker.own.taken


def test_many_are_under_way_and_each_gets_its_own_answer(site: Site) -> None:
    asker, sibling = site.process(), site.process()
    sibling.own.answer = None
    sent = [message(part(1, b"message %03d" % number)) for number in range(200)]
    replies: dict[int, bytes | None] = {}
    all_there = threading.Event()

    def deliver(number: int, reply: bytes | None) -> None:
        replies[number] = reply
        if len(replies) == len(sent):
            all_there.set()

    for number, data in enumerate(sent):
        assert asker.call(asker.siblings.submit, data, peer(), lambda reply, number=number: deliver(number, reply))
    for _ in sent:
        assert sibling.own.came.acquire(timeout=SECONDS)
    for data, _, answer in reversed(sibling.own.taken):
        sibling.reactor.callFromThread(answer, data)
    assert all_there.wait(SECONDS)
    assert replies == dict(enumerate(sent))


def test_large_messages_and_answers_come_through(site: Site) -> None:
    asker, sibling = site.process(), site.process()
    large = message(part(1, os.urandom(900_000)))
    sibling.own.answer = lambda data: data + data
    assert asker.ask(large) == large + large


def test_an_answer_too_large_for_the_channel_ends_the_clients_connection_alone(site: Site) -> None:
    asker, sibling = site.process(), site.process()
    sibling.own.answer = lambda data: bytes(5 << 20)
    assert asker.ask(FOR_1) is None
    sibling.own.answer = lambda data: b"well"
    assert asker.ask(FOR_1) == b"well"


# --- when the sibling is not well -----------------------------------------------------------------


def test_without_the_sibling_the_own_executor_answers(site: Site) -> None:
    asker, line = site.process(), site.line()
    assert asker.ask(FOR_1) == of("worker 0", FOR_1)
    # A socket that was left behind.
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_of(site.folder, 1)))
    assert asker.ask(FOR_1) == of("worker 0", FOR_1)
    # And it is found once it is there.
    site.process(line)
    assert asker.ask(FOR_1) == of("worker 1", FOR_1)


def test_without_descriptors_the_own_executor_answers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asker, sibling = site.process(), site.process()

    def refuse(*arguments: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(asker.reactor, "connectUNIX", refuse)
        assert asker.ask(FOR_1) == of("worker 0", FOR_1)
    assert asker.ask(FOR_1) == of("worker 1", FOR_1)
    assert len(sibling.own.taken) == 1


def test_the_own_executor_answers_when_it_has_room(site: Site) -> None:
    asker, _ = site.process(), site.line()
    asker.own.has_room = False
    assert asker.submit(FOR_1)
    assert asker.own.refused.acquire(timeout=SECONDS)
    asker.own.has_room = True
    assert asker.wait() == [of("worker 0", FOR_1)]


def test_no_answer_in_time_ends_the_clients_connection(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(siblings, "ANSWER_SECONDS", 0.2)
    asker, sibling = site.process(), site.process()
    sibling.own.answer = None
    assert asker.ask(FOR_1) is None
    assert not asker.own.taken
    # The late answer is nobody's, and the next one is right.
    _, _, late = sibling.own.taken[0]
    sibling.reactor.callFromThread(late, b"late")
    sibling.own.answer = lambda data: b"in time"
    monkeypatch.setattr(siblings, "ANSWER_SECONDS", SECONDS)
    assert asker.ask(FOR_1) == b"in time"
    assert asker.replies == [None, b"in time"]


def test_a_sibling_that_dies_with_a_message_ends_the_clients_connection(site: Site) -> None:
    asker, sibling = site.process(), site.process()
    sibling.own.answer = None
    assert asker.submit(FOR_1)
    assert sibling.own.came.acquire(timeout=SECONDS)
    sibling.end()
    assert asker.wait() == [None]
    assert not asker.own.taken
    # The next one never leaves.
    assert asker.ask(FOR_1) == of("worker 0", FOR_1)


def test_a_sibling_whose_outcome_is_unknown_says_so(site: Site) -> None:
    asker, sibling = site.process(), site.process()
    sibling.own.answer = lambda data: None
    assert asker.ask(FOR_1) is None


def test_a_full_sibling_holds_the_message_until_there_is_room(site: Site) -> None:
    asker, sibling = site.process(), site.process()
    sibling.own.has_room = False
    assert asker.submit(FOR_1)
    for _ in range(2):
        assert sibling.own.refused.acquire(timeout=SECONDS)
    sibling.own.has_room = True
    assert asker.wait() == [of("worker 1", FOR_1)]


def test_a_sibling_that_stays_full_refuses_and_the_own_executor_answers(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siblings, "HOLD_SECONDS", 0.1)
    asker, sibling = site.process(), site.process()
    sibling.own.has_room = False
    assert asker.ask(FOR_1) == of("worker 0", FOR_1)
    assert not sibling.own.taken


# --- beginning and ending -------------------------------------------------------------------------


def test_who_has_a_dead_workers_number_is_asked_in_its_place(site: Site) -> None:
    asker, old = site.process(), site.process()
    assert asker.ask(FOR_1) == of("worker 1", FOR_1)
    old.end()
    new = site.process(old.line, "new")
    assert asker.ask(FOR_1) == of("new", FOR_1)
    assert len(new.own.taken) == 1


def test_the_end_of_an_orphan_leaves_the_socket_of_who_has_its_number(site: Site) -> None:
    asker, orphan = site.process(), site.process()
    new = site.process(orphan.line, "new")
    orphan.stop()
    assert asker.ask(FOR_1) == of("new", FOR_1)
    new.stop()
    assert not socket_of(site.folder, 1).exists()


def test_a_socket_that_cannot_be_had_is_said(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with pytest.raises(SettingsError, match=r"worker-0\.sock cannot be listened on: AF_UNIX path too long"):
        Site(folder).process()


def test_an_ending_worker_answers_what_it_was_asked(site: Site) -> None:
    asker, sibling = site.process(), site.process()
    sibling.own.answer = None
    assert asker.submit(FOR_1)
    assert sibling.own.came.acquire(timeout=SECONDS)
    ended = threading.Thread(target=sibling.stop)
    ended.start()
    _, _, answer = sibling.own.taken[0]
    large = os.urandom(1 << 20)
    sibling.reactor.callFromThread(answer, large)
    assert asker.wait() == [large]
    ended.join(SECONDS)
    assert not ended.is_alive()
    assert not socket_of(site.folder, 1).exists()


def test_an_ending_worker_waits_no_longer_than_its_grace(site: Site) -> None:
    asker, sibling = site.process(), site.process()
    sibling.own.answer = None
    assert asker.submit(FOR_1)
    assert sibling.own.came.acquire(timeout=SECONDS)
    sibling.stop(grace_seconds=0.1)
    assert asker.wait() == [None]


# --- bounds and strangers -------------------------------------------------------------------------


def test_one_certificates_messages_are_bounded_and_another_always_finds_a_place(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siblings, "MAX_MESSAGES_OF_ONE", 3)
    monkeypatch.setattr(siblings, "MAX_MESSAGES", 4)
    asker, sibling = site.process(), site.process()
    sibling.own.answer = None
    assert [asker.submit(FOR_1) for _ in range(4)] == [True, True, True, False]
    assert [asker.submit(FOR_1, peer("two")) for _ in range(2)] == [True, False]
    assert [asker.submit(FOR_1, peer(name)) for name in ("three", "four")] == [True, True]
    for _ in range(6):
        assert sibling.own.came.acquire(timeout=SECONDS)
    for data, _, answer in sibling.own.taken:
        sibling.reactor.callFromThread(answer, data)
    asker.wait(6)
    sibling.own.answer = lambda data: b"again"
    assert asker.ask(FOR_1) == b"again"


def test_bytes_under_way_are_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(siblings, "MAX_BYTES_OF_ONE", 3 * len(FOR_1))
    asker, sibling = site.process(), site.process()
    sibling.own.answer = None
    assert [asker.submit(FOR_1) for _ in range(4)] == [True, True, True, False]
    assert asker.submit(message(part(1, bytes(500_000))), peer("two"))


def test_the_socket_is_this_users_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asker, sibling = site.process(), site.process()
    assert stat.S_IMODE(socket_of(site.folder, 1).stat().st_mode) == 0o600
    # The kernel says who is at the other end; here both are strangers to each other.
    monkeypatch.setattr(channel.os, "geteuid", lambda: os.getuid() + 1)
    assert asker.ask(FOR_1) == of("worker 0", FOR_1)
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.settimeout(SECONDS)
        stranger.connect(str(socket_of(site.folder, 1)))
        assert stranger.recv(1) == b""
    assert not sibling.own.taken


def test_what_is_no_frame_ends_its_connection_alone(site: Site) -> None:
    asker, sibling = site.process(), site.process()
    for nonsense in (bytes(4), b"\xff" * 4, b"\0\0\0\x04" + bytes(4), b"\x7f\xff\xff\xff"):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.settimeout(SECONDS)
            stranger.connect(str(socket_of(site.folder, 1)))
            stranger.sendall(nonsense)
            assert stranger.recv(1) == b""
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.settimeout(SECONDS)
        stranger.connect(str(socket_of(site.folder, 1)))
        # A kind that nobody knows, byte by byte.
        for byte in b"\0\0\0\x05\x63\0\0\0\x09":
            stranger.send(bytes([byte]))
        assert stranger.recv(100) == b"\0\0\0\x05" + bytes([Kind.NOT_DONE]) + b"\0\0\0\x09"
    assert asker.ask(FOR_1) == of("worker 1", FOR_1)
    assert len(sibling.own.taken) == 1


# --- the status of all ----------------------------------------------------------------------------


def test_the_status_of_each_and_who_does_not_answer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(siblings, "STATUS_SECONDS", 0.5)
    asker, absent, sibling, _hangs = site.process(), site.line(), site.process(), site.line()
    site.line(State.STARTING)
    site.line(State.ENDING)
    # One that hangs: the kernel takes the connection, and nobody looks at it.
    with socket.socket(socket.AF_UNIX) as hangs:
        hangs.bind(str(socket_of(site.folder, 3)))
        hangs.listen()
        assert asker.siblings.statuses() == [(1, None), (2, {"worker": 2}), (3, None)]
    assert sibling.siblings.statuses()[0] == (0, {"worker": 0})
    absent.state = State.FREE
    # This worker's own reactor hangs.
    release = threading.Event()
    asker.reactor.callFromThread(release.wait, SECONDS)
    assert asker.siblings.statuses() == [(2, None), (3, None)]
    release.set()


def test_nobody_is_asked_where_there_is_nobody(site: Site) -> None:
    assert site.process().siblings.statuses() == []
