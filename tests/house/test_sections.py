"""Every section of the standard that code and pages name is the one they mean.

Strategy: numbers are read out of the text and held against the standard's own headings. Where the title is known (an
operation, a structure, the words behind the number) it must be the heading's; elsewhere the section must exist.
"""

from __future__ import annotations

import csv
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from kmip_server.engine import operations as _operations  # noqa: F401 - registers every operation
from kmip_server.engine.registry import registrations
from kmip_server.protocol.enums import Operation
from kmip_server.protocol.payloads import PAYLOADS
from kmip_server.protocol.schema import declared, structures, tag_title

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT.parent / "shared" / "kmip-reference"
needs_reference = pytest.mark.skipif(
    not REFERENCE.exists(), reason="the standard's tables are not beside the project"
)

_NUMBER = r"\d+(?:\.\d+)*"
_SPAN = rf"§?{_NUMBER}(?:-{_NUMBER})?"
_CITED = re.compile(
    rf"(?<!Profile )\b([12]\.\d) (?:§|sections? )({_SPAN}(?:(?:, | and |, and ){_SPAN}(?![\w.]*\d? §))*)"
)


def _numbers(spans: str) -> Iterator[str]:
    """ "4.1-4.3 and 6.2" -> 4.1, 4.2, 4.3, 6.2."""
    for span in re.findall(_SPAN, spans):
        first, _, last = span.lstrip("§").partition("-")
        stem, _, begin = first.rpartition(".")
        end = last.rpartition(".")[2] or begin
        assert not last or last.rpartition(".")[0] == stem, f"a range within one section: {span}"
        yield from (f"{stem}.{n}".lstrip(".") for n in range(int(begin), int(end) + 1))


def _cited(text: str) -> Iterator[tuple[str, str]]:
    """(version, section) of everything that a text cites."""
    for version, spans in _CITED.findall(" ".join(text.split())):
        yield from ((version, number) for number in _numbers(spans))


@cache
def _headings(version: str) -> dict[str, str]:
    """Section -> title, of one version of the standard."""
    text = (REFERENCE / f"spec-{version}.md").read_text(encoding="utf-8")
    return dict(re.findall(rf"^#+ ({_NUMBER}) (.+)$", text, re.MULTILINE))


@cache
def _operation_sections(title: str) -> dict[str, str]:
    """Version -> section, of one operation that clients ask for."""
    with (REFERENCE / "operations.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return {
            row["version"]: row["section"]
            for row in rows
            if row["name"] == title and row["direction"] == "client-to-server"
        }


def _is_operation(version: str, section: str) -> bool:
    return section.startswith("4." if version[0] == "1" else "6.1.")


def test_what_is_read_as_a_citation() -> None:
    text = "1.4 §4.29-4.31; KMIP 2.1 §6.1.3, 6.1.5 and 6.1.7. KMIP 2.1 section 11.56, KMIP 1.4 sections 2 and 3."
    assert list(_cited(text)) == [
        *[("1.4", f"4.{n}") for n in (29, 30, 31)],
        *[("2.1", f"6.1.{n}") for n in (3, 5, 7)],
        ("2.1", "11.56"),
        *[("1.4", n) for n in ("2", "3")],
    ]
    assert list(_cited("KMIP 1.4 §3.35, KMIP 2.1 §11.28")) == [("1.4", "3.35"), ("2.1", "11.28")]
    assert list(_cited("2.1 §6.1.17 Encrypt, 1.4 §11.30")) == [("2.1", "6.1.17"), ("1.4", "11.30")]


@needs_reference
@pytest.mark.parametrize("row", registrations(), ids=lambda row: row.operation.title)
def test_operations_are_described_where_they_say(row: object) -> None:
    operation, section = row.operation, row.section  # type: ignore[attr-defined]
    where = _operation_sections(operation.title)
    expected = "; ".join(f"KMIP {version} §{where[version]}" for version in ("1.4", "2.1") if version in where)
    assert section == expected


def _modules() -> list[tuple[ModuleType, frozenset[Operation]]]:
    """The modules of payloads and of operations, with the operations that each is for."""
    found: dict[str, set[Operation]] = {}
    for row in registrations():
        found.setdefault(row.perform.__module__, set()).add(row.operation)
    for operation, payloads in PAYLOADS.items():
        found.setdefault(payloads.request.__module__, set()).add(operation)
    return [(sys.modules[name], frozenset(operations)) for name, operations in sorted(found.items())]


@needs_reference
@pytest.mark.parametrize(("module", "operations"), _modules(), ids=lambda value: getattr(value, "__name__", ""))
def test_modules_name_the_sections_of_their_operations(
    module: ModuleType, operations: frozenset[Operation]
) -> None:
    cited = {each for each in _cited(module.__doc__ or "") if _is_operation(*each)}
    for version in {version for version, _ in cited}:
        sections = {_operation_sections(each.title).get(version) for each in operations} - {None}
        assert {number for v, number in cited if v == version} == sections


@needs_reference
@pytest.mark.parametrize("cls", structures(), ids=lambda cls: cls.__qualname__)
def test_structures_are_described_where_they_say(cls: type) -> None:
    """The heading is the tag's name, or that of the operation whose payload it is."""
    title = tag_title(declared(cls)[0])
    operations = {operation.title for operation, row in PAYLOADS.items() if cls in row}
    for version, section in _cited(inspect.getdoc(cls) or ""):
        assert _headings(version).get(section) in {title, *operations}


FILES = [
    *sorted((ROOT / "kmip_server").rglob("*.py")),
    *sorted((ROOT / "tests").rglob("*.py")),
    *sorted((ROOT / "docs").glob("*.md")),
]


@needs_reference
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sections_exist(path: Path) -> None:
    missing = [
        f"{version} §{section}"
        for version, section in _cited(path.read_text(encoding="utf-8"))
        if section not in _headings(version)
    ]
    assert missing == []


@needs_reference
def test_titles_behind_numbers_are_the_sections() -> None:
    """Where a text says "1.4 §4.9 Locate" and a section of that title exists, it is that one."""
    titled = re.compile(rf"\b([12]\.\d) §({_NUMBER}):? ([A-Z][\w .#-]*\w)")
    wrong = [
        f"{path.name}: {version} §{section} {title}"
        for path in FILES
        for version, section, title in titled.findall(path.read_text(encoding="utf-8"))
        if title in _headings(version).values() and _headings(version).get(section) != title
    ]
    assert wrong == []
