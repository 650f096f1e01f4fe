"""How near the process is to the memory it may have.

Strategy: where memory is refused, libraries below Python end the process, so that it is too late then. What the
process may have is known: its own limit, and that of the control group it runs in, with all who are in it. While
less than a reserve is left, who brings much is refused in a sentence and who brings little is served.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 32 << 20
"""What is under way when memory becomes short still needs some."""
_PROC: Final = Path("/proc/self")
_GROUPS: Final = Path("/sys/fs/cgroup")


class Memory:
    """What there is, and what is left of it. Files are read at each look: limits change while a process runs."""

    def __init__(self, proc: Path = _PROC, groups: Path = _GROUPS) -> None:
        self._proc = proc
        self._groups = tuple(_groups(proc, groups))

    def left(self) -> int | None:
        """Bytes until the nearest limit; None where there is none."""
        found = [each for each in (self._of_process(), *map(_of_group, self._groups)) if each is not None]
        return min(found, default=None)

    def is_short(self) -> bool:
        left = self.left()
        return left is not None and left < RESERVE_BYTES

    def _of_process(self) -> int | None:
        """Of its address space (RLIMIT_AS)."""
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit == resource.RLIM_INFINITY:
            return None
        pages = int((self._proc / "statm").read_text().split()[0])
        return limit - pages * resource.getpagesize()


def _groups(proc: Path, groups: Path) -> list[Path]:
    """The control groups (version 2) of the process that have a limit or may get one, the innermost first."""
    path = ""
    with suppress(OSError):
        for line in (proc / "cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                path = line.removeprefix("0::/")
    own = groups / path
    return [each for each in (own, *own.parents) if each.is_relative_to(groups) and (each / "memory.max").exists()]


def _of_group(group: Path) -> int | None:
    """What files in the cache take of it can be had."""
    try:
        limit = (group / "memory.max").read_text().strip()
        if limit == "max":
            return None
        taken = int((group / "memory.current").read_text())
        for line in (group / "memory.stat").read_text().splitlines():
            if line.startswith(("inactive_file ", "active_file ")):
                taken -= int(line.split()[1])
    except (OSError, ValueError):
        return None
    return int(limit) - taken
