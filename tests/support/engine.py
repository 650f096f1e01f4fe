"""The engine in one process, on a real store and a keystore in memory: whole messages, no sockets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kmip_server.answer import Answerer
from kmip_server.authz.roles import BUILT_IN
from kmip_server.authz.rules import RoleAuthorizer
from kmip_server.clock import SettableClock
from kmip_server.engine import operations  # noqa: F401 - registers every operation
from kmip_server.engine.context import Policy
from kmip_server.engine.ports import Outcome, SealedMaterial
from kmip_server.engine.registry import find
from kmip_server.errors import KmipError
from kmip_server.keystore.sealing import Sealer
from kmip_server.principal import Peer, Principal
from kmip_server.protocol import ttlv
from kmip_server.protocol.codec import decode_structure, encode_structure
from kmip_server.protocol.enums import (
    BatchErrorContinuationOption,
    ObjectType,
    Operation,
    ResultReason,
    ResultStatus,
)
from kmip_server.protocol.reasons import reason_of
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import SERVED, V1_4, V2_1, Version
from kmip_server.store import database, migrate
from kmip_server.store.apply import Writer
from kmip_server.store.objects import Reader

__all__ = ["SERVED"]


class MemoryKeyStore:
    """Sealing with a key in memory: the same sealing, no holder."""

    def __init__(self) -> None:
        self._sealer = Sealer({1: os.urandom(32)}, 1)

    def seal(
        self, value: bytes, *, unique_identifier: str, object_type: ObjectType, generation: int
    ) -> SealedMaterial:
        return self._sealer.seal(
            value, unique_identifier=unique_identifier, object_type=object_type, generation=generation
        )

    def open(self, sealed: SealedMaterial, *, unique_identifier: str, object_type: ObjectType) -> bytes:
        return self._sealer.open(sealed, unique_identifier=unique_identifier, object_type=object_type)

    def random(self, length: int) -> bytes:
        return os.urandom(length)

    def seed(self, data: bytes) -> None:
        """Nothing to stir."""


class Refused(Exception):
    """A batch item failed."""

    def __init__(self, status: ResultStatus, reason: ResultReason, message: str, payload: Item | None) -> None:
        super().__init__(f"{reason.title}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.payload = payload


def told(error: type[KmipError], operation: Operation, version: Version = V2_1) -> ResultReason:
    """How the version tells an error of this kind in an operation: the table of reasons has its own tests."""
    return reason_of(error.__new__(error), operation, version)


def child(item: Item, *tags: Tag) -> Any:
    """The value of the first item below `item` along these tags; None where there is none."""
    for tag in tags:
        found = next((each for each in item[2] if each[0] == tag), None)
        if found is None:
            return None
        item = found
    return item[2]


def children(item: Item, tag: Tag) -> list[Item]:
    return [each for each in item[2] if each[0] == tag]


def request_message(
    version: Version,
    items: list[tuple[int, Item, bytes | None]],
    *,
    option: BatchErrorContinuationOption | None = None,
    header: list[Item] | None = None,
) -> bytes:
    """A Request Message of raw payload items: operation, payload, Unique Batch Item ID."""
    fields: list[Item] = [
        (
            Tag.PROTOCOL_VERSION,
            ttlv.STRUCTURE,
            [
                (Tag.PROTOCOL_VERSION_MAJOR, ttlv.INTEGER, version.major),
                (Tag.PROTOCOL_VERSION_MINOR, ttlv.INTEGER, version.minor),
            ],
        ),
        *(header or []),
    ]
    if option is not None:
        fields.append((Tag.BATCH_ERROR_CONTINUATION_OPTION, ttlv.ENUMERATION, int(option)))
    fields.append((Tag.BATCH_COUNT, ttlv.INTEGER, len(items)))
    batch = []
    for operation, payload, identifier in items:
        inner: list[Item] = [(Tag.OPERATION, ttlv.ENUMERATION, operation)]
        if identifier is not None:
            inner.append((Tag.UNIQUE_BATCH_ITEM_ID, ttlv.BYTE_STRING, identifier))
        inner.append(payload)
        batch.append((Tag.BATCH_ITEM, ttlv.STRUCTURE, inner))
    whole = [(Tag.REQUEST_HEADER, ttlv.STRUCTURE, fields), *batch]
    return ttlv.encode((Tag.REQUEST_MESSAGE, ttlv.STRUCTURE, whole))


def result_of(batch_item: Item, version: Version) -> Any:
    """The typed response of a batch item. Raises Refused where it failed."""
    status = ResultStatus.of(child(batch_item, Tag.RESULT_STATUS))
    payload = next(iter(children(batch_item, Tag.RESPONSE_PAYLOAD)), None)
    if status != ResultStatus.SUCCESS:
        reason = child(batch_item, Tag.RESULT_REASON)
        message = child(batch_item, Tag.RESULT_MESSAGE) or ""
        raise Refused(status, ResultReason.of(reason) if reason else ResultReason.GENERAL_FAILURE, message, payload)
    registration = find(child(batch_item, Tag.OPERATION), version)
    assert registration is not None
    assert payload is not None
    return decode_structure(registration.response, payload, version)


class Engine:
    """Several principals over one store."""

    def __init__(self, folder: Path, policy: Policy | None = None) -> None:
        path = folder / "engine.db"
        database.connect(path, create=True).close()
        migrate.upgrade(path)
        self.path = path
        self.policy_revision = 1
        self.clock = SettableClock()
        self.keystore = MemoryKeyStore()
        self.reader = Reader(self.connect)
        self.writer = Writer(self.connect, self.clock, "test")
        self.principals = {
            "one": Principal(name="one", domain="default", roles=("Appliance",), groups=("cluster",)),
            "two": Principal(name="two", domain="default", roles=("Appliance",)),
            "admin": Principal(name="admin", domain="default", roles=("Administrator",)),
            "elsewhere": Principal(name="elsewhere", domain="other", roles=("Administrator", "Appliance")),
            "nobody": Principal(name="nobody", domain="default"),
        }
        authorizer = RoleAuthorizer({role.name: role for role in BUILT_IN})
        self.answerer = Answerer(
            clock=self.clock,
            keystore=self.keystore,
            identify=lambda peer, authentication, version: self.principals[peer.subject_common_name],
            authorizer=lambda: authorizer,
            policy=policy or Policy(served=SERVED),
            policy_revision=lambda: self.policy_revision,
        )

    def connect(self) -> Any:
        return database.connect(self.path)

    def close(self) -> None:
        self.reader.close()
        self.writer.close()

    def exchange(self, message: bytes, principal: str = "one") -> Item:
        """The Response Message to a message, with what it changed made durable."""
        peer = Peer(address="test:1", certificate=b"", fingerprint="", subject_common_name=principal)
        self.reader.begin_snapshot()
        try:
            identifier = self.clock.identifier()
            evaluation = self.answerer.evaluate(message, peer, self.reader, identifier)
        finally:
            self.reader.end_snapshot()
        assert self.writer.apply([evaluation.unit]) == [Outcome.APPLIED]
        self.answerer.settle(identifier, True)
        return ttlv.decode(evaluation.reply)

    def batch(
        self,
        version: Version,
        requests: list[tuple[Operation, Any]],
        *,
        principal: str = "one",
        option: BatchErrorContinuationOption | None = None,
    ) -> list[Item]:
        """The response batch items to typed requests."""
        items = [
            (
                int(operation),
                encode_structure(request, version),
                number.to_bytes(2, "big") if len(requests) > 1 else None,
            )
            for number, (operation, request) in enumerate(requests)
        ]
        response = self.exchange(request_message(version, items, option=option), principal)
        return children(response, Tag.BATCH_ITEM)

    def call(self, operation: Operation, request: Any, *, version: Version = V1_4, principal: str = "one") -> Any:
        """One operation. Raises Refused."""
        (item,) = self.batch(version, [(operation, request)], principal=principal)
        return result_of(item, version)
