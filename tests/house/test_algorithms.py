"""The asymmetric part of the page of algorithms names every value that the standard registers, served or refused."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from kmip_server.protocol.enums import DigitalSignatureAlgorithm, KeyFormatType, PaddingMethod, RecommendedCurve
from kmip_server.protocol.registered import Registered

TOOL = Path(__file__).resolve().parents[2] / "tools" / "algorithms_asymmetric.py"
SECTIONS = runpy.run_path(str(TOOL))["SECTIONS"]
OF_OTHER_OBJECTS = {
    KeyFormatType.OPAQUE,
    KeyFormatType.TRANSPARENT_SYMMETRIC_KEY,
    KeyFormatType.TRANSPARENT_DH_PRIVATE_KEY,
    KeyFormatType.TRANSPARENT_DH_PUBLIC_KEY,
    KeyFormatType.PKCS_10,
    KeyFormatType.PKCS_12,
}


@pytest.mark.parametrize(
    ("title", "values"),
    [
        ("Key pairs", RecommendedCurve),
        ("Signatures", DigitalSignatureAlgorithm),
        ("RSA encryption", PaddingMethod),
        ("Key formats", set(KeyFormatType) - OF_OTHER_OBJECTS),
    ],
)
def test_every_value_has_its_place(title: str, values: type[Registered]) -> None:
    page = "\n".join(SECTIONS[title]())
    missing = [each.title for each in values if each.title not in page]
    assert missing == []
