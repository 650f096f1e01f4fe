"""A database for each test."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from kmip_server.store import database, migrate

Connect = Callable[[], sqlite3.Connection]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "kmip.db"
    database.connect(made, create=True).close()
    migrate.upgrade(made)
    return made


@pytest.fixture
def connect(path: Path) -> Connect:
    return lambda: database.connect(path)
