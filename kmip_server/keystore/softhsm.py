"""SoftHSM 2: the token of an instance that has no other.

Strategy: the token lives in the instance's own folder, with a configuration that is written anew at every start, so
that the folder can be moved or restored elsewhere.
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


def find_library() -> Path | None:
    """Where SoftHSM's library is, if it is installed."""
    return next((Path(path) for path in LIBRARIES if Path(path).exists()), None)


def is_softhsm(module: str) -> bool:
    return "softhsm" in Path(module).name


def configure(folder: Path) -> None:
    """Write the configuration for the tokens below `folder`, and tell SoftHSM where it is.

    Must run before the module is initialised in this process.
    """
    tokens = folder / "tokens"
    if not tokens.is_dir():
        raise SettingsError(f"the folder {tokens} of the SoftHSM token is missing; restore it from a backup")
    configuration = folder / "softhsm2.conf"
    text = (
        f"directories.tokendir = {tokens.resolve()}\n"
        "objectstore.backend = file\n"
        "log.level = ERROR\n"
        "slots.removable = false\n"
    )
    if not configuration.exists() or configuration.read_text(encoding="utf-8") != text:
        configuration.write_text(text, encoding="utf-8")
    os.environ["SOFTHSM2_CONF"] = str(configuration.resolve())


def create_folder(folder: Path) -> None:
    """Make the folders of a new token, readable by their owner alone."""
    (folder / "tokens").mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    configure(folder)
