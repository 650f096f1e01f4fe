"""The engine as every conversation of the fuzzer finds it: the same few objects, whatever came before.

Strategy: the store is made once, as an image in memory; each conversation has a copy of its own, and a clock that
stands. Objects are imported, so that their identifiers can be read in the seeds. Two keys never leave the server: one
is Sensitive, one is another owner's; their values are known here, so that an answer can be searched for them.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kmip_server.clock import SettableClock
from kmip_server.engine.streams import Streams
from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.enums import (
    CryptographicAlgorithm,
    KeyFormatType,
    ObjectType,
    Operation,
    UsageLimitsUnit,
)
from kmip_server.protocol.objects import KeyBlock, KeyValue, ManagedObject, PrivateKey, PublicKey
from kmip_server.protocol.payloads.transfer import ImportRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V2_1
from kmip_server.store import database
from kmip_server.store.apply import Writer
from kmip_server.store.objects import Reader
from tests.support import requests as r
from tests.support.engine import Engine
from tests.support.objects import registered

SENSITIVE = b"a sensitive key, never to leave!"
SOMEBODY_ELSES = b"somebody else's key, not to see!"
_TABLES = ("objects", "materials", "names", "attribute_terms", "meta")


def _raw(value: bytes, algorithm: CryptographicAlgorithm = CryptographicAlgorithm.AES) -> ManagedObject:
    return r.register_key(value, algorithm=algorithm).managed_object


def _pair() -> tuple[ManagedObject, ManagedObject]:
    """A pair of P-256 that everybody can work out: its private number is 1."""
    key = ec.derive_private_key(1, ec.SECP256R1())
    forms = (
        (PrivateKey, KeyFormatType.PKCS_8, key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())),
        (
            PublicKey,
            KeyFormatType.X_509,
            key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        ),
    )
    private, public = (
        kind(
            key_block=KeyBlock(
                key_format_type=form,
                key_value=KeyValue(key_material=value),
                cryptographic_algorithm=CryptographicAlgorithm.EC,
                cryptographic_length=256,
            )
        )
        for kind, form, value in forms
    )
    return private, public


class World(Engine):
    """An engine that begins anew."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._populate()
        # The image must not say that it has a write-ahead log.
        self.reader.close()
        self.writer.close()
        with database.connect(self.path) as made:
            made.execute("PRAGMA journal_mode = DELETE")
            self._image = made.serialize()
        made.close()
        self.connection = made
        self._answerer = self.answerer
        self.begin()

    def begin(self) -> None:
        """Everything is as it was at first."""
        self.connection.close()
        self.connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=256)
        self.connection.deserialize(self._image)
        self.clock = SettableClock()
        self.reader = Reader(lambda: self.connection)
        self.writer = Writer(lambda: self.connection, self.clock, "test")
        self.answerer = replace(self._answerer, clock=self.clock, streams=Streams())

    def content(self) -> list[list[tuple[Any, ...]]]:
        """Every row there is, apart from the record, which grows with each request."""
        return [self.connection.execute(f"SELECT * FROM {each} ORDER BY 1, 2").fetchall() for each in _TABLES]

    def _populate(self) -> None:
        private, public = _pair()
        active = r.attribute(Tag.ACTIVATION_DATE, 0)
        mask = r.attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, r.ALL_USES)
        limits = UsageLimits(usage_limits_total=64, usage_limits_unit=UsageLimitsUnit.BYTE)
        contact = r.attribute(Tag.CONTACT_INFORMATION, "a")
        key, hmac = ObjectType.SYMMETRIC_KEY, CryptographicAlgorithm.HMAC_SHA256
        self._import("aes", key, _raw(bytes(32)), active, mask, r.name("aes"), contact)
        self._import("new", key, _raw(bytes(16)), mask, r.custom("x-a", "b"))
        self._import("counted", key, _raw(bytes(16)), active, mask, r.attribute(Tag.USAGE_LIMITS, limits))
        self._import("hmac", key, _raw(bytes(32), hmac), active, mask)
        self._import("sensitive", key, _raw(SENSITIVE), active, mask, r.attribute(Tag.SENSITIVE, True))
        self._import("private", ObjectType.PRIVATE_KEY, private, active, mask)
        self._import("public", ObjectType.PUBLIC_KEY, public, active, mask)
        for kind, name in ((ObjectType.SECRET_DATA, "secret"), (ObjectType.OPAQUE_OBJECT, "opaque")):
            self._import(name, kind, registered(kind).managed_object, mask)
        self._import("elses", key, _raw(SOMEBODY_ELSES), active, mask, principal="two")

    def _import(
        self,
        unique_identifier: str,
        object_type: ObjectType,
        managed_object: ManagedObject,
        *attributes: Any,
        principal: str = "one",
    ) -> None:
        request = ImportRequest(
            unique_identifier=unique_identifier,
            object_type=object_type,
            attributes=attributes,
            managed_object=managed_object,
        )
        self.call(Operation.IMPORT, request, version=V2_1, principal=principal)
