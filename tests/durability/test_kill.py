"""Kill -9 at random instants: what was acknowledged is there, and nothing is half done.

`make durability` does it 200 times.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.durability.rounds import Rounds
from tests.support.server import RunningServer, make_instance

ROUNDS = 20


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_acknowledged_is_lost_and_nothing_is_half_done(tmp_path: Path, workers: int) -> None:
    seed = random.SystemRandom().randrange(1 << 32)  # told on failure
    instance = make_instance(tmp_path / "kmip", "--set", f"server.workers={workers}")
    figures = Rounds(instance, seed).run(ROUNDS)
    assert figures.rounds == ROUNDS
    assert figures.under_way > ROUNDS, "each kill was to catch several requests"


class Forgetful(RunningServer):
    """The server as it would be if it now and then promised what it has not done."""

    def command(self) -> list[str]:
        python, option, program, *arguments = super().command()
        spoil = (
            "from kmip_server.engine.ports import Outcome\n"
            "from kmip_server.store.apply import Writer\n"
            "apply, groups = Writer.apply, iter(range(1_000_000))\n"
            "Writer.apply = lambda writer, units: "
            "[Outcome.APPLIED] * len(units) if next(groups) % 7 == 6 else apply(writer, units)\n"
        )
        return [python, option, spoil + program, *arguments]


class HalfDone(RunningServer):
    """The server as it would be if it left the value of a destroyed object behind."""

    def command(self) -> list[str]:
        python, option, program, *arguments = super().command()
        spoil = (
            "from kmip_server.store import apply\n"
            "class Nothing:\n"
            "    def run(self, *_, **values): pass\n"
            "apply._DELETE_MATERIAL = Nothing()\n"
        )
        return [python, option, spoil + program, *arguments]


@pytest.mark.parametrize("kind", [Forgetful, HalfDone])
def test_a_server_that_breaks_its_promise_is_found_out(tmp_path: Path, kind: type[RunningServer]) -> None:
    instance = make_instance(tmp_path / "kmip", "--keystore", "software")
    with pytest.raises(AssertionError) as found:
        Rounds(instance, 1, kind).run(3)
    assert "the server did not get ready" not in str(found.value)
