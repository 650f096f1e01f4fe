"""Counting an attribute up and down: the arithmetic of Adjust Attribute. KMIP 2.1 sections 6.1.3 and 11.1.

Strategy: an Item Type has a range and knows which adjustments it can take; everything else is refused.
"""

from __future__ import annotations

from typing import Any

from kmip_server.errors import AttributeNotFound, InvalidDataType, NumericRange
from kmip_server.protocol.attribute_set import AttributeKey
from kmip_server.protocol.attribute_values import CustomValue
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.enums import AdjustmentType, ItemType
from kmip_server.protocol.schema import item_type
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item

_T = ItemType
# The smallest and the largest value of each Item Type that counts. A Big Integer is bounded too: by what a
# client could send.
_RANGES: dict[ItemType, tuple[int, int]] = {
    _T.INTEGER: (-(1 << 31), (1 << 31) - 1),
    _T.LONG_INTEGER: (-(1 << 63), (1 << 63) - 1),
    _T.BIG_INTEGER: (-(1 << 65536), 1 << 65536),
    _T.INTERVAL: (0, (1 << 32) - 1),
    _T.DATE_TIME: (-(1 << 63), (1 << 63) - 1),
    _T.DATE_TIME_EXTENDED: (-(1 << 63), (1 << 63) - 1),
}
_NEGATED = frozenset({_T.INTEGER, _T.LONG_INTEGER, _T.BIG_INTEGER})
_SIGNS = {AdjustmentType.INCREMENT: 1, AdjustmentType.DECREMENT: -1}


def adjusted(key: AttributeKey, value: Any, adjustment: AdjustmentType, amount: Item | None) -> Any:
    """The value after the adjustment. `value` is None where the object has no such attribute yet.

    Raises InvalidDataType for an attribute, or an amount, that cannot be counted with, NumericRange, and
    AttributeNotFound for a vendor's attribute that is not there: nobody knows its type.
    """
    if isinstance(value, CustomValue):
        return CustomValue(value.type, _adjusted(value.type, value.value, adjustment, amount))
    if not isinstance(key, Tag):
        raise AttributeNotFound(f"the object has no {key.title}")
    return _adjusted(item_type(ATTRIBUTES[key].kind), value, adjustment, amount)


def _adjusted(kind: ItemType, value: Any, adjustment: AdjustmentType, amount: Item | None) -> Any:
    if kind == _T.BOOLEAN:
        if adjustment != AdjustmentType.NEGATE or amount is not None:
            raise InvalidDataType("a Boolean can be negated, and takes no Adjustment Value")
        return not value
    if kind not in _RANGES:
        raise InvalidDataType(f"a {kind.title} cannot be adjusted")
    if adjustment == AdjustmentType.NEGATE:
        if kind not in _NEGATED or amount is not None:
            raise InvalidDataType("Integers can be negated, and take no Adjustment Value then")
        counted = -(value or 0)
    else:
        counted = (value or 0) + _SIGNS[adjustment] * _amount(kind, amount)
    smallest, largest = _RANGES[kind]
    if not smallest <= counted <= largest:
        raise NumericRange(f"the value would not be one of a {kind.title} any more")
    return counted


def _amount(kind: ItemType, amount: Item | None) -> int:
    """How much: 1 where nothing is said, which is a second or a microsecond for dates."""
    if amount is None:
        return 1
    _, given, value = amount
    seconds = kind in (_T.DATE_TIME, _T.DATE_TIME_EXTENDED) and given == _T.INTERVAL
    if given != kind and not seconds:
        raise InvalidDataType(f"the Adjustment Value must be of type {kind.title}")
    number: int = value
    return number * 1_000_000 if seconds and kind == _T.DATE_TIME_EXTENDED else number
