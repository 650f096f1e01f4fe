"""The supervisor of several workers: it starts, watches, replaces and renews them, and serves nobody itself.

Strategy: a plain loop over signals and channels, without threads and without a reactor, so that a fork is safe at
any time and little can go wrong. Each slot has a worker in charge, and at most one more process beside it: a
successor that gets ready (a roll, or a spare for a worker that is silent), or a predecessor that is ending. New
settings are read and proven here, then by the first new worker; until that one serves, nothing of the old is given
up. What goes wrong after the start is told in the log and tried again, ever more slowly; the loop ends only when it
is told to.
"""

from __future__ import annotations

import gc
import logging
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kmip_server import forked
from kmip_server.app import prepare, say_ready, set_up_logging, tls_of
from kmip_server.config.settings import MAX_WORKERS, Settings
from kmip_server.errors import KmipError, SettingsError
from kmip_server.forked import Process, Shared, Start
from kmip_server.lock import InstanceLock
from kmip_server.notify import notify
from kmip_server.pki.files import require_private_authority
from kmip_server.store.turn import WriteTurn
from kmip_server.transport.sockets import addresses_of, open_sockets
from kmip_server.work.board import SILENT_SECONDS, Board, State
from kmip_server.work.worker import RETIRE

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
START_SECONDS = 60.0
"""A worker that is not ready by then is given up."""
FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.1, 10.0
"""Before another attempt where a worker dies soon after its start, at first and at most."""
SOON_SECONDS = 10.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(slots=True)
class _Slot:
    """A place for one worker, and who has it."""

    number: int
    current: Process | None = None
    successor: Process | None = None
    is_spare: bool = False
    """Whether the successor is there only because the current one is silent."""
    failures: int = 0
    """Workers that died soon after their start, one after the other."""
    retry_at: float = 0.0
    spare_at: float = 0.0
    """No spare before that."""
    replaced: int = 0

    def has(self, process: Process) -> bool:
        return process is self.current or process is self.successor


@dataclass(slots=True)
class _Roll:
    """Workers being renewed, one slot after the other."""

    start: Start
    left: list[int] = field(default_factory=list)
    """The slots that are to be renewed yet."""
    is_proven: bool = False
    """Whether one worker serves with it."""


class Supervisor:
    """One server of several workers."""

    def __init__(self, settings: Settings, reread: Callable[[], Settings], lock: InstanceLock) -> None:
        self._reread = reread
        self._lock = lock
        self._settings = settings
        self._slots = {number: _Slot(number) for number in range(settings.server.workers)}
        self._processes: list[Process] = []
        self._selector = selectors.DefaultSelector()
        self._signals, self._signalled = socket.socketpair()
        self._board = Board(2 * MAX_WORKERS)
        self._roll: _Roll | None = None
        self._roll_again = False
        self._is_up = False
        self._is_stopping = False
        self._looked = 0.0

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns 0. Raises SettingsError, KmipError where it cannot begin to."""
        settings = self._settings
        prepare(settings)
        tls = tls_of(settings)
        self._listening = open_sockets(settings)
        self._shared = Shared(self._listening, self._board, WriteTurn())
        self._addresses = addresses_of(settings)
        self._start = Start(settings=settings, tls=tls)
        forked.load_modules()
        gc.collect()
        gc.freeze()
        try:
            self._take_signals()
            for slot in self._slots.values():
                slot.current = self._fork(slot, self._start)
            while self._processes or not self._is_stopping:
                self._turn()
        finally:
            self._end_all()
            self._listening.remove()
        return 0

    def _turn(self) -> None:
        for key, _ in self._selector.select(TICK_SECONDS):
            if key.data is None:
                self._take(self._signals.recv(256))
            else:
                self._hear(key.data)
        self._reap()
        self._look()
        self._renew()

    def _end_all(self) -> None:
        """Where it goes down by a fault: no worker stays without a supervisor."""
        for process in self._processes:
            process.signal(signal.SIGTERM)

    # --- signals ------------------------------------------------------------------------------

    def _take_signals(self) -> None:
        self._signals.setblocking(False)
        self._signalled.setblocking(False)
        signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        self._selector.register(self._signals, selectors.EVENT_READ)

    def _take(self, numbers: bytes) -> None:
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._stop()
        if signal.SIGHUP in numbers and not self._is_stopping:
            if self._roll is None and self._is_up:
                self._begin_roll()
            else:
                self._roll_again = True

    def _stop(self) -> None:
        if self._is_stopping:
            return
        self._is_stopping = True
        log.info("stopping: the workers finish requests under way")
        notify("STOPPING=1")
        self._listening.close()
        self._roll = None
        for process in self._processes:
            self._let_end(process, signal.SIGTERM)

    # --- starting and ending ------------------------------------------------------------------

    def _fork(self, slot: _Slot, start: Start) -> Process | None:
        """A new process for the slot; None where the system refuses one: it is tried again."""
        try:
            process = forked.fork(start, slot.number, self._shared, slot.replaced, _SIGNALS, self._leave_to_parent)
        except OSError as error:
            if not self._is_up:
                raise KmipError(f"no worker can be started: {error.strerror}") from error
            log.error("worker %d cannot be started: %s", slot.number, error.strerror)
            self._delay(slot)
            return None
        self._processes.append(process)
        self._selector.register(process.channel, selectors.EVENT_READ, process)
        return process

    def _leave_to_parent(self) -> None:
        """In the child: let go of what is the supervisor's."""
        self._selector.close()
        self._signals.close()
        self._signalled.close()
        self._lock.close()
        for process in self._processes:
            process.channel.close()

    def _let_end(self, process: Process, number: int = RETIRE) -> None:
        """Tell it to end, and see to it that it does."""
        if process.kill_at is None:
            process.line.state = State.ENDING
            process.kill_at = time.monotonic() + process.drain_seconds + forked.END_SECONDS
            process.signal(number)

    def _delay(self, slot: _Slot) -> None:
        delay = min(FIRST_DELAY_SECONDS * 2 ** max(0, slot.failures - 1), MAX_DELAY_SECONDS)
        slot.failures += 1
        slot.retry_at = time.monotonic() + delay

    def _hear(self, process: Process) -> None:
        """Something came on its channel."""
        message = process.receive()
        if message == forked.READY:
            self._ready(process)
        elif not message:
            self._selector.unregister(process.channel)
            process.channel.close()

    def _ready(self, process: Process) -> None:
        process.is_ready = True
        slot = self._slots.get(process.slot)
        if slot is None or process.kill_at is not None:
            return
        if process is slot.successor and not slot.is_spare:
            log.info("worker %d is renewed: process %d serves", slot.number, process.pid)
            self._succeed(slot)
            if self._roll is not None and not self._roll.is_proven:
                self._accept(self._roll)
        elif self._is_up:
            log.info("worker %d: process %d serves", slot.number, process.pid)
        if not self._is_up and all(each.current and each.current.is_ready for each in self._slots.values()):
            self._is_up = True
            say_ready(self._listening, self._settings)

    def _succeed(self, slot: _Slot) -> None:
        """The successor takes over."""
        before, slot.current, slot.successor = slot.current, slot.successor, None
        if before is not None and slot.current is not None:
            self._let_end(before)

    def _reap(self) -> None:
        """See who has ended."""
        for process in list(self._processes):
            status = process.ended()
            if status is not None:
                self._processes.remove(process)
                if not process.is_ready:
                    self._hear_last_words(process)
                self._ended(process, status)
                process.line.state = State.FREE

    def _hear_last_words(self, process: Process) -> None:
        if process.channel.fileno() >= 0:
            process.receive()
            self._selector.unregister(process.channel)
            process.channel.close()

    def _ended(self, process: Process, status: str) -> None:
        slot = self._slots.get(process.slot)
        if self._is_stopping or slot is None or not slot.has(process):
            return
        why = process.complaint or status
        if not self._is_up:
            kind = SettingsError if process.is_settings_fault else KmipError
            raise kind(process.complaint or f"worker {slot.number} {status} before it served; the log may say why")
        if process is slot.successor:
            slot.successor = None
            self._successor_ended(slot, why)
            return
        log.error("worker %d, process %d, %s: another takes its place", slot.number, process.pid, why)
        slot.current = None
        slot.replaced += 1
        now = time.monotonic()
        if process.is_ready and now - process.started > SOON_SECONDS:
            slot.failures = 0
        if slot.successor is not None:
            self._succeed(slot)
            slot.is_spare = False
            assert slot.current is not None
            slot.current.line.replaced = slot.replaced
        elif slot.failures == 0 and process.is_ready:
            slot.failures = 1
            slot.retry_at = 0.0
        else:
            self._delay(slot)

    def _successor_ended(self, slot: _Slot, why: str) -> None:
        if slot.is_spare:
            log.error("a spare of worker %d could not serve: %s", slot.number, why)
            slot.spare_at = time.monotonic() + SOON_SECONDS
        elif self._roll is not None and not self._roll.is_proven:
            log.error("nothing renewed, the old workers serve on: %s", why)
            self._roll = None
        elif self._roll is not None:
            log.error("worker %d could not be renewed yet: %s", slot.number, why)
            self._roll.left.insert(0, slot.number)
            self._delay(slot)

    # --- watching -----------------------------------------------------------------------------

    def _look(self) -> None:
        """Once a turn: who is silent, who is late, who is to be started."""
        now = time.monotonic()
        was_late, self._looked = now - self._looked > 3 * TICK_SECONDS, now
        for process in self._processes:
            if process.kill_at is not None and now > process.kill_at:
                process.kill("does not end")
            elif not process.is_ready and now > process.started + START_SECONDS:
                process.kill("does not get ready")
        if self._is_stopping:
            return
        for slot in self._slots.values():
            if slot.current is None:
                if now >= slot.retry_at:
                    slot.current = self._fork(slot, self._start)
            # Who was held up itself, with the whole machine perhaps, is no judge of others.
            elif slot.current.is_ready and not was_late:
                self._judge(slot, slot.current, now)

    def _judge(self, slot: _Slot, current: Process, now: float) -> None:
        silent, busy = current.line.silent_seconds(), current.line.group_seconds()
        if max(silent, busy) > current.hang_seconds:
            current.kill(f"has hung for {max(silent, busy):.1f} s")
        elif silent > SILENT_SECONDS:
            if self._is_single(slot) and now >= slot.spare_at:
                log.warning("worker %d, process %d, is silent: a spare is started", slot.number, current.pid)
                slot.successor, slot.is_spare = self._fork(slot, self._start), True
        elif slot.successor is not None and slot.is_spare:
            log.warning("worker %d, process %d, is back: its spare ends", slot.number, current.pid)
            self._dismiss(slot)

    def _dismiss(self, slot: _Slot) -> None:
        """The spare ends."""
        if slot.successor is not None:
            self._let_end(slot.successor)
            slot.successor, slot.spare_at = None, time.monotonic() + SOON_SECONDS

    def _is_single(self, slot: _Slot) -> bool:
        """Whether the slot has room for another process."""
        return sum(process.slot == slot.number for process in self._processes) < 2

    # --- new settings -------------------------------------------------------------------------

    def _begin_roll(self) -> None:
        """SIGHUP: read everything again, prove what can be proven here, and renew the workers."""
        try:
            settings = self._reread()
            require_private_authority(settings.folder)
            prepare(settings)
            start = Start(settings=settings, tls=tls_of(settings))
        except (SettingsError, KmipError) as error:
            log.error("nothing renewed, the old workers serve on: %s", error)
            return
        if addresses_of(settings) != self._addresses:
            log.error("another address to listen on takes a restart: the old ones stay")
        # Whoever sends this signal has looked at the clock, where the log said so.
        self._board.clock_base = None
        self._roll = _Roll(start=start, left=[each for each in self._slots if each < settings.server.workers])

    def _accept(self, roll: _Roll) -> None:
        """A worker serves with the new settings: from now on they are those of all."""
        roll.is_proven = True
        self._start, self._settings = roll.start, roll.start.settings
        set_up_logging(self._settings)
        count = self._settings.server.workers
        for number in [each for each in self._slots if each >= count]:
            surplus = self._slots.pop(number)
            for process in (surplus.current, surplus.successor):
                if process is not None:
                    self._let_end(process)
        for number in range(count):
            self._slots.setdefault(number, _Slot(number))

    def _renew(self) -> None:
        """The next step of a roll, where there is one to take."""
        roll = self._roll
        if roll is None:
            if self._roll_again and self._is_up and not self._is_stopping:
                self._roll_again = False
                self._begin_roll()
            return
        if any(slot.successor is not None and not slot.is_spare for slot in self._slots.values()):
            return
        if not roll.left:
            self._roll = None
            log.info("all workers are renewed")
            return
        slot = self._slots[roll.left[0]]
        # A spare has the old settings, and there is no room for a third.
        self._dismiss(slot)
        if self._is_single(slot) and time.monotonic() >= slot.retry_at:
            roll.left.pop(0)
            slot.successor, slot.is_spare = self._fork(slot, roll.start), False
            if slot.successor is None:
                roll.left.insert(0, slot.number)
