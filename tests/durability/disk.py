"""A disk with a write cache, as recorded: what would be on it if the power failed at some moment.

Strategy: what was written is in the cache until a sync of its file that began after the write has ended; a name that
was given or taken, until a sync of its folder has. A power cut loses the cache, or keeps any part of it: of what was
written, any of the disk's sectors; of names, the earliest (file systems keep a journal of them). The database's
-shm file is left out: it is memory.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.durability.shim import Event, Kind


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    cache: list[Event] = field(default_factory=list)
    syncs: dict[int, int] = field(default_factory=dict)
    """By number of a sync that has begun: how much of the cache it covers."""

    def sync(self, number: int) -> list[Event]:
        """Empty the cache of what the sync covers."""
        covered = self.syncs.pop(number)
        done, self.cache = self.cache[:covered], self.cache[covered:]
        self.syncs = {each: max(0, count - covered) for each, count in self.syncs.items()}
        return done


class Disk:
    """The files whose names begin with `database`, from the moment at which they were in `folder` as they are now."""

    def __init__(self, folder: Path, database: str) -> None:
        self._folder = folder.resolve()
        self._database = database
        self._files: dict[int, _File] = {}
        self._names: dict[Path, int] = {}
        self._durable_names: dict[Path, int] = {}
        self._folder_inode = self._folder.stat().st_ino
        self._folder_cache = _File()
        for path in self._folder.iterdir():
            if self._is_ours(path):
                inode = path.stat().st_ino
                self._files[inode] = _File(bytearray(path.read_bytes()))
                self._names[path] = self._durable_names[path] = inode

    def _is_ours(self, path: Path) -> bool:
        is_file = path.parent == self._folder and path.name.startswith(self._database)
        return is_file and not path.name.endswith("-shm")

    def apply(self, event: Event) -> None:
        kind = event.kind
        if kind == Kind.OPENED:
            if self._is_ours(event.path) and self._names.get(event.path) != event.file:
                assert event.number == 0, f"{event.path} has come from nowhere"
                self._files[event.file] = _File()
                self._names[event.path] = event.file
                self._folder_cache.cache.append(event)
        elif kind == Kind.UNLINKED:
            if self._names.pop(event.path, None) is not None:
                self._folder_cache.cache.append(event)
        elif kind == Kind.RENAMED:
            assert self._database not in event.path.name, "a database is not renamed while it serves"
        elif kind != Kind.SENT:
            self._change(event)

    def _change(self, event: Event) -> None:
        is_folder = event.file == self._folder_inode
        file = self._folder_cache if is_folder else self._files.get(event.file)
        if file is None:
            return
        if event.kind == Kind.SYNC_BEGUN:
            file.syncs[event.number] = len(file.cache)
        elif event.kind == Kind.SYNC_ENDED:
            for done in file.sync(event.number):
                if is_folder:
                    _name(self._durable_names, done)
                else:
                    _write(file.durable, done)
        else:
            file.cache.append(event)

    def unsynced(self, name: str) -> int:
        """How many changes of this file a power cut would lose."""
        inode = self._names.get(self._folder / name)
        return 0 if inode is None else len(self._files[inode].cache)

    def in_cache(self, name: str) -> bytes:
        """The file as everybody sees it while the power is on."""
        file = self._files[self._names[self._folder / name]]
        content = bytearray(file.durable)
        for event in file.cache:
            _write(content, event)
        return bytes(content)

    # --- the power cut ------------------------------------------------------------------------

    def after_cut(self) -> dict[str, bytes]:
        """The files, by name, with everything lost that was not synced."""
        return {path.name: bytes(self._files[inode].durable) for path, inode in self._durable_names.items()}

    def after_torn_cut(self, rng: random.Random) -> dict[str, bytes]:
        """The files, by name, with any part kept of what was not synced."""
        names = dict(self._durable_names)
        for event in self._folder_cache.cache[: rng.randint(0, len(self._folder_cache.cache))]:
            _name(names, event)
        sector, kept = rng.choice((512, 4096)), rng.choice((0.1, 0.5, 0.9))
        files: dict[str, bytes] = {}
        for path, inode in names.items():
            content = bytearray(self._files[inode].durable)
            for event in self._files[inode].cache:
                for piece in _pieces(event, sector):
                    if rng.random() < kept:
                        _write(content, piece)
            files[path.name] = bytes(content)
        return files

    def write_out(self, snapshot: Path, target: Path, files: dict[str, bytes]) -> Path:
        """The instance of `snapshot` on the disk as the power cut left it."""
        shutil.copytree(
            snapshot, target, ignore=lambda _, names: [n for n in names if n.startswith(self._database)]
        )
        for name, content in files.items():
            path = target / name
            path.touch(mode=0o600)
            path.write_bytes(content)
        return target


def _name(names: dict[Path, int], event: Event) -> None:
    if event.kind == Kind.UNLINKED:
        names.pop(event.path, None)
    else:
        names[event.path] = event.file


def _write(content: bytearray, event: Event) -> None:
    if event.kind == Kind.TRUNCATED:
        del content[event.number :]
        content.extend(bytes(event.number - len(content)))
        return
    content.extend(bytes(max(0, event.number - len(content))))
    content[event.number : event.number + len(event.data)] = event.data


def _pieces(event: Event, sector: int) -> Sequence[Event]:
    """A write in the parts of it that lie in one sector each."""
    if event.kind == Kind.TRUNCATED:
        return [event]
    pieces = []
    start, end = event.number, event.number + len(event.data)
    while start < end:
        stop = min(end, (start // sector + 1) * sector)
        pieces.append(event._replace(number=start, data=event.data[start - event.number : stop - event.number]))
        start = stop
    return pieces
