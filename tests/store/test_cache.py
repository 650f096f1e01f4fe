"""What is kept in memory has an end: in number, in bytes, and in shapes of searches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kmip_server.clock import SettableClock
from kmip_server.engine.ports import Condition
from kmip_server.protocol.tags import Tag
from kmip_server.store import objects
from kmip_server.store.apply import Writer
from kmip_server.store.cache import Cache
from kmip_server.store.database import Statement
from kmip_server.store.objects import Reader
from tests.store.conftest import Connect
from tests.store.test_store import SEALED, making, query, stored


def test_the_oldest_goes_first() -> None:
    cache: Cache[int] = Cache(3, 1000)
    for number in range(5):
        cache.put(str(number), number, 10)
    assert [cache.get(str(number)) for number in range(5)] == [None, None, 2, 3, 4]
    assert (len(cache), cache.size) == (3, 30)


def test_bytes_are_bounded_too() -> None:
    cache: Cache[int] = Cache(100, 80)
    for number in range(20):
        cache.put(str(number), number, 10)
    assert (len(cache), cache.size) == (8, 80)
    cache.put("19", -1, 4)
    assert (cache.get("19"), cache.size) == (-1, 74)
    # What would push out a good part of the others is not kept; nor is what it replaces.
    cache.put("19", 7, 11)
    assert (cache.get("19"), cache.size) == (None, 70)
    cache.clear()
    assert (len(cache), cache.size) == (0, 0)


def test_large_objects_do_not_stay_in_memory(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "CACHED_BYTES", 1 << 20)
    writer, reader = Writer(connect, SettableClock(), "test"), Reader(connect)
    large = replace(SEALED, ciphertext=bytes(100_000))
    writer.apply([making(replace(stored(f"u{number}"), sealed=large)) for number in range(30)])
    reader.begin_snapshot()
    for number in range(30):
        found = reader.find(f"u{number}")
        assert found is not None
        assert found.sealed == large
    reader.end_snapshot()
    for cache in (reader._current, reader._found):
        assert 5 <= len(cache) <= 10
        assert cache.size <= 1 << 20
    writer.close()
    reader.close()


def test_compiled_searches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "SHAPES", 4)
    compiled: dict[object, Statement] = {}
    dates = [Tag.INITIAL_DATE, Tag.ACTIVATION_DATE, Tag.DESTROY_DATE, Tag.ARCHIVE_DATE, Tag.COMPROMISE_DATE]
    first = objects.search(query(Condition(key=dates[0], value=1)), compiled)[0]
    for date in dates[1:4]:
        objects.search(query(Condition(key=date, value=1)), compiled)
    assert objects.search(query(Condition(key=dates[0], value=2)), compiled)[0] is first
    objects.search(query(Condition(key=dates[4], value=1)), compiled)
    assert len(compiled) == 4
    # Used last, forgotten last.
    assert objects.search(query(Condition(key=dates[0], value=3)), compiled)[0] is first


def test_a_column_stands_once_in_a_search() -> None:
    """However often a client names it: a statement has an end, and the engine looks at the rest."""
    many = [Condition(key=Tag.INITIAL_DATE, value=number) for number in range(2000)]
    statement, values = objects.search(query(*many), {})
    assert statement.text.count("initial_date") == 1
    assert values["low_0"] == 0
