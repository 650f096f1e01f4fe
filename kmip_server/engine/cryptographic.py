"""What every operation that uses a key does first and last. KMIP 1.4 sections 4.29-4.34.

Strategy: each operation (`encrypt.py`, `sign.py`, `mac.py`) opens the key (permission, State, dates), requires its
usage mask, settles the Cryptographic Parameters, debits the Usage Limits, and hands bytes to `crypto/`. The debit
is part of the unit of work, so the answer leaves only if it is durable. What the request leaves open comes from the
key's own first Cryptographic Parameters, as the standard says, and from nowhere else. Each can be done in several
parts (`parts.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kmip_server.engine import key_formats
from kmip_server.engine.context import Context, Found
from kmip_server.engine.parts import Part, part_of
from kmip_server.errors import (
    BadCryptographicParameters,
    IncompatibleCryptographicUsageMask,
    InvalidObjectType,
    MissingData,
    UsageLimitExceeded,
)
from kmip_server.protocol.attribute_values import CryptographicParameters, UsageLimits
from kmip_server.protocol.enums import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
    Operation,
    UsageLimitsUnit,
    ValidityIndicator,
)
from kmip_server.protocol.tags import Tag


@dataclass(frozen=True, slots=True)
class UsableKey:
    """A key opened for one use: its bytes, and the parameters to use it with."""

    found: Found
    algorithm: CryptographicAlgorithm
    key: bytes
    key_format_type: KeyFormatType
    parameters: CryptographicParameters

    def __repr__(self) -> str:
        return f"UsableKey({self.found.unique_identifier})"


def opened(
    context: Context,
    request: Any,
    operation: Operation,
    needed: CryptographicUsageMask,
    object_types: frozenset[ObjectType],
) -> tuple[Part, UsableKey]:
    """Which part of an operation the request is, and the key for it.

    The part comes first: a stream whose key can no longer be used ends. Raises as `part_of`
    and `Context.open`, InvalidObjectType, IncompatibleCryptographicUsageMask, and as `usable`.
    """
    identifier = request.unique_identifier if request.unique_identifier is not None else context.id_placeholder
    part = part_of(context, request, operation, identifier)
    return part, _usable(context, request, operation, needed, object_types)


def _usable(
    context: Context,
    request: Any,
    operation: Operation,
    needed: CryptographicUsageMask,
    object_types: frozenset[ObjectType],
) -> UsableKey:
    found = context.open(request.unique_identifier, operation)
    if found.object_type not in object_types:
        raise InvalidObjectType(f"{operation.title} does not work with a {found.object_type.title}")
    mask = found.attributes.one(Tag.CRYPTOGRAPHIC_USAGE_MASK) or CryptographicUsageMask(0)
    if not mask & needed:
        raise IncompatibleCryptographicUsageMask(f"the Cryptographic Usage Mask does not allow {operation.title}")
    return usable(found, request.cryptographic_parameters)


def usable(found: Found, given: CryptographicParameters | None) -> UsableKey:
    """The bytes of a key that has been opened, with the parameters given, else its own.

    Raises InvalidObjectType for an object without algorithm, and what `material.key_material` raises.
    """
    parameters = _parameters(found, given)
    algorithm = found.attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM)
    if algorithm is None:
        raise InvalidObjectType("the object has no Cryptographic Algorithm")
    key, key_format_type = key_formats.usable(found.material(), found.attributes)
    return UsableKey(found, algorithm, key, key_format_type, parameters)


def _parameters(found: Found, given: CryptographicParameters | None) -> CryptographicParameters:
    """What the request says; else the key's first Cryptographic Parameters (KMIP 1.4 §4.29)."""
    if given is not None and any(value is not None for value in _values(given)):
        return given
    present: CryptographicParameters | None = found.attributes.one(Tag.CRYPTOGRAPHIC_PARAMETERS)
    return present or CryptographicParameters()


def _values(parameters: CryptographicParameters) -> list[Any]:
    return [getattr(parameters, field.name) for field in dataclasses.fields(parameters)]


class Claim:
    """The MAC or signature that is to be verified: it comes with any of several parts."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._value: bytes | None = None

    def take(self, value: bytes | None) -> None:
        """What one part says of it. Raises BadCryptographicParameters where another has said otherwise."""
        if value is not None:
            if self._value not in (None, value):
                raise BadCryptographicParameters("a later part contradicts the first")
            self._value = value

    def validity(self, last: bool, holds: Callable[[bytes], bool]) -> ValidityIndicator:
        """Unknown until the last part. Raises MissingData where none has brought it."""
        if not last:
            return ValidityIndicator.UNKNOWN
        return indicator(holds(required(self._value, self._title)))


def required(data: bytes | None, title: str = "Data") -> bytes:
    if data is None:
        raise MissingData(f"{title} must be given")
    return data


def debit(context: Context, found: Found, size: int, *, first: bool = True) -> None:
    """Take `size` bytes, or one use, off the Usage Limits. Raises UsageLimitExceeded. KMIP 1.4 §3.21.

    An operation in several parts is one use, counted with its `first`; bytes are counted as they come.
    """
    limits: UsageLimits | None = found.attributes.one(Tag.USAGE_LIMITS)
    if limits is None:
        return
    amount = size if limits.usage_limits_unit == UsageLimitsUnit.BYTE else int(first)
    left = (limits.usage_limits_count or 0) - amount
    if left < 0:
        raise UsageLimitExceeded("the Usage Limits of the key are spent")
    attributes = found.attributes.with_value(Tag.USAGE_LIMITS, replace(limits, usage_limits_count=left))
    context.save(found, attributes, silently=True)


def indicator(valid: bool) -> ValidityIndicator:
    """How a verification is told."""
    return ValidityIndicator.VALID if valid else ValidityIndicator.INVALID
