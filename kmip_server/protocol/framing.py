"""Bytes in, whole messages out.

Strategy: the first eight bytes say everything: a Request Message structure, and how long. What is neither, or
too long, is refused before the rest is waited for.
"""

from __future__ import annotations

from kmip_server.errors import CodecError

_REQUEST = b"\x42\x00\x78\x01"
HEADER = 8


class FramingError(CodecError):
    """What comes is not a request, or larger than allowed. `prefix` holds what has come of it, `before`
    the messages that were whole before it: their answers come first."""

    def __init__(self, message: str, prefix: bytes, before: list[bytes]) -> None:
        super().__init__(message)
        self.prefix = prefix
        self.before = before


class Framer:
    """Splits one connection's bytes into messages."""

    def __init__(self, max_message_bytes: int) -> None:
        self._max = max_message_bytes
        self._buffer = bytearray()
        self._needed = HEADER

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now. Raises FramingError; nothing that follows makes sense then."""
        buffer = self._buffer
        if not buffer and data[:4] == _REQUEST and HEADER < len(data) <= HEADER + self._max:
            # One whole message, as nearly always.
            length = int.from_bytes(data[4:8], "big")
            if length == len(data) - HEADER and not length & 7:
                return [data]
        buffer += data
        messages: list[bytes] = []
        while len(buffer) >= self._needed:
            if self._needed == HEADER:
                self._needed = HEADER + self._length(messages)
                continue
            messages.append(bytes(buffer[: self._needed]))
            del buffer[: self._needed]
            self._needed = HEADER
        return messages

    @property
    def is_within_message(self) -> bool:
        """Whether a message has begun that is not whole."""
        return bool(self._buffer)

    @property
    def buffered(self) -> int:
        """Bytes of the message that has begun."""
        return len(self._buffer)

    def _length(self, before: list[bytes]) -> int:
        buffer = self._buffer
        length = int.from_bytes(buffer[4:8], "big")
        if buffer[:4] != _REQUEST:
            wrong = "a message is a Request Message structure"
        elif length == 0 or length & 7:
            wrong = "the length of a message is a multiple of 8"
        elif length > self._max:
            wrong = f"a message has at most {self._max} bytes, this one says {length}"
        else:
            return length
        raise FramingError(wrong, bytes(buffer[:64]), before)
