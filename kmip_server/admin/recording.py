"""Recording what a client says and is told, for as long as an administrator wants it.

Strategy: begun in every process that serves, looked at, and ended, which gives what all of them kept as one
conversation, redacted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, validate_call

from kmip_server.admin.arguments import Name
from kmip_server.conversation.redact import recorded
from kmip_server.errors import SettingsError
from kmip_server.transport.recording import MAX_MESSAGES, MAX_SECONDS

Record = Callable[[dict[str, Any]], list[dict[str, Any] | None]]
"""Asks every process: see `AdminListener.record_here`."""


@validate_call
def record(
    ask: Any,
    name: Name,
    step: Literal["begin", "look", "end"],
    messages: Annotated[int, Field(gt=0, le=MAX_MESSAGES)] = 100,
    seconds: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 60,
) -> dict[str, Any]:
    """One step; at the end the conversation. Raises SettingsError where nothing runs."""
    return _record(ask, name, step, messages, seconds)


def _record(ask: Record | None, name: str, step: str, messages: int, seconds: float) -> dict[str, Any]:
    if ask is None:
        raise SettingsError("there is nothing to record: the server does not run")
    wanted: dict[str, Any] = {"client": name, "ends": step == "end"}
    if step == "begin":
        wanted |= {"messages": messages, "seconds": seconds}
    answers = ask(wanted)
    told = [each for each in answers if each is not None and each["is_there"]]
    if not told:
        why = "another client is being recorded" if step == "begin" else f"{name} is not being recorded"
        raise SettingsError(why)
    found: dict[str, Any] = {
        "messages": sum(each["count"] for each in told),
        "is_over": any(each["is_over"] for each in told),
        "workers_not_answering": sum(each is None for each in answers),
    }
    if step == "end":
        found["conversation"] = recorded([row for each in told for row in each["rows"]])
    return found
