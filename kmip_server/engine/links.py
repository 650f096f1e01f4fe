"""Links go both ways: what one object says of another, the other says of it. KMIP 1.4 §3.35, KMIP 2.1 §11.28.

Strategy: after a client has given, changed or deleted Links of an object, the difference is made up on the other
side, in the same unit of work and one step far. Only on objects that the client may change itself: of any other,
absent or somebody else's, the Link is kept as it was given, the answer is the same, and the record says nothing.
Destroy changes no Link: "a server SHALL NOT delete attributes without receiving a request from a client".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kmip_server.engine.context import Context, Found
from kmip_server.errors import InvalidAttributeValue
from kmip_server.protocol.attribute_set import Attribute, AttributeSet
from kmip_server.protocol.attribute_values import Link
from kmip_server.protocol.attributes import ATTRIBUTES
from kmip_server.protocol.enums import LinkType, ObjectType, Operation
from kmip_server.protocol.tags import Tag

MAX_LINKED_BACK = 1_000
"""An object with so many Links gets no more from the other side; Locate finds those that lead to it even so."""

_L, _T = LinkType, ObjectType
# Between these types of objects; KMIP 1.4 §3.35 says which Link goes from which to which.
_BETWEEN: dict[tuple[LinkType, ObjectType, ObjectType], LinkType] = {
    (_L.PUBLIC_KEY_LINK, _T.PRIVATE_KEY, _T.PUBLIC_KEY): _L.PRIVATE_KEY_LINK,
    (_L.PRIVATE_KEY_LINK, _T.PUBLIC_KEY, _T.PRIVATE_KEY): _L.PUBLIC_KEY_LINK,
    (_L.PUBLIC_KEY_LINK, _T.CERTIFICATE, _T.PUBLIC_KEY): _L.CERTIFICATE_LINK,
    (_L.CERTIFICATE_LINK, _T.PUBLIC_KEY, _T.CERTIFICATE): _L.PUBLIC_KEY_LINK,
}
# Between objects of any type. A parent certificate, a wrapping key and the PKCS#12 Links have no way back.
_INVERSE = {
    _L.DERIVATION_BASE_OBJECT_LINK: _L.DERIVED_KEY_LINK,
    _L.DERIVED_KEY_LINK: _L.DERIVATION_BASE_OBJECT_LINK,
    _L.REPLACEMENT_OBJECT_LINK: _L.REPLACED_OBJECT_LINK,
    _L.REPLACED_OBJECT_LINK: _L.REPLACEMENT_OBJECT_LINK,
    _L.PARENT_LINK: _L.CHILD_LINK,
    _L.CHILD_LINK: _L.PARENT_LINK,
    _L.PREVIOUS_LINK: _L.NEXT_LINK,
    _L.NEXT_LINK: _L.PREVIOUS_LINK,
}


def inverse(link_type: LinkType, here: ObjectType, there: ObjectType) -> LinkType | None:
    """The Link that leads back from an object of type `there` to one of type `here`; None where there is none."""
    return _BETWEEN.get((link_type, here, there)) or _INVERSE.get(link_type)


def check(links: Iterable[Link]) -> None:
    """Raise InvalidAttributeValue for a second replacement: "there SHALL be only one"."""
    if sum(link.link_type == LinkType.REPLACEMENT_OBJECT_LINK for link in links) > 1:
        raise InvalidAttributeValue("an object has one Replacement Object Link at most")


def present(attributes: AttributeSet, link: Link) -> Attribute | None:
    """The instance that says just this already."""
    instances: Sequence[Attribute] = attributes.instances(Tag.LINK)
    return next((each for each in instances if each.value == link), None)


def follow(context: Context, before: AttributeSet, found: Found) -> None:
    """Make up on the other side for what has changed in the Links of `found`, which had been `before`.

    Raises InvalidAttributeValue where the other object would have two replacements.
    """
    earlier: tuple[Link, ...] = before.all(Tag.LINK)
    links: tuple[Link, ...] = found.attributes.all(Tag.LINK)
    if links == earlier:
        return
    for link in earlier:
        if link not in links:
            _unlink(context, found, link)
    for link in links:
        if link not in earlier:
            _link_back(context, found, link)


def _link_back(context: Context, found: Found, link: Link) -> None:
    other = _other(context, found, link, Operation.ADD_ATTRIBUTE)
    back = None if other is None else _back(found, link, other)
    if other is None or back is None or not ATTRIBUTES[Tag.LINK].carried_by(other.object_type, context.version):
        return
    if present(other.attributes, back) or len(other.attributes.instances(Tag.LINK)) >= MAX_LINKED_BACK:
        return
    attributes = other.attributes.adding(Tag.LINK, back)
    check(attributes.all(Tag.LINK))
    context.touch(other.unique_identifier)
    context.save(other, attributes)


def _unlink(context: Context, found: Found, link: Link) -> None:
    other = _other(context, found, link, Operation.DELETE_ATTRIBUTE)
    back = None if other is None else _back(found, link, other)
    instance = None if other is None or back is None else present(other.attributes, back)
    if other is None or instance is None:
        return
    context.touch(other.unique_identifier)
    context.save(other, other.attributes.without(Tag.LINK, instance.index))


def _other(context: Context, found: Found, link: Link, operation: Operation) -> Found | None:
    """The object at the other end, if the client could do `operation` to it."""
    identifier = link.linked_object_identifier
    if not isinstance(identifier, str) or identifier == found.unique_identifier:
        return None
    return context.beside(identifier, operation)


def _back(found: Found, link: Link, other: Found) -> Link | None:
    link_type = inverse(link.link_type, found.object_type, other.object_type)
    if link_type is None:
        return None
    return Link(link_type=link_type, linked_object_identifier=found.unique_identifier)
