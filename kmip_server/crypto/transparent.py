"""Transparent keys: a key as the numbers it consists of. KMIP 1.4 section 2.1.7, KMIP 2.1 sections 3.4-3.12.

Strategy: numbers become a key of the library, and back; every other format is made from there. Numbers that are
no key (a point off its curve, primes that are none of the modulus) are InvalidField; those that are a key which
nobody here can compute with are kept and described, and refused only where they would be used.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from kmip_server.crypto import formats
from kmip_server.crypto.algorithms import PRIVATE_MAXIMUM
from kmip_server.crypto.formats import CURVES, EDWARDS, KeyDescription, PrivateKey, PublicKey
from kmip_server.errors import InvalidField, KeyFormatTypeNotSupported
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.enums import RecommendedCurve as C
from kmip_server.protocol.objects import (
    TransparentMaterial,
)
from kmip_server.protocol.transparent import (
    TRANSPARENT,
    TransparentDHPrivateKey,
    TransparentDHPublicKey,
    TransparentDSAPrivateKey,
    TransparentDSAPublicKey,
    TransparentECPrivateKey,
    TransparentECPublicKey,
    TransparentRSAPrivateKey,
    TransparentRSAPublicKey,
    transparent_material,
    transparent_numbers,
)
from kmip_server.protocol.versions import LATEST

PRIVATE = frozenset(each for each in TRANSPARENT if each.title.endswith("Private Key"))
PUBLIC = frozenset(each for each in TRANSPARENT if each.title.endswith("Public Key"))
# The names until 1.4 say what the key is for (KMIP 1.4 §2.1.7.8-2.1.7.13); "Transparent EC" leaves it open.
_ALGORITHMS: dict[F, A] = {
    F.TRANSPARENT_ECDSA_PRIVATE_KEY: A.ECDSA,
    F.TRANSPARENT_ECDSA_PUBLIC_KEY: A.ECDSA,
    F.TRANSPARENT_ECDH_PRIVATE_KEY: A.ECDH,
    F.TRANSPARENT_ECDH_PUBLIC_KEY: A.ECDH,
    F.TRANSPARENT_ECMQV_PRIVATE_KEY: A.ECMQV,
    F.TRANSPARENT_ECMQV_PUBLIC_KEY: A.ECMQV,
}
# Where an RSA key comes without its Public Exponent: the one that nearly all keys have, then the others in use.
_PUBLIC_EXPONENTS = (65537, 3, 17, 5, 37, 257)
_PUBLIC_MAXIMUM = 16384
"""Bits of any number of a public key: the library stops here too."""


Point = Callable[[ec.EllipticCurvePublicKey], bytes]


# --- reading ------------------------------------------------------------------------------------


def load(key_format_type: F, material: TransparentMaterial, *, validate: bool = False) -> PrivateKey | PublicKey:
    """The key that the numbers are. `validate` for one that nobody here has validated yet.

    Raises InvalidField where they are none, KeyFormatTypeNotSupported for keys that are kept but not used: of
    Diffie-Hellman, of curves that are not served, and of numbers too large to compute with.
    """
    numbers = transparent_numbers(key_format_type, material, LATEST)
    load_numbers = _LOAD.get(type(numbers))
    if load_numbers is None or _is_too_large(numbers):
        raise KeyFormatTypeNotSupported(f"this {key_format_type.title} is kept as it is and not used here")
    try:
        if isinstance(numbers, TransparentRSAPrivateKey):
            return _rsa_private(numbers, validate)
        return load_numbers(numbers)
    except (ValueError, TypeError, UnsupportedAlgorithm, OverflowError) as error:
        raise InvalidField(f"the numbers are not a {key_format_type.title}") from error


def _is_too_large(numbers: Any) -> bool:
    """Whether a client could keep a processor busy with a number of these."""
    secret = isinstance(numbers, (TransparentRSAPrivateKey, TransparentDSAPrivateKey, TransparentECPrivateKey))
    values = (getattr(numbers, field.name) for field in dataclasses.fields(numbers))
    largest = max((value.bit_length() for value in values if isinstance(value, int)), default=0)
    return largest > (PRIVATE_MAXIMUM if secret else _PUBLIC_MAXIMUM)


def describe(key_format_type: F, material: TransparentMaterial) -> KeyDescription:
    """What the numbers say of the key. Raises InvalidField where they are no key, and CodecError."""
    numbers = transparent_numbers(key_format_type, material, LATEST)
    if isinstance(numbers, (TransparentRSAPrivateKey, TransparentRSAPublicKey)):
        if isinstance(numbers, TransparentRSAPrivateKey):
            _require_enough(numbers)
            if not _is_too_large(numbers):
                load(key_format_type, material, validate=True)
        return KeyDescription(algorithm=A.RSA, length=_bits(numbers.modulus))
    if isinstance(numbers, (TransparentDHPrivateKey, TransparentDHPublicKey)):
        qlength = numbers.q.bit_length() if numbers.q is not None else None
        return KeyDescription(algorithm=A.DH, length=_bits(numbers.p), qlength=qlength)
    if isinstance(numbers, (TransparentDSAPrivateKey, TransparentDSAPublicKey)):
        return KeyDescription(algorithm=A.DSA, length=_bits(numbers.p), qlength=numbers.q.bit_length())
    assert isinstance(numbers, (TransparentECPrivateKey, TransparentECPublicKey))
    curve = numbers.recommended_curve
    algorithm = _ALGORITHMS.get(key_format_type, A.EC)
    if curve not in CURVES and curve not in _MONTGOMERY:
        # The length of a curve that is not served is known to the client only.
        return KeyDescription(algorithm=algorithm, length=None, curve=curve)
    length = formats.describe(load(key_format_type, material)).length
    return KeyDescription(algorithm=algorithm, length=length, curve=curve)


def _bits(number: int) -> int:
    if number < 3:
        raise InvalidField("a Modulus or a prime P is larger than 2")
    return number.bit_length()


def _require_enough(numbers: TransparentRSAPrivateKey) -> None:
    """KMIP 1.4 §2.1.7.4: one of Private Exponent, P and Q, or Prime Exponent P and Prime Exponent Q."""
    has_primes = numbers.p is not None and numbers.q is not None
    has_exponents = numbers.prime_exponent_p is not None and numbers.prime_exponent_q is not None
    if numbers.private_exponent is None and not has_primes and not has_exponents:
        raise InvalidField(
            "a Transparent RSA Private Key has a Private Exponent, or P and Q, or Prime Exponent P and Q"
        )


def _rsa_private(numbers: TransparentRSAPrivateKey, validate: bool = False) -> rsa.RSAPrivateKey:
    """Whichever numbers there are, the others are computed from them."""
    _require_enough(numbers)
    n = numbers.modulus
    if n < 3 or n % 2 == 0:
        raise ValueError("no modulus")
    e = numbers.public_exponent or _public_exponent(numbers)
    p, q = numbers.p, numbers.q
    if p is None or q is None:
        if numbers.private_exponent is not None:
            p, q = _primes(n, e, numbers.private_exponent)
        else:
            assert numbers.prime_exponent_p is not None
            p = _prime_of_exponent(n, e, numbers.prime_exponent_p)
            q = n // p
    if p * q != n or min(p, q) < 2:
        raise ValueError("P and Q are not the factors of the Modulus")
    d = numbers.private_exponent
    if d is None:
        d = pow(e, -1, math.lcm(p - 1, q - 1))
    public = rsa.RSAPublicNumbers(e, n)
    private = rsa.RSAPrivateNumbers(p, q, d, pow(e, -1, p - 1), pow(e, -1, q - 1), pow(q, -1, p), public)
    return private.private_key(unsafe_skip_rsa_key_validation=not validate)


def _public_exponent(numbers: TransparentRSAPrivateKey) -> int:
    """The Public Exponent that was left out: from the Private Exponent and the primes, or by trial.

    P and Q alone fit every exponent; then it is 65537, which everybody takes.
    """
    d = numbers.private_exponent
    if d is None:
        return _PUBLIC_EXPONENTS[0]
    if numbers.p is not None and numbers.q is not None:
        return pow(d, -1, math.lcm(numbers.p - 1, numbers.q - 1))
    for e in _PUBLIC_EXPONENTS:
        try:
            _primes(numbers.modulus, e, d)
        except ValueError:
            continue
        return e
    raise ValueError("the Public Exponent is missing")


def _primes(n: int, e: int, d: int) -> tuple[int, int]:
    """P and Q of a Modulus, from both exponents, without a power: in milliseconds, whatever the numbers are.

    e * d - 1 is a multiple of lcm(P - 1, Q - 1), which is (P - 1) * (Q - 1) divided by their greatest common
    divisor. That divisor is small, so it is tried; then the factor of the multiple is what n, nearly as large as
    (P - 1) * (Q - 1), says; and from this product P and Q follow. Raises ValueError where none fits.
    """
    multiple = e * d - 1
    if e < 2 or not 0 < d < n or multiple.bit_length() > n.bit_length() * 3 // 2:
        raise ValueError("no exponents of this Modulus")
    for divisor in range(1, _MOST_COMMON_DIVISOR):
        whole = multiple * divisor
        factor = whole // n + 1
        if whole % factor == 0:
            total = n - whole // factor + 1
            square = total * total - 4 * n
            if square >= 0 and (root := math.isqrt(square)) ** 2 == square:
                return (total + root) // 2, (total - root) // 2
    raise ValueError("the exponents are of no factors of the Modulus")


_MOST_COMMON_DIVISOR = 8192
"""Of P - 1 and Q - 1. For one key in ten thousand it is larger; such a key is given with P and Q."""


def _prime_of_exponent(n: int, e: int, exponent: int) -> int:
    """The prime P of `n` with this CRT exponent: e * exponent is 1 modulo P - 1, so a^(e * exponent) is a there."""
    for a in (2, 3):
        p = math.gcd(pow(a, e * exponent, n) - a, n)
        if 1 < p < n:
            return p
    raise ValueError("the Prime Exponent is of no factor of the Modulus")


def _rsa_public(numbers: TransparentRSAPublicKey) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(numbers.public_exponent, numbers.modulus).public_key()


def _dsa_parameters(numbers: TransparentDSAPrivateKey | TransparentDSAPublicKey) -> dsa.DSAParameterNumbers:
    return dsa.DSAParameterNumbers(numbers.p, numbers.q, numbers.g)


def _dsa_private(numbers: TransparentDSAPrivateKey) -> dsa.DSAPrivateKey:
    if not 0 < numbers.x < numbers.q or numbers.p < 3 or numbers.p % 2 == 0:
        raise ValueError("no key")
    public = dsa.DSAPublicNumbers(pow(numbers.g, numbers.x, numbers.p), _dsa_parameters(numbers))
    return dsa.DSAPrivateNumbers(numbers.x, public).private_key()


def _dsa_public(numbers: TransparentDSAPublicKey) -> dsa.DSAPublicKey:
    return dsa.DSAPublicNumbers(numbers.y, _dsa_parameters(numbers)).public_key()


# X25519 and X448 by their curve. RFC 7748 section 5 reads the bytes of a scalar as a number with the first byte
# least, and so does D here; Q String is the bytes themselves.
_MONTGOMERY = {row.description.curve: row for row in EDWARDS if row.description.algorithm == A.ECDH}


def _ec_private(numbers: TransparentECPrivateKey) -> PrivateKey:
    montgomery = _MONTGOMERY.get(numbers.recommended_curve)
    if montgomery is not None:
        scalar = numbers.d.to_bytes(montgomery.size, "little")
        key: PrivateKey = montgomery.private.from_private_bytes(scalar)
        return key
    return ec.derive_private_key(numbers.d, _curve(numbers.recommended_curve))


def _ec_public(numbers: TransparentECPublicKey) -> PublicKey:
    montgomery = _MONTGOMERY.get(numbers.recommended_curve)
    if montgomery is not None:
        key: PublicKey = montgomery.public.from_public_bytes(numbers.q_string)
        return key
    return formats.point(numbers.q_string, _curve(numbers.recommended_curve))


def _curve(named: C) -> ec.EllipticCurve:
    if named not in CURVES:
        raise KeyFormatTypeNotSupported(f"the curve {named.title} is kept and not used here")
    return CURVES[named]()


_LOAD: dict[type[Any], Callable[[Any], PrivateKey | PublicKey]] = {
    TransparentRSAPrivateKey: _rsa_private,
    TransparentRSAPublicKey: _rsa_public,
    TransparentDSAPrivateKey: _dsa_private,
    TransparentDSAPublicKey: _dsa_public,
    TransparentECPrivateKey: _ec_private,
    TransparentECPublicKey: _ec_public,
}


# --- writing ------------------------------------------------------------------------------------


def write(key: PrivateKey | PublicKey, wanted: F, point: Point) -> TransparentMaterial:
    """The numbers of a key; `point` says how a public key's point is written.

    Raises KeyFormatTypeNotSupported for the form of another kind of key.
    """
    numbers = _numbers(key, point)
    if numbers is None or TRANSPARENT.get(wanted) is not type(numbers):
        raise KeyFormatTypeNotSupported(f"the key cannot be had as {wanted.title}")
    return transparent_material(numbers, LATEST)


def _numbers(key: PrivateKey | PublicKey, point: Point) -> Any:
    """The structure of numbers that a key has: None where it has none, as Ed25519, whose key is no number."""
    if isinstance(key, rsa.RSAPrivateKey):
        private = key.private_numbers()
        return TransparentRSAPrivateKey(
            modulus=private.public_numbers.n,
            private_exponent=private.d,
            public_exponent=private.public_numbers.e,
            p=private.p,
            q=private.q,
            prime_exponent_p=private.dmp1,
            prime_exponent_q=private.dmq1,
            crt_coefficient=private.iqmp,
        )
    if isinstance(key, rsa.RSAPublicKey):
        public = key.public_numbers()
        return TransparentRSAPublicKey(modulus=public.n, public_exponent=public.e)
    if isinstance(key, (dsa.DSAPrivateKey, dsa.DSAPublicKey)):
        of = key.parameters().parameter_numbers()
        if isinstance(key, dsa.DSAPrivateKey):
            return TransparentDSAPrivateKey(p=of.p, q=of.q, g=of.g, x=key.private_numbers().x)
        return TransparentDSAPublicKey(p=of.p, q=of.q, g=of.g, y=key.public_numbers().y)
    return _ec_numbers(key, point)


def _ec_numbers(key: PrivateKey | PublicKey, point: Point) -> Any:
    curve = formats.describe(key).curve
    if curve is None:
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return TransparentECPrivateKey(recommended_curve=curve, d=key.private_numbers().private_value)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return TransparentECPublicKey(recommended_curve=curve, q_string=point(key))
    montgomery = _MONTGOMERY[curve]
    if isinstance(key, montgomery.private):
        scalar = int.from_bytes(formats.private_bytes(key, F.RAW), "little")
        return TransparentECPrivateKey(recommended_curve=curve, d=scalar)
    if isinstance(key, montgomery.public):
        return TransparentECPublicKey(recommended_curve=curve, q_string=formats.public_bytes(key, F.RAW))
    return None
