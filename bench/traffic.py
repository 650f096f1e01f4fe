"""What is asked of a server: the works of the benchmark, and the objects they need.

Strategy: everything a work needs is made over the wire before it is timed, and its messages are encoded before.
Where a server refuses what a work needs, the work is refused there, with the server's own words: no row is left out
in silence.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import messages
from bench.load import Endpoint, Refused, connect, exchange

KEYS = 100
"""That are fetched, in turn."""
NAMED = 1000
"""Objects with a Name, among which one is searched."""
_BATCH = 10
_DATA = bytes(range(256)) * 4
_MIX = {"get": 70, "locate": 15, "get_attributes": 10, "create": 5}
"""Of a hundred requests of an appliance."""
_MAKING = 100
"""Objects made by one message."""

GET, CREATE, LOCATE, ENCRYPT = "Get", "Create", "Locate by name", "Encrypt, AES-GCM, 1 KiB"
SIGN, MIXED, BATCH, FRESH = "Sign, P-256", "Mixed appliance traffic", "Batch of ten Gets", "New connection + Get"


@dataclass(frozen=True, slots=True)
class Work:
    name: str
    short: str
    """As --only has it."""
    connections: tuple[int, ...] = (1, 16, 128)
    fresh: bool = False


WORKS = (
    Work(GET, "Get", (1, 16, 32, 128)),
    Work(FRESH, "Connect", (1, 16), fresh=True),
    Work(BATCH, "Batch"),
    Work(LOCATE, "Locate"),
    Work(ENCRYPT, "Encrypt"),
    Work(SIGN, "Sign"),
    Work(MIXED, "Mixed"),
    Work(CREATE, "Create"),
)


@dataclass(slots=True)
class Traffic:
    """For one server: the messages of each work, or why it has none."""

    messages: dict[str, list[bytes]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def name(number: int) -> str:
    return f"bench key {number:06d}"


def ask(connection: ssl.SSLSocket, message: bytes) -> bytes:
    """An answer that says it is done. Raises Refused."""
    answer = exchange(connection, message)
    if not messages.succeeded(answer):
        raise Refused(messages.failure(answer))
    return answer


def make_named(endpoint: Endpoint, start: int, end: int) -> None:
    """Keys with the Names of these numbers, over the wire, many in a message."""
    with connect(endpoint) as connection:
        for at in range(start, end, _MAKING):
            made = [messages.create(name(number)) for number in range(at, min(end, at + _MAKING))]
            ask(connection, messages.batch(made))


def locates(count: int) -> list[bytes]:
    """For Names all over so many."""
    return [messages.locate(name(at)) for at in range(0, count, max(1, count // 97))]


def appliance(identifiers: list[str], named: int) -> list[bytes]:
    """A hundred requests in the order of a die that always falls the same."""
    kinds = [kind for kind, share in _MIX.items() for _ in range(share)]
    die = random.Random(7)
    die.shuffle(kinds)
    made: dict[str, Callable[[], bytes]] = {
        "get": lambda: messages.get(die.choice(identifiers)),
        "locate": lambda: messages.locate(name(die.randrange(named))),
        "get_attributes": lambda: messages.get_attributes(die.choice(identifiers)),
        "create": messages.create,
    }
    return [made[kind]() for kind in kinds]


def prepare(endpoint: Endpoint, named: int) -> Traffic:
    """`named`: how many objects with a Name the server has."""
    traffic = Traffic()
    with connect(endpoint) as connection:
        identifiers = [messages.unique_identifier(ask(connection, messages.create())) for _ in range(KEYS)]
        gets = [messages.get(each) for each in identifiers]
        traffic.messages = {
            GET: gets,
            FRESH: gets,
            BATCH: [messages.batch([gets[(at + n) % KEYS] for n in range(_BATCH)]) for at in range(0, KEYS, 3)],
            CREATE: [messages.create()],
            LOCATE: locates(named),
            MIXED: appliance(identifiers, named),
        }
        for work, needed in ((ENCRYPT, _encrypt), (SIGN, _sign)):
            try:
                traffic.messages[work] = [needed(connection)]
            except Refused as refusal:
                traffic.refused[work] = str(refusal)
    return traffic


def _encrypt(connection: ssl.SSLSocket) -> bytes:
    key = messages.unique_identifier(ask(connection, messages.create()))
    ask(connection, messages.activate(key))
    message = messages.encrypt(key, _DATA)
    ask(connection, message)
    return message


def _sign(connection: ssl.SSLSocket) -> bytes:
    key = messages.unique_identifier(ask(connection, messages.create_key_pair()), 0x420066)
    ask(connection, messages.activate(key))
    message = messages.sign(key, _DATA)
    ask(connection, message)
    return message


def any_get() -> bytes:
    """For a server that reads nothing of it."""
    return messages.get("x" * 36)
