"""The executor: one thread that evaluates waiting requests and makes them durable together.

Strategy: the thread drains what waits, evaluates each against one snapshot, applies all of them in one transaction
(group commit), and only then hands every reply back, in one hop to the reactor. What takes long (`weight.py`) waits
in a queue of its own, is evaluated on a small pool, one request of a peer at a time, and joins a later group. Peers
take turns in both queues (`fair.py`). A request whose objects changed under it is evaluated again, before what came
later, under the same request identifier; one that the database refuses is refused to the client. Nothing is
answered that is not durable, but for what only reads where the settings say so (`deferral.py`). The fate of each
request is told to the answerer before its reply leaves, once. Reader and writer are opened before anybody is
served, and recover by themselves: the thread goes on whatever happens.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from kmip_server.answer import Answerer, Evaluation
from kmip_server.engine.ports import ObjectStore, Outcome, UnitOfWork
from kmip_server.errors import KmipError, OutcomeUnknown, StoreUnavailable
from kmip_server.principal import Peer
from kmip_server.protocol.messages import peek_version
from kmip_server.work.deferral import Deferral
from kmip_server.work.fair import FairQueue
from kmip_server.work.turns import Turn
from kmip_server.work.weight import is_slow

log = logging.getLogger(__name__)

Deliver = Callable[[bytes | None], None]

GROUP = 64
"""Requests applied in one transaction at most."""
GROUP_SECONDS = 0.05
"""A group is closed once its evaluation has taken this long; the rest takes turns with what came since."""
RETRY_SECONDS = 10.0
"""How long a request that others keep overtaking is tried again."""


_UNAVAILABLE = StoreUnavailable("the server is not available; try again later")
"""Told of a request of which nothing was or will be done."""
_UNKNOWN = OutcomeUnknown("the server cannot say whether this is done; look before asking again")


class Snapshots(ObjectStore, Protocol):
    """A reader whose reads between the two calls see one state of the database."""

    def begin_snapshot(self) -> None: ...

    def end_snapshot(self) -> None: ...

    def close(self) -> None: ...


class Applier(Protocol):
    def put_off(self, units: Sequence[UnitOfWork]) -> Sequence[Outcome]:
        """Say whether units that write nothing still hold; their records are written by the next `apply`.

        Raises StoreUnavailable.
        """

    def apply(self, units: Sequence[UnitOfWork]) -> Sequence[Outcome]:
        """Make the units durable, and say what became of each. It may end the turn while it waits.

        Raises StoreUnavailable where nothing of the group is durable, OutcomeUnknown where that cannot be said.
        """

    def close(self) -> None: ...


@dataclass(slots=True)
class _Job:
    message: bytes
    peer: Peer
    deliver: Deliver
    until: float
    request_identifier: str
    is_slow: bool
    number: int
    """In the order in which requests came."""
    evaluation: Evaluation | None = None
    contended: frozenset[str] | None = None
    """The objects it would have changed when it was overtaken; None where it never was."""


class Executor:
    """`submit` on the reactor's thread; `deliver` is called there too, through `call_in_reactor`.

    The reactor and this thread take turns (`turns.py`). The thread is woken once for all that one turn of the
    reactor brings, at its end (`at_end_of_turn`): woken for each, it would take the interpreter lock from the
    reactor in the middle, and groups would be small. For the same reason it rests after each group until the
    reactor has sent the replies and looked at what came meanwhile.
    """

    def __init__(
        self,
        answerer: Answerer,
        open_reader: Callable[[], Snapshots],
        open_writer: Callable[[], Applier],
        call_in_reactor: Callable[[Callable[[], None]], None],
        at_end_of_turn: Callable[[Callable[[], None]], object],
        *,
        turn: Turn | None = None,
        max_waiting: int = 1000,
        max_waiting_of_one: int = 1000,
        pool_threads: int = 2,
        defers_reads: bool = False,
    ) -> None:
        """`max_waiting` bounds each of the two queues, `max_waiting_of_one` what one certificate has in it."""
        self._answerer = answerer
        self._open_reader = open_reader
        self._open_writer = open_writer
        self._call_in_reactor = call_in_reactor
        self._at_end_of_turn = at_end_of_turn
        self._side = (turn or Turn()).executor
        self._deferral = Deferral(defers_reads)
        self._waking = False
        self._quick: FairQueue[_Job] = FairQueue(max_waiting, max_waiting_of_one)
        self._slow: FairQueue[_Job] = FairQueue(max_waiting, max_waiting_of_one)
        # Evaluated on the pool, or overtaken: these had their turn already.
        self._ready: deque[_Job] = deque()
        self._numbers = itertools.count()
        self._wake = threading.Condition()
        # Whether there is something to look for.
        self._awake = False
        # Whose requests are on the pool.
        self._on_pool: set[str] = set()
        self._pool_threads = pool_threads
        self._stopping = False
        self._pool = ThreadPoolExecutor(pool_threads, thread_name_prefix="evaluate")
        self._local = threading.local()
        self._thread: threading.Thread | None = None
        self.group_began = 0.0
        """Since when (monotonic) the thread is busy with one group; 0 while it waits."""

    def start(self) -> None:
        """Open reader and writer, and begin. Raises StoreUnavailable where the database refuses either."""
        reader = self._open_reader()
        try:
            writer = self._open_writer()
        except BaseException:
            reader.close()
            raise
        self._thread = threading.Thread(target=self._run, args=(reader, writer), name="executor", daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float = 30) -> None:
        """Finish what waits, then end the thread."""
        with self._wake:
            self._stopping = True
            self._rouse()
        if self._thread is not None:
            self._thread.join(timeout_seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def submit(self, message: bytes, peer: Peer, deliver: Deliver) -> bool:
        """Queue a request. False where the queue is full or the executor is stopping: try again later."""
        slow = is_slow(message)
        identifier = self._answerer.clock.identifier()
        job = _Job(message, peer, deliver, time.monotonic() + RETRY_SECONDS, identifier, slow, next(self._numbers))
        with self._wake:
            queue = self._slow if slow else self._quick
            if self._stopping or not queue.put(peer.fingerprint, job):
                return False
        self._wake_at_end_of_turn()
        return True

    def _wake_at_end_of_turn(self) -> None:
        if not self._waking:
            self._waking = True
            self._at_end_of_turn(self._wake_up)

    def _wake_up(self) -> None:
        self._waking = False
        with self._wake:
            self._rouse()

    def _rouse(self) -> None:
        """The lock is held."""
        self._awake = True
        self._wake.notify()

    def malformed(self, prefix: bytes, error: KmipError) -> bytes | None:
        """A reply to a message whose frame is wrong, where its version can be read; else None."""
        version = peek_version(prefix, self._answerer.policy.served)
        return None if version is None else self._answerer.refusal(version, error)

    # --- the thread ---------------------------------------------------------------------------

    def _run(self, reader: Snapshots, writer: Applier) -> None:
        try:
            while (jobs := self._next_group()) is not None:
                self.group_began = time.monotonic()
                try:
                    if jobs:
                        self._perform(jobs, reader, writer)
                    self._write_what_waits(writer)
                except Exception:
                    log.exception("a group of requests was lost; their connections are closed")
                    self._deliver([(job.deliver, None) for job in jobs])
                finally:
                    self._side.end()
                    self.group_began = 0.0
            self._write_what_waits(writer, at_once=True)
        finally:
            reader.close()
            writer.close()

    def _next_group(self) -> list[_Job] | None:
        """What is applied next; empty where records have waited long enough, None where the executor has stopped
        and nothing is left. It is our turn then."""
        while True:
            with self._wake:
                while not self._awake and self._wake.wait(self._deferral.seconds_left()):
                    pass
            self._side.begin()
            with self._wake:
                self._awake = False
                self._fill_pool()
                jobs = self._without_rivals()
                while len(jobs) < GROUP and (job := self._quick.take()) is not None:
                    jobs.append(job)
                if self._stopping and not self._on_pool:
                    return jobs or None
                if jobs or self._deferral.seconds_left() == 0:
                    return jobs
            self._side.end()

    def _without_rivals(self) -> list[_Job]:
        """The jobs that are ready, in their order; of those known to change the same object only the first.

        Otherwise all users of one key with Usage Limits would be evaluated each time for one of them to succeed.
        """
        group: list[_Job] = []
        rivals: list[_Job] = []
        taken: set[str] = set()
        while self._ready and len(group) < GROUP:
            job = self._ready.popleft()
            contended = job.contended or frozenset()
            if taken.isdisjoint(contended):
                taken |= contended
                group.append(job)
            else:
                rivals.append(job)
        self._ready.extendleft(reversed(rivals))
        return group

    def _perform(self, jobs: list[_Job], reader: Snapshots, writer: Applier) -> None:
        """Evaluate and apply one group, and hand its replies back."""
        try:
            evaluations = self._evaluate(jobs, reader)
            self._put_back(jobs[len(evaluations) :])
            del jobs[len(evaluations) :]
            outcomes = self._applied([evaluation.unit for evaluation in evaluations], writer)
        except StoreUnavailable as error:
            log.error("%s", error.message)
            told = _UNKNOWN if isinstance(error, OutcomeUnknown) else _UNAVAILABLE
            self._deliver([(job.deliver, self._refused(job, told)) for job in jobs])
            return
        except Exception:
            log.exception("a group of requests failed; nothing of it was changed")
            self._deliver([(job.deliver, self._refused(job)) for job in jobs])
            return
        replies: list[tuple[Deliver, bytes | None]] = []
        overtaken: list[_Job] = []
        for job, evaluation, outcome in zip(jobs, evaluations, outcomes, strict=True):
            if outcome == Outcome.APPLIED:
                self._answerer.settle(job.request_identifier, True)
                replies.append((job.deliver, evaluation.reply))
            elif outcome == Outcome.OVERTAKEN and time.monotonic() < job.until:
                job.evaluation = None
                job.contended = frozenset(each.stored.unique_identifier for each in evaluation.unit.writes)
                overtaken.append(job)
            else:
                replies.append((job.deliver, self._refused(job)))
        self._put_back(overtaken)
        self._deliver(replies)

    def _applied(self, units: list[UnitOfWork], writer: Applier) -> Sequence[Outcome]:
        """What became of the units. Raises as `Applier.apply`."""
        if self._deferral.takes(units):
            outcomes = writer.put_off(units)
            self._deferral.put_off(len(units))
            return outcomes
        outcomes = writer.apply(units)
        self._side.begin()
        self._deferral.written()
        return outcomes

    def _write_what_waits(self, writer: Applier, at_once: bool = False) -> None:
        """Make the records that were put off durable, once it is time."""
        left = self._deferral.seconds_left()
        if left is None or (left and not at_once):
            return
        try:
            writer.apply([])
            self._deferral.written()
        except StoreUnavailable as error:
            self._deferral.failed()
            log.error("the record of reads waits: %s", error.message)
        except Exception:
            # Those it is about have been answered: this is no fault of their group.
            self._deferral.failed()
            log.exception("the record of reads waits")

    def _evaluate(self, jobs: list[_Job], reader: Snapshots) -> list[Evaluation]:
        """Of the first at least, and of as many more as there is time for."""
        evaluations: list[Evaluation] = []
        end = time.monotonic() + GROUP_SECONDS
        reader.begin_snapshot()
        try:
            for job in jobs:
                if evaluations and time.monotonic() > end:
                    break
                evaluations.append(job.evaluation or self._evaluated(job, reader))
            return evaluations
        finally:
            reader.end_snapshot()

    def _evaluated(self, job: _Job, reader: Snapshots) -> Evaluation:
        return self._answerer.evaluate(job.message, job.peer, reader, job.request_identifier)

    def _put_back(self, jobs: list[_Job]) -> None:
        """Those that were overtaken, or that a group had no time for: before what came later, in their order."""
        if not jobs:
            return
        with self._wake:
            for job in reversed(jobs):
                if job.is_slow and job.evaluation is None:
                    self._slow.put_first(job.peer.fingerprint, job)
                elif job.evaluation is None and job.contended is None:
                    self._quick.put_first(job.peer.fingerprint, job)
                else:
                    self._ready.append(job)
            # Among those of earlier groups that wait for the same object too.
            self._ready = deque(sorted(self._ready, key=lambda each: each.number))

    def _refused(self, job: _Job, told: StoreUnavailable = _UNAVAILABLE) -> bytes | None:
        """A reply that promises nothing, or a closed connection where even its version is unreadable."""
        self._answerer.settle(job.request_identifier, False)
        return self.malformed(job.message[:64], told)

    def _deliver(self, replies: list[tuple[Deliver, bytes | None]]) -> None:
        if not replies:
            with self._wake:
                self._rouse()
            return

        def deliver_all() -> None:
            for deliver, reply in replies:
                try:
                    deliver(reply)
                except Exception:
                    # The others of the group are answered all the same, and this one's connection is closed.
                    log.exception("an answer could not be sent")
                    with suppress(Exception):
                        deliver(None)
            self._wake_at_end_of_turn()

        # First, or the reactor would be woken only to wait for the turn.
        self._side.end()
        self._call_in_reactor(deliver_all)

    # --- the pool -----------------------------------------------------------------------------

    def _fill_pool(self) -> None:
        """Hand over what waits for the pool while it has a thread free. The lock is held.

        One request of a peer at a time: whoever has long ones leaves the other threads to others.
        """
        while len(self._on_pool) < self._pool_threads:
            job = self._slow.take(self._on_pool)
            if job is None:
                return
            self._on_pool.add(job.peer.fingerprint)
            self._pool.submit(self._evaluate_slowly, job)

    def _evaluate_slowly(self, job: _Job) -> None:
        reply: bytes | None = None
        try:
            reader = self._pool_reader()
            reader.begin_snapshot()
            try:
                job.evaluation = self._evaluated(job, reader)
            finally:
                reader.end_snapshot()
        except Exception:
            log.exception("a request failed on the pool; nothing of it was changed")
            reply = self._refused(job)
        with self._wake:
            self._on_pool.discard(job.peer.fingerprint)
            if job.evaluation is not None:
                self._ready.append(job)
            self._fill_pool()
            self._rouse()
        if job.evaluation is None:
            self._deliver([(job.deliver, reply)])

    def _pool_reader(self) -> Snapshots:
        reader: Snapshots | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = self._open_reader()
        return reader
