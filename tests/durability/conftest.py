"""The interposed layer, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability import shim


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shim.compiler() is None:
        pytest.skip("there is no C compiler; run: apt-get install gcc libc6-dev")
    return shim.build(tmp_path_factory.mktemp("shim"))
