"""What is fuzzed, and what must hold whatever comes.

Strategy: a target takes any bytes and raises only for a finding. Bytes make a message or a typed error; a message makes
an answer that its version can read; where every item failed, the store is what it was. Whatever the server logs as an
error of its own is a finding too: nothing that a client sends may be one.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from kmip_server.engine import operations as _operations  # noqa: F401 - declares every payload
from kmip_server.engine import registry
from kmip_server.errors import CodecError, KmipError, MissingData, NotInVersion
from kmip_server.protocol import ttlv
from kmip_server.protocol.codec import compile_plans, decode_structure, encode_structure
from kmip_server.protocol.enums import CryptographicAlgorithm, Operation, ResultReason, ResultStatus
from kmip_server.protocol.framing import HEADER, Framer, FramingError
from kmip_server.protocol.messages import MalformedMessage, decode_request
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import SERVED, Version
from tests.fuzz.world import SENSITIVE, SOMEBODY_ELSES, World
from tests.support.engine import child, children

MAX_MESSAGE_BYTES = 4096
MAX_MESSAGES = 8
"""In one conversation."""


class Finding(AssertionError):
    """Something that must hold does not."""


def require(holds: object, message: str) -> None:
    if not holds:
        raise Finding(message)


# --- framing ------------------------------------------------------------------------------------


def _framed(parts: Iterator[bytes]) -> tuple[list[bytes], bytes | None]:
    """The messages in these parts, and the first bytes of what is none."""
    framer, found = Framer(MAX_MESSAGE_BYTES), []
    for part in parts:
        try:
            found += framer.feed(part)
        except FramingError as error:
            return found + error.before, error.prefix
        require(framer.buffered <= HEADER + MAX_MESSAGE_BYTES, "more is kept than one message")
    return found, None


def framing(data: bytes) -> None:
    """However a stream is cut, the same messages come out, and what is none is found at the same place."""
    if not data:
        return
    size, stream = data[0] + 1, data[1:]
    whole, wrong = _framed(iter([stream]))
    cut, cut_wrong = _framed(stream[at : at + size] for at in range(0, len(stream), size))
    require(cut == whole, "the cut changes the messages")
    require((wrong is None) == (cut_wrong is None), "the cut changes the refusal")
    require(stream.startswith(b"".join(whole)), "a message is not what was sent")
    if wrong is not None:
        require(stream[sum(map(len, whole)) :].startswith(wrong), "the prefix is not what was sent")


# --- TTLV ---------------------------------------------------------------------------------------


def _depth(item: Item) -> int:
    return 1 + max(map(_depth, item[2]), default=0) if item[1] == ttlv.STRUCTURE else 0


def decode(data: bytes) -> None:
    """An item or a CodecError, no deeper than allowed; and what decodes encodes to the same bytes, or to fewer where a
    Big Integer has more bytes than it needs."""
    try:
        item = ttlv.decode(data)
    except CodecError:
        return
    require(_depth(item) <= ttlv.MAX_DEPTH + 1, "deeper than allowed")
    again = ttlv.encode(item)
    if len(again) < len(data) and _has(item, ttlv.BIG_INTEGER):
        require(ttlv.decode(again) == item, "a Big Integer is read otherwise")
    else:
        require(again == data, "there are two ways to write an item")


def _has(item: Item, kind: int) -> bool:
    return item[1] == kind or (item[1] == ttlv.STRUCTURE and any(_has(each, kind) for each in item[2]))


# --- typed --------------------------------------------------------------------------------------


def typed(data: bytes) -> None:
    """A Batch Item, as a request or an answer of every version: typed or refused; and what was typed is written in a way
    that is read the same."""
    try:
        item = ttlv.decode(data)
    except CodecError:
        return
    if item[0] == Tag.REQUEST_MESSAGE:
        try:
            decode_request(data, SERVED)
        except MalformedMessage as error:
            require(error.version in SERVED, "refused in a version that is not served")
        return
    if item[1] != ttlv.STRUCTURE:
        return
    operation = child(item, Tag.OPERATION)
    if type(operation) is not int:
        return
    for version in SERVED:
        registration = registry.find(operation, version)
        if registration is None:
            continue
        for tag, cls in (
            (Tag.REQUEST_PAYLOAD, registration.request),
            (Tag.RESPONSE_PAYLOAD, registration.response),
        ):
            for payload in children(item, tag):
                _typed(cls, payload, version)


def _typed(cls: type[Any], payload: Item, version: Version) -> None:
    try:
        value = decode_structure(cls, payload, version)
    except KmipError:
        return
    repr(value)
    if cls is LocateRequest:
        return  # Its conditions may be parts of values, which nobody writes.
    try:
        written = encode_structure(value, version)
    except NotInVersion:
        return  # A value of a later version was understood.
    try:
        again = decode_structure(cls, ttlv.decode(ttlv.encode(written)), version)
    except MissingData:
        return  # A field of a later version was understood, and is not written.
    except KmipError as error:
        raise Finding(f"KMIP {version} does not read what it writes") from error
    require(encode_structure(again, version) == written, f"KMIP {version} reads otherwise what it writes")


# --- conversations ------------------------------------------------------------------------------


class _Errors(logging.Handler):
    """What the server says is its own fault."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record)


@cache
def _world() -> tuple[World, _Errors]:
    folder = tempfile.TemporaryDirectory(prefix="kmip-fuzz-")
    world, errors = World(Path(folder.name)), _Errors()
    folder.cleanup()
    log = logging.getLogger("kmip_server")
    log.addHandler(errors)
    log.propagate = False
    return world, errors


def _item(tag: Tag, value: int) -> bytes:
    return ttlv.encode((tag, ttlv.ENUMERATION, value))


# Making one takes seconds: what is done with such pairs is tested elsewhere.
_SLOW_PAIRS = tuple(
    _item(tag, algorithm)
    for tag in (Tag.ATTRIBUTE_VALUE, Tag.CRYPTOGRAPHIC_ALGORITHM)
    for algorithm in (CryptographicAlgorithm.RSA, CryptographicAlgorithm.DSA, CryptographicAlgorithm.DH)
)
_MAKES_PAIRS = tuple(_item(Tag.OPERATION, each) for each in (Operation.CREATE_KEY_PAIR, Operation.RE_KEY_KEY_PAIR))


def conversation(data: bytes) -> None:
    """Messages of one client, one after the other: each has an answer that its version can read; where nothing succeeded,
    the store is unchanged; nothing is an internal error; and no key leaves that must not."""
    if any(each in data for each in _MAKES_PAIRS) and any(each in data for each in _SLOW_PAIRS):
        return
    try:
        messages = Framer(1 << 20).feed(data)
    except FramingError as error:
        messages = error.before
    world, errors = _world()
    world.begin()
    for message in messages[:MAX_MESSAGES]:
        before = world.content()
        errors.seen.clear()
        response = world.exchange(message)
        if errors.seen:
            record = errors.seen[0]
            raise Finding(record.getMessage()) from (record.exc_info[1] if record.exc_info else None)
        reply = ttlv.encode(response)
        require(SENSITIVE not in reply, "a Sensitive key has left")
        require(SOMEBODY_ELSES not in reply, "somebody else's key has left")
        succeeded = _check_response(message, response)
        require(succeeded or world.content() == before, "nothing succeeded, and the store has changed")


def _check_response(message: bytes, response: Item) -> bool:
    """Whether anything succeeded. Raises Finding for what the version of the request cannot read."""
    require(response[0] == Tag.RESPONSE_MESSAGE, "the answer is no Response Message")
    header, *items = response[2]
    require(header[0] == Tag.RESPONSE_HEADER, "the answer has no header")
    major, minor = (child(header, Tag.PROTOCOL_VERSION, each) for each in _NUMBERS)
    version = next((each for each in SERVED if (each.major, each.minor) == (major, minor)), None)
    if version is None:
        raise Finding(f"the answer is of KMIP {major}.{minor}")
    require(items, "an answer without items")
    require(child(header, Tag.BATCH_COUNT) == len(items), "Batch Count is not the number of items")
    try:
        request = decode_request(message, SERVED)
        require(request.version == version, "the answer is of another version")
        require(len(items) <= len(request.batch_items), "more answers than questions")
    except MalformedMessage:
        require(len(items) == 1, "several answers to what is no message")
    succeeded = [_check_item(item, version) for item in items]
    return any(succeeded)


_NUMBERS = (Tag.PROTOCOL_VERSION_MAJOR, Tag.PROTOCOL_VERSION_MINOR)


def _check_item(item: Item, version: Version) -> bool:
    require(item[0] == Tag.BATCH_ITEM, "an answer holds what is no Batch Item")
    _check_tags(item, version)
    status = ResultStatus.of(child(item, Tag.RESULT_STATUS))
    if status != ResultStatus.SUCCESS:
        reason = (
            ResultReason.of(child(item, Tag.RESULT_REASON)) if status == ResultStatus.OPERATION_FAILED else None
        )
        require(reason is None or reason.known_in(version), f"KMIP {version} does not know this Result Reason")
        return False
    registration = registry.find(child(item, Tag.OPERATION), version)
    if registration is None:
        raise Finding("an operation succeeded that the version does not have")
    (payload,) = children(item, Tag.RESPONSE_PAYLOAD)
    written = encode_structure(decode_structure(registration.response, payload, version), version)
    require(written == payload, f"KMIP {version} reads an answer otherwise")
    return True


def _check_tags(item: Item, version: Version) -> None:
    tag, kind, value = item
    row = Tag._value2member_map_.get(tag)
    require(not isinstance(row, Tag) or row.known_in(version), f"KMIP {version} does not know the tag 0x{tag:06X}")
    for inner in value if kind == ttlv.STRUCTURE else ():
        _check_tags(inner, version)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "framing": framing,
    "ttlv": decode,
    "typed": typed,
    "conversation": conversation,
}
compile_plans()
