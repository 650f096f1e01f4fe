"""An instance is on the disk when a command says that it is there: a key is worth what its keystore is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.durability import shim
from tests.durability.shim import Event, Kind
from tests.support.server import command, make_instance

_CHANGES = (Kind.WRITTEN, Kind.TRUNCATED)


def recorded(library: Path, folder: Path, name: str, *arguments: str) -> list[Event]:
    """What one of our commands does below `folder`."""
    record = folder.with_name(f"{folder.name}.record")
    subprocess.run(
        command(name, *arguments),
        env=shim.environment(library, folder, record=record),
        check=True,
        capture_output=True,
        timeout=60,
    )
    return list(shim.events(record))


def require_durable(events: list[Event], made: Path) -> None:
    """What was made is on the disk: every file, every folder, and its own name."""
    synced = {event.file: place for place, event in enumerate(events) if event.kind == Kind.SYNC_ENDED}
    written = {event.file: place for place, event in enumerate(events) if event.kind in _CHANGES}
    for path in (made, *made.rglob("*")):
        inode = path.stat().st_ino
        assert inode in synced, f"{path.relative_to(made.parent)} would be lost"
        assert written.get(inode, -1) < synced[inode], f"{path.relative_to(made.parent)} would lose its last change"
    ending = f"\0{made}".encode()
    named = max(n for n, each in enumerate(events) if each.kind == Kind.RENAMED and each.data.endswith(ending))
    assert synced[made.parent.stat().st_ino] > named, f"{made.name} would lose its name"


@pytest.mark.parametrize("options", [(), ("--keystore", "software")], ids=["token", "software"])
def test_a_new_instance(tmp_path: Path, library: Path, options: tuple[str, ...]) -> None:
    made = tmp_path / "kmip"
    require_durable(recorded(library, tmp_path, "kmip-server", "init", str(made), *options), made)


def test_a_backup_and_what_is_restored_from_it(tmp_path: Path, library: Path) -> None:
    instance = make_instance(tmp_path / "kmip")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    secret = tmp_path / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text("a passphrase of some length")
    backup, restored = folder / "backup", folder / "restored"
    key = ("--passphrase-file", str(secret))
    config = str(instance / "kmip-server.toml")
    events = recorded(library, folder, "kmip-admin", "--config", config, "backup", "create", str(backup), *key)
    require_durable(events, backup)
    (folder.with_name(f"{folder.name}.record")).unlink()
    require_durable(
        recorded(library, folder, "kmip-admin", "backup", "restore", str(backup), str(restored), *key), restored
    )
