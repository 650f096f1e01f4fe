"""Backing up a whole instance, and making it again.

Strategy: everything an instance is made of (`contents.py`) goes into one tar stream, sealed as it is written: a
consistent copy of the database (SQLite's own online backup, while the server serves), the token's folder, PIN and
passphrase files, settings and certificates. A backup is unpacked and opened, to see that it works, before it gets
its name; so is what a restore makes.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import IO, Any, cast

from kmip_server.backup.contents import contents
from kmip_server.backup.sealed import SealedReader, SealedWriter
from kmip_server.config.load import load
from kmip_server.errors import KmipError, SettingsError, told
from kmip_server.pki.files import put_in_place, sync
from kmip_server.store import database, migrate

SETTINGS = "kmip-server.toml"


def create(config: Path, target: Path, passphrase: str) -> dict[str, Any]:
    """Write the backup, and prove that it can be restored. Raises SettingsError; then `target` is not there."""
    if os.path.lexists(target):
        raise SettingsError(f"{target} exists already; nothing was written")
    if not target.absolute().parent.is_dir():
        raise SettingsError(f"the folder {target.absolute().parent} does not exist; nothing was written")
    settings = load(config)
    packed = contents(settings)
    # A name that nobody can have put a link at.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        # Plaintext is only ever where it is already: below the instance's folder, which is its owner's alone.
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=settings.folder) as work:
            copy, trial = Path(work) / "copy.db", Path(work) / "trial"
            objects = _copied(database.path_of(settings.store.url, settings.folder), copy)
            members = {SETTINGS: config, packed.database: copy, **packed.files}
            _write(temporary, members, passphrase)
            copy.unlink()
            trial.mkdir(mode=0o700)
            _unpack(temporary, trial, passphrase)
            if _proved(trial, settings.folder) != objects:
                raise SettingsError("the backup does not hold what the database did; nothing was written")
        temporary.replace(target)
        sync(target.parent)
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        raise SettingsError(f"the backup could not be written: {told(error)}") from error
    finally:
        temporary.unlink(missing_ok=True)
    size = target.stat().st_size
    return {"file": str(target), "objects": objects, "bytes": size, "left_out": packed.left_out}


def _copied(path: Path, copy: Path) -> int:
    """A consistent copy of the database as it is at this moment; returns how many objects it holds."""
    with closing(database.connect(path)) as source, closing(database.connect(copy, create=True)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
        return int(target.execute("SELECT count(*) FROM objects").fetchone()[0])


def _write(target: Path, members: Mapping[str, Path], passphrase: str) -> None:
    """The sealed file, new and private from its first byte."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        sealed = SealedWriter(file, passphrase)
        with tarfile.open(fileobj=cast(IO[bytes], sealed), mode="w|") as archive:
            for name, path in members.items():
                # The plain content, also where the instance has a link.
                with path.open("rb") as content:
                    member = tarfile.TarInfo(name)
                    member.mode, member.size = 0o600, os.fstat(content.fileno()).st_size
                    archive.addfile(member, content)
        sealed.close()
        file.flush()
        os.fsync(file.fileno())


def restore(source: Path, folder: Path, passphrase: str) -> dict[str, Any]:
    """Make the instance again in `folder`. Raises SettingsError; then nothing is there."""
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"{folder} is not empty; an existing instance is never touched")
    building = folder.parent / f".{folder.name}.new-{os.getpid()}"
    try:
        shutil.rmtree(building, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        building.mkdir(mode=0o700)
        _unpack(source, building, passphrase)
        objects = _proved(building, folder)
        put_in_place(building, folder)
    except (OSError, tarfile.TarError, sqlite3.Error) as error:
        raise SettingsError(f"the backup could not be restored: {told(error)}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return {"settings": str(folder / SETTINGS), "objects": objects}


def _unpack(source: Path, folder: Path, passphrase: str) -> None:
    with source.open("rb") as file:
        # Nothing in the file is compressed: what comes out is never more than what is there.
        left = os.fstat(file.fileno()).st_size
        sealed = SealedReader(file, passphrase)
        with tarfile.open(fileobj=cast(IO[bytes], sealed), mode="r|") as archive:
            for member in archive:
                left -= member.size
                if left < 0:
                    raise SettingsError(f"the backup says that {member.name!r} is larger than the backup itself")
                _extract(archive, member, folder)
        # What follows the archive's end is authenticated too: a file that was cut short does not pass.
        while sealed.read(1 << 20):
            pass


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One plain file below the folder, and nothing else: no link, no device, no file with holes."""
    target = (folder / member.name).resolve()
    is_plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
    content = archive.extractfile(member) if is_plain else None
    if content is None or not target.is_relative_to(folder.resolve()):
        raise SettingsError(f"the backup holds {member.name!r}, which is no file of an instance")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(file.fileno())


def _proved(folder: Path, called: Path) -> int:
    """Open what was restored: settings, schema, and every sealing key. Returns how many objects there are.

    `called`: what a complaint calls the folder, which is there only for as long as this takes.
    """
    try:
        return _opened(folder)
    except SettingsError as error:
        raise SettingsError(f"the backup does not open: {str(error).replace(str(folder), str(called))}") from error


def _opened(folder: Path) -> int:
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
            raise SettingsError(f"its keys do not open: {error.message}") from error
        finally:
            holder.close()
        return int(connection.execute("SELECT count(*) FROM objects").fetchone()[0])
