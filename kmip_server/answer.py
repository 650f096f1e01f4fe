"""One request from bytes to bytes. Read this first.

    bytes -> decode -> who is asking -> each item: open, permit, act -> encode -> bytes, and a unit of work

Nothing here writes: `evaluate` leaves a reply and what must be durable before the reply may leave. Whoever
calls it applies the unit of work first (`work/executor.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from kmip_server.clock import Clock
from kmip_server.engine import batch
from kmip_server.engine.batch import Recorder
from kmip_server.engine.context import Context, Policy
from kmip_server.engine.ports import AuditEntry, Authorizer, KeyStore, ObjectStore, UnitOfWork
from kmip_server.engine.streams import Streams
from kmip_server.errors import (
    AuthenticationNotSuccessful,
    FeatureNotSupported,
    InternalError,
    InvalidField,
    KmipError,
    ResponseTooLarge,
    ServerLimitExceeded,
)
from kmip_server.principal import Peer, Principal
from kmip_server.protocol import ttlv
from kmip_server.protocol.enums import AsynchronousIndicator, CredentialType, Operation, ResultStatus
from kmip_server.protocol.messages import (
    Authentication,
    MalformedMessage,
    RequestMessage,
    ResponseBatchItem,
    decode_request,
    encode_response,
)
from kmip_server.protocol.reasons import reason_of
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import Version

log = logging.getLogger(__name__)

# Making a key pair can take seconds, and a password is checked by a function made to be slow: such requests are
# evaluated away from the thread that applies.
_MAKES_A_PAIR = tuple(
    ttlv.encode((Tag.OPERATION, ttlv.ENUMERATION, operation))
    for operation in (Operation.CREATE_KEY_PAIR, Operation.RE_KEY_KEY_PAIR)
)
_HAS_A_PASSWORD = ttlv.encode((Tag.CREDENTIAL_TYPE, ttlv.ENUMERATION, CredentialType.USERNAME_AND_PASSWORD))
NOBODY = Principal(name="", domain="", authentication="none")

Identify = Callable[[Peer, Authentication | None, Version], Principal]


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def is_slow(self, message: bytes) -> bool:
        """Whether the request should be evaluated on the pool.

        Looks for the bytes of these fields only: where they stand for something else, nothing is lost.
        """
        return any(each in message for each in _MAKES_A_PAIR) or _HAS_A_PASSWORD in message

    def evaluate(self, message: bytes, peer: Peer, store: ObjectStore, request_identifier: str) -> Evaluation:
        """The reply to one message. Never raises for what a peer sent.

        The identifier stays the same when the request is evaluated again; its fate is then told to `settle`.
        """
        recorder = Recorder(
            request_identifier=request_identifier,
            source=peer.address,
            policy_revision=self.policy_revision(),
        )
        try:
            request = decode_request(message, self.policy.served)
        except MalformedMessage as error:
            return self._refused(error.version, error.error, recorder, None)
        try:
            self._require_understood(request)
            principal = self.identify(peer, request.header.authentication, request.version)
        except InternalError as error:
            log.error("request %s: %s", recorder.request_identifier, error.message)
            return self._refused(request.version, InternalError("the server is not available"), recorder, request)
        except KmipError as error:
            return self._refused(request.version, error, recorder, request)
        now = self.clock.now()
        streams = self.streams.of_request(request_identifier, now)
        context = Context(
            principal=principal,
            version=request.version,
            now=now,
            now_microseconds=self.clock.now_microseconds(),
            new_identifier=self.clock.identifier,
            store=store,
            keystore=self.keystore,
            authorizer=self.authorizer(),
            policy=self.policy,
            streams=streams,
        )
        results = batch.run(context, request, recorder)
        reply = self._encoded(results, request)
        limit = request.header.maximum_response_size
        if limit is not None and len(reply) > limit:
            streams.lose_since(0)
            too_large = ResponseTooLarge(f"the answer has {len(reply)} bytes, the Maximum Response Size is {limit}")
            return self._refused(request.version, too_large, recorder, request)
        return Evaluation(reply=reply, unit=context.unit_of_work())

    def settle(self, request_identifier: str, durable: bool) -> None:
        """Tell the fate of a request that will not be evaluated again. Thread safe."""
        self.streams.settle(request_identifier, durable)

    def _require_understood(self, request: RequestMessage) -> None:
        """Raise for what a header may ask and this server does not do."""
        header = request.header
        if len(request.batch_items) > self.max_batch_items:
            raise ServerLimitExceeded(f"a message has at most {self.max_batch_items} batch items")
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
        self, version: Version, error: KmipError, recorder: Recorder, request: RequestMessage | None
    ) -> Evaluation:
        """The same failure for the whole message, on record."""
        operation = Operation._value2member_map_.get(request.batch_items[0].operation) if request else None
        reason = reason_of(error, operation if isinstance(operation, Operation) else None, version)
        results = [
            ResponseBatchItem(
                operation=item.operation,
                unique_batch_item_id=item.unique_batch_item_id,
                result_status=ResultStatus.OPERATION_FAILED,
                result_reason=reason,
                result_message=error.message,
            )
            for item in (request.batch_items if request else ())
        ]
        reply = self._encoded(results, request) if request else self.refusal(version, error)
        entry = AuditEntry(
            request_identifier=recorder.request_identifier,
            principal="",
            authentication="none",
            source=recorder.source,
            operation=operation.title if isinstance(operation, Operation) else "message",
            version=str(version),
            object="",
            outcome="refused" if isinstance(error, AuthenticationNotSuccessful) else "failed",
            reason=reason.title,
            rule=getattr(error, "detail", ""),
            policy_revision=recorder.policy_revision,
        )
        return Evaluation(reply=reply, unit=UnitOfWork(writes=(), audit=(entry,)))

    def _encoded(self, results: list[ResponseBatchItem], request: RequestMessage) -> bytes:
        return encode_response(results, request.version, self.clock.now(), request.header.client_correlation_value)
