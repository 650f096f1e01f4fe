"""Messages of KMIP 1.0 to 2.0 between this codec and PyKMIP's: each reads what the other writes.

Strategy: a message made by Hypothesis from the schema is written here, read by PyKMIP into its objects, written by PyKMIP
from these, and read here: it must be the same typed message. What PyKMIP is known not to understand stands in tables,
each with its reason, and is left out; the attributes among them are tried, so that a newer PyKMIP is noticed.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kmip_server.engine import registry
from kmip_server.protocol import attribute_values as av
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_set import Attribute
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.codec import decode_structure, encode_structure
from kmip_server.protocol.enums import (
    CryptographicAlgorithm,
    ItemType,
    KeyFormatType,
    ObjectType,
    Operation,
    ResultStatus,
)
from kmip_server.protocol.messages import ResponseBatchItem, encode_response
from kmip_server.protocol.objects import KeyBlock, KeyValue, KeyWrappingSpecification, OpaqueObject
from kmip_server.protocol.payloads import PAYLOADS
from kmip_server.protocol.payloads.attributes import DeleteAttributeRequest, GetAttributesResponse
from kmip_server.protocol.payloads.cryptographic import SignatureVerifyRequest, SignRequest
from kmip_server.protocol.payloads.discovery import QueryResponse
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.schema import declared
from kmip_server.protocol.spellings import writable
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import SERVED, V1_4, V2_0, Version
from tests.support.engine import children, request_message
from tests.support.structures import Structures
from tests.support.values import values

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from kmip.core import enums, primitives
    from kmip.core.messages import messages as theirs
    from kmip.core.utils import BytearrayStream

Op = Operation
VERSIONS = [version for version in SERVED if version <= V2_0]
logging.getLogger("kmip").setLevel(logging.CRITICAL)

# --- what PyKMIP 0.11.0 does not understand -----------------------------------------------------

_NOT_WRITTEN = "PyKMIP has no payload of it"
OPERATIONS: dict[Operation, str] = dict.fromkeys(
    (
        Op.ADD_ATTRIBUTE,
        Op.ADJUST_ATTRIBUTE,
        Op.EXPORT,
        Op.HASH,
        Op.IMPORT,
        Op.INTEROP,
        Op.LOG,
        Op.MAC_VERIFY,
        Op.RNG_RETRIEVE,
        Op.RNG_SEED,
        Op.SET_ENDPOINT_ROLE,
    ),
    _NOT_WRITTEN,
)

_NO_TYPE = "PyKMIP has the name and no type for the value"
_UNKNOWN = "PyKMIP does not know the attribute"
ATTRIBUTES_UNKNOWN: dict[Tag, str] = {
    Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS: _NO_TYPE,
    Tag.X_509_CERTIFICATE_IDENTIFIER: _NO_TYPE,
    Tag.X_509_CERTIFICATE_SUBJECT: _NO_TYPE,
    Tag.X_509_CERTIFICATE_ISSUER: _NO_TYPE,
    Tag.CERTIFICATE_IDENTIFIER: _NO_TYPE,
    Tag.CERTIFICATE_SUBJECT: _NO_TYPE,
    Tag.CERTIFICATE_ISSUER: _NO_TYPE,
    Tag.DIGITAL_SIGNATURE_ALGORITHM: _NO_TYPE,
    Tag.USAGE_LIMITS: _NO_TYPE,
    Tag.REVOCATION_REASON: _NO_TYPE,
    Tag.LINK: _NO_TYPE,
    Tag.RANDOM_NUMBER_GENERATOR: _NO_TYPE,
    Tag.ALTERNATIVE_NAME: _UNKNOWN,
    Tag.KEY_VALUE_PRESENT: _UNKNOWN,
    Tag.KEY_VALUE_LOCATION: _UNKNOWN,
    Tag.PKCS_12_FRIENDLY_NAME: _UNKNOWN,
    Tag.DESCRIPTION: _UNKNOWN,
    Tag.COMMENT: _UNKNOWN,
    Tag.DIGEST: "PyKMIP demands the Key Format Type, which the standard does not (KMIP 1.4 §3.17)",
}
_UNKNOWN_IN_2_0 = {
    row.tag: "PyKMIP's attributes of 2.0 are those of 1.x"
    for row in ATTRIBUTES.values()
    if not row.known_in(V1_4) or row.tag in (Tag.ALWAYS_SENSITIVE, Tag.EXTRACTABLE, Tag.NEVER_EXTRACTABLE)
} | {Tag.CERTIFICATE_TYPE: _NO_TYPE, Tag.ORIGINAL_CREATION_DATE: "PyKMIP knows it in 1.x alone"}

_P = av.CryptographicParameters
_UNKNOWN_FIELDS: dict[tuple[type, str], str] = {
    **{
        (_P, name): "PyKMIP's Cryptographic Parameters are those of 1.3"
        for name in (
            "salt_length",
            "mask_generator",
            "mask_generator_hashing_algorithm",
            "p_source",
            "trailer_field",
        )
    },
    **{
        (cls, row.name): "PyKMIP has no operations in several parts"
        for payloads in PAYLOADS.values()
        for cls in payloads
        for row in declared(cls)[1]
        if row.tag in (Tag.CORRELATION_VALUE, Tag.INIT_INDICATOR, Tag.FINAL_INDICATOR)
    },
    **{
        (cls, row.name): "PyKMIP has no masks of where a key is kept in requests and in what Query tells"
        for operation in (Op.RE_KEY, Op.RE_KEY_KEY_PAIR, Op.QUERY)
        for cls in PAYLOADS[operation]
        for row in declared(cls)[1]
        if row.name.endswith("protection_storage_masks")
    },
    (SignRequest, "digested_data"): "PyKMIP has no Digested Data",
    (SignatureVerifyRequest, "digested_data"): "PyKMIP has no Digested Data",
    (GetRequest, "key_wrap_type"): "PyKMIP has no Key Wrap Type",
    (QueryResponse, "capability_information"): "PyKMIP's is that of 1.3",
    (QueryResponse, "defaults_information"): "PyKMIP reads it with attributes of 1.x alone",
}
_UNKNOWN_FIELDS_IN_2_0: dict[tuple[type, str], str] = {
    **{
        (PAYLOADS[operation].request, row.name): "PyKMIP sends and reads the Template-Attribute of 1.x here"
        for operation in (Op.RE_KEY, Op.RE_KEY_KEY_PAIR)
        for row in declared(PAYLOADS[operation].request)[1]
        if row.name.endswith("template_attribute")
    },
    (KeyWrappingSpecification, "attribute_names"): "PyKMIP reads Attribute Names, which 2.x does not have",
    (DeleteAttributeRequest, "attribute_references"): "PyKMIP reads a structure, and no enumeration",
}
_DEMANDED: dict[tuple[type, str], str] = {
    (PAYLOADS[operation][is_answer], name): "PyKMIP demands it, the standard does not"
    for operation, is_answer, name in (
        (Op.ACTIVATE, False, "unique_identifier"),
        (Op.DECRYPT, False, "data"),
        (Op.DECRYPT, True, "data"),
        (Op.DELETE_ATTRIBUTE, False, "attribute_name"),
        (Op.DELETE_ATTRIBUTE, False, "current_attribute"),
        (Op.DELETE_ATTRIBUTE, True, "attribute"),
        (Op.ENCRYPT, False, "data"),
        (Op.ENCRYPT, True, "data"),
        (Op.GET, True, "managed_object"),
        (Op.GET_ATTRIBUTES, True, "attributes"),
        (Op.GET_ATTRIBUTE_LIST, True, "attribute_references"),
        (Op.MAC, False, "data"),
        (Op.MAC, True, "mac_data"),
        (Op.MODIFY_ATTRIBUTE, True, "attribute"),
        (Op.QUERY, False, "query_functions"),
        (Op.REGISTER, False, "managed_object"),
        (Op.REVOKE, False, "unique_identifier"),
        (Op.SIGN, False, "data"),
        (Op.SIGN, True, "signature_data"),
    )
} | {
    (av.ApplicationSpecificInformation, "application_data"): "optional since 1.3, and for PyKMIP in no version",
    (KeyBlock, "key_value"): "optional since 1.2, and for PyKMIP in no version",
}
# Values that PyKMIP's enumeration of the same name does not have.
_UNKNOWN_VALUES = {
    (ours, int(member))
    for ours in (KeyFormatType, ObjectType, CryptographicAlgorithm)
    for member in ours
    if int(member) not in {each.value for each in getattr(enums, ours.__name__)}
}
_ASCII = st.text(st.characters(max_codepoint=127), min_size=1, max_size=20)
_KINDS: dict[Any, st.SearchStrategy[Any]] = {
    # PyKMIP reads text byte by byte, takes an empty identifier for none, and numbers of an enumeration only where it
    # has a name for them.
    str: _ASCII,
    # Neither identifiers by enumeration or number, nor data from earlier items of the batch.
    "reference": _ASCII,
    "data": st.binary(max_size=20),
    ItemType.ENUMERATION: st.integers(1, 3),
    # PyKMIP reads no Key Value that is wrapped whole.
    KeyValue: st.builds(KeyValue, key_material=st.binary(min_size=1, max_size=16)),
    # PyKMIP's one Opaque Data Type is one of its own.
    OpaqueObject: st.builds(OpaqueObject, opaque_data_type=st.just(0x80000000), opaque_data_value=st.binary()),
}


# --- both ways ----------------------------------------------------------------------------------


@pytest.fixture(autouse=True, scope="module")
def _padding() -> Iterator[None]:
    """PyKMIP writes eight zeros behind a text or bytes of a multiple of eight that it has read: nothing that holds
    one could be compared."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in (primitives.TextString, primitives.ByteString):
            patch.setattr(kind, "read", _reading(kind.read))
        yield


def _reading(read: Any) -> Any:
    def reads(self: Any, *arguments: Any, **options: Any) -> None:
        read(self, *arguments, **options)
        self.padding_length %= 8

    return reads


def _message(operation: Operation, payload: ttlv.Item, version: Version, is_answer: bool) -> bytes:
    if not is_answer:
        return request_message(version, [(int(operation), payload, b"1")])
    result = ResponseBatchItem(
        operation=operation,
        unique_batch_item_id=b"1",
        result_status=ResultStatus.SUCCESS,
        response_payload=payload,
    )
    return encode_response([result], version, 1_700_000_000)


def _by_pykmip(message: bytes, version: Version, is_answer: bool) -> bytes:
    """The message as PyKMIP writes it, from what PyKMIP has read."""
    theirs_of = enums.KMIPVersion[f"KMIP_{version.major}_{version.minor}"]
    read = (theirs.ResponseMessage if is_answer else theirs.RequestMessage)()
    read.read(BytearrayStream(message), theirs_of)
    stream = BytearrayStream()
    read.write(stream, theirs_of)
    return bytes(stream.buffer)


def exchanged(operation: Operation, value: Any, version: Version) -> tuple[Any, Any]:
    """The payload as it is read here from our own bytes, and from PyKMIP's."""
    is_answer = type(value) is PAYLOADS[operation].response
    message = _message(operation, encode_structure(value, version), version, is_answer)
    tag = Tag.RESPONSE_PAYLOAD if is_answer else Tag.REQUEST_PAYLOAD
    both = []
    for each in (message, _by_pykmip(message, version, is_answer)):
        (item,) = children(ttlv.decode(each), Tag.BATCH_ITEM)
        (payload,) = children(item, tag)
        both.append(decode_structure(type(value), payload, version))
    return both[0], both[1]


def _consistent(value: Any) -> Any:
    """PyKMIP reads a Managed Object as what the Object Type before it says."""
    managed_object = getattr(value, "managed_object", None)
    if managed_object is None:
        return value
    return replace(value, object_type=ObjectType[Tag(declared(type(managed_object))[0]).name])


CASES = [
    (operation, is_answer, version)
    for operation, _ in PAYLOADS.items()
    for version in VERSIONS
    for is_answer in (False, True)
    if operation not in OPERATIONS and registry.find(operation, version)
]


@pytest.mark.parametrize(
    ("operation", "is_answer", "version"),
    CASES,
    ids=[f"{op.title}-{'answer' if is_answer else 'request'}-{version}" for op, is_answer, version in CASES],
)
def test_each_reads_the_others(operation: Operation, is_answer: bool, version: Version) -> None:
    structures = Structures(
        version,
        without_fields=_UNKNOWN_FIELDS.keys() | (_UNKNOWN_FIELDS_IN_2_0.keys() if version == V2_0 else set()),
        always_fields=_DEMANDED,
        without_values=_UNKNOWN_VALUES,
        kinds=_KINDS,
        without_vendors=version == V2_0,
        without_attributes=ATTRIBUTES_UNKNOWN.keys() | (_UNKNOWN_IN_2_0.keys() if version == V2_0 else set()),
    )

    @settings(
        max_examples=20,
        phases=(Phase.explicit, Phase.generate),
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(structures.instances(PAYLOADS[operation][is_answer]).map(_consistent))
    def both_ways(value: Any) -> None:
        ours, theirs_read = exchanged(operation, value, version)
        assert theirs_read == ours

    both_ways()


# --- the tables are no longer than they must be -------------------------------------------------


def _is_understood(tag: Tag, version: Version) -> bool:
    attribute = Attribute(tag, None, values(tag)[0])
    response = GetAttributesResponse(unique_identifier="a", attributes=(attribute,))
    try:
        ours, theirs_read = exchanged(Op.GET_ATTRIBUTES, response, version)
    except Exception:
        return False
    return bool(ours == theirs_read)


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_each_attribute_is_understood_or_stands_in_a_table(version: Version) -> None:
    known = {row.tag for row in ATTRIBUTES.values() if row.known_in(version)}
    can_be_written = {tag for tag in known if writable(Attribute(tag, None, values(tag)[0]), version)}
    not_understood = {tag for tag in can_be_written if not _is_understood(tag, version)}
    listed = ATTRIBUTES_UNKNOWN.keys() | (_UNKNOWN_IN_2_0.keys() if version == V2_0 else set())
    assert not_understood == listed & can_be_written


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.title)
def test_each_operation_in_the_table_is_not_pykmips(operation: Operation) -> None:
    version = max(operation.since, V1_4)
    payload: ttlv.Item = (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, [])
    with pytest.raises((NotImplementedError, ValueError)):
        _by_pykmip(_message(operation, payload, version, False), version, False)
