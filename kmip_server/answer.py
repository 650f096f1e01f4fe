"""One request from bytes to bytes. Read this first.

    bytes -> decode -> who is asking -> each item: open, permit, act -> encode -> bytes, and a unit of work

Nothing here writes: `evaluate` leaves a reply and what must be durable before the reply may leave. Whoever
calls it applies the unit of work first (`work/executor.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from kmip_server.clock import Clock
from kmip_server.engine import batch
from kmip_server.engine.batch import INTERNAL, NO_MEMORY, Recorder
from kmip_server.engine.context import Context, Policy
from kmip_server.engine.ports import MAX_CORRELATION, AuditEntry, Authorizer, KeyStore, ObjectStore, UnitOfWork
from kmip_server.engine.streams import Streams
from kmip_server.errors import (
    AuthenticationNotSuccessful,
    ClockNotTrusted,
    FeatureNotSupported,
    InternalError,
    InvalidField,
    KmipError,
    ResponseTooLarge,
    ServerLimitExceeded,
)
from kmip_server.frozen import frozen
from kmip_server.principal import Peer, Principal
from kmip_server.protocol.enums import AsynchronousIndicator, Operation, ResultStatus
from kmip_server.protocol.messages import (
    Authentication,
    MalformedMessage,
    RequestMessage,
    ResponseBatchItem,
    decode_request,
    encode_response,
    operation_of,
    peek_version,
)
from kmip_server.protocol.reasons import reason_of
from kmip_server.protocol.versions import Version

log = logging.getLogger(__name__)

_JUMPED = "the server's clock has jumped: until its administrator has set it right, nothing is served"
MAKES_A_PAIR = (Operation.CREATE_KEY_PAIR, Operation.RE_KEY_KEY_PAIR)
NOBODY = Principal(name="", domain="", authentication="none")

Identify = Callable[[Peer, Authentication | None, Version], Principal]


@frozen
class Evaluation:
    """A reply, and what must be durable before it leaves."""

    reply: bytes = field(repr=False)
    unit: UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """Everything a request needs but the database connection, which is the calling thread's."""

    clock: Clock
    keystore: KeyStore
    identify: Identify
    authorizer: Callable[[], Authorizer]
    policy: Policy
    policy_revision: Callable[[], int]
    streams: Streams = field(default_factory=Streams)
    max_batch_items: int = 1000
    max_key_pairs: int = 8
    """Made in one message."""

    def evaluate(self, message: bytes, peer: Peer, store: ObjectStore, request_identifier: str) -> Evaluation:
        """The reply to one message. Never raises: what nobody thought of fails this request, and no other.

        The identifier stays the same when the request is evaluated again; its fate is then told to `settle`.
        """
        # First of all, so that what is decided below is decided by this policy or by a newer one.
        recorder = Recorder(
            request_identifier=request_identifier,
            source=peer.address,
            policy_revision=self.policy_revision(),
        )
        told: KmipError = InternalError(INTERNAL)
        try:
            return self._evaluate(message, peer, store, recorder)
        except MemoryError:
            log.error("request %s: %s", request_identifier, NO_MEMORY)
            told = ServerLimitExceeded(NO_MEMORY)
        except Exception:
            log.exception("request %s failed", request_identifier)
        self.streams.settle(request_identifier, False)
        version = peek_version(message[:64], self.policy.served) or self.policy.served[0]
        return self._refused(version, told, recorder, None, NOBODY)

    def _evaluate(self, message: bytes, peer: Peer, store: ObjectStore, recorder: Recorder) -> Evaluation:
        try:
            request = decode_request(message, self.policy.served, self.max_batch_items)
        except MalformedMessage as error:
            principal = self._of_certificate(peer, error.version)
            return self._refused(error.version, error.error, recorder, None, principal)
        given = request.header.client_correlation_value
        if given:
            recorder = replace(recorder, client_correlation_value=given[:MAX_CORRELATION])
        principal = NOBODY
        now_microseconds = self.clock.now_microseconds()
        try:
            principal = self.identify(peer, request.header.authentication, request.version)
            self._require_understood(request)
            if self.clock.has_jumped:
                raise ClockNotTrusted(_JUMPED)
        except ClockNotTrusted as error:
            return self._refused(request.version, error, recorder, request, principal)
        except InternalError as error:
            log.error("request %s: %s", recorder.request_identifier, error.message)
            unavailable = InternalError("the server is not available")
            return self._refused(request.version, unavailable, recorder, request, principal)
        except KmipError as error:
            if isinstance(error, AuthenticationNotSuccessful):
                why = getattr(error, "detail", "") or error.message
                log.info("request %s of %s is refused: %s", recorder.request_identifier, peer.address, why)
            return self._refused(request.version, error, recorder, request, principal)
        now = now_microseconds // 1_000_000
        streams = self.streams.of_request(recorder.request_identifier, now)
        context = Context(
            principal=principal,
            version=request.version,
            now=now,
            now_microseconds=now_microseconds,
            new_identifier=self.clock.identifier,
            store=store,
            keystore=self.keystore,
            authorizer=self.authorizer(),
            policy=self.policy,
            streams=streams,
        )
        results = batch.run(context, request, recorder)
        reply = self._encoded(results, request, recorder, now)
        unit = context.unit_of_work(recorder.policy_revision)
        limit = request.header.maximum_response_size
        if limit is not None and len(reply) > limit:
            streams.lose_since(0)
            too_large = ResponseTooLarge(f"the answer has {len(reply)} bytes, the Maximum Response Size is {limit}")
            return self._refused(request.version, too_large, recorder, request, principal, unit.audit)
        return Evaluation(reply=reply, unit=unit)

    def _of_certificate(self, peer: Peer, version: Version) -> Principal:
        """Who sent a message that cannot be read, for the record: the certificate says it."""
        try:
            return self.identify(peer, None, version)
        except KmipError:
            return NOBODY

    def settle(self, request_identifier: str, durable: bool) -> None:
        """Tell the fate of a request that will not be evaluated again. Thread safe."""
        self.streams.settle(request_identifier, durable)

    def _require_understood(self, request: RequestMessage) -> None:
        """Raise for what a header may ask and this server does not do."""
        header = request.header
        items = request.batch_items
        pairs = sum(item.operation in MAKES_A_PAIR for item in items) if len(items) > self.max_key_pairs else 0
        if pairs > self.max_key_pairs:
            raise ServerLimitExceeded(f"a message makes at most {self.max_key_pairs} key pairs")
        if header.maximum_response_size is not None and header.maximum_response_size < 0:
            raise InvalidField("Maximum Response Size is not negative")
        if header.asynchronous_indicator == AsynchronousIndicator.MANDATORY:
            raise FeatureNotSupported("this server answers at once; an asynchronous answer cannot be demanded")
        ids = [item.unique_batch_item_id for item in request.batch_items]
        given = [each for each in ids if each is not None]
        if len(set(given)) != len(given):
            raise InvalidField("two batch items have the same Unique Batch Item ID")

    def refusal(self, version: Version, error: KmipError) -> bytes:
        """A reply for what never became a request: header and one item without operation."""
        result = ResponseBatchItem(
            result_status=ResultStatus.OPERATION_FAILED,
            result_reason=reason_of(error, None, version),
            result_message=error.message,
        )
        return encode_response([result], version, self.clock.now())

    def _refused(
        self,
        version: Version,
        error: KmipError,
        recorder: Recorder,
        request: RequestMessage | None,
        principal: Principal,
        done: Sequence[AuditEntry] = (),
    ) -> Evaluation:
        """The same failure for the whole message, on record: each operation with what became of it, where some were
        `done` already, and each once where they were not; as one message where nobody known has sent it."""
        items = request.batch_items if request else ()
        operations = [operation_of(item.operation) if item.operation is not None else None for item in items]
        reason = reason_of(error, operations[0] if operations else None, version)
        results = [
            ResponseBatchItem(
                operation=item.operation,
                unique_batch_item_id=item.unique_batch_item_id,
                result_status=ResultStatus.OPERATION_FAILED,
                result_reason=reason,
                result_message=error.message,
            )
            for item in items
        ]
        now = self.clock.now()
        reply = self._encoded(results, request, recorder, now) if request else self.refusal(version, error)
        if done:
            audit = [
                each._replace(outcome="undone", reason=reason.title) if each.outcome == "allowed" else each
                for each in done
            ]
            return Evaluation(reply=reply, unit=UnitOfWork(writes=(), audit=audit))
        if principal is NOBODY:
            operations = operations[:1]
        entry = AuditEntry(
            request_identifier=recorder.request_identifier,
            principal=principal.name,
            authentication=principal.authentication,
            source=recorder.source,
            operation="message",
            version=str(version),
            object="",
            outcome="refused" if isinstance(error, AuthenticationNotSuccessful) else "failed",
            reason=reason.title,
            rule=getattr(error, "detail", ""),
            policy_revision=recorder.policy_revision,
            client_correlation_value=recorder.client_correlation_value,
        )
        audit = [entry if each is None else entry._replace(operation=each.title) for each in operations] or [entry]
        return Evaluation(reply=reply, unit=UnitOfWork(writes=(), audit=audit))

    def _encoded(
        self, results: list[ResponseBatchItem], request: RequestMessage, recorder: Recorder, now: int
    ) -> bytes:
        client = request.header.client_correlation_value
        return encode_response(results, request.version, now, client, recorder.request_identifier)
