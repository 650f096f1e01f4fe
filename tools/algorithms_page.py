"""docs/algorithms.md, from the tables of `kmip_server/crypto/`.

Strategy: a section is a title and a function that returns its lines; `SECTIONS` is the page. What another table
serves is another section, or more rows of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import algorithms_asymmetric

from kmip_server.crypto.algorithms import SYMMETRIC
from kmip_server.crypto.ciphers import CIPHERS, ModeRow, has_cmac
from kmip_server.crypto.hashing import BY_HASHLIB, HASHES
from kmip_server.crypto.mac import HMACS
from kmip_server.crypto.nonces import told
from kmip_server.crypto.padding import PADDINGS
from kmip_server.protocol.enums import BlockCipherMode as M
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import HashingAlgorithm as H

INTRODUCTION = """\
# Algorithms

Generated from the tables by `make docs`. *Off by default*: refused for new protection (a new key, Encrypt, MAC)
unless `protocol.weak_algorithms` is on; what they protected before can always be opened and verified.
*Refused*: Unsupported Cryptographic Parameters from KMIP 2.0, Invalid Field before. A key of any algorithm can be
registered, kept and fetched.
"""

_NO_LIBRARY = "no library that is used has it"
_ONE_MESSAGE = "its key may serve one message only"
KEPT_ONLY = {
    A.POLY1305: _ONE_MESSAGE,
    A.ONE_TIME_PAD: _ONE_MESSAGE,
    **dict.fromkeys((A.ARIA, A.MARS, A.RC5, A.SKIPJACK, A.TWOFISH), _NO_LIBRARY),
    **dict.fromkeys((A.GOST_28147_89, A.GOST_R_34_13_2015), _NO_LIBRARY),
}
REFUSED_MODES = {
    M.CMAC: "a MAC, not a cipher",
    M.CBC_MAC: "it can be forged where messages differ in length",
    **dict.fromkeys((M.PCBC, M.X9_102_AESKW, M.X9_102_TDKW, M.X9_102_AKW1, M.X9_102_AKW2), _NO_LIBRARY),
}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def offered(weak: bool) -> str:
    return "off by default" if weak else "yes"


def because(reasons: Mapping[Any, str]) -> list[str]:
    """A list of what is refused, each reason once."""
    titles: dict[str, list[str]] = {}
    for each, why in reasons.items():
        titles.setdefault(why, []).append(each.title)
    return [f"* {', '.join(those)}: {why}" for why, those in titles.items()]


def symmetric_keys() -> list[str]:
    rows = [
        (algorithm.title, told(_in_steps(row.lengths)), str(row.default), offered(row.weak))
        for algorithm, row in SYMMETRIC.items()
    ]
    return [
        *table(("algorithm", "bits", "by default", "new protection"), rows),
        "",
        "Kept and fetched, never used:",
        "",
        *because({algorithm: why for algorithm, why in KEPT_ONLY.items() if algorithm not in SYMMETRIC}),
    ]


def _in_steps(lengths: tuple[int, ...]) -> Sequence[int]:
    """Lengths in steps of a byte, as the range they are."""
    if len(lengths) > 8 and lengths[1] - lengths[0] == 8:
        return range(lengths[0], lengths[-1] + 1)
    return lengths


def ciphers() -> list[str]:
    served = [mode for mode in M if any(mode in row.modes for row in CIPHERS.values())]
    rows = []
    for algorithm, cipher in CIPHERS.items():
        mark = "weak" if SYMMETRIC[algorithm].weak else "yes"
        cells = [mark if mode in cipher.modes else "" for mode in (None, *served)]
        rows.append((algorithm.title, *cells))
    return [
        "*weak*: off by default. CFB feeds back whole blocks.",
        "",
        *table(("cipher", "without a mode", *(mode.title for mode in served)), rows),
        "",
        "Refused, as is AEAD but for ChaCha20Poly1305:",
        "",
        *because({mode: REFUSED_MODES[mode] for mode in M if mode not in served}),
    ]


def ways() -> list[str]:
    rows: dict[tuple[str, ...], None] = {}
    for algorithm, cipher in CIPHERS.items():
        for mode, row in cipher.modes.items():
            title = mode.title if mode is not None else algorithm.title
            tags = told(row.tags) if row.tags else ""
            rows[title, _ivs(row, SYMMETRIC[algorithm].block), tags, _padding(row), _flow(row)] = None
    return [
        "Lengths in bytes. IV Length (bits) asks for a Random IV of another length, of 96 bits at least. CTR takes",
        "an IV shorter than a block with an Initial Counter Value; ChaCha20 counts from 0 unless one is given. The",
        "counter of either never runs into its nonce: such data is refused.",
        "",
        *table(("mode", "IV/Counter/Nonce", "tag", "padding", "in several parts"), rows),
    ]


def _ivs(row: ModeRow, block: int) -> str:
    if not row.ivs:
        return ""
    return "a block" if tuple(row.ivs) == (block,) else f"{told(row.ivs)}; {row.random_iv} as Random IV"


def _padding(row: ModeRow) -> str:
    return "by Padding Method" if row.padded else ""


def _flow(row: ModeRow) -> str:
    if row.flowing is None:
        return "kept until the last part"
    return "as they come" if row.open_ is None else "encrypted as they come, decrypted with the last part"


def paddings() -> list[str]:
    served = ", ".join(method.title for method in PADDINGS)
    return [f"Of block ciphers: {served}. Without a Padding Method the data is whole blocks."]


def macs() -> list[str]:
    rows = [("HMAC", a.title, offered(SYMMETRIC[a].weak)) for a in HMACS]
    others = [h.title for h in (*HASHES, *BY_HASHLIB) if h not in HMACS.values()]
    rows.append(("HMAC", f"any key, with the Hashing Algorithm {', '.join(others)}", "yes"))
    rows += [("CMAC", a.title, offered(SYMMETRIC[a].weak)) for a in CIPHERS if has_cmac(a)]
    return [
        *table(("MAC", "key", "new protection"), rows),
        "",
        "Refused: CBC-MAC, Poly1305, and GCM without data to encrypt. All are served in several parts.",
    ]


def hashes() -> list[str]:
    refused = ", ".join(h.title for h in H if h not in HASHES and h not in BY_HASHLIB)
    by_hashlib = ", ".join(h.title for h in BY_HASHLIB)
    return [
        f"Served, in several parts too: {', '.join(h.title for h in HASHES)};",
        f"{by_hashlib} where the machine's OpenSSL has it.",
        "",
        f"Refused: {refused}.",
    ]


SECTIONS: dict[str, Callable[[], list[str]]] = {
    "Symmetric keys": symmetric_keys,
    "Ciphers and modes": ciphers,
    "IVs, tags and parts": ways,
    "Padding": paddings,
    "MACs": macs,
    "Hashes": hashes,
    **algorithms_asymmetric.SECTIONS,
}


def page() -> str:
    """docs/algorithms.md."""
    sections = ["\n".join([f"## {title}", "", *lines()]) for title, lines in SECTIONS.items()]
    return "\n\n".join([INTRODUCTION.rstrip(), *sections]) + "\n"
