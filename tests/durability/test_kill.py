"""Kill -9 at random instants: what was acknowledged is there, and nothing is half done.

`make durability` does it 200 times.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.durability.rounds import Rounds
from tests.support.server import make_instance

ROUNDS = 20


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_and_nothing_is_half_done(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)  # told on failure
    figures = Rounds(make_instance(tmp_path / "kmip"), seed).run(ROUNDS)
    assert figures.rounds == ROUNDS
    assert figures.under_way > ROUNDS, "each kill was to catch several requests"
