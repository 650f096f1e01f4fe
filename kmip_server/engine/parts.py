"""Which part of an operation a request is: all of it, the first, one between, or the last. KMIP 1.4 section 4.

Strategy: an operation asks once what part it is given (`part_of`), before it opens the key, and at the end lets the
part advance. What it does is an object with one method (`streams.Process`), made for the first part and, for an
operation in one part, used once. So Encrypt, Decrypt, Sign, Signature Verify, MAC, MAC Verify and Hash say
nothing of streams. A part that fails ends the operation (see `streams.py`). Later parts may repeat the
Cryptographic Parameters, the IV and the additional data of the first, as the official test case CS-BC-M-GCM-3
does, not contradict them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kmip_server.engine import streams
from kmip_server.engine.context import Context, Found
from kmip_server.engine.streams import Belonging, Process, Stream
from kmip_server.errors import BadCryptographicParameters, FeatureNotSupported, InvalidField, MissingData
from kmip_server.protocol.attribute_values import CryptographicParameters
from kmip_server.protocol.enums import Operation
from kmip_server.protocol.versions import V1_3


class RequestInParts(Protocol):
    """What every operation that can be done in parts has in its request."""

    @property
    def cryptographic_parameters(self) -> CryptographicParameters | None: ...

    @property
    def data(self) -> bytes | None: ...

    @property
    def correlation_value(self) -> bytes | None: ...

    @property
    def init_indicator(self) -> bool | None: ...

    @property
    def final_indicator(self) -> bool | None: ...


class InParts(Process, Protocol):
    """A process that also says what later parts may repeat."""

    parameters: CryptographicParameters
    repeatable: dict[str, bytes | None]
    """Fields of the request, and what the first part said there."""


@dataclass(frozen=True, slots=True)
class Part:
    """One request's share of an operation."""

    context: Context
    belonging: Belonging
    request: RequestInParts
    stream: Stream | None
    """The one under way; None in the first part."""
    last: bool

    @property
    def first(self) -> bool:
        return self.stream is None

    @property
    def data(self) -> bytes:
        """The data of this part. Raises MissingData where it must be there: only the first and the last of several
        parts can go without ("Data is always required ... except when either Init Indicator or Final Indicator is
        true")."""
        if self.request.data is not None:
            return self.request.data
        if self.first == self.last:
            raise MissingData("Data must be given")
        return b""

    def advance(self, start: Callable[[], InParts], found: Found | None = None) -> Any:
        """The response. `start` makes the process, for the first part; `found` is the key, where there is one.

        Raises InvalidCorrelationValue where the key has changed its State, BadCryptographicParameters where a later
        part contradicts the first, ServerLimitExceeded, and what the process raises.
        """
        state = found.state if found is not None else None
        data, request = self.data, self.request
        if self.stream is None:
            process = start()
            if self.last:
                return process.advance(request, data, True)
            stream = self.context.streams.begin(self.belonging, state, process, len(data))
            return _with_value(process.advance(request, data, False), stream)
        stream = self.stream
        streams.require_state(stream, state)
        running: Any = stream.process
        _require_repeated(running, request)
        response = self.context.streams.step(
            stream, len(data), self.last, lambda: running.advance(request, data, self.last)
        )
        return response if self.last else _with_value(response, stream)


def part_of(context: Context, request: RequestInParts, operation: Operation, unique_identifier: str | None) -> Part:
    """Which part this request is. `unique_identifier` is that of the key; None where the operation has none.

    Raises InvalidCorrelationValue, InvalidField for indicators that contradict each other, and FeatureNotSupported
    before 1.3, whose answers cannot hold a Correlation Value.
    """
    principal = f"{context.principal.domain} {context.principal.name}"
    belonging = Belonging(principal=principal, operation=operation, unique_identifier=unique_identifier)
    first, last = bool(request.init_indicator), bool(request.final_indicator)
    value = request.correlation_value
    if value is None:
        if last and not first:
            raise InvalidField("the last of several parts must have the Correlation Value of the first")
        whole = first == last
        if not whole and context.version < V1_3:
            raise FeatureNotSupported("operations in several parts are served from KMIP 1.3")
        return Part(context, belonging, request, None, whole)
    if first:
        raise InvalidField("Init Indicator and Correlation Value cannot be given together")
    return Part(context, belonging, request, context.streams.take(value, belonging), last)


def _with_value(response: Any, stream: Stream) -> Any:
    return dataclasses.replace(response, correlation_value=stream.value)


def _require_repeated(process: InParts, request: RequestInParts) -> None:
    """Raise BadCryptographicParameters where a later part says otherwise than the first."""
    for name, said in process.repeatable.items():
        if getattr(request, name) not in (None, said):
            raise BadCryptographicParameters("a later part contradicts the first")
    given = request.cryptographic_parameters
    if given is None:
        return
    for field in dataclasses.fields(given):
        value = getattr(given, field.name)
        if value is not None and value != getattr(process.parameters, field.name):
            raise BadCryptographicParameters("a later part has other Cryptographic Parameters than the first")
