"""What a row of the tag and enumeration tables is.

Strategy: the standard's tables are Python enumerations whose members also carry the standard's
own spelling and the versions that know them. Looking up a row is looking up a member.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Self

from kmip_server.protocol.versions import Version


class Registered(IntEnum):
    """A value that the standard registers: `title` as it spells it, known from `since` to `until`."""

    title: str
    since: Version
    until: Version | None

    def __new__(cls, value: int, title: str, since: Version, until: Version | None = None) -> Self:
        member = int.__new__(cls, value)
        member._value_ = value
        member.title = title
        member.since = since
        member.until = until
        return member

    @classmethod
    def of(cls, value: int) -> Self:
        """The member with this value. Raises KeyError if there is none."""
        return cls._value2member_map_[value]  # type: ignore[return-value]

    def known_in(self, version: Version) -> bool:
        """Whether a client that speaks `version` knows this value."""
        return self.since <= version and (self.until is None or version <= self.until)


_ACRONYMS = frozenset({"MAC", "CRL", "FPE"})


def words_of(bit: IntFlag) -> list[str]:
    """The standard's name of one bit of a mask, word by word."""
    return [word if word in _ACRONYMS else word.capitalize() for word in str(bit.name).split("_")]
