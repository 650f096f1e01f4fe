"""The vectors that this server is known not to pass, each with the reason. Any other must pass.

Strategy: this is the only list. A vector named here that passes after all is a fault of the list, and a test
says so.
"""

from __future__ import annotations

_HTTPS = "HTTPS is not served yet"
_ONE_OF_FOUR = (
    "one of four exclusive answers to the same RNG Seed: this server gives that of CS-RNG-O-1, all bytes used"
)
_LIBRARY = "asks for the identity of another vendor's PKCS#11 library"

EXPECTED: dict[str, str] = {
    "MSGENC-HTTPS-M-1-14": _HTTPS,
    "MSGENC-JSON-M-1-14": _HTTPS,
    "MSGENC-XML-M-1-14": _HTTPS,
    "CS-RNG-O-2-14": _ONE_OF_FOUR,
    "CS-RNG-O-3-14": _ONE_OF_FOUR,
    "CS-RNG-O-4-14": _ONE_OF_FOUR,
    "MSGENC-HTTPS-M-1-21": _HTTPS,
    "MSGENC-JSON-M-1-21": _HTTPS,
    "MSGENC-XML-M-1-21": _HTTPS,
    "CS-RNG-O-2-21": _ONE_OF_FOUR,
    "CS-RNG-O-3-21": _ONE_OF_FOUR,
    "CS-RNG-O-4-21": _ONE_OF_FOUR,
    "PKCS11-M-1-21": _LIBRARY,
}
