"""An HSM that fails, hangs, goes away and comes back: nothing is served beyond the grace, and nobody waits."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
import weakref

import pytest

from kmip_server.errors import KeyStoreUnavailable, SettingsError
from kmip_server.keystore.guard import GuardedKeyStore, new_sealing_key
from kmip_server.keystore.mixing import STOCK_BYTES
from kmip_server.keystore.pkcs11 import TokenHolder
from kmip_server.keystore.sealing import SealingKeyRecord
from kmip_server.protocol.enums import ObjectType
from tests.keystore.conftest import LABEL, StartKeyStore, wait_until_available
from tests.keystore.faults import Hanging, Replaced, failing, library

KEY = ObjectType.SYMMETRIC_KEY
SECRET = b"thirty-two bytes of key material"


def use(keystore: GuardedKeyStore) -> bytes:
    sealed = keystore.seal(SECRET, unique_identifier="one", object_type=KEY, generation=1)
    keystore.random(32)
    return keystore.open(sealed, unique_identifier="one", object_type=KEY)


class FakeHolder:
    """A holder that can be told to be away, or to wait."""

    description = "test holder"

    def __init__(self) -> None:
        self.is_away = False
        self.needs_beginning_anew = False
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Event()
        self.may_answer.set()

    def open(self) -> None:
        self.may_answer.wait(60)

    def create(self) -> None: ...

    def close(self) -> None: ...

    def begin_anew(self) -> None:
        self.needs_beginning_anew = False

    def random(self, length: int) -> bytes:
        self.asked.release()
        self.may_answer.wait(60)
        if self.is_away or self.needs_beginning_anew:
            raise KeyStoreUnavailable("told to be away")
        return os.urandom(length)

    def encrypt(self, key: bytes) -> tuple[str, bytes]:
        return "test", bytes(byte ^ 0xFF for byte in key)

    def decrypt(self, scheme: str, encrypted: bytes) -> bytes:
        return bytes(byte ^ 0xFF for byte in encrypted)


def fault(function: str, kind: str) -> Replaced:
    return Hanging(function) if kind == "hangs" else failing(function)


@pytest.mark.parametrize("kind", ["fails", "hangs"])
@pytest.mark.parametrize("function", ["C_GenerateRandom", "C_DecryptInit"])
def test_a_module_that_fails_or_hangs(
    token: TokenHolder, start_keystore: StartKeyStore, function: str, kind: str
) -> None:
    keystore = start_keystore(token)
    assert use(keystore) == SECRET
    sealed = keystore.seal(SECRET, unique_identifier="one", object_type=KEY, generation=1)
    with fault(function, kind) as broken:
        assert broken.asked.wait(30)
        assert wait_until_available(keystore, False)
        begun = time.monotonic()
        calls = (
            lambda: keystore.seal(SECRET, unique_identifier="one", object_type=KEY, generation=1),
            lambda: keystore.open(sealed, unique_identifier="one", object_type=KEY),
            lambda: keystore.random(32),
        )
        for call in calls:
            with pytest.raises(KeyStoreUnavailable, match="the HSM is away"):
                call()
        # Nobody waited for the module, which hangs for as long as this block lasts.
        assert time.monotonic() - begun < 10
    assert wait_until_available(keystore, True)
    assert keystore.open(sealed, unique_identifier="one", object_type=KEY) == SECRET
    assert use(keystore) == SECRET


def test_a_module_that_dies_at_encrypting_makes_no_sealing_key(token: TokenHolder) -> None:
    with failing("C_EncryptInit"), pytest.raises(KeyStoreUnavailable):
        new_sealing_key(token, 1, 0)
    assert new_sealing_key(token, 1, 0).scheme == "AES-GCM"


def test_a_module_that_hangs_at_start_does_not_hang_the_server(token: TokenHolder) -> None:
    records = [new_sealing_key(token, 1, 0)]
    other = TokenHolder(library(), LABEL, token._pin_file)
    keystore = GuardedKeyStore(other, records, start_seconds=0.2)
    with Hanging("C_Login") as hanging:
        begun = time.monotonic()
        with pytest.raises(SettingsError, match="gave no answer for 0 s; see that it runs"):
            keystore.start()
        assert time.monotonic() - begun < 10
        assert hanging.calls == 1
        assert not keystore.is_available()
    keystore.stop()
    assert not any(thread.is_alive() for thread in keystore._threads)
    keystore = GuardedKeyStore(other, records)
    keystore.start()
    assert use(keystore) == SECRET
    keystore.stop()


def test_dropped_keys_are_gone_from_memory(start_keystore: StartKeyStore) -> None:
    """Also where nobody asks for them, and the module never answers."""
    holder = FakeHolder()
    keystore = start_keystore(holder, answer_seconds=0.1)
    assert keystore._sealer is not None
    sealer = weakref.ref(keystore._sealer)
    holder.may_answer.clear()
    assert wait_until_available(keystore, False)
    assert sealer() is None
    holder.may_answer.set()
    assert wait_until_available(keystore, True)
    assert use(keystore) == SECRET


def test_grace_is_how_long_opened_keys_serve_on(start_keystore: StartKeyStore) -> None:
    holder = FakeHolder()
    keystore = start_keystore(holder, grace_seconds=3600)
    holder.is_away = True
    keystore._wake.set()
    with keystore._changed:
        assert keystore._changed.wait_for(lambda: keystore._is_away, 30)
    for _ in range(2 * STOCK_BYTES // 32):
        # More than the stock of random: with the HSM away nobody waits for more of it.
        assert len(keystore.random(32)) == 32
    assert use(keystore) == SECRET
    assert keystore.is_available()
    # The grace runs from the first failure, and failures after it do not start it again.
    until = keystore._until
    while holder.asked.acquire(blocking=False):
        pass
    for _ in range(3):
        keystore._wake.set()
        assert holder.asked.acquire(timeout=30)
    assert keystore._until == until
    with keystore._changed:
        keystore._until = time.monotonic()
        keystore._changed.notify_all()
    assert wait_until_available(keystore, False)
    with pytest.raises(KeyStoreUnavailable):
        use(keystore)


def test_away_and_back_are_each_said_once(start_keystore: StartKeyStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "kmip_server.keystore.guard")
    holder = FakeHolder()
    keystore = start_keystore(holder)
    holder.is_away = True
    assert wait_until_available(keystore, False)
    while holder.asked.acquire(blocking=False):
        pass
    for _ in range(3):
        assert holder.asked.acquire(timeout=30)
    holder.is_away = False
    assert wait_until_available(keystore, True)
    keystore.stop()
    said = [record.getMessage() for record in caplog.records]
    assert [text for text in said if "told to be away" in text] == ["the test holder is away: told to be away"]
    assert len([text for text in said if "keys are dropped" in text]) == 1
    assert said[-1] == "the test holder is back"


def test_a_holder_that_stays_away_begins_anew_with_its_module(start_keystore: StartKeyStore) -> None:
    """Some do not find by themselves what was gone for a while."""
    holder = FakeHolder()
    keystore = start_keystore(holder)
    holder.needs_beginning_anew = True
    assert wait_until_available(keystore, False)
    assert wait_until_available(keystore, True)
    assert not holder.needs_beginning_anew
    assert use(keystore) == SECRET


def test_an_unexpected_error_in_the_probe_counts_as_away(start_keystore: StartKeyStore) -> None:
    class Raising(FakeHolder):
        def decrypt(self, scheme: str, encrypted: bytes) -> bytes:
            if self.is_away:
                raise RuntimeError("nobody thought of this")
            return super().decrypt(scheme, encrypted)

    holder = Raising()
    keystore = start_keystore(holder)
    holder.is_away = True
    assert wait_until_available(keystore, False)
    holder.is_away = False
    assert wait_until_available(keystore, True)


def test_a_source_of_random_that_repeats_itself_is_refused() -> None:
    class Repeating(FakeHolder):
        def random(self, length: int) -> bytes:
            return bytes(length)

    record = SealingKeyRecord(version=1, scheme="test", encrypted=os.urandom(32), created=0)
    with pytest.raises(SettingsError, match="repeats itself"):
        GuardedKeyStore(Repeating(), [record]).start()


def test_a_sealing_key_of_a_wrong_length_is_refused() -> None:
    record = SealingKeyRecord(version=1, scheme="test", encrypted=os.urandom(16), created=0)
    with pytest.raises(SettingsError, match="length"):
        GuardedKeyStore(FakeHolder(), [record]).start()


def test_a_stopped_keystore_serves_nothing_and_can_start_again(start_keystore: StartKeyStore) -> None:
    keystore = start_keystore(FakeHolder())
    keystore.stop()
    with pytest.raises(KeyStoreUnavailable):
        use(keystore)
    assert not keystore.is_available()
    assert not any(thread.is_alive() for thread in keystore._threads)
    keystore.start()
    assert use(keystore) == SECRET


FORK = """
import os, sys
from pathlib import Path
from kmip_server.errors import KeyStoreUnavailable
from kmip_server.keystore.guard import GuardedKeyStore, new_sealing_key
from kmip_server.keystore.pkcs11 import TokenHolder
from kmip_server.protocol.enums import ObjectType
holder = TokenHolder(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
holder.open()
keystore = GuardedKeyStore(holder, [new_sealing_key(holder, 1, 0)], grace_seconds=3600)
keystore.start()
place = {"unique_identifier": "one", "object_type": ObjectType.SYMMETRIC_KEY}
sealed = keystore.seal(bytes(32), generation=1, **place)
child = os.fork()
if child == 0:
    try:
        keystore.open(sealed, **place)
        os._exit(3)
    except KeyStoreUnavailable:
        pass
    keystore.start()
    opened = keystore.open(sealed, **place)
    keystore.random(32)
    keystore.stop()
    os._exit(0 if opened == bytes(32) else 4)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert keystore.open(sealed, **place) == bytes(32)
keystore.stop()
sys.exit(code)
"""


def test_after_a_fork_the_child_has_nothing_open_and_starts_for_itself(token: TokenHolder) -> None:
    arguments = [library(), LABEL, str(token._pin_file), str(token._softhsm_folder)]
    done = subprocess.run(
        [sys.executable, "-c", FORK, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


TOGETHER = """
import os, sys
from pathlib import Path
from kmip_server.keystore.pkcs11 import TokenHolder
holder = TokenHolder(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
for _ in range(5):
    wait, begin = os.pipe()
    children = []
    for _ in range(6):
        children.append(os.fork())
        if not children[-1]:
            os.close(begin)
            os.read(wait, 1)
            holder.open()
            assert len(holder.random(32)) == 32
            os._exit(0)
    os.close(wait)
    os.close(begin)
    assert [os.waitpid(each, 0)[1] for each in children] == [0] * 6
"""


def test_many_processes_can_start_on_one_token_at_once(token: TokenHolder) -> None:
    """As workers do. SoftHSM alone fails here."""
    arguments = [library(), LABEL, str(token._pin_file), str(token._softhsm_folder)]
    done = subprocess.run(
        [sys.executable, "-c", TOGETHER, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
