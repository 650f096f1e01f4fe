"""The settings file of a new instance: every key with its default, explained."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from kmip_server.config.settings import Settings

_HEAD = "# Settings of a KMIP key server. Paths are relative to this file.\n"
# Keys that Python cannot spell as the file does.
_SPELLED = {"source": "from"}


def sample(values: Mapping[str, Any] | None = None) -> str:
    """The file's text. `values` by "section.key" replace defaults; tables of a list by "section.key" too."""
    given = dict(values or {})
    parts = [_HEAD]
    for section in dataclasses.fields(Settings):
        if section.name in ("folder", "role_mapping"):
            continue
        kind = _kind(Settings, section.name)
        parts.append(f"\n# {_one_line(kind)}\n[{section.name}]\n" + "".join(_lines(section.name, kind, given)))
    return "".join(parts)


def _lines(section: str, kind: Any, given: dict[str, Any]) -> Iterator[str]:
    tables: list[str] = []
    for key in dataclasses.fields(kind):
        name = f"{section}.{key.name}"
        inner = _kind(kind, key.name)
        value = given.get(name, _default(key))
        if dataclasses.is_dataclass(inner):
            tables += [_table(name, dataclasses.asdict(row) if inner is type(row) else row) for row in value]
        else:
            yield f"{key.name} = {toml(value)}  # {_meaning(kind, key)}\n"
    yield from tables


def _table(name: str, row: Mapping[str, Any]) -> str:
    lines = "".join(f"{_SPELLED.get(key, key)} = {toml(value)}\n" for key, value in row.items())
    return f"[[{name}]]\n{lines}"


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    return json.dumps(value) if isinstance(value, str) else str(value)


def _default(key: dataclasses.Field[Any]) -> Any:
    if key.default_factory is not dataclasses.MISSING:
        return key.default_factory()
    return key.default


def _kind(cls: Any, name: str) -> Any:
    """The type of a key; of a list the type of what is in it."""
    hint = typing.get_type_hints(cls)[name]
    return typing.get_args(hint)[0] if typing.get_origin(hint) is list else hint


def _meaning(kind: Any, key: dataclasses.Field[Any]) -> str:
    """What a key is for, and its values where there are only some and the text does not name them."""
    text = str(key.metadata["text"])
    hint = typing.get_type_hints(kind)[key.name]
    values = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
    named = not values or any(value in text for value in values)
    return text if named else f"{text}; one of {', '.join(values)}"


def _one_line(kind: Any) -> str:
    return str(kind.__doc__ or "").strip().splitlines()[0]


def document() -> str:
    """The page `docs/configuration.md`."""
    parts = [
        "# Configuration\n\nGenerated from `kmip_server/config/settings.py`. Unknown keys stop the start; relative "
        "paths are relative to the settings file; `--set SECTION.KEY=VALUE` overrides a key.\n"
    ]
    for section in dataclasses.fields(Settings):
        if section.name == "folder":
            continue
        parts += _section(section.name, _kind(Settings, section.name), is_list=section.name == "role_mapping")
    return "".join(parts)


def _section(name: str, kind: Any, *, is_list: bool) -> list[str]:
    title = f"[[{name}]]" if is_list else f"[{name}]"
    rows: list[str] = []
    below: list[str] = []
    for key in dataclasses.fields(kind):
        inner = _kind(kind, key.name)
        if dataclasses.is_dataclass(inner):
            below += _section(f"{name}.{key.name}", inner, is_list=True)
            continue
        spelled = _SPELLED.get(key.name, key.name)
        text = _meaning(kind, key).replace("|", "\\|")
        rows.append(f"| `{spelled}` | `{toml(_default(key))}` | {text} |\n")
    head = "\n| key | default | |\n|---|---|---|\n" if rows else ""
    return [f"\n## `{title}`\n\n{_one_line(kind)}\n{head}", *rows, *below]
