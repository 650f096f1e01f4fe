"""The tables, as SQLAlchemy Core declares them.

Strategy: an object's attributes are one blob, written and read whole; beside it stand, as columns and as terms,
only what queries need to find it. Sealed values live in a table of their own, so that Destroy is a DELETE.
Nothing here is specific to one database.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

# SQLite counts up only a plain INTEGER PRIMARY KEY.
_ID = BigInteger().with_variant(Integer, "sqlite")

objects = Table(
    "objects",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("unique_identifier", String(64), nullable=False, unique=True),
    Column("domain", String(255), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("object_type", Integer, nullable=False),
    Column("state", Integer),
    Column("revision", BigInteger, nullable=False),
    Column("created_order", BigInteger, nullable=False),
    Column("cryptographic_algorithm", Integer),
    Column("cryptographic_length", Integer),
    Column("initial_date", BigInteger),
    Column("activation_date", BigInteger),
    Column("process_start_date", BigInteger),
    Column("protect_stop_date", BigInteger),
    Column("deactivation_date", BigInteger),
    Column("destroy_date", BigInteger),
    Column("compromise_occurrence_date", BigInteger),
    Column("compromise_date", BigInteger),
    Column("archive_date", BigInteger),
    Column("last_change_date", BigInteger),
    Column("original_creation_date", BigInteger),
    Column("attributes", LargeBinary, nullable=False),
    Index("objects_by_owner", "domain", "owner", "created_order"),
    Index("objects_by_age", "domain", "created_order"),
)

materials = Table(
    "materials",
    metadata,
    Column("object_id", _ID, ForeignKey("objects.id", ondelete="CASCADE"), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("sealing_key_version", Integer, nullable=False),
    Column("wrapped_data_key", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Index("materials_by_sealing_key", "sealing_key_version"),
)

attribute_terms = Table(
    "attribute_terms",
    metadata,
    Column("object_id", _ID, ForeignKey("objects.id", ondelete="CASCADE"), nullable=False),
    Column("term", LargeBinary(16), nullable=False),
    Column("created_order", BigInteger, nullable=False),
    UniqueConstraint("object_id", "term", name="attribute_terms_once"),
    Index("attribute_terms_by_term", "term", "created_order", "object_id"),
)

names = Table(
    "names",
    metadata,
    Column("scope", String(600), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("object_id", _ID, ForeignKey("objects.id", ondelete="CASCADE"), nullable=False, index=True),
)

principals = Table(
    "principals",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("domain", String(255), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("speaks_for", Text, nullable=False),  # JSON list of principal names
    Column("owner_group", String(255), nullable=False),
)

principal_quirks = Table(
    "principal_quirks",
    metadata,
    Column("principal", String(255), ForeignKey("principals.name", ondelete="CASCADE"), primary_key=True),
    Column("quirk", String(64), primary_key=True),  # see engine/quirks.py
)

principal_roles = Table(
    "principal_roles",
    metadata,
    Column("principal", String(255), ForeignKey("principals.name", ondelete="CASCADE"), primary_key=True),
    Column("role", String(255), ForeignKey("roles.name"), primary_key=True),
)

principal_groups = Table(
    "principal_groups",
    metadata,
    Column("principal", String(255), ForeignKey("principals.name", ondelete="CASCADE"), primary_key=True),
    Column("group_name", String(255), primary_key=True),
)

roles = Table(
    "roles",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("definition", Text, nullable=False),  # JSON, see authz/roles.py
)

certificates = Table(
    "certificates",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("principal", String(255), ForeignKey("principals.name", ondelete="CASCADE"), nullable=False),
    Column("serial_number", String(64), nullable=False),
    Column("not_after", BigInteger, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
)

credentials = Table(
    "credentials",
    metadata,
    Column("username", String(255), primary_key=True),
    Column("principal", String(255), ForeignKey("principals.name", ondelete="CASCADE"), nullable=False),
    Column("password_hash", Text, nullable=False),  # Argon2id, PHC string
)

sealing_keys = Table(
    "sealing_keys",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("scheme", String(64), nullable=False),
    Column("encrypted", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
)

audit_chains = Table(
    "audit_chains",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("node", String(255), nullable=False),
    Column("started", BigInteger, nullable=False),  # microseconds
    Column("last_time", BigInteger, nullable=False),  # microseconds
    Column("length", BigInteger, nullable=False),
    Column("head", LargeBinary(32), nullable=False),
)

audit_records = Table(
    "audit_records",
    metadata,
    Column("chain", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("record", Text, nullable=False),  # see audit/record.py
    Column("hash", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(255), nullable=False),  # empty: nobody
    Column("turn", BigInteger, nullable=False),  # see store/lease.py
)

meta = Table(
    "meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
