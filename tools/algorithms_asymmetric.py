"""The asymmetric half of docs/algorithms.md, from the tables of `kmip_server/crypto/` and `kmip_server/engine/`.

Strategy: a section is a title and a function that returns its lines, as in the rest of the page; what the standard
registers and this server does not serve is told with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kmip_server.crypto import asymmetric, conversion, formats, signatures, transparent
from kmip_server.crypto.algorithms import PRIVATE_MAXIMUM, RSA_DEFAULT, RSA_LENGTHS, RSA_MINIMUM
from kmip_server.crypto.hashing import BROKEN, HASHES
from kmip_server.errors import KeyFormatTypeNotSupported
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import DigitalSignatureAlgorithm as D
from kmip_server.protocol.enums import KeyCompressionType as Compression
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.enums import PaddingMethod as P
from kmip_server.protocol.enums import RecommendedCurve as C


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _offered(weak: bool) -> str:
    return "off by default" if weak else "yes"


def key_pairs() -> list[str]:
    """Create Key Pair."""
    rows = [
        ("RSA", f"{length} bits{', by default' if length == RSA_DEFAULT else ''}", _offered(length < RSA_MINIMUM))
        for length in RSA_LENGTHS
    ]
    rows += [
        ("EC, ECDSA, ECDH, ECMQV", f"{curve.title}, {made().key_size} bits", _offered(curve in formats.WEAK_CURVES))
        for curve, made in formats.CURVES.items()
    ]
    for row in formats.EDWARDS:
        said = row.description
        assert said.algorithm is not None
        assert said.curve is not None
        name = f"EC, ECDH with {said.curve.title}" if said.algorithm == A.ECDH else said.algorithm.title
        rows.append((name, f"{said.length} bits", "yes"))
    rows += [
        ("DSA", f"{length} bits, Qlength {qlength}", _offered(True))
        for length, qlength in asymmetric.DSA_LENGTHS.items()
    ]
    others = ", ".join(c.title for c in C if c not in formats.CURVES and c not in _edwards_curves())
    return [
        *_table(("algorithm", "key", "new pairs"), rows),
        "",
        "A length alone stands for the NIST curve of that length. Keys of X25519 and X448 agree upon keys and do",
        "not sign. DH keys, and keys of other curves in a Transparent form, are registered, kept and fetched only.",
        f"Those curves are {others}.",
    ]


def _edwards_curves() -> set[C | None]:
    return {row.description.curve for row in formats.EDWARDS}


def signing() -> list[str]:
    """Sign and Signature Verify."""
    every = ", ".join(h.title for h in HASHES)
    broken = ", ".join(h.title for h in HASHES if h in BROKEN)
    rows = [
        ("RSA", "PKCS1 v1.5", "every hash", "yes"),
        ("RSA", "PSS", "every hash, and every hash for MGF1; any Salt Length that fits", "yes"),
        ("EC", "ECDSA, in DER", "every hash", "yes"),
        ("DSA", "DSA, in DER", "every hash", _offered(True)),
        ("Ed25519, Ed448", "EdDSA (RFC 8032)", "its own; Data only, no Digested Data", "yes"),
    ]
    served = ", ".join(d.title for d in signatures.DIGITAL_SIGNATURE_ALGORITHMS)
    refused = ", ".join(d.title for d in D if d not in signatures.DIGITAL_SIGNATURE_ALGORITHMS)
    return [
        *_table(("key", "signature", "Hashing Algorithm", "new signatures"), rows),
        "",
        f"Every hash: {every}. Over {broken} nothing new is signed by default.",
        "",
        "PSS without a Salt Length signs with one as long as the digest, and verifies with any; without a Mask",
        "Generator Hashing Algorithm it signs with the Hashing Algorithm, and verifies with that or SHA-1.",
        "",
        "All are served in several parts. EdDSA reads its data twice, so they are kept until the last part.",
        "",
        f"Digital Signature Algorithms: {served}. Refused: {refused}, as no library that is used has it.",
    ]


def encryption() -> list[str]:
    """Encrypt and Decrypt with RSA."""
    others = ", ".join(p.title for p in P if p not in (P.OAEP, P.PKCS1_V1_5))
    served = ", ".join(h.title for h in HASHES if h in asymmetric.OAEP_HASHES)
    without = ", ".join(h.title for h in HASHES if h not in asymmetric.OAEP_HASHES)
    return [
        f"PKCS1 v1.5, and OAEP with {served}, any of them for MGF1 too, with or without a P Source.",
        "Without a Mask Generator Hashing Algorithm data is encrypted with the Hashing Algorithm, and decrypted",
        f"with that or SHA-1. Refused with RSA: {others}; and OAEP with",
        f"{without}: the library that is used has none of them.",
    ]


def key_formats() -> list[str]:
    """Which key in which Key Format Type: tried, not told."""
    kinds = [
        ("RSA", asymmetric.generate(A.RSA, 1024, weak_allowed=True)),
        ("DSA", asymmetric.generate(A.DSA, 1024, weak_allowed=True)),
        ("EC", asymmetric.generate(A.EC, 256, weak_allowed=True)),
        ("X25519, X448", asymmetric.generate(A.ECDH, None, C.CURVE25519, weak_allowed=True)),
        ("Ed25519, Ed448", asymmetric.generate(A.ED25519, None, weak_allowed=True)),
    ]
    rows = []
    for form in F:
        cells = [_halves(pair, form) for _, pair in kinds]
        if any(cells):
            rows.append((form.title, *cells))
    return [
        "A key is registered in any of these, used in any, and given in any other that it has. As Opaque, as an",
        "encrypted PKCS#8, and as a Transparent DH Key it is kept and fetched as it is; so is a private key of RSA",
        f"or DSA of more than {PRIVATE_MAXIMUM} bits, which is not looked into. Private keys are validated once,",
        "at Register or Import.",
        "",
        *_table(("Key Format Type", *(name for name, _ in kinds)), rows),
        "",
        "Public keys of the curves in the table above, in X.509, Raw and the Transparent forms, have these Key",
        f"Compression Types: {', '.join(c.title for c in Compression if c in conversion.COMPRESSIONS)}.",
    ]


def _halves(pair: asymmetric.KeyPair, form: F) -> str:
    """Which halves of a pair can be had in a format."""
    had = [name for name, key in (("private", pair.private), ("public", pair.public)) if _is_had(key, form)]
    return ", ".join(had)


def _is_had(key: formats.PrivateKey | formats.PublicKey, form: F) -> bool:
    # A legacy name on a key of X25519 says nothing that a client could use: its curve came after the name went.
    legacy = form in transparent.PRIVATE | transparent.PUBLIC and form.until is not None
    if legacy and formats.edwards_row(key) is not None:
        return False
    try:
        conversion.write(key, form)
    except KeyFormatTypeNotSupported:
        return False
    return True


SECTIONS: dict[str, Callable[[], list[str]]] = {
    "Key pairs": key_pairs,
    "Signatures": signing,
    "RSA encryption": encryption,
    "Key formats": key_formats,
}
