"""One server for one instance: the lock that a second one finds taken.

Strategy: a lock of the kernel's on a file in the instance's folder. It is gone with the process that has it,
however that ends, so nothing is ever left behind that somebody must clear away. The file itself stays; in it stands
who has the lock, for the sentence of the one who does not get it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from kmip_server.errors import SettingsError, StoreUnavailable

LOCK = "run.lock"
_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
"""What mends without anybody changing a setting: trying again helps."""


class InstanceLock:
    """The lock, held until it is released or the process ends."""

    def __init__(self, folder: Path) -> None:
        """Raises SettingsError, which names the process, where another server has it.

        Raises StoreUnavailable where the disk refuses the file.
        """
        path = folder / LOCK
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            told = f"{path} cannot be opened: {error.strerror}; without it the database is not served"
            kind = StoreUnavailable if error.errno in _OF_THE_DISK else SettingsError
            raise kind(told) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            self.close()
            raise SettingsError(
                f"a server serves {folder} already, process {holder}; stop it before you start another there"
            ) from None
        # A disk that is full has no room for it: then a second server is refused without a number.
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Give it up; in a child, leave it to the parent: the lock is held as long as anybody has it open."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
