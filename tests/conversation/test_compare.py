"""What is expected of an answer, and what of it is found wanting."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from kmip_server.conversation.compare import Bindings, differences
from kmip_server.errors import CodecError

ANSWER = """
<ResponsePayload>
  <UniqueIdentifier type="TextString" value="17"/>
  <Attribute>
    <AttributeName type="TextString" value="State"/><AttributeValue type="Enumeration" value="Active"/>
  </Attribute>
  <Attribute>
    <AttributeName type="TextString" value="Cryptographic Usage Mask"/>
    <AttributeValue type="Integer" value="Encrypt Decrypt"/>
  </Attribute>
  <Operation type="Enumeration" value="Create"/>
  <Operation type="Enumeration" value="Query"/>
</ResponsePayload>
"""


def element(inside: str, attributes: str = "") -> Element:
    return ElementTree.fromstring(f"<ResponsePayload {attributes}>{inside}</ResponsePayload>")


def told(inside: str, attributes: str = "", bindings: Bindings | None = None) -> list[str]:
    return differences(element(inside, attributes), ElementTree.fromstring(ANSWER), bindings or Bindings())


@pytest.mark.parametrize(
    "inside",
    [
        "",
        '<UniqueIdentifier type="TextString" value="17"/>',
        '<UniqueIdentifier type="TextString" value="*"/>',
        '<UniqueIdentifier type="TextString" value="$KEY"/>',
        '<Operation type="Enumeration" value="Query"/>',
        '<Operation type="Enumeration" value="Query"/><Operation type="Enumeration" value="Create"/>',
        '<Attribute><AttributeName type="TextString" value="Cryptographic Usage Mask"/>'
        '<AttributeValue type="Integer" value="Decrypt Encrypt"/></Attribute>',
        '<LocatedItems absent="true"/>',
        '<Attribute absent="true"><AttributeName type="TextString" value="Fresh"/></Attribute>',
    ],
)
def test_what_is_there(inside: str) -> None:
    assert told(inside) == []


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ('<UniqueIdentifier type="TextString" value="18"/>', "expected '18', got '17'"),
        ('<UniqueIdentifier type="ByteString" value="17"/>', "expected ByteString, got TextString"),
        ('<Operation type="Enumeration" value="Destroy"/>', "expected 'Destroy', got 'Create'"),
        ('<LocatedItems type="Integer" value="1"/>', "LocatedItems is missing"),
        ('<Attribute><AttributeName type="TextString" value="Name"/></Attribute>', "Attribute 'Name' is missing"),
        (
            '<Attribute absent="true"><AttributeName type="TextString" value="State"/></Attribute>',
            "Attribute 'State' must not be there",
        ),
        (
            '<Operation type="Enumeration" value="Query"/><Operation type="Enumeration" value="Query"/>',
            "expected 'Query', got 'Create'",
        ),
    ],
)
def test_what_is_not(inside: str, words: str) -> None:
    (difference,) = told(inside)
    assert difference.endswith(words)
    assert difference.startswith("ResponsePayload")


def test_nothing_more_where_a_client_stops_at_more() -> None:
    found = told('<UniqueIdentifier type="TextString" value="17"/>', 'exact="true"')
    assert [each.split(": ")[1] for each in found] == [
        "Attribute 'State' must not be there",
        "Attribute 'Cryptographic Usage Mask' must not be there",
        "Operation must not be there",
        "Operation must not be there",
    ]


def test_a_placeholder_is_the_same_from_then_on() -> None:
    bindings = Bindings()
    key = '<UniqueIdentifier type="TextString" value="$KEY"/>'
    assert told(key, bindings=bindings) == []
    assert bindings.values == {"$KEY": "17"}
    assert bindings.filled(element(key))[0].get("value") == "17"
    bindings.values["$KEY"] = "16"
    assert told(key, bindings=bindings) == ["ResponsePayload/UniqueIdentifier: expected '16' ($KEY), got '17'"]


def test_a_placeholder_that_nothing_has_bound() -> None:
    with pytest.raises(CodecError, match="no answer has had it"):
        Bindings().filled(element('<UniqueIdentifier type="TextString" value="$KEY"/>'))


def test_items_of_a_batch_are_in_their_order() -> None:
    answer = "<BatchItem><Operation type='Enumeration' value='{}'/></BatchItem>"
    message = "<ResponseMessage>{}{}</ResponseMessage>"
    expected = ElementTree.fromstring(message.format(answer.format("Get"), answer.format("Locate")))
    found = ElementTree.fromstring(message.format(answer.format("Locate"), answer.format("Get")))
    assert len(differences(expected, found, Bindings())) == 2
    assert differences(expected, expected, Bindings()) == []
