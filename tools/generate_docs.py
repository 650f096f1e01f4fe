"""Write the pages that follow from the code: three pages of docs/, and the sample settings.

python tools/generate_docs.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import algorithms_page
from algorithms_page import table

from kmip_server.config import write
from kmip_server.engine import operations as _operations  # noqa: F401 - registers every operation
from kmip_server.engine.discovery import OBJECT_TYPES
from kmip_server.engine.quirks import QUIRKS
from kmip_server.engine.registry import registrations
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.versions import SERVED

ROOT = Path(__file__).resolve().parent.parent


def sample_settings() -> str:
    """conf/kmip-server.toml: what `init` writes, with SoftHSM's usual place."""
    token = {"module": "/usr/lib/softhsm/libsofthsm2.so", "label": "kmip-server", "pin_file": "hsm.pin"}
    rules = [{"source": "subject.CN", "principal": "{value}"}]
    return write.sample({"keystore.token": [token], "identity.rule": rules})


def kmip_support() -> str:
    """docs/kmip-support.md."""
    parts = (
        ["# KMIP support", "", "Generated from the registry and the tables by `make docs`."],
        ["## Operations", "", *_operation_rows(), "", *_REMARKS],
        ["## Objects", "", *_object_rows()],
        ["## Attributes", "", *_attribute_rows()],
        ["## Algorithms", "", "With their modes, lengths and formats in [algorithms.md](algorithms.md)."],
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


_REMARKS = (
    "Interop is served where `protocol.interop` is on. Where an operation departs from the standard is in",
    "[divergences.md](divergences.md).",
)


def quirks() -> str:
    """docs/quirks.md."""
    rows = [(f"`{each.name}`", each.changes, each.client, each.evidence) for each in QUIRKS.values()]
    lines = [
        "# Quirks",
        "",
        "Generated from `kmip_server/engine/quirks.py` by `make docs`. Where a client needs a departure from the",
        "standard that cannot be everybody's, it is switched on for that client alone, and changes no permission:",
        "",
        "    kmip-admin client quirk NAME QUIRK          and with --off, off again",
        "    kmip-admin client show NAME",
        "",
        *table(("quirk", "what is different", "for which client", "how that is known"), rows),
    ]
    return "\n".join(lines) + "\n"


def _operation_rows() -> list[str]:
    rows = [
        (row.operation.title, *("yes" if row.since <= version else "" for version in SERVED), row.section)
        for row in registrations()
    ]
    return table(("operation", *(str(version) for version in SERVED), "described in"), rows)


def _object_rows() -> list[str]:
    rows = [(kind.title, *("yes" if kind.known_in(version) else "" for version in SERVED)) for kind in OBJECT_TYPES]
    return table(("object", *(str(version) for version in SERVED)), rows)


def _attribute_rows() -> list[str]:
    rows = [
        (
            row.name,
            f"{row.since} to {row.until}" if row.until else f"from {row.since}",
            row.set_by,
            "yes" if row.modifiable else "",
            "yes" if row.deletable else "",
            "many" if row.multiple else "one",
        )
        for row in ATTRIBUTES.values()
    ]
    return [
        "And custom attributes: in 1.x those whose names begin with `x-`, in 2.x those of any vendor but `y`.",
        "",
        *table(("attribute", "versions", "set by", "client may modify", "client may delete", "instances"), rows),
    ]


PAGES: dict[str, Callable[[], str]] = {
    "docs/algorithms.md": algorithms_page.page,
    "docs/configuration.md": write.document,
    "docs/kmip-support.md": kmip_support,
    "docs/quirks.md": quirks,
    "conf/kmip-server.toml": sample_settings,
}


def main(arguments: list[str]) -> int:
    differing = 0
    for name, page in PAGES.items():
        path, text = ROOT / name, page()
        if "--check" in arguments:
            differing += not path.exists() or path.read_text(encoding="utf-8") != text
        else:
            path.write_text(text, encoding="utf-8")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
