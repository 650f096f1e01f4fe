"""Changes to messages that leave them messages: random bytes seldom get past the first length.

Strategy: the bytes are taken apart into items, a few items are changed, and all of it is put together with the right
lengths; most often the Batch Count is made right too. What does not come apart, and one change in eight, is left to the
fuzzer's own way with bytes. All chance comes from the seed that is given, so that a run can be had again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from kmip_server.errors import CodecError
from kmip_server.protocol import enums, ttlv
from kmip_server.protocol.enums import ItemType
from kmip_server.protocol.registered import Registered
from kmip_server.protocol.tags import Tag

Node = list[Any]
"""An item that can be changed: [tag, Item Type, value]; a structure's value is a list of nodes."""
RawMutation = Callable[[bytes, int], bytes]

_TAGS = [int(tag) for tag in Tag]
_TYPES = [int(each) for each in ItemType]
_ENUMERATIONS: dict[int, list[int]] = {
    int(getattr(Tag, _name)): [int(member) for member in _cls]
    for _cls in vars(enums).values()
    if isinstance(_cls, type) and issubclass(_cls, Registered)
    for _name in [next((t.name for t in Tag if t.name.replace("_", "") == _cls.__name__.upper()), "")]
    if _name
}
_TEXTS = ["", "a", "x-a", "aes", "new", "counted", "hmac", "private", "public", "sensitive", "elses", "secret"]
_TEXTS += ["\x00", "é\U0001f511", "a" * 300, "%s{0}", "' OR 1=1 --", "-1", "1e999", *(tag.title for tag in Tag)]
_INTEGERS = [0, 1, 2, 3, 7, 8, 12, 16, 64, 128, 255, 256, 1024, 65535, (1 << 31) - 1, -1, -(1 << 31)]
_LONGS = [*_INTEGERS, 1 << 32, (1 << 63) - 1, -(1 << 63), 1_700_000_000, 253_402_300_800]
_LENGTHS = [0, 1, 8, 12, 15, 16, 17, 24, 32, 64, 128, 300]


class Mutation:
    """One change of a few items, by one seed."""

    def __init__(self, seed: int, pool: Sequence[bytes]) -> None:
        """`pool`: whole inputs from which items may be taken."""
        self._random = random.Random(seed)
        self._pool = pool

    def apply(self, data: bytes, max_size: int, raw: RawMutation) -> bytes:
        """The changed input; by `raw` where it is none of items, or would be too long."""
        items = _apart(data)
        if items is None or self._random.randrange(8) == 0:
            return raw(data, max_size)
        for _ in range(self._random.choice((1, 1, 1, 2, 3, 5))):
            self._change(items)
        if self._random.randrange(8):
            _count(items)
        made = b"".join(ttlv.encode(_frozen(each)) for each in items)
        return made if len(made) <= max_size else raw(data, max_size)

    def _change(self, items: list[Node]) -> None:
        lists = _lists(items)
        siblings = self._random.choice(lists)
        if not siblings:
            siblings.append(self._foreign())
            return
        at = self._random.randrange(len(siblings))
        node, choose = siblings[at], self._random.choice
        match self._random.randrange(12):
            case 0:
                del siblings[at]
            case 1:
                siblings.insert(at, _copy(node))
            case 2:
                siblings.insert(self._random.randrange(len(siblings)), siblings.pop(at))
            case 3:
                siblings[at] = self._foreign()
            case 4:
                siblings.insert(at, self._foreign())
            case 5:
                other = choose(lists)
                if other:
                    siblings[at] = _copy(choose(other))
            case 6:
                node[0] = choose(_TAGS)
            case 7:
                node[1] = choose(_TYPES)
                node[2] = self._value(node[0], node[1])
            case 8 if node[1] == ttlv.STRUCTURE:
                siblings[at] = [choose((node[0], choose(_TAGS))), ttlv.STRUCTURE, [node]]
            case _:
                if node[1] == ttlv.STRUCTURE:
                    self._change(node[2])
                else:
                    node[2] = self._value(node[0], node[1], node[2])

    def _foreign(self) -> Node:
        """An item of another input, or one that was made up."""
        items = _apart(self._random.choice(self._pool)) if self._pool else None
        if items is None or self._random.randrange(4) == 0:
            tag, kind = self._random.choice(_TAGS), self._random.choice(_TYPES)
            return [tag, kind, self._value(tag, kind)]
        return _copy(self._random.choice(self._random.choice([each for each in _lists(items) if each])))

    def _value(self, tag: int, kind: int, old: Any = None) -> Any:
        choose = self._random.choice
        if kind == ttlv.STRUCTURE:
            return []
        if kind == ttlv.BOOLEAN:
            return choose((True, False))
        if kind == ttlv.TEXT_STRING:
            return choose(_TEXTS)
        if kind == ttlv.BYTE_STRING:
            if isinstance(old, bytes) and old and self._random.randrange(2):
                changed = bytearray(old)
                changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
                return bytes(changed[: choose((len(changed), self._random.randrange(len(changed)), len(changed)))])
            return self._random.randbytes(choose(_LENGTHS))
        if kind == ttlv.ENUMERATION:
            known = _ENUMERATIONS.get(tag) or choose(list(_ENUMERATIONS.values()))
            return choose((choose(known), choose(known), self._random.randrange(64), 0xFFFFFFFF))
        if kind == ttlv.INTERVAL:
            return choose(_INTEGERS) & 0xFFFFFFFF
        if kind == ttlv.INTEGER:
            near = (old if isinstance(old, int) else 0) + choose((-1, 1))
            value = choose((choose(_INTEGERS), near, 1 << self._random.randrange(31)))
            return max(-(1 << 31), min(value, (1 << 31) - 1))
        if kind == ttlv.BIG_INTEGER:
            return choose(_LONGS) * choose((1, 1 << 70))
        return choose(_LONGS)


def _apart(data: bytes) -> list[Node] | None:
    """The items that stand one after the other; None where it is anything else."""
    items, at = [], 0
    while at < len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        end += -(end - at) & 7
        try:
            items.append(_node(ttlv.decode(data[at:end])))
        except CodecError:
            return None
        at = end
    return items or None


def _node(item: ttlv.Item) -> Node:
    tag, kind, value = item
    return [tag, kind, [_node(each) for each in value] if kind == ttlv.STRUCTURE else value]


def _frozen(node: Node) -> ttlv.Item:
    tag, kind, value = node
    return tag, kind, [_frozen(each) for each in value] if kind == ttlv.STRUCTURE else value


def _copy(node: Node) -> Node:
    return _node(_frozen(node))


def _lists(items: list[Node]) -> list[list[Node]]:
    """The items, and those of every structure among them."""
    found = [items]
    for _, kind, value in items:
        if kind == ttlv.STRUCTURE:
            found += _lists(value)
    return found


def _count(items: list[Node]) -> None:
    """Make the Batch Count of each message what it is."""
    for tag, kind, fields in items:
        if tag != Tag.REQUEST_MESSAGE or kind != ttlv.STRUCTURE:
            continue
        for inner in _lists(fields):
            for each in inner:
                if each[0] == Tag.BATCH_COUNT and each[1] == ttlv.INTEGER:
                    each[2] = sum(field[0] == Tag.BATCH_ITEM for field in fields)
