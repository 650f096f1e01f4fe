"""Operations in several parts that are under way in this process. KMIP 1.4 §2.1.15-2.1.17 and section 4.

Strategy: one bounded table. A stream belongs to a principal, a key and an operation; what is unknown,
another's, finished, or out of time is Invalid Correlation Value, in the same words. It lives in this process
alone: after a restart, and in another process, a Correlation Value is unknown. So it names the worker that has
the stream, and its siblings hand on what is for it (`work/addressee.py`). A cipher's state can be neither
copied nor turned back, while a request can be evaluated twice (`work/executor.py`: a unit of work that was
overtaken), and its commit can fail. So that a stream advances once for each request that the client sees
succeed:

* A request is known by its identifier, which stays the same when it is evaluated again.
* The first request that takes a stream holds it until its fate is known (`settle`). Meanwhile every other request
  finds no such stream: no third state between "advanced" and "not advanced" can be seen or built upon.
* What each step of the holder came to, an answer or an error, is remembered until then. Evaluated again, the
  request passes permission, State and Usage Limits anew, but its steps are answered from memory, so the cipher does
  not advance twice. The message is the same, so the bytes are. A stream that the earlier evaluation began is thrown
  away and begun anew: the client has never heard of it.
* `settle(durable)`: the stream goes on if the request is durable and its last evaluation told the client every
  step. In any other case it is dropped: commit failed, item failed, batch undone, answer too large for the client.
  The client would not know where the cipher stands, so a part that fails ends the operation, whatever the reason.

Usage Limits are debited by the part, in the request's own unit of work, so a part is paid for if and only if it
is durable. A key that changes its State between two parts ends the stream.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from kmip_server.errors import InvalidCorrelationValue, ServerLimitExceeded
from kmip_server.protocol.enums import Operation, State

_UNKNOWN = "no operation with this Correlation Value is outstanding"
VALUE_LENGTH = 16
"""Of a Correlation Value: a byte that names the worker, and 120 random bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBounds:
    """How much may be under way."""

    count: int = 1000
    count_per_principal: int = 64
    seconds: int = 300
    """How long the next part may take to come."""
    bytes: int = 16 << 20
    """Kept by one stream, where its algorithm needs all of the data at once."""
    bytes_in_all: int = 128 << 20


class Process(Protocol):
    """What is under way: one operation of one request, or of several."""

    keeps_data: bool
    """Whether it keeps the data of each part until the last."""

    def advance(self, request: Any, data: bytes, last: bool) -> Any:
        """The response to one part. Raises KmipError; it is then not asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belonging:
    """Whose a stream is. Another's is as unknown as one that never was."""

    principal: str
    operation: Operation
    unique_identifier: str | None
    """The key; None where the operation has none."""


@dataclass(slots=True, eq=False, kw_only=True)
class Stream:
    """One operation in several parts."""

    value: bytes
    """The Correlation Value."""
    belonging: Belonging
    state: State | None
    """The key's, when the stream began."""
    process: Process = field(repr=False)
    deadline: int
    kept: int = 0
    """Bytes."""
    holder: str = ""
    """The request that has it and is not settled; "" for none."""
    outcomes: list[Callable[[], Any]] = field(default_factory=list, repr=False)
    """What each of the holder's steps came to: returns the response, or raises."""


class RequestStreams:
    """The streams of one evaluation of one request."""

    def __init__(self, table: Streams, identifier: str, now: int) -> None:
        self._table = table
        self.identifier = identifier
        self.now = now
        self.begun: list[Stream] = []
        self.told: dict[Stream, int] = {}
        """Streams that this evaluation used, and how many of their outcomes it told."""
        self.over: set[Stream] = set()
        """Those that end with this request: finished, or failed."""
        self._uses: list[Stream] = []

    @property
    def mark(self) -> int:
        """Where the request stands; for `lose_since`."""
        return len(self._uses)

    def lose_since(self, mark: int) -> None:
        """End every stream used since: its part failed or is undone."""
        self.over.update(self._uses[mark:])

    def take(self, value: bytes, belonging: Belonging) -> Stream:
        """The stream, held for this request. Raises InvalidCorrelationValue."""
        stream = self._table.held(self, value, belonging)
        self._use(stream)
        return stream

    def begin(self, belonging: Belonging, state: State | None, process: Process, size: int) -> Stream:
        """A new stream, whose first part has `size` bytes. Raises ServerLimitExceeded."""
        stream = self._table.added(self, belonging, state, process)
        self.begun.append(stream)
        self._use(stream)
        self._table.keep(stream, size)
        return stream

    def _use(self, stream: Stream) -> None:
        self.told.setdefault(stream, 0)
        self._uses.append(stream)

    def step(self, stream: Stream, size: int, last: bool, advance: Callable[[], Any]) -> Any:
        """What `advance` answers, or answered when this request was evaluated before."""
        number = self.told[stream]
        if number == len(stream.outcomes):
            self._table.keep(stream, size)
            stream.outcomes.append(_outcome(advance))
        self.told[stream] = number + 1
        if last:
            self.over.add(stream)
        return stream.outcomes[number]()


def _outcome(advance: Callable[[], Any]) -> Callable[[], Any]:
    """What came of it, to be had again."""
    try:
        response = advance()
    except Exception as error:
        caught = error

        def again() -> Any:
            raise caught

        return again
    return lambda: response


def require_state(stream: Stream, state: State | None) -> None:
    """Raise InvalidCorrelationValue where the key has changed its State since the stream began."""
    if stream.state != state:
        raise InvalidCorrelationValue(_UNKNOWN)


def worker_of(value: bytes) -> int | None:
    """The number of the worker that made a Correlation Value; None where none of ours looks so."""
    return value[0] if len(value) == VALUE_LENGTH else None


class Streams:
    """The table. Its own lock guards it; a step runs outside it, as only the holder can be stepping."""

    def __init__(self, bounds: StreamBounds | None = None, worker: int = 0) -> None:
        """`worker`: this process's number, at most 255."""
        self.bounds = bounds or StreamBounds()
        self._worker = bytes([worker])
        self._streams: dict[bytes, Stream] = {}
        self._unsettled: dict[str, RequestStreams] = {}
        self._expired_at = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._streams)

    def of_request(self, identifier: str, now: int) -> RequestStreams:
        """The streams of a request that is being evaluated, for the first time or again. `now` in seconds."""
        request = RequestStreams(self, identifier, now)
        if self._streams or self._unsettled:
            with self._lock:
                self._expire(now)
                earlier = self._unsettled.get(identifier)
                if earlier is not None:
                    for stream in earlier.begun:
                        self._streams.pop(stream.value, None)
                    self._unsettled[identifier] = request
        return request

    def settle(self, identifier: str, durable: bool) -> None:
        """The fate of a request. Called once for each, after which its identifier is forgotten."""
        if identifier not in self._unsettled:
            return
        with self._lock:
            request = self._unsettled.pop(identifier)
            for stream in [each for each in self._streams.values() if each.holder == identifier]:
                all_told = request.told.get(stream) == len(stream.outcomes)
                if not durable or not all_told or stream in request.over:
                    del self._streams[stream.value]
                    continue
                stream.holder = ""
                stream.outcomes.clear()
                stream.deadline = request.now + self.bounds.seconds

    # --- for RequestStreams -------------------------------------------------------------------

    def held(self, request: RequestStreams, value: bytes, belonging: Belonging) -> Stream:
        """A stream, held by `request` from now on. Raises InvalidCorrelationValue."""
        with self._lock:
            stream = self._streams.get(value)
            if (
                stream is None
                or stream.belonging != belonging
                or stream.holder not in ("", request.identifier)
                or stream in request.over
            ):
                raise InvalidCorrelationValue(_UNKNOWN)
            self._hold(request, stream)
            return stream

    def added(self, request: RequestStreams, belonging: Belonging, state: State | None, process: Process) -> Stream:
        """A new stream, held by `request`. Raises ServerLimitExceeded."""
        with self._lock:
            own = sum(each.belonging.principal == belonging.principal for each in self._streams.values())
            if own >= self.bounds.count_per_principal or len(self._streams) >= self.bounds.count:
                raise ServerLimitExceeded("too many operations in several parts are under way")
            stream = Stream(
                value=self._worker + secrets.token_bytes(VALUE_LENGTH - 1),
                belonging=belonging,
                state=state,
                process=process,
                deadline=request.now + self.bounds.seconds,
            )
            self._streams[stream.value] = stream
            self._hold(request, stream)
            return stream

    def keep(self, stream: Stream, size: int) -> None:
        """Count what the stream keeps of a part. Raises ServerLimitExceeded."""
        if not stream.process.keeps_data:
            return
        with self._lock:
            in_all = sum(each.kept for each in self._streams.values())
            if stream.kept + size > self.bounds.bytes or in_all + size > self.bounds.bytes_in_all:
                raise ServerLimitExceeded("the operation needs more data at once than the server keeps")
            stream.kept += size

    def _hold(self, request: RequestStreams, stream: Stream) -> None:
        stream.holder = request.identifier
        self._unsettled[request.identifier] = request

    def _expire(self, now: int) -> None:
        if now == self._expired_at:
            return
        self._expired_at = now
        for stream in [each for each in self._streams.values() if not each.holder and each.deadline < now]:
            del self._streams[stream.value]
