"""The fuzzer's seeds and findings pass, a short run of each target finds nothing, and what is wrong would be found."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from kmip_server.protocol import ttlv
from kmip_server.protocol.enums import Operation, ResultStatus
from kmip_server.protocol.framing import Framer
from kmip_server.protocol.messages import MalformedMessage, decode_request
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import SERVED, V1_4
from kmip_server.store import apply
from tests.fuzz import FOUND, NAMES, targets
from tests.fuzz.corpus import CORPUS, seeds
from tests.fuzz.mutation import Mutation
from tests.fuzz.targets import TARGETS, Finding
from tests.support.engine import child, children, request_message

ROOT = Path(__file__).resolve().parents[2]
RUNS = 2000
"""Of each target."""


def _inputs(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*/*")) if path.is_file()]


def test_the_seeds_are_what_the_schema_makes() -> None:
    written = {path.relative_to(CORPUS).as_posix(): path.read_bytes() for path in _inputs(CORPUS)}
    made = {f"{target}/{name}": data for target, by_name in seeds().items() for name, data in by_name.items()}
    assert written == made, "run python -m tests.fuzz.corpus"


@pytest.mark.parametrize("target", NAMES)
def test_seeds_and_earlier_findings_pass(target: str) -> None:
    for path in _inputs(CORPUS) + _inputs(FOUND):
        if path.parent.name == target:
            TARGETS[target](path.read_bytes())


def test_most_conversations_succeed() -> None:
    """Or the fuzzer would begin with refusals, and see little of the engine."""
    world, _ = targets._world()
    failed = []
    for name, data in seeds()["conversation"].items():
        world.begin()
        answers = [world.exchange(message) for message in Framer(1 << 20).feed(data)]
        items = [item for answer in answers for item in children(answer, Tag.BATCH_ITEM)]
        if ResultStatus.SUCCESS not in {child(item, Tag.RESULT_STATUS) for item in items}:
            failed.append(name)
    assert len(failed) < len(seeds()["conversation"]) / 4, failed


def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    command = [sys.executable, "-m", "tests.fuzz", "--runs", str(RUNS), "--work", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (done.stdout + done.stderr).count(f"stat::number_of_executed_units: {RUNS}") == len(NAMES)
    for target in NAMES:
        assert list((tmp_path / target).iterdir()), "nothing new was reached: the server is not instrumented"


# --- what is wrong is found ---------------------------------------------------------------------


def test_a_second_way_to_write_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ttlv.encode((Tag.NAME_VALUE, ttlv.TEXT_STRING, "A"))
    targets.decode(whole)
    # An encoder that pads with anything.
    monkeypatch.setattr(ttlv, "_PADDING", tuple(b"\x01" * count for count in range(8)))
    monkeypatch.setattr(ttlv, "decode", lambda data: (Tag.NAME_VALUE, ttlv.TEXT_STRING, "A"))
    with pytest.raises(Finding, match="two ways"):
        targets.decode(whole)


def test_a_cut_that_matters_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Framer.feed
    # What comes in small parts is lost.
    monkeypatch.setattr(Framer, "feed", lambda self, data: feed(self, data) if len(data) > 4 else [])
    with pytest.raises(Finding, match="cut"):
        targets.framing(b"\x00" + request_message(V1_4, []))


def test_a_change_without_success_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    written = apply.Writer._apply

    def changing(self: apply.Writer, unit: object, moment: apply._Moment) -> object:
        moment.changed.add("x")
        return written(self, unit, moment)  # type: ignore[arg-type]

    monkeypatch.setattr(apply.Writer, "_apply", changing)
    with pytest.raises(Finding, match="the store has changed"):
        targets.conversation(seeds()["conversation"]["forbidden-1.4"])


def test_a_fault_of_ours_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("kmip_server.engine.batch.decode_structure", fails)
    with pytest.raises(Finding) as found:
        targets.conversation(seeds()["conversation"]["get-1.4"])
    assert isinstance(found.value.__cause__, ZeroDivisionError)


# --- changes ------------------------------------------------------------------------------------


def test_changes_follow_from_the_seed_and_leave_messages() -> None:
    pool = list(seeds()["conversation"].values())

    def changed(seed: int) -> bytes:
        return Mutation(seed, pool).apply(pool[seed % len(pool)], 8000, lambda data, size: data[:size])

    assert [changed(seed) for seed in range(200)] == [changed(seed) for seed in range(200)]
    made = {changed(seed) for seed in range(200)}
    whole = []
    for each in made:
        try:
            whole.append(ttlv.decode(each))
        except ttlv.CodecError:
            continue
    assert len(whole) > len(made) / 2
    operations = set()
    for each in made:
        with suppress(MalformedMessage):
            operations |= {item.operation for item in decode_request(each, SERVED).batch_items}
    assert len(operations & set(Operation)) > 20
