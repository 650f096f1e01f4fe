"""Which Result Reason an error becomes, by version and operation.

Strategy: the engine says what is wrong; `reason_table.py`, generated from the standard's error tables, says how
each version tells it. 1.x has few, general reasons and sometimes another one for the same fault in another
operation (KMIP 1.4 section 11); 2.x has one for each fault, of which an operation lists some. What an error means,
and where the official test cases decide against the text, is written down in `tools/reason_knowledge.py`.
"""

from __future__ import annotations

from kmip_server.errors import KmipError
from kmip_server.protocol.enums import Operation, ResultReason
from kmip_server.protocol.reason_table import REASONS
from kmip_server.protocol.versions import Version


def reason_of(error: KmipError, operation: Operation | None, version: Version) -> ResultReason:
    """The Result Reason for `error` in an operation of `version`; one the version knows.

    An error that has no row of its own is told as what it is a kind of.
    """
    rows = REASONS[version]
    general, own = rows[None], rows.get(operation, {})
    for kind in type(error).__mro__:
        name = kind.__name__
        if name in general:
            return own.get(name, general[name])
    return ResultReason.GENERAL_FAILURE
