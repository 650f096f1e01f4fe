"""What the commands of kmip-admin share: where to, and how a secret is given."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from kmip_server.admin.cli.connection import Target, target
from kmip_server.errors import SettingsError

FILE = click.Path(dir_okay=False, path_type=Path)
JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")


class Options:
    """Where to, as the options say; connected when first used."""

    def __init__(self, config: Path | None, url: str | None, cert: Path | None, key: Path | None, ca: Path | None):
        self.config = config
        self._arguments = (config, url, cert, key, ca)
        self._target: Target | None = None

    def perform(self, action: str, **arguments: Any) -> Any:
        if self._target is None:
            self._target = target(*self._arguments)
        return self._target.perform(action, **arguments)

    def local_config(self) -> Path:
        if self.config is None:
            raise SettingsError("this command works on files; give --config FILE")
        return self.config


pass_options = click.make_pass_decorator(Options)


def _can_ask() -> bool:
    if sys.stdin.isatty():
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


def secret(path: Path | None, what: str, *, confirm: bool) -> str:
    """A passphrase or password: from a private file, or asked for."""
    if path is not None:
        from kmip_server.keystore.holder import secret_from

        return secret_from(path, what)
    if not _can_ask():
        raise SettingsError(f"there is no terminal to ask for the {what} on; give --{what}-file FILE")
    answer: str = click.prompt(what.capitalize(), hide_input=True, confirmation_prompt=confirm, err=True)
    return answer
