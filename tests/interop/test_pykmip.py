"""The PyKMIP suite as tests: every step, in every version."""

from __future__ import annotations

import pytest

from interop.pykmip import suite
from tests.support.server import RunningServer


@pytest.mark.slow
@pytest.mark.parametrize("version", sorted(suite.VERSIONS))
def test_every_step_passes(server: RunningServer, version: str) -> None:
    endpoint = suite.Endpoint("127.0.0.1", server.port, server.ca)
    certificates = {name: server.certificate(name) for name in ("client", "client2")}
    found = suite.run(endpoint, certificates, version)
    assert [f"{each.step}: {each.detail}" for each in found if not each.passed] == []
    assert len(found) >= 32
