"""Re-key: what is asked of the replacement, in the standard's spellings and in that of one client."""

from __future__ import annotations

import pytest

from kmip_server.errors import DuplicateField, UnknownTag
from kmip_server.protocol import ttlv
from kmip_server.protocol.codec import decode_structure, encode_structure
from kmip_server.protocol.payloads.rekey import RekeyRequest
from kmip_server.protocol.spellings import TemplateAttribute
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_4, V2_0, V2_1
from tests.support.requests import attribute, template

_DATED = template(attribute(Tag.DEACTIVATION_DATE, 4_102_444_800))
_IN_1 = encode_structure(RekeyRequest(template_attribute=_DATED), V1_4)[2][0]
_IN_2 = encode_structure(RekeyRequest(template_attribute=_DATED), V2_0)[2][0]


def _payload(*items: Item) -> Item:
    return (Tag.REQUEST_PAYLOAD, ttlv.STRUCTURE, list(items))


def test_each_major_version_writes_its_own_spelling() -> None:
    assert (_IN_1[0], _IN_2[0]) == (Tag.TEMPLATE_ATTRIBUTE, Tag.ATTRIBUTES)


def test_a_template_attribute_is_read_in_2_0_too() -> None:
    for item in (_IN_1, _IN_2):
        assert decode_structure(RekeyRequest, _payload(item), V2_0).template_attribute == _DATED
    empty = decode_structure(RekeyRequest, _payload((Tag.TEMPLATE_ATTRIBUTE, ttlv.STRUCTURE, [])), V2_1)
    assert empty.template_attribute == TemplateAttribute()


def test_both_at_once_are_refused() -> None:
    for items in ((_IN_1, _IN_2), (_IN_2, _IN_1)):
        with pytest.raises(DuplicateField):
            decode_structure(RekeyRequest, _payload(*items), V2_0)


def test_attributes_of_2_are_no_field_in_1() -> None:
    with pytest.raises(UnknownTag):
        decode_structure(RekeyRequest, _payload(_IN_2), V1_4)
