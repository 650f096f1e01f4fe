"""What an instance is made of, as its settings say.

Strategy: every path comes from the settings, never from habit. What is to be packed must be there, and must be
written relative to the settings file: only then does the instance that is restored elsewhere find it. What cannot
be packed is refused by its setting's name; a token of another HSM is the one thing that is left out, and that
is said.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kmip_server.config.settings import Settings
from kmip_server.errors import SettingsError
from kmip_server.keystore import softhsm
from kmip_server.store import database

CERTIFICATES = "certs"
_SO_PIN = "hsm.so-pin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Where the database goes in a backup, the other files by their names there, and what is not in it."""

    database: str
    files: dict[str, Path]
    left_out: str
    """A sentence for people; empty where the backup is all that a restore needs."""


def contents(settings: Settings) -> Contents:
    """Raises SettingsError, which names the setting, for what is missing or outside the instance's folder."""
    path = database.path_of(settings.store.url, settings.folder)
    if not path.resolve().is_relative_to(settings.folder):
        raise SettingsError(f"the database {path} is not this instance's own; back up the instance that it is of")
    name = _inside(settings, "store.url", settings.store.url.removeprefix("sqlite:///"))
    files = dict(_tls(settings))
    left_out = ""
    if settings.keystore.kind == "software":
        files |= dict(_software(settings))
    elif _own_token(settings).is_dir():
        files |= dict(_softhsm(settings))
    else:
        outside, left_out = _foreign(settings)
        files |= outside
    files |= dict(_below(settings, CERTIFICATES))
    return Contents(database=name, files=files, left_out=left_out)


def _inside(settings: Settings, setting: str, value: str) -> str:
    """A path of the settings as a restored instance finds it: relative, and below the settings file."""
    name = os.path.normpath(value)
    if Path(value).is_absolute() or name.partition(os.sep)[0] == os.pardir:
        raise SettingsError(
            f"{setting}: {value} cannot be in a backup; put it below {settings.folder}, "
            "and write it relative to the settings file"
        )
    return name


def _file(settings: Settings, setting: str, value: str) -> tuple[str, Path]:
    name = _inside(settings, setting, value)
    path = settings.folder / name
    if not path.is_file():
        raise SettingsError(f"{setting}: {path} is missing; a backup without it could not be restored")
    return name, path


def _below(settings: Settings, name: str) -> Iterator[tuple[str, Path]]:
    """Every file in a folder of the instance, if it is there."""
    for path in sorted((settings.folder / name).rglob("*")):
        if path.is_file():
            yield str(path.relative_to(settings.folder)), path


def _tls(settings: Settings) -> Iterator[tuple[str, Path]]:
    tls = settings.tls
    yield _file(settings, "tls.certificate", tls.certificate)
    yield _file(settings, "tls.private_key", tls.private_key)
    for each in tls.client_ca:
        yield _file(settings, "tls.client_ca", each)
    for each in tls.crl:
        yield _file(settings, "tls.crl", each)


def _keystore_folder(settings: Settings) -> str:
    return _inside(settings, "keystore.folder", settings.keystore.folder or ".")


def _own_token(settings: Settings) -> Path:
    """Where the instance's own SoftHSM token would be."""
    return settings.path(settings.keystore.folder or ".") / softhsm.FOLDER


def _software(settings: Settings) -> Iterator[tuple[str, Path]]:
    folder = _keystore_folder(settings)
    for each in ("keystore.json", "keystore.passphrase"):
        yield _file(settings, "keystore.folder", f"{folder}/{each}")


def _softhsm(settings: Settings) -> Iterator[tuple[str, Path]]:
    folder = _keystore_folder(settings)
    yield from _below(settings, os.path.normpath(f"{folder}/{softhsm.FOLDER}"))
    yield _file(settings, "keystore.token.pin_file", settings.keystore.token[0].pin_file)
    if (settings.folder / _SO_PIN).is_file():
        yield _SO_PIN, settings.folder / _SO_PIN


def _foreign(settings: Settings) -> tuple[dict[str, Path], str]:
    """A token that is no file of the instance: its PIN file only where that is one."""
    token = settings.keystore.token[0]
    left_out = f"the token {token.label!r} of {token.module} is not in the backup"
    if Path(token.pin_file).is_absolute():
        return {}, f"{left_out}, nor is its PIN file {token.pin_file}; back them up by themselves"
    name, path = _file(settings, "keystore.token.pin_file", token.pin_file)
    return {name: path}, f"{left_out}; back it up as its maker says"
