"""Which worker a message is for, told from its bytes before anybody has read them.

Strategy: an operation in several parts lives in the process that began it, and its Correlation Value names that
process (`engine/streams.py`). An ordinary message costs one search of its bytes, which finds nothing. Where it
finds something, the headers of the items are walked down to the first Correlation Value of a Request Payload:
what only looks like one, in data to be encrypted, leads nobody astray. The walk is bounded; what is beyond it
is answered where it came, as every worker can answer everything, and knows only its own operations.
"""

from __future__ import annotations

from collections.abc import Iterator

from kmip_server.engine.streams import VALUE_LENGTH, worker_of
from kmip_server.protocol import ttlv
from kmip_server.protocol.tags import Tag

MAX_ITEMS = 500
"""Headers that are looked at: a part of an operation stands among the first twenty."""
_HEADER = 8


def _type(tag: Tag, kind: int) -> bytes:
    return tag.to_bytes(3, "big") + bytes([kind])


_BATCH_ITEM = _type(Tag.BATCH_ITEM, ttlv.STRUCTURE)
_PAYLOAD = _type(Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE)
_VALUE = _type(Tag.CORRELATION_VALUE, ttlv.BYTE_STRING)
_WHOLE_HEADER = _VALUE + VALUE_LENGTH.to_bytes(4, "big")


def addressee(message: bytes) -> int | None:
    """The worker's number that the message's first Correlation Value names; None where there is none of ours."""
    if _WHOLE_HEADER not in message:
        return None
    turns = iter(range(MAX_ITEMS))
    for item, begin, end in _items(message, _HEADER, len(message), turns):
        if item != _BATCH_ITEM:
            continue
        for part, first, last in _items(message, begin, end, turns):
            if part != _PAYLOAD:
                continue
            for field, at, to in _items(message, first, last, turns):
                if field == _VALUE:
                    return worker_of(message[at:to])
    return None


def _items(message: bytes, at: int, end: int, turns: Iterator[int]) -> Iterator[tuple[bytes, int, int]]:
    """Tag and type of each item, and where its value begins and ends, while there are turns."""
    while at + _HEADER <= end and next(turns, None) is not None:
        length = int.from_bytes(message[at + 4 : at + _HEADER], "big")
        yield message[at : at + 4], at + _HEADER, min(at + _HEADER + length, end)
        at += _HEADER + length + (-length & 7)
