"""TLS as a KMIP server needs it.

Strategy: three profiles in one table. A client certificate is always required, and must come from a client CA or
be pinned in the identity table. Every certificate of `client_ca` is an anchor, a root or not: who lists an issuing
CA trusts it. A pin stands for the client's own certificate, whatever else it sends, so faults above that one are
judged together with it. Sessions are resumed, also with client certificates, which OpenSSL allows only under a
session-id context; since nothing is verified on a resumption, and the session keeps the certificate but not its
chain, the certificate is verified again with the intermediates that full handshakes have proven.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from OpenSSL import SSL, crypto

from kmip_server.errors import AuthenticationNotSuccessful, SettingsError
from kmip_server.pki.authority import fingerprint
from kmip_server.pki.files import read_private_key
from kmip_server.transport import faults
from kmip_server.transport.faults import Fault
from kmip_server.transport.intermediates import Intermediates
from kmip_server.transport.records import RecordConnection

IsPinned = Callable[[str], bool]


def nobody(fingerprint: str) -> bool:
    """No certificate is pinned."""
    del fingerprint
    return False


_SESSION_ID_CONTEXT = b"kmip-server"

# Forward secret and authenticated (RFC 9325 section 4.2).
_AEAD = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
# What the KMIP profiles name for TLS 1.2. The last lines, RSA key transport, work only with an RSA certificate.
_CBC = (
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:"
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:"
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
        7,  # X509_V_ERR_CERT_SIGNATURE_FAILURE: by the key of an issuer that the client sent
        18,  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
        19,  # X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
        20,  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        21,  # X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
    }
)
"""Nobody vouches for the certificate: the one fault of its own that pinning makes good."""


class CertificateRefused(AuthenticationNotSuccessful):
    """The client's certificate is not, or no longer, good enough."""

    def __init__(self, fault: Fault) -> None:
        super().__init__("the client certificate is not accepted")
        self.fault = fault
        self.detail = str(fault)


class VerifiedConnection(RecordConnection):
    """A TLS connection that knows what verification has found on it."""

    verified = False
    """Whether certificates were looked at: not on a resumed session."""
    code = 0
    """The first fault, an X509_V_ERR; 0: none."""
    subject = ""


class ServerTLS:
    """One set of TLS settings. OpenSSL freezes a context after its first use: to change anything, make another."""

    def __init__(
        self,
        *,
        profile: str,
        certificate: Path,
        private_key: Path,
        client_ca: Sequence[Path],
        is_pinned: IsPinned = nobody,
        intermediates: Intermediates | None = None,
    ) -> None:
        """`is_pinned` answers at once whether a SHA-256 fingerprint stands in the identity table; a worker sets
        it, where the table is not known yet.

        Raises SettingsError with one sentence for files that are missing, open to others, or do not fit.
        """
        self.is_pinned = is_pinned
        self._authorities = [each for path in client_ca for each in _certificates(path)]
        self._trust = crypto.X509Store()
        self._anchor(self._trust)
        self._intermediates = intermediates or Intermediates()
        self.context = self._context(PROFILES[profile], certificate, private_key)

    def _context(self, profile: TLSProfile, certificate: Path, private_key: Path) -> SSL.Context:
        key = crypto.PKey.from_cryptography_key(read_private_key(private_key))  # type: ignore[arg-type]
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
            context.use_privatekey(key)
            context.check_privatekey()
        except SSL.Error as error:
            raise SettingsError(f"the private key {private_key} is not that of {certificate}") from error
        store = context.get_cert_store()
        assert store is not None
        self._anchor(store)
        context.set_client_ca_list([authority.get_subject() for authority in self._authorities])
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._accepts)
        return context

    def _anchor(self, store: crypto.X509Store) -> None:
        """Make every client CA an anchor; without the flag only self-signed ones would be."""
        for authority in self._authorities:
            store.add_cert(authority)
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)

    def _accepts(
        self, connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
    ) -> bool:
        """OpenSSL's verdict, but for a client's certificate that is pinned.

        Certificates come from the top of the chain down, and OpenSSL does not show the client's own before its
        turn. So a fault above it is noted and passed; the client's own is then refused for it, unless it is pinned.
        """
        assert isinstance(connection, VerifiedConnection)
        connection.verified = True
        if not ok and not connection.code:
            connection.code = error
        if depth > 0:
            return True
        connection.subject = faults.subject_of(certificate)
        if not ok and error not in _PINNABLE:
            connection.code = error
            return False
        return not connection.code or self.is_pinned(_fingerprint(certificate))

    def connection(self) -> VerifiedConnection:
        """A new connection under these settings."""
        return VerifiedConnection(self.context, None)

    def certificate_of(self, connection: VerifiedConnection) -> crypto.X509:
        """The client's certificate, once the handshake is done. Raises CertificateRefused.

        On a resumed session nobody has looked at it, and on one made under earlier settings others have: it is
        verified here.
        """
        certificate = connection.get_peer_certificate()
        if certificate is None:
            raise CertificateRefused(Fault(cause="no certificate", text="the client sent no certificate"))
        if not connection.verified or connection.get_context() is not self.context:
            self._verify(certificate, connection.get_peer_cert_chain() or ())
        elif not connection.code:
            # Of a chain that ends in an anchor.
            self._intermediates.remember((connection.get_verified_chain() or ())[1:-1])
        elif not self.is_pinned(_fingerprint(certificate)):
            raise CertificateRefused(faults.of_verification(connection.code, connection.subject))
        return certificate

    def _verify(self, certificate: crypto.X509, chain: Sequence[crypto.X509]) -> None:
        fault = self._fault_of(certificate, chain)
        if fault is not None and self._intermediates.learn():
            fault = self._fault_of(certificate, chain)
        if fault is None:
            return
        if certificate.has_expired() or not self.is_pinned(_fingerprint(certificate)):
            subject = faults.subject_of(certificate)
            raise CertificateRefused(faults.of_verification(fault.errors[0], subject)) from fault

    def _fault_of(
        self, certificate: crypto.X509, chain: Sequence[crypto.X509]
    ) -> crypto.X509StoreContextError | None:
        try:
            crypto.X509StoreContext(self._trust, certificate, [*chain, *self._intermediates]).verify_certificate()
        except crypto.X509StoreContextError as error:
            return error
        return None


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
