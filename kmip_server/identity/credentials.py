"""Username and Password, against local Argon2id records.

Strategy: some appliances send their password with every message, and Argon2id takes tens of milliseconds, so
a password that was right is remembered for a minute: as a keyed hash under a key of this process alone, and
only while the policy revision stands. Nothing else is remembered: a wrong password, an unknown user and the right
password of somebody else cost the same, the first time and the next, so none can be told from another.
"""

from __future__ import annotations

import hmac
import os
import threading
import time
from base64 import b64encode
from collections.abc import Collection

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from kmip_server.authz.records import Identities
from kmip_server.identity.certificate import NotIdentified

REMEMBERED_SECONDS = 60.0
_REMEMBERED = 1024

# RFC 9106 section 4, second recommended option, with one lane: the server has other work for its cores.
hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)


def _hash_of_nothing() -> str:
    """A record that takes as long to check as any, and that no password fits."""

    def encoded(length: int) -> str:
        return b64encode(os.urandom(length)).decode().rstrip("=")

    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${encoded(hasher.salt_len)}${encoded(hasher.hash_len)}"


class PasswordCheck:
    """Thread safe."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._right: dict[bytes, tuple[int, float]] = {}
        self._lock = threading.Lock()
        self._nobody = _hash_of_nothing()

    def principal_of(
        self, username: str, password: str, identities: Identities, speaks_for: Collection[str]
    ) -> str:
        """The principal whose credential this is, one that the sender speaks for. Raises NotIdentified."""
        record = identities.credentials.get(username)
        mark = hmac.digest(self._key, f"{len(username)} {username}{password}".encode(), "sha256")
        is_one = record is not None and record.principal in speaks_for
        if record is not None and is_one and self._is_remembered(mark, identities.policy_revision):
            return record.principal
        try:
            hasher.verify(record.password_hash if record is not None else self._nobody, password)
        except (Argon2Error, InvalidHashError) as error:
            raise NotIdentified(f"the password of user {username!r} is wrong, or there is no such user") from error
        if record is None:
            raise NotIdentified(f"there is no user {username!r}")
        if not is_one:
            raise NotIdentified(f"the credential names {record.principal}, whom the certificate does not speak for")
        self._remember(mark, identities.policy_revision)
        return record.principal

    def _is_remembered(self, mark: bytes, policy_revision: int) -> bool:
        with self._lock:
            revision, until = self._right.get(mark, (0, 0.0))
        return revision == policy_revision and time.monotonic() < until

    def _remember(self, mark: bytes, policy_revision: int) -> None:
        with self._lock:
            if len(self._right) >= _REMEMBERED:
                self._right.pop(next(iter(self._right)))
            self._right[mark] = (policy_revision, time.monotonic() + REMEMBERED_SECONDS)
