"""A conversation as it may leave the house: without key material, credentials and names.

Strategy: what is secret, or tells whose it is, gives way to something of the same length, and the same always to
the same, so that what was equal stays equal. Byte strings and text are replaced wherever they stand, but for the
few that are the protocol's own: whatever a vendor may have put somewhere is replaced too. What an answer was the
first to say becomes a placeholder, which later requests use. Numbers, dates, enumerations, masks and the names of
attributes stay: they are what makes a client behave as it does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from xml.etree.ElementTree import Element

from kmip_server.conversation.script import Conversation, Exchange, written
from kmip_server.errors import CodecError
from kmip_server.protocol import ttlv
from kmip_server.protocol.attributes import BY_NAME
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.ttlv_xml import to_element

_KEPT_BYTES = frozenset({Tag.UNIQUE_BATCH_ITEM_ID})
_KEPT_TEXT = frozenset({Tag.APPLICATION_NAMESPACE, Tag.ATTRIBUTE_NAME})
_KEPT_BEGINNINGS = ("x-", "y-", "LIBRARY-")
"""Names that makers give, by which a client is known: of custom attributes and of tape libraries."""
_ANY = frozenset({Tag.RESULT_MESSAGE, Tag.VENDOR_IDENTIFICATION, Tag.SERVER_INFORMATION, Tag.SERVER_NAME})
"""What a server says of itself: any will do."""
_CREDENTIALS = {Tag.USERNAME: "$USERNAME", Tag.PASSWORD: "$PASSWORD"}
_FAR_SECONDS = 400 * 86_400
"""A date within so long of now is told by its distance; others mean something by themselves."""


class Redactor:
    """Of one recording: what a value was replaced by, it is replaced by again."""

    def __init__(self) -> None:
        self._replaced: dict[bytes | str, str] = {}
        self._counts: dict[str, int] = {}

    def exchange(self, request: bytes, answer: bytes | None, now: int, begins_connection: bool) -> Exchange:
        """`now`: seconds since 1970, when it was. Raises CodecError for bytes that are no message."""
        asked = self._element(ttlv.decode(request), now, is_answer=False)
        told = None if answer is None else self._element(ttlv.decode(answer), now, is_answer=True)
        return Exchange(asked, told, begins_connection)

    def _element(self, item: Item, now: int, *, is_answer: bool) -> Element:
        element = to_element(_shape(item))
        self._fill(element, item, now, is_answer)
        return element

    def _fill(self, element: Element, item: Item, now: int, is_answer: bool) -> None:
        tag, kind, value = item
        if kind == ttlv.STRUCTURE:
            for child, inside in zip(element, value, strict=True):
                self._fill(child, inside, now, is_answer)
        elif kind == ttlv.TEXT_STRING:
            element.set("value", self._text(tag, value, is_answer))
        elif kind == ttlv.BYTE_STRING and tag not in _KEPT_BYTES:
            element.set("value", self._replacement(value, is_answer, "BYTES", self._other_bytes))
        elif kind == ttlv.BIG_INTEGER:
            raw = ttlv.big_integer_bytes(value)
            element.set("value", self._replacement(raw, is_answer, "NUMBER", self._other_bytes))
        elif kind == ttlv.DATE_TIME:
            element.set("value", _date(value, now, element.get("value", ""), is_answer))

    def _text(self, tag: int, value: str, is_answer: bool) -> str:
        if tag in _CREDENTIALS:
            return _CREDENTIALS[Tag.of(tag)]
        if is_answer and tag in _ANY:
            return "*"
        is_makers = tag in _KEPT_TEXT and value.startswith(_KEPT_BEGINNINGS) and value.isprintable()
        if is_makers or value in BY_NAME or value in ("", "default"):
            return value
        kind = "KEY" if tag == Tag.UNIQUE_IDENTIFIER else "TEXT"
        return self._replacement(value, is_answer, kind, self._other_text)

    def _replacement(self, value: Any, is_answer: bool, kind: str, other: Callable[[Any], str]) -> str:
        known = self._replaced.get(value)
        if known is None:
            known = self._numbered(f"${kind}_") if is_answer else other(value)
            self._replaced[value] = known
        return known

    def _numbered(self, prefix: str) -> str:
        self._counts[prefix] = self._counts.get(prefix, 0) + 1
        return f"{prefix}{self._counts[prefix]}"

    def _other_bytes(self, value: bytes) -> str:
        """As many, made of nothing but how many values came before."""
        seed = self._numbered("bytes-").encode()
        stream = b"".join(hashlib.sha256(b"%s %d" % (seed, n)).digest() for n in range(len(value) // 32 + 1))
        return stream[: len(value)].hex()

    def _other_text(self, value: str) -> str:
        """As long as it was, where that is long enough to tell it from others."""
        other = self._numbered("text-")
        return other + "." * (len(value) - len(other))


def _shape(item: Item) -> Item:
    """The item without what is replaced: text that XML could not write is never written."""
    tag, kind, value = item
    if kind == ttlv.STRUCTURE:
        return tag, kind, [_shape(child) for child in value]
    if kind == ttlv.TEXT_STRING and not (tag == Tag.ATTRIBUTE_NAME and value in BY_NAME):
        return tag, kind, ""
    return item


def _date(value: int, now: int, written: str, is_answer: bool) -> str:
    if is_answer:
        return "$NOW"
    distance = value - now
    return f"$NOW{distance:+d}" if abs(distance) < _FAR_SECONDS else written


def recorded(rows: Sequence[Mapping[str, Any]]) -> str:
    """The file of what was recorded (`transport/recording.py`), in the order in which it came. Where several
    connections were open, each change from one to another begins a new one."""
    redactor = Redactor()
    conversation = Conversation(client="", evidence="recorded", source="recorded by a server")
    connection: Any = None
    for row in sorted(rows, key=lambda row: float(row["at"])):
        answer = None if row["answer"] is None else bytes.fromhex(row["answer"])
        begins, connection = row["connection"] != connection, row["connection"]
        with suppress(CodecError):  # what is no message tells nothing of a client
            conversation.exchanges.append(
                redactor.exchange(bytes.fromhex(row["request"]), answer, int(row["now"]), begins)
            )
    return written(conversation)
