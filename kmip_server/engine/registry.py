"""Operation -> function and first version. Query and the documents are answered from here too.

Strategy: where the standard describes an operation is said once, at the end of the docstring of the function that
performs it; `section` is read from there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from kmip_server.engine.context import Context
from kmip_server.protocol.enums import Operation
from kmip_server.protocol.payloads import PAYLOADS
from kmip_server.protocol.versions import Version

Perform = Callable[[Context, Any], Any]
F = TypeVar("F", bound=Perform)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How one operation is performed."""

    operation: Operation
    perform: Perform
    since: Version
    request: type
    response: type
    section: str
    """Where the standard describes it: "KMIP 1.4 §4.1; KMIP 2.1 §6.1.8"."""


_REGISTRY: dict[int, Registration] = {}
_SECTION = re.compile(r"KMIP \d\.\d §[\d.]*\d(; KMIP \d\.\d §[\d.]*\d)*(?=\.$)")


def operation(operation: Operation) -> Callable[[F], F]:
    """Register the function below as what performs `operation`, from the version that introduced it."""

    def register(perform: F) -> F:
        row = PAYLOADS[operation]
        _REGISTRY[operation] = Registration(
            operation=operation,
            perform=perform,
            since=operation.since,
            request=row.request,
            response=row.response,
            section=_section(perform.__doc__ or ""),
        )
        return perform

    return register


def _section(docstring: str) -> str:
    found = _SECTION.search(" ".join(docstring.split()))
    return found[0] if found else ""


def find(value: int, version: Version) -> Registration | None:
    """The operation with this enumeration value, if it is served in this version."""
    registration = _REGISTRY.get(value)
    return registration if registration is not None and registration.since <= version else None


def served(version: Version) -> list[Operation]:
    """The operations served in a version, by value."""
    return [Operation.of(v) for v in sorted(_REGISTRY) if _REGISTRY[v].since <= version]


def registrations() -> list[Registration]:
    """Every operation, by value."""
    return [_REGISTRY[value] for value in sorted(_REGISTRY)]
