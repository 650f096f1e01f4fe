"""The interposed layer from the tests' side: building it, what it recorded, and telling it what is to fail.

Strategy: `shim.c` knows calls and errors, nothing else. Its record is read back as typed events; its faults are a few
words in a file that both have mapped, so that a fault is in force from one call to the next, and over when the test
says so.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import NamedTuple, Self

SOURCE = Path(__file__).with_name("shim.c")


def compiler() -> str | None:
    """A C compiler, or None."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build(folder: Path) -> Path:
    """The shared library, made in `folder`."""
    found = compiler()
    assert found is not None
    library = folder / "shim.so"
    command = [found, "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
    done = subprocess.run([*command, "-ldl", "-lpthread"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return library


def environment(
    library: Path, folder: Path, *, record: Path | None = None, fault: Path | None = None
) -> dict[str, str]:
    """The environment of a process that is watched below `folder`."""
    made = dict(os.environ, LD_PRELOAD=str(library), DURABILITY_FOLDER=str(folder.resolve()))
    if record is not None:
        made["DURABILITY_RECORD"] = str(record)
    if fault is not None:
        made["DURABILITY_FAULT"] = str(fault)
    return made


class Kind(IntEnum):
    OPENED = 1
    WRITTEN = 2
    TRUNCATED = 3
    SYNC_BEGUN = 4
    SYNC_ENDED = 5
    UNLINKED = 6
    RENAMED = 7
    SENT = 8


class Event(NamedTuple):
    """`file` is an inode; of what was sent, the peer: address << 16 | port. `number`: offset of a write, size of a
    file, number of a sync, bytes sent. `data`: what was written, or a path."""

    kind: Kind
    file: int
    number: int
    data: bytes

    @property
    def path(self) -> Path:
        return Path(os.fsdecode(self.data))


_EVENT = struct.Struct("=IIQq")


def events(record: Path) -> Iterator[Event]:
    """What was recorded, in order. Of a process that was killed, up to its last whole event."""
    data = memoryview(record.read_bytes())
    at = 0
    while at + _EVENT.size <= len(data):
        kind, length, file, number = _EVENT.unpack_from(data, at)
        at += _EVENT.size
        if at + length > len(data):
            return
        yield Event(Kind(kind), file, number, bytes(data[at : at + length]))
        at += length


class Calls(IntFlag):
    """What may fail."""

    WRITE = 1
    SYNC = 2
    TRUNCATE = 4
    OPEN = 8
    READ = 16
    UNLINK = 32


class Faults:
    """What is to fail. One process's at a time."""

    _FIELDS = struct.Struct("=IIIIiI")

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(self._FIELDS.size))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), self._FIELDS.size)

    def arm(self, calls: Calls, error: int, *, nth: int = 1, lasting: bool = True) -> None:
        """From now on the `nth` of these calls fails with this errno; all that follow too, where it is `lasting`."""
        self.mend()
        self._FIELDS.pack_into(self._shared, 0, 0, calls, error, lasting, nth, 0)
        self._shared[0:4] = struct.pack("=I", 1)

    def mend(self) -> int:
        """Nothing fails any more. How many calls have."""
        self._shared[0:4] = bytes(4)
        return self.fired

    @property
    def fired(self) -> int:
        return int(self._FIELDS.unpack_from(self._shared)[5])

    def close(self) -> None:
        self._shared.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
