"""The parts of the benchmark that can be wrong in silence: counting, judging, telling."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from bench import __main__ as plan
from bench import chart, messages, processes, report, soak, targets, traffic
from bench.load import percentile, summary
from bench.servers import BARE, OURS, PYKMIP, TWO_WORKERS
from kmip_server.protocol import messages as protocol
from kmip_server.protocol.enums import Operation
from kmip_server.protocol.versions import SERVED

MACHINE = {"date": "2026-11-25", "cores": 2, "python": "3.11.7", "processor": "a processor"}


def row(what: str, who: str, connections: int = 16, **figures: Any) -> dict[str, Any]:
    rest = {
        "requests_per_second": 100.0,
        "p50_ms": 1.0,
        "p95_ms": 2.0,
        "p99_ms": 3.0,
        "cpu_ms": 0.5,
        "resident_mb": 90.0,
    }
    return {"what": what, "who": who, "connections": connections, **rest, **figures}


# --- what /proc says ----------------------------------------------------------------------------


def test_a_name_with_spaces_and_parentheses_does_not_shift_the_fields() -> None:
    line = "42 (a) (b c) S 7 42 42 0 -1 4194560 100 0 0 0 250 50 9 9 20 0 1 0 100 1000 200"
    found = processes.parse_stat(line)
    assert found.parent == 7
    assert found.cpu_seconds == pytest.approx(300 / os.sysconf("SC_CLK_TCK"))


def test_memory_is_what_is_resident_in_megabytes() -> None:
    assert processes.parse_resident("VmPeak:\t 9999 kB\nVmRSS:\t  2048 kB\n") == 2.0
    assert processes.parse_resident("Name:\tended\nState:\tZ (zombie)\n") == 0.0


def test_of_this_process_there_is_memory_and_a_process_that_never_was_has_none() -> None:
    assert processes.resident_mb(os.getpid()) > 1
    assert os.getpid() in processes.family(os.getppid())
    assert processes.cpu_seconds(2**30) == processes.resident_mb(2**30) == 0.0


# --- percentiles and medians --------------------------------------------------------------------


@pytest.mark.parametrize(("share", "value"), [(0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0)])
def test_a_percentile_of_a_hundred(share: float, value: float) -> None:
    assert percentile([float(each) for each in range(1, 101)], share) == value


def test_percentiles_of_few() -> None:
    assert percentile([7.0], 0.5) == percentile([7.0], 0.99) == 7.0
    assert percentile([1.0, 2.0], 0.5) == 1.0
    assert percentile([1.0, 2.0], 0.99) == 2.0


def test_a_summary_is_in_milliseconds() -> None:
    found = summary([0.001, 0.002, 0.003, 0.004], 2.0)
    assert found["requests_per_second"] == 2.0
    assert (found["p50_ms"], found["p99_ms"]) == (2.0, 4.0)


def test_medians_of_rounds_also_of_each_process() -> None:
    rounds = [{"cpu_ms": each, "cpu_seconds_of_each": [each, each * 2]} for each in (3.0, 1.0, 2.0)]
    assert plan.medians(rounds) == {"cpu_ms": 2.0, "cpu_seconds_of_each": [2.0, 4.0]}


def test_a_round_that_went_wrong_is_told_and_not_outvoted() -> None:
    good = {"cpu_ms": 1.0}
    assert plan.medians([good, {"failed": "nothing came"}, good]) == {"failed": "nothing came"}


# --- messages -----------------------------------------------------------------------------------


def operations(message: bytes) -> list[Operation]:
    request = protocol.decode_request(message, SERVED)
    return [item.operation for item in request.batch_items]  # type: ignore[union-attr]


def test_a_batch_has_the_operations_of_its_messages() -> None:
    made = messages.batch([messages.get("a"), messages.create("b"), messages.locate("c")])
    assert operations(made) == [Operation.GET, Operation.CREATE, Operation.LOCATE]


def test_all_unique_identifiers_of_a_message_are_found_in_their_order() -> None:
    asked = messages.batch([messages.get(each) for each in ("first", "second", "x" * 36)])
    assert messages.unique_identifiers(asked) == ["first", "second", "x" * 36]


def test_mixed_traffic_is_what_it_says() -> None:
    made = traffic.appliance(["a", "b"], 1000)
    asked = [operations(each)[0] for each in made]
    shares = {Operation.GET: 70, Operation.LOCATE: 15, Operation.GET_ATTRIBUTES: 10, Operation.CREATE: 5}
    assert {each: asked.count(each) for each in shares} == shares
    assert made == traffic.appliance(["a", "b"], 1000)
    assert len(set(asked[:20])) > 1  # not in blocks


def test_names_searched_are_names_made() -> None:
    made = {messages.locate(traffic.name(number)) for number in range(250)}
    assert set(traffic.locates(250)) <= made


# --- targets ------------------------------------------------------------------------------------


def judged(measured: dict[str, Any], text: str) -> dict[str, Any]:
    return next(each for each in targets.judge(measured) if each["target"].startswith(text))


def test_a_target_is_reached_or_missed_by_its_ratio() -> None:
    def found(mine: float) -> dict[str, Any]:
        rows = [
            row(traffic.GET, OURS, requests_per_second=mine),
            row(traffic.GET, PYKMIP, requests_per_second=100.0),
        ]
        return judged({"rows": rows}, "Get, 16 connections: to PyKMIP")

    assert found(1200)["reached"]
    assert found(1199)["reached"] is False
    assert found(1199)["found"] == pytest.approx(11.99)


def test_an_upper_bound_is_one() -> None:
    rows = [row(traffic.GET, OURS, cpu_ms=1.0), row(traffic.GET, TWO_WORKERS, 32, cpu_ms=1.3)]
    assert judged({"rows": rows}, "Two workers, 16 connections each: processor time")["reached"] is False
    rows[1]["cpu_ms"] = 1.25
    assert judged({"rows": rows}, "Two workers, 16 connections each: processor time")["reached"]


def test_a_round_is_compared_with_the_same_round() -> None:
    """In the second the machine was three times as slow, for one of them longer than for the other."""
    mine, theirs = {"rates": [12.0, 4.0, 11.0]}, {"rates": [1.0, 0.4, 1.0]}
    assert targets.times(mine, theirs) == 11
    whole = {"requests_per_second": 6.0}
    assert targets.times(mine | whole, {"rates": [2.0], "requests_per_second": 2.0}) == 3


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    refused = {"what": traffic.GET, "who": PYKMIP, "connections": 16, "refused": "no"}
    for measured in ({}, {"rows": [row(traffic.GET, OURS), refused]}, {"soak": {"seconds": 60, "errors": 0}}):
        assert not any("reached" in each for each in targets.judge(measured) if "PyKMIP" in each["target"])
    assert not any("reached" in each for each in targets.judge({}))
    assert "reached" not in judged({"soak": {"seconds": 60, "errors": 0}}, "Ten minutes of mixed traffic: errors")


def test_a_worker_that_did_nothing_is_seen() -> None:
    def share(*workers: float) -> float:
        rows = [row(traffic.GET, TWO_WORKERS, n, cpu_seconds_of_each=[0.0, *workers]) for n in (16, 128)]
        return targets.evenness({"rows": rows})

    assert share(1.0, 1.0) == 100
    assert share(0.0, 1.0) == 0


# --- tables and chart ---------------------------------------------------------------------------


def test_the_table_has_every_row_with_its_ratios_and_refusals() -> None:
    rows = [
        row(traffic.GET, OURS, requests_per_second=1500.0),
        row(traffic.GET, PYKMIP, requests_per_second=100.0),
        row(traffic.GET, BARE, requests_per_second=3000.0),
        {"what": traffic.SIGN, "who": PYKMIP, "connections": 16, "refused": "RSA | only"},
    ]
    head, _, mine, theirs, bare, sign = report.table(rows).splitlines()
    assert mine.endswith("| 15.00 × | 0.50 × |")
    assert theirs.endswith("| 1.00 × | 0.03 × |")
    assert bare.endswith("| 30.00 × | 1.00 × |")
    assert "refused: RSA / only" in sign
    assert {line.count("|") for line in (head, mine, theirs, bare, sign)} == {head.count("|")}


def test_tables_take_the_place_of_the_last_ones_and_nothing_else() -> None:
    page = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    once = report.put(page, "new")
    assert once == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"
    assert report.put(once, "new") == once
    with pytest.raises(ValueError, match="needs a line"):
        report.put("no marks", "new")


def test_the_page_has_its_marks() -> None:
    page = (plan.servers.ROOT / "docs" / "performance.md").read_text()
    assert "new tables" in report.put(page, "new tables")


def test_the_whole_is_told_with_machine_and_date() -> None:
    measured = {"machine": MACHINE, "rounds": 3, "seconds": 1.0, "rows": [row(traffic.GET, OURS)]}
    measured["many"] = [{"objects": 0, "start_seconds": 1.0}, {"objects": 100_000, "start_seconds": 1.5}]
    measured["targets"] = targets.judge(measured)
    told = report.whole(measured)
    assert told.startswith("2026-11-25; 2 cores, a processor, Python 3.11.7")
    assert "| Start with 100,000 objects | ≤ 2 s | 1.5 s | reached |" in told


def test_the_chart_is_xml_with_a_bar_for_each_figure() -> None:
    rows = [
        row("A & B", OURS, requests_per_second=1000.0),
        row("A & B", PYKMIP, requests_per_second=10.0),
        row("A & B", OURS, 128),
        {"what": "A & B", "who": BARE, "connections": 16, "not_measured": "no"},
    ]
    root = ElementTree.fromstring(chart.svg(rows, MACHINE))
    bars = [each for each in root.iter() if each.tag.endswith("rect")][1:]
    widths = [float(each.get("width", "0")) for each in bars]
    assert len(widths) == 2
    assert widths[0] == pytest.approx(3 * widths[1], rel=0.01)
    words = [each.text for each in root.iter() if each.tag.endswith("text")]
    assert {"A & B", "1,000", "10", "not measured"} <= set(words)


# --- soak ---------------------------------------------------------------------------------------


def test_growth_is_counted_from_the_end_of_the_first_minute() -> None:
    samples = [float(min(second, 60)) for second in range(600)]
    assert soak.growth(samples, 60) == (60.0, 60.0)
    leaking = [float(second) for second in range(600)]
    assert soak.growth(leaking, 60) == (64.5, 594.5)


def test_a_run_of_hardly_more_than_a_minute_tells_no_growth() -> None:
    assert soak.growth([1.0, 2.0, 3.0], 60) == (None, 2.0)
    assert soak.growth([1.0] * 79, 60) == (None, 1.0)
    assert soak.growth([1.0] * 80, 60) == (1.0, 1.0)


def test_the_line_of_a_soak_tells_growth_where_it_is_known() -> None:
    found = {"seconds": 600.0, "connections": 16, "requests": 12345, "errors": 0, "end_mb": 97.0, "rates": [800.0]}
    assert "97.0 MB resident at the end, +1.5 MB since" in report.soak_line(found | {"growth_mb": 1.5})
    assert "since" not in report.soak_line(found | {"growth_mb": None})


def test_rates_are_of_each_minute() -> None:
    turns = [soak.Turn(0.0, 10.0, 1000), soak.Turn(30.0, 10.0, 3000), soak.Turn(61.0, 5.0, 500)]
    assert soak.by_minute(turns) == [200.0, 100.0]
