"""Why a TLS handshake failed, in words for the log and in causes for the metrics.

Strategy: OpenSSL's codes and reasons become one `Fault` by two tables; what they do not know stays in OpenSSL's own
words. The log is told sparingly, since whoever can connect can make it speak. What a stranger's certificate says is
shown escaped and cut.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from OpenSSL import SSL, crypto

from kmip_server import metrics

log = logging.getLogger(__name__)

LINES = 20
"""Lines of the log for each period; what is over is only counted."""
PERIOD_SECONDS = 60.0
_SUBJECT_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of a handshake."""

    cause: str
    """A label of the metrics; there are as many as these tables have."""
    text: str
    subject: str = ""
    """Whose certificate it is about, escaped; empty where none was seen."""

    def __str__(self) -> str:
        return f"{self.text}; its subject is {self.subject}" if self.subject else self.text


_NOT_OURS = ("authority", "the client's certificate comes from no CA of tls.client_ca and is not pinned")
_VERIFICATION = {
    2: _NOT_OURS,
    7: ("signature", "a signature in the client's certificate chain is wrong"),
    9: ("validity", "a certificate in the client's chain is not yet valid"),
    10: ("validity", "a certificate in the client's chain has expired"),
    18: _NOT_OURS,
    19: _NOT_OURS,
    20: _NOT_OURS,
    21: _NOT_OURS,
    26: ("purpose", "the client's certificate is not for clients (Extended Key Usage)"),
    66: ("weak", "the key of the client's certificate is too weak"),
    67: ("weak", "the key of a CA in the client's chain is too weak"),
    68: ("weak", "a signature in the client's certificate chain uses a weak hash"),
    79: ("authority", "a certificate in the client's chain has issued another and is no CA"),
}
"""X509_V_ERR_* codes."""

_REASONS = (
    ("peer did not return a certificate", "no certificate", "the client sent no certificate"),
    ("no shared cipher", "cipher", "the client offers no cipher suite of kmip.tls_profile"),
    ("no suitable signature algorithm", "cipher", "the client offers no signature algorithm that is accepted"),
    ("unsupported protocol", "version", "the client offers no TLS version of kmip.tls_profile"),
    ("version too low", "version", "the client offers no TLS version of kmip.tls_profile"),
    ("wrong version number", "not TLS", "the client does not speak TLS"),
    ("http request", "not TLS", "the client speaks HTTP without TLS"),
    ("packet length too long", "not TLS", "the client does not speak TLS"),
)
"""Part of OpenSSL's reason, the cause, and our words."""

TIMEOUT = Fault(cause="timeout", text="the client did not finish it in time")


def of_verification(code: int, subject: str) -> Fault:
    """The fault that OpenSSL's verification found."""
    cause, text = _VERIFICATION.get(
        code, ("other", f"the client's certificate fails verification with error {code}")
    )
    return Fault(cause=cause, text=text, subject=subject)


def of_error(error: SSL.Error, code: int, subject: str) -> Fault:
    """The fault behind a failed handshake; code and subject are what verification found, if it came to that."""
    if code:
        return of_verification(code, subject)
    arguments = error.args
    reason = str(arguments[0][0][-1]) if arguments and isinstance(arguments[0], list) and arguments[0] else ""
    for part, cause, text in _REASONS:
        if part in reason:
            return Fault(cause=cause, text=text)
    if " alert " in reason:
        return Fault(cause="peer", text=f"the client refused it: {reason}")
    return Fault(cause="other", text=reason or "the client ended it")


def subject_of(certificate: crypto.X509) -> str:
    """The subject for a line of the log: whoever made the certificate chose it, so it is escaped and cut."""
    parts = certificate.get_subject().get_components()
    text = ",".join(
        f"{name.decode('ascii', 'replace')}={value.decode('utf-8', 'replace')}" for name, value in parts
    )
    return ascii(text[:_SUBJECT_LENGTH])


class FaultLog:
    """Counts every failed handshake, and logs a bounded number of them. On the reactor's thread."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._began = -PERIOD_SECONDS
        self._told = 0
        self._kept_back = 0

    def tell(self, address: str, fault: Fault) -> None:
        metrics.handshakes_failed.labels(fault.cause).inc()
        self.catch_up()
        if self._told >= LINES:
            self._kept_back += 1
            return
        self._told += 1
        log.info("TLS handshake with %s failed: %s", address, fault)

    def catch_up(self) -> None:
        """Begin a period where the last is over, and say how much it kept back. Called every second."""
        now = self._seconds()
        if now - self._began < PERIOD_SECONDS:
            return
        if self._kept_back:
            log.info("%d more TLS handshakes failed in the last minute", self._kept_back)
        self._began, self._told, self._kept_back = now, 0, 0
