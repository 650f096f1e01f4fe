"""What the protocol alone costs: a Get request decoded and its answer encoded, by this codec and by PyKMIP's.

    python -m bench.codec          (or make bench BENCH=--codec)

Strategy: the same bytes for both, each to and from their typed objects, complete: header, batch item, payload,
Key Block. This server's short cut for an object that is sent as it is kept is not taken. Nothing is timed before
both have been shown to read and write the same.
"""

from __future__ import annotations

import statistics
import time
import timeit
import warnings
from collections.abc import Callable
from typing import Any

from bench import messages, report
from kmip_server.engine import operations as _operations  # noqa: F401 - compiles every payload
from kmip_server.protocol import codec, ttlv
from kmip_server.protocol import messages as ours
from kmip_server.protocol.enums import CryptographicAlgorithm, KeyFormatType, ObjectType, Operation, ResultStatus
from kmip_server.protocol.objects import KeyBlock, KeyValue, SymmetricKey
from kmip_server.protocol.payloads.get import GetRequest, GetResponse
from kmip_server.protocol.versions import SERVED, V1_2

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from kmip.core import enums
    from kmip.core.messages import messages as theirs
    from kmip.core.utils import BytearrayStream

Work = Callable[[], Any]

_UNIQUE_IDENTIFIER = "0191d4a2-7c1e-7b32-9d5a-3f0c5e8a1b47"
_TIME_STAMP = 1_700_000_000
_REQUEST = messages.get(_UNIQUE_IDENTIFIER)
_ANSWER = GetResponse(
    object_type=ObjectType.SYMMETRIC_KEY,
    unique_identifier=_UNIQUE_IDENTIFIER,
    managed_object=SymmetricKey(
        key_block=KeyBlock(
            key_format_type=KeyFormatType.RAW,
            key_value=KeyValue(key_material=bytes(range(32))),
            cryptographic_algorithm=CryptographicAlgorithm.AES,
            cryptographic_length=256,
        )
    ),
)


def decode_ours() -> GetRequest:
    request = ours.decode_request(_REQUEST, SERVED)
    (item,) = request.batch_items
    assert isinstance(item, ours.RequestBatchItem)
    return codec.decode_structure(GetRequest, item.request_payload, request.version)


def encode_ours() -> bytes:
    result = ours.ResponseBatchItem(
        operation=Operation.GET,
        result_status=ResultStatus.SUCCESS,
        response_payload=codec.encode_structure(_ANSWER, V1_2),
    )
    return ours.encode_response([result], V1_2, _TIME_STAMP)


def decode_pykmip() -> Any:
    message = theirs.RequestMessage()
    message.read(BytearrayStream(_REQUEST), enums.KMIPVersion.KMIP_1_2)
    return message.batch_items[0].request_payload


def pykmip_encoder(answer: bytes) -> Callable[[], bytes]:
    """PyKMIP's objects of this answer are made by PyKMIP from its bytes, and then only written."""
    message = theirs.ResponseMessage()
    message.read(BytearrayStream(answer), enums.KMIPVersion.KMIP_1_2)

    def encode() -> bytes:
        stream = BytearrayStream()
        message.write(stream, enums.KMIPVersion.KMIP_1_2)
        return bytes(stream.buffer)

    return encode


def contestants() -> dict[str, tuple[Work, Work]]:
    """Decoding and encoding, by name. Raises AssertionError where the two do not agree."""
    codec.compile_plans()
    encode_pykmip = pykmip_encoder(encode_ours())
    assert decode_ours().unique_identifier == decode_pykmip().unique_identifier == _UNIQUE_IDENTIFIER
    assert encode_ours() == encode_pykmip()
    assert ttlv.encode(ttlv.decode(encode_ours())) == encode_ours()
    return {"ours": (decode_ours, encode_ours), "PyKMIP": (decode_pykmip, encode_pykmip)}


def microseconds(work: Work, number: int) -> float:
    """Processor time of one call: what else the machine does counts less so."""
    return timeit.timeit(work, timer=time.process_time, number=number) / number * 1e6


def measure(rounds: int = 15, number: int = 1000) -> list[dict[str, Any]]:
    """A row for each codec, in microseconds: medians of interleaved rounds."""
    every = contestants()
    found: dict[str, list[tuple[float, float]]] = {who: [] for who in every}
    for _ in range(rounds):
        for who, (decode, encode) in every.items():
            found[who].append((microseconds(decode, number), microseconds(encode, number)))
    rows = []
    for who, times in found.items():
        decoding, encoding = (statistics.median(column) for column in zip(*times, strict=True))
        together = statistics.median(sum(each) for each in times)
        rows.append({"who": who, "decode_us": decoding, "encode_us": encoding, "together_us": together})
    return rows


if __name__ == "__main__":
    print(report.codec_table(measure()))
