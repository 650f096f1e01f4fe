"""Documents that follow from the code follow it; samples load; the README's lines work."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from kmip_server import __version__
from kmip_server.config import load, write
from tests.support.server import RunningServer

ROOT = Path(__file__).resolve().parents[2]


def test_generated_pages_are_up_to_date() -> None:
    tool = [sys.executable, str(ROOT / "tools" / "generate_docs.py"), "--check"]
    assert subprocess.run(tool, check=False, cwd=ROOT, timeout=60).returncode == 0, "run make docs"


def test_the_sample_settings_load_and_say_the_defaults() -> None:
    settings = load.load(ROOT / "conf" / "kmip-server.toml")
    assert settings.kmip == load.parse({"keystore": {"kind": "software"}}, "defaults").kmip
    assert tomllib.loads(write.sample())["kmip"]["port"] == 5696


def test_the_systemd_unit_is_hardened_and_reads() -> None:
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read(ROOT / "conf" / "kmip-server.service")
    assert parser["Service"]["NoNewPrivileges"] == "yes"
    assert parser["Service"]["LimitCORE"] == "0"
    assert parser["Service"]["Type"] == "notify"


def test_the_readmes_first_key(server: RunningServer) -> None:
    """The README's own lines, with this test's port and certificates."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert found is not None
    lines = (
        found[1]
        .replace('"var/instance/certs"', repr(str(server.folder / "certs")))
        .replace("5696", str(server.port))
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"[0-9a-f-]{36} [0-9a-f]{64}", done.stdout.strip())


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_file_that_the_documents_name_is_there() -> None:
    """Code is named from the package's folder, everything else from the project's."""
    for page in (ROOT / "README.md", *ROOT.glob("*/README.md"), *(ROOT / "docs").rglob("*.md")):
        for name in re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|md|toml|service))`", page.read_text(encoding="utf-8")):
            if not name.startswith(("var/", "/")):
                assert any((folder / name).exists() for folder in (ROOT, ROOT / "kmip_server")), (
                    f"{page.name}: {name}"
                )


def test_one_version_everywhere() -> None:
    assert f"version = {__version__}" in (ROOT / "setup.cfg").read_text()
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
