"""The seeds of the fuzzer: made from the schema and the operations, by no more than this file.

    python -m tests.fuzz.corpus            writes corpus/TARGET/NAME

Strategy: one message of every operation in both majors, with every field that the version has; conversations on the
objects of `world.py`. All values are made up here: nothing was recorded from a real system. A test compares, so that a new
operation has its seed. What the fuzzer finds is kept in `found/`, and passes with every run of the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntFlag
from typing import Any

from kmip_server.engine import operations as _operations  # noqa: F401 - registers every operation
from kmip_server.engine import registry
from kmip_server.protocol import attribute_values as av
from kmip_server.protocol import objects, ttlv
from kmip_server.protocol.attribute_set import Attribute, VendorAttribute
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    MASK_BITS,
    BatchErrorContinuationOption,
    CredentialType,
    ItemType,
    NameType,
    Operation,
)
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.registered import Registered
from kmip_server.protocol.schema import FieldRow, declared, is_structure
from kmip_server.protocol.spellings import TemplateAttribute, writable
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_0, V1_4, V2_1, Version
from tests.fuzz import CORPUS
from tests.support import requests as r
from tests.support.engine import request_message
from tests.support.provoke import wrapped
from tests.support.provoke_second import ASKED, CBC, USUAL
from tests.support.values import values

Op = Operation
VERSIONS = (V1_4, V2_1)

_SAMPLES: dict[Any, Any] = {
    int: 1,
    str: "a",
    bytes: b"\x01\x02",
    bool: True,
    ItemType.LONG_INTEGER: 1 << 40,
    ItemType.BIG_INTEGER: -(1 << 70),
    ItemType.DATE_TIME: 1_700_000_000,
    ItemType.INTERVAL: 60,
    ItemType.ENUMERATION: 1,
    "reference": "a",
    "data": b"\x03\x04",
    "item": (int(Tag.ATTRIBUTE_VALUE), ttlv.INTEGER, 1),
}


# --- one of each structure ----------------------------------------------------------------------


def _sample(kind: Any, version: Version) -> Any:
    if is_structure(kind):
        return whole(kind, version)
    if isinstance(kind, type) and issubclass(kind, Registered):
        return next((each for each in kind if each.known_in(version)), next(iter(kind)))
    if isinstance(kind, type) and issubclass(kind, IntFlag):
        return kind(MASK_BITS[kind][version])
    return _SAMPLES[kind]


def _attributes(version: Version) -> tuple[Attribute, ...]:
    standard = [
        Attribute(row.tag, None, values(row.tag)[0]) for row in ATTRIBUTES.values() if row.known_in(version)
    ]
    vendor = Attribute(VendorAttribute("x", "a"), None, av.CustomValue(ItemType.TEXT_STRING, "b"))
    return tuple(each for each in (*standard, vendor) if writable(each, version))


def _spelled(row: FieldRow, version: Version) -> Any:
    every, keys = _attributes(version), (Tag.NAME, Tag.STATE, VendorAttribute("x", "a"))
    key_block = objects.KeyBlock(
        key_format_type=objects.KeyFormatType.RAW, key_value=objects.KeyValue(key_material=bytes(16))
    )
    spelling = type((row.spellings or {})[version.major]).__name__
    name = av.Name(name_value="a", name_type=NameType.UNINTERPRETED_TEXT_STRING)
    return {
        "_Template": TemplateAttribute(names=(name,) if version.major == 1 else (), attributes=every),
        "_AttributesOrTemplate": TemplateAttribute(attributes=every),
        "_Repeated": every,
        "_Attributes": every,
        "_Single": every[-1],
        "_Names": keys,
        "_References": keys,
        "_NamesOrReferences": keys,
        "_KeyValueSpelling": objects.KeyValue(key_material=bytes(16)),
        "_ManagedObjectSpelling": objects.SymmetricKey(key_block=key_block),
    }[spelling]


def whole(cls: type[Any], version: Version) -> Any:
    """A structure with every field that the version has."""
    fields = {}
    for row in declared(cls)[1]:
        is_there = row.since <= version and (row.until is None or version <= row.until)
        if row.spellings:
            if is_there and version.major in row.spellings:
                fields[row.name] = _spelled(row, version)
        elif is_there or row.required:
            value = _sample(row.kind, version)
            fields[row.name] = (value, value) if row.repeated else value
    return cls(**fields)


def _typed() -> Iterator[tuple[str, bytes]]:
    for registration in registry.registrations():
        for version in VERSIONS:
            if registry.find(registration.operation, version) is None:
                continue
            payloads = [encode_structure(whole(registration.request, version), version, Tag.REQUEST_PAYLOAD)]
            payloads += [encode_structure(whole(registration.response, version), version, Tag.RESPONSE_PAYLOAD)]
            operation: Item = (Tag.OPERATION, ttlv.ENUMERATION, int(registration.operation))
            for payload, what in zip(payloads, ("request", "answer"), strict=True):
                name = f"{_file(registration.operation)}-{what}-{version}"
                yield name, ttlv.encode((Tag.BATCH_ITEM, ttlv.STRUCTURE, [operation, payload]))
    yield "header-1.4", _message(V1_4, (Op.QUERY, USUAL[Op.QUERY](_NAMES)), header=_header(V1_4))
    yield "header-2.1", _message(V2_1, (Op.QUERY, USUAL[Op.QUERY](_NAMES)), header=_header(V2_1))


def _file(operation: Operation) -> str:
    return operation.title.lower().replace(" ", "-")


# --- messages -----------------------------------------------------------------------------------


class _Names:
    """Of new objects, where the usual request of an operation wants one."""

    def fresh_name(self) -> str:
        return "fresh"


_NAMES: Any = _Names()

# The objects of the world that the usual request of an operation can be performed on.
_FITTING = {
    Op.DECRYPT: "aes",
    Op.ENCRYPT: "counted",
    Op.DELETE_ATTRIBUTE: "aes",
    Op.MODIFY_ATTRIBUTE: "aes",
    Op.SET_ATTRIBUTE: "aes",
    Op.MAC: "hmac",
    Op.MAC_VERIFY: "hmac",
    Op.RE_KEY_KEY_PAIR: "private",
    Op.REVOKE: "aes",
    Op.SIGN: "private",
    Op.SIGNATURE_VERIFY: "public",
}


def _message(version: Version, *asked: tuple[Operation, Any], **options: Any) -> bytes:
    items = [
        (int(operation), encode_structure(request, version), bytes([number]) if len(asked) > 1 else None)
        for number, (operation, request) in enumerate(asked)
    ]
    return request_message(version, items, **options)


def _header(version: Version) -> list[Item]:
    """A credential, a bound and a correlation value."""
    value: list[Item] = [
        (Tag.USERNAME, ttlv.TEXT_STRING, "somebody"),
        (Tag.PASSWORD, ttlv.TEXT_STRING, "not a password"),
    ]
    credential: list[Item] = [
        (Tag.CREDENTIAL_TYPE, ttlv.ENUMERATION, int(CredentialType.USERNAME_AND_PASSWORD)),
        (Tag.CREDENTIAL_VALUE, ttlv.STRUCTURE, value),
    ]
    fields: list[Item] = [(Tag.MAXIMUM_RESPONSE_SIZE, ttlv.INTEGER, 4096)]
    if version >= V1_4:
        fields.append((Tag.CLIENT_CORRELATION_VALUE, ttlv.TEXT_STRING, "a"))
    fields.append((Tag.AUTHENTICATION, ttlv.STRUCTURE, [(Tag.CREDENTIAL, ttlv.STRUCTURE, credential)]))
    return fields


def _usual(operation: Operation) -> Any:
    if operation in ASKED:
        return ASKED[operation](_FITTING.get(operation, "new"))
    return USUAL[operation](_NAMES)


def _conversations() -> Iterator[tuple[str, bytes]]:
    for operation in USUAL:
        for version in VERSIONS:
            if registry.find(operation, version) is not None:
                yield f"{_file(operation)}-{version}", _message(version, (operation, _usual(operation)))
    encrypt = ASKED[Op.ENCRYPT]
    for version in (V1_0, *VERSIONS):
        get = (Op.GET, GetRequest())
        life = [
            (Op.CREATE, r.create(r.name("a"), r.custom("x-a", "b"))),
            (Op.ACTIVATE, ActivateRequest()),
            (Op.GET_ATTRIBUTES, GetAttributesRequest()),
            get,
            (Op.REVOKE, r.revoke(None)),
            (Op.DESTROY, DestroyRequest()),
        ]
        yield f"life-{version}", _message(version, *life)
        for option in BatchErrorContinuationOption:
            failing = (life[0], (Op.GET, GetRequest(unique_identifier="elses")), (Op.DESTROY, DestroyRequest()))
            yield f"{option.title.lower()}-{version}", _message(version, *failing, option=option)
        located = (Op.LOCATE, LocateRequest(attributes=(r.name("aes"),)))
        yield f"search-{version}", _message(version, located, get, (Op.LOCATE, LocateRequest()))
        wrap = GetRequest(unique_identifier="hmac", key_wrapping_specification=wrapped("aes"))
        yield f"wrapped-{version}", _message(version, (Op.GET, wrap))
        forbidden = [(Op.GET, GetRequest(unique_identifier=each)) for each in ("sensitive", "elses", "nobody's")]
        yield f"forbidden-{version}", b"".join(_message(version, each) for each in forbidden)
    for version in VERSIONS:
        used_up = [(Op.ENCRYPT, encrypt("counted"))] * 5
        yield f"counted-{version}", b"".join(_message(version, each) for each in used_up)
        yield f"header-{version}", _message(version, (Op.QUERY, _usual(Op.QUERY)), header=_header(version))
        first = r.parameters(
            block_cipher_mode=CBC.block_cipher_mode, padding_method=CBC.padding_method, random_iv=True
        )
        parts = type(encrypt("aes"))(
            unique_identifier="aes", cryptographic_parameters=first, data=bytes(16), init_indicator=True
        )
        yield f"parts-{version}", _message(version, (Op.ENCRYPT, parts))


# --- bytes --------------------------------------------------------------------------------------


def _items() -> Iterator[tuple[str, bytes]]:
    inner: list[Item] = [
        (Tag.OFFSET_ITEMS, ttlv.INTEGER, -1),
        (Tag.USAGE_LIMITS_COUNT, ttlv.LONG_INTEGER, 1 << 40),
        (Tag.MODULUS, ttlv.BIG_INTEGER, -(1 << 70)),
        (Tag.OPERATION, ttlv.ENUMERATION, 1),
        (Tag.BATCH_ORDER_OPTION, ttlv.BOOLEAN, True),
        (Tag.NAME_VALUE, ttlv.TEXT_STRING, "é"),
        (Tag.DATA, ttlv.BYTE_STRING, b"\x01"),
        (Tag.TIME_STAMP, ttlv.DATE_TIME, 1_700_000_000),
        (Tag.LEASE_TIME, ttlv.INTERVAL, 60),
        (Tag.TIME_STAMP, ttlv.DATE_TIME_EXTENDED, 1_700_000_000_000_000),
    ]
    for item in inner:
        yield ItemType.of(item[1]).title.lower().replace(" ", "-"), ttlv.encode(item)
    yield "structure", ttlv.encode((Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, inner))
    nested: Item = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [])
    for _ in range(ttlv.MAX_DEPTH):
        nested = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [nested])
    yield "nested", ttlv.encode(nested)


def _streams() -> Iterator[tuple[str, bytes]]:
    query = _message(V1_4, (Op.QUERY, USUAL[Op.QUERY](_NAMES)))
    yield "one", b"\xff" + query
    yield "byte-by-byte", b"\x00" + query
    yield "three", b"\x06" + 3 * query
    yield "cut-short", b"\x06" + query + query[:20]
    yield "nonsense-after", b"\x0f" + query + b"GET / HTTP/1.1\r\n"
    yield "too-long", b"\x06" + query + query[:4] + b"\x00\x10\x00\x00"
    yield "odd-length", b"\x06" + query[:4] + b"\x00\x00\x00\x0c"


def seeds() -> dict[str, dict[str, bytes]]:
    """By target and name."""
    every = {"framing": _streams, "ttlv": _items, "typed": _typed, "conversation": _conversations}
    return {target: dict(made()) for target, made in every.items()}


def main() -> None:
    for target, made in seeds().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, data in made.items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
