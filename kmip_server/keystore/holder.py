"""What holds the key above the sealing keys: a token, or a file for machines without one."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from kmip_server.errors import SettingsError


class Holder(Protocol):
    """Thread safe. In service every method raises KeyStoreUnavailable where the holder cannot answer."""

    def open(self) -> None:
        """Make ready, in this process. Raises SettingsError with one sentence that says what to do."""

    def create(self) -> None:
        """Make the wrapping key of a new instance. Raises SettingsError."""

    def encrypt(self, key: bytes) -> tuple[str, bytes]:
        """A sealing key encrypted as data: the name of the scheme, and the bytes to keep."""

    def decrypt(self, scheme: str, encrypted: bytes) -> bytes:
        """The sealing key, in bytes of its own that the caller overwrites after use.

        Raises SealBroken where it is not one that was encrypted here.
        """

    def random(self, length: int) -> bytes:
        """Random bytes of the holder's own."""

    def begin_anew(self) -> None:
        """Start over with whatever the holder is reached through: nobody else in this process may be using it."""

    def close(self) -> None: ...

    @property
    def description(self) -> str:
        """For people: which token, of which make."""


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Wait until no other process is within this for the same file.

    For workers that start together: SoftHSM writes a token's file at a login, and another that reads it then fails.
    On a file system without locks it is left to chance, and to trying again.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def secret_from(path: Path, what: str) -> str:
    """A PIN or passphrase from a file that only its owner can read. Raises SettingsError."""
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingsError(f"the {what} file {path} can be read by others; run: chmod 600 {path}")
        secret = path.read_text(encoding="utf-8").strip("\r\n")
    except OSError as error:
        raise SettingsError(f"the {what} file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"the {what} file {path} is not UTF-8 text; write the {what} into it") from error
    if not secret:
        raise SettingsError(f"the {what} file {path} is empty")
    return secret
