"""The generated tables are those of the standard, and each version knows what it should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kmip_server.protocol.enums import Operation, ResultReason
from kmip_server.protocol.payloads import PAYLOADS
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_0, V1_1, V1_2, V1_4, V2_0

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT.parent / "shared" / "kmip-reference"
needs_reference = pytest.mark.skipif(
    not REFERENCE.exists(), reason="the standard's tables are not beside the project"
)


@needs_reference
def test_the_committed_tables_are_the_generated_ones() -> None:
    tool = [sys.executable, str(ROOT / "tools" / "generate_tables.py"), str(REFERENCE), "--check"]
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    assert subprocess.run(tool, check=False, env={"PATH": path}, timeout=60).returncode == 0


def test_versions_know_what_they_should() -> None:
    assert Operation.CREATE.since == V1_0
    assert Operation.DISCOVER_VERSIONS.since == V1_1
    assert Operation.ENCRYPT.since == V1_2
    assert ResultReason.SENSITIVE.since == V1_4
    assert not Tag.TEMPLATE_ATTRIBUTE.known_in(V2_0)
    assert Tag.TEMPLATE_ATTRIBUTE.title == "Template-Attribute"


def test_every_operation_has_both_payloads() -> None:
    for operation, row in PAYLOADS.items():
        stem = row.request.__name__.removesuffix("Request")
        assert row.response.__name__ == f"{stem}Response", operation
