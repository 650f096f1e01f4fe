"""Servers of two workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import RunningServer, make_instance

TWO = ("--set", "server.workers=2")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Two workers on SoftHSM, for tests that leave both alive."""
    folder = make_instance(tmp_path_factory.mktemp("pair") / "kmip")
    with RunningServer(folder, *TWO) as running:
        yield running


@pytest.fixture
def own_pair(new_instance: Path) -> Iterator[RunningServer]:
    """Two workers of the test's own, without an HSM; ready quickly."""
    with RunningServer(new_instance, *TWO) as running:
        yield running
