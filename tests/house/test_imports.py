"""Imports point down the table of rooms; nothing imports what stands above it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "kmip_server"

# The layer of each room or file, lowest first; see docs/architecture.md.
LAYERS: dict[str, int] = {
    "errors": 0,
    "principal": 0,
    "clock": 0,
    "frozen": 0,
    "config": 0,
    "metrics": 0,
    "__init__": 0,
    "protocol": 1,
    "conversation": 2,
    "crypto": 1,
    "engine": 2,
    "authz": 2,
    "audit": 2,
    "store": 3,
    "keystore": 3,
    "identity": 3,
    "pki": 3,
    "backup": 3,
    "answer": 4,
    "work": 4,
    "transport": 5,
    "admin": 5,
    "app": 6,
    "serve": 6,
    "supervisor": 6,
    "forked": 6,
    "lock": 0,
    "notify": 0,
    "instance": 6,
    "check": 6,
    "__main__": 6,
}

# Downward is the rule; these look up, each for a reason, and only inside a function or for wiring.
ALLOWED_UP = {
    # Administration is wired by the application it administers, and a stopped instance is opened as `run` would.
    ("admin/listener.py", "app"),
    ("admin/cli/connection.py", "app"),
    ("admin/cli/commands.py", "__main__"),
    # A restore is proven by opening the keystore as `run` would.
    ("backup/instance.py", "app"),
}

# What only some rooms may know.
ONLY = {
    "twisted": {"transport", "admin", "serve"},
    "OpenSSL": {"transport", "admin"},
    "sqlite3": {"store", "app", "admin", "backup"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "pkcs11": {"keystore"},
    "argon2": {"keystore", "identity", "backup"},
    "click": {"admin", "__main__", "check"},
    "pydantic": {"config", "admin"},
}


def _room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def _imports(path: Path) -> set[str]:
    """The modules a file imports, except under TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return names


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    room, own = _room(path), str(path.relative_to(PACKAGE))
    for name in _imports(path):
        if not name.startswith("kmip_server."):
            continue
        other = name.split(".")[1]
        if other not in LAYERS or other == room or (own, other) in ALLOWED_UP:
            continue
        assert LAYERS[other] <= LAYERS[room], f"{own} imports {name}, which stands above it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    for name in _imports(path):
        rooms = ONLY.get(name.split(".")[0])
        assert rooms is None or _room(path) in rooms, f"{path.relative_to(PACKAGE)} imports {name}"


def test_every_room_has_a_layer() -> None:
    assert {_room(path) for path in FILES} <= set(LAYERS)
