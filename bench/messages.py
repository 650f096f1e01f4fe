"""The requests of the benchmark, encoded once before anything is timed.

KMIP 1.2, which every server of it speaks; 1.4 for Encrypt, whose tag has no field before.
"""

from __future__ import annotations

import struct

_STRUCTURE, _INTEGER, _ENUMERATION, _BOOLEAN, _TEXT, _BYTES = 1, 2, 5, 6, 7, 8
_STATUS = b"\x42\x00\x7f\x05\0\0\0\x04"
_SUCCESS = _STATUS + bytes(4)


def item(tag: int, kind: int, value: bytes) -> bytes:
    return struct.pack(">II", tag << 8 | kind, len(value)) + value + bytes(-len(value) % 8)


def structure(tag: int, *parts: bytes) -> bytes:
    return item(tag, _STRUCTURE, b"".join(parts))


def number(tag: int, value: int, kind: int = _INTEGER) -> bytes:
    return item(tag, kind, struct.pack(">I", value))


def text(tag: int, value: str) -> bytes:
    return item(tag, _TEXT, value.encode())


def octets(tag: int, value: bytes) -> bytes:
    return item(tag, _BYTES, value)


def _request(minor: int, *items: bytes) -> bytes:
    version = structure(0x420069, number(0x42006A, 1), number(0x42006B, minor))
    return structure(0x420078, structure(0x420077, version, number(0x42000D, len(items))), *items)


def message(operation: int, *payload: bytes, minor: int = 2) -> bytes:
    named = number(0x42005C, operation, _ENUMERATION)
    return _request(minor, structure(0x42000F, named, structure(0x420079, *payload)))


def batch(messages: list[bytes]) -> bytes:
    """One message of several of one item each: what follows their header, with an identifier for each."""
    items = []
    for at, single in enumerate(messages):
        header = 8 + int.from_bytes(single[12:16], "big")
        body = single[8 + header + 8 :]
        operation, payload = body[:16], body[16:]
        items.append(structure(0x42000F, operation, octets(0x420093, at.to_bytes(4, "big")), payload))
    return _request(2, *items)


def attribute(name: str, value: bytes) -> bytes:
    return structure(0x420008, text(0x42000A, name), value)


def _name(value: str) -> bytes:
    return attribute("Name", structure(0x42000B, text(0x420055, value), number(0x420054, 1, _ENUMERATION)))


def create(name: str | None = None) -> bytes:
    """An AES-256 key, to encrypt and decrypt with."""
    parts = [
        attribute("Cryptographic Algorithm", number(0x42000B, 3, _ENUMERATION)),
        attribute("Cryptographic Length", number(0x42000B, 256)),
        attribute("Cryptographic Usage Mask", number(0x42000B, 12)),
    ]
    if name is not None:
        parts.append(_name(name))
    return message(1, number(0x420057, 2, _ENUMERATION), structure(0x420091, *parts))


def get(unique_identifier: str) -> bytes:
    return message(0xA, text(0x420094, unique_identifier))


def locate(name: str) -> bytes:
    """The first page of what has this Name."""
    return message(8, number(0x42004F, 10), _name(name))


def get_attributes(unique_identifier: str) -> bytes:
    named = ("State", "Cryptographic Algorithm", "Cryptographic Length", "Cryptographic Usage Mask")
    return message(0xB, text(0x420094, unique_identifier), *(text(0x42000A, each) for each in named))


def activate(unique_identifier: str) -> bytes:
    return message(0x12, text(0x420094, unique_identifier))


def encrypt(unique_identifier: str, data: bytes) -> bytes:
    """AES-GCM with a tag of 16 bytes; the server makes the nonce."""
    gcm = structure(
        0x42002B,
        number(0x420011, 9, _ENUMERATION),
        number(0x420028, 3, _ENUMERATION),
        item(0x4200C5, _BOOLEAN, (1).to_bytes(8, "big")),
        number(0x4200CE, 16),
    )
    return message(0x1F, text(0x420094, unique_identifier), gcm, octets(0x4200C2, data), minor=4)


def create_key_pair() -> bytes:
    """ECDSA over the curve of 256 bits, P-256, to sign and verify with.

    A Recommended Curve would name it, but PyKMIP would not read the message; so it says what it lacks.
    """
    common = (
        attribute("Cryptographic Algorithm", number(0x42000B, 6, _ENUMERATION)),
        attribute("Cryptographic Length", number(0x42000B, 256)),
    )
    signs = attribute("Cryptographic Usage Mask", number(0x42000B, 1))
    verifies = attribute("Cryptographic Usage Mask", number(0x42000B, 2))
    return message(2, structure(0x42001F, *common), structure(0x420065, signs), structure(0x42006E, verifies))


def sign(unique_identifier: str, data: bytes) -> bytes:
    """ECDSA with SHA-256."""
    ecdsa = structure(
        0x42002B,
        number(0x420038, 6, _ENUMERATION),
        number(0x4200AE, 0xE, _ENUMERATION),
    )
    return message(0x21, text(0x420094, unique_identifier), ecdsa, octets(0x4200C2, data))


def unique_identifier(response: bytes, tag: int = 0x420094) -> str:
    """The first Unique Identifier of a response; another tag for that of a private key."""
    at = response.index(struct.pack(">I", tag << 8 | _TEXT))
    length = int.from_bytes(response[at + 4 : at + 8], "big")
    return response[at + 8 : at + 8 + length].decode()


def unique_identifiers(response: bytes) -> list[str]:
    """All of a response, in their order."""
    head, found, at = struct.pack(">I", 0x420094 << 8 | _TEXT), [], 0
    while (at := response.find(head, at)) >= 0:
        found.append(unique_identifier(response[at:]))
        at += 8
    return found


def succeeded(response: bytes) -> bool:
    """Whether every item of the response has. Half the cost of a look at each: the bytes are counted."""
    return 0 < response.count(_STATUS) == response.count(_SUCCESS)


def failure(response: bytes) -> str:
    """What a response that is none says: its first Result Message."""
    at = response.find(b"\x42\x00\x7d\x07")
    if at < 0:
        return "a request was refused"
    length = int.from_bytes(response[at + 4 : at + 8], "big")
    return response[at + 8 : at + 8 + length].decode()
