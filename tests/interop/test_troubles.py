"""What can be wrong between a client and this server: the client is told, and the log says it in one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from interop import trouble
from interop.pykmip.client import CLIENT

# What the client shows, and what the log says: as regular expressions.
WORDS = {
    trouble.NOTHING: ("a key, made and fetched", ""),
    "the client trusts another CA": ("certificate verify failed", "the client refused it: "),
    "the client's certificate has expired": ("certificate expired", "has expired; its subject is 'CN=client'"),
    "the client's certificate is not valid yet": ("bad certificate", "is not yet valid"),
    "the client's certificate is of another CA": ("unknown ca", "comes from no CA of tls.client_ca"),
    "the client's certificate names nobody": ("does not make a known principal", "there is no principal 'nobody'"),
    # It may have come before the server looked who is let in no more, and be ended then.
    "the client was revoked": (
        "does not make a known principal|No data read",
        "the certificate of client is revoked|is let in no more",
    ),
    # PyKMIP does not look at the host's name.
    "the server's certificate names another host": ("a key, made and fetched", ""),
    "the server speaks TLS 1.1 only": ("protocol version", ""),
    "the server is not there": ("Connection refused", ""),
    "the server starts again meanwhile": ("Connection refused", ""),
    "the HSM is away": (
        "the server cannot reach its keys now; try again later",
        "the HSM is away; keys are served",
    ),
}


@pytest.mark.slow
def test_each_is_told_on_both_sides(tmp_path: Path) -> None:
    found = trouble.shown(CLIENT, tmp_path)
    assert list(found) == list(WORDS) == list(trouble.TROUBLES)
    for what, (shown, told) in found.items():
        assert re.search(WORDS[what][0], shown), (what, shown)
        assert re.search(WORDS[what][1], told), (what, told)
