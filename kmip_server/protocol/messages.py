"""Headers, batch items and authentication: a whole message to and from typed records.

Strategy: a message is decoded in two steps. Here the header and each batch item's envelope; the payload of an
item stays an item until it is that one's turn, so that one bad item fails alone. What cannot even be split
into items raises `MalformedMessage`, which still knows in which version to say so.
KMIP 1.4 sections 6 and 7; KMIP 2.1 sections 8 and 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Annotated, Any

from kmip_server.errors import CodecError, KmipError, MissingData, ServerLimitExceeded, UnsupportedProtocolVersion
from kmip_server.frozen import frozen
from kmip_server.protocol import ttlv
from kmip_server.protocol.codec import decode_fields, decode_structure, encode_structure
from kmip_server.protocol.enums import (
    AsynchronousIndicator,
    AttestationType,
    BatchErrorContinuationOption,
    CredentialType,
    ItemType,
    Operation,
    ResultReason,
    ResultStatus,
)
from kmip_server.protocol.schema import AnyItem, DateTime, field, structure
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import (
    BYTE_STRING,
    DATE_TIME,
    ENUMERATION,
    INTEGER,
    STRUCTURE,
    TEXT_STRING,
    Item,
)
from kmip_server.protocol.versions import BY_NUMBERS, V1_2, V1_4, V2_0, Version

_RawEnumeration = Annotated[int, ItemType.ENUMERATION]


# --- requests -----------------------------------------------------------------------------------


@structure(Tag.PROTOCOL_VERSION)
class ProtocolVersion:
    protocol_version_major: int = field(Tag.PROTOCOL_VERSION_MAJOR)
    protocol_version_minor: int = field(Tag.PROTOCOL_VERSION_MINOR)


@structure(Tag.CREDENTIAL)
class Credential:
    """KMIP 1.4 §2.1.2. The value's structure depends on the type: see `username_and_password`."""

    credential_type: CredentialType = field(Tag.CREDENTIAL_TYPE)
    credential_value: AnyItem = field(Tag.CREDENTIAL_VALUE, secret=True)


@structure(Tag.CREDENTIAL_VALUE)
class UsernameAndPassword:
    username: str = field(Tag.USERNAME)
    password: str | None = field(Tag.PASSWORD, secret=True)


@structure(Tag.CREDENTIAL_VALUE)
class DeviceCredential:
    device_serial_number: str | None = field(Tag.DEVICE_SERIAL_NUMBER)
    password: str | None = field(Tag.PASSWORD, secret=True)
    device_identifier: str | None = field(Tag.DEVICE_IDENTIFIER)
    network_identifier: str | None = field(Tag.NETWORK_IDENTIFIER)
    machine_identifier: str | None = field(Tag.MACHINE_IDENTIFIER)
    media_identifier: str | None = field(Tag.MEDIA_IDENTIFIER)


def credential_value(credential: Credential, kind: type[Any], version: Version) -> Any:
    """The typed Credential Value. Raises a CodecError that never repeats it."""
    return decode_structure(kind, credential.credential_value, version)


@structure(Tag.AUTHENTICATION)
class Authentication:
    credentials: tuple[Credential, ...] = field(Tag.CREDENTIAL)


@structure(Tag.REQUEST_HEADER)
class RequestHeader:
    protocol_version: AnyItem = field(Tag.PROTOCOL_VERSION)  # read before the rest: `_version`
    maximum_response_size: int | None = field(Tag.MAXIMUM_RESPONSE_SIZE)  # bytes
    client_correlation_value: str | None = field(Tag.CLIENT_CORRELATION_VALUE, since=V1_4)
    server_correlation_value: str | None = field(Tag.SERVER_CORRELATION_VALUE, since=V1_4)
    asynchronous_requested: bool | None = field(Tag.ASYNCHRONOUS_INDICATOR, until=V1_4)
    asynchronous_indicator: AsynchronousIndicator | None = field(Tag.ASYNCHRONOUS_INDICATOR, since=V2_0)
    attestation_capable_indicator: bool | None = field(Tag.ATTESTATION_CAPABLE_INDICATOR, since=V1_2)
    attestation_types: tuple[AttestationType, ...] = field(Tag.ATTESTATION_TYPE, since=V1_2)
    authentication: Authentication | None = field(Tag.AUTHENTICATION)
    batch_error_continuation_option: BatchErrorContinuationOption | None = field(
        Tag.BATCH_ERROR_CONTINUATION_OPTION
    )
    batch_order_option: bool | None = field(Tag.BATCH_ORDER_OPTION)
    time_stamp: DateTime | None = field(Tag.TIME_STAMP)
    batch_count: int = field(Tag.BATCH_COUNT)


@structure(Tag.MESSAGE_EXTENSION)
class MessageExtension:
    """KMIP 1.4 §6.16. What a vendor puts in is not looked at; only whether it must be."""

    vendor_identification: str = field(Tag.VENDOR_IDENTIFICATION)
    criticality_indicator: bool = field(Tag.CRITICALITY_INDICATOR)
    vendor_extension: AnyItem | None = field(Tag.VENDOR_EXTENSION)


@structure(Tag.BATCH_ITEM)
class RequestBatchItem:
    operation: _RawEnumeration = field(Tag.OPERATION)
    ephemeral: bool | None = field(Tag.EPHEMERAL, since=V2_0)
    unique_batch_item_id: bytes | None = field(Tag.UNIQUE_BATCH_ITEM_ID)
    request_payload: AnyItem = field(Tag.REQUEST_PAYLOAD, secret=True)
    message_extensions: tuple[MessageExtension, ...] = field(Tag.MESSAGE_EXTENSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedBatchItem:
    """A batch item that is not one: what could be read of it, and what is wrong."""

    operation: int | None
    unique_batch_item_id: bytes | None
    error: KmipError


@frozen
class RequestMessage:
    version: Version
    header: RequestHeader
    batch_items: tuple[RequestBatchItem | RejectedBatchItem, ...]


class MalformedMessage(Exception):
    """No batch item could be made out. `version` is the one to answer in."""

    def __init__(self, version: Version, error: KmipError) -> None:
        super().__init__(error.message)
        self.version = version
        self.error = error


def decode_request(data: bytes, served: tuple[Version, ...], max_batch_items: int | None = None) -> RequestMessage:
    """The message that `data` is. Raises MalformedMessage and nothing else.

    One with more than `max_batch_items` is refused before any is looked at.
    """
    if max_batch_items is not None and len(data) > max_batch_items * _SMALLEST_BATCH_ITEM:
        _require_at_most(max_batch_items, data, served)
    try:
        known = _known_header(data, served)
        if known is not None:
            version, header, at = known
            item_items = ttlv.decode_items(data, at, len(data))
            return _request(version, header, item_items, max_batch_items)
        item = ttlv.decode(data)
    except CodecError as error:
        # The first bytes still say in which version to answer.
        raise MalformedMessage(peek_version(data, served) or served[0], error) from error
    version = served[0]
    try:
        if item[0] != Tag.REQUEST_MESSAGE or item[1] != STRUCTURE or not item[2]:
            raise CodecError("a request is a Request Message structure")
        header_item, *item_items = item[2]
        if header_item[0] != Tag.REQUEST_HEADER or header_item[1] != STRUCTURE:
            raise CodecError("a Request Message begins with its Request Header")
        version = _version(header_item[2], served)
        header = decode_fields(RequestHeader, header_item[2], version)
        _learn_header(data, served, version, header)
        return _request(version, header, item_items, max_batch_items)
    except KmipError as error:
        raise MalformedMessage(version, error) from error


def _request(
    version: Version, header: RequestHeader, item_items: list[Item], max_batch_items: int | None
) -> RequestMessage:
    """The message with this header and these items. Raises MalformedMessage."""
    try:
        if header.batch_count != len(item_items):
            raise CodecError("Batch Count is not the number of batch items")
        if not item_items:
            raise MissingData("a Request Message must have a Batch Item")
        if max_batch_items is not None and len(item_items) > max_batch_items:
            raise _too_many(max_batch_items)
        batch_items = tuple(_batch_item(each, version) for each in item_items)
        return RequestMessage(version=version, header=header, batch_items=batch_items)
    except KmipError as error:
        raise MalformedMessage(version, error) from error


_HEADERS: dict[bytes, tuple[tuple[Version, ...], Version, RequestHeader]] = {}
"""Headers that were decoded lately, by their bytes: a client sends the same one again and again."""
_HEADERS_KEPT = 256
_HEADER_BYTES = 160


def _known_header(data: bytes, served: tuple[Version, ...]) -> tuple[Version, RequestHeader, int] | None:
    """The header that `data` begins with, if it was decoded lately, and where the items begin."""
    end = 16 + int.from_bytes(data[12:16], "big")
    if end > _HEADER_BYTES or data[:4] != _REQUEST_MESSAGE or int.from_bytes(data[4:8], "big") != len(data) - 8:
        return None
    known = _HEADERS.get(data[8:end])
    return None if known is None or known[0] is not served else (known[1], known[2], end)


def _learn_header(data: bytes, served: tuple[Version, ...], version: Version, header: RequestHeader) -> None:
    """Keep a header that says nothing of its one message or its sender, and no secret."""
    end = 16 + int.from_bytes(data[12:16], "big")
    told = (
        header.authentication,
        header.time_stamp,
        header.client_correlation_value,
        header.server_correlation_value,
    )
    if end <= _HEADER_BYTES and not any(each is not None for each in told):
        if len(_HEADERS) >= _HEADERS_KEPT:
            _HEADERS.clear()
        _HEADERS[data[8:end]] = (served, version, header)


_REQUEST_MESSAGE = (Tag.REQUEST_MESSAGE << 8 | STRUCTURE).to_bytes(4, "big")
_SMALLEST_BATCH_ITEM = 32
"""Bytes: its own header, an Operation, an empty payload."""


def _require_at_most(max_batch_items: int, data: bytes, served: tuple[Version, ...]) -> None:
    """Raise MalformedMessage where the header of a long message says too many items: taking them apart costs most.

    A header that cannot be read is left to whoever reads the whole.
    """
    try:
        tag, kind, fields = ttlv.decode(data[8 : 16 + int.from_bytes(data[12:16], "big")])
        if tag != Tag.REQUEST_HEADER or kind != STRUCTURE:
            return
        count = _found(fields, Tag.BATCH_COUNT, INTEGER)
        if count is not None and count > max_batch_items:
            raise MalformedMessage(_version(fields, served), _too_many(max_batch_items))
    except KmipError:
        return


def _too_many(max_batch_items: int) -> ServerLimitExceeded:
    return ServerLimitExceeded(f"a message has at most {max_batch_items} batch items")


def _encoded_version(version: Version) -> bytes:
    numbers = ProtocolVersion(protocol_version_major=version.major, protocol_version_minor=version.minor)
    return ttlv.encode(encode_structure(numbers, version))


_PROTOCOL_VERSIONS: dict[Version, bytes] = {version: _encoded_version(version) for version in Version}


def _version(header: list[Item], served: tuple[Version, ...]) -> Version:
    found = next((item for item in header if item[0] == Tag.PROTOCOL_VERSION), None)
    if found is None:
        raise MissingData("Request Header must have Protocol Version")
    known = _plain_version(found)
    if known is not None and known in served:
        return known
    numbers = decode_structure(ProtocolVersion, found, served[0])
    pair = (numbers.protocol_version_major, numbers.protocol_version_minor)
    version = BY_NUMBERS.get(pair)
    if version is None or version not in served:
        # Told in the best version that a client of this major version may know.
        same_major = [each for each in served if each.major == pair[0]] or served
        error = UnsupportedProtocolVersion(f"KMIP {pair[0]}.{pair[1]} is not served; ask Discover Versions")
        raise MalformedMessage(max(same_major), error)
    return version


def _plain_version(item: Item) -> Version | None:
    """The version by its two numbers alone, as all but faulty messages have it; anything else is taken apart."""
    match item[2]:
        case [(Tag.PROTOCOL_VERSION_MAJOR, ttlv.INTEGER, major), (Tag.PROTOCOL_VERSION_MINOR, ttlv.INTEGER, minor)]:
            return BY_NUMBERS.get((major, minor))
    return None


def _batch_item(item: Item, version: Version) -> RequestBatchItem | RejectedBatchItem:
    if item[0] != Tag.BATCH_ITEM or item[1] != STRUCTURE:
        raise CodecError("a Request Message has only Batch Items after its header")
    fields = item[2]
    if len(fields) == 2 and fields[0][:2] == _PLAIN_OPERATION and fields[1][0] == _PAYLOAD:
        # As nearly all have it; anything else is taken apart.
        return RequestBatchItem(
            operation=fields[0][2],
            ephemeral=None,
            unique_batch_item_id=None,
            request_payload=fields[1],
            message_extensions=(),
        )
    try:
        return decode_fields(RequestBatchItem, item[2], version)
    except KmipError as error:
        return RejectedBatchItem(
            operation=_found(item[2], Tag.OPERATION, ENUMERATION),
            unique_batch_item_id=_found(item[2], Tag.UNIQUE_BATCH_ITEM_ID, BYTE_STRING),
            error=error,
        )


_PLAIN_OPERATION = (int(Tag.OPERATION), ENUMERATION)
_PAYLOAD = int(Tag.REQUEST_PAYLOAD)


def _found(items: list[Item], tag: Tag, kind: int) -> Any:
    return next((item[2] for item in items if item[0] == tag and item[1] == kind), None)


# --- responses ----------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class ResponseBatchItem:
    """The result of one item. Written by hand below, because every answer has one."""

    result_status: ResultStatus
    operation: int | None = None
    unique_batch_item_id: bytes | None = None
    result_reason: ResultReason | None = None
    result_message: str | None = None
    response_payload: Item | None = dataclass_field(default=None, repr=False)


def encode_response(
    batch_items: list[ResponseBatchItem],
    version: Version,
    time_stamp: int,
    client_correlation_value: str | None = None,
    server_correlation_value: str | None = None,
) -> bytes:
    """A Response Message. `time_stamp` in seconds since 1970, UTC.

    Its header holds only what every version has, and what the client asked for: some stop at anything more. So the
    server's Correlation Value goes only to a client that sent one of its own.
    """
    header = [_PROTOCOL_VERSIONS[version], ttlv.long_item(DATE_TIME, Tag.TIME_STAMP, time_stamp)]
    if client_correlation_value is not None and version >= V1_4:
        header.append(ttlv.encode((Tag.CLIENT_CORRELATION_VALUE, TEXT_STRING, client_correlation_value)))
        if server_correlation_value is not None:
            header.append(ttlv.encode((Tag.SERVER_CORRELATION_VALUE, TEXT_STRING, server_correlation_value)))
    header.append(ttlv.word_item(INTEGER, Tag.BATCH_COUNT, len(batch_items)))
    parts = [ttlv.structure(Tag.RESPONSE_HEADER, header)]
    parts += [ttlv.structure(Tag.BATCH_ITEM, _result_fields(item)) for item in batch_items]
    return ttlv.structure(Tag.RESPONSE_MESSAGE, parts)


def _result_fields(result: ResponseBatchItem) -> list[bytes]:
    """A batch item's fields, encoded, in the standard's order: the same in every version."""
    fields: list[bytes] = []
    if result.operation is not None:
        fields.append(ttlv.word_item(ENUMERATION, Tag.OPERATION, result.operation))
    if result.unique_batch_item_id is not None:
        fields.append(ttlv.encode((Tag.UNIQUE_BATCH_ITEM_ID, BYTE_STRING, result.unique_batch_item_id)))
    fields.append(ttlv.word_item(ENUMERATION, Tag.RESULT_STATUS, result.result_status))
    if result.result_reason is not None:
        fields.append(ttlv.word_item(ENUMERATION, Tag.RESULT_REASON, result.result_reason))
    if result.result_message is not None:
        fields.append(ttlv.encode((Tag.RESULT_MESSAGE, TEXT_STRING, result.result_message)))
    if result.response_payload is not None:
        fields.append(ttlv.encode(result.response_payload))
    return fields


def operation_of(value: int) -> Operation | None:
    """The operation with this value, or None where the standard has none."""
    return Operation._value2member_map_.get(value)  # type: ignore[return-value]


def peek_version(prefix: bytes, served: tuple[Version, ...]) -> Version | None:
    """The version in the first bytes of a message that is not whole; None where it cannot be read.

    Request Message, Request Header and Protocol Version are 8 bytes of header each, then come the two
    Integers of 16 bytes: their values stand at 32 and 48.
    """
    if len(prefix) < 56:
        return None
    expected = ((0, Tag.REQUEST_MESSAGE), (8, Tag.REQUEST_HEADER), (16, Tag.PROTOCOL_VERSION))
    if any(int.from_bytes(prefix[at : at + 3], "big") != tag for at, tag in expected):
        return None
    if prefix[27] != INTEGER or prefix[43] != INTEGER:
        return None
    pair = (int.from_bytes(prefix[32:36], "big"), int.from_bytes(prefix[48:52], "big"))
    version = BY_NUMBERS.get(pair)
    return version if version in served else None
