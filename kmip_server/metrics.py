"""Every counter and gauge, declared once with unit and help.

Strategy: labels are bounded: operations, versions, reasons, causes; never a user, an address or an object.
"""

from __future__ import annotations

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


_TROUBLES = (connections_refused, connections_dropped, handshakes_failed, messages_malformed)


def troubles() -> dict[str, int]:
    """What peers were refused or ended for, by counter and cause; what never happened is left out."""
    samples = [sample for counter in _TROUBLES for family in counter.collect() for sample in family.samples]
    return {
        "_".join([sample.name.removeprefix("kmip_").removesuffix("_total"), *sample.labels.values()]): int(
            sample.value
        )
        for sample in samples
        if sample.name.endswith("_total") and sample.value
    }


def value(name: str, **labels: str) -> float:
    """The present value of a metric, for status and tests; 0 where nothing was counted."""
    return registry.get_sample_value(name, labels) or 0.0


def total(name: str) -> float:
    """The sum of a counter over all its labels."""
    return sum(each.value for family in registry.collect() for each in family.samples if each.name == name)
