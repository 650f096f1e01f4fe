"""Which worker a message is for: told by its first Correlation Value, by nothing that only looks like one."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kmip_server.engine.streams import VALUE_LENGTH
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import HashingAlgorithm, Operation
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    EncryptRequest,
    HashRequest,
    MACRequest,
    MACVerifyRequest,
    SignatureVerifyRequest,
    SignRequest,
)
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_3, V1_4, V2_1, Version
from kmip_server.work.addressee import MAX_ITEMS, addressee
from tests.support.engine import request_message
from tests.support.requests import parameters

LATER = VALUE_LENGTH - 1
REQUESTS: dict[Operation, Any] = {
    Operation.ENCRYPT: EncryptRequest,
    Operation.DECRYPT: DecryptRequest,
    Operation.SIGN: SignRequest,
    Operation.SIGNATURE_VERIFY: SignatureVerifyRequest,
    Operation.MAC: MACRequest,
    Operation.MAC_VERIFY: MACVerifyRequest,
    Operation.HASH: HashRequest,
}


def value_of(slot: int) -> bytes:
    return bytes([slot]) + bytes(range(LATER))


def message(*requests: tuple[Operation, Any], version: Version = V1_4) -> bytes:
    items = [
        (int(operation), encode_structure(request, version), b"%d" % number if len(requests) > 1 else None)
        for number, (operation, request) in enumerate(requests)
    ]
    return request_message(version, items)


def part(slot: int | None, data: bytes = b"some data") -> tuple[Operation, Any]:
    value = None if slot is None else value_of(slot)
    return Operation.ENCRYPT, EncryptRequest(unique_identifier="a key", data=data, correlation_value=value)


def lure(slot: int) -> bytes:
    """What stands on the wire for a Correlation Value."""
    return Tag.CORRELATION_VALUE.to_bytes(3, "big") + b"\x08" + VALUE_LENGTH.to_bytes(4, "big") + value_of(slot)


@pytest.mark.parametrize("version", [V1_3, V1_4, V2_1])
@pytest.mark.parametrize("operation", REQUESTS)
def test_a_part_of_each_operation_names_its_worker(operation: Operation, version: Version) -> None:
    own: dict[str, Any] = {"unique_identifier": "a key"}
    if operation == Operation.HASH:
        own = {"cryptographic_parameters": parameters(hashing_algorithm=HashingAlgorithm.SHA_256)}
    for slot in (0, 1, 63):
        request = REQUESTS[operation](data=b"x", correlation_value=value_of(slot), **own)
        assert addressee(message((operation, request), version=version)) == slot
    assert addressee(message((operation, REQUESTS[operation](data=b"x", **own)), version=version)) is None


def test_the_first_value_of_a_batch_counts() -> None:
    assert addressee(message(part(None), part(3), part(2))) == 3


def test_a_value_of_another_length_is_none_of_ours() -> None:
    for value in (b"", b"\1", value_of(1)[:-1], value_of(1) + b"x"):
        request = EncryptRequest(data=b"x", correlation_value=value)
        assert addressee(message((Operation.ENCRYPT, request))) is None


def test_what_looks_like_a_value_in_data_leads_nobody_astray() -> None:
    assert lure(5) in message(part(None, lure(5)))
    assert addressee(message(part(None, lure(5)))) is None
    assert addressee(message(part(2, lure(5)))) == 2
    assert addressee(message(part(None, lure(5)), part(4))) == 4


def test_the_walk_is_bounded() -> None:
    least = next(
        count for count in range(1, MAX_ITEMS) if addressee(message(*[part(None)] * count, part(1))) is None
    )
    assert 50 < least < MAX_ITEMS
    # What is beyond is answered where it came, however much it is.
    assert addressee(message(*[part(None)] * 2000, part(1))) is None


def test_whatever_the_bytes_it_raises_nothing() -> None:
    chance = random.Random(7)
    whole = message(part(None, lure(5)), part(3))
    for cut in range(len(whole)):
        assert addressee(whole[:cut]) in (None, 3)
    for _ in range(5000):
        spoilt = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            spoilt[chance.randrange(len(spoilt))] = chance.choice((0, 1, 8, 0x42, 0xFF, chance.randrange(256)))
        found = addressee(bytes(spoilt))
        assert found is None or 0 <= found <= 255
