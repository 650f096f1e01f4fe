"""What can be wrong between a client and this server, and what the client shows then.

Strategy: each trouble is a row: what is wrong, and an endpoint that has it. A client's `probe` is called in a
thread with a deadline; that it shows something within it is a step that can fail, what it shows is written down.
"""

from __future__ import annotations

from pathlib import Path

from interop.contract import Client


def shown(client: Client, folder: Path) -> dict[str, str]:
    """By what is wrong."""
    return {}
