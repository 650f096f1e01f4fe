"""The interfaces the engine needs, and the plain records that cross them.

Strategy: the engine reads through these and leaves behind a `UnitOfWork`; whoever implements them
knows SQL, PKCS#11 or the roles. Records are frozen; a changed object is a new record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, Protocol

from kmip_server.frozen import frozen
from kmip_server.principal import Principal
from kmip_server.protocol.attribute_set import AttributeKey, AttributeSet
from kmip_server.protocol.enums import ObjectType, Operation

# --- objects ------------------------------------------------------------------------------------


@frozen
class SealedMaterial:
    """An object's value under its own data key, that under a sealing key. Safe to store and to back up."""

    generation: int
    sealing_key_version: int
    wrapped_data_key: bytes
    nonce: bytes
    ciphertext: bytes = field(repr=False)


@frozen
class StoredObject:
    """One Managed Object: all that is known of it but its value, which stays sealed."""

    unique_identifier: str
    domain: str
    owner: str
    """"principal:NAME" or "group:NAME"."""
    object_type: ObjectType
    attributes: AttributeSet
    """Every attribute that is stored, State and dates among them. State is the stored one; the
    effective State is `engine.states.effective_state`."""
    revision: int = 0
    """0 until it is stored; then counts up with every change."""
    created_order: int = 0
    """Microseconds UTC of its making: Locate's order, newest first, finer than a second."""
    sealed: SealedMaterial | None = field(default=None, repr=False)
    """None once destroyed, or where the value was never given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of a Locate: `key` has an instance equal to `value`, or in [value, value_to]."""

    key: AttributeKey
    value: object
    value_to: object = None
    """Set for date ranges only (two instances of one Date-Time attribute in the request)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocateQuery:
    """What Locate asks of the store. The engine re-checks every candidate itself."""

    domain: str
    owners: tuple[str, ...] | None
    """Only objects of these owners; None: of anyone in the domain."""
    conditions: tuple[Condition, ...]
    include_destroyed: bool
    include_archived: bool


class ObjectStore(Protocol):
    """Reading. One instance serves one thread; reads of a group see one snapshot."""

    @property
    def epoch(self) -> int:
        """The epoch of the snapshot: raised by every change of an object, a principal, a role or a certificate."""

    def find(self, unique_identifier: str) -> StoredObject | None:
        """The object with its sealed value, whoever owns it."""

    def candidates(self, query: LocateQuery) -> Iterable[StoredObject]:
        """A superset of the objects that match, newest first, read lazily; never a subset."""

    def name_holder(self, scope: str, name: str) -> str | None:
        """The Unique Identifier of the object that holds this Name in this scope."""


class KeyStore(Protocol):
    """Sealing and random. Thread safe. Raises KeyStoreUnavailable, SealBroken."""

    def seal(
        self, value: bytes, *, unique_identifier: str, object_type: ObjectType, generation: int
    ) -> SealedMaterial: ...

    def open(self, sealed: SealedMaterial, *, unique_identifier: str, object_type: ObjectType) -> bytes: ...

    def random(self, length: int) -> bytes:
        """`length` bytes: the HSM's random mixed with the operating system's."""

    def seed(self, data: bytes) -> None:
        """Stir `data` into the generator; never less random than before."""


# --- who may ------------------------------------------------------------------------------------


@frozen
class ObjectFacts:
    """What the decision function may know of an object."""

    unique_identifier: str
    owner: str
    domain: str
    object_type: ObjectType


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a rule says. `visible` is False where the object must look absent."""

    allowed: bool
    rule: str
    reason: str
    visible: bool = True


class Authorizer(Protocol):
    def decide(self, principal: Principal, operation: Operation, facts: ObjectFacts | None) -> Decision:
        """Pure. `facts` is None for an operation without an object, or before one exists."""

    def visible_owners(self, principal: Principal, operation: Operation) -> tuple[str, ...] | None:
        """Whose objects `operation` (Locate) may show: None is anyone's in the domain, () is nobody's."""


# --- the unit of work ---------------------------------------------------------------------------


@frozen
class Write:
    """One object to write. `read_revision` 0 makes it, else it must still be the stored revision."""

    stored: StoredObject
    read_revision: int
    material_changed: bool
    """Whether `stored.sealed` differs from what is stored (None then erases it)."""
    names: tuple[tuple[str, str], ...]
    """(scope, Name value) pairs this object holds from now on; () frees them."""


class AuditEntry(NamedTuple):
    """What one operation leaves on record; the chain adds number, time and hash."""

    request_identifier: str
    principal: str
    authentication: str
    source: str
    operation: str
    version: str
    object: str
    outcome: str
    """"allowed", "refused", "failed", "undone"."""
    reason: str
    rule: str
    policy_revision: int
    client_correlation_value: str = ""
    """What the client calls its request (KMIP 1.4 §6.18), as far as `MAX_CORRELATION` characters; "" for none."""


MAX_CORRELATION = 128
"""Characters of a Client Correlation Value on record: a record stands for each item, and the value for all."""


@frozen
class Basis:
    """What a request was evaluated on. Its answer may leave only where all of it still holds at the commit: else a
    value could be handed out after its Destroy, or the principal's revocation, was acknowledged."""

    epoch: int
    """While the database has this one, everything holds."""
    policy_revision: int
    revisions: Mapping[str, int]
    """By Unique Identifier, of every object that was opened; 0 where there was none."""


class Outcome(IntEnum):
    """What became of a unit of work in a commit that succeeded."""

    OVERTAKEN = 0
    """Something it rests on has changed, or a Name was taken: nothing was written; evaluate again."""
    APPLIED = 1
    FAILED = 2
    """It could not be written, through a fault of ours: nothing of it was, and that is on record."""


@frozen
class UnitOfWork:
    """Everything one request changes. Applied whole or not at all, with its record."""

    writes: Sequence[Write]
    audit: Sequence[AuditEntry]
    basis: Basis | None = None
    """None where the answer gives away nothing that was read."""
