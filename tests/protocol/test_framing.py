"""Messages out of bytes, however these come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmip_server.protocol.framing import Framer, FramingError


def message(length: int) -> bytes:
    return b"\x42\x00\x78\x01" + length.to_bytes(4, "big") + bytes(length)


def test_one_byte_at_a_time() -> None:
    framer, whole = Framer(1024), message(16) + message(24)
    found = [each for byte in whole for each in framer.feed(bytes([byte]))]
    assert found == [message(16), message(24)]
    assert not framer.is_within_message


@given(st.lists(st.sampled_from([8, 16, 800]), max_size=6), st.lists(st.integers(1, 300), min_size=1))
def test_any_cut_gives_the_same_messages(lengths: list[int], cuts: list[int]) -> None:
    framer, whole = Framer(1024), b"".join(message(length) for length in lengths)
    found, at, turn = [], 0, 0
    while at < len(whole):
        size = cuts[turn % len(cuts)]
        found += framer.feed(whole[at : at + size])
        at, turn = at + size, turn + 1
    assert found == [message(length) for length in lengths]


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01", message(0), message(12), message(2048)]
)
def test_what_is_no_request_is_refused_from_its_first_bytes(data: bytes) -> None:
    with pytest.raises(FramingError) as refused:
        Framer(1024).feed(data[:8])
    assert refused.value.prefix == data[:8]


def test_messages_before_the_fault_are_kept() -> None:
    with pytest.raises(FramingError) as refused:
        Framer(1024).feed(message(16) + message(24) + b"nonsense")
    assert refused.value.before == [message(16), message(24)]
    assert refused.value.prefix == b"nonsense"
