"""A backup that is reported can be restored; what cannot be packed is refused by name, and nothing is written."""

from __future__ import annotations

import io
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

import pytest

from kmip_server.backup.instance import create, restore
from kmip_server.backup.sealed import SealedWriter
from kmip_server.errors import SettingsError
from tests.support.server import make_instance, run

PASSPHRASE = "correct horse battery staple"


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "kmip-server.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _keystore_outside(folder: Path) -> str:
    outside = folder.parent / "keys"
    outside.mkdir()
    for each in ("keystore.json", "keystore.passphrase"):
        shutil.move(folder / each, outside / each)
    change(folder, 'folder = ""', f'folder = "{outside}"')
    return f"keystore.folder: {outside} cannot be in a backup"


def _keystore_above(folder: Path) -> str:
    change(folder, 'folder = ""', 'folder = "certs/../.."')
    return "keystore.folder: certs/../.. cannot be in a backup"


def _keystore_missing(folder: Path) -> str:
    (folder / "keystore.json").unlink()
    return f"keystore.folder: {folder / 'keystore.json'} is missing"


def _another_keystore(folder: Path) -> str:
    other = make_instance(folder.parent / "another", "--keystore", "software")
    for each in ("keystore.json", "keystore.passphrase"):
        shutil.copy(other / each, folder / each)
    return "its keys do not open"


def _certificate_outside(folder: Path) -> str:
    shutil.move(folder / "certs" / "server.pem", folder.parent / "server.pem")
    change(folder, '"certs/server.pem"', '"../server.pem"')
    return "tls.certificate: ../server.pem cannot be in a backup"


def _absolute(folder: Path) -> str:
    change(folder, '"certs/server.key"', f'"{folder}/certs/server.key"')
    return "tls.private_key"


def _no_authority(folder: Path) -> str:
    (folder / "certs" / "ca.pem").unlink()
    return f"tls.client_ca: {folder / 'certs' / 'ca.pem'} is missing"


def _absolute_database(folder: Path) -> str:
    change(folder, "sqlite:///kmip.db", f"sqlite:///{folder}/kmip.db")
    return f"store.url: {folder}/kmip.db cannot be in a backup"


@pytest.mark.parametrize(
    "break_it",
    [
        _keystore_outside,
        _keystore_above,
        _keystore_missing,
        _another_keystore,
        _certificate_outside,
        _absolute,
        _no_authority,
        _absolute_database,
    ],
)
def test_what_could_not_be_restored_is_refused(new_instance: Path, break_it: Callable[[Path], str]) -> None:
    expected = break_it(new_instance)
    before = sorted(new_instance.iterdir())
    target = new_instance.parent / "backup"
    with pytest.raises(SettingsError) as refused:
        create(new_instance / "kmip-server.toml", target, PASSPHRASE)
    assert expected in str(refused.value)
    assert not target.exists()
    assert sorted(new_instance.iterdir()) == before
    assert not list(new_instance.parent.glob(".backup*"))


def test_files_are_found_where_the_settings_say(new_instance: Path, tmp_path: Path) -> None:
    for folder, names in {
        "keys": ["keystore.json", "keystore.passphrase"],
        "tls": ["certs/server.pem", "certs/server.key"],
        "data": ["kmip.db"],
    }.items():
        (new_instance / folder).mkdir(mode=0o700)
        for each in names:
            shutil.move(new_instance / each, new_instance / folder)
    change(new_instance, 'folder = ""', 'folder = "keys"')
    change(new_instance, '"certs/server.', '"tls/server.')
    change(new_instance, "sqlite:///kmip.db", "sqlite:///data/kmip.db")
    made = create(new_instance / "kmip-server.toml", tmp_path / "backup", PASSPHRASE)
    assert made["left_out"] == ""
    shutil.rmtree(new_instance)
    restored = tmp_path / "restored"
    restore(tmp_path / "backup", restored, PASSPHRASE)
    for each in ("keys/keystore.json", "tls/server.key", "data/kmip.db", "certs/ca.key"):
        assert stat.S_IMODE((restored / each).stat().st_mode) == 0o600
    assert run("kmip-server", "check", "--config", str(restored / "kmip-server.toml")).returncode == 0


@pytest.fixture
def token_instance(tmp_path: Path) -> Path:
    return make_instance(tmp_path / "kmip")


def backup_of(folder: Path, *, check: bool = True) -> str:
    secret = folder.parent / "passphrase"
    secret.write_text(PASSPHRASE)
    secret.chmod(0o600)
    arguments = ("backup", "create", str(folder.parent / "backup"), "--passphrase-file", str(secret))
    done = run("kmip-admin", "--config", str(folder / "kmip-server.toml"), *arguments, check=check)
    return done.stdout + done.stderr


def test_a_pin_file_of_another_name_is_packed(token_instance: Path) -> None:
    (token_instance / "hsm.pin").rename(token_instance / "my.pin")
    change(token_instance, '"hsm.pin"', '"my.pin"')
    assert "can be restored" in backup_of(token_instance)


def test_without_the_tokens_folder_there_is_no_backup(token_instance: Path) -> None:
    shutil.rmtree(token_instance / "softhsm")
    told = backup_of(token_instance, check=False)
    assert f"nor is there a folder {token_instance / 'softhsm'}" in told
    assert "restore" in told
    assert not (token_instance.parent / "backup").exists()


def test_a_token_of_another_hsm_is_said_to_be_left_out(
    token_instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that SoftHSM keeps elsewhere, by its own configuration, is to the instance another HSM's."""
    elsewhere = token_instance.parent / "hsm"
    shutil.move(token_instance / "softhsm", elsewhere)
    configuration = elsewhere / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {elsewhere / 'tokens'}\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    told = backup_of(token_instance)
    assert "the token 'kmip-server' of" in told
    assert "is not in the backup" in told


def test_a_link_at_the_file_is_not_followed(new_instance: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    for name in ("backup", "backup.new"):
        (tmp_path / name).symlink_to(precious)
    with pytest.raises(SettingsError, match="exists already"):
        create(new_instance / "kmip-server.toml", tmp_path / "backup", PASSPHRASE)
    (tmp_path / "backup").unlink()
    create(new_instance / "kmip-server.toml", tmp_path / "backup", PASSPHRASE)
    assert precious.read_text() == "kept"
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600


# --- what a file may not do ---------------------------------------------------------------------


def sealed(path: Path, tar: bytes) -> Path:
    with path.open("wb") as file:
        writer = SealedWriter(file, PASSPHRASE)
        writer.write(tar)
        writer.close()
    return path


def a_link() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        member = tarfile.TarInfo("hsm.pin")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    return content.getvalue()


def a_path_outside() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../outside"), io.BytesIO())
    return content.getvalue()


def a_file_of_holes() -> bytes:
    """PAX, sparse format 0.1: no content, and a size of 2 GiB."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("kmip.db")
        member.pax_headers = {"GNU.sparse.map": f"{(2 << 30) - 1},1", "GNU.sparse.size": str(2 << 30)}
        member.size = 1
        archive.addfile(member, cast(IO[bytes], io.BytesIO(b"x")))
    return content.getvalue()


def a_size_that_is_not_there() -> bytes:
    member = tarfile.TarInfo("kmip.db")
    member.size = 2 << 30
    return member.tobuf()


@pytest.mark.parametrize("tar", [a_link, a_path_outside, a_file_of_holes, a_size_that_is_not_there])
def test_a_crafted_backup_writes_nothing(tmp_path: Path, tar: Callable[[], bytes]) -> None:
    source = sealed(tmp_path / "backup", tar())
    with pytest.raises(SettingsError, match="no file of an instance|larger than the backup"):
        restore(source, tmp_path / "restored", PASSPHRASE)
    assert [each.name for each in tmp_path.iterdir()] == ["backup"]
