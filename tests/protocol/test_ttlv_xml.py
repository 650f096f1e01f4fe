"""The XML encoding: the standard's examples, its test cases against an independent encoder, and every message back."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmip_server.errors import CodecError
from kmip_server.protocol import ttlv
from kmip_server.protocol.enums import CryptographicUsageMask, ItemType
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.ttlv_xml import camel_case, from_element, to_element

CONFORMANCE = Path(
    os.environ.get("KMIP_CONFORMANCE") or Path(__file__).resolve().parents[3] / "shared" / "conformance"
)


def read(text: str) -> Item:
    return from_element(ElementTree.fromstring(text))


def written(item: Item) -> str:
    return ElementTree.tostring(to_element(item), encoding="unicode")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        # Section 6.1.3, and what its rules say of names that are hard.
        ("Activation Date", "ActivationDate"),
        ("IV/Counter/Nonce", "IVCounterNonce"),
        ("X.509", "X_509"),
        ("3DES", "DES3"),
        ("PKCS#1 v1.5", "PKCS_1V1_5"),
        ("Certificate Request", "CertificateRequest"),
        ("SHA-256", "SHA_256"),
        ("RSA-PSS", "RSA_PSS"),
    ],
)
def test_names(title: str, name: str) -> None:
    assert camel_case(title) == name


@pytest.mark.parametrize(
    ("text", "item"),
    [
        # Section 6.1.6.
        ('<BatchCount type="Integer" value="10"/>', (Tag.BATCH_COUNT, ItemType.INTEGER, 10)),
        (
            '<CryptographicUsageMask type="Integer" value="0x0000100c"/>',
            (Tag.CRYPTOGRAPHIC_USAGE_MASK, ItemType.INTEGER, 0x100C),
        ),
        (
            '<CryptographicUsageMask type="Integer" value="Encrypt Decrypt CertificateSign"/>',
            (Tag.CRYPTOGRAPHIC_USAGE_MASK, ItemType.INTEGER, 0x100C),
        ),
        (
            '<CryptographicUsageMask type="Integer" value="CertificateSign 0x00000004 0x00000008"/>',
            (Tag.CRYPTOGRAPHIC_USAGE_MASK, ItemType.INTEGER, 0x100C),
        ),
        (
            '<UsageLimitsCount type="LongInteger" value="1152921504606846976"/>',
            (Tag.USAGE_LIMITS_COUNT, ItemType.LONG_INTEGER, 1 << 60),
        ),
        ('<ObjectType type="Enumeration" value="0x00000002"/>', (Tag.OBJECT_TYPE, ItemType.ENUMERATION, 2)),
        ('<ObjectType type="Enumeration" value="SymmetricKey"/>', (Tag.OBJECT_TYPE, ItemType.ENUMERATION, 2)),
        ('<BatchOrderOption type="Boolean" value="true"/>', (Tag.BATCH_ORDER_OPTION, ItemType.BOOLEAN, True)),
        (
            '<MACSignature type="ByteString" value="C50F77"/>',
            (Tag.MAC_SIGNATURE, ItemType.BYTE_STRING, b"\xc5\x0fw"),
        ),
        (
            '<ArchiveDate type="DateTime" value="2001-01-01T10:00:00+10:00"/>',
            (Tag.ARCHIVE_DATE, ItemType.DATE_TIME, 978_307_200),
        ),
        ('<Offset type="Interval" value="27"/>', (Tag.OFFSET, ItemType.INTERVAL, 27)),
        (
            '<TTLV tag="0x545352" name="SomeExtension" type="TextString" value="This is an extension"/>',
            (0x545352, ItemType.TEXT_STRING, "This is an extension"),
        ),
        (
            '<ActivationDate xmlns="urn:oasis:tc:kmip:xmlns" type="DateTime" value="1970-01-01T00:00:01+00:00"/>',
            (Tag.ACTIVATION_DATE, ItemType.DATE_TIME, 1),
        ),
        ('<PrivateKeyTemplateAttribute type="Structure"/>', (Tag.PRIVATE_KEY_TEMPLATE_ATTRIBUTE, 1, [])),
    ],
)
def test_the_standards_examples(text: str, item: Item) -> None:
    assert read(text) == item


def test_an_attribute_value_is_what_its_name_says() -> None:
    mask = CryptographicUsageMask.MAC_GENERATE | CryptographicUsageMask.WRAP_KEY
    item: Item = (
        Tag.ATTRIBUTE,
        ttlv.STRUCTURE,
        [
            (Tag.ATTRIBUTE_NAME, ttlv.TEXT_STRING, "Cryptographic Usage Mask"),
            (Tag.ATTRIBUTE_VALUE, ttlv.INTEGER, int(mask)),
        ],
    )
    assert '<AttributeValue type="Integer" value="WrapKey MACGenerate" />' in written(item)
    assert read(written(item)) == item


@pytest.mark.parametrize(
    "text",
    [
        '<NoTag type="Integer" value="1"/>',
        '<BatchCount type="Number" value="1"/>',
        '<BatchCount type="Integer"/>',
        '<BatchCount type="Integer" value="one"/>',
        '<ObjectType type="Enumeration" value="SymetricKey"/>',
        '<BatchOrderOption type="Boolean" value="yes"/>',
        '<KeyMaterial type="ByteString" value="abc"/>',
        '<ArchiveDate type="DateTime" value="2001-01-01T10:00:00"/>',
        '<ArchiveDate type="DateTime" value="yesterday"/>',
        '<TTLV type="Integer" value="1"/>',
    ],
)
def test_what_is_wrong_is_named(text: str) -> None:
    with pytest.raises(CodecError) as found:
        read(text)
    assert found.value.message.startswith(text[1:].split(" ")[0].replace("TTLV", ""))


_TAGS = st.sampled_from([*map(int, Tag), 0x540001, 0x54FFFF])
_LEAVES = st.one_of(
    st.tuples(st.just(ttlv.INTEGER), st.integers(-(1 << 31), (1 << 31) - 1)),
    st.tuples(st.just(ttlv.LONG_INTEGER), st.integers(-(1 << 63), (1 << 63) - 1)),
    st.tuples(st.just(ttlv.BIG_INTEGER), st.integers(-(1 << 200), 1 << 200)),
    st.tuples(st.just(ttlv.ENUMERATION), st.integers(0, 40) | st.integers(0, (1 << 32) - 1)),
    st.tuples(st.just(ttlv.BOOLEAN), st.booleans()),
    st.tuples(
        st.just(ttlv.TEXT_STRING), st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), max_size=20)
    ),
    st.tuples(st.just(ttlv.BYTE_STRING), st.binary(max_size=20)),
    st.tuples(st.just(ttlv.DATE_TIME), st.integers(-(1 << 63), (1 << 63) - 1)),
    st.tuples(st.just(ttlv.INTERVAL), st.integers(0, (1 << 32) - 1)),
    st.tuples(st.just(ttlv.DATE_TIME_EXTENDED), st.integers(-(1 << 63), (1 << 63) - 1)),
)
_ITEMS: st.SearchStrategy[Item] = st.recursive(
    st.tuples(_TAGS, _LEAVES).map(lambda pair: (pair[0], *pair[1])),
    lambda inner: st.tuples(_TAGS, st.just(ttlv.STRUCTURE), st.lists(inner, max_size=4)),
    max_leaves=12,
)


@given(_ITEMS)
def test_every_item_comes_back(item: Item) -> None:
    assert read(written(item)) == item


def test_text_that_xml_cannot_write_is_refused() -> None:
    with pytest.raises(CodecError):
        to_element((Tag.USERNAME, ttlv.TEXT_STRING, "a\x00b"))


@cache
def encoded(path: Path) -> list[tuple[str, bytes]]:
    """The messages of a test case, as the conformance runner encodes them: direction and bytes."""
    done = subprocess.run(
        [sys.executable, "-m", "kmipconf", "encode", str(path)],
        cwd=CONFORMANCE,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [(line.split()[1], bytes.fromhex(line.split()[2])) for line in done.stdout.splitlines() if line.strip()]


def _dated(element: Any) -> bool:
    """Whether its values are what they are, and not the moment's or an earlier answer's."""
    return not any("$" in (each.get("value") or "") for each in element.iter())


def test_the_official_test_cases_encode_as_an_independent_encoder_has_them() -> None:
    if not (CONFORMANCE / "kmipconf").is_dir():
        pytest.skip("the OASIS vectors are not beside this checkout")
    compared = 0
    for path in sorted(CONFORMANCE.glob("vectors/v*/**/*.xml"))[::2]:
        messages = [
            each for each in ElementTree.parse(path).getroot() if each.tag in ("RequestMessage", "ResponseMessage")
        ]
        for element, (_, expected) in zip(messages, encoded(path), strict=True):
            if _dated(element):
                assert ttlv.encode(from_element(element)) == expected, path.name
                compared += 1
    assert compared > 50
