"""Every setting: section, key, default, unit, and a line of explanation.

Strategy: one frozen dataclass for each section; the default is safe, the unit is in the name, and the
explanation is part of the declaration, so the sample file and `docs/configuration.md` are written from here
and cannot differ from it.
"""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

_CONFIG = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
MAX_WORKERS = 64
Workers = Annotated[int, Field(ge=1, le=MAX_WORKERS)]


def _setting(default: Any, text: str) -> Any:
    """A key with its default and its explanation. A list or dictionary gets a copy of its own."""
    if isinstance(default, (list, tuple)):
        return field(default_factory=lambda: type(default)(default), metadata={"text": text})
    return field(default=default, metadata={"text": text})


def _divided(default: int, text: str) -> Any:
    """A bound of the whole server, of which each of N workers keeps the N-th part, rounded up."""
    return _setting(default, f"{text}; divided among the workers")


@dataclass(config=_CONFIG)
class Kmip:
    """The KMIP listener: TTLV over TLS."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: Port = _setting(5696, "TCP port; 0 takes a free one")
    tls_profile: Literal["modern", "compatible", "legacy"] = _setting(
        "compatible",
        "modern: TLS 1.3; compatible: 1.2 with forward-secret AEAD and 1.3; legacy: adds CBC suites",
    )


@dataclass(config=_CONFIG)
class Https:
    """KMIP over HTTPS. Not available in this version."""

    enabled: bool = _setting(False, "serve POST /kmip")
    host: str = _setting("127.0.0.1", "address to listen on")
    port: Port = _setting(5697, "TCP port")


@dataclass(config=_CONFIG)
class Admin:
    """The administration interface, for kmip-admin."""

    enabled: bool = _setting(True, "listen for remote kmip-admin; the local socket is always there")
    host: str = _setting("127.0.0.1", "address to listen on")
    port: Port = _setting(5698, "TCP port; 0 takes a free one")


@dataclass(config=_CONFIG)
class Tls:
    """Certificates. Paths are relative to the settings file."""

    certificate: str = _setting("certs/server.pem", "the server's certificate, and its chain")
    private_key: str = _setting("certs/server.key", "its private key, mode 0600")
    client_ca: list[str] = _setting(["certs/ca.pem"], "CAs whose client certificates are accepted")
    crl: list[str] = _setting([], "revocation lists. Not available in this version")


@dataclass(config=_CONFIG)
class Protocol:
    """What the protocol offers."""

    interop: bool = _setting(False, "offer the Interop operation: for tests between products, never in production")
    weak_algorithms: bool = _setting(False, "make and use keys of weak algorithms: 3DES, RSA under 2048 and more")
    lease_time_seconds: Count = _setting(3600, "the Lease Time attribute of every object")


@dataclass(config=_CONFIG)
class Names:
    """The Name attribute."""

    unique: Literal["owner", "domain", "off"] = _setting("owner", "among whose objects a Name is unique")


@dataclass(config=_CONFIG)
class Server:
    """The process."""

    workers: Workers = _setting(1, "processes that serve; from 2 on a supervisor starts, watches and replaces them")
    node: str = _setting("", "this node's name in the audit record; empty: the host's name")
    drain_seconds: Seconds = _setting(10.0, "how long requests under way may take when the server stops")
    hang_seconds: Seconds = _setting(
        10.0, "after which a worker that does nothing more is killed; another is started beside it at once"
    )
    max_clock_jump_seconds: Seconds = _setting(
        86400.0,
        "how far the machine's clock may jump ahead; beyond that requests are refused until it is set right",
    )


@dataclass(config=_CONFIG)
class Store:
    """The database."""

    url: str = _setting("sqlite:///kmip.db", "sqlite:///FILE; other databases are not available in this version")


@dataclass(config=_CONFIG)
class Token:
    """A token that holds the wrapping key."""

    module: str = _setting("", "path of the PKCS#11 module")
    label: str = _setting("", "the token's label")
    pin_file: str = _setting("", "file with the user PIN, mode 0600")


@dataclass(config=_CONFIG)
class KeyStore:
    """What holds the key above all keys."""

    kind: Literal["pkcs11", "software"] = _setting("pkcs11", "a PKCS#11 token, or a sealed file, which is no HSM")
    grace_seconds: Annotated[float, Field(ge=0)] = _setting(
        0.0, "how long opened keys serve on after the HSM is found to be away"
    )
    folder: str = _setting("", "where the SoftHSM token or the sealed file is; empty: beside the settings file")
    token: list[Token] = _setting([], "the token. More than one is not available in this version")


@dataclass(config=_CONFIG)
class Audit:
    """The record."""

    reads: Literal["durable", "deferred"] = _setting(
        "durable",
        "durable: no answer before its record is durable; deferred: what only reads is answered first, and its"
        " record is durable within 50 ms",
    )
    retention_days: Count = _setting(3650, "how long records are kept. Not available in this version: all are kept")


@dataclass(config=_CONFIG)
class Directory:
    """The LDAP directory. Not available in this version."""

    urls: list[str] = _setting([], "ldap:// or ldaps:// servers")
    start_tls: bool = _setting(False, "StartTLS on ldap://")
    ca_file: str = _setting("", "CA of the directory's certificates")
    bind_dn: str = _setting("", "who the server binds as")
    bind_password_file: str = _setting("", "file with its password")
    user_base: str = _setting("", "where users are")
    user_filter: str = _setting("(uid={name})", "how a user is found")
    group_base: str = _setting("", "where groups are")
    group_filter: str = _setting("(member={dn})", "how a user's groups are found")
    nested: Literal["off", "walk", "ad"] = _setting("off", "groups in groups")
    cache_seconds: Annotated[float, Field(ge=0)] = _setting(300.0, "how long an answer is fresh")
    grace_seconds: Annotated[float, Field(ge=0)] = _setting(0.0, "how long it serves with the directory away")


@dataclass(config=_CONFIG)
class IdentityRule:
    """One rule; the first that finds its field in the certificate names the principal."""

    source: str = _setting(
        "subject.CN", "sha256, subject.CN, .O, .OU, .UID, .serialNumber, san.dns, .email, .uri, .upn"
    )
    principal: str = _setting("{value}", 'the principal; "{value}" stands for what was found')


@dataclass(config=_CONFIG)
class Identity:
    """Who a certificate is."""

    rule: list[IdentityRule] = _setting([], "in order; the certificates known by fingerprint come first")


@dataclass(config=_CONFIG)
class RoleMapping:
    """A directory group and its role. Not available in this version."""

    group: str = _setting("", "the group's DN")
    role: str = _setting("", "the role")


@dataclass(config=_CONFIG)
class Bounds:
    """The bounds that keep one peer from hurting another."""

    handshake_timeout_seconds: Seconds = _setting(15.0, "for TLS to be established")
    message_timeout_seconds: Seconds = _setting(30.0, "from a message's first byte to its last")
    write_timeout_seconds: Seconds = _setting(30.0, "for a peer to read its answer")
    idle_timeout_seconds: Seconds = _setting(3600.0, "between two messages")
    max_message_bytes: Count = _setting(1 << 20, "of one request")
    max_response_bytes: Count = _setting(16 << 20, "of the answer to one request; items beyond them fail")
    max_batch_items: Count = _setting(1000, "in one request")
    max_key_pairs: Count = _setting(8, "to be made in one request; more are refused, since each can take seconds")
    max_locate_items: Count = _setting(100_000, "in one answer; more are refused, not cut")
    max_examined: Count = _setting(200_000, "objects that the Locates of one message may look at, in all")
    max_attributes: Count = _setting(2000, "of one object")
    max_attribute_bytes: Count = _setting(1 << 20, "of all attributes of one object")
    max_pipelined_messages: Count = _setting(64, "waiting on one connection")
    max_pipelined_bytes: Count = _setting(4 << 20, "waiting on one connection")
    max_waiting_bytes: Count = _divided(256 << 20, "waiting on all connections")
    max_waiting_messages: Count = _divided(2000, "waiting in the whole server, and as many again that take long")
    max_waiting_messages_per_client: Count = _divided(500, "waiting that came with one certificate")
    max_connections: Count = _setting(10_000, "in all; lowered to what the process may open (LimitNOFILE)")
    max_connections_per_address: Count = _divided(2000, "from one address")
    max_handshakes: Count = _divided(
        512, "TLS handshakes that others, begun 3 s later, have overtaken, in all; the oldest are ended"
    )
    max_handshakes_per_address: Count = _divided(64, "the same, from one address")
    max_streams: Count = _setting(1000, "operations in several parts under way, at each worker")
    max_streams_per_principal: Count = _setting(64, "operations in several parts of one principal, at each worker")
    stream_timeout_seconds: Count = _setting(300, "for the next part of an operation to come")
    max_stream_bytes: Count = _setting(16 << 20, "kept by one operation that needs all of its data at once")
    max_stream_bytes_in_all: Count = _divided(128 << 20, "kept by all of them")


@dataclass(config=_CONFIG)
class Log:
    """The log, for operators. It goes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = _setting("info", "the least that is logged")


@dataclass(config=_CONFIG)
class Settings:
    """The whole file."""

    kmip: Kmip = field(default_factory=Kmip)
    https: Https = field(default_factory=Https)
    admin: Admin = field(default_factory=Admin)
    tls: Tls = field(default_factory=Tls)
    protocol: Protocol = field(default_factory=Protocol)
    names: Names = field(default_factory=Names)
    server: Server = field(default_factory=Server)
    store: Store = field(default_factory=Store)
    keystore: KeyStore = field(default_factory=KeyStore)
    audit: Audit = field(default_factory=Audit)
    directory: Directory = field(default_factory=Directory)
    identity: Identity = field(default_factory=Identity)
    role_mapping: list[RoleMapping] = field(default_factory=list)
    limits: Bounds = field(default_factory=Bounds)
    log: Log = field(default_factory=Log)
    folder: Path = Path()
    """Where the settings file is: what relative paths are relative to. Not a key of the file."""

    def path(self, relative: str) -> Path:
        """A path of the file, resolved."""
        return self.folder / relative
