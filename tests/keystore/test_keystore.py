"""Both keystores keep the same contract, alone and with eight threads; both refuse what was changed."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

import pytest

from kmip_server.errors import SealBroken, SettingsError
from kmip_server.keystore.guard import GuardedKeyStore, new_sealing_key
from kmip_server.keystore.holder import Holder
from kmip_server.keystore.pkcs11 import TokenHolder
from kmip_server.protocol.enums import ObjectType
from tests.keystore.conftest import StartKeyStore

KEY = ObjectType.SYMMETRIC_KEY
SECRET = b"thirty-two bytes of key material"


@pytest.fixture
def keystore(holder: Holder, start_keystore: StartKeyStore) -> GuardedKeyStore:
    return start_keystore(holder)


def test_what_is_sealed_opens(keystore: GuardedKeyStore) -> None:
    sealed = keystore.seal(SECRET, unique_identifier="one", object_type=KEY, generation=1)
    assert sealed.sealing_key_version == 2
    assert keystore.open(sealed, unique_identifier="one", object_type=KEY) == SECRET


def test_what_is_sealed_opens_after_a_restart(holder: Holder) -> None:
    records = [new_sealing_key(holder, 1, 0)]
    opened = []
    for _ in range(2):
        keystore = GuardedKeyStore(holder, records)
        keystore.start()
        if not opened:
            sealed = keystore.seal(SECRET, unique_identifier="one", object_type=KEY, generation=1)
        opened.append(keystore.open(sealed, unique_identifier="one", object_type=KEY))
        keystore.stop()
    assert opened == [SECRET, SECRET]


def test_a_broken_seal_is_an_alarm(keystore: GuardedKeyStore, caplog: pytest.LogCaptureFixture) -> None:
    sealed = keystore.seal(SECRET, unique_identifier="one", object_type=KEY, generation=1)
    with pytest.raises(SealBroken) as refused:
        keystore.open(sealed, unique_identifier="another", object_type=KEY)
    assert refused.value.message == "a sealed value does not open"
    (record,) = [each for each in caplog.records if each.levelno == logging.CRITICAL]
    assert "object another" in record.getMessage()


def test_random_is_never_the_same(keystore: GuardedKeyStore) -> None:
    made = {keystore.random(32) for _ in range(500)}
    assert len(made) == 500
    keystore.seed(b"something")
    assert [len(keystore.random(length)) for length in (0, 1, 7, 4096)] == [0, 1, 7, 4096]


def test_two_new_sealing_keys_differ(holder: Holder) -> None:
    opened = set()
    for version in (1, 2):
        record = new_sealing_key(holder, version, 5)
        assert (record.version, record.created) == (version, 5)
        key = holder.decrypt(record.scheme, record.encrypted)
        assert len(key) == 32
        assert key not in record.encrypted
        assert repr(record.encrypted)[2:-1] not in repr(record)
        opened.add(key)
    assert len(opened) == 2


def test_a_changed_sealing_key_keeps_the_server_from_starting(holder: Holder) -> None:
    record = new_sealing_key(holder, 1, 0)
    for at in (0, 20, len(record.encrypted) - 1):
        edited = record.encrypted[:at] + bytes([record.encrypted[at] ^ 1]) + record.encrypted[at + 1 :]
        with pytest.raises(SettingsError, match="does not open"):
            GuardedKeyStore(holder, [replace(record, encrypted=edited)]).start()
    with pytest.raises(SettingsError, match="a sealing key is"):
        GuardedKeyStore(holder, [replace(record, scheme="of somebody else")]).start()
    for encrypted in (b"", record.encrypted[:-1], record.encrypted + b"\0"):
        with pytest.raises(SettingsError):
            GuardedKeyStore(holder, [replace(record, encrypted=encrypted)]).start()
    with pytest.raises(SettingsError, match="no sealing key"):
        GuardedKeyStore(holder, []).start()


def test_nothing_secret_is_shown(keystore: GuardedKeyStore, holder: Holder) -> None:
    for shown in (repr(keystore), repr(holder), holder.description, keystore.description):
        assert "1234" not in shown
        assert "correct horse" not in shown


@pytest.mark.slow
def test_eight_threads_for_a_minute(token: TokenHolder, start_keystore: StartKeyStore) -> None:
    """SoftHSM crashes under threads unless it is told of them: sealing keys, random, and sealing, all at once."""
    keystore = start_keystore(token)
    end = time.monotonic() + 60
    faults: list[BaseException] = []
    done = [0] * 8

    def work(number: int) -> None:
        try:
            while time.monotonic() < end:
                identifier = f"{number}-{done[number]}"
                sealed = keystore.seal(SECRET, unique_identifier=identifier, object_type=KEY, generation=1)
                assert keystore.open(sealed, unique_identifier=identifier, object_type=KEY) == SECRET
                assert len(keystore.random(32)) == 32
                scheme, encrypted = token.encrypt(SECRET)
                assert token.decrypt(scheme, encrypted) == SECRET
                assert len(token.random(16)) == 16
                if done[number] % 100 == 99:
                    token.close()  # Sessions come and go under the others.
                done[number] += 1
        except BaseException as error:
            faults.append(error)
        finally:
            token.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert min(done) > 100
    assert keystore.is_available()
