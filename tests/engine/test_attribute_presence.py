"""Which attributes objects always have, and which appear unasked: the standard's columns, against real objects.

"SHALL always have a value" is checked on every type of object, registered and made, in every version; "When implicitly
set" the other way round: what appears that nobody asked for must be set by that operation, or stand in UNASKED.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.enums import ObjectType, Operation
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.rekey import RekeyRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_1, V1_2, Version
from tests.protocol.test_attribute_rules import OBJECTS
from tests.support.engine import SERVED, Engine
from tests.support.objects import registered, types_of
from tests.support.requests import A, create, create_key_pair, revoke

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "kmip-reference" / "attributes.csv"
pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason="the standard's tables are not beside the project")
_T = ObjectType

NEVER_ON: dict[str, tuple[set[ObjectType], str]] = {
    "Cryptographic Algorithm": (
        {_T.SECRET_DATA, _T.OPAQUE_OBJECT, _T.TEMPLATE},
        "2.x excepts them; a Template hands it down",
    ),
    "Cryptographic Length": (
        {_T.SECRET_DATA, _T.OPAQUE_OBJECT, _T.TEMPLATE},
        "only its owner knows how much of a secret counts",
    ),
    "Cryptographic Usage Mask": (
        {_T.OPAQUE_OBJECT, _T.TEMPLATE},
        "2.x excepts Opaque Objects; a Template hands it down",
    ),
    "Digital Signature Algorithm": ({_T.PGP_KEY}, "no PGP key is taken apart"),
}
"""Attributes that the standard always wants, and the objects that lack them here."""

UNASKED = {
    "Key Format Type": "2.1 §4.26: a required attribute, set by the server; the column is empty",
    "Protection Storage Mask": "when object is stored",
    "Sensitive": "when object is created or registered",
    "Extractable": "when object is created or registered",
    "Always Sensitive": "when Sensitive is set",
    "Never Extractable": "when Extractable is set (the column says its own name)",
    "Rotate Date": "when object is rotated: Re-key is how it is here",
    "Rotate Generation": "when object is rotated: Re-key is how it is here",
    "Rotate Latest": "when object is rotated: Re-key is how it is here",
    "Cryptographic Domain Parameters": "read off the keys of curves and of DSA; the column has Re-key only",
    "Name": "moved by Re-key",
}


@cache
def columns() -> dict[tuple[str, str], dict[str, str]]:
    with REFERENCE.open(newline="", encoding="utf-8") as file:
        return {(row["version"], row["name"]): row for row in csv.DictReader(file)}


def operations(cell: str) -> set[str]:
    """The operations in a cell; the standard has lost two commas."""
    for first in ("Activate", "Revoke"):
        cell = cell.replace(f"{first} Certify", f"{first}, Certify")
    return {each.strip() for each in cell.split(",")}


def shown(engine: Engine, uid: str, version: Version) -> set[Tag]:
    request = GetAttributesRequest(unique_identifier=uid)
    attributes = engine.call(Operation.GET_ATTRIBUTES, request, version=version).attributes
    return {each.key for each in attributes if isinstance(each.key, Tag)}


def made(engine: Engine, version: Version) -> Iterator[tuple[Operation, ObjectType, str]]:
    """Objects of every kind, made in each way: operation, Object Type, Unique Identifier."""
    for object_type in types_of(version):
        uid = engine.call(Operation.REGISTER, registered(object_type), version=version).unique_identifier
        yield Operation.REGISTER, object_type, uid
    uid = engine.call(Operation.CREATE, create(), version=version).unique_identifier
    yield Operation.CREATE, _T.SYMMETRIC_KEY, uid
    new = engine.call(Operation.RE_KEY, RekeyRequest(unique_identifier=uid), version=version).unique_identifier
    yield Operation.RE_KEY, _T.SYMMETRIC_KEY, new
    for algorithm, length in ((A.RSA, 2048), (A.ECDSA, 256)):
        pair = engine.call(Operation.CREATE_KEY_PAIR, create_key_pair(algorithm, length), version=version)
        yield Operation.CREATE_KEY_PAIR, _T.PRIVATE_KEY, pair.private_key_unique_identifier
        yield Operation.CREATE_KEY_PAIR, _T.PUBLIC_KEY, pair.public_key_unique_identifier


def lacking(engine: Engine, version: Version) -> Iterator[tuple[str, ObjectType, Operation]]:
    """Attributes that an object of this type should always have, and has not."""
    for operation, object_type, uid in made(engine, version):
        present = shown(engine, uid, version)
        for row in ATTRIBUTES.values():
            cells = columns().get((str(version), row.name))
            if cells is None or not cells["always_has_value"].startswith("Yes"):
                continue
            if object_type in OBJECTS[cells["applies_to"]] and row.tag not in present:
                yield row.name, object_type, operation


@pytest.mark.parametrize("version", SERVED)
def test_what_shall_always_have_a_value_has_one(engine: Engine, version: Version) -> None:
    unexplained = [
        f"{name} of a {object_type.title} after {operation.title}"
        for name, object_type, operation in lacking(engine, version)
        if object_type not in NEVER_ON.get(name, (set(), ""))[0]
    ]
    assert unexplained == []


def test_each_exception_is_one(engine: Engine) -> None:
    absent = {(name, object_type) for version in SERVED for name, object_type, _ in lacking(engine, version)}
    assert absent == {(name, each) for name, (types, _) in NEVER_ON.items() for each in types}


@pytest.mark.parametrize("version", SERVED)
def test_what_appears_unasked_is_set_by_that_operation(engine: Engine, version: Version) -> None:
    asked = {
        Tag.CRYPTOGRAPHIC_ALGORITHM,
        Tag.CRYPTOGRAPHIC_LENGTH,
        Tag.CRYPTOGRAPHIC_USAGE_MASK,
    }
    for operation, object_type, uid in made(engine, version):
        for tag in shown(engine, uid, version) - asked:
            cells = columns().get((str(version), tag.title))
            assert cells is not None or tag.title.startswith(("Certificate Subject ", "Certificate Issuer "))
            if cells is None or tag.title in UNASKED:
                continue
            assert operation.title in operations(cells["when_implicitly_set"]), (
                f"{tag.title} of a {object_type.title} after {operation.title} in {version}"
            )


@pytest.mark.parametrize("version", [V1_1, V1_2])
def test_operations_on_an_object_set_what_the_column_says(engine: Engine, version: Version) -> None:
    uid = engine.call(Operation.CREATE, create(), version=version).unique_identifier
    steps = [
        (Operation.ACTIVATE, ActivateRequest(unique_identifier=uid)),
        (Operation.REVOKE, revoke(uid)),
        (Operation.DESTROY, DestroyRequest(unique_identifier=uid)),
    ]
    before = shown(engine, uid, version)
    for operation, request in steps:
        engine.call(operation, request, version=version)
        after = shown(engine, uid, version)
        assert after > before
        for tag in after - before:
            assert operation.title in operations(columns()[(str(version), tag.title)]["when_implicitly_set"])
        assert before <= after
        before = after
