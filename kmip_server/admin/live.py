"""How the server is, over all its workers.

Strategy: each worker says what it has counted and how it is (`app.Application.status`); whichever is asked sums
what all have said. What one says is bad is bad. One that does not answer is named: then the sums lack its part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kmip_server import metrics
from kmip_server.metrics import Counts


def of_all(own: Mapping[str, Any], siblings: Sequence[tuple[int, Mapping[str, Any] | None]]) -> dict[str, Any]:
    """For `kmip-admin status`: of this worker's status and its siblings', None of one that does not answer."""
    known = [own, *(each for _, each in siblings if each is not None)]
    counts = metrics.summed(Counts.of_rows(each["samples"]) for each in known)
    handed_over = counts.total("kmip_messages_handed_over_total")
    silent = sorted({slot for slot, each in siblings if each is None})
    return {
        **({"workers_not_answering": silent} if silent else {}),
        "hsm_available": all(each["hsm_available"] for each in known),
        "connections": counts.total("kmip_connections"),
        "messages": counts.total("kmip_messages_total"),
        **({"messages_handed_over": handed_over} if handed_over else {}),
        "messages_malformed": counts.total("kmip_messages_malformed_total"),
        "handshakes_failed": counts.total("kmip_handshakes_failed_total"),
        "connections_refused": counts.total("kmip_connections_refused_total"),
        "connections_dropped": counts.total("kmip_connections_dropped_total"),
        **{key: max(each[key] for each in known) for key in ("clock_behind_seconds", "clock_ahead_seconds")},
        **counts.troubles(),
    }
