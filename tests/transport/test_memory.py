"""What a process may have of memory, as the system's files say it."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from kmip_server.transport.memory import RESERVE_BYTES, Memory

MB = 1 << 20


def group(folder: Path, limit: str, taken: int, cached: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{taken}\n")
    (folder / "memory.stat").write_text(
        f"anon 1\ninactive_file {cached - cached // 2}\nactive_file {cached // 2}\n"
    )


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    folder = tmp_path / "proc"
    folder.mkdir()
    (folder / "cgroup").write_text("0::/system.slice/kmip.service\n")
    (folder / "statm").write_text("1000 1 1 1 1 1 1\n")
    return folder


def test_without_limits_there_is_no_end(proc: Path, tmp_path: Path) -> None:
    assert Memory(proc, tmp_path / "groups").left() is None
    group(tmp_path / "groups/system.slice/kmip.service", "max", 100 * MB)
    memory = Memory(proc, tmp_path / "groups")
    assert memory.left() is None
    assert not memory.is_short()


def test_the_nearest_limit_counts_and_cached_files_do_not(proc: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups"
    group(groups / "system.slice/kmip.service", str(400 * MB), 300 * MB, cached=100 * MB)
    group(groups / "system.slice", str(900 * MB), 850 * MB)
    memory = Memory(proc, groups)
    assert memory.left() == 50 * MB
    assert not memory.is_short()
    group(groups / "system.slice/kmip.service", str(400 * MB), 400 * MB, cached=10 * MB)
    assert memory.left() == 10 * MB
    assert memory.is_short()


def test_the_address_space(proc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 1000 * resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (taken + RESERVE_BYTES, resource.RLIM_INFINITY))
    memory = Memory(proc, tmp_path)
    assert memory.left() == RESERVE_BYTES
    assert not memory.is_short()
    (proc / "statm").write_text("1001 1 1 1 1 1 1\n")
    assert memory.is_short()
