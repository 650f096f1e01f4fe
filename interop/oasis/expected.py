"""The vectors that this server is known not to pass, each with the reason. Any other must pass.

Strategy: this is the only list. A row says what may differ, so that a vector named here cannot fail for another
reason unseen; and one that passes after all is a fault of the list: a test says so. Where the vector or the runner
is wrong, the row also says what would be right, and a test plays that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expectation:
    """Why a vector does not pass, and a pattern that each of its differences must match."""

    reason: str
    difference: str
    correction: tuple[str, str] | None = None
    """What to replace in the vector's file, and by what, for it to be right: then this server passes it."""

    def covers(self, differences: tuple[str, ...]) -> bool:
        return all(re.search(self.difference, each) for each in differences)


_HTTPS = Expectation("HTTPS is not served yet", r"^no HTTPS port was given$")
_ONE_OF_FOUR = Expectation(
    "one of four exclusive answers to the same RNG Seed: this server gives that of CS-RNG-O-1, all bytes used",
    r"DataLength: expected (16|0) got 32$|ResultStatus: expected OperationFailed: PermissionDenied got Success$",
)
_LIBRARY = Expectation(
    "the operation PKCS#11 is not served, and this case asks for the identity of another vendor's library",
    r"OperationNotSupported: the operation PKCS#11 is not served|CORRELATION_VALUE is not bound$",
)
_MADE_KEY = Expectation(
    "a key that the server makes may have any value, but the runner knows that only of one made in an earlier "
    "message of the same vector; this one is made in the same message, or in the vector before; with a placeholder "
    "for the key, the vector passes",
    r"KeyMaterial: expected (2a){32} got other 32 bytes$",
    ("2a" * 32, "$KEY_MATERIAL_0"),
)
_SLIP = Expectation(
    "a slip in the vector: a KMIP 1.4 request is to be answered with the header of 1.3; with 1.4, it passes",
    r"^msg 1 ResponseMessage/ResponseHeader/ProtocolVersion/ProtocolVersionMinor: expected 3 got 4$",
    ('<ProtocolVersionMinor type="Integer" value="3"/>', '<ProtocolVersionMinor type="Integer" value="4"/>'),
)

EXPECTED: dict[str, Expectation] = {
    "MSGENC-HTTPS-M-1-14": _HTTPS,
    "MSGENC-JSON-M-1-14": _HTTPS,
    "MSGENC-XML-M-1-14": _HTTPS,
    "TL-M-2-14": _MADE_KEY,
    "TL-M-3-14": _MADE_KEY,
    "CS-RNG-O-2-14": _ONE_OF_FOUR,
    "CS-RNG-O-3-14": _ONE_OF_FOUR,
    "CS-RNG-O-4-14": _ONE_OF_FOUR,
    "OMOS-O-1-14": _SLIP,
    "MSGENC-HTTPS-M-1-21": _HTTPS,
    "MSGENC-JSON-M-1-21": _HTTPS,
    "MSGENC-XML-M-1-21": _HTTPS,
    "PKCS11-M-1-21": _LIBRARY,
    "TL-M-2-21": _MADE_KEY,
    "TL-M-3-21": _MADE_KEY,
    "CS-RNG-O-2-21": _ONE_OF_FOUR,
    "CS-RNG-O-3-21": _ONE_OF_FOUR,
    "CS-RNG-O-4-21": _ONE_OF_FOUR,
}
