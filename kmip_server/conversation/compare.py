"""Whether an answer holds what a client needs.

Strategy: what is expected is looked for, what is there besides is not looked at: servers may say more than a
client reads. Batch items are taken in their order, attributes by their name, others as they match. Where a client
stops at anything more, the expectation says `exact="true"`, and where something must not be there, `absent="true"`.
A value `*` is any; `$NAME` is bound by the first answer that has it and the same from then on. `$NOW` is the time
in a request, and any in an answer.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from kmip_server.errors import CodecError
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv_xml import tag_of

ANY = "*"
_NOW = re.compile(r"\$NOW([+-]\d+)?")


@dataclass(slots=True)
class Bindings:
    """What placeholders stand for."""

    values: dict[str, str] = field(default_factory=dict)

    def filled(self, element: Element) -> Element:
        """A copy of a request with its placeholders replaced. Raises CodecError for one that nothing has bound."""
        copy = Element(element.tag, dict(element.attrib))
        value = element.get("value")
        if value is not None and value.startswith("$"):
            copy.set("value", self._value(value))
        copy.extend([self.filled(child) for child in element])
        return copy

    def _value(self, value: str) -> str:
        now = _NOW.fullmatch(value)
        if now is not None:
            return str(int(time.time()) + int(now[1] or 0))
        if value not in self.values:
            raise CodecError(f"{value} stands for nothing yet: no answer has had it")
        return self.values[value]

    def take(self, name: str, value: str) -> bool:
        """Bind a placeholder, or see whether it is bound to this."""
        return self.values.setdefault(name, value) == value


def differences(expected: Element, found: Element, bindings: Bindings, path: str = "") -> list[str]:
    """What is expected and not found, each with its place; empty where all is well."""
    here = f"{path}/{expected.tag}" if path else expected.tag
    wanted = expected.get("value")
    if wanted is not None:
        return _of_value(wanted, expected, found, bindings, here)
    told: list[str] = []
    left = list(found)
    for child in expected:
        match = _match(child, left, bindings)
        if child.get("absent") == "true":
            if match is not None:
                told.append(f"{here}: {_named(child)} must not be there")
            continue
        if match is None:
            told.append(f"{here}: {_named(child)} is missing")
            continue
        left.remove(match)
        told += differences(child, match, bindings, here)
    if expected.get("exact") == "true":
        told += [f"{here}: {_named(each)} must not be there" for each in left]
    return told


def _match(child: Element, left: list[Element], bindings: Bindings) -> Element | None:
    """Of those that can be meant the first that holds all that is expected, or else the first."""
    tag, name = tag_of(child), _attribute_name(child)
    meant = [each for each in left if tag_of(each) == tag and (name is None or _attribute_name(each) == name)]
    if tag != Tag.BATCH_ITEM:  # answers come in the order of what was asked
        for each in meant:
            if not differences(child, each, Bindings(dict(bindings.values))):
                return each
    return meant[0] if meant else None


def _attribute_name(element: Element) -> str | None:
    if tag_of(element) == Tag.ATTRIBUTE:
        for child in element:
            if tag_of(child) == Tag.ATTRIBUTE_NAME:
                return child.get("value")
    return None


def _named(element: Element) -> str:
    name = _attribute_name(element)
    return f"{element.tag} {name!r}" if name else element.tag


def _of_value(wanted: str, expected: Element, found: Element, bindings: Bindings, here: str) -> list[str]:
    value, kind = found.get("value"), found.get("type", "Structure")
    if kind != expected.get("type", "Structure") or value is None:
        return [f"{here}: expected {expected.get('type')}, got {kind}"]
    if wanted == ANY or _NOW.fullmatch(wanted):
        return []
    if wanted.startswith("$"):
        if bindings.take(wanted, value):
            return []
        return [f"{here}: expected {bindings.values[wanted]!r} ({wanted}), got {value!r}"]
    if kind == "ByteString":
        is_same = wanted.lower() == value.lower()
    else:
        # The names of a mask may stand in any order.
        is_same = wanted == value or (kind == "Integer" and sorted(wanted.split()) == sorted(value.split()))
    return [] if is_same else [f"{here}: expected {wanted!r}, got {value!r}"]
