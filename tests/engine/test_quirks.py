"""Quirks: on for one client, off for all others, and no permission is changed by one."""

from __future__ import annotations

import pytest

from kmip_server.engine.quirks import IV_BEFORE_CIPHERTEXT, NAMES_NOT_UNIQUE, QUIRKS
from kmip_server.principal import Principal
from kmip_server.protocol.enums import (
    BlockCipherMode,
    CryptographicUsageMask,
    Operation,
    PaddingMethod,
    ResultReason,
)
from kmip_server.protocol.payloads.cryptographic import DecryptRequest, EncryptRequest
from kmip_server.protocol.payloads.lifecycle import ActivateRequest
from kmip_server.protocol.versions import V1_2, V2_1
from tests.support.engine import Engine, Refused
from tests.support.requests import create, name, parameters

CBC = parameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5)
IV = bytes(range(16))


def switch_on(engine: Engine, quirk: str) -> None:
    """For the principal "one"."""
    one = engine.principals["one"]
    engine.principals["one"] = Principal(
        name=one.name, domain=one.domain, roles=one.roles, groups=one.groups, quirks=(quirk,)
    )


def encrypted(engine: Engine, principal: str) -> tuple[str, bytes]:
    mask = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT
    uid = engine.call(Operation.CREATE, create(mask=mask), version=V1_2, principal=principal).unique_identifier
    engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid), version=V1_2, principal=principal)
    request = EncryptRequest(
        unique_identifier=uid, data=b"a secret of some length", iv_counter_nonce=IV, cryptographic_parameters=CBC
    )
    return uid, engine.call(Operation.ENCRYPT, request, version=V1_2, principal=principal).data


def decrypt(engine: Engine, uid: str, data: bytes, principal: str, iv: bytes | None = None) -> bytes:
    request = DecryptRequest(unique_identifier=uid, data=data, iv_counter_nonce=iv, cryptographic_parameters=CBC)
    found: bytes = engine.call(Operation.DECRYPT, request, version=V1_2, principal=principal).data
    return found


def test_the_iv_before_the_ciphertext(engine: Engine) -> None:
    switch_on(engine, IV_BEFORE_CIPHERTEXT)
    uid, data = encrypted(engine, "one")
    assert decrypt(engine, uid, IV + data, "one") == b"a secret of some length"
    assert decrypt(engine, uid, data, "one", IV) == b"a secret of some length"
    with pytest.raises(Refused):
        decrypt(engine, uid, IV, "one")


def test_the_iv_before_the_ciphertext_is_nobody_elses(engine: Engine) -> None:
    switch_on(engine, IV_BEFORE_CIPHERTEXT)
    uid, data = encrypted(engine, "two")
    with pytest.raises(Refused) as refused:
        decrypt(engine, uid, IV + data, "two")
    assert "IV/Counter/Nonce" in refused.value.message
    # Nor does it open what is another's.
    with pytest.raises(Refused) as refused:
        decrypt(engine, uid, IV + data, "one")
    assert refused.value.reason == ResultReason.ITEM_NOT_FOUND


def test_names_that_are_not_unique(engine: Engine) -> None:
    switch_on(engine, NAMES_NOT_UNIQUE)
    made = {engine.call(Operation.CREATE, create(name("twice")), version=V2_1).unique_identifier for _ in range(2)}
    assert len(made) == 2
    engine.call(Operation.CREATE, create(name("twice")), version=V2_1, principal="two")
    with pytest.raises(Refused) as refused:
        engine.call(Operation.CREATE, create(name("twice")), version=V2_1, principal="two")
    assert refused.value.reason == ResultReason.NON_UNIQUE_NAME_ATTRIBUTE


def test_each_says_what_it_is_for() -> None:
    for quirk in QUIRKS.values():
        assert quirk.changes
        assert quirk.client
        assert quirk.evidence.split(":")[0] in ("run", "trace", "source", "doc")
