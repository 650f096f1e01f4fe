"""An object that a request has opened.

Strategy: whoever has one was allowed to open it for the operation at hand (see `context.open`); the key material
is unsealed only when it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kmip_server.engine import material, states
from kmip_server.engine.ports import KeyStore, StoredObject
from kmip_server.errors import ObjectDestroyed
from kmip_server.protocol.attribute_set import AttributeSet
from kmip_server.protocol.enums import ObjectType, State
from kmip_server.protocol.objects import ManagedObject


@dataclass(frozen=True, slots=True)
class Found:
    """An object that the principal may use for the operation it was opened for."""

    stored: StoredObject
    now: int
    _keystore: KeyStore = field(repr=False)

    @property
    def unique_identifier(self) -> str:
        return self.stored.unique_identifier

    @property
    def object_type(self) -> ObjectType:
        return self.stored.object_type

    @property
    def attributes(self) -> AttributeSet:
        return self.stored.attributes

    @property
    def state(self) -> State | None:
        """The effective State."""
        return states.effective_state(self.stored.attributes, self.now)

    def material(self) -> ManagedObject:
        """The object itself, unsealed. Raises ObjectDestroyed, KeyStoreUnavailable, SealBroken."""
        return material.from_bytes(self.stored.object_type, self.opened())

    def opened(self) -> bytes:
        """The bytes that were sealed: see `material.py`. Raises as `material`."""
        sealed = self.stored.sealed
        if sealed is None:
            raise ObjectDestroyed("the object has been destroyed")
        return self._keystore.open(
            sealed,
            unique_identifier=self.stored.unique_identifier,
            object_type=self.stored.object_type,
        )
