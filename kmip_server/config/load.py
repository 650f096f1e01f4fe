"""A TOML file into `Settings`, or every complaint about it at once.

Strategy: what is not understood stops the start, with the place, what was expected, and the nearest key there
is. So does a setting whose feature this version does not have: to ignore it would be to promise it.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kmip_server.config.settings import Audit, Directory, Https, Settings
from kmip_server.errors import SettingsError

_RULE_SOURCES = (
    "sha256",
    "subject.CN",
    "subject.O",
    "subject.OU",
    "subject.UID",
    "subject.serialNumber",
    "san.dns",
    "san.email",
    "san.uri",
    "san.upn",
)

# What the file may say but this version cannot do yet.
_UNAVAILABLE: tuple[tuple[str, Callable[[Settings], bool], str], ...] = (
    ("https.enabled", lambda s: s.https.enabled, "HTTPS"),
    ("store.url", lambda s: not s.store.url.startswith("sqlite:///"), "a database other than SQLite"),
    ("audit.retention_days", lambda s: s.audit.retention_days != Audit().retention_days, "an end of retention"),
    ("directory.urls", lambda s: bool(s.directory.urls), "a directory"),
    ("directory", lambda s: not s.directory.urls and s.directory != Directory(), "a directory"),
    ("https", lambda s: not s.https.enabled and s.https != Https(), "HTTPS"),
    ("role_mapping", lambda s: bool(s.role_mapping), "a mapping of directory groups"),
    ("tls.crl", lambda s: bool(s.tls.crl), "revocation lists"),
    ("keystore.token", lambda s: len(s.keystore.token) > 1, "more than one token"),
)


def load(path: Path, overrides: Sequence[str] = ()) -> Settings:
    """The settings in a file, with `--set SECTION.KEY=TOMLVALUE` on top.

    Raises SettingsError whose message has a line for each complaint: file, section, key, what was expected.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from error
    for override in overrides:
        _override(data, override)
    settings = parse(data, str(path))
    return dataclasses.replace(settings, folder=path.resolve().parent)


def parse(data: dict[str, Any], source: str) -> Settings:
    """As `load`, from data that is read already. `source` names it in complaints."""
    if "folder" in data:
        raise SettingsError(f"{source}: there is no section [folder]")
    for rule in data.get("identity", {}).get("rule", ()) if isinstance(data.get("identity"), dict) else ():
        # `from` is a word of Python's.
        if isinstance(rule, dict) and "from" in rule:
            rule["source"] = rule.pop("from")
    try:
        # By way of JSON, whose types pydantic takes strictly without taking tables amiss: true is no number.
        settings = TypeAdapter(Settings).validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        lines = [f"{source}: {_complaint(each)}" for each in error.errors(include_url=False)]
        raise SettingsError("\n".join(lines)) from None
    complaints = [
        f"{source}: {name}: {feature} is not available in this version; remove the setting"
        for name, is_set, feature in _UNAVAILABLE
        if is_set(settings)
    ]
    complaints += [
        f"{source}: identity.rule: from = {rule.source!r} is not one of {', '.join(_RULE_SOURCES)}"
        for rule in settings.identity.rule
        if rule.source not in _RULE_SOURCES
    ]
    if settings.keystore.kind == "pkcs11" and not settings.keystore.token:
        complaints.append(f"{source}: keystore.token: a pkcs11 keystore needs a [[keystore.token]]")
    if complaints:
        raise SettingsError("\n".join(complaints))
    return settings


def _override(data: dict[str, Any], override: str) -> None:
    """Put one `SECTION.KEY=TOMLVALUE` into the data."""
    name, equals, value = override.partition("=")
    section, dot, key = name.strip().rpartition(".")
    if not equals or not dot or not key:
        raise SettingsError(f"--set {override}: expected SECTION.KEY=VALUE")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        raise SettingsError(f"--set {override}: {value} is not a TOML value; text stands in quotes") from None
    place = data.setdefault(section, {})
    if not isinstance(place, dict):
        raise SettingsError(f"--set {override}: {section} is not a section")
    place[key] = parsed


def _complaint(error: Any) -> str:
    """One of pydantic's errors as a sentence about section, key and what was expected."""
    location = [str(part) for part in error["loc"]]
    name = ".".join(location)
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        near = difflib.get_close_matches(location[-1], _keys(location[:-1]), 1)
        hint = f"; do you mean {near[0]}?" if near else f"; known are {', '.join(_keys(location[:-1]))}"
        return f"{name} is not a setting{hint}"
    message = str(error["msg"])
    return f"{name}: {message[:1].lower()}{message[1:]}, not {error['input']!r}"


def _keys(section: Sequence[str]) -> list[str]:
    """The keys that stand where a complaint is about."""
    kind: Any = Settings
    for part in section:
        if part.isdigit():
            continue
        hints = {f.name: f for f in dataclasses.fields(kind)}
        if part not in hints:
            return []
        kind = _inner(kind, part)
        if not dataclasses.is_dataclass(kind):
            return []
    return [f.name for f in dataclasses.fields(kind) if f.name != "folder"]


def _inner(kind: Any, name: str) -> Any:
    import typing

    hint = typing.get_type_hints(kind)[name]
    arguments = typing.get_args(hint)
    return arguments[0] if typing.get_origin(hint) is list else hint
