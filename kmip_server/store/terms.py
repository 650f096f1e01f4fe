"""The terms under which an object is found: a short hash of an attribute and its value.

Strategy: equal attributes have equal terms; unequal ones practically never, and Locate looks at the attribute
itself before it believes. So one narrow index serves every attribute, of any type, and holds no value.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_set import Attribute, AttributeKey, AttributeSet, VendorAttribute
from kmip_server.protocol.spellings import encode_tagged
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import LATEST

TERM_KEYS = frozenset(
    {
        Tag.NAME,
        Tag.ALTERNATIVE_NAME,
        Tag.APPLICATION_SPECIFIC_INFORMATION,
        Tag.CONTACT_INFORMATION,
        Tag.LINK,
        Tag.OBJECT_GROUP,
        Tag.OPERATION_POLICY_NAME,
        Tag.PKCS_12_FRIENDLY_NAME,
    }
)


def has_terms(key: AttributeKey) -> bool:
    """Whether instances of this attribute have terms."""
    return isinstance(key, VendorAttribute) or key in TERM_KEYS


def term(key: AttributeKey, value: Any) -> bytes:
    """The term of one value: 16 bytes."""
    return blake2b(ttlv.encode(encode_tagged(Attribute(key, None, value), LATEST)), digest_size=16).digest()


def terms(attributes: AttributeSet) -> set[bytes]:
    """The terms of every attribute that has them."""
    return {term(a.key, a.value) for a in attributes if has_terms(a.key)}
