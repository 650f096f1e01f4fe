"""What it takes to provoke an error over the wire: objects made for it, and requests spoilt for it.

Everything here works in each version: an object that only 1.x can make is made by a client of 1.x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kmip_server.engine.attribute_rules import MAX_INSTANCES
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import ApplicationSpecificInformation
from kmip_server.protocol.enums import (
    BlockCipherMode,
    CryptographicAlgorithm,
    EncodingOption,
    HashingAlgorithm,
    KeyFormatType,
    ObjectType,
    Operation,
    PaddingMethod,
    SecretDataType,
    WrappingMethod,
)
from kmip_server.protocol.objects import (
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingData,
    KeyWrappingSpecification,
    SecretData,
    SymmetricKey,
    Template,
)
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_2, V1_4
from tests.support import requests as r
from tests.support.wire import Client

A, M, Op = r.A, r.M, Operation
ABSENT = "00000000-0000-0000-0000-000000000000"


def key(client: Client, *attributes: Any, **options: Any) -> str:
    made: str = client.call(Op.CREATE, r.create(*attributes, **options)).unique_identifier
    return made


def active(client: Client, **options: Any) -> str:
    made = key(client, **options)
    client.call(Op.ACTIVATE, ActivateRequest(unique_identifier=made))
    return made


def pair(client: Client) -> tuple[str, str]:
    """Private and public key of an active RSA pair."""
    made = client.call(Op.CREATE_KEY_PAIR, r.create_key_pair(A.RSA, 2048, r.attribute(Tag.ACTIVATION_DATE, 0)))
    return made.private_key_unique_identifier, made.public_key_unique_identifier


def secret(client: Client) -> str:
    made: str = client.call(Op.REGISTER, secret_request()).unique_identifier
    return made


def secret_request() -> RegisterRequest:
    block = KeyBlock(key_format_type=KeyFormatType.OPAQUE, key_value=KeyValue(key_material=b"a secret"))
    return RegisterRequest(
        object_type=ObjectType.SECRET_DATA,
        template_attribute=r.template(r.attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M(0))),
        managed_object=SecretData(secret_data_type=SecretDataType.PASSWORD, key_block=block),
    )


def template(client: Client) -> str:
    """A Template object: it has no State. 2.x has none; clients of 1.x leave them behind."""
    request = RegisterRequest(
        object_type=ObjectType.TEMPLATE,
        template_attribute=r.template(r.name(client.fresh_name())),
        managed_object=Template(attributes=(r.attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),)),
    )
    first = client if client.version.major == 1 else Client(client.connection, V1_4)
    made: str = first.call(Op.REGISTER, request).unique_identifier
    return made


def destroyed(client: Client) -> str:
    made = key(client)
    client.call(Op.DESTROY, DestroyRequest(unique_identifier=made))
    return made


def stored_wrapped(client: Client) -> str:
    """A key registered wrapped, by a method that this server does not unwrap."""
    made: str = client.call(Op.REGISTER, registering(wrapped_object(bytes(24)))).unique_identifier
    return made


def wrapped_object(value: bytes | KeyValue) -> SymmetricKey:
    block = KeyBlock(
        key_format_type=KeyFormatType.RAW,
        key_value=value,
        cryptographic_algorithm=A.AES,
        cryptographic_length=128,
        key_wrapping_data=KeyWrappingData(
            wrapping_method=WrappingMethod.TR_31,
            encryption_key_information=EncryptionKeyInformation(
                unique_identifier="elsewhere",
                cryptographic_parameters=r.parameters(block_cipher_mode=BlockCipherMode.NISTKEYWRAP),
            ),
            encoding_option=EncodingOption.NO_ENCODING,
        ),
    )
    return SymmetricKey(key_block=block)


def registering(managed_object: SymmetricKey) -> RegisterRequest:
    return RegisterRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        template_attribute=r.template(r.attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.ENCRYPT)),
        managed_object=managed_object,
    )


def valueless(
    algorithm: CryptographicAlgorithm,
    length: int,
    kind: type[Any] = SymmetricKey,
    object_type: ObjectType = ObjectType.SYMMETRIC_KEY,
) -> Callable[[Client], str]:
    """An active key whose value the server does not have. 1.0 and 1.1 know none; other clients leave them behind."""

    def made(client: Client) -> str:
        maker = client if client.version >= V1_2 else Client(client.connection, V1_4)
        block = KeyBlock(
            key_format_type=KeyFormatType.RAW, cryptographic_algorithm=algorithm, cryptographic_length=length
        )
        mask = r.attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, r.ALL_USES)
        request = RegisterRequest(
            object_type=object_type,
            template_attribute=r.template(mask, r.attribute(Tag.ACTIVATION_DATE, 0)),
            managed_object=kind(key_block=block),
        )
        unique_identifier: str = maker.call(Op.REGISTER, request).unique_identifier
        return unique_identifier

    return made


# Attributes beside a value that was wrapped un-encoded.
BESIDE = KeyValue(key_material=bytes(24), attributes=(r.attribute(Tag.OBJECT_GROUP, "beside"),))


NAMESPACE = r.attribute(
    Tag.APPLICATION_SPECIFIC_INFORMATION, ApplicationSpecificInformation(application_namespace="of nobody")
)


def too_many() -> list[Any]:
    return [r.custom("x-many", str(number)) for number in range(MAX_INSTANCES + 1)]


def wrapped(encryption: str, *, option: EncodingOption | None = None, **more: Any) -> KeyWrappingSpecification:
    return KeyWrappingSpecification(
        wrapping_method=WrappingMethod.ENCRYPT,
        encryption_key_information=EncryptionKeyInformation(
            unique_identifier=encryption,
            cryptographic_parameters=r.parameters(block_cipher_mode=BlockCipherMode.NISTKEYWRAP),
        ),
        encoding_option=option,
        **more,
    )


CBC = r.parameters(block_cipher_mode=BlockCipherMode.CBC)
PKCS5 = r.parameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5)
RSA_SHA256 = r.parameters(padding_method=PaddingMethod.PKCS1_V1_5, hashing_algorithm=HashingAlgorithm.SHA_256)

Provoke = Callable[[Client], Any]


def taken(client: Client) -> Any:
    """A Name that another object has."""
    name = r.name(client.fresh_name())
    key(client, name)
    return name


def altered(operation: Operation, request: Any, tag: Tag, value: int) -> Provoke:
    """The request with one enumeration replaced by a value that nobody registered."""

    def change(item: ttlv.Item) -> ttlv.Item:
        if item[1] == ttlv.STRUCTURE:
            return (item[0], item[1], [change(each) for each in item[2]])
        return (item[0], item[1], value) if item[0] == tag else item

    return lambda client: client.call(operation, request(client), change=change)
