"""Every Key Format Type and Key Compression Type: read, written, and the same key throughout."""

from __future__ import annotations

import contextlib
import itertools
import math
import shutil
import subprocess
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from kmip_server.crypto import asymmetric, conversion, formats, transparent
from kmip_server.crypto.formats import CURVES, KeyDescription
from kmip_server.errors import InvalidField, KeyCompressionTypeNotSupported, KeyFormatTypeNotSupported
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import KeyCompressionType as Compression
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.enums import RecommendedCurve as C
from kmip_server.protocol.transparent import (
    TRANSPARENT,
    TransparentDHPrivateKey,
    TransparentDHPublicKey,
    TransparentDSAPrivateKey,
    TransparentECPrivateKey,
    TransparentECPublicKey,
    TransparentRSAPrivateKey,
    TransparentRSAPublicKey,
    TransparentSymmetricKey,
    transparent_numbers,
)
from kmip_server.protocol.versions import LATEST
from tests.crypto import asymmetric_vectors as v

UNCOMPRESSED = Compression.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED
COMPRESSED = Compression.EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_PRIME
HYBRID = Compression.EC_PUBLIC_KEY_TYPE_X9_62_HYBRID

EC_PRIVATE = [F.PKCS_8, F.ECPRIVATEKEY, F.RAW] + [
    each for each in transparent.PRIVATE if each.title.startswith("Transparent EC")
]
EC_PUBLIC = [F.X_509, F.RAW] + [each for each in transparent.PUBLIC if each.title.startswith("Transparent EC")]
# "Transparent EC" leaves open what the key is for; the names before it say it.
SAID_BY_FORM = {
    each: next(algorithm for algorithm in (A.ECDSA, A.ECDH, A.ECMQV, A.EC) if f" {algorithm.title} " in each.title)
    for each in {*EC_PRIVATE, *EC_PUBLIC}
    if each in transparent.PRIVATE | transparent.PUBLIC
}
# Kind of key -> formats of the private and of the public key, in which it can be had.
FORMATS: list[tuple[A, int | None, C | None, list[F], list[F]]] = [
    (
        A.RSA,
        2048,
        None,
        [F.PKCS_1, F.PKCS_8, F.TRANSPARENT_RSA_PRIVATE_KEY],
        [F.PKCS_1, F.X_509, F.TRANSPARENT_RSA_PUBLIC_KEY],
    ),
    (A.DSA, 1024, None, [F.PKCS_8, F.TRANSPARENT_DSA_PRIVATE_KEY], [F.X_509, F.TRANSPARENT_DSA_PUBLIC_KEY]),
    *((A.EC, None, curve, EC_PRIVATE, EC_PUBLIC) for curve in CURVES),
    (A.ED25519, None, None, [F.PKCS_8, F.RAW], [F.X_509, F.RAW]),
    (A.ED448, None, None, [F.PKCS_8, F.RAW], [F.X_509, F.RAW]),
    *(
        (A.ECDH, None, curve, [each for each in EC_PRIVATE if each != F.ECPRIVATEKEY], EC_PUBLIC)
        for curve in (C.CURVE25519, C.CURVE448)
    ),
]
_IDS = [f"{curve.title if curve else algorithm.title}" for algorithm, _, curve, _, _ in FORMATS]


def load(material: Any, present: F, private: bool, algorithm: A, curve: C | None) -> Any:
    return conversion.load(material, present, private=private, algorithm=algorithm, curve=curve)


@pytest.mark.parametrize(("algorithm", "length", "curve", "privates", "publics"), FORMATS, ids=_IDS)
def test_from_every_format_to_every_other(
    algorithm: A, length: int | None, curve: C | None, privates: list[F], publics: list[F]
) -> None:
    pair = asymmetric.generate(algorithm, length, curve, weak_allowed=True)
    for private, key, forms in ((True, pair.private, privates), (False, pair.public, publics)):
        written = {each: conversion.write(key, each) for each in forms}
        for present, wanted in itertools.permutations(forms, 2):
            loaded = load(written[present], present, private, algorithm, curve)
            assert conversion.write(loaded, wanted) == written[wanted], (present, wanted)
            assert formats.describe(loaded) == pair.description
        for other in set(F) - set(forms):
            with pytest.raises(KeyFormatTypeNotSupported):
                conversion.write(key, other)


@pytest.mark.parametrize(("algorithm", "length", "curve", "privates", "publics"), FORMATS, ids=_IDS)
def test_what_a_key_says_of_itself(
    algorithm: A, length: int | None, curve: C | None, privates: list[F], publics: list[F]
) -> None:
    pair = asymmetric.generate(algorithm, length, curve, weak_allowed=True)
    for private, key, forms in ((True, pair.private, privates), (False, pair.public, publics)):
        for each in forms:
            read = conversion.describe(
                conversion.write(key, each), each, private=private, algorithm=algorithm, curve=curve
            )
            assert read is not None
            assert read.algorithm == SAID_BY_FORM.get(each, pair.description.algorithm)
            assert (read.length, read.curve, read.qlength) == (
                pair.description.length,
                pair.description.curve,
                pair.description.qlength,
            )


def test_a_private_key_is_no_public_one() -> None:
    pair = asymmetric.generate(A.EC, 256, weak_allowed=False)
    private = conversion.write(pair.private, F.TRANSPARENT_EC_PRIVATE_KEY)
    public = conversion.write(pair.public, F.TRANSPARENT_EC_PUBLIC_KEY)
    for material, form, wrongly in (
        (private, F.TRANSPARENT_EC_PRIVATE_KEY, False),
        (public, F.TRANSPARENT_EC_PUBLIC_KEY, True),
    ):
        with pytest.raises(InvalidField):
            conversion.load(material, form, private=wrongly)
        with pytest.raises(InvalidField):
            conversion.describe(material, form, private=wrongly)


# --- Transparent RSA ----------------------------------------------------------------------------


def rsa_numbers() -> TransparentRSAPrivateKey:
    key = asymmetric.generate(A.RSA, 1024, weak_allowed=True).private
    material = conversion.write(key, F.TRANSPARENT_RSA_PRIVATE_KEY)
    numbers: TransparentRSAPrivateKey = transparent_numbers(F.TRANSPARENT_RSA_PRIVATE_KEY, material, LATEST)
    return numbers


def loaded(numbers: Any, form: F = F.TRANSPARENT_RSA_PRIVATE_KEY) -> Any:
    return conversion.load(v.transparent(numbers), form, private=form in transparent.PRIVATE)


@pytest.mark.parametrize("with_exponent", [True, False])
@pytest.mark.parametrize(
    "present",
    [
        {"private_exponent"},
        {"p", "q"},
        {"prime_exponent_p", "prime_exponent_q"},
        {"private_exponent", "p", "q"},
        {"p", "q", "prime_exponent_p", "prime_exponent_q", "crt_coefficient"},
    ],
)
def test_an_rsa_key_of_some_of_its_numbers(present: set[str], with_exponent: bool) -> None:
    """KMIP 1.4 §2.1.7.4: one of three groups of numbers is enough, and 65537 is taken where no exponent is said."""
    whole = rsa_numbers()
    kept = present | {"modulus"} | ({"public_exponent"} if with_exponent else set())
    some = TransparentRSAPrivateKey(**{each: getattr(whole, each) for each in kept})
    assert loaded(some).public_key().public_numbers() == loaded(whole).public_key().public_numbers()


def test_a_rare_public_exponent_is_found_from_the_rest() -> None:
    whole = rsa_numbers()
    assert whole.p is not None
    assert whole.q is not None
    e = 65539
    d = pow(e, -1, math.lcm(whole.p - 1, whole.q - 1))
    found = loaded(TransparentRSAPrivateKey(modulus=whole.modulus, private_exponent=d, p=whole.p, q=whole.q))
    assert found.public_key().public_numbers().e == e
    with pytest.raises(InvalidField):
        loaded(TransparentRSAPrivateKey(modulus=whole.modulus, private_exponent=d))


def test_rsa_numbers_that_are_no_key() -> None:
    whole = rsa_numbers()
    assert whole.p is not None
    for wrong in (
        TransparentRSAPrivateKey(modulus=whole.modulus, public_exponent=65537),
        TransparentRSAPrivateKey(modulus=whole.modulus, public_exponent=65537, p=whole.p),
        replace(whole, p=whole.p + 2),
        replace(whole, modulus=whole.modulus + 1),
        replace(whole, p=None, q=None, private_exponent=12345),
        TransparentRSAPrivateKey(modulus=whole.modulus, prime_exponent_p=3, prime_exponent_q=5),
        replace(whole, modulus=-whole.modulus),
        replace(whole, p=1, q=whole.modulus),
    ):
        with pytest.raises(InvalidField):
            loaded(wrong)


def test_huge_numbers_are_kept_and_described_but_cost_nothing() -> None:
    huge = TransparentRSAPrivateKey(modulus=(1 << 1_000_000) + 1, private_exponent=(1 << 1_000_000) - 1)
    material = v.transparent(huge)
    read = conversion.describe(material, F.TRANSPARENT_RSA_PRIVATE_KEY, private=True)
    assert read == KeyDescription(algorithm=A.RSA, length=1_000_001)
    with pytest.raises(KeyFormatTypeNotSupported):
        loaded(huge)


# --- other Transparent keys ---------------------------------------------------------------------


def test_diffie_hellman_is_kept_and_described() -> None:
    private = TransparentDHPrivateKey(p=(1 << 2047) + 1, g=2, x=12345)
    public = TransparentDHPublicKey(p=(1 << 2047) + 1, q=(1 << 255) + 1, g=2, y=67890)
    for numbers, form, qlength in (
        (private, F.TRANSPARENT_DH_PRIVATE_KEY, None),
        (public, F.TRANSPARENT_DH_PUBLIC_KEY, 256),
    ):
        read = conversion.describe(v.transparent(numbers), form, private=numbers is private)
        assert read == KeyDescription(algorithm=A.DH, length=2048, qlength=qlength)
        with pytest.raises(KeyFormatTypeNotSupported):
            loaded(numbers, form)


def test_a_curve_that_is_not_served_is_kept_without_a_length() -> None:
    numbers = TransparentECPublicKey(recommended_curve=C.K_163, q_string=b"\x04" + bytes(42))
    read = conversion.describe(v.transparent(numbers), F.TRANSPARENT_ECDH_PUBLIC_KEY, private=False)
    assert read == KeyDescription(algorithm=A.ECDH, length=None, curve=C.K_163)
    with pytest.raises(KeyFormatTypeNotSupported):
        loaded(numbers, F.TRANSPARENT_EC_PUBLIC_KEY)


@pytest.mark.parametrize(
    ("numbers", "form"),
    [
        (TransparentECPrivateKey(recommended_curve=C.P_256, d=0), F.TRANSPARENT_EC_PRIVATE_KEY),
        (TransparentECPrivateKey(recommended_curve=C.P_256, d=-5), F.TRANSPARENT_EC_PRIVATE_KEY),
        (TransparentECPrivateKey(recommended_curve=C.P_256, d=1 << 256), F.TRANSPARENT_EC_PRIVATE_KEY),
        (TransparentECPrivateKey(recommended_curve=C.CURVE25519, d=1 << 256), F.TRANSPARENT_EC_PRIVATE_KEY),
        (TransparentECPublicKey(recommended_curve=C.P_256, q_string=b""), F.TRANSPARENT_EC_PUBLIC_KEY),
        (
            TransparentECPublicKey(recommended_curve=C.P_256, q_string=b"\4" + bytes(64)),
            F.TRANSPARENT_EC_PUBLIC_KEY,
        ),
        (TransparentECPublicKey(recommended_curve=C.CURVE448, q_string=bytes(55)), F.TRANSPARENT_EC_PUBLIC_KEY),
        (TransparentDSAPrivateKey(p=23, q=11, g=4, x=12), F.TRANSPARENT_DSA_PRIVATE_KEY),
        (TransparentDSAPrivateKey(p=-23, q=11, g=4, x=3), F.TRANSPARENT_DSA_PRIVATE_KEY),
        (TransparentRSAPublicKey(modulus=2, public_exponent=3), F.TRANSPARENT_RSA_PUBLIC_KEY),
        (TransparentRSAPublicKey(modulus=(1 << 2047) + 1, public_exponent=2), F.TRANSPARENT_RSA_PUBLIC_KEY),
    ],
)
def test_numbers_that_are_no_key(numbers: Any, form: F) -> None:
    with pytest.raises(InvalidField):
        loaded(numbers, form)


@pytest.mark.parametrize("case", v.vectors("x25519_x448")["cases"], ids=lambda c: c["curve"])
def test_x25519_and_x448_of_rfc_7748(case: dict[str, Any]) -> None:
    """The public key of the RFC; D is its scalar, whose first byte is the least."""
    curve, scalar = C[case["curve"]], bytes.fromhex(case["private"])
    numbers = TransparentECPrivateKey(recommended_curve=curve, d=int.from_bytes(scalar, "little"))
    key = loaded(numbers, F.TRANSPARENT_EC_PRIVATE_KEY)
    assert formats.private_bytes(key, F.RAW) == scalar
    assert formats.public_bytes(key.public_key(), F.RAW).hex() == case["public"]


# --- points -------------------------------------------------------------------------------------


@pytest.mark.parametrize("curve", list(CURVES))
@pytest.mark.parametrize("compression", [UNCOMPRESSED, COMPRESSED, HYBRID])
@pytest.mark.parametrize("form", EC_PUBLIC)
def test_points_in_every_form(curve: C, compression: Compression, form: F) -> None:
    key = asymmetric.generate(A.EC, None, curve, weak_allowed=True).public
    assert isinstance(key, ec.EllipticCurvePublicKey)
    written = conversion.write(key, form, compression)
    again = load(written, form, False, A.EC, curve)
    assert again.public_numbers() == key.public_numbers()
    if form != F.RAW:
        said = {
            each: conversion.is_compressed_so(written, form, each) for each in (UNCOMPRESSED, COMPRESSED, HYBRID)
        }
        assert said == {each: each == compression for each in said}
    for other in (UNCOMPRESSED, COMPRESSED, HYBRID):
        assert (conversion.write(again, form, other) == written) is (other == compression)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
@pytest.mark.parametrize("curve", [C.P_256, C.P_521, C.BRAINPOOLP384R1])
@pytest.mark.parametrize(("compression", "name"), [(COMPRESSED, "compressed"), (HYBRID, "hybrid")])
def test_the_openssl_command_writes_points_alike(curve: C, compression: Compression, name: str) -> None:
    """A second implementation, byte by byte."""
    key = asymmetric.generate(A.EC, None, curve, weak_allowed=True).public
    command = ["openssl", "ec", "-pubin", "-inform", "DER", "-outform", "DER", "-conv_form", name]
    theirs = subprocess.run(
        command, input=formats.public_bytes(key, F.X_509), check=True, capture_output=True
    ).stdout
    assert conversion.write(key, F.X_509, compression) == theirs


def test_compression_is_of_public_keys_on_prime_curves() -> None:
    ec_pair = asymmetric.generate(A.EC, 256, weak_allowed=False)
    for key, compression in (
        (ec_pair.private, COMPRESSED),
        (ec_pair.public, Compression.EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_CHAR2),
        (asymmetric.generate(A.ED25519, None, weak_allowed=False).public, COMPRESSED),
    ):
        with pytest.raises(KeyCompressionTypeNotSupported):
            conversion.write(key, F.RAW, compression)


def test_a_hybrid_point_that_contradicts_itself_is_none() -> None:
    key = asymmetric.generate(A.EC, 256, weak_allowed=False).public
    point = conversion.write(key, F.RAW, HYBRID)
    assert isinstance(point, bytes)
    wrong = bytes([point[0] ^ 1]) + point[1:]
    with pytest.raises(InvalidField):
        conversion.load(wrong, F.RAW, private=False, algorithm=A.EC, curve=C.P_256)


# --- hostile and hidden -------------------------------------------------------------------------


@settings(max_examples=200)
@given(
    st.binary(max_size=200),
    st.sampled_from(list(F)),
    st.booleans(),
    st.sampled_from([None, A.RSA, A.EC, A.ED25519]),
    st.sampled_from([None, C.P_256, C.CURVE25519]),
)
def test_hostile_keys_raise_typed_errors_or_are_keys(
    data: bytes, present: F, private: bool, algorithm: A | None, curve: C | None
) -> None:
    with contextlib.suppress(InvalidField, KeyFormatTypeNotSupported):
        conversion.load(data, present, private=private, algorithm=algorithm, curve=curve)
    with pytest.raises(InvalidField):
        formats.describe_certificate(data)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(transparent.PRIVATE | transparent.PUBLIC)), st.data())
def test_hostile_numbers_raise_typed_errors_or_are_keys(form: F, data: st.DataObject) -> None:
    numbers = st.one_of(st.integers(-(1 << 70), 1 << 70), st.sampled_from([0, 1, 2, 3, 65537, (1 << 255) - 19]))
    made = {}
    for name in TRANSPARENT[form].__dataclass_fields__:
        strategy: Any = {"recommended_curve": st.sampled_from(list(C)), "q_string": st.binary(max_size=70)}.get(
            name, numbers
        )
        made[name] = data.draw(strategy, label=name)
    material = v.transparent(TRANSPARENT[form](**made))
    for attempt in (conversion.load, conversion.describe):
        with contextlib.suppress(InvalidField, KeyFormatTypeNotSupported):
            attempt(material, form, private=form in transparent.PRIVATE)


def test_an_encrypted_pkcs_8_key_is_kept_and_not_looked_into() -> None:
    key = asymmetric.generate(A.EC, 256, weak_allowed=False).private
    encryption = serialization.BestAvailableEncryption(b"its owner's")
    hidden = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, encryption)
    assert conversion.describe(hidden, F.PKCS_8, private=True) is None
    with pytest.raises(KeyFormatTypeNotSupported, match="encrypted by its owner"):
        conversion.load(hidden, F.PKCS_8, private=True)
    with pytest.raises(InvalidField):
        conversion.describe(hidden[:-1], F.PKCS_8, private=True)


@pytest.mark.parametrize("present", [F.OPAQUE, F.RAW])
def test_opaque_and_raw_keys_say_nothing(present: F) -> None:
    assert conversion.describe(b"anything", present, private=True) is None
    with pytest.raises(KeyFormatTypeNotSupported):
        conversion.load(b"anything", present, private=True)


def test_a_symmetric_key_is_no_asymmetric_one() -> None:
    material = v.transparent(TransparentSymmetricKey(key=b"k" * 16))
    with pytest.raises(InvalidField):
        conversion.describe(material, F.TRANSPARENT_SYMMETRIC_KEY, private=True)
