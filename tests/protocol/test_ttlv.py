"""TTLV against the standard's own examples, and against everything that is not TTLV."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmip_server.errors import CodecError
from kmip_server.protocol import ttlv
from kmip_server.protocol.ttlv import Item

# KMIP 1.4 section 9.1.2: every example there, as it stands.
EXAMPLES = [
    ((0x420020, ttlv.INTEGER, 8), "42 00 20 02 00 00 00 04 00 00 00 08 00 00 00 00"),
    ((0x420020, ttlv.LONG_INTEGER, 123456789000000000), "42 00 20 03 00 00 00 08 01 B6 9B 4B A5 74 92 00"),
    (
        (0x420020, ttlv.BIG_INTEGER, 1234567890000000000000000000),
        "42 00 20 04 00 00 00 10 00 00 00 00 03 FD 35 EB 6B C2 DF 46 18 08 00 00",
    ),
    ((0x420020, ttlv.ENUMERATION, 255), "42 00 20 05 00 00 00 04 00 00 00 FF 00 00 00 00"),
    ((0x420020, ttlv.BOOLEAN, True), "42 00 20 06 00 00 00 08 00 00 00 00 00 00 00 01"),
    (
        (0x420020, ttlv.TEXT_STRING, "Hello World"),
        "42 00 20 07 00 00 00 0B 48 65 6C 6C 6F 20 57 6F 72 6C 64 00 00 00 00 00",
    ),
    ((0x420020, ttlv.BYTE_STRING, b"\x01\x02\x03"), "42 00 20 08 00 00 00 03 01 02 03 00 00 00 00 00"),
    ((0x420020, ttlv.DATE_TIME, 0x47DA67F8), "42 00 20 09 00 00 00 08 00 00 00 00 47 DA 67 F8"),
    ((0x420020, ttlv.INTERVAL, 864000), "42 00 20 0A 00 00 00 04 00 0D 2F 00 00 00 00 00"),
    (
        (0x420020, ttlv.STRUCTURE, [(0x420004, ttlv.ENUMERATION, 254), (0x420005, ttlv.INTEGER, 255)]),
        "42 00 20 01 00 00 00 20 42 00 04 05 00 00 00 04 00 00 00 FE 00 00 00 00"
        " 42 00 05 02 00 00 00 04 00 00 00 FF 00 00 00 00",
    ),
]


@pytest.mark.parametrize(("item", "text"), EXAMPLES, ids=[hex(item[1]) for item, _ in EXAMPLES])
def test_the_standards_examples(item: Item, text: str) -> None:
    data = bytes.fromhex(text)
    assert ttlv.encode(item) == data
    assert ttlv.decode(data) == item


MALFORMED = {
    "nothing": "",
    "cut in the header": "42 00 20 02 00 00",
    "cut in the value": "42 00 20 02 00 00 00 04 00 00 00 08",
    "something behind": "42 00 20 02 00 00 00 04 00 00 00 08 00 00 00 00 00",
    "a second item": "42 00 20 02 00 00 00 04 00 00 00 08 00 00 00 00" * 2,
    "padding": "42 00 20 02 00 00 00 04 00 00 00 08 00 00 00 01",
    "padding of text": "42 00 20 07 00 00 00 01 41 00 00 00 00 00 00 01",
    "an integer of 8": "42 00 20 02 00 00 00 08 00 00 00 08 00 00 00 00",
    "a long of 4": "42 00 20 03 00 00 00 04 00 00 00 08 00 00 00 00",
    "a big integer of 4": "42 00 20 04 00 00 00 04 00 00 00 08 00 00 00 00",
    "a big integer of 0": "42 00 20 04 00 00 00 00",
    "a boolean of 2": "42 00 20 06 00 00 00 08 00 00 00 00 00 00 00 02",
    "type 0": "42 00 20 00 00 00 00 04 00 00 00 08 00 00 00 00",
    "type 0C": "42 00 20 0C 00 00 00 08 00 00 00 08 00 00 00 00",
    "a tag of nobody": "41 00 20 02 00 00 00 04 00 00 00 08 00 00 00 00",
    "not UTF-8": "42 00 20 07 00 00 00 01 FF 00 00 00 00 00 00 00",
    "a child too long": "42 00 20 01 00 00 00 10 42 00 04 05 00 00 00 40 00 00 00 FE 00 00 00 00",
    "length of all ones": "42 00 20 08 FF FF FF FF 00 00 00 00 00 00 00 00",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(text: str) -> None:
    with pytest.raises(CodecError):
        ttlv.decode(bytes.fromhex(text))


def test_a_big_integer_may_be_longer_than_it_needs_to_be() -> None:
    """As of a client that writes every number of a key in as many bytes as the modulus has."""
    item = ttlv.decode(bytes.fromhex("42 00 52 04 00 00 00 10") + bytes(15) + b"\x05")
    assert item == (0x420052, ttlv.BIG_INTEGER, 5)
    assert len(ttlv.encode(item)) == 16


def test_nesting_is_bounded() -> None:
    def nested(depth: int) -> Item:
        item: Item = (0x420020, ttlv.INTEGER, 1)
        for _ in range(depth):
            item = (0x420020, ttlv.STRUCTURE, [item])
        return item

    assert ttlv.decode(ttlv.encode(nested(ttlv.MAX_DEPTH)))
    with pytest.raises(CodecError, match="deeply"):
        ttlv.decode(ttlv.encode(nested(ttlv.MAX_DEPTH + 1)))


_TAGS = st.integers(0x420001, 0x42FFFF) | st.integers(0x540000, 0x54FFFF)
_VALUES = {
    ttlv.INTEGER: st.integers(-(1 << 31), (1 << 31) - 1),
    ttlv.LONG_INTEGER: st.integers(-(1 << 63), (1 << 63) - 1),
    ttlv.BIG_INTEGER: st.integers(-(1 << 300), 1 << 300),
    ttlv.ENUMERATION: st.integers(0, (1 << 32) - 1),
    ttlv.BOOLEAN: st.booleans(),
    ttlv.TEXT_STRING: st.text(),
    ttlv.BYTE_STRING: st.binary(),
    ttlv.DATE_TIME: st.integers(-(1 << 63), (1 << 63) - 1),
    ttlv.INTERVAL: st.integers(0, (1 << 32) - 1),
    ttlv.DATE_TIME_EXTENDED: st.integers(-(1 << 63), (1 << 63) - 1),
}
_leaves = st.one_of(*(st.tuples(_TAGS, st.just(kind), value) for kind, value in _VALUES.items()))
_items = st.recursive(
    _leaves,
    lambda inner: st.tuples(_TAGS, st.just(ttlv.STRUCTURE), st.lists(inner, max_size=5)),
    max_leaves=20,
)


@given(_items)
def test_every_item_comes_back(item: Item) -> None:
    assert ttlv.decode(ttlv.encode(item)) == item


@given(st.binary(max_size=200))
def test_any_bytes_make_an_item_or_a_codec_error(data: bytes) -> None:
    try:
        item = ttlv.decode(data)
    except CodecError:
        return
    # There is one way to write an item: what decodes encodes to the same bytes.
    assert ttlv.encode(item) == data


@settings(max_examples=200)
@given(_items, st.data())
def test_a_changed_byte_makes_an_item_or_a_codec_error(item: Item, data: st.DataObject) -> None:
    changed = bytearray(ttlv.encode(item))
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        assert ttlv.encode(ttlv.decode(bytes(changed))) == bytes(changed)
    except CodecError:
        return
