"""Bytes that nobody would send: `targets.py` says what must hold, `__main__.py` makes a run."""

from __future__ import annotations

from pathlib import Path

NAMES = ("framing", "ttlv", "typed", "conversation")
CORPUS = Path(__file__).parent / "corpus"
"""The seeds, made by `corpus.py`; a folder for each target, as in the next."""
FOUND = Path(__file__).parent / "found"
"""Inputs that once were findings."""
