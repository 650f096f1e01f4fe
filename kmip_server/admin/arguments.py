"""What an action may be given: text that is text, names that are one line."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from kmip_server.clock import Clock
from kmip_server.errors import InvalidField, SettingsError

MAX_NAME = 255
"""Characters of a name, as the database keeps it, and of what the record repeats of a request."""


def _one_line(name: str) -> str:
    if not name.isprintable():
        raise ValueError("a name has no control characters")
    return name


Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(_one_line)]
OptionalName = Annotated[str, Field(max_length=MAX_NAME), AfterValidator(_one_line)]


def require_text(arguments: dict[str, Any]) -> None:
    """Raise InvalidField for half of a surrogate pair, which JSON can say but nothing can store."""
    try:
        json.dumps(arguments, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidField("the arguments are not Unicode text, or are nested too deep") from error


_ONLY_LOOK = frozenset(
    {"status", "client.list", "client.show", "key.list", "key.show", "audit.tail", "audit.verify"}
)


def require_right_clock(action: str, clock: Clock) -> None:
    """Raise SettingsError for a change while the machine's clock is not to be trusted: it would be dated by it."""
    clock.now()
    if clock.has_jumped and action not in _ONLY_LOOK:
        raise SettingsError("the server's clock has jumped: set it right, or accept it by SIGHUP, before changes")
