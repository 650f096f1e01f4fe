"""Private keys are validated once, when they come; what is too large to compute with is not looked into."""

from __future__ import annotations

import math
import secrets
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import rsa

from kmip_server.crypto import asymmetric, conversion, formats, transparent
from kmip_server.crypto.algorithms import PRIVATE_MAXIMUM
from kmip_server.errors import InvalidField, KeyFormatTypeNotSupported
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.transparent import (
    TransparentDSAPrivateKey,
    TransparentRSAPrivateKey,
    transparent_material,
)
from kmip_server.protocol.versions import LATEST

FORMS = [F.PKCS_1, F.PKCS_8, F.TRANSPARENT_RSA_PRIVATE_KEY]


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    long = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(long)]) + long + content


def integer(number: int) -> bytes:
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def dsa_pkcs8(bits: int) -> bytes:
    """A PrivateKeyInfo of DSA whose numbers have so many bits, and no other merit."""
    p, x = secrets.randbits(bits) | 1 | 1 << (bits - 1), 1 << (bits - 1)
    oid = bytes.fromhex("06072a8648ce380401")
    head = integer(0) + der(0x30, oid + der(0x30, integer(p) + integer((1 << 255) | 1) + integer(2)))
    return der(0x30, head + der(0x04, integer(x)))


def rsa_pkcs1(numbers: TransparentRSAPrivateKey) -> bytes:
    values = (0, numbers.modulus, numbers.public_exponent, numbers.private_exponent, numbers.p, numbers.q)
    more = (numbers.prime_exponent_p, numbers.prime_exponent_q, numbers.crt_coefficient)
    return der(0x30, b"".join(integer(each or 0) for each in values + more))


def with_a_composite() -> TransparentRSAPrivateKey:
    """The numbers of an RSA key in which all is consistent, but one factor is no prime."""
    one, two, three = (rsa.generate_private_key(65537, 1024).private_numbers().p for _ in range(3))
    p, q, e = one, two * three, 65537
    d = pow(e, -1, (one - 1) * (two - 1) * (three - 1))
    return TransparentRSAPrivateKey(
        modulus=p * q,
        private_exponent=d,
        public_exponent=e,
        p=p,
        q=q,
        prime_exponent_p=d % (p - 1),
        prime_exponent_q=d % (q - 1),
        crt_coefficient=pow(q, -1, p),
    )


@pytest.mark.parametrize("form", [F.PKCS_1, F.TRANSPARENT_RSA_PRIVATE_KEY])
def test_primes_are_tested_where_a_key_comes(form: F) -> None:
    numbers = with_a_composite()
    material: Any = rsa_pkcs1(numbers) if form == F.PKCS_1 else transparent_material(numbers, LATEST)
    with pytest.raises(InvalidField):
        conversion.describe(material, form, private=True)
    with pytest.raises(InvalidField):
        conversion.load(material, form, private=True, validate=True)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_kept_is_not_validated_again(form: F, monkeypatch: pytest.MonkeyPatch) -> None:
    key = rsa.generate_private_key(65537, 2048)
    material = conversion.write(key, form)
    skipped: list[bool] = []
    load, make = s.load_der_private_key, rsa.RSAPrivateNumbers

    def loading(data: bytes, password: None, *, unsafe_skip_rsa_key_validation: bool = False) -> Any:
        skipped.append(unsafe_skip_rsa_key_validation)
        return load(data, password, unsafe_skip_rsa_key_validation=unsafe_skip_rsa_key_validation)

    class Numbers:
        def __init__(self, *numbers: Any) -> None:
            self._numbers = make(*numbers)

        def private_key(self, *, unsafe_skip_rsa_key_validation: bool = False) -> Any:
            skipped.append(unsafe_skip_rsa_key_validation)
            return self._numbers.private_key(unsafe_skip_rsa_key_validation=unsafe_skip_rsa_key_validation)

    monkeypatch.setattr(s, "load_der_private_key", loading)
    monkeypatch.setattr(rsa, "RSAPrivateNumbers", Numbers)
    loaded = conversion.load(material, form, private=True)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    assert skipped
    assert all(skipped)
    skipped.clear()
    conversion.describe(material, form, private=True)
    assert skipped.count(False) == 1


def test_the_largest_key_that_is_used() -> None:
    pair = asymmetric.generate(A.RSA, PRIVATE_MAXIMUM, weak_allowed=False)
    for form in FORMS:
        written = conversion.write(pair.private, form)
        assert conversion.load(written, form, private=True)
        described = conversion.describe(written, form, private=True)
        assert described is not None
        assert described.length == PRIVATE_MAXIMUM


def larger(form: F) -> Any:
    n = 1 << PRIVATE_MAXIMUM | 1
    numbers = TransparentRSAPrivateKey(
        modulus=n,
        private_exponent=n - 2,
        public_exponent=65537,
        p=3,
        q=5,
        prime_exponent_p=1,
        prime_exponent_q=1,
        crt_coefficient=1,
    )
    if form == F.TRANSPARENT_RSA_PRIVATE_KEY:
        return transparent_material(numbers, LATEST)
    if form == F.PKCS_1:
        return rsa_pkcs1(numbers)
    oid = der(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    return der(0x30, integer(0) + oid + der(0x04, rsa_pkcs1(numbers)))


@pytest.mark.parametrize("form", FORMS)
def test_a_larger_key_is_kept_and_not_used(form: F) -> None:
    material = larger(form)
    described = conversion.describe(material, form, private=True)
    assert described is None or described.length == PRIVATE_MAXIMUM + 1
    with pytest.raises(KeyFormatTypeNotSupported):
        conversion.load(material, form, private=True)


def test_numbers_of_dsa_are_measured_before_the_library_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the library was asked")

    monkeypatch.setattr(s, "load_der_private_key", refuse)
    key = dsa_pkcs8(PRIVATE_MAXIMUM + 1)
    assert conversion.describe(key, F.PKCS_8, private=True) is None
    with pytest.raises(KeyFormatTypeNotSupported):
        formats.load_private(key, F.PKCS_8)
    numbers = TransparentDSAPrivateKey(p=1 << PRIVATE_MAXIMUM | 1, q=7, g=2, x=5)
    with pytest.raises(KeyFormatTypeNotSupported):
        conversion.load(
            transparent_material(numbers, LATEST), F.TRANSPARENT_DSA_PRIVATE_KEY, private=True, validate=True
        )


@pytest.mark.parametrize("key", [b"", b"\x30", b"\x02\x84\xff\xff\xff\xff", b"\x30\x80\x02\xff", bytes(5000)])
def test_any_bytes_can_be_measured(key: bytes) -> None:
    assert formats.is_too_large(key) is False


@pytest.mark.parametrize("exponent", [37, 65537])
@pytest.mark.parametrize("modulo", ["product", "multiple"])
def test_primes_follow_from_the_exponents_without_a_power(
    exponent: int, modulo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the Private Exponent was reduced, and with the Public Exponent left out."""
    p, q, e = 2**521 - 1, 2**607 - 1, exponent
    n = p * q
    order = (p - 1) * (q - 1) if modulo == "product" else math.lcm(p - 1, q - 1)
    d = pow(e, -1, order)
    monkeypatch.setattr(transparent, "pow", _small_pow, raising=False)
    assert set(transparent._primes(n, e, d)) == {p, q}
    given = TransparentRSAPrivateKey(modulus=n, private_exponent=d)
    assert transparent._public_exponent(given) == e


def _small_pow(base: int, exponent: int, modulus: int) -> int:
    assert exponent < 0, "only inverses are cheap"
    return pow(base, exponent, modulus)


def test_exponents_that_fit_nothing() -> None:
    n = rsa.generate_private_key(65537, 2048).private_numbers().public_numbers.n
    for e, d in [(65537, 1), (65537, n - 2), (3, 5), (n - 2, n - 2), (1, 1), (65537, 0), (65537, -5)]:
        with pytest.raises(ValueError, match="exponents"):
            transparent._primes(n, e, d)
