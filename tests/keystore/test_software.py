"""The keystore without an HSM: its file, its passphrase, and that it says what it is."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from kmip_server.errors import KeyStoreUnavailable, SettingsError
from kmip_server.keystore.holder import secret_from
from kmip_server.keystore.software import SoftwareHolder
from tests.keystore.conftest import write_secret


def test_it_says_at_every_start_that_it_is_no_hsm(
    software: SoftwareHolder, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        caplog.clear()
        software.open()
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert "not by an HSM" in record.getMessage()


def test_the_file_is_private_and_holds_no_key_in_clear(software: SoftwareHolder, tmp_path: Path) -> None:
    path = tmp_path / "keystore.json"
    assert path.stat().st_mode & 0o777 == 0o600
    # 32 bytes and a tag of 16: nothing but the sealed key.
    assert len(bytes.fromhex(json.loads(path.read_text())["key"])) == 48


def test_another_process_opens_it_with_the_passphrase(software: SoftwareHolder, tmp_path: Path) -> None:
    scheme, encrypted = software.encrypt(bytes(range(32)))
    again = SoftwareHolder(tmp_path / "keystore.json", tmp_path / "passphrase")
    with pytest.raises(KeyStoreUnavailable, match="is not open"):
        again.decrypt(scheme, encrypted)
    again.open()
    assert again.decrypt(scheme, encrypted) == bytes(range(32))


def test_faults_are_sentences(software: SoftwareHolder, tmp_path: Path) -> None:
    write_secret(tmp_path / "other", "another passphrase")
    with pytest.raises(SettingsError, match="does not open"):
        SoftwareHolder(tmp_path / "keystore.json", tmp_path / "other").open()
    with pytest.raises(SettingsError, match="cannot be made"):
        software.create()
    with pytest.raises(SettingsError, match="cannot be read"):
        SoftwareHolder(tmp_path / "absent.json", tmp_path / "passphrase").open()


@pytest.mark.parametrize("text", ["{}", "[]", "not JSON", '{"salt": "00", "nonce": 1, "key": "zz"}'])
def test_a_damaged_file_is_named(software: SoftwareHolder, tmp_path: Path, text: str) -> None:
    write_secret(tmp_path / "keystore.json", text)
    with pytest.raises(SettingsError, match="damaged"):
        software.open()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_secret_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = write_secret(tmp_path / "pin", "the secret itself")
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600") as complaint:
        secret_from(path, "PIN")
    assert "secret itself" not in str(complaint.value)


def test_a_secret_is_the_text_without_its_line_end(tmp_path: Path) -> None:
    assert secret_from(write_secret(tmp_path / "pin", " with spaces \n"), "PIN") == " with spaces "
    path = tmp_path / "pin"
    path.chmod(0o400)
    assert secret_from(path, "PIN") == " with spaces "


def test_what_is_no_secret_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is empty"):
        secret_from(write_secret(tmp_path / "empty", "\n"), "PIN")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    binary.chmod(0o600)
    with pytest.raises(SettingsError, match="not UTF-8"):
        secret_from(binary, "PIN")
    tmp_path.chmod(0o700)
    with pytest.raises(SettingsError, match="cannot be read"):
        secret_from(tmp_path, "PIN")
