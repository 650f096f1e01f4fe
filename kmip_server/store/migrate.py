"""The schema: making it, bringing it up to date, refusing one that is newer.

Strategy: alembic has the steps; a start that finds the newest schema does not even load alembic.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from kmip_server.errors import SettingsError
from kmip_server.store.database import BUSY_SECONDS, translated

NEWEST = "0003"
"""The revision this release writes."""
KNOWN = ("0001", "0002", "0003")
"""Those that this release can administer; to be served, a database is brought to the newest."""


def version(connection: sqlite3.Connection) -> str | None:
    """The schema's revision; None for an empty database."""
    with translated():
        there = connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
        ).fetchone()
        if there is None:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def require_known(connection: sqlite3.Connection) -> None:
    """Raise SettingsError unless this release can serve the database as it is."""
    present = version(connection)
    if present in KNOWN:
        return
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    if present is None:
        raise SettingsError(
            f"the database {path} (store.url) is empty; restore a backup, or make an instance with kmip-server init"
        )
    raise SettingsError(
        f"the database {path} has the schema {present}, made by a newer release; run that release, or restore a"
        " backup"
    )


def upgrade(path: Path) -> None:
    """Bring the database at `path` to the newest schema. Raises SettingsError for a newer one."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, event

    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    # One transaction for all: whoever comes meanwhile waits, and finds it done.
    engine = create_engine(f"sqlite:///{path}", connect_args={"isolation_level": None, "timeout": BUSY_SECONDS})
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, NEWEST)
    finally:
        engine.dispose()
