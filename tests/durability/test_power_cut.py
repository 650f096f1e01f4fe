"""Power cuts: no answer leaves before the sync that covers it, and any part of what was not synced may be gone."""

from __future__ import annotations

import copy
import random
from pathlib import Path

import pytest

from tests.durability import cuts
from tests.durability.cuts import Recording, Unsafe
from tests.durability.shim import Kind
from tests.support.server import make_instance

SEED = "power cut"


def recorded(folder: Path, library: Path, **options: object) -> Recording:
    instance = make_instance(folder / "kmip", "--keystore", "software")
    return cuts.record(instance, library, SEED, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Recording:
    return recorded(tmp_path_factory.mktemp("recorded"), library)


def test_the_layer_sees_what_the_server_does(recording: Recording) -> None:
    """Replayed, the record gives the files that are there: nothing is written that is not seen."""
    disk = copy.deepcopy(recording.disk)
    for event in recording.events:
        disk.apply(event)
    assert {event.kind for event in recording.events} >= {Kind.WRITTEN, Kind.SYNC_BEGUN, Kind.SYNC_ENDED, Kind.SENT}
    for name in (cuts.DATABASE, cuts.WAL):
        assert disk.in_cache(name) == (recording.folder / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("torn", [False, True], ids=["all that was not synced is lost", "a part of it is kept"])
def test_what_was_answered_survives_a_power_cut(recording: Recording, torn: bool) -> None:
    lost = cuts.cut(recording, random.Random(f"{SEED} {torn}"), 10, torn=torn)
    assert lost > 0, "no cut found anything unsynced: they showed nothing"


@pytest.mark.slow
def test_the_server_itself_starts_after_a_power_cut(recording: Recording) -> None:
    cuts.cut(recording, random.Random(f"{SEED} real"), 2, torn=True, real=True)


def unsynced_when_answering(recording: Recording) -> int:
    """How many answers left while the log had changes that a power cut would lose."""
    disk, count = copy.deepcopy(recording.disk), 0
    for place, event in enumerate(recording.events):
        disk.apply(event)
        if event.kind == Kind.SENT and place >= recording.first:
            count += disk.unsynced(cuts.WAL) > 0
    return count


@pytest.fixture(scope="module")
def unsafe(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Recording:
    return recorded(tmp_path_factory.mktemp("unsafe"), library, kind=Unsafe, count=60, clients=1)


def test_no_answer_leaves_before_the_sync_that_covers_it(tmp_path: Path, library: Path) -> None:
    """With one client whatever is written belongs to its request."""
    recording = recorded(tmp_path, library, count=60, clients=1)
    assert recording.load.acknowledged >= 60
    assert unsynced_when_answering(recording) == 0


def test_a_server_that_does_not_sync_is_found_out(unsafe: Recording) -> None:
    assert unsynced_when_answering(unsafe) > 0
    with pytest.raises(AssertionError):
        cuts.cut(unsafe, random.Random(SEED), 10, torn=False)
