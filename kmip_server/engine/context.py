"""What an operation sees of the world, and what it leaves behind.

Strategy: an operation reads objects through `open`, which checks permission and State in the same breath, and
hands changed objects to `save`; nothing is written here. Later items of a batch see what earlier ones saved.
A failed item is rolled back by dropping what it left; so is a whole batch under Undo. What remains at the end
is the unit of work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from kmip_server.engine import material, states
from kmip_server.engine.found import Found as Found
from kmip_server.engine.policy import Policy as Policy
from kmip_server.engine.ports import (
    AuditEntry,
    Authorizer,
    Basis,
    Decision,
    KeyStore,
    LocateQuery,
    ObjectFacts,
    ObjectStore,
    StoredObject,
    UnitOfWork,
    Write,
)
from kmip_server.engine.quirks import NAMES_NOT_UNIQUE
from kmip_server.engine.references import Answered
from kmip_server.engine.streams import RequestStreams
from kmip_server.errors import (
    NonUniqueNameAttribute,
    ObjectAlreadyExists,
    ObjectArchived,
    ObjectNotFound,
    PermissionDenied,
    ServerLimitExceeded,
)
from kmip_server.principal import Principal
from kmip_server.protocol.attribute_set import AttributeSet
from kmip_server.protocol.enums import DataEnumeration, ObjectType, Operation, UniqueIdentifierEnumeration
from kmip_server.protocol.objects import ManagedObject, Template
from kmip_server.protocol.schema import NthData, ObjectReference
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import Version

NO_SUCH_OBJECT = "no object has this Unique Identifier"


@dataclass(slots=True)
class _Work:
    """What has been read and saved so far. Copied before each item, so that it can be dropped."""

    saved: dict[str, StoredObject] = field(default_factory=dict)
    read_revisions: dict[str, int] = field(default_factory=dict)
    material_changed: set[str] = field(default_factory=set)
    id_placeholder: str | None = None
    answered: Answered = field(default_factory=Answered)
    streams_mark: int = 0
    """Where the request's streams stood when this was copied."""

    def copy(self, streams_mark: int) -> _Work:
        return _Work(
            dict(self.saved),
            dict(self.read_revisions),
            set(self.material_changed),
            self.id_placeholder,
            self.answered,
            streams_mark,
        )


class Context:
    """One request's view. Not shared between threads; lives as long as the request."""

    def __init__(
        self,
        *,
        principal: Principal,
        version: Version,
        now: int,
        now_microseconds: int,
        new_identifier: Callable[[], str],
        store: ObjectStore,
        keystore: KeyStore,
        authorizer: Authorizer,
        policy: Policy,
        streams: RequestStreams,
    ) -> None:
        self.principal = principal
        self.version = version
        self.now = now
        self.keystore = keystore
        self.policy = policy
        self.streams = streams
        self._now_microseconds = now_microseconds
        self._new_identifier = new_identifier
        self._made = 0
        self._store = store
        self._authorizer = authorizer
        self._work = _Work()
        # Kept when an item is rolled back: what it answered rests on what it read.
        self._revisions: dict[str, int] = {}
        self._audit: list[AuditEntry] = []
        self._examined = 0
        self.templates: dict[tuple[str, int], Template] = {}
        """Those that have been unsealed, by identifier and generation."""
        self.decided_rule = ""
        """The rule that decided last, for the record."""
        self.keeps_answers = False
        """Whether later items may refer to what this one answers."""
        self.touched: str = ""
        """The objects the current item named, for the record."""

    # --- reading ------------------------------------------------------------------------------

    @property
    def id_placeholder(self) -> str | None:
        return self._work.id_placeholder

    @id_placeholder.setter
    def id_placeholder(self, unique_identifier: str | None) -> None:
        self._work.id_placeholder = unique_identifier

    def permit(self, operation: Operation) -> None:
        """Raise PermissionDenied unless the principal may perform an operation that has no object yet."""
        decision = self._authorizer.decide(self.principal, operation, None)
        self._require(decision)

    def resolved(self, reference: ObjectReference | None) -> str:
        """The Unique Identifier that a request means. None stands for the ID Placeholder.

        Raises ObjectNotFound, and InvalidField for a reference that stands for several objects.
        """
        if isinstance(reference, str):
            return reference
        if reference is None or reference is UniqueIdentifierEnumeration.ID_PLACEHOLDER:
            if self._work.id_placeholder is None:
                raise ObjectNotFound("no Unique Identifier is given and the ID Placeholder is empty")
            return self._work.id_placeholder
        return self._work.answered.named(reference)

    def with_data(self, request: Any) -> Any:
        """The request with its Data, where it says only which earlier item has put it out. Raises InvalidField."""
        data = getattr(request, "data", None)
        if isinstance(data, (DataEnumeration, NthData)):
            return replace(request, data=self._work.answered.named_data(data))
        return request

    def remember(self, operation: Operation, response: object) -> None:
        """Keep the Unique Identifiers and the Data of an answer, for later items of the batch to refer to."""
        self._work.answered = self._work.answered.and_then(operation, response)

    def open(self, reference: ObjectReference | None, operation: Operation) -> Found:
        """The object, if this principal may perform `operation` on it in its State.

        Raises ObjectNotFound (absent and forbidden look alike), PermissionDenied, ObjectArchived, ObjectDestroyed,
        WrongKeyLifecycleState, and what `resolved` raises.
        """
        identifier = self.resolved(reference)
        self.touch(identifier)
        stored = self._current(identifier)
        if stored is None:
            self.decided_rule = "no such object"
            raise ObjectNotFound(NO_SUCH_OBJECT)
        self._require(self._decide(operation, stored))
        if Tag.ARCHIVE_DATE in stored.attributes and operation is not Operation.RECOVER:
            raise ObjectArchived("the object is archived; recover it first")
        states.require(operation, stored.attributes, self.now)
        self._work.read_revisions.setdefault(identifier, stored.revision)
        return Found(stored, self.now, self.keystore)

    def beside(self, identifier: str, operation: Operation) -> Found | None:
        """An object that the client has not asked for, if it might perform `operation` on it; else None.

        Nothing is recorded, so that a Link to somebody else's object tells nobody that there is one; who changes
        what comes back must `touch` it.
        """
        stored = self._work.saved.get(identifier) or self._store.find(identifier)
        if stored is None or not self._decide(operation, stored).allowed:
            return None
        if Tag.ARCHIVE_DATE in stored.attributes:
            return None
        self._work.read_revisions.setdefault(identifier, stored.revision)
        return Found(stored, self.now, self.keystore)

    def replaceable(self, unique_identifier: str, operation: Operation, wanted: bool) -> Found | None:
        """What has this identifier already, to be replaced by `operation`; None where the identifier is free.

        Raises ObjectAlreadyExists unless it is `wanted` to be replaced; and, in the same words, for an object that
        does not exist for this principal: he learns that the identifier is taken, not by whom or what. Raises
        PermissionDenied where he may not destroy what he would replace.
        """
        self.touch(unique_identifier)
        stored = self._current(unique_identifier)
        if stored is None:
            return None
        decisions = [self._decide(each, stored) for each in (operation, Operation.DESTROY)]
        if not wanted or not all(each.visible for each in decisions):
            self.decided_rule = "the identifier is taken"
            raise ObjectAlreadyExists("another object has this Unique Identifier")
        for decision in decisions:
            self._require(decision)
        self._work.read_revisions.setdefault(unique_identifier, stored.revision)
        return Found(stored, self.now, self.keystore)

    def _current(self, unique_identifier: str) -> StoredObject | None:
        """The object as this batch has it, or else the snapshot."""
        stored = self._work.saved.get(unique_identifier)
        if stored is None:
            stored = self._store.find(unique_identifier)
            self._revisions[unique_identifier] = 0 if stored is None else stored.revision
        return stored

    def current(self, found: Found) -> Found:
        """An object that has been opened, as this batch has left it since."""
        return Found(self._work.saved.get(found.unique_identifier, found.stored), self.now, self.keystore)

    def touch(self, identifier: str) -> None:
        """Name an object in the record of the current item, once."""
        if identifier not in self.touched.split(" "):
            self.touched = f"{self.touched} {identifier}" if self.touched else identifier

    def _decide(self, operation: Operation, stored: StoredObject) -> Decision:
        facts = ObjectFacts(
            unique_identifier=stored.unique_identifier,
            owner=stored.owner,
            domain=stored.domain,
            object_type=stored.object_type,
        )
        return self._authorizer.decide(self.principal, operation, facts)

    def _require(self, decision: Decision) -> None:
        self.decided_rule = decision.rule
        if decision.allowed:
            return
        if not decision.visible:
            raise ObjectNotFound(NO_SUCH_OBJECT)
        raise PermissionDenied(decision.reason)

    def candidates(self, query: LocateQuery) -> Iterator[StoredObject]:
        """What the store finds for a Locate, with this batch's own changes in place; newest first.

        Raises ServerLimitExceeded once the message has looked at more objects than one may.
        """
        for stored in self._candidates(query):
            self._examined += 1
            if self._examined > self.policy.max_examined:
                raise ServerLimitExceeded(
                    f"more than {self.policy.max_examined} objects would have to be looked at; name more"
                    " attributes, above all a Name, or send fewer in one message"
                )
            yield stored

    def _candidates(self, query: LocateQuery) -> Iterator[StoredObject]:
        owners = self._authorizer.visible_owners(self.principal, Operation.LOCATE)
        if owners == ():
            return
        query = replace(query, domain=self.principal.domain, owners=owners)
        saved = self._work.saved
        for stored in sorted(saved.values(), key=lambda each: -each.created_order):
            if owners is None or stored.owner in owners:
                yield stored
        for stored in self._store.candidates(query):
            if stored.unique_identifier not in saved:
                yield stored

    # --- writing ------------------------------------------------------------------------------

    def make(
        self,
        managed_object: ManagedObject,
        object_type: ObjectType,
        attributes: AttributeSet,
        *,
        unique_identifier: str | None = None,
        replaced: Found | None = None,
    ) -> Found:
        """A new object with these attributes, sealed, saved, and in the ID Placeholder.

        It belongs to the principal; where it takes the place of another (see `replaceable`), to whom that did.
        """
        if unique_identifier is None:
            unique_identifier = self._new_identifier()
        owner, domain = self.principal.owner, self.principal.domain
        revision = 0
        if replaced is not None:
            owner, domain = replaced.stored.owner, replaced.stored.domain
            revision = replaced.stored.revision
        self._made += 1
        sealed = self.keystore.seal(
            material.to_bytes(managed_object),
            unique_identifier=unique_identifier,
            object_type=object_type,
            # What was sealed under this identifier before does not open in the place of this.
            generation=revision + 1,
        )
        stored = StoredObject(
            unique_identifier=unique_identifier,
            domain=domain,
            owner=owner,
            object_type=object_type,
            attributes=attributes,
            revision=revision,
            created_order=self._now_microseconds + self._made,
            sealed=sealed,
        )
        self._work.read_revisions.setdefault(unique_identifier, 0)
        self._work.material_changed.add(unique_identifier)
        self._save(stored)
        self._work.id_placeholder = unique_identifier
        self.touch(unique_identifier)
        return Found(stored, self.now, self.keystore)

    def save(self, found: Found, attributes: AttributeSet, *, silently: bool = False) -> Found:
        """The object with other attributes. Sets Last Change Date unless `silently`."""
        if attributes == found.stored.attributes:
            return found
        if not silently:
            attributes = attributes.with_value(Tag.LAST_CHANGE_DATE, self.now)
        changed = replace(found.stored, attributes=attributes)
        self._save(changed)
        return Found(changed, self.now, self.keystore)

    def erase(self, found: Found, attributes: AttributeSet) -> None:
        """The object without its value: the sealed material goes with its data key."""
        attributes = attributes.with_value(Tag.LAST_CHANGE_DATE, self.now)
        self._work.material_changed.add(found.unique_identifier)
        self._save(replace(found.stored, attributes=attributes, sealed=None))

    def _save(self, stored: StoredObject) -> None:
        for scope, name in self._names(stored):
            holder = self._name_holder(scope, name)
            if holder is not None and holder != stored.unique_identifier:
                raise NonUniqueNameAttribute(f"another object has the Name {name!r}")
        self._work.saved[stored.unique_identifier] = stored

    def _names(self, stored: StoredObject) -> tuple[tuple[str, str], ...]:
        """(scope, Name) pairs that the object holds alone; a destroyed one holds none."""
        if self.policy.unique_names == "off" or NAMES_NOT_UNIQUE in self.principal.quirks:
            return ()
        if stored.sealed is None and effective_gone(stored):
            return ()
        scope = f"domain:{stored.domain}"
        if self.policy.unique_names == "owner":
            scope = f"{scope} {stored.owner}"
        return tuple((scope, name.name_value) for name in stored.attributes.all(Tag.NAME))

    def _name_holder(self, scope: str, name: str) -> str | None:
        for other in self._work.saved.values():
            if (scope, name) in self._names(other):
                return other.unique_identifier
        holder = self._store.name_holder(scope, name)
        # An object this batch changed holds what it holds now, not what is still stored.
        return None if holder in self._work.saved else holder

    # --- items and the end --------------------------------------------------------------------

    def checkpoint(self) -> _Work:
        """What to hand to `roll_back` should the item that follows fail."""
        return self._work.copy(self.streams.mark)

    def roll_back(self, checkpoint: _Work) -> None:
        self.streams.lose_since(checkpoint.streams_mark)
        self._work = checkpoint

    def record(self, entry: AuditEntry) -> None:
        self._audit.append(entry)

    def unit_of_work(self, policy_revision: int) -> UnitOfWork:
        """Everything the request changes, with its record and what it rests on.

        What a Locate found is not part of that: it gives away identifiers alone, and whatever is done with one
        opens the object.
        """
        work = self._work
        writes = [
            Write(
                stored=stored,
                read_revision=work.read_revisions[identifier],
                material_changed=identifier in work.material_changed,
                names=self._names(stored),
            )
            for identifier, stored in work.saved.items()
        ]
        basis = Basis(epoch=self._store.epoch, policy_revision=policy_revision, revisions=self._revisions)
        return UnitOfWork(writes=writes, audit=tuple(self._audit), basis=basis)


def effective_gone(stored: StoredObject) -> bool:
    """Whether the object has been destroyed."""
    return stored.attributes.one(Tag.STATE) in states.GONE
