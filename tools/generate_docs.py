"""Write the pages that follow from the code: three pages of docs/, and the sample settings.

python tools/generate_docs.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import algorithms_page

from kmip_server.config import write
from kmip_server.crypto.algorithms import SYMMETRIC
from kmip_server.crypto.formats import CURVES
from kmip_server.crypto.hashing import HASHES
from kmip_server.engine import operations as _operations  # noqa: F401 - registers every operation
from kmip_server.engine.discovery import OBJECT_TYPES
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
    versions = " | ".join(str(version) for version in SERVED)
    lines = ["# KMIP support", "", "Generated from the registry and the tables by `make docs`.", ""]
    lines += [
        "## Operations",
        "",
        f"| operation | {versions} | described in |",
        "|---|" + "---|" * (len(SERVED) + 1),
    ]
    for row in registrations():
        cells = " | ".join("yes" if row.since <= version else "" for version in SERVED)
        lines.append(f"| {row.operation.title} | {cells} | {row.section} |")
    lines += ["", "## Objects", "", ", ".join(kind.title for kind in OBJECT_TYPES) + "."]
    lines += [
        "",
        "## Attributes",
        "",
        "Every one of these, with the rules of its own table; and any `x-` attribute.",
        "",
    ]
    lines += [
        "| attribute | versions | set by | client may modify | delete | instances |",
        "|---|---|---|---|---|---|",
    ]
    for attribute in ATTRIBUTES.values():
        yes = {True: "yes", False: ""}
        many = "many" if attribute.multiple else "one"
        changes = f"{yes[attribute.modifiable]} | {yes[attribute.deletable]}"
        known = f"{attribute.since} - {attribute.until}" if attribute.until else f"{attribute.since} -"
        lines.append(f"| {attribute.name} | {known} | {attribute.set_by} | {changes} | {many} |")
    lines += ["", "## Algorithms", "", "With their modes and lengths in [algorithms.md](algorithms.md).", ""]
    made = [f"{a.title}{' (weak: off by default)' if row.weak else ''}" for a, row in SYMMETRIC.items()]
    lines.append(f"Symmetric keys: {', '.join(made)}.")
    lines.append(f"Key pairs: RSA 2048 to 4096; curves {', '.join(curve.title for curve in CURVES)}.")
    lines.append("RSA: OAEP and PKCS#1 v1.5 encryption; PSS and PKCS#1 v1.5 signatures. ECDSA.")
    lines.append(f"Hashes: {', '.join(hash_.title for hash_ in HASHES)}.")
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "docs/algorithms.md": algorithms_page.page,
    "docs/configuration.md": write.document,
    "docs/kmip-support.md": kmip_support,
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
