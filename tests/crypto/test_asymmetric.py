"""Key pairs that are made and are not, and RSA encryption: known answers, every pair of hashes, what is refused."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kmip_server.crypto import asymmetric, formats
from kmip_server.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidAttributeValue,
    InvalidObjectType,
    UnsupportedCryptographicParameters,
)
from kmip_server.protocol.attribute_values import CryptographicParameters
from kmip_server.protocol.enums import CryptographicAlgorithm as A
from kmip_server.protocol.enums import HashingAlgorithm as H
from kmip_server.protocol.enums import KeyFormatType as F
from kmip_server.protocol.enums import PaddingMethod as P
from kmip_server.protocol.enums import RecommendedCurve as C
from kmip_server.protocol.transparent import (
    TransparentRSAPrivateKey,
)
from tests.crypto.asymmetric_vectors import encoded, number, vectors

h = bytes.fromhex


def oaep(**given: Any) -> CryptographicParameters:
    return CryptographicParameters(padding_method=P.OAEP, **given)


@pytest.fixture(scope="module")
def rsa() -> tuple[bytes, bytes]:
    made = asymmetric.generate(A.RSA, 2048, weak_allowed=False)
    return formats.private_bytes(made.private, F.PKCS_1), formats.public_bytes(made.public, F.PKCS_1)


# --- pairs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "length", "curve", "made"),
    [
        (A.RSA, 3072, None, (A.RSA, 3072, None)),
        (A.EC, None, None, (A.EC, 256, C.P_256)),
        (A.ECDSA, 521, None, (A.EC, 521, C.P_521)),
        (A.ECDH, 384, C.BRAINPOOLP384R1, (A.EC, 384, C.BRAINPOOLP384R1)),
        (A.EC, None, C.SECP256K1, (A.EC, 256, C.SECP256K1)),
        (A.ED25519, None, None, (A.ED25519, 256, C.CURVE25519)),
        (A.ED448, 456, C.CURVE448, (A.ED448, 456, C.CURVE448)),
        (A.ECDH, None, C.CURVE25519, (A.ECDH, 256, C.CURVE25519)),
        (A.EC, 448, C.CURVE448, (A.ECDH, 448, C.CURVE448)),
    ],
)
def test_pairs_that_are_made(algorithm: A, length: int | None, curve: C | None, made: tuple[Any, ...]) -> None:
    pair = asymmetric.generate(algorithm, length, curve, weak_allowed=False)
    read = pair.description
    assert (read.algorithm, read.length, read.curve) == made
    assert formats.describe(pair.public) == read
    assert "private" not in repr(pair)


@pytest.mark.parametrize(
    ("algorithm", "length", "curve", "error"),
    [
        (A.RSA, 1024, None, UnsupportedCryptographicParameters),
        (A.RSA, 1000, None, InvalidAttributeValue),
        (A.EC, 333, None, UnsupportedCryptographicParameters),
        (A.EC, 384, C.P_256, InvalidAttributeValue),
        (A.EC, None, C.P_192, UnsupportedCryptographicParameters),
        (A.EC, None, C.K_163, UnsupportedCryptographicParameters),
        (A.ECDSA, None, C.CURVE25519, UnsupportedCryptographicParameters),
        (A.ED25519, None, C.CURVE448, InvalidAttributeValue),
        (A.ED25519, 128, None, InvalidAttributeValue),
        (A.DSA, 2048, None, UnsupportedCryptographicParameters),
        (A.DSA, 512, None, InvalidAttributeValue),
        (A.DH, 2048, None, UnsupportedCryptographicParameters),
        (A.AES, 256, None, UnsupportedCryptographicParameters),
    ],
)
def test_pairs_that_are_not_made(algorithm: A, length: int, curve: C | None, error: type[Exception]) -> None:
    with pytest.raises(error):
        asymmetric.generate(algorithm, length, curve, weak_allowed=False)


def test_weak_pairs_are_made_where_they_are_switched_on() -> None:
    assert asymmetric.generate(A.RSA, 1024, weak_allowed=True).description.length == 1024
    assert asymmetric.generate(A.EC, None, C.P_192, weak_allowed=True).description.length == 192
    pair = asymmetric.generate(A.DSA, 1024, None, 160, weak_allowed=True)
    assert pair.description.qlength == 160
    with pytest.raises(InvalidAttributeValue):
        asymmetric.generate(A.DSA, 1024, None, 256, weak_allowed=True)


# --- RSA encryption -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", vectors("rsa_oaep")["cases"], ids=lambda c: c["key"])
def test_oaep_of_pkcs_1(case: dict[str, Any]) -> None:
    numbers = vectors("rsa_oaep")["keys"][case["key"]]
    private = TransparentRSAPrivateKey(
        modulus=number(numbers["n"]),
        public_exponent=number(numbers["e"]),
        p=number(numbers["p"]),
        q=number(numbers["q"]),
    )
    key = encoded(private, F.TRANSPARENT_RSA_PRIVATE_KEY, private=True)
    # The standard's own defaults: SHA-1 for both (KMIP 1.4 §3.6).
    assert asymmetric.decrypt(*key, h(case["ciphertext"]), oaep()) == h(case["plaintext"])


@pytest.mark.parametrize("case", vectors("rsa_oaep")["kmip_cases"], ids=lambda c: c["case"])
def test_oaep_of_the_profiles(case: dict[str, Any]) -> None:
    given = oaep(
        hashing_algorithm=H[case["hashing_algorithm"]],
        mask_generator_hashing_algorithm=H[case["mask_generator_hashing_algorithm"]],
        p_source=h(case["p_source"]) if case["p_source"] else None,
    )
    key = h(case["key"])
    assert asymmetric.decrypt(key, F.PKCS_1, h(case["ciphertext"]), given) == h(case["plaintext"])
    other = oaep(
        hashing_algorithm=given.hashing_algorithm,
        mask_generator_hashing_algorithm=given.mask_generator_hashing_algorithm,
        p_source=b"another label",
    )
    with pytest.raises(CryptographicFailure):
        asymmetric.decrypt(key, F.PKCS_1, h(case["ciphertext"]), other)


OAEP_HASHES = [H.SHA_1, H.SHA_224, H.SHA_256, H.SHA_384, H.SHA_512]


@pytest.mark.parametrize(("hashing", "mask"), list(itertools.product(OAEP_HASHES, OAEP_HASHES)))
def test_oaep_with_every_pair_of_hashes(rsa: tuple[bytes, bytes], hashing: H, mask: H) -> None:
    given = oaep(hashing_algorithm=hashing, mask_generator_hashing_algorithm=mask, p_source=b"label")
    done = asymmetric.encrypt(rsa[1], F.PKCS_1, b"secret", given)
    assert asymmetric.decrypt(rsa[0], F.PKCS_1, done, given) == b"secret"


@pytest.mark.parametrize("mask", [H.SHA_256, H.SHA_1])
def test_what_either_default_of_the_mask_made_is_decrypted(rsa: tuple[bytes, bytes], mask: H) -> None:
    said = oaep(hashing_algorithm=H.SHA_256, mask_generator_hashing_algorithm=mask)
    done = asymmetric.encrypt(rsa[1], F.PKCS_1, b"secret", said)
    assert asymmetric.decrypt(rsa[0], F.PKCS_1, done, oaep(hashing_algorithm=H.SHA_256)) == b"secret"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
def test_the_openssl_command_decrypts_what_is_encrypted_here(rsa: tuple[bytes, bytes], tmp_path: Path) -> None:
    """A second implementation: the mask of the Hashing Algorithm, and a label."""
    given = oaep(hashing_algorithm=H.SHA_384, p_source=b"label")
    (tmp_path / "key").write_bytes(rsa[0])
    (tmp_path / "data").write_bytes(asymmetric.encrypt(rsa[1], F.PKCS_1, b"secret", given))
    options = (
        "rsa_padding_mode:oaep",
        "rsa_oaep_md:sha384",
        "rsa_mgf1_md:sha384",
        f"rsa_oaep_label:{b'label'.hex()}",
    )
    command = ["openssl", "pkeyutl", "-decrypt", "-inkey", "key", "-keyform", "DER", "-in", "data"]
    for option in options:
        command += ["-pkeyopt", option]
    assert subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout == b"secret"


def test_pkcs_1_v1_5_encrypts_too(rsa: tuple[bytes, bytes]) -> None:
    given = CryptographicParameters(padding_method=P.PKCS1_V1_5, cryptographic_algorithm=A.RSA)
    done = asymmetric.encrypt(rsa[1], F.PKCS_1, b"secret", given)
    assert asymmetric.decrypt(rsa[0], F.PKCS_1, done, given) == b"secret"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (CryptographicParameters(), BadCryptographicParameters),
        (oaep(cryptographic_algorithm=A.AES), BadCryptographicParameters),
        (oaep(hashing_algorithm=H.SHA3_256), UnsupportedCryptographicParameters),
        (oaep(hashing_algorithm=H.MD5), UnsupportedCryptographicParameters),
        *(
            (CryptographicParameters(padding_method=each), UnsupportedCryptographicParameters)
            for each in (P.NONE, P.SSL3, P.X9_31, P.PSS, P.PKCS5, P.ZEROS)
        ),
    ],
)
def test_parameters_that_do_not_encrypt(
    rsa: tuple[bytes, bytes], given: CryptographicParameters, error: type[Exception]
) -> None:
    with pytest.raises(error):
        asymmetric.encrypt(rsa[1], F.PKCS_1, b"x", given)
    with pytest.raises(error):
        asymmetric.decrypt(rsa[0], F.PKCS_1, bytes(256), given)


def test_the_longest_data_and_one_byte_more(rsa: tuple[bytes, bytes]) -> None:
    given = oaep(hashing_algorithm=H.SHA_256)
    longest = 256 - 2 * 32 - 2
    asymmetric.encrypt(rsa[1], F.PKCS_1, bytes(longest), given)
    with pytest.raises(CryptographicFailure, match="too long"):
        asymmetric.encrypt(rsa[1], F.PKCS_1, bytes(longest + 1), given)


@pytest.mark.parametrize("data", [b"", b"short", bytes(256), b"\xff" * 256, bytes(300)])
def test_whatever_is_wrong_with_a_ciphertext_is_told_alike(rsa: tuple[bytes, bytes], data: bytes) -> None:
    with pytest.raises(CryptographicFailure) as failed:
        asymmetric.decrypt(rsa[0], F.PKCS_1, data, oaep(hashing_algorithm=H.SHA_256))
    assert failed.value.message == "the data does not decrypt with this key and these parameters"


def test_other_keys_do_not_encrypt() -> None:
    pair = asymmetric.generate(A.EC, 256, weak_allowed=False)
    with pytest.raises(InvalidObjectType):
        asymmetric.encrypt(formats.public_bytes(pair.public, F.X_509), F.X_509, b"x", oaep())
    with pytest.raises(InvalidObjectType):
        asymmetric.decrypt(formats.private_bytes(pair.private, F.PKCS_8), F.PKCS_8, b"x", oaep())


def test_short_keys_encrypt_nothing_new() -> None:
    pair = asymmetric.generate(A.RSA, 1024, weak_allowed=True)
    private, public = formats.private_bytes(pair.private, F.PKCS_8), formats.public_bytes(pair.public, F.X_509)
    with pytest.raises(UnsupportedCryptographicParameters, match="protocol.weak_algorithms"):
        asymmetric.encrypt(public, F.X_509, b"x", oaep())
    done = asymmetric.encrypt(public, F.X_509, b"x", oaep(), weak_allowed=True)
    assert asymmetric.decrypt(private, F.PKCS_8, done, oaep()) == b"x"
