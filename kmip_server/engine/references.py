"""How an item of a batch names what earlier items answered. KMIP 2.1 sections 4.58, 7.9, 11.13 and 11.58.

Strategy: after each item of a 2.x batch the Unique Identifiers and the Data of its answer are kept in their order,
and by operation, the latest alone. A reference is looked up there when its item's turn comes; one that names
nothing, or more than one object, is refused, because nobody could tell which object was meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kmip_server.errors import InvalidField, ObjectNotFound
from kmip_server.protocol.enums import DataEnumeration, Operation
from kmip_server.protocol.enums import UniqueIdentifierEnumeration as Named
from kmip_server.protocol.schema import NthData, NthIdentifier

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


_DATA_FIELDS = ("data", "mac_data", "signature_data")
_NAMED_DATA: dict[DataEnumeration, tuple[Operation, str]] = {
    DataEnumeration.DECRYPT: (Operation.DECRYPT, "data"),
    DataEnumeration.ENCRYPT: (Operation.ENCRYPT, "data"),
    DataEnumeration.HASH: (Operation.HASH, "data"),
    DataEnumeration.MAC_MAC_DATA: (Operation.MAC, "mac_data"),
    DataEnumeration.RNG_RETRIEVE: (Operation.RNG_RETRIEVE, "data"),
    DataEnumeration.SIGN_SIGNATURE_DATA: (Operation.SIGN, "signature_data"),
    DataEnumeration.SIGNATURE_VERIFY: (Operation.SIGNATURE_VERIFY, "data"),
}


@dataclass(frozen=True, slots=True)
class Answered:
    """What the items so far have answered. Never changes; `and_then` gives the next one."""

    identifiers: tuple[str, ...] = ()
    data: tuple[bytes, ...] = field(default=(), repr=False)
    data_by_operation: Mapping[tuple[Operation, str], bytes] = field(default_factory=dict, repr=False)
    by_operation: Mapping[Operation, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    def and_then(self, operation: Operation, response: Any) -> Answered:
        """With the Unique Identifiers of one more answer."""
        given = {name: _several(getattr(response, name, None)) for name in _FIELDS}
        here = tuple(each for name in _FIELDS for each in given[name])
        put_out = {(operation, name): getattr(response, name, None) for name in _DATA_FIELDS}
        data = {key: value for key, value in put_out.items() if isinstance(value, bytes)}
        return Answered(
            identifiers=self.identifiers + here,
            data=(*self.data, *data.values()),
            data_by_operation={**self.data_by_operation, **data},
            by_operation={**self.by_operation, operation: given},
        )

    def named_data(self, reference: DataEnumeration | NthData) -> bytes:
        """The Data that a reference stands for. Raises InvalidField where no earlier item has put it out."""
        if isinstance(reference, NthData):
            if -len(self.data) <= reference.number < len(self.data):
                return self.data[reference.number]
        elif _NAMED_DATA[reference] in self.data_by_operation:
            return self.data_by_operation[_NAMED_DATA[reference]]
        raise InvalidField("no earlier item of the batch has put out the Data that is referred to")

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
