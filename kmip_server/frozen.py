"""Frozen records that a request makes by the dozen.

Strategy: `dataclass(frozen=True)` sets every field through a call, which makes such an object three times as dear
as an ordinary one. Here the type checker, which sees every line, is who forbids assigning; at run time the fields
are ordinary slots.
"""

from __future__ import annotations

import dataclasses
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def frozen(cls: type[T]) -> type[T]:
    """A slotted, keyword-only dataclass, equal and hashed by its fields; frozen to the type checker."""
    return dataclasses.dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
