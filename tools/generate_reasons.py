"""Write kmip_server/protocol/reason_table.py from the standard's error tables and `reason_knowledge.py`.

    python tools/generate_reasons.py REFERENCE_DIR [--check]

REFERENCE_DIR holds errors.csv, extracted from the KMIP specifications 1.0 to 2.1. Runs at development time only;
what it writes is committed. With --check it writes nothing and exits 1 if the committed file differs.

The table is small because most reasons do not depend on the operation: those stand under None, and an operation has
the errors that it tells otherwise.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from reason_knowledge import BEFORE, FIRST_IN_OPERATION, MEANINGS, OFFICIAL, SECOND_IN_OPERATION  # noqa: E402

from kmip_server.protocol.enums import Operation, ResultReason  # noqa: E402
from kmip_server.protocol.versions import Version  # noqa: E402

TARGET = ROOT / "kmip_server" / "protocol" / "reason_table.py"
# What the tables misspell, or name by its meaning. Empty: no reason.
SPELLED: dict[str, tuple[ResultReason, ...]] = {
    "not supported": (ResultReason.FEATURE_NOT_SUPPORTED,),
    "not extractble": (ResultReason.NOT_EXTRACTABLE,),
    "key format type and/or key compression type not supported": (
        ResultReason.KEY_FORMAT_TYPE_NOT_SUPPORTED,
        ResultReason.KEY_COMPRESSION_TYPE_NOT_SUPPORTED,
    ),
    "n/a": (),
    "see tables above, referring to the operation being performed in the batch item that failed": (),
}
_TITLES = {each.title.casefold(): each for each in ResultReason}
_OPERATIONS = {each.title.casefold(): each for each in Operation}
_GENERAL = "General"
_NO_OPERATION = (_GENERAL, "Batch Items")

Listed = dict[tuple[Version, Operation | None], frozenset[ResultReason]]
Table = dict[Version, dict[Operation | None, dict[str, ResultReason]]]


def reasons(text: str) -> tuple[ResultReason, ...]:
    """The reasons that a cell of the standard's tables names."""
    spelled = text.casefold().strip(".? ")
    return SPELLED[spelled] if spelled in SPELLED else (_TITLES[spelled],)


def listed(reference: Path) -> Listed:
    """Which reasons each operation lists, by version; those of the general table of 1.x under None."""
    found: dict[tuple[Version, Operation | None], set[ResultReason]] = {}
    by_number = {str(version): version for version in Version}
    with (reference / "errors.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["direction"] != "client-to-server":
                continue
            name = row["operation"]
            operation = None if name in _NO_OPERATION else _OPERATIONS[name.casefold()]
            found.setdefault((by_number[row["version"]], operation), set()).update(reasons(row["result_reason"]))
    return {key: frozenset(value) for key, value in found.items()}


def table_of(tables: Listed, operation: Operation, version: Version) -> frozenset[ResultReason]:
    """The operation's table, or that of the next version of the same major that has one.

    1.2 brought ten operations whose tables came with 1.3. Empty where there is none at all.
    """
    for each in Version:
        if each >= version and each.major == version.major and (each, operation) in tables:
            return tables[each, operation] | tables.get((each, None), frozenset())
    return frozenset()


def reason(tables: Listed, error: str, operation: Operation | None, version: Version) -> ResultReason:
    """What `error` is told as."""
    chosen = _chosen(tables, error, operation, version)
    since, instead = BEFORE.get(chosen, (version, chosen))
    chosen = instead if version < since else chosen
    assert chosen.known_in(version), f"KMIP {version} does not know {chosen.title}, said for {error}"
    return chosen


def _chosen(tables: Listed, error: str, operation: Operation | None, version: Version) -> ResultReason:
    for case in OFFICIAL:
        if (case.error, case.operation) == (error, operation):
            return case.reason
    in_operation = FIRST_IN_OPERATION if version.major == 1 else SECOND_IN_OPERATION
    if operation is not None and (operation, error) in in_operation:
        return in_operation[operation, error]
    possible = MEANINGS[error].first if version.major == 1 else MEANINGS[error].second
    told = frozenset() if operation is None else table_of(tables, operation, version)
    return next((each for each in possible if each in told), possible[0])


def table(tables: Listed) -> Table:
    """Every version's rows: all errors under None, and what an operation tells otherwise."""
    made: Table = {}
    for version in Version:
        general = {error: reason(tables, error, None, version) for error in sorted(MEANINGS)}
        rows: dict[Operation | None, dict[str, ResultReason]] = {None: general}
        for operation in sorted((each for each in Operation if each.known_in(version)), key=lambda o: o.name):
            own = {error: reason(tables, error, operation, version) for error in general}
            differing = {error: told for error, told in own.items() if told != general[error]}
            if differing:
                rows[operation] = differing
        made[version] = rows
    return made


def text(made: Table) -> str:
    return "".join(_lines(made))


def _lines(made: Table) -> Iterator[str]:
    versions = ", ".join(f"V{version.major}_{version.minor}" for version in made)
    yield (
        '"""Which Result Reason an error becomes: by version, by operation, by the name of its class.\n\n'
        "Generated by tools/generate_reasons.py from the standard's error tables; do not edit. Under None stands\n"
        "what holds for every operation that does not say otherwise.\n"
        '"""\n\n'
        "from __future__ import annotations\n\n"
        "from kmip_server.protocol.enums import Operation, ResultReason\n"
        f"from kmip_server.protocol.versions import {versions}, Version\n\n"
        "_O, _R = Operation, ResultReason\n\n"
        "REASONS: dict[Version, dict[Operation | None, dict[str, ResultReason]]] = {\n"
    )
    for version, rows in made.items():
        yield f"    V{version.major}_{version.minor}: {{\n"
        for operation, errors in rows.items():
            yield f"        {'None' if operation is None else f'_O.{operation.name}'}: {{\n"
            yield from (f'            "{error}": _R.{told.name},\n' for error, told in errors.items())
            yield "        },\n"
        yield "    },\n"
    yield "}\n"


def formatted(source: str) -> str:
    command = ["ruff", "format", "--stdin-filename", str(TARGET), "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


def main(arguments: list[str]) -> int:
    source = formatted(text(table(listed(Path(arguments[0])))))
    if "--check" in arguments:
        return int(not TARGET.exists() or TARGET.read_text(encoding="utf-8") != source)
    TARGET.write_text(source, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
