"""An instance's engine in this process: its settings, database and keystore, without the sockets.

Strategy: the same wiring as the server's. Starting the real process for each of many power cuts would take seconds
each; what a process adds to this is checked on a few of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from kmip_server.app import Application
from kmip_server.config.load import load
from kmip_server.engine.ports import Outcome
from kmip_server.pki.authority import fingerprint
from kmip_server.principal import Peer


class Offline:
    """Asked as the principal `client`."""

    def __init__(self, folder: Path) -> None:
        self._application = Application(load(folder / "kmip-server.toml"))
        self._reader = self._application.open_reader()
        self._writer = self._application.open_writer()
        pem = (folder / "certs" / "client.pem").read_bytes()
        der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        self._peer = Peer(address="offline:0", certificate=der, fingerprint=fingerprint(der))

    def ask(self, message: bytes) -> bytes:
        answerer = self._application.answerer
        self._reader.begin_snapshot()
        try:
            evaluation = answerer.evaluate(message, self._peer, self._reader, self._application.clock.identifier())
        finally:
            self._reader.end_snapshot()
        assert self._writer.apply([evaluation.unit]) == [Outcome.APPLIED]
        return evaluation.reply

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._writer.close()
        self._application.close()
