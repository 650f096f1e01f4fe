"""Known answers: each file of `vectors/` says whence its values are and what else computed them.

Each cipher vector is played in both directions, at once and in parts of every small size; each MAC and digest also
in parts.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from kmip_server.crypto import hashing, mac, symmetric
from kmip_server.crypto.ciphers import CIPHERS
from kmip_server.crypto.hashing import BY_HASHLIB, HASHES
from kmip_server.errors import CryptographicFailure
from kmip_server.protocol.enums import BlockCipherMode, CryptographicAlgorithm, HashingAlgorithm
from kmip_server.protocol.enums import CryptographicAlgorithm as A

VECTORS = Path(__file__).parent / "vectors"
SIZES = (1, 7, 8, 16, 33)
BY_TITLE = {a.title: a for a in CryptographicAlgorithm}
MODES = {mode.title: mode for mode in BlockCipherMode}
HASHES_BY_TITLE = {h.title: h for h in HashingAlgorithm}


def vectors(result: str) -> list[Any]:
    found = []
    for path in sorted(VECTORS.glob("*.toml")):
        for vector in tomllib.loads(path.read_text(encoding="utf-8"))["vector"]:
            if result in vector:
                found.append(pytest.param(vector, id=f"{path.stem}: {vector['name']}"))
    return found


def parts(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def how_of(vector: dict[str, Any]) -> symmetric.How:
    return symmetric.How(
        mode=MODES[vector["mode"]] if "mode" in vector else None,
        iv=bytes.fromhex(vector["iv"]) if "iv" in vector else None,
        aad=bytes.fromhex(vector.get("aad", "")),
        tag_length=len(vector["tag"]) // 2 if "tag" in vector else None,
        initial_counter_value=vector.get("initial_counter_value"),
    )


def test_every_file_says_its_origin_and_who_else_computed_it() -> None:
    for path in VECTORS.glob("*.toml"):
        read = tomllib.loads(path.read_text(encoding="utf-8"))
        assert read["origin"], path
        assert read["confirmed"], path


@pytest.mark.parametrize("vector", vectors("cipher"))
def test_ciphers(vector: dict[str, Any]) -> None:
    algorithm, key, how = BY_TITLE[vector["algorithm"]], bytes.fromhex(vector["key"]), how_of(vector)
    plain, cipher = bytes.fromhex(vector["plain"]), bytes.fromhex(vector["cipher"])
    tag = bytes.fromhex(vector["tag"]) if "tag" in vector else None
    for size in (max(len(plain), 1), *SIZES):
        encryption = symmetric.encryption(algorithm, key, how, weak_allowed=True)
        data = b"".join(encryption.update(part) for part in parts(plain, size))
        last = encryption.finalize()
        assert (data + last.data, last.tag) == (cipher, tag)
        decryption = symmetric.decryption(algorithm, key, how)
        data = b"".join(decryption.update(part) for part in parts(cipher, size))
        assert data + decryption.finalize(tag) == plain


@pytest.mark.parametrize("vector", [each for each in vectors("cipher") if "tag" in each.values[0]])
def test_nothing_is_told_of_what_is_not_authentic(vector: dict[str, Any]) -> None:
    algorithm, key, how = BY_TITLE[vector["algorithm"]], bytes.fromhex(vector["key"]), how_of(vector)
    tag = bytes.fromhex(vector["tag"])
    decryption = symmetric.decryption(algorithm, key, how)
    assert decryption.update(bytes.fromhex(vector["cipher"])) == b""
    with pytest.raises(CryptographicFailure):
        decryption.finalize(bytes([tag[0] ^ 1]) + tag[1:])


@pytest.mark.parametrize("vector", vectors("mac"))
def test_macs(vector: dict[str, Any]) -> None:
    algorithm = BY_TITLE[vector["algorithm"]] if "algorithm" in vector else None
    kind = algorithm or mac.hmac_of(HASHES_BY_TITLE[vector["hash"]])
    key, data, expected = (bytes.fromhex(vector[name]) for name in ("key", "data", "mac"))
    assert mac.mac(kind, key, data) == expected
    assert mac.mac_verify(kind, key, data, expected)
    assert not mac.mac_verify(kind, key, data + b"\0", expected)
    for size in SIZES:
        context = mac.begin(kind, key)
        for part in parts(data, size):
            context.update(part)
        assert context.finalize() == expected


@pytest.mark.parametrize("vector", vectors("digest"))
def test_hashes(vector: dict[str, Any]) -> None:
    algorithm, data = HASHES_BY_TITLE[vector["hash"]], bytes.fromhex(vector["data"])
    assert hashing.digest(algorithm, data).hex() == vector["digest"]


def test_no_cipher_and_no_hash_is_without_a_vector() -> None:
    assert {BY_TITLE[each.values[0]["algorithm"]] for each in vectors("cipher")} == set(CIPHERS)
    assert {HASHES_BY_TITLE[each.values[0]["hash"]] for each in vectors("digest")} == set(HASHES) | set(BY_HASHLIB)
    modes = {MODES[each.values[0]["mode"]] for each in vectors("cipher") if "mode" in each.values[0]}
    assert modes == {mode for row in CIPHERS.values() for mode in row.modes if mode is not None}


def test_no_mac_is_without_a_vector() -> None:
    given = [each.values[0] for each in vectors("mac")]
    named = {BY_TITLE[each["algorithm"]] for each in given if "algorithm" in each}
    assert set(mac.HMACS) <= named
    # Both kinds of 3DES key stand for all block ciphers that are no AES: their own vectors are in other_ciphers.toml.
    assert {A.AES, A.TRIPLE_DES} <= named
    keys = {len(each["key"]) // 2 for each in given if each.get("algorithm") == A.TRIPLE_DES.title}
    assert keys == {16, 24}
