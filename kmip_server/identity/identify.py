"""From a connection and a message to a principal.

Strategy: the certificate names a principal; a credential in the message, if there is one, must be right and
name the same one, or one that the certificate's may speak for. What is sent is evaluated or refused, never
ignored. All of it is looked at again for every message, against the identities as they are now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kmip_server.authz.records import Identities, PrincipalRecord
from kmip_server.identity.certificate import CertificateFacts, IdentityRule, NotIdentified, facts_of, principal_name
from kmip_server.identity.credentials import PasswordCheck
from kmip_server.principal import Peer, Principal
from kmip_server.protocol.enums import CredentialType
from kmip_server.protocol.messages import Authentication, UsernameAndPassword, credential_value
from kmip_server.protocol.versions import Version

_CACHED = 8192


@dataclass(slots=True)
class _Known:
    """Principals by fingerprint, worked out from these identities and from no others: a thread that still has older
    ones keeps what it finds with them."""

    identities: Identities
    principals: dict[str, Principal] = field(default_factory=dict)


class Identifier:
    """Callable from any thread."""

    def __init__(self, identities: Callable[[], Identities], rules: Sequence[IdentityRule]) -> None:
        self._identities = identities
        self._rules = tuple(rules)
        self._passwords = PasswordCheck()
        self._facts: dict[str, CertificateFacts] = {}
        self._known = _Known(identities())

    def identify(self, peer: Peer, authentication: Authentication | None, version: Version) -> Principal:
        """The principal of one message. Raises NotIdentified, which says nothing to the client, and
        CodecError for a credential that is malformed."""
        identities = self._identities()
        principal = self._of_certificate(peer, identities)
        if authentication is None:
            return principal
        if len(authentication.credentials) != 1:
            raise NotIdentified("a message has exactly one credential, or none")
        credential = authentication.credentials[0]
        if credential.credential_type != CredentialType.USERNAME_AND_PASSWORD:
            raise NotIdentified(f"credentials of type {credential.credential_type.title} are not served")
        given: UsernameAndPassword = credential_value(credential, UsernameAndPassword, version)
        own = (principal.name, *identities.principals[principal.name].speaks_for)
        named = self._passwords.principal_of(given.username, given.password or "", identities, own)
        return _principal(identities.principals.get(named), "certificate+password", named)

    def is_over(self, peer: Peer) -> bool:
        """Whether a connection's certificate names nobody who is welcome, by the table or by a rule."""
        try:
            self._of_certificate(peer, self._identities())
        except NotIdentified:
            return True
        return False

    def _of_certificate(self, peer: Peer, identities: Identities) -> Principal:
        known = self._known
        if known.identities is not identities:
            known = self._known = _Known(identities)
        found = known.principals.get(peer.fingerprint)
        if found is not None:
            return found
        facts = self._facts.get(peer.fingerprint)
        if facts is None:
            facts = facts_of(peer.certificate, peer.fingerprint)
            if len(self._facts) >= _CACHED:
                self._facts.clear()
            self._facts[peer.fingerprint] = facts
        name = principal_name(facts, self._rules, identities)
        principal = _principal(identities.principals.get(name), "certificate", name)
        if len(known.principals) >= _CACHED:
            known.principals.clear()
        known.principals[peer.fingerprint] = principal
        return principal


def _principal(record: PrincipalRecord | None, authentication: str, name: str) -> Principal:
    if record is None:
        raise NotIdentified(f"there is no principal {name!r}")
    if not record.enabled:
        raise NotIdentified(f"the principal {name} is disabled")
    return Principal(
        name=record.name,
        domain=record.domain,
        groups=record.groups,
        owner_group=record.owner_group,
        quirks=record.quirks,
        roles=record.roles,
        authentication=authentication,
    )
