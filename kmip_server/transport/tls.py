"""TLS as a KMIP server needs it.

Strategy: three profiles in one table. A client certificate is always required, and must come from a client CA or be
pinned in the identity table. Sessions are resumed, also with client certificates, which OpenSSL allows only under a
session-id context; since nothing is verified on a resumption, the certificate is verified again by `verify_again`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from OpenSSL import SSL, crypto

from kmip_server.errors import SettingsError
from kmip_server.pki.authority import fingerprint
from kmip_server.pki.files import require_private

IsPinned = Callable[[str], bool]

_SESSION_ID_CONTEXT = b"kmip-server"

# Forward secret and authenticated (RFC 9325 section 4.2).
_AEAD = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
# What the KMIP profiles 1.0-1.4 name for clients of their time.
_CBC = (
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:"
    "AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-SHA256:AES128-SHA256:AES256-SHA:AES128-SHA"
)


@dataclass(frozen=True, slots=True)
class TLSProfile:
    minimum: int
    ciphers: str
    """For TLS 1.2; those of 1.3 are all good."""


PROFILES = {
    "modern": TLSProfile(SSL.TLS1_3_VERSION, _AEAD),
    "compatible": TLSProfile(SSL.TLS1_2_VERSION, _AEAD),
    "legacy": TLSProfile(SSL.TLS1_2_VERSION, f"{_AEAD}:{_CBC}"),
}

_PINNABLE = frozenset(
    {
        18,  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
        19,  # X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
        20,  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        21,  # X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
    }
)
"""Nobody vouches for the certificate: the one fault that pinning makes good."""


class ServerTLS:
    """One set of TLS settings. OpenSSL freezes a context after its first use: to change anything, make another."""

    def __init__(
        self,
        *,
        profile: str,
        certificate: Path,
        private_key: Path,
        client_ca: Sequence[Path],
        is_pinned: IsPinned,
    ) -> None:
        """`is_pinned` answers from memory whether a SHA-256 fingerprint stands in the identity table.

        Raises SettingsError with one sentence for files that are missing, open to others, or do not fit.
        """
        self._is_pinned = is_pinned
        self._authorities = [each for path in client_ca for each in _certificates(path)]
        self._trust = crypto.X509Store()
        for authority in self._authorities:
            self._trust.add_cert(authority)
        self.context = self._context(PROFILES[profile], certificate, private_key)

    def _context(self, profile: TLSProfile, certificate: Path, private_key: Path) -> SSL.Context:
        require_private(private_key)
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(profile.minimum)
        context.set_cipher_list(profile.ciphers.encode())
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_RENEGOTIATION)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
        context.set_session_id(_SESSION_ID_CONTEXT)
        try:
            context.use_certificate_chain_file(str(certificate))
        except SSL.Error as error:
            raise SettingsError(f"the certificate {certificate} cannot be read") from error
        try:
            context.use_privatekey_file(str(private_key))
            context.check_privatekey()
        except SSL.Error as error:
            raise SettingsError(f"the private key {private_key} is not that of {certificate}") from error
        store = context.get_cert_store()
        assert store is not None
        for authority in self._authorities:
            store.add_cert(authority)
        context.set_client_ca_list([authority.get_subject() for authority in self._authorities])
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._accepts)
        return context

    def _accepts(
        self, connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
    ) -> bool:
        """OpenSSL's verdict, but for a certificate of its own that is pinned."""
        del connection
        if ok:
            return True
        return depth == 0 and error in _PINNABLE and self._is_pinned(_fingerprint(certificate))

    def verify_again(self, certificate: crypto.X509) -> bool:
        """Whether a client certificate would be accepted now: on a resumed session nobody has looked at it."""
        context = crypto.X509StoreContext(self._trust, certificate)
        try:
            context.verify_certificate()
        except crypto.X509StoreContextError:
            return not certificate.has_expired() and self._is_pinned(_fingerprint(certificate))
        return True


def _fingerprint(certificate: crypto.X509) -> str:
    return fingerprint(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))


def _certificates(path: Path) -> list[crypto.X509]:
    """Every certificate in a PEM file."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"the client CA {path} cannot be read: {error.strerror}") from error
    end = b"-----END CERTIFICATE-----"
    blocks = [block + end for block in text.split(end) if b"-----BEGIN CERTIFICATE-----" in block]
    if not blocks:
        raise SettingsError(f"the client CA {path} holds no certificate in PEM")
    try:
        return [crypto.load_certificate(crypto.FILETYPE_PEM, block) for block in blocks]
    except crypto.Error as error:
        raise SettingsError(f"the client CA {path} holds a certificate that cannot be read") from error
