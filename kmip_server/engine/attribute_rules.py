"""What a client may set, change and take away, checked against the attribute table.

Strategy: `protocol/attributes.py` holds the rules, one row each; here stand the checks that apply a row, and
the few rules that concern more than one attribute. KMIP 1.4 section 3 and sections 4.14-4.16.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from kmip_server.crypto import algorithms
from kmip_server.engine import links, namespaces, states
from kmip_server.engine.context import Context, Found
from kmip_server.engine.ports import Condition, LocateQuery
from kmip_server.errors import (
    AttributeReadOnly,
    AttributeSingleValued,
    FeatureNotSupported,
    InvalidAttribute,
    InvalidAttributeValue,
    NonUniqueNameAttribute,
    NotQuantumSafe,
    ObjectNotFound,
    ServerLimitExceeded,
    TooManyInstances,
    UnsupportedAttribute,
    WrongKeyLifecycleState,
)
from kmip_server.protocol.attribute_set import Attribute, AttributeKey, AttributeSet, VendorAttribute
from kmip_server.protocol.attribute_values import (
    ApplicationSpecificInformation,
    CustomValue,
    Link,
    Name,
    UsageLimits,
)
from kmip_server.protocol.attributes import ATTRIBUTES, AttributeRow
from kmip_server.protocol.enums import ItemType, ObjectType, Operation, ProtectionLevel
from kmip_server.protocol.objects import Template
from kmip_server.protocol.spellings import TemplateAttribute
from kmip_server.protocol.storage import to_storage
from kmip_server.protocol.tags import Tag

MAX_INSTANCES = 1_000
"""Of one attribute on one object."""
MAX_GIVEN_INDEX = 1 << 20
"""Attribute Indices that clients give are below: the server has to count on from there."""
MAX_TEMPLATES = 16
"""How many Templates one request item may name."""

_LATER_DATES = (Tag.PROCESS_START_DATE, Tag.PROTECT_STOP_DATE, Tag.DEACTIVATION_DATE)
# One of those that are given will do, where the server makes the object (KMIP 1.4 §3.44).
_CHOICES = frozenset({Tag.RANDOM_NUMBER_GENERATOR})
# Vendor attributes whose names begin with y- belong to the server (KMIP 1.4 §3.39).
_SERVER_VENDOR = "y"
_VENDOR = re.compile("[A-Za-z0-9_.]+")


def row_of(key: AttributeKey) -> AttributeRow | None:
    """The table row, or None for a vendor attribute. Raises InvalidAttribute for a name nobody defined."""
    if isinstance(key, VendorAttribute):
        if not key.vendor_identification:
            raise InvalidAttribute(f"{key.attribute_name!r} is not an attribute; custom ones begin with x-")
        return None
    return ATTRIBUTES[key]


def check_defined(context: Context, keys: Iterable[AttributeKey]) -> None:
    """Raise InvalidAttribute where a 2.x client refers to what is no attribute. 1.x: no object has it."""
    if context.version.major > 1:
        for key in keys:
            row_of(key)


# --- making objects -----------------------------------------------------------------------------


def requested(context: Context, object_type: ObjectType, *templates: TemplateAttribute | None) -> AttributeSet:
    """The attributes a client asks for in one or more Template-Attributes, checked; later ones prevail.

    Attributes of the Templates named come first, so that what stands in the request overrides them
    (KMIP 1.4 §2.1.8). Raises what `collected` raises, ObjectNotFound for a Template that is not there, and
    ServerLimitExceeded for too many.
    """
    if sum(len(template.names) for template in templates if template is not None) > MAX_TEMPLATES:
        raise ServerLimitExceeded(f"more than {MAX_TEMPLATES} Templates are named")
    merged = AttributeSet()
    for template in templates:
        if template is not None:
            for name in template.names:
                merged = overriding(merged, _inherited(context, name, object_type))
            merged = overriding(merged, collected(context, template.attributes, object_type))
    return merged


def collected(
    context: Context, attributes: Iterable[Attribute], object_type: ObjectType, *, imported: bool = False
) -> AttributeSet:
    """A checked set of what a client gives for a new object.

    Raises what `settable`, `check_instances` and `check_count` raise, and AttributeSingleValued.
    `imported`: the object brings what the server would set, and keeps what it has (KMIP 1.4 §4.41).
    """
    gathered: list[Attribute] = []
    seen: set[AttributeKey] = set()
    for attribute in attributes:
        row = settable(context, attribute, object_type, imported=imported)
        if row is not None and not row.multiple and attribute.key in seen and attribute.key not in _CHOICES:
            raise AttributeSingleValued(f"{row.name} can be given once only")
        if attribute.index is not None and not 0 <= attribute.index < MAX_GIVEN_INDEX:
            raise InvalidAttributeValue(
                f"the Attribute Index of {attribute.key.title} is from 0 to {MAX_GIVEN_INDEX - 1}"
            )
        seen.add(attribute.key)
        value = completed(context, attribute.value, imported=imported)
        gathered.append(attribute if value is attribute.value else attribute._replace(value=value))
    made = AttributeSet(gathered)
    for key in seen:
        check_instances(key, made.instances(key))
    check_count(context, made)
    return made


def overriding(base: AttributeSet, over: AttributeSet) -> AttributeSet:
    """`base` with every attribute that `over` has replaced by it."""
    if not base.count():
        return over
    return AttributeSet([a for a in base if a.key not in over] + list(over))


def _inherited(context: Context, name: Name, object_type: ObjectType) -> AttributeSet:
    """The attributes of the Template with this Name, as far as they apply to objects of the type."""
    query = LocateQuery(
        domain=context.principal.domain,
        owners=None,
        conditions=(Condition(key=Tag.NAME, value=name),),
        include_destroyed=False,
        include_archived=False,
    )
    for stored in context.candidates(query):
        if stored.object_type == ObjectType.TEMPLATE and name in stored.attributes.all(Tag.NAME):
            template = _template(context, context.open(stored.unique_identifier, Operation.GET))
            applying = (a for a in template.attributes if _applies(context, a.key, object_type))
            # A Template that was registered by an earlier release may hold a count of the client's own.
            return AttributeSet(a._replace(value=completed(context, a.value)) for a in applying)
    raise ObjectNotFound(f"no Template has the Name {name.name_value!r}")


def _template(context: Context, found: Found) -> Template:
    """The Template: each is unsealed once, however many items of a message name it."""
    sealed = found.stored.sealed
    key = (found.unique_identifier, sealed.generation if sealed is not None else 0)
    if key not in context.templates:
        template = found.material()
        assert isinstance(template, Template)
        context.templates[key] = template
    return context.templates[key]


def _applies(context: Context, key: AttributeKey, object_type: ObjectType) -> bool:
    return isinstance(key, VendorAttribute) or ATTRIBUTES[key].carried_by(object_type, context.version)


# --- one attribute ------------------------------------------------------------------------------


def settable(
    context: Context, attribute: Attribute, object_type: ObjectType, *, imported: bool = False
) -> AttributeRow | None:
    """Check that a client may give an object of this type this attribute and value; see `collected`.

    Raises InvalidAttribute, AttributeReadOnly, UnsupportedAttribute, and what `check_value` raises.
    """
    key, _, value = attribute
    row = row_of(key)
    if value is None:
        raise InvalidAttributeValue(f"{key.title} must have a value")
    if row is None:
        assert isinstance(key, VendorAttribute)
        check_custom(key, value)
        return None
    if not row.carried_by(object_type, context.version):
        raise UnsupportedAttribute(f"a {object_type.title} has no {row.name}")
    if row.set_by == "server" and not imported:
        raise AttributeReadOnly(f"{row.name} is set by the server alone")
    check_value(row, value)
    return row


def check_custom(key: VendorAttribute, value: Any) -> None:
    """Custom attributes: x- is the client's; a structure has no structures inside (KMIP 1.4 §3.39).

    In 2.x any vendor's, if its identification is written in letters, digits, underscores and periods (§4.60).
    """
    if not _VENDOR.fullmatch(key.vendor_identification):
        raise InvalidAttribute("a Vendor Identification has letters, digits, underscores and periods only")
    if not key.attribute_name:
        raise InvalidAttribute("a vendor attribute has an Attribute Name")
    if key.vendor_identification == _SERVER_VENDOR:
        raise AttributeReadOnly(f"{key.title}: attributes that begin with y- are set by the server alone")
    assert isinstance(value, CustomValue)
    if value.type == ItemType.STRUCTURE and any(kind == ItemType.STRUCTURE for _, kind, _ in value.value):
        raise InvalidAttributeValue(f"{key.title}: a structure here has no structures inside")


def check_value(row: AttributeRow, value: Any) -> None:
    """The ranges that a type alone does not say.

    Raises InvalidAttributeValue, ApplicationNamespaceNotSupported, and FeatureNotSupported for an empty promise.
    """
    if row.tag == Tag.ROTATE_AUTOMATIC and value:
        raise FeatureNotSupported("this server replaces no object by itself; Re-key does when asked")
    if row.tag == Tag.CRYPTOGRAPHIC_LENGTH and value < 0:
        raise InvalidAttributeValue("Cryptographic Length is not negative")
    if row.kind == ItemType.DATE_TIME and value < 0:
        raise InvalidAttributeValue(f"{row.name} is before 1970")
    if isinstance(value, Name) and not value.name_value:
        raise InvalidAttributeValue("a Name is not empty")
    if isinstance(value, UsageLimits) and value.usage_limits_total < 0:
        raise InvalidAttributeValue("Usage Limits Total is not negative")
    if isinstance(value, ApplicationSpecificInformation) and value.application_data is None:
        namespaces.require(value.application_namespace)


def completed(context: Context, value: Any, *, imported: bool = False) -> Any:
    """The value with what the server adds: the first count of Usage Limits, Application Data, whom a Link means.

    Raises what `Context.resolved` raises, and InvalidAttributeValue for an imported count beyond its total.
    """
    if isinstance(value, UsageLimits) and imported and value.usage_limits_count is not None:
        if not 0 <= value.usage_limits_count <= value.usage_limits_total:
            raise InvalidAttributeValue("the Usage Limits Count is from 0 to the Usage Limits Total")
        return value
    if isinstance(value, UsageLimits):
        return _unused(value)
    if isinstance(value, ApplicationSpecificInformation) and value.application_data is None:
        data = namespaces.made_up(context.keystore, value.application_namespace)
        return replace(value, application_data=data)
    return meant(context, value)


def meant(context: Context, value: Any) -> Any:
    """A value as it is kept, where a request refers to one that is there. Raises what `Context.resolved` raises."""
    if isinstance(value, UsageLimits) and value.usage_limits_count is None:
        return _unused(value)
    if isinstance(value, Link):
        return replace(value, linked_object_identifier=context.resolved(value.linked_object_identifier))
    return value


def _unused(limits: UsageLimits) -> UsageLimits:
    return replace(limits, usage_limits_count=limits.usage_limits_total)


def check_instances(key: AttributeKey, instances: Sequence[Attribute]) -> None:
    """Raise TooManyInstances, or InvalidAttributeValue where two instances have one index or value."""
    if len(instances) > MAX_INSTANCES:
        raise TooManyInstances(f"more than {MAX_INSTANCES} instances of {key.title}")
    if len({instance.index for instance in instances}) != len(instances):
        raise InvalidAttributeValue(f"two instances of {key.title} have the same Attribute Index")
    if key == Tag.NAME and len({instance.value.name_value for instance in instances}) != len(instances):
        raise NonUniqueNameAttribute("the object has this Name already")
    if key == Tag.LINK:
        links.check(instance.value for instance in instances)


def check_bounds(context: Context, attributes: AttributeSet) -> None:
    """Raise ServerLimitExceeded for more attributes, or longer ones, than an object may have in all.

    Every read of the object, and every Locate that passes it, has all of them to carry.
    """
    check_count(context, attributes)
    if len(to_storage(attributes)) > context.policy.max_attribute_bytes:
        raise ServerLimitExceeded(
            f"the attributes of an object are at most {context.policy.max_attribute_bytes} bytes"
        )


def check_count(context: Context, attributes: AttributeSet) -> None:
    """Raise ServerLimitExceeded for more attributes than an object, or a Template for others, may have."""
    if attributes.count() > context.policy.max_attributes:
        raise ServerLimitExceeded(f"an object has at most {context.policy.max_attributes} attributes")


# --- several attributes -------------------------------------------------------------------------


def check_dates(attributes: AttributeSet) -> None:
    """No date of a key's life is before its Activation Date (KMIP 1.4 §3.25-3.27)."""
    activation = attributes.one(Tag.ACTIVATION_DATE)
    if activation is None:
        return
    for tag in _LATER_DATES:
        date = attributes.one(tag)
        if date is not None and date < activation:
            raise InvalidAttributeValue(f"{tag.title} is before {Tag.ACTIVATION_DATE.title}")


def check_addable(context: Context, found: Found, row: AttributeRow | None) -> None:
    """Raise WrongKeyLifecycleState or UnsupportedAttribute unless the attribute may be given to the object now."""
    if row is None:
        return
    check_date_open(context, found, row.tag)
    if row.tag == Tag.KEY_VALUE_LOCATION and found.attributes.one(Tag.KEY_VALUE_PRESENT) is not False:
        raise UnsupportedAttribute("Key Value Location is for an object whose Key Value is elsewhere")


def check_modifiable(context: Context, found: Found, row: AttributeRow | None) -> None:
    """Raise AttributeReadOnly or WrongKeyLifecycleState unless a client may change this attribute now."""
    if row is None:
        return
    if not row.modifiable:
        raise AttributeReadOnly(f"{row.name} cannot be changed by a client")
    _require_unused(found, row.tag)
    check_date_open(context, found, row.tag)


def check_deletable(found: Found, key: AttributeKey) -> None:
    """Raise AttributeReadOnly unless a client may take this attribute away."""
    row = None if isinstance(key, VendorAttribute) and not key.vendor_identification else row_of(key)
    if row is not None and not row.deletable:
        raise AttributeReadOnly(f"{row.name} cannot be deleted by a client")
    if isinstance(key, VendorAttribute) and key.vendor_identification == _SERVER_VENDOR:
        raise AttributeReadOnly(f"{key.title} belongs to the server")
    _require_unused(found, key)


def _require_unused(found: Found, key: AttributeKey) -> None:
    """Usage Limits stand as soon as the key has been used once (KMIP 1.4 §3.21)."""
    limits: UsageLimits | None = found.attributes.one(Tag.USAGE_LIMITS) if key == Tag.USAGE_LIMITS else None
    if limits is not None and limits.usage_limits_count != limits.usage_limits_total:
        raise AttributeReadOnly("the Usage Limits stand: the object has been used")


def save(context: Context, found: Found, attributes: AttributeSet) -> Found:
    """The object with attributes that a client has changed, and what its Links mean for others.

    Raises what `check_instances`, `check_bounds`, `check_dates`, `check_quantum_safe` and `links.follow`
    raise, and NonUniqueNameAttribute.
    """
    for key in {attribute.key for attribute in attributes}:
        instances = attributes.instances(key)
        if instances != found.attributes.instances(key):
            check_instances(key, instances)
    check_bounds(context, attributes)
    check_dates(attributes)
    check_quantum_safe(attributes)
    saved = context.save(found, _with_history(attributes))
    links.follow(context, found.attributes, saved)
    return saved


def _with_history(attributes: AttributeSet) -> AttributeSet:
    """Always Sensitive and Never Extractable end with the first change, for good. KMIP 1.4 §3.49, 3.51."""
    if attributes.one(Tag.SENSITIVE) is False and attributes.one(Tag.ALWAYS_SENSITIVE):
        attributes = attributes.with_value(Tag.ALWAYS_SENSITIVE, False)
    if attributes.one(Tag.EXTRACTABLE) and attributes.one(Tag.NEVER_EXTRACTABLE):
        attributes = attributes.with_value(Tag.NEVER_EXTRACTABLE, False)
    return attributes


def check_quantum_safe(attributes: AttributeSet) -> None:
    """Raise NotQuantumSafe where Quantum Safe is demanded of a key that a quantum computer would break.

    For the Protection Level Low a symmetric key of 128 bits will do, else it takes 256. What has no algorithm
    cannot be judged, and is the client's own affair. KMIP 2.1 §4.45.
    """
    if not attributes.one(Tag.QUANTUM_SAFE):
        return
    algorithm = attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM)
    if algorithm is None:
        return
    least = 128 if attributes.one(Tag.PROTECTION_LEVEL) == ProtectionLevel.LOW else 256
    if algorithms.quantum_safe_bits(algorithm, attributes.one(Tag.CRYPTOGRAPHIC_LENGTH)) < least:
        raise NotQuantumSafe("the key would not be as safe as Quantum Safe and the Protection Level demand")


def check_date_open(context: Context, found: Found, tag: Tag) -> None:
    """The dates that drive State may be changed only while they are not yet past (KMIP 1.4 §3.24-3.27)."""
    allowed = _OPEN_DATES.get(tag)
    if allowed is None or found.state is None:
        return
    if found.state not in allowed:
        raise WrongKeyLifecycleState(f"{tag.title} cannot be changed when the object is {found.state.title}")
    present = found.attributes.one(tag)
    reached = present is not None and present <= context.now
    if reached and tag in (Tag.PROCESS_START_DATE, Tag.PROTECT_STOP_DATE):
        raise WrongKeyLifecycleState(f"{tag.title} has been reached and cannot be changed")


_OPEN_DATES = {
    Tag.ACTIVATION_DATE: frozenset({states.PRE_ACTIVE}),
    Tag.PROCESS_START_DATE: frozenset({states.PRE_ACTIVE, states.ACTIVE}),
    Tag.PROTECT_STOP_DATE: frozenset({states.PRE_ACTIVE, states.ACTIVE}),
    Tag.DEACTIVATION_DATE: frozenset({states.PRE_ACTIVE, states.ACTIVE}),
}
