"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_chains",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("node", sa.String(length=255), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("last_time", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "audit_records",
        sa.Column("chain", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("chain", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "objects",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("unique_identifier", sa.String(length=64), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("object_type", sa.Integer(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_order", sa.BigInteger(), nullable=False),
        sa.Column("cryptographic_algorithm", sa.Integer(), nullable=True),
        sa.Column("cryptographic_length", sa.Integer(), nullable=True),
        sa.Column("initial_date", sa.BigInteger(), nullable=True),
        sa.Column("activation_date", sa.BigInteger(), nullable=True),
        sa.Column("process_start_date", sa.BigInteger(), nullable=True),
        sa.Column("protect_stop_date", sa.BigInteger(), nullable=True),
        sa.Column("deactivation_date", sa.BigInteger(), nullable=True),
        sa.Column("destroy_date", sa.BigInteger(), nullable=True),
        sa.Column("compromise_occurrence_date", sa.BigInteger(), nullable=True),
        sa.Column("compromise_date", sa.BigInteger(), nullable=True),
        sa.Column("archive_date", sa.BigInteger(), nullable=True),
        sa.Column("last_change_date", sa.BigInteger(), nullable=True),
        sa.Column("original_creation_date", sa.BigInteger(), nullable=True),
        sa.Column("attributes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("unique_identifier"),
    )
    op.create_index("objects_by_age", "objects", ["domain", "created_order"], unique=False)
    op.create_index("objects_by_owner", "objects", ["domain", "owner", "created_order"], unique=False)
    op.create_table(
        "principals",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("speaks_for", sa.Text(), nullable=False),
        sa.Column("owner_group", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "roles",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "sealing_keys",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("scheme", sa.String(length=64), nullable=False),
        sa.Column("encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_table(
        "attribute_terms",
        sa.Column("object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("term", sa.LargeBinary(length=16), nullable=False),
        sa.Column("created_order", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("object_id", "term", name="attribute_terms_once"),
    )
    op.create_index(
        "attribute_terms_by_term", "attribute_terms", ["term", "created_order", "object_id"], unique=False
    )
    op.create_table(
        "certificates",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("principal", sa.String(length=255), nullable=False),
        sa.Column("serial_number", sa.String(length=64), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["principal"], ["principals.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("fingerprint"),
    )
    op.create_table(
        "credentials",
        sa.Column("username", sa.String(length=255), nullable=False),
        sa.Column("principal", sa.String(length=255), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["principal"], ["principals.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("username"),
    )
    op.create_table(
        "materials",
        sa.Column("object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("sealing_key_version", sa.Integer(), nullable=False),
        sa.Column("wrapped_data_key", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("object_id"),
    )
    op.create_index("materials_by_sealing_key", "materials", ["sealing_key_version"], unique=False)
    op.create_table(
        "names",
        sa.Column("scope", sa.String(length=600), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("scope", "name"),
    )
    op.create_index(op.f("ix_names_object_id"), "names", ["object_id"], unique=False)
    op.create_table(
        "principal_groups",
        sa.Column("principal", sa.String(length=255), nullable=False),
        sa.Column("group_name", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["principal"], ["principals.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("principal", "group_name"),
    )
    op.create_table(
        "principal_roles",
        sa.Column("principal", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["principal"], ["principals.name"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["role"],
            ["roles.name"],
        ),
        sa.PrimaryKeyConstraint("principal", "role"),
    )
    meta = sa.table("meta", sa.column("name", sa.String), sa.column("value", sa.BigInteger))
    op.bulk_insert(meta, [{"name": "epoch", "value": 1}, {"name": "policy_revision", "value": 1}])
