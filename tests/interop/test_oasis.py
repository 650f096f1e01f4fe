"""The OASIS vectors as tests: each passes, or stands in one of two tables with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop.oasis import client
from interop.oasis.expected import EXPECTED


@pytest.mark.slow
@pytest.mark.parametrize("version", sorted(client.SETS))
def test_every_vector_passes_that_is_not_excepted(version: str, tmp_path: Path) -> None:
    if not client.available():
        pytest.skip("the conformance runner and the OASIS vectors are not beside this checkout")
    found = client.play(version, tmp_path)
    files = (client.CONFORMANCE / client.SETS[version]).rglob("*.xml")
    assert sorted(each.name for each in found) == sorted(each.stem for each in files)
    assert [str(each) for each in found if not each.acceptable] == []
    assert [each.name for each in found if each.result == "passed" and each.name in EXPECTED] == []


@pytest.mark.slow
@pytest.mark.parametrize("version", sorted(client.SETS))
def test_what_is_wrong_in_a_vector_is_all_that_is_in_the_way(version: str, tmp_path: Path) -> None:
    """Corrected, it passes: any key, the same each time; the header of the request's version."""
    if not client.available():
        pytest.skip("the conformance runner and the OASIS vectors are not beside this checkout")
    found = client.play(version, tmp_path, vectors=client.corrected(version, tmp_path))
    wrong = [name for name, row in EXPECTED.items() if row.correction and name.endswith(version.replace(".", ""))]
    assert sorted(each.name for each in found) == sorted(wrong)
    assert [str(each) for each in found if each.result != "passed"] == []


def test_an_expectation_covers_the_difference_it_names_and_no_other() -> None:
    slip = EXPECTED["OMOS-O-1-14"]
    named = "msg 1 ResponseMessage/ResponseHeader/ProtocolVersion/ProtocolVersionMinor: expected 3 got 4"
    assert slip.covers((named,))
    assert not slip.covers((named, "msg 1 ResponseMessage/BatchItem: expected 1 items got 2"))
    assert client.Outcome("1.4", "OMOS-O-1-14", "OMOS", "failed", ("another",)).acceptable is False


def test_what_came_is_shortened_and_what_was_wanted_is_not() -> None:
    difference = f"msg 0 KeyMaterial: expected {'2a' * 16} got {'9b' * 16}"
    assert client.shortened(difference) == f"msg 0 KeyMaterial: expected {'2a' * 16} got other 16 bytes"
    assert client.shortened("msg 1 Minor: expected 3 got 4") == "msg 1 Minor: expected 3 got 4"


def test_the_page_tells_what_is_excepted_from_what_is_wrong() -> None:
    found = [
        client.Outcome("1.4", "CS-RNG-O-1-14", "CS-RNG", "passed"),
        client.Outcome(
            "1.4", "CS-RNG-O-2-14", "CS-RNG", "failed", ("DataLength: expected 16 got 32",), "a|b: four"
        ),
        client.Outcome("1.4", "TL-M-1-14", "TL", "failed", ("expected 1 got 2", "and more")),
    ]
    assert [each.acceptable for each in found] == [True, True, False]
    page = client.page(found).splitlines()
    why = EXPECTED["CS-RNG-O-2-14"].reason
    remark = f"{why}; listed as known-bad (a\\|b: four); DataLength: expected 16 got 32"
    assert "| CS-RNG-O-1-14 | passed |  |" in page
    assert f"| CS-RNG-O-2-14 | failed | {remark} |" in page
    assert "| TL-M-1-14 | **failed** | expected 1 got 2 |" in page
    assert "| CS-RNG | 1 | 1 |  |  |  |  |" in page
    assert "| all | 1 | 2 |  |  |  |  |" in page
