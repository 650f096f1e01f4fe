"""Fixtures that every room's tests share, and the rule that nothing is skipped where that is forbidden."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import RunningServer, make_instance

NO_SKIP = os.environ.get("KMIP_TESTS_NO_SKIP") == "1"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where skipping is forbidden, a skipped test has failed."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which is forbidden here: {report.longrepr}"


@pytest.fixture(scope="session")
def instance_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance on SoftHSM, made by `kmip-server init`; shared by tests that leave it usable."""
    return make_instance(tmp_path_factory.mktemp("instance") / "kmip")


@pytest.fixture(scope="session")
def server(instance_folder: Path) -> Iterator[RunningServer]:
    """A running server on that instance."""
    with RunningServer(instance_folder) as running:
        yield running


@pytest.fixture
def new_instance(tmp_path: Path) -> Path:
    """An instance of the test's own, without an HSM: quick to make."""
    return make_instance(tmp_path / "kmip", "--keystore", "software")
