"""Which requests take long, told from their bytes before anybody has read them.

Strategy: what takes long is evaluated on a pool, away from the thread that makes everything durable. A few fields
tell; where their bytes stand for something else a request takes the longer way, and nothing is lost. Only the bytes
of a Name can hide something, a Locate that names none; what that one may look at is bounded
(`limits.max_examined`). What takes long and does not show here ends the executor's group early
(`executor.GROUP_SECONDS`).
"""

from __future__ import annotations

from kmip_server.answer import MAKES_A_PAIR
from kmip_server.protocol import ttlv
from kmip_server.protocol.enums import CredentialType, ObjectType, Operation
from kmip_server.protocol.tags import Tag

LONG_BATCH = 16
"""A message with more items is slow, whatever they are."""


# Making a pair can take seconds, and a signature with a long RSA key takes as long as a hundred other requests.
_SLOW = frozenset((*MAKES_A_PAIR, Operation.SIGN))
# A password is checked by a function made to be slow.
_PASSWORD = ttlv.encode((Tag.CREDENTIAL_TYPE, ttlv.ENUMERATION, CredentialType.USERNAME_AND_PASSWORD))
# A private key that is brought in is validated.
_BRINGS = frozenset((Operation.REGISTER, Operation.IMPORT))
_PRIVATE_KEY = ttlv.encode((Tag.OBJECT_TYPE, ttlv.ENUMERATION, ObjectType.PRIVATE_KEY))
# A Locate that names no Name may have to look at every object.
_NAMES = (
    ttlv.encode((Tag.ATTRIBUTE_NAME, ttlv.TEXT_STRING, Tag.NAME.title)),
    Tag.NAME.to_bytes(3, "big") + bytes([ttlv.STRUCTURE]),
)
_OPERATION = ttlv.encode((Tag.OPERATION, ttlv.ENUMERATION, 0))[:8]
_BATCH_COUNT = ttlv.encode((Tag.BATCH_COUNT, ttlv.INTEGER, 0))[:8]


def is_slow(message: bytes) -> bool:
    """Whether the request should be evaluated on the pool."""
    at = message.find(_BATCH_COUNT)
    while at >= 0:
        if int.from_bytes(message[at + 8 : at + 12], "big") > LONG_BATCH:
            return True
        at = message.find(_BATCH_COUNT, at + 8)
    locates, brings = 0, False
    at = message.find(_OPERATION)
    while at >= 0:
        operation = int.from_bytes(message[at + 8 : at + 12], "big")
        if operation in _SLOW:
            return True
        if operation == Operation.LOCATE:
            locates += 1
        elif operation in _BRINGS:
            brings = True
        at = message.find(_OPERATION, at + 8)
    if _PASSWORD in message:
        return True
    if locates and locates > sum(map(message.count, _NAMES)):
        return True
    return brings and _PRIVATE_KEY in message
