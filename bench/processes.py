"""What a server costs, as Linux counts it: processor time and resident memory of a process and all below it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Stat:
    """Of one line of /proc/PID/stat, what counts here."""

    parent: int
    cpu_seconds: float
    """In user and in kernel mode, of all threads; not of children."""


def parse_stat(line: str) -> Stat:
    """proc_pid_stat(5). The second field, the name, may itself hold spaces and parentheses."""
    fields = line[line.rindex(")") + 2 :].split()
    return Stat(parent=int(fields[1]), cpu_seconds=(int(fields[11]) + int(fields[12])) * _TICK)


def parse_resident(status: str) -> float:
    """VmRSS of /proc/PID/status, in MB. A process that has ended has none."""
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(process: int) -> float:
    """Of one process; 0 where it has ended."""
    try:
        return parse_stat((PROC / str(process) / "stat").read_text()).cpu_seconds
    except OSError:
        return 0.0


def resident_mb(process: int) -> float:
    try:
        return parse_resident((PROC / str(process) / "status").read_text())
    except OSError:
        return 0.0


def family(root: int) -> list[int]:
    """The process, and every one that descends from it."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                parent = parse_stat((entry / "stat").read_text()).parent
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found
