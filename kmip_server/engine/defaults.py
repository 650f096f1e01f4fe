"""What a key gets that a 2.x client does not ask for. KMIP 2.1 sections 6.1.8, 6.1.9 and 7.11.

Strategy: one table, which Create, Create Key Pair and Query's Defaults Information share, so that what the server
says of its defaults is what it does. 1.x has no defaults: there a client must say what it wants.
"""

from __future__ import annotations

from kmip_server.crypto.algorithms import SYMMETRIC
from kmip_server.protocol.attribute_set import Attribute, AttributeSet
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import CryptographicUsageMask as M
from kmip_server.protocol.enums import ObjectType
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import Version

DEFAULTS: dict[ObjectType, dict[Tag, object]] = {
    ObjectType.SYMMETRIC_KEY: {
        Tag.CRYPTOGRAPHIC_ALGORITHM: A.AES,
        Tag.CRYPTOGRAPHIC_LENGTH: 256,
        Tag.CRYPTOGRAPHIC_USAGE_MASK: M.ENCRYPT | M.DECRYPT,
    },
    ObjectType.PRIVATE_KEY: {
        Tag.CRYPTOGRAPHIC_ALGORITHM: A.RSA,
        Tag.CRYPTOGRAPHIC_LENGTH: 2048,
        Tag.CRYPTOGRAPHIC_USAGE_MASK: M.SIGN | M.DECRYPT | M.UNWRAP_KEY,
    },
    ObjectType.PUBLIC_KEY: {
        Tag.CRYPTOGRAPHIC_ALGORITHM: A.RSA,
        Tag.CRYPTOGRAPHIC_LENGTH: 2048,
        Tag.CRYPTOGRAPHIC_USAGE_MASK: M.VERIFY | M.ENCRYPT | M.WRAP_KEY,
    },
    ObjectType.SECRET_DATA: {
        Tag.CRYPTOGRAPHIC_LENGTH: 256,
        Tag.CRYPTOGRAPHIC_USAGE_MASK: M.DERIVE_KEY,
    },
}


def completed(attributes: AttributeSet, object_type: ObjectType, version: Version) -> AttributeSet:
    """`attributes` with the defaults for what they lack. A length goes with its algorithm alone."""
    if version.major == 1:
        return attributes
    wanted = dict(DEFAULTS[object_type])
    algorithm = attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM)
    if algorithm is not None and algorithm != wanted.get(Tag.CRYPTOGRAPHIC_ALGORITHM):
        del wanted[Tag.CRYPTOGRAPHIC_LENGTH]
        if object_type != ObjectType.SYMMETRIC_KEY:
            # What keys of this kind are good for, whoever makes them knows.
            del wanted[Tag.CRYPTOGRAPHIC_USAGE_MASK]
        elif algorithm in SYMMETRIC and algorithm.title.startswith("HMAC"):
            wanted[Tag.CRYPTOGRAPHIC_USAGE_MASK] = M.MAC_GENERATE | M.MAC_VERIFY
    return attributes.with_all(AttributeSet(Attribute(tag, 0, value) for tag, value in wanted.items()))
