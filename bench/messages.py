"""The requests of the benchmark, encoded once before anything is timed. KMIP 1.2, which both servers speak."""

from __future__ import annotations

import struct

_STRUCTURE, _INTEGER, _ENUMERATION, _TEXT = 1, 2, 5, 7
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


def message(operation: int, *payload: bytes) -> bytes:
    version = structure(0x420069, number(0x42006A, 1), number(0x42006B, 2))
    header = structure(0x420077, version, number(0x42000D, 1))
    batch_item = structure(0x42000F, number(0x42005C, operation, _ENUMERATION), structure(0x420079, *payload))
    return structure(0x420078, header, batch_item)


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
    return message(8, _name(name))


def unique_identifier(response: bytes) -> str:
    """The first Unique Identifier of a response."""
    at = response.index(b"\x42\x00\x94\x07")
    length = int.from_bytes(response[at + 4 : at + 8], "big")
    return response[at + 8 : at + 8 + length].decode()


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
