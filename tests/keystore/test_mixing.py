"""Random from two sources: either alone is enough, and a broken one is noticed."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmip_server.errors import KeyStoreUnavailable
from kmip_server.keystore import mixing
from kmip_server.keystore.mixing import STOCK_BYTES, MixedRandom


def stream(seed: bytes) -> bytes:
    """What a holder could have given."""
    return hashlib.shake_256(seed).digest(STOCK_BYTES)


def filled(seed: bytes = b"holder") -> MixedRandom:
    made = MixedRandom()
    made.fill(stream(seed))
    return made


@pytest.fixture
def fixed_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operating system's generator is stuck."""
    monkeypatch.setattr(mixing.os, "urandom", lambda length: b"\x5a" * length)


@given(length=st.integers(0, 3000))
def test_as_many_bytes_as_asked(length: int) -> None:
    assert len(filled().take(length)) == length


@pytest.mark.usefixtures("fixed_system")
def test_the_holder_alone_is_enough() -> None:
    assert filled(b"one").take(32) == filled(b"one").take(32)
    assert filled(b"one").take(32) != filled(b"two").take(32)
    generator = filled()
    # More than the stock has: it goes on from what it had before.
    assert len({generator.take(16) for _ in range(1000)}) == 1000


@pytest.mark.usefixtures("fixed_system")
def test_every_request_takes_fresh_random_of_the_holder() -> None:
    """Not the state alone, which both begin with: each takes its own part of the stock."""
    common = stream(b"one")[: STOCK_BYTES // 2]
    one, other = MixedRandom(), MixedRandom()
    one.fill(common + stream(b"one")[STOCK_BYTES // 2 :])
    other.fill(common + stream(b"two")[STOCK_BYTES // 2 :])
    assert one.take(32) != other.take(32)


def test_the_operating_system_alone_is_enough() -> None:
    assert filled(b"one").take(32) != filled(b"one").take(32)


@pytest.mark.usefixtures("fixed_system")
def test_each_filling_and_each_seed_changes_what_comes() -> None:
    outputs = []
    for fill, seed in ((b"one", b""), (b"two", b""), (b"one", b"seed"), (b"one", b"other")):
        generator = filled()
        generator.fill(stream(fill))
        if seed:
            generator.seed(seed)
        outputs.append(generator.take(32))
    assert len(set(outputs)) == 4


def test_it_says_when_the_stock_is_low() -> None:
    generator = filled()
    assert not generator.is_low
    for _ in range(STOCK_BYTES // 64):
        generator.take(32)
    assert generator.is_low
    generator.fill(stream(b"more"))
    assert not generator.is_low


@pytest.mark.parametrize(
    "broken",
    [bytes(STOCK_BYTES), os.urandom(STOCK_BYTES // 2) * 2, os.urandom(STOCK_BYTES - 1), b""],
    ids=["zeros", "repeats", "short", "empty"],
)
def test_a_broken_source_is_refused(broken: bytes) -> None:
    with pytest.raises(KeyStoreUnavailable, match="repeats itself or gives too little"):
        MixedRandom().fill(broken)


@pytest.mark.usefixtures("fixed_system")
def test_no_two_threads_get_the_same() -> None:
    generator, made, lock = filled(), [], threading.Lock()

    def work() -> None:
        mine = [generator.take(16) for _ in range(500)]
        with lock:
            made.extend(mine)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 2000
