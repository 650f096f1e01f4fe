"""The protocol versions this server knows, and their order.

A version belongs to a message, never to a connection. Versions are small integers so that a
comparison on the request path costs nothing: 1.4 is 14, 2.1 is 21.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cached_property


class Version(IntEnum):
    """One KMIP protocol version. `Version.V1_4 < Version.V2_0` holds."""

    V1_0 = 10
    V1_1 = 11
    V1_2 = 12
    V1_3 = 13
    V1_4 = 14
    V2_0 = 20
    V2_1 = 21

    @cached_property
    def major(self) -> int:
        return self // 10

    @cached_property
    def minor(self) -> int:
        return self % 10

    def __str__(self) -> str:
        return _TEXTS[self]


_TEXTS = {version: f"{version.major}.{version.minor}" for version in Version}

V1_0 = Version.V1_0
V1_1 = Version.V1_1
V1_2 = Version.V1_2
V1_3 = Version.V1_3
V1_4 = Version.V1_4
V2_0 = Version.V2_0
V2_1 = Version.V2_1

SERVED = tuple(Version)
"""The versions this server answers in."""
LATEST = V2_1
BY_NUMBERS: dict[tuple[int, int], Version] = {(v.major, v.minor): v for v in Version}
