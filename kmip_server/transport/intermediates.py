"""Intermediate certificates that full handshakes have proven, for resumptions, which bring no chain.

Strategy: a session made at one worker is resumed at any, so what one has proven the others must know. A file in
the instance's folder has it: each certificate is one appended write; who finds one missing reads what has come
since it last looked. Nothing in the file is trusted. An intermediate only helps to build a chain, which must
end in a client CA of the settings, so who could write to it could let nobody in. It is bounded: beyond
`MAX_BYTES` one worker writes the latest anew and puts that in its place. The file may fail; then a client makes
a full handshake with each worker.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import logging
import os
import ssl
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

from OpenSSL import crypto

from kmip_server.pki.authority import fingerprint

log = logging.getLogger(__name__)

FILE = "intermediates.pem"
MAX_COUNT = 1024
"""Kept in memory; those not seen for longest go first."""
MAX_BYTES = 1 << 20
"""Of the file, before it is written anew with half of that. Beyond twice as much nothing is added."""
_MAX_DER = 32 << 10
"""Larger ones are not shared."""
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Intermediates:
    """What this process knows. On the reactor's thread."""

    def __init__(self, shared: Path | None = None) -> None:
        """`shared`: the file that other processes know too."""
        self._shared = shared
        self._known: OrderedDict[str, crypto.X509] = OrderedDict()
        self._read: tuple[int, int] = (0, 0)
        """Which file was read last, and how far."""

    def __iter__(self) -> Iterator[crypto.X509]:
        return iter(list(self._known.values()))

    def remember(self, proven: Sequence[crypto.X509]) -> None:
        """Intermediates of a chain that has been verified: nobody else can put any here."""
        for certificate in proven:
            der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
            if self._keep(der, certificate) and self._shared is not None and len(der) <= _MAX_DER:
                try:
                    self._append(self._shared, _pem(der))
                except OSError as error:
                    log.warning("other workers do not learn of a client's intermediate certificate: %s", error)

    def _keep(self, der: bytes, certificate: crypto.X509 | None = None) -> bool:
        """Whether it was not known. Raises crypto.Error where it is no certificate."""
        name = fingerprint(der)
        is_new = name not in self._known
        if is_new:
            self._known[name] = certificate or crypto.load_certificate(crypto.FILETYPE_ASN1, der)
            if len(self._known) > MAX_COUNT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(name)
        return is_new

    def learn(self) -> bool:
        """Read what others have written since. False where that is nothing."""
        if self._shared is None:
            return False
        with contextlib.suppress(OSError):
            status = self._shared.stat()
            if (status.st_ino, status.st_size) != self._read:
                descriptor = os.open(self._shared, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    return self._learn(descriptor)
                finally:
                    os.close(descriptor)
        return False

    def _learn(self, descriptor: int) -> bool:
        file, length = self._read
        status = os.fstat(descriptor)
        begin = length if file == status.st_ino and length <= status.st_size else 0
        new = os.pread(descriptor, max(0, 2 * MAX_BYTES + _MAX_DER - begin), begin)
        whole = new.rfind(_END) + len(_END) if _END in new else 0
        self._read = (status.st_ino, begin + whole)
        is_new = [self._understood(block) for block in new[:whole].split(_END)]
        return any(is_new)

    def _understood(self, block: bytes) -> bool:
        # One that was written in part has another's beginning within it.
        _, begin, text = block.rpartition(_BEGIN)
        try:
            return bool(begin) and self._keep(base64.b64decode(text))
        except (ValueError, crypto.Error):
            return False

    def _append(self, path: Path, pem: bytes) -> None:
        """Into the file that has the name afterwards, too: another worker may be writing it anew."""
        while True:
            descriptor = os.open(path, _FLAGS, 0o600)
            try:
                if os.fstat(descriptor).st_size > 2 * MAX_BYTES:
                    return
                os.write(descriptor, pem)
                if not _is_at(path, descriptor):
                    continue
                if os.fstat(descriptor).st_size > MAX_BYTES:
                    self._write_anew(path, descriptor)
                return
            finally:
                os.close(descriptor)

    def _write_anew(self, path: Path, old: int) -> None:
        """The latest, in a file that takes the old one's place; one worker at a time."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(old, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(path, old):
                return
            self._learn(old)
            temporary = path.with_name(f"{path.name}.new")
            temporary.unlink(missing_ok=True)
            new = os.open(temporary, _FLAGS | os.O_EXCL, 0o600)
            try:
                os.write(new, b"".join(self._latest()))
                _, length = self._read
                temporary.rename(path)
                # What was appended to the old one meanwhile; whoever is later still finds the name moved.
                os.write(new, os.pread(old, MAX_BYTES, length))
            finally:
                os.close(new)

    def _latest(self) -> list[bytes]:
        taken: list[bytes] = []
        size = 0
        for certificate in reversed(self._known.values()):
            pem = _pem(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))
            size += len(pem)
            if size > MAX_BYTES // 2:
                break
            taken.append(pem)
        return taken[::-1]


def _pem(der: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der).encode()


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is the one that has the name."""
    with contextlib.suppress(FileNotFoundError):
        status = path.stat()
        return (status.st_dev, status.st_ino) == (os.fstat(descriptor).st_dev, os.fstat(descriptor).st_ino)
    return False
