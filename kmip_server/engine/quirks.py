"""Quirks: where a client needs a departure from the standard that cannot be everybody's.

Strategy: one table. A quirk is switched on for a client by its name (`kmip-admin client quirk`), and is off for all
others. It changes how a request of that client is read or what becomes of it; it never lets the client do what its
roles do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    name: str
    changes: str
    """What is different for a client that has it."""
    client: str
    """Which client needs it."""
    evidence: str
    """How that is known."""


IV_BEFORE_CIPHERTEXT: Final = "iv-before-ciphertext"
NAMES_NOT_UNIQUE: Final = "names-not-unique"

QUIRKS: Final = {
    quirk.name: quirk
    for quirk in (
        Quirk(
            name=IV_BEFORE_CIPHERTEXT,
            changes="Decrypt in mode CBC that gives no IV/Counter/Nonce takes the first 16 bytes of Data for it",
            client="EDB Postgres TDE, variant `thales`",
            evidence="doc: the maker's page on external key managers",
        ),
        Quirk(
            name=NAMES_NOT_UNIQUE,
            changes='a Name may be given to several objects, as with `names.unique = "off"`',
            client="cyphera-kmip, whose Create Key Pair gives both keys one Name",
            evidence="run: 0.0.1a1",
        ),
    )
}
