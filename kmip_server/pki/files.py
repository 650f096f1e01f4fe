"""Key and certificate files on disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from kmip_server.errors import SettingsError


def write_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file whole and synced, with this mode from its first byte; in the end it is there or it is not."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync(path.parent)


def put_in_place(finished: Path, folder: Path) -> None:
    """Give a finished folder its name, in the place of an empty one. All that is in it is on the disk before that,
    whoever wrote it (a token's library syncs nothing), and the name is when this returns. Raises OSError."""
    for path in (*finished.rglob("*"), finished):
        sync(path)
    if folder.exists():
        folder.rmdir()
    finished.rename(folder)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_private(path: Path) -> None:
    """Raise SettingsError unless only its owner can read the file."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise SettingsError(f"the private key {path} cannot be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"the private key {path} can be read by others; run: chmod 600 {path}")


def require_private_authority(folder: Path) -> None:
    """As `require_private`, for the key of the instance's own CA, where it has one."""
    key = folder / "certs" / "ca.key"
    if key.exists():
        require_private(key)


def read_private_key(path: Path) -> PrivateKeyTypes:
    """A private key in PEM form. Raises SettingsError; nobody is ever asked for a pass phrase."""
    require_private(path)
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    except TypeError as error:
        raise SettingsError(f"the private key {path} is encrypted; store it unencrypted, mode 0600") from error
    except OSError as error:
        raise SettingsError(f"the private key {path} cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError(
            f"the private key {path} cannot be read: it is not a private key in PEM form"
        ) from error
