"""Quirks of clients: departures from the standard that one of them needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "principal_quirks",
        sa.Column("principal", sa.String(length=255), nullable=False),
        sa.Column("quirk", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["principal"], ["principals.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("principal", "quirk"),
    )
