"""Usage Limits under many clients at once: never more answers than the limit, and the count is what was released.

Sixteen connections use one key until it is spent, one request at a time and in batches; each counts what it was
given. KMIP 1.4 §3.21.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.enums import (
    BatchErrorContinuationOption,
    BlockCipherMode,
    HashingAlgorithm,
    Operation,
    PaddingMethod,
    ResultReason,
    ResultStatus,
    UsageLimitsUnit,
)
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    EncryptRequest,
    MACRequest,
    MACVerifyRequest,
    SignatureVerifyRequest,
    SignRequest,
)
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_4
from tests.support.engine import child
from tests.support.requests import A, attribute, create, create_key_pair, parameters
from tests.support.server import RunningServer
from tests.support.wire import Client, Connection

THREADS = 16
CBC = parameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5)
ECDSA = parameters(hashing_algorithm=HashingAlgorithm.SHA_256)
Option = BatchErrorContinuationOption


def encrypt(uid: str, data: bytes) -> tuple[Operation, Any]:
    request = EncryptRequest(
        unique_identifier=uid, cryptographic_parameters=CBC, data=data, iv_counter_nonce=bytes(16)
    )
    return Operation.ENCRYPT, request


def mac(uid: str, data: bytes) -> tuple[Operation, Any]:
    cmac = parameters(cryptographic_algorithm=A.AES)
    return Operation.MAC, MACRequest(unique_identifier=uid, cryptographic_parameters=cmac, data=data)


def sign(uid: str, data: bytes) -> tuple[Operation, Any]:
    return Operation.SIGN, SignRequest(unique_identifier=uid, cryptographic_parameters=ECDSA, data=data)


USES: dict[str, Callable[[str, bytes], tuple[Operation, Any]]] = {"encrypt": encrypt, "mac": mac, "sign": sign}


def limited(client: Client, use: str, unit: UsageLimitsUnit, total: int) -> str:
    """An active key with this limit."""
    limits = attribute(Tag.USAGE_LIMITS, UsageLimits(usage_limits_total=total, usage_limits_unit=unit))
    if use == "sign":
        pair = create_key_pair(A.ECDSA, 256)
        assert pair.private_key_template_attribute is not None
        private = pair.private_key_template_attribute
        pair = type(pair)(
            common_template_attribute=pair.common_template_attribute,
            private_key_template_attribute=type(private)(attributes=(*private.attributes, limits)),
            public_key_template_attribute=pair.public_key_template_attribute,
        )
        uid = client.call(Operation.CREATE_KEY_PAIR, pair).private_key_unique_identifier
    else:
        uid = client.call(Operation.CREATE, create(limits)).unique_identifier
    client.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
    return str(uid)


def left(client: Client, uid: str) -> int:
    request = GetAttributesRequest(unique_identifier=uid, attribute_names=(Tag.USAGE_LIMITS,))
    (limits,) = client.call(Operation.GET_ATTRIBUTES, request).attributes
    return int(limits.value.usage_limits_count)


@dataclass
class Released:
    """What one client was given, and how it was refused in the end."""

    amounts: list[int] = field(default_factory=list)
    reasons: set[int] = field(default_factory=set)
    unexpected: list[str] = field(default_factory=list)


def succeeded(item: Item) -> bool:
    """Whether a use was released: its output is there."""
    status = child(item, Tag.RESULT_STATUS)
    outputs = (Tag.DATA, Tag.MAC_DATA, Tag.SIGNATURE_DATA)
    given = any(child(item, Tag.RESPONSE_PAYLOAD, tag) is not None for tag in outputs)
    assert given == (status == ResultStatus.SUCCESS)
    return given


def spend(
    client: Client, message: list[tuple[Operation, Any, int]], option: Option | None, found: Released
) -> bool:
    """One message; False where nothing of it was released. `message` has operation, request and amount."""
    requests = [(operation, request) for operation, request, _ in message]
    items = client.batch(*requests, option=option)
    released = [amount for item, (_, _, amount) in zip(items, message, strict=False) if succeeded(item)]
    found.amounts += [amount for amount in released if amount]
    failed = {child(item, Tag.RESULT_REASON) for item in items if not succeeded(item)} - {None}
    found.reasons |= failed
    return bool(released)


def at_once(server: RunningServer, work: Callable[[int, Client, Released], None]) -> list[Released]:
    """`work` on sixteen connections, all of them let go together."""
    results = [Released() for _ in range(THREADS)]
    together = threading.Barrier(THREADS)

    def run(number: int) -> None:
        with Connection(server) as connection:
            together.wait(60)
            try:
                work(number, Client(connection, V1_4), results[number])
            except Exception as error:
                results[number].unexpected.append(repr(error))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [each.unexpected for each in results if each.unexpected] == []
    return results


@pytest.mark.parametrize("unit", list(UsageLimitsUnit), ids=lambda each: each.title)
@pytest.mark.parametrize("use", USES)
def test_one_request_at_a_time(server: RunningServer, use: str, unit: UsageLimitsUnit) -> None:
    by_byte = unit == UsageLimitsUnit.BYTE
    limit = 300 if by_byte else 100
    with Connection(server) as connection:
        client = Client(connection, V1_4)
        uid = limited(client, use, unit, limit)

        def work(number: int, client: Client, found: Released) -> None:
            size = number % 5 + 1
            while size and sum(found.amounts) <= limit:
                operation, request = USES[use](uid, bytes(size))
                if not spend(client, [(operation, request, size if by_byte else 1)], None, found):
                    # What is left may do for less.
                    size = size - 1 if by_byte else 0

        results = at_once(server, work)
        released = sum(sum(each.amounts) for each in results)
        assert {reason for each in results for reason in each.reasons} == {ResultReason.PERMISSION_DENIED}
        assert released == limit
        assert left(client, uid) == 0


@pytest.mark.parametrize("option", list(Option), ids=lambda each: each.title)
def test_batches(server: RunningServer, option: Option) -> None:
    """Three uses and, in every second message, an item that fails: what leaves is what was counted."""
    total = 240
    with Connection(server) as connection:
        client = Client(connection, V1_4)
        uid = limited(client, "encrypt", UsageLimitsUnit.OBJECT, total)

        def work(number: int, client: Client, found: Released) -> None:
            for turn in range(40):
                uses = [(*USES["encrypt" if n % 2 else "mac"](uid, b"data"), 1) for n in range(3)]
                fails: tuple[Operation, Any, int] = (Operation.GET, GetRequest(unique_identifier="absent"), 0)
                message = [*uses[:2], fails, uses[2]] if (number + turn) % 2 else uses
                spend(client, message, option, found)

        results = at_once(server, work)
        released = sum(sum(each.amounts) for each in results)
        assert released <= total
        assert left(client, uid) == total - released
        if option == Option.UNDO:
            # Whole batches of three alone were released.
            assert released % 3 == 0
        assert released >= total - 2, "what was refused had to be refused"


def test_processing_costs_nothing_and_what_fails_costs_nothing(server: RunningServer) -> None:
    with Connection(server) as connection:
        client = Client(connection, V1_4)
        uid = limited(client, "encrypt", UsageLimitsUnit.BYTE, 100)
        encrypted = client.call(*encrypt(uid, b"0123456789"))
        computed = client.call(*mac(uid, b"0123456789"))
        assert left(client, uid) == 80
        back = DecryptRequest(
            unique_identifier=uid,
            cryptographic_parameters=CBC,
            data=encrypted.data,
            iv_counter_nonce=bytes(16),
        )
        verify = MACVerifyRequest(
            unique_identifier=uid,
            cryptographic_parameters=parameters(cryptographic_algorithm=A.AES),
            data=b"0123456789",
            mac_data=computed.mac_data,
        )
        assert client.call(Operation.DECRYPT, back).data == b"0123456789"
        client.call(Operation.MAC_VERIFY, verify)
        assert left(client, uid) == 80
        # A use that fails, one whose answer is too large to leave, and one that is undone.
        bad = EncryptRequest(
            unique_identifier=uid, cryptographic_parameters=CBC, data=b"x", iv_counter_nonce=b"short"
        )
        assert not spend(client, [(Operation.ENCRYPT, bad, 1)], None, Released())
        header: list[Item] = [(Tag.MAXIMUM_RESPONSE_SIZE, ttlv.INTEGER, 200)]
        (item,) = client.batch(encrypt(uid, bytes(64)), header=header)
        assert child(item, Tag.RESULT_REASON) == ResultReason.RESPONSE_TOO_LARGE
        absent = (Operation.GET, GetRequest(unique_identifier="absent"), 0)
        assert not spend(client, [(*encrypt(uid, b"xx"), 2), absent], Option.UNDO, Released())
        assert left(client, uid) == 80
        # More than is left is refused whole; all that is left is given.
        assert not spend(client, [(*encrypt(uid, bytes(81)), 81)], None, Released())
        assert spend(client, [(*encrypt(uid, bytes(80)), 80)], None, Released())
        assert left(client, uid) == 0
        assert client.call(Operation.DECRYPT, back).data == b"0123456789"


def test_verifying_signatures_costs_nothing(server: RunningServer) -> None:
    with Connection(server) as connection:
        client = Client(connection, V1_4)
        limits = attribute(
            Tag.USAGE_LIMITS, UsageLimits(usage_limits_total=1, usage_limits_unit=UsageLimitsUnit.OBJECT)
        )
        pair = client.call(Operation.CREATE_KEY_PAIR, create_key_pair(A.ECDSA, 256, limits))
        private, public = pair.private_key_unique_identifier, pair.public_key_unique_identifier
        for uid in (private, public):
            client.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
        signature = client.call(*sign(private, b"data")).signature_data
        for _ in range(3):
            client.call(
                Operation.SIGNATURE_VERIFY,
                SignatureVerifyRequest(
                    unique_identifier=public,
                    cryptographic_parameters=ECDSA,
                    data=b"data",
                    signature_data=signature,
                ),
            )
        assert left(client, private) == 0
        assert left(client, public) == 1
