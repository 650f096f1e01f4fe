"""TLS records in and out of OpenSSL, without asking it for what is known not to be there.

Strategy: whoever drives OpenSSL through memory asks it after every read whether more has come, and after every
write whether more has to go, and each time pays a failed call for the answer no. A TLS record says its own length
(RFC 8446 section 5.1). Where exactly one whole record came, and it held data, there is no more of either: this
connection says so itself. In any other case OpenSSL is asked.
"""

from __future__ import annotations

from typing import Any, Final

from OpenSSL import SSL

_HEADER: Final = 5
_APPLICATION_DATA: Final = 23


class RecordConnection(SSL.Connection):
    """A TLS connection over memory, as Twisted drives it."""

    _missing = 0
    """Bytes still to come of a record that has begun; -1 where the records can no longer be followed."""
    _is_one = False
    """What came last is one whole record of application data, after whole records."""
    _is_read = False
    """And it has been read."""
    _may_send = True
    """Something may wait to be sent."""

    def bio_write(self, buf: Any) -> int:
        self._is_read = False
        self._is_one = not self._missing and buf[0] == _APPLICATION_DATA and len(buf) == _length(buf, 0)
        if not self._is_one:
            self._follow(buf)
        return super().bio_write(buf)

    def _follow(self, data: bytes) -> None:
        """Where the records end in what has come."""
        at, end = self._missing, len(data)
        if at < 0:
            return
        while at + _HEADER <= end:
            at += _length(data, at)
        self._missing = at - end if at >= end else -1

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        if self._is_read:
            raise SSL.WantReadError
        try:
            data = super().recv(bufsiz, flags)
        except SSL.Error:
            self._may_send = True
            raise
        if self._is_one and len(data) < bufsiz:
            self._is_read = True
        else:
            self._may_send = True
        return data

    def bio_read(self, bufsiz: int) -> bytes:
        if not self._may_send:
            raise SSL.WantReadError
        try:
            data = super().bio_read(bufsiz)
        except SSL.WantReadError:
            self._may_send = False
            raise
        self._may_send = len(data) == bufsiz
        return data

    def send(self, buf: Any, flags: int = 0) -> int:
        self._may_send = True
        return super().send(buf, flags)

    def do_handshake(self) -> None:
        self._may_send = True
        super().do_handshake()

    def shutdown(self) -> bool:
        self._may_send = True
        return super().shutdown()


def _length(data: bytes, at: int) -> int:
    """Of the record that begins there, with its header."""
    return _HEADER + int.from_bytes(data[at + 3 : at + _HEADER], "big")
