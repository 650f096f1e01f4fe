"""A sealed value opens where it was sealed and nowhere else, and nothing shows a secret."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmip_server.engine.ports import SealedMaterial
from kmip_server.errors import SealBroken
from kmip_server.keystore.sealing import Sealer, SealingKeyRecord, bound, overwrite
from kmip_server.protocol.enums import ObjectType

KEY = ObjectType.SYMMETRIC_KEY
SECRET = b"thirty-two bytes of key material"
KEYS = {version: os.urandom(32) for version in (1, 2)}
SEALER = Sealer(KEYS, 2)


def seal(unique_identifier: str = "one") -> SealedMaterial:
    return SEALER.seal(SECRET, unique_identifier=unique_identifier, object_type=KEY, generation=1)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@given(
    value=st.binary(max_size=5000),
    unique_identifier=st.text(max_size=60),
    object_type=st.sampled_from(ObjectType),
    generation=st.integers(0, 2**32 - 1),
)
def test_what_is_sealed_opens(
    value: bytes, unique_identifier: str, object_type: ObjectType, generation: int
) -> None:
    try:
        unique_identifier.encode()
    except UnicodeEncodeError:
        return
    sealed = SEALER.seal(value, unique_identifier=unique_identifier, object_type=object_type, generation=generation)
    assert SEALER.open(sealed, unique_identifier=unique_identifier, object_type=object_type) == value


def test_an_older_sealing_key_opens_what_it_sealed() -> None:
    sealed = Sealer(KEYS, 1).seal(SECRET, unique_identifier="one", object_type=KEY, generation=1)
    assert sealed.sealing_key_version == 1
    assert SEALER.open(sealed, unique_identifier="one", object_type=KEY) == SECRET
    assert seal().sealing_key_version == 2


def test_every_value_has_a_data_key_and_nonces_of_its_own() -> None:
    one, other = seal(), seal()
    for name in ("wrapped_data_key", "nonce", "ciphertext"):
        assert getattr(one, name) != getattr(other, name)


@pytest.mark.parametrize("name", ["wrapped_data_key", "nonce", "ciphertext"])
def test_no_byte_can_be_edited(name: str) -> None:
    sealed = seal()
    data = getattr(sealed, name)
    for at in range(len(data)):
        with pytest.raises(SealBroken):
            SEALER.open(replace(sealed, **{name: flipped(data, at)}), unique_identifier="one", object_type=KEY)


@pytest.mark.parametrize("name", ["generation", "sealing_key_version", "wrapped_data_key", "nonce", "ciphertext"])
@pytest.mark.parametrize("value", [None, -1, 0, 9, 2**40, "1", b"", b"short", b"\0" * 60, bytearray(60)], ids=repr)
def test_whatever_stands_in_a_field_is_refused(name: str, value: Any) -> None:
    """SQLite keeps a value of any type in any column."""
    with pytest.raises(SealBroken) as refused:
        SEALER.open(replace(seal(), **{name: value}), unique_identifier="one", object_type=KEY)
    assert refused.value.message == "a sealed value does not open"


@pytest.mark.parametrize("name", ["wrapped_data_key", "nonce", "ciphertext"])
def test_fields_of_two_objects_cannot_be_swapped(name: str) -> None:
    sealed, other = seal(), seal()
    with pytest.raises(SealBroken):
        SEALER.open(replace(sealed, **{name: getattr(other, name)}), unique_identifier="one", object_type=KEY)


def test_nothing_opens_in_the_place_of_another() -> None:
    sealed = seal("one")
    with pytest.raises(SealBroken):
        SEALER.open(sealed, unique_identifier="two", object_type=KEY)
    with pytest.raises(SealBroken):
        SEALER.open(sealed, unique_identifier="one", object_type=ObjectType.SECRET_DATA)
    with pytest.raises(SealBroken):
        SEALER.open(replace(sealed, generation=2), unique_identifier="one", object_type=KEY)
    with pytest.raises(SealBroken):
        SEALER.open(replace(sealed, sealing_key_version=1), unique_identifier="one", object_type=KEY)
    with pytest.raises(SealBroken):
        Sealer({2: os.urandom(32)}, 2).open(sealed, unique_identifier="one", object_type=KEY)


_PLACE = st.tuples(
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.sampled_from(ObjectType),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)


@given(one=_PLACE, other=_PLACE)
def test_two_places_never_read_alike(
    one: tuple[str, ObjectType, int, int], other: tuple[str, ObjectType, int, int]
) -> None:
    assert (bound(*one) == bound(*other)) == (one == other)


def test_the_format_stays_readable() -> None:
    """Bytes by hand: what is sealed today opens in later releases."""
    expected = bytes.fromhex("0100000002000000030000000400026162")
    assert bound("ab", ObjectType.SYMMETRIC_KEY, 3, 4) == expected


def test_a_key_is_overwritten_in_place() -> None:
    key = bytes(bytearray(os.urandom(32)))
    overwrite(key)
    assert key == bytes(32)


def test_nothing_secret_is_shown() -> None:
    record = SealingKeyRecord(version=1, scheme="AES-GCM", encrypted=KEYS[1], created=0)
    for each in (seal(), SEALER, record):
        assert repr(KEYS[1])[2:-1] not in repr(each)
        assert repr(SECRET)[2:-1] not in repr(each)
        assert "ciphertext" not in repr(each)
