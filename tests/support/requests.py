"""Requests that many tests make."""

from __future__ import annotations

from typing import Any

from kmip_server.protocol.attribute_set import Attribute, AttributeKey, VendorAttribute
from kmip_server.protocol.attribute_values import CryptographicParameters, CustomValue, Name, RevocationReason
from kmip_server.protocol.enums import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ItemType,
    KeyFormatType,
    NameType,
    ObjectType,
    RevocationReasonCode,
)
from kmip_server.protocol.objects import KeyBlock, KeyValue, SymmetricKey
from kmip_server.protocol.payloads.create import CreateKeyPairRequest, CreateRequest
from kmip_server.protocol.payloads.lifecycle import RevokeRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.spellings import TemplateAttribute
from kmip_server.protocol.tags import Tag

A, M = CryptographicAlgorithm, CryptographicUsageMask
ALL_USES = M.ENCRYPT | M.DECRYPT | M.SIGN | M.VERIFY | M.MAC_GENERATE | M.MAC_VERIFY | M.WRAP_KEY


def name(value: str) -> Attribute:
    return attribute(Tag.NAME, Name(name_value=value, name_type=NameType.UNINTERPRETED_TEXT_STRING))


def attribute(key: AttributeKey, value: Any, index: int | None = None) -> Attribute:
    return Attribute(key, index, value)


def custom(title: str, value: Any, kind: ItemType = ItemType.TEXT_STRING) -> Attribute:
    vendor, _, rest = title.partition("-")
    return Attribute(VendorAttribute(vendor, rest), None, CustomValue(kind, value))


def template(*attributes: Attribute) -> TemplateAttribute:
    return TemplateAttribute(attributes=attributes)


def create(
    *attributes: Attribute,
    algorithm: CryptographicAlgorithm | None = A.AES,
    length: int | None = 256,
    mask: CryptographicUsageMask | None = ALL_USES,
) -> CreateRequest:
    given: list[Attribute] = []
    for tag, value in (
        (Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm),
        (Tag.CRYPTOGRAPHIC_LENGTH, length),
        (Tag.CRYPTOGRAPHIC_USAGE_MASK, mask),
    ):
        if value is not None:
            given.append(attribute(tag, value))
    return CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, template_attribute=template(*given, *attributes))


def create_key_pair(algorithm: CryptographicAlgorithm, length: int, *common: Attribute) -> CreateKeyPairRequest:
    return CreateKeyPairRequest(
        common_template_attribute=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, length),
            *common,
        ),
        private_key_template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.SIGN | M.DECRYPT)),
        public_key_template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.VERIFY | M.ENCRYPT)),
    )


def register_key(
    key: bytes,
    *attributes: Attribute,
    algorithm: CryptographicAlgorithm = A.AES,
    mask: CryptographicUsageMask = ALL_USES,
) -> RegisterRequest:
    block = KeyBlock(
        key_format_type=KeyFormatType.RAW,
        key_value=KeyValue(key_material=key),
        cryptographic_algorithm=algorithm,
        cryptographic_length=len(key) * 8,
    )
    return RegisterRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask), *attributes),
        managed_object=SymmetricKey(key_block=block),
    )


def revoke(
    unique_identifier: str | None, code: RevocationReasonCode = RevocationReasonCode.CESSATION_OF_OPERATION
) -> RevokeRequest:
    return RevokeRequest(
        unique_identifier=unique_identifier, revocation_reason=RevocationReason(revocation_reason_code=code)
    )


def parameters(**given: Any) -> CryptographicParameters:
    return CryptographicParameters(**given)
