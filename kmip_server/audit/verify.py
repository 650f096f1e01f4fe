"""Verifying the record: apart from what writes it.

Strategy: from the records' own bytes every hash is made again, and compared with what is stored; numbers must
follow each other, a chain's end must be the head that is on record for it, and where a later chain names an
earlier one's head, the earlier one must have it. This module knows the format and imports nothing of the
writer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

_CHAIN, _NUMBER, _OPERATION, _OBJECT = 1, 2, 8, 10
_CHAIN_START = "chain start"
_MAX_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Report:
    """How many records in how many chains, and what is wrong."""

    records: int
    chains: int
    faults: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        return not self.faults


def verify(rows: Iterable[tuple[int, int, str, bytes]], heads: Mapping[int, tuple[int, bytes]]) -> Report:
    """`rows`: chain, number, text and hash of each record, in order. `heads`: each chain's length and last hash."""
    faults: list[str] = []
    hashes: dict[tuple[int, int], bytes] = {}
    ends: dict[int, tuple[int, bytes]] = {}
    named: list[tuple[int, int, int, str]] = []
    count = 0
    for chain, number, text, stored in rows:
        count += 1
        last, previous = ends.get(chain, (0, _first(chain)))
        where = f"chain {chain} record {number}"
        if number != last + 1:
            faults.append(f"{where}: follows {last}; {number - last - 1} records are missing")
        made = sha256(previous + text.encode("utf-8")).digest()
        if made != stored:
            faults.append(f"{where}: it, or what stands before it, was changed")
        faults += _misplaced(where, chain, number, text)
        named += _named(chain, text)
        ends[chain] = (number, stored)
        hashes[chain, number] = stored
    for chain, (length, head) in heads.items():
        if ends.get(chain, (0, _first(chain))) != (length, head):
            faults.append(f"chain {chain}: its end is not the head on record; records were cut off or added")
    faults += [f"chain {chain}: is not on record" for chain in ends if chain not in heads]
    for by, chain, length, found in named:
        if length and hashes.get((chain, length), b"").hex() != found:
            faults.append(f"chain {chain}: is not what chain {by} found it to be at record {length}")
    return Report(count, len(ends), tuple(faults[:_MAX_FAULTS]))


def _first(chain: int) -> bytes:
    return sha256(f"kmip-key-server audit chain {chain}".encode()).digest()


def _misplaced(where: str, chain: int, number: int, text: str) -> list[str]:
    """Whether a record says that it belongs elsewhere."""
    try:
        fields = json.loads(text)
        if (fields[_CHAIN], fields[_NUMBER]) == (chain, number):
            return []
    except (ValueError, LookupError, TypeError):
        return [f"{where}: is no record"]
    return [f"{where}: says it is record {fields[_NUMBER]} of chain {fields[_CHAIN]}"]


def _named(chain: int, text: str) -> list[tuple[int, int, int, str]]:
    """The heads of other chains that a chain's first record names."""
    try:
        fields = json.loads(text)
        if fields[_OPERATION] != _CHAIN_START:
            return []
        return [(chain, int(other), int(length), str(head)) for other, length, head in json.loads(fields[_OBJECT])]
    except (ValueError, LookupError, TypeError):
        return []
