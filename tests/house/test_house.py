"""The house stays livable: no secrets, no paths of one machine, no file that outgrows its reader."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_TABLES = {
    "enums.py",
    "tags.py",
    "attributes.py",
    "attribute_values.py",
    "reason_table.py",
    "v0001_first_tables.py",
    "settings.py",
}
_MAX_LINES = 420


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_no_private_key_is_committed() -> None:
    begin = "-----BEGIN" + " "
    for path in _tracked():
        assert not re.search(begin + r"[A-Z ]*PRIVATE KEY", _text(path)), path


def test_no_path_of_a_machine() -> None:
    wrong = re.compile(r"(?<![\w.])/(?:root|home|work)/")
    for path in _tracked():
        if path.name != "test_house.py":
            assert not wrong.search(_text(path)), path


@pytest.mark.parametrize("path", sorted((ROOT / "kmip_server").rglob("*.py")), ids=lambda path: path.name)
def test_files_can_be_read_in_one_sitting(path: Path) -> None:
    lines = _text(path).count("\n")
    assert lines <= _MAX_LINES or path.name in _TABLES, f"{path} has {lines} lines: give its second subject a file"


@pytest.mark.parametrize("path", sorted((ROOT / "kmip_server").rglob("*.py")), ids=lambda path: path.name)
def test_modules_say_why_they_exist(path: Path) -> None:
    text = _text(path)
    assert not text.strip() or text.startswith('"""'), path
