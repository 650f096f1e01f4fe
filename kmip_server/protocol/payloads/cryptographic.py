"""The operations that use a key, and those that need none.

KMIP 1.4 §4.29-4.37; KMIP 2.1 §6.1.11, 6.1.17, 6.1.24, 6.1.32-6.1.33, 6.1.49-6.1.50 and 6.1.55-6.1.56.

A correlation value with its two indicators belongs to an operation in several parts.
"""

from __future__ import annotations

from kmip_server.protocol.attribute_values import CryptographicParameters
from kmip_server.protocol.enums import ValidityIndicator
from kmip_server.protocol.schema import Data, ObjectReference, field, structure
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_3, V1_4


@structure(Tag.REQUEST_PAYLOAD)
class EncryptRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    cryptographic_parameters: CryptographicParameters | None = field(Tag.CRYPTOGRAPHIC_PARAMETERS)
    data: Data | None = field(Tag.DATA, secret=True)
    iv_counter_nonce: bytes | None = field(Tag.IV_COUNTER_NONCE)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)
    init_indicator: bool | None = field(Tag.INIT_INDICATOR, since=V1_3)
    final_indicator: bool | None = field(Tag.FINAL_INDICATOR, since=V1_3)
    authenticated_encryption_additional_data: bytes | None = field(
        Tag.AUTHENTICATED_ENCRYPTION_ADDITIONAL_DATA, since=V1_4
    )


@structure(Tag.RESPONSE_PAYLOAD)
class EncryptResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    data: bytes | None = field(Tag.DATA, secret=True)
    iv_counter_nonce: bytes | None = field(Tag.IV_COUNTER_NONCE)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)
    authenticated_encryption_tag: bytes | None = field(Tag.AUTHENTICATED_ENCRYPTION_TAG, since=V1_4)


@structure(Tag.REQUEST_PAYLOAD)
class DecryptRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    cryptographic_parameters: CryptographicParameters | None = field(Tag.CRYPTOGRAPHIC_PARAMETERS)
    data: Data | None = field(Tag.DATA, secret=True)
    iv_counter_nonce: bytes | None = field(Tag.IV_COUNTER_NONCE)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)
    init_indicator: bool | None = field(Tag.INIT_INDICATOR, since=V1_3)
    final_indicator: bool | None = field(Tag.FINAL_INDICATOR, since=V1_3)
    authenticated_encryption_additional_data: bytes | None = field(
        Tag.AUTHENTICATED_ENCRYPTION_ADDITIONAL_DATA, since=V1_4
    )
    authenticated_encryption_tag: bytes | None = field(Tag.AUTHENTICATED_ENCRYPTION_TAG, since=V1_4)


@structure(Tag.RESPONSE_PAYLOAD)
class DecryptResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    data: bytes | None = field(Tag.DATA, secret=True)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)


@structure(Tag.REQUEST_PAYLOAD)
class SignRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    cryptographic_parameters: CryptographicParameters | None = field(Tag.CRYPTOGRAPHIC_PARAMETERS)
    data: Data | None = field(Tag.DATA, secret=True)
    digested_data: bytes | None = field(Tag.DIGESTED_DATA, since=V1_4, secret=True)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)
    init_indicator: bool | None = field(Tag.INIT_INDICATOR, since=V1_3)
    final_indicator: bool | None = field(Tag.FINAL_INDICATOR, since=V1_3)


@structure(Tag.RESPONSE_PAYLOAD)
class SignResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    signature_data: bytes | None = field(Tag.SIGNATURE_DATA)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)


@structure(Tag.REQUEST_PAYLOAD)
class SignatureVerifyRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    cryptographic_parameters: CryptographicParameters | None = field(Tag.CRYPTOGRAPHIC_PARAMETERS)
    data: Data | None = field(Tag.DATA, secret=True)
    digested_data: bytes | None = field(Tag.DIGESTED_DATA, since=V1_4, secret=True)
    signature_data: bytes | None = field(Tag.SIGNATURE_DATA)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)
    init_indicator: bool | None = field(Tag.INIT_INDICATOR, since=V1_3)
    final_indicator: bool | None = field(Tag.FINAL_INDICATOR, since=V1_3)


@structure(Tag.RESPONSE_PAYLOAD)
class SignatureVerifyResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    validity_indicator: ValidityIndicator = field(Tag.VALIDITY_INDICATOR)
    data: bytes | None = field(Tag.DATA, secret=True)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)


@structure(Tag.REQUEST_PAYLOAD)
class MACRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    cryptographic_parameters: CryptographicParameters | None = field(Tag.CRYPTOGRAPHIC_PARAMETERS)
    data: Data | None = field(Tag.DATA, secret=True)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)
    init_indicator: bool | None = field(Tag.INIT_INDICATOR, since=V1_3)
    final_indicator: bool | None = field(Tag.FINAL_INDICATOR, since=V1_3)


@structure(Tag.RESPONSE_PAYLOAD)
class MACResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    mac_data: bytes | None = field(Tag.MAC_DATA)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)


@structure(Tag.REQUEST_PAYLOAD)
class MACVerifyRequest:
    unique_identifier: ObjectReference | None = field(Tag.UNIQUE_IDENTIFIER)
    cryptographic_parameters: CryptographicParameters | None = field(Tag.CRYPTOGRAPHIC_PARAMETERS)
    data: Data | None = field(Tag.DATA, secret=True)
    mac_data: bytes | None = field(Tag.MAC_DATA)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)
    init_indicator: bool | None = field(Tag.INIT_INDICATOR, since=V1_3)
    final_indicator: bool | None = field(Tag.FINAL_INDICATOR, since=V1_3)


@structure(Tag.RESPONSE_PAYLOAD)
class MACVerifyResponse:
    unique_identifier: str = field(Tag.UNIQUE_IDENTIFIER)
    validity_indicator: ValidityIndicator = field(Tag.VALIDITY_INDICATOR)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)


@structure(Tag.REQUEST_PAYLOAD)
class HashRequest:
    cryptographic_parameters: CryptographicParameters = field(Tag.CRYPTOGRAPHIC_PARAMETERS)
    data: Data | None = field(Tag.DATA, secret=True)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)
    init_indicator: bool | None = field(Tag.INIT_INDICATOR, since=V1_3)
    final_indicator: bool | None = field(Tag.FINAL_INDICATOR, since=V1_3)


@structure(Tag.RESPONSE_PAYLOAD)
class HashResponse:
    data: bytes | None = field(Tag.DATA, secret=True)
    correlation_value: bytes | None = field(Tag.CORRELATION_VALUE, since=V1_3)


@structure(Tag.REQUEST_PAYLOAD)
class RNGRetrieveRequest:
    data_length: int = field(Tag.DATA_LENGTH)  # bytes


@structure(Tag.RESPONSE_PAYLOAD)
class RNGRetrieveResponse:
    data: bytes = field(Tag.DATA, secret=True)


@structure(Tag.REQUEST_PAYLOAD)
class RNGSeedRequest:
    data: bytes = field(Tag.DATA, secret=True)


@structure(Tag.RESPONSE_PAYLOAD)
class RNGSeedResponse:
    data_length: int = field(Tag.DATA_LENGTH)  # bytes
