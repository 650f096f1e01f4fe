"""The files of `vectors/` about asymmetric keys, and keys out of their numbers as clients would register them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from kmip_server.crypto import conversion
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.objects import (
    TransparentMaterial,
)
from kmip_server.protocol.transparent import (
    transparent_material,
)
from kmip_server.protocol.versions import LATEST

FOLDER = Path(__file__).parent / "vectors"


@cache
def vectors(name: str) -> dict[str, Any]:
    """One file; each says where it comes from."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    assert found["origin"]
    return found


def number(text: str) -> int:
    return int(text, 16)


def transparent(numbers: Any) -> TransparentMaterial:
    return transparent_material(numbers, LATEST)


def encoded(numbers: Any, present: F, *, private: bool) -> tuple[bytes, F]:
    """A Transparent key as `crypto` uses it."""
    wanted = F.PKCS_8 if private else F.X_509
    made = conversion.convert(transparent(numbers), present, wanted, private=private)
    assert isinstance(made, bytes)
    return made, wanted
