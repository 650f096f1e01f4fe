"""Signatures: known answers of NIST, the RFCs and the KMIP profiles, at once and in parts, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from kmip_server.crypto import asymmetric, conversion, formats, hashing, signatures
from kmip_server.errors import (
    BadCryptographicParameters,
    InvalidField,
    InvalidObjectType,
    UnsupportedCryptographicParameters,
)
from kmip_server.protocol.attribute_values import CryptographicParameters
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import DigitalSignatureAlgorithm as D
from kmip_server.protocol.enums import HashingAlgorithm as H
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.enums import PaddingMethod as P
from kmip_server.protocol.enums import RecommendedCurve as C
from kmip_server.protocol.transparent import (
    TransparentDSAPrivateKey,
    TransparentDSAPublicKey,
    TransparentECPrivateKey,
    TransparentECPublicKey,
    TransparentRSAPrivateKey,
    TransparentRSAPublicKey,
)
from tests.crypto.asymmetric_vectors import encoded, number, vectors

h = bytes.fromhex


def parameters(**given: Any) -> CryptographicParameters:
    return CryptographicParameters(**given)


def pair(algorithm: A, length: int | None = None, curve: C | None = None) -> tuple[bytes, bytes]:
    """A new pair in PKCS#8 and X.509."""
    made = asymmetric.generate(algorithm, length, curve, weak_allowed=True)
    return formats.private_bytes(made.private, F.PKCS_8), formats.public_bytes(made.public, F.X_509)


RSA = pair(A.RSA, 2048)
PSS = parameters(padding_method=P.PSS, hashing_algorithm=H.SHA_256)
SIZES = (1, 7, 64)


def sign(key: bytes, form: F, data: bytes, given: CryptographicParameters, **more: Any) -> bytes:
    """The signature, the same at once and in parts."""
    whole = signatures.sign(key, form, data, given, **more)
    for size in SIZES:
        work = signatures.Signing(key, form, given, **more)
        for start in range(0, len(data), size):
            work.update(data[start : start + size])
        assert work.finalize() == whole
    return whole


def verify(key: bytes, form: F, data: bytes, signature: bytes, given: CryptographicParameters, **more: Any) -> bool:
    """Whether it is valid, the same at once and in parts."""
    whole = signatures.verify(key, form, data, signature, given, **more)
    for size in () if more.get("digested") else SIZES:
        work = signatures.Verifying(key, form, given)
        for start in range(0, len(data), size):
            work.update(data[start : start + size])
        assert work.matches(signature) is whole
    return whole


# --- RSA ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", vectors("rsa_signatures")["cases"], ids=lambda c: f"{c['key']}-{c['why'][:1]}")
def test_rsa_of_nist(case: dict[str, Any]) -> None:
    """Verified as given; PKCS#1 v1.5, which has no random part, signed again to the same bytes."""
    numbers = vectors("rsa_signatures")["keys"][case["key"]]
    public = TransparentRSAPublicKey(modulus=number(numbers["n"]), public_exponent=number(numbers["e"]))
    given = parameters(
        padding_method=P[case["padding_method"]],
        hashing_algorithm=H[case["hashing_algorithm"]],
        salt_length=case["salt_length"],
    )
    key = encoded(public, F.TRANSPARENT_RSA_PUBLIC_KEY, private=False)
    assert verify(*key, h(case["data"]), h(case["signature"]), given) is case["valid"]
    assert verify(*key, h(case["data"]), h(case["signature"])[:-1], given) is False
    if case["padding_method"] == "PKCS1_V1_5" and case["valid"]:
        private = TransparentRSAPrivateKey(
            modulus=number(numbers["n"]),
            public_exponent=number(numbers["e"]),
            private_exponent=number(numbers["d"]),
        )
        key = encoded(private, F.TRANSPARENT_RSA_PRIVATE_KEY, private=True)
        made = sign(*key, h(case["data"]), given, weak_allowed=True)
        assert made == h(case["signature"])


def test_the_pss_signature_of_the_profiles() -> None:
    """CS-AC-M-2: with neither salt nor mask said, a salt of 222 bytes masked by SHA-256 is Valid."""
    case = vectors("kmip_pss")
    key, data, signature = (h(case[each]) for each in ("key", "data", "signature"))
    assert verify(key, F.PKCS_1, data, signature, PSS)
    assert not verify(key, F.PKCS_1, data + b"x", signature, PSS)
    said = parameters(padding_method=P.PSS, hashing_algorithm=H.SHA_256, salt_length=222)
    assert verify(key, F.PKCS_1, data, signature, said)
    other = parameters(padding_method=P.PSS, hashing_algorithm=H.SHA_256, salt_length=32)
    assert not verify(key, F.PKCS_1, data, signature, other)


PSS_HASHES = [each for each in hashing.HASHES if each != H.MD5]


@pytest.mark.parametrize(("hashing_algorithm", "mask"), list(itertools.product(PSS_HASHES, PSS_HASHES)))
def test_pss_with_every_pair_of_hashes(hashing_algorithm: H, mask: H) -> None:
    given = parameters(
        padding_method=P.PSS, hashing_algorithm=hashing_algorithm, mask_generator_hashing_algorithm=mask
    )
    signature = signatures.sign(RSA[0], F.PKCS_8, b"contract", given, weak_allowed=True)
    assert signatures.verify(RSA[1], F.X_509, b"contract", signature, given)
    digest = hashing.digest(hashing_algorithm, b"contract")
    assert signatures.verify(RSA[1], F.X_509, digest, signature, given, digested=True)
    # What the mask is made with is part of the signature.
    other = next(each for each in PSS_HASHES if each != mask)
    given = parameters(
        padding_method=P.PSS, hashing_algorithm=hashing_algorithm, mask_generator_hashing_algorithm=other
    )
    assert not signatures.verify(RSA[1], F.X_509, b"contract", signature, given)


@pytest.mark.parametrize(("salt", "fits"), [(0, True), (32, True), (222, True), (223, False), (-1, False)])
def test_salts_up_to_the_longest(salt: int, fits: bool) -> None:
    given = parameters(padding_method=P.PSS, hashing_algorithm=H.SHA_256, salt_length=salt)
    if not fits:
        with pytest.raises(BadCryptographicParameters, match="from 0 to 222"):
            signatures.sign(RSA[0], F.PKCS_8, b"x", given)
        with pytest.raises(BadCryptographicParameters, match="from 0 to 222"):
            signatures.verify(RSA[1], F.X_509, b"x", bytes(256), given)
        return
    signature = signatures.sign(RSA[0], F.PKCS_8, b"x", given)
    assert signatures.verify(RSA[1], F.X_509, b"x", signature, given)
    assert signatures.verify(RSA[1], F.X_509, b"x", signature, PSS)


def test_the_salt_is_as_long_as_the_digest_where_none_is_said() -> None:
    signature = signatures.sign(RSA[0], F.PKCS_8, b"x", PSS)
    said = parameters(padding_method=P.PSS, hashing_algorithm=H.SHA_256, salt_length=32)
    assert signatures.verify(RSA[1], F.X_509, b"x", signature, said)


def test_a_mask_of_the_standards_default_verifies_where_none_is_said() -> None:
    given = parameters(
        padding_method=P.PSS, hashing_algorithm=H.SHA_256, mask_generator_hashing_algorithm=H.SHA_1, salt_length=20
    )
    signature = signatures.sign(RSA[0], F.PKCS_8, b"x", given)
    assert signatures.verify(RSA[1], F.X_509, b"x", signature, PSS)


# --- curves -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", vectors("ecdsa")["cases"], ids=lambda c: f"{c['curve']}-{c['why'][:1]}")
def test_ecdsa_of_nist(case: dict[str, Any]) -> None:
    public = TransparentECPublicKey(recommended_curve=C[case["curve"]], q_string=h(case["point"]))
    given = parameters(hashing_algorithm=H[case["hashing_algorithm"]])
    signature = encode_dss_signature(number(case["r"]), number(case["s"]))
    try:
        key = encoded(public, F.TRANSPARENT_EC_PUBLIC_KEY, private=False)
    except InvalidField:
        # "Q changed" may leave the curve.
        assert not case["valid"]
        return
    assert verify(*key, h(case["data"]), signature, given) is case["valid"]


@pytest.mark.parametrize(
    "case", vectors("rfc6979")["cases"], ids=lambda c: f"{c['curve']}-{c['hashing_algorithm']}"
)
def test_ecdsa_of_rfc_6979(case: dict[str, Any]) -> None:
    """The private number has the point of the RFC, whose signatures verify; so does one made here."""
    curve, given = C[case["curve"]], parameters(hashing_algorithm=H[case["hashing_algorithm"]])
    private = TransparentECPrivateKey(recommended_curve=curve, d=number(case["d"]))
    key = encoded(private, F.TRANSPARENT_ECDSA_PRIVATE_KEY, private=True)
    loaded = formats.load_private(*key)
    assert formats.public_bytes(loaded.public_key(), F.RAW) == h(case["point"])
    public = formats.public_bytes(loaded.public_key(), F.X_509)
    assert verify(public, F.X_509, h(case["data"]), h(case["signature"]), given)
    made = signatures.sign(*key, h(case["data"]), given, weak_allowed=True)
    assert verify(public, F.X_509, h(case["data"]), made, given)


@pytest.mark.parametrize("curve", list(formats.CURVES))
@pytest.mark.parametrize("hashing_algorithm", [H.SHA_224, H.SHA_256, H.SHA_512, H.SHA3_384])
def test_ecdsa_on_every_curve(curve: C, hashing_algorithm: H) -> None:
    private, public = pair(A.ECDSA, None, curve)
    given = parameters(hashing_algorithm=hashing_algorithm, cryptographic_algorithm=A.ECDSA)
    digest = hashing.digest(hashing_algorithm, b"contract")
    made = signatures.sign(private, F.PKCS_8, digest, given, digested=True, weak_allowed=True)
    assert signatures.verify(public, F.X_509, b"contract", made, given)
    assert not signatures.verify(public, F.X_509, b"another", made, given)


@pytest.mark.parametrize("case", vectors("eddsa")["cases"], ids=lambda c: f"{c['algorithm']}-{len(c['data']) // 2}")
def test_eddsa_of_rfc_8032(case: dict[str, Any]) -> None:
    algorithm = A[case["algorithm"]]
    private = conversion.load(h(case["private"]), F.RAW, private=True, algorithm=algorithm)
    public = conversion.load(h(case["public"]), F.RAW, private=False, algorithm=algorithm)
    key, its_public = conversion.write(private, F.PKCS_8), conversion.write(public, F.X_509)
    assert isinstance(key, bytes)
    assert isinstance(its_public, bytes)
    assert sign(key, F.PKCS_8, h(case["data"]), parameters()) == h(case["signature"])
    assert verify(its_public, F.X_509, h(case["data"]), h(case["signature"]), parameters())
    assert not verify(its_public, F.X_509, h(case["data"]) + b"x", h(case["signature"]), parameters())


# --- DSA ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", vectors("dsa")["cases"], ids=lambda c: f"{len(c['p']) * 4}-{c['why'][:1]}")
def test_dsa_of_nist(case: dict[str, Any]) -> None:
    p, q, g = (number(case[each]) for each in "pqg")
    public = TransparentDSAPublicKey(p=p, q=q, g=g, y=number(case["y"]))
    given = parameters(hashing_algorithm=H[case["hashing_algorithm"]])
    key = encoded(public, F.TRANSPARENT_DSA_PUBLIC_KEY, private=False)
    signature = encode_dss_signature(number(case["r"]), number(case["s"]))
    assert verify(*key, h(case["data"]), signature, given) is case["valid"]
    if case["valid"]:
        private = TransparentDSAPrivateKey(p=p, q=q, g=g, x=number(case["x"]))
        made = encoded(private, F.TRANSPARENT_DSA_PRIVATE_KEY, private=True)
        with pytest.raises(UnsupportedCryptographicParameters, match="weak"):
            signatures.sign(*made, b"new", parameters(hashing_algorithm=H.SHA_256))
        again = signatures.sign(*made, b"new", given, weak_allowed=True)
        assert verify(*key, b"new", again, given)


# --- Digital Signature Algorithms and what is refused -------------------------------------------

_KEYS = {
    A.RSA: RSA,
    A.ECDSA: pair(A.EC, 256),
    A.DSA: pair(A.DSA, 1024),
    A.ED25519: pair(A.ED25519),
    A.ED448: pair(A.ED448),
}


@pytest.mark.parametrize("named", list(D))
@pytest.mark.parametrize("family", list(_KEYS))
def test_every_digital_signature_algorithm_with_every_kind_of_key(named: D, family: A) -> None:
    private, public = _KEYS[family]
    row = signatures.DIGITAL_SIGNATURE_ALGORITHMS.get(named)
    given = parameters(digital_signature_algorithm=named, hashing_algorithm=H.SHA_256)
    if row is None or row.family != family:
        error = UnsupportedCryptographicParameters if row is None else BadCryptographicParameters
        with pytest.raises(error, match="MD2|does not sign"):
            signatures.sign(private, F.PKCS_8, b"x", given, weak_allowed=True)
        return
    made = signatures.sign(private, F.PKCS_8, b"x", given, weak_allowed=True)
    assert signatures.verify(public, F.X_509, b"x", made, given)
    # The same by its parts.
    parts = parameters(padding_method=row.padding_method, hashing_algorithm=row.hashing_algorithm or H.SHA_256)
    assert signatures.verify(public, F.X_509, b"x", made, parts)


REFUSED: list[tuple[A, dict[str, Any], type[Exception]]] = [
    (A.RSA, {"padding_method": P.PSS}, BadCryptographicParameters),
    (A.RSA, {"hashing_algorithm": H.SHA_256}, BadCryptographicParameters),
    (A.RSA, {"hashing_algorithm": H.SHA_256, "padding_method": P.OAEP}, BadCryptographicParameters),
    (A.RSA, {"hashing_algorithm": H.SHA_256, "padding_method": P.X9_31}, BadCryptographicParameters),
    (A.RSA, {"hashing_algorithm": H.SHA_1, "padding_method": P.PSS}, UnsupportedCryptographicParameters),
    (A.RSA, {"hashing_algorithm": H.MD5, "padding_method": P.PKCS1_V1_5}, UnsupportedCryptographicParameters),
    (A.RSA, {"hashing_algorithm": H.TIGER, "padding_method": P.PSS}, UnsupportedCryptographicParameters),
    (
        A.RSA,
        {"hashing_algorithm": H.SHA_256, "padding_method": P.PSS, "trailer_field": 2},
        UnsupportedCryptographicParameters,
    ),
    (
        A.RSA,
        {"hashing_algorithm": H.SHA_256, "padding_method": P.PSS, "cryptographic_algorithm": A.ECDSA},
        BadCryptographicParameters,
    ),
    (A.ECDSA, {}, BadCryptographicParameters),
    (A.ECDSA, {"hashing_algorithm": H.SHA_256, "cryptographic_algorithm": A.RSA}, BadCryptographicParameters),
    (A.ED25519, {"hashing_algorithm": H.SHA_512}, BadCryptographicParameters),
    (A.ED448, {"cryptographic_algorithm": A.ED25519}, BadCryptographicParameters),
]


@pytest.mark.parametrize(("family", "given", "error"), REFUSED)
def test_parameters_that_make_no_signature(family: A, given: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        signatures.sign(_KEYS[family][0], F.PKCS_8, b"x", parameters(**given))


def test_a_trailer_field_of_one_is_the_standard_one() -> None:
    given = parameters(padding_method=P.PSS, hashing_algorithm=H.SHA_256, trailer_field=1)
    assert signatures.verify(RSA[1], F.X_509, b"x", signatures.sign(RSA[0], F.PKCS_8, b"x", given), PSS)


def test_digested_data_has_the_length_of_a_digest_and_is_not_for_eddsa() -> None:
    with pytest.raises(BadCryptographicParameters, match="32 bytes"):
        signatures.sign(RSA[0], F.PKCS_8, b"short", PSS, digested=True)
    private, public = _KEYS[A.ED25519]
    with pytest.raises(UnsupportedCryptographicParameters):
        signatures.sign(private, F.PKCS_8, bytes(64), parameters(), digested=True)
    with pytest.raises(UnsupportedCryptographicParameters):
        signatures.verify(public, F.X_509, bytes(64), bytes(64), parameters(), digested=True)


@pytest.mark.parametrize("curve", [C.CURVE25519, C.CURVE448])
def test_keys_of_agreement_do_not_sign(curve: C) -> None:
    private, public = pair(A.ECDH, None, curve)
    with pytest.raises(InvalidObjectType):
        signatures.sign(private, F.PKCS_8, b"x", parameters())
    with pytest.raises(InvalidObjectType):
        signatures.verify(public, F.X_509, b"x", bytes(64), parameters())


@pytest.mark.parametrize(("algorithm", "length", "curve"), [(A.RSA, 1024, None), (A.ECDSA, None, C.P_192)])
def test_short_keys_make_no_new_signature_but_verify(algorithm: A, length: int | None, curve: C | None) -> None:
    private, public = pair(algorithm, length, curve)
    given = PSS if algorithm == A.RSA else parameters(hashing_algorithm=H.SHA_256)
    with pytest.raises(UnsupportedCryptographicParameters, match="protocol.weak_algorithms"):
        signatures.sign(private, F.PKCS_8, b"x", given)
    made = signatures.sign(private, F.PKCS_8, b"x", given, weak_allowed=True)
    assert signatures.verify(public, F.X_509, b"x", made, given)


@pytest.mark.parametrize("family", list(_KEYS))
@pytest.mark.parametrize("signature", [b"", b"\x30\x00", bytes(64), bytes(256), b"\xff" * 512])
def test_whatever_a_peer_sends_as_a_signature_is_valid_or_not(family: A, signature: bytes) -> None:
    given = {A.RSA: PSS, A.ED25519: parameters(), A.ED448: parameters()}.get(
        family, parameters(hashing_algorithm=H.SHA_256)
    )
    assert signatures.verify(_KEYS[family][1], F.X_509, b"x", signature, given) is False
