"""Backing up a whole instance, and making it again.

Strategy: everything an instance is made of goes into one tar stream, sealed as it is written: a consistent
copy of the database (SQLite's own online backup, while the server serves), the token's folder, PIN and
passphrase files, settings and certificates. A restore is built in a folder beside the one asked for, opened
to see that it works, and only then named.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any, cast

from kmip_server.backup.sealed import SealedReader, SealedWriter
from kmip_server.config.load import load
from kmip_server.config.settings import Settings
from kmip_server.errors import KmipError, SettingsError
from kmip_server.keystore import softhsm
from kmip_server.pki.files import put_in_place, sync
from kmip_server.store import database, migrate

SETTINGS = "kmip-server.toml"
_FOLDERS = ("certs", softhsm.FOLDER)
_FILES = ("hsm.pin", "hsm.so-pin", "keystore.json", "keystore.passphrase")


def create(config: Path, target: Path, passphrase: str) -> dict[str, Any]:
    """Write the backup. Raises SettingsError; then `target` is not there."""
    if target.exists():
        raise SettingsError(f"{target} exists already; nothing was written")
    settings = load(config)
    path = database.path_of(settings.store.url, settings.folder)
    if path.resolve().parent != settings.folder:
        raise SettingsError(f"the database {path} is not this instance's own; back up the instance that it is of")
    temporary = target.with_name(target.name + ".new")
    copy = settings.folder / f"backup-{os.getpid()}.db"
    try:
        objects = _copied(path, copy)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            sealed = SealedWriter(file, passphrase)
            with tarfile.open(fileobj=cast(IO[bytes], sealed), mode="w|") as archive:
                archive.add(config, SETTINGS)
                archive.add(copy, path.name)
                for each in _members(settings):
                    archive.add(each, str(each.relative_to(settings.folder)))
            sealed.close()
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        sync(target.parent)
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        raise SettingsError(f"the backup could not be written: {error}") from error
    finally:
        copy.unlink(missing_ok=True)
        temporary.unlink(missing_ok=True)
    return {"file": str(target), "objects": objects, "bytes": target.stat().st_size}


def _copied(path: Path, copy: Path) -> int:
    """A consistent copy of the database as it is at this moment; returns how many objects it holds."""
    with closing(database.connect(path)) as source, closing(database.connect(copy, create=True)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
        return int(target.execute("SELECT count(*) FROM objects").fetchone()[0])


def _members(settings: Settings) -> Iterator[Path]:
    for name in _FILES:
        if (settings.folder / name).exists():
            yield settings.folder / name
    for folder in _FOLDERS:
        for path in sorted((settings.folder / folder).rglob("*")):
            if path.is_file():
                yield path


def restore(source: Path, folder: Path, passphrase: str) -> dict[str, Any]:
    """Make the instance again in `folder`. Raises SettingsError; then nothing is there."""
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"{folder} is not empty; an existing instance is never touched")
    building = folder.parent / f".{folder.name}.new-{os.getpid()}"
    shutil.rmtree(building, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building.mkdir(mode=0o700)
    try:
        with source.open("rb") as file:
            sealed = SealedReader(file, passphrase)
            with tarfile.open(fileobj=cast(IO[bytes], sealed), mode="r|") as archive:
                for member in archive:
                    _extract(archive, member, building)
            # What follows the archive's end is authenticated too: a file that was cut short does not pass.
            while sealed.read(1 << 20):
                pass
        objects = _proved(building)
        put_in_place(building, folder)
    except (OSError, tarfile.TarError, sqlite3.Error) as error:
        raise SettingsError(f"the backup could not be restored: {error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return {"settings": str(folder / SETTINGS), "objects": objects}


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One plain file below the folder, and nothing else."""
    target = (folder / member.name).resolve()
    content = archive.extractfile(member)
    if content is None or not target.is_relative_to(folder.resolve()):
        raise SettingsError(f"the backup holds {member.name!r}, which is no file of an instance")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(file.fileno())


def _proved(folder: Path) -> int:
    """Open what was restored: settings, schema, and every sealing key. Returns how many objects there are."""
    from kmip_server.app import holder_of
    from kmip_server.store import principals

    settings = load(folder / SETTINGS)
    with closing(database.connect(database.path_of(settings.store.url, settings.folder))) as connection:
        migrate.require_known(connection)
        holder = holder_of(settings)
        try:
            holder.open()
            for record in principals.sealing_keys(connection):
                holder.decrypt(record.scheme, record.encrypted)
        except KmipError as error:
            raise SettingsError(f"the restored keys do not open: {error.message}") from error
        finally:
            holder.close()
        return int(connection.execute("SELECT count(*) FROM objects").fetchone()[0])
