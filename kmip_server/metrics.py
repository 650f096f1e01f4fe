"""Every counter and gauge, declared once with unit and help.

Strategy: labels are bounded: operations, versions, reasons, causes; never a user, an address or an object. Each
process counts by itself; `Counts` are what one has counted, or the sums of several.
"""

from __future__ import annotations

from collections import Counter as Sum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

registry = CollectorRegistry()

connections = Gauge("kmip_connections", "Open KMIP connections", registry=registry)
connections_refused = Counter(
    "kmip_connections_refused", "Connections that were closed at once", ["cause"], registry=registry
)
connections_dropped = Counter(
    "kmip_connections_dropped", "Connections that the server ended", ["cause"], registry=registry
)
handshakes_failed = Counter("kmip_handshakes_failed", "TLS handshakes that failed", ["cause"], registry=registry)
messages = Counter("kmip_messages", "Messages received", registry=registry)
messages_malformed = Counter("kmip_messages_malformed", "Frames that were no KMIP message", registry=registry)
messages_handed_over = Counter(
    "kmip_messages_handed_over",
    "Messages handed to the worker that has their operation in several parts",
    registry=registry,
)

_TROUBLES = (connections_refused, connections_dropped, handshakes_failed, messages_malformed)

Sample = tuple[str, tuple[tuple[str, str], ...]]
"""A name and its labels."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Every counter and gauge at one moment."""

    samples: dict[Sample, float]

    def rows(self) -> list[list[Any]]:
        """As JSON can say it: name, labels, value."""
        return [[name, dict(labels), value] for (name, labels), value in self.samples.items()]

    @staticmethod
    def of_rows(rows: Iterable[Sequence[Any]]) -> Counts:
        return Counts({(name, tuple(labels.items())): value for name, labels, value in rows})

    def total(self, name: str) -> int:
        """The sum of a counter over all its labels."""
        return int(sum(value for (each, _), value in self.samples.items() if each == name))

    def troubles(self) -> dict[str, int]:
        """What peers were refused or ended for, by counter and cause; what never happened is left out."""
        names = {f"{family.name}_total" for counter in _TROUBLES for family in counter.describe()}
        return {
            "_".join([name.removeprefix("kmip_").removesuffix("_total"), *(text for _, text in labels)]): int(value)
            for (name, labels), value in self.samples.items()
            if name in names and value
        }


def counts() -> Counts:
    """What this process has counted."""
    return Counts(
        {
            (sample.name, tuple(sample.labels.items())): sample.value
            for family in registry.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")  # a time, which has no sum
        }
    )


def summed(several: Iterable[Counts]) -> Counts:
    """Of several processes."""
    sums: Sum[Sample] = Sum()
    for each in several:
        sums.update(each.samples)
    return Counts(dict(sums))


def value(name: str, **labels: str) -> float:
    """The present value of a metric of this process, for tests; 0 where nothing was counted."""
    return registry.get_sample_value(name, labels) or 0.0
