"""A short run of the whole, as `make bench BENCH=--short` makes it, and of the soak."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.servers import ROOT

pytestmark = pytest.mark.slow


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_short_run_beside_another_checkout(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    told = run("bench", "--short", "--only", "Get,Sign", "--against", str(ROOT), "--json", str(file))
    rows = {(row["what"], row["who"], row["connections"]): row for row in json.loads(file.read_text())["rows"]}
    for who in ("ours", "ours, 2 workers", "ours, deferred", "before", "PyKMIP", "bare TLS"):
        for connections in (1, 16, 128):
            found = rows["Get", who, connections]
            assert found["requests_per_second"] > 0
            assert found["resident_mb"] > 0
    assert len(rows["Get", "ours, 2 workers", 16]["cpu_seconds_of_each"]) == 3  # a supervisor and its workers
    assert rows["Sign, P-256", "PyKMIP", 16]["refused"]
    assert rows["Sign, P-256", "ours", 16]["requests_per_second"] > 0
    assert told.count("| Get | 16 |") == 6


def test_few_objects_and_many(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    run("bench", "--short", "--only", "Many", "--json", str(file))
    none, few, many = json.loads(file.read_text())["many"]
    assert (none["objects"], few["objects"], many["objects"]) == (0, 100, 500)
    assert min(each["start_seconds"] for each in (none, few, many)) > 0
    assert min(few["locate_1_p50_ms"], many["locate_16_requests_per_second"], many["resident_mb"]) > 0


def test_a_short_soak(tmp_path: Path) -> None:
    file = tmp_path / "soak.json"
    told = run("bench.soak", "--seconds", "3", "--connections", "4", "--json", str(file))
    found = json.loads(file.read_text())
    assert found["errors"] == 0
    assert found["requests"] > 0
    assert len(found["resident_mb"]) >= 2
    assert "0 errors" in told
