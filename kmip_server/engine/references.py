"""How an item of a batch names what earlier items answered. KMIP 2.1 sections 4.58 and 11.58.

Strategy: after each item of a 2.x batch the Unique Identifiers of its answer are kept in their order, and by
operation, the latest first. A reference is looked up there when its item's turn comes; one that names nothing, or
more than one object, is refused, because nobody could tell which object was meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kmip_server.errors import InvalidField, ObjectNotFound
from kmip_server.protocol.enums import Operation
from kmip_server.protocol.enums import UniqueIdentifierEnumeration as Named
from kmip_server.protocol.schema import NthIdentifier

_PRIVATE, _PUBLIC = "private_key_unique_identifier", "public_key_unique_identifier"
_FIELDS = ("unique_identifier", "unique_identifiers", _PRIVATE, _PUBLIC)
"""The fields of answers that hold Unique Identifiers, in wire order."""

# What each value of the enumeration means: an operation, and which of its identifiers where it has several.
_NAMED: dict[Named, tuple[Operation, str | None]] = {
    Named.CERTIFY: (Operation.CERTIFY, None),
    Named.CREATE: (Operation.CREATE, None),
    Named.CREATE_KEY_PAIR: (Operation.CREATE_KEY_PAIR, None),
    Named.CREATE_KEY_PAIR_PRIVATE_KEY: (Operation.CREATE_KEY_PAIR, _PRIVATE),
    Named.CREATE_KEY_PAIR_PUBLIC_KEY: (Operation.CREATE_KEY_PAIR, _PUBLIC),
    Named.CREATE_SPLIT_KEY: (Operation.CREATE_SPLIT_KEY, None),
    Named.DERIVE_KEY: (Operation.DERIVE_KEY, None),
    Named.IMPORT: (Operation.IMPORT, None),
    Named.JOIN_SPLIT_KEY: (Operation.JOIN_SPLIT_KEY, None),
    Named.LOCATE: (Operation.LOCATE, None),
    Named.REGISTER: (Operation.REGISTER, None),
    Named.RE_KEY: (Operation.RE_KEY, None),
    Named.RE_CERTIFY: (Operation.RE_CERTIFY, None),
    Named.RE_KEY_KEY_PAIR: (Operation.RE_KEY_KEY_PAIR, None),
    Named.RE_KEY_KEY_PAIR_PRIVATE_KEY: (Operation.RE_KEY_KEY_PAIR, _PRIVATE),
    Named.RE_KEY_KEY_PAIR_PUBLIC_KEY: (Operation.RE_KEY_KEY_PAIR, _PUBLIC),
}


@dataclass(frozen=True, slots=True)
class Answered:
    """What the items so far have answered. Never changes; `and_then` gives the next one."""

    identifiers: tuple[str, ...] = ()
    by_operation: Mapping[Operation, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    def and_then(self, operation: Operation, response: Any) -> Answered:
        """With the Unique Identifiers of one more answer."""
        given = {name: _several(getattr(response, name, None)) for name in _FIELDS}
        here = tuple(each for name in _FIELDS for each in given[name])
        return Answered(self.identifiers + here, {**self.by_operation, operation: given})

    def named(self, reference: Named | NthIdentifier) -> str:
        """The Unique Identifier that a reference stands for.

        Raises ObjectNotFound where no earlier item answered it, InvalidField where it stands for several.
        """
        if isinstance(reference, NthIdentifier):
            return self._nth(reference.number)
        operation, name = _NAMED[reference]
        given = self.by_operation.get(operation, {})
        found = [each for key in _FIELDS if name in (None, key) for each in given.get(key, ())]
        if not found:
            raise ObjectNotFound(f"no earlier item of the batch has answered for {reference.title}")
        if len(found) > 1:
            raise InvalidField(f"{reference.title} stands for {len(found)} objects here; name them one by one")
        return found[0]

    def _nth(self, number: int) -> str:
        """From 0 at the beginning of the response, negative ones back from this item."""
        if not -len(self.identifiers) <= number < len(self.identifiers):
            raise ObjectNotFound(f"the response has no Unique Identifier number {number} before this item")
        return self.identifiers[number]


def _several(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
