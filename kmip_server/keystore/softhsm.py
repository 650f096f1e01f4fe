"""SoftHSM 2: the token of an instance that has no other.

Strategy: the token lives in the instance's own folder, with a configuration that is written anew at every start, so
that the folder can be moved or restored elsewhere. SoftHSM reads its configuration once in a process, so a
process serves the tokens of one folder: a second folder is refused, lest its PIN is tried on the first one's token.
"""

from __future__ import annotations

import os
from pathlib import Path

from kmip_server.errors import SettingsError

LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
FOLDER = "softhsm"
CONFIGURATION = "SOFTHSM2_CONF"

_configured: dict[int, Path] = {}
"""The configuration that SoftHSM has, by process."""


def find_library() -> Path | None:
    """Where SoftHSM's library is, if it is installed."""
    return next((Path(path) for path in LIBRARIES if Path(path).exists()), None)


def is_softhsm(module: str) -> bool:
    return "softhsm" in Path(module).name


def configure(folder: Path) -> None:
    """Write the configuration for the tokens below `folder`, and tell SoftHSM where it is.

    Must run before the module is initialised in this process. Raises SettingsError.
    """
    tokens = folder / "tokens"
    if not tokens.is_dir():
        raise SettingsError(f"the folder {tokens} of the SoftHSM token is missing; restore it from a backup")
    configuration = (folder / "softhsm2.conf").resolve()
    known = _configured.setdefault(os.getpid(), configuration)
    if known != configuration:
        raise SettingsError(
            f"this process has the SoftHSM token in {known.parent} open; start another for {folder}"
        )
    try:
        _write(configuration, tokens.resolve())
    except OSError as error:
        raise SettingsError(f"{configuration} cannot be written: {error.strerror}") from error
    os.environ[CONFIGURATION] = str(configuration)


def _write(configuration: Path, tokens: Path) -> None:
    """Replaced whole, and only where it differs: another process may be reading it."""
    text = (
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
    )
    if configuration.exists() and configuration.read_text(encoding="utf-8") == text:
        return
    new = configuration.with_name(f"{configuration.name}.{os.getpid()}")
    new.write_text(text, encoding="utf-8")
    new.replace(configuration)


def create_folder(folder: Path) -> None:
    """Make the folders of a new token, readable by their owner alone. Raises SettingsError."""
    try:
        (folder / "tokens").mkdir(mode=0o700, parents=True)
        folder.chmod(0o700)
    except OSError as error:
        raise SettingsError(f"the folder {folder} cannot be made: {error.strerror}") from error
    configure(folder)
