"""An object's attributes, independent of any spelling.

Strategy: an `AttributeSet` never changes; every change is a new set. An instance keeps its index for life,
as 1.x demands (KMIP 1.4 §2.1.1): others coming and going do not renumber it. The keys are the standard's
tags, and for everything else `VendorAttribute`, which is the 2.x form: the 1.x name `x-Foo` is vendor `x`,
name `Foo`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from kmip_server.errors import TooManyInstances
from kmip_server.protocol.tags import Tag


class VendorAttribute(NamedTuple):
    """The key of an attribute that the standard does not define.

    An empty vendor is a 1.x name without x- or y-, which nobody can set, and which so matches nothing.
    """

    vendor_identification: str
    attribute_name: str

    @property
    def title(self) -> str:
        """The 1.x name."""
        vendor = self.vendor_identification
        return f"{vendor}-{self.attribute_name}" if vendor else self.attribute_name


AttributeKey = Tag | VendorAttribute


class Attribute(NamedTuple):
    """One instance. `index` is None where a client left it out."""

    key: AttributeKey
    index: int | None  # type: ignore[assignment]  # hides tuple.index
    value: Any


class AttributeSet:
    """Instances by key, immutable. Iteration gives `Attribute`s in the order in which keys were first set."""

    __slots__ = ("_instances", "as_stored")

    def __init__(self, attributes: Iterable[Attribute] = ()) -> None:
        """Attributes without an index get the next free one of their key. Raises TooManyInstances."""
        instances: dict[AttributeKey, tuple[Attribute, ...]] = {}
        for attribute in attributes:
            present = instances.get(attribute.key, ())
            if attribute.index is None:
                attribute = attribute._replace(index=_next_index(present))
            instances[attribute.key] = (*present, attribute)
        self._instances = instances
        self.as_stored: bytes | None = None
        """What `storage.to_storage` has made of it."""

    @classmethod
    def _of(cls, instances: dict[AttributeKey, tuple[Attribute, ...]]) -> AttributeSet:
        made = cls.__new__(cls)
        made._instances = instances
        made.as_stored = None
        return made

    def __iter__(self) -> Iterator[Attribute]:
        for instances in self._instances.values():
            yield from instances

    def count(self) -> int:
        """How many instances there are in all."""
        return sum(map(len, self._instances.values()))

    def __contains__(self, key: AttributeKey) -> bool:
        return key in self._instances

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AttributeSet) and self._instances == other._instances

    def __hash__(self) -> int:
        return hash(frozenset(self._instances.items()))

    def __repr__(self) -> str:
        return f"AttributeSet({', '.join(key.title for key in self._instances)})"

    def keys(self) -> tuple[AttributeKey, ...]:
        return tuple(self._instances)

    def instances(self, key: AttributeKey) -> tuple[Attribute, ...]:
        return self._instances.get(key, ())

    def one(self, key: AttributeKey) -> Any:
        """The value of the first instance, or None."""
        instances = self._instances.get(key)
        return instances[0].value if instances else None

    def all(self, key: AttributeKey) -> tuple[Any, ...]:
        """The values of every instance."""
        return tuple(attribute.value for attribute in self._instances.get(key, ()))

    def at(self, key: AttributeKey, index: int) -> Attribute | None:
        """The instance with this index."""
        return next((a for a in self._instances.get(key, ()) if a.index == index), None)

    def with_value(self, key: AttributeKey, value: Any) -> AttributeSet:
        """This set with `value` as the only instance of `key`; without the key where `value` is None."""
        if value is None:
            return self.without(key)
        return self._of({**self._instances, key: (Attribute(key, 0, value),)})

    def with_values(self, values: dict[Tag, Any]) -> AttributeSet:
        """As `with_value` for each, in one step."""
        instances: dict[AttributeKey, tuple[Attribute, ...]] = dict(self._instances)
        for key, value in values.items():
            if value is None:
                instances.pop(key, None)
            else:
                instances[key] = (Attribute(key, 0, value),)
        return self._of(instances)

    def with_all(self, other: AttributeSet) -> AttributeSet:
        """This set with the keys of `other` behind its own; its own prevail."""
        return self._of({**self._instances, **other._instances, **self._instances})

    def adding(self, key: AttributeKey, value: Any) -> AttributeSet:
        """This set with one more instance of `key`. Raises TooManyInstances."""
        present = self._instances.get(key, ())
        added = Attribute(key, _next_index(present), value)
        return self._of({**self._instances, key: (*present, added)})

    def replacing(self, key: AttributeKey, index: int, value: Any) -> AttributeSet:
        """This set with another value in the instance that has `index`."""
        changed = tuple(a._replace(value=value) if a.index == index else a for a in self._instances.get(key, ()))
        return self._of({**self._instances, key: changed})

    def without(self, key: AttributeKey, index: int | None = None) -> AttributeSet:
        """This set without the instance of `key` that has `index`, or without any."""
        kept = () if index is None else tuple(a for a in self.instances(key) if a.index != index)
        instances = {k: v for k, v in self._instances.items() if k != key or kept}
        if kept:
            instances[key] = kept
        return self._of(instances)


MAX_INDEX = 0x7FFFFFFF
"""Attribute Index is an Integer."""


def _next_index(present: tuple[Attribute, ...]) -> int:
    following = max((a.index for a in present if a.index is not None), default=-1) + 1
    if following > MAX_INDEX:
        raise TooManyInstances("an instance has the last Attribute Index there is; none follows it")
    return following
