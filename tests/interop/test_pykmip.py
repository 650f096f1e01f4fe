"""The PyKMIP suite as tests: every step, in every version."""

from __future__ import annotations

import pytest

from interop import servers
from interop.pykmip import suite
from tests.support.server import RunningServer


@pytest.mark.slow
@pytest.mark.parametrize("version", sorted(suite.VERSIONS))
def test_every_step_passes(server: RunningServer, version: str) -> None:
    found = suite.run(servers.endpoint(server, "client"), version)
    assert [str(each) for each in found if not each.passed] == []
    assert len(found) >= 32
