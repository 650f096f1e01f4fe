"""A client that sees to it that what is refused changes nothing: no attribute, no count, no object more.

Strategy: before each request it looks at every object that the request names, with all its attributes; a request that
may make objects, at the list of all there are. If the request is refused, it looks again. The keys it makes have Usage
Limits, so that a use that is refused and yet counted is found out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    BatchErrorContinuationOption,
    ObjectType,
    Operation,
    ResultStatus,
    UsageLimitsUnit,
)
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import Version
from tests.support import requests as r
from tests.support.engine import Refused, child
from tests.support.wire import Client, Connection

LIMIT = 1_000_000
LIMITS = UsageLimits(usage_limits_total=LIMIT, usage_limits_unit=UsageLimitsUnit.BYTE)
MAKING = frozenset(
    {
        Operation.CREATE,
        Operation.CREATE_KEY_PAIR,
        Operation.REGISTER,
        Operation.IMPORT,
        Operation.RE_KEY,
        Operation.RE_KEY_KEY_PAIR,
    }
)
_KEYS = frozenset({ObjectType.SYMMETRIC_KEY, ObjectType.PRIVATE_KEY, ObjectType.PUBLIC_KEY})


class Watching(Client):
    """As a Client. What a refused request has changed is an AssertionError.

    `owner`: who may look at the objects, where it is not this client.
    """

    def __init__(self, connection: Connection, version: Version, owner: Client | None = None) -> None:
        super().__init__(connection, version)
        self._owner = owner or Client(connection, version)
        self.watched: set[str] = set()
        """The objects that were there when a request that named them was refused."""

    def call(
        self, operation: Operation, request: Any, *, change: Callable[[Item], Item] = lambda item: item
    ) -> Any:
        request = limited(operation, request)
        payload = encode_structure(request, self.version)
        before = self._seen(operation, payload)
        try:
            return super().call(operation, request, change=change)
        except Refused:
            self._require_unchanged(before, operation, payload)
            raise

    def batch(
        self,
        *requests: tuple[Operation, Any],
        ids: Sequence[bytes | None] | None = None,
        option: BatchErrorContinuationOption | None = None,
        header: list[Item] | None = None,
    ) -> list[Item]:
        """Looks after a message of which nothing is left: one item, or Undo."""
        ((operation, request),) = requests
        request = limited(operation, request)
        payload = encode_structure(request, self.version)
        before = self._seen(operation, payload)
        items = super().batch((operation, request), ids=ids, option=option, header=header)
        if child(items[0], Tag.RESULT_STATUS) != ResultStatus.SUCCESS:
            self._require_unchanged(before, operation, payload)
        return items

    def _require_unchanged(self, before: dict[str, Any], operation: Operation, payload: Item) -> None:
        after = self._seen(operation, payload)
        for name, seen in before.items():
            assert after[name] == seen, f"{operation.title} was refused, and {name} is not as it was"
            if seen is not None:
                self.watched.add(name)

    def _seen(self, operation: Operation, payload: Item) -> dict[str, Any]:
        found: dict[str, Any] = {name: self._attributes(name) for name in _identifiers(payload)}
        if operation in MAKING:
            found["all"] = self._owner.call(Operation.LOCATE, LocateRequest()).unique_identifiers
        return found

    def _attributes(self, unique_identifier: str) -> Any:
        try:
            request = GetAttributesRequest(unique_identifier=unique_identifier)
            return self._owner.call(Operation.GET_ATTRIBUTES, request).attributes
        except Refused:
            return None


_NAMING = (Tag.UNIQUE_IDENTIFIER, Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER)


def _identifiers(item: Item) -> list[str]:
    """Every Unique Identifier in a payload; that of a wrapping key too."""
    if item[1] == ttlv.STRUCTURE:
        return [found for each in item[2] for found in _identifiers(each)]
    return [item[2]] if item[0] in _NAMING and item[1] == ttlv.TEXT_STRING else []


def limited(operation: Operation, request: Any) -> Any:
    """A request for a new key with Usage Limits, if it says nothing of them."""
    name = {
        Operation.CREATE: "template_attribute",
        Operation.CREATE_KEY_PAIR: "common_template_attribute",
        Operation.REGISTER: "template_attribute",
    }.get(operation)
    if name is None or getattr(request, "object_type", ObjectType.SYMMETRIC_KEY) not in _KEYS:
        return request
    given = getattr(request, name) or r.template()
    keys = {each.key for each in given.attributes}
    if Tag.USAGE_LIMITS in keys or _says_limits(request):
        return request
    more = r.attribute(Tag.USAGE_LIMITS, LIMITS)
    return replace(request, **{name: replace(given, attributes=(*given.attributes, more))})


def _says_limits(request: Any) -> bool:
    private = getattr(request, "private_key_template_attribute", None)
    return private is not None and any(each.key == Tag.USAGE_LIMITS for each in private.attributes)
