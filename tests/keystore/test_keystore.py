"""Both keystores keep the same contract; sealed values open where they were sealed and nowhere else."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kmip_server.engine.ports import SealedMaterial
from kmip_server.errors import KeyStoreUnavailable, KmipError, SealBroken, SettingsError
from kmip_server.keystore import guard, module, softhsm
from kmip_server.keystore.guard import GuardedKeyStore, new_sealing_key
from kmip_server.keystore.holder import Holder
from kmip_server.keystore.pkcs11 import SCHEMES, TokenHolder
from kmip_server.keystore.software import SoftwareHolder
from kmip_server.protocol.enums import ObjectType
from tests.keystore.conftest import write_secret

KEY = ObjectType.SYMMETRIC_KEY
SECRET = b"thirty-two bytes of key material"


@pytest.fixture
def keystore(holder: Holder) -> Any:
    made = GuardedKeyStore(holder, [new_sealing_key(holder, 1, 0), new_sealing_key(holder, 2, 0)])
    made.start()
    yield made
    made.stop()


def seal(keystore: GuardedKeyStore) -> SealedMaterial:
    return keystore.seal(SECRET, unique_identifier="one", object_type=KEY, generation=1)


def test_what_is_sealed_opens(keystore: GuardedKeyStore) -> None:
    sealed = seal(keystore)
    assert sealed.sealing_key_version == 2
    assert keystore.open(sealed, unique_identifier="one", object_type=KEY) == SECRET
    assert SECRET not in repr(sealed).encode()


def test_it_opens_nowhere_else(keystore: GuardedKeyStore) -> None:
    sealed, other = seal(keystore), seal(keystore)
    changed = [
        replace(sealed, generation=2),
        replace(sealed, sealing_key_version=1),
        replace(sealed, sealing_key_version=9),
        replace(sealed, wrapped_data_key=other.wrapped_data_key),
        replace(sealed, nonce=other.nonce),
        replace(sealed, ciphertext=other.ciphertext),
        replace(sealed, ciphertext=sealed.ciphertext[:-1] + bytes([sealed.ciphertext[-1] ^ 1])),
        replace(sealed, wrapped_data_key=b""),
        replace(sealed, ciphertext=b""),
    ]
    for each in changed:
        with pytest.raises(SealBroken):
            keystore.open(each, unique_identifier="one", object_type=KEY)
    with pytest.raises(SealBroken):
        keystore.open(sealed, unique_identifier="two", object_type=KEY)
    with pytest.raises(SealBroken):
        keystore.open(sealed, unique_identifier="one", object_type=ObjectType.SECRET_DATA)


def test_random_is_never_the_same(keystore: GuardedKeyStore) -> None:
    made = {keystore.random(32) for _ in range(500)}
    assert len(made) == 500
    keystore.seed(b"something")
    assert len(keystore.random(7)) == 7


def test_a_changed_sealing_key_is_refused(holder: Holder) -> None:
    record = new_sealing_key(holder, 1, 0)
    broken = replace(record, encrypted=record.encrypted[:-1] + bytes([record.encrypted[-1] ^ 1]))
    with pytest.raises(SettingsError):
        GuardedKeyStore(holder, [broken]).start()
    with pytest.raises(SettingsError):
        GuardedKeyStore(holder, [replace(record, scheme="of somebody else")]).start()
    with pytest.raises(SettingsError, match="no sealing key"):
        GuardedKeyStore(holder, []).start()


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_every_scheme_of_the_mechanism_table(token: TokenHolder, scheme: Any) -> None:
    key = token._key()
    encrypted = scheme.encrypt(key, bytes(range(32)))
    assert scheme.decrypt(key, encrypted) == bytes(range(32))
    assert bytes(range(32)) not in encrypted
    with pytest.raises((SealBroken, Exception)):
        scheme.decrypt(key, encrypted[:-1] + bytes([encrypted[-1] ^ 1]))


def test_the_wrapping_key_does_not_leave_the_token(token: TokenHolder) -> None:
    import pkcs11

    key = token._key()
    assert key[pkcs11.Attribute.EXTRACTABLE] is False
    assert key[pkcs11.Attribute.SENSITIVE] is True
    assert key[pkcs11.Attribute.NEVER_EXTRACTABLE] is True
    with pytest.raises(pkcs11.PKCS11Error):
        key[pkcs11.Attribute.VALUE]


@pytest.mark.slow
def test_eight_threads_for_a_minute(token: TokenHolder) -> None:
    """SoftHSM crashes under threads unless it is told of them: sealing keys, random, and sealing, all at once."""
    record = new_sealing_key(token, 1, 0)
    keystore = GuardedKeyStore(token, [record])
    keystore.start()
    end = time.monotonic() + 60
    faults: list[BaseException] = []
    done = [0] * 8

    def work(number: int) -> None:
        try:
            while time.monotonic() < end:
                identifier = f"{number}-{done[number]}"
                sealed = keystore.seal(SECRET, unique_identifier=identifier, object_type=KEY, generation=1)
                assert keystore.open(sealed, unique_identifier=identifier, object_type=KEY) == SECRET
                scheme, encrypted = token.encrypt(SECRET)
                assert token.decrypt(scheme, encrypted) == SECRET
                assert len(token.random(16)) == 16
                done[number] += 1
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keystore.stop()
    assert faults == []
    assert all(done)


# --- what people get wrong ----------------------------------------------------------------------


def test_settings_faults_are_sentences(token: TokenHolder, tmp_path: Path) -> None:
    library = str(softhsm.find_library())
    good = write_secret(tmp_path / "good", "1234-user")
    open_to_all = tmp_path / "open"
    open_to_all.write_text("1234-user")
    open_to_all.chmod(0o644)
    cases = [
        (TokenHolder("/nowhere/lib.so", "test token", good), "cannot be loaded"),
        (TokenHolder(library, "no such token", good), "no token with the label"),
        (TokenHolder(library, "test token", tmp_path / "absent"), "cannot be read"),
        (TokenHolder(library, "test token", open_to_all), "chmod 600"),
    ]
    for holder, sentence in cases:
        with pytest.raises(SettingsError, match=sentence) as complaint:
            holder.open()
        assert "1234" not in str(complaint.value)
        assert "\n" not in str(complaint.value)


def test_a_wrong_pin_is_tried_once(tmp_path: Path) -> None:
    """A second try, or a third, would lock the token."""
    import pkcs11

    class Token:
        tries = 0

        def open(self, **_: object) -> None:
            self.tries += 1
            raise pkcs11.PinIncorrect

    holder, wrong = TokenHolder("lib.so", "a token", tmp_path / "pin"), Token()
    holder._token, holder._pin = wrong, "4321"
    with pytest.raises(KeyStoreUnavailable, match="the PIN in .* is not that of"):
        holder.random(16)
    for _ in range(3):
        with pytest.raises(KeyStoreUnavailable, match="is not open"):
            holder.random(16)
    assert wrong.tries == 1


def test_software_faults_are_sentences(software: SoftwareHolder, tmp_path: Path) -> None:
    write_secret(tmp_path / "other", "another passphrase")
    with pytest.raises(SettingsError, match="does not open"):
        SoftwareHolder(tmp_path / "keystore.json", tmp_path / "other").open()
    with pytest.raises(SettingsError, match="cannot be made"):
        software.create()
    write_secret(tmp_path / "keystore.json", "{}")
    with pytest.raises(SettingsError, match="damaged"):
        SoftwareHolder(tmp_path / "keystore.json", tmp_path / "passphrase").open()


# --- an HSM that fails --------------------------------------------------------------------------


class FaultyModule:
    """An entry of SoftHSM's function list, replaced for a while by one that fails or hangs."""

    GENERATE_RANDOM = 64

    def __init__(self, library: str, index: int, result: int = 0x30, until: threading.Event | None = None) -> None:
        self._functions = module.function_list(library).functions
        self._index, self._until, self._result = index, until, result
        self._kept = self._functions[index]
        self._callback = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong)(
            self._fail
        )

    def _fail(self, session: int, data: Any, length: int) -> int:
        if self._until is not None:
            self._until.wait(30)
        return self._result

    def __enter__(self) -> None:
        self._functions[self._index] = ctypes.cast(self._callback, ctypes.c_void_p).value

    def __exit__(self, *_: object) -> None:
        self._functions[self._index] = self._kept
        if self._until is not None:
            self._until.set()


def wait_for(condition: Any, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        threading.Event().wait(0.02)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("hangs", [False, True], ids=["fails", "hangs"])
def test_with_the_hsm_away_nothing_is_served_and_it_comes_back(
    token: TokenHolder, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    monkeypatch.setattr(guard, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(guard, "ANSWER_SECONDS", 0.5)
    keystore = GuardedKeyStore(token, [new_sealing_key(token, 1, 0)])
    keystore.start()
    sealed = seal(keystore)
    until = threading.Event() if hangs else None
    with FaultyModule(str(softhsm.find_library()), FaultyModule.GENERATE_RANDOM, until=until):
        assert wait_for(lambda: not keystore.is_available())
        begun = time.monotonic()
        with pytest.raises(KeyStoreUnavailable):
            keystore.open(sealed, unique_identifier="one", object_type=KEY)
        with pytest.raises(KeyStoreUnavailable):
            keystore.random(32)
        # Nobody waits for a module that does not answer.
        assert time.monotonic() - begun < 1
    assert wait_for(keystore.is_available)
    assert keystore.open(sealed, unique_identifier="one", object_type=KEY) == SECRET
    keystore.stop()


class _AwayHolder:
    """A holder that can be told to be away."""

    description = "test holder"

    def __init__(self) -> None:
        self.away = False

    def open(self) -> None: ...

    def close(self) -> None: ...

    def random(self, length: int) -> bytes:
        if self.away:
            raise KeyStoreUnavailable("away")
        return os.urandom(length)

    def decrypt(self, scheme: str, encrypted: bytes) -> bytes:
        return encrypted

    def encrypt(self, key: bytes) -> tuple[str, bytes]:
        return "test", key


def test_grace_is_how_long_opened_keys_serve_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PROBE_SECONDS", 0.05)
    for grace, serves in ((0.0, False), (60.0, True)):
        holder = _AwayHolder()
        keystore = GuardedKeyStore(holder, [new_sealing_key(holder, 1, 0)], grace)  # type: ignore[arg-type]
        keystore.start()
        sealed = seal(keystore)
        holder.away = True
        if not serves:
            assert wait_for(lambda keystore=keystore: not keystore.is_available())
        else:
            threading.Event().wait(0.3)
        try:
            opened = keystore.open(sealed, unique_identifier="one", object_type=KEY) == SECRET
        except KmipError:
            opened = False
        assert opened == serves
        keystore.stop()


def test_a_source_that_repeats_itself_is_refused() -> None:
    class Repeating(_AwayHolder):
        def random(self, length: int) -> bytes:
            return bytes(length)

    with pytest.raises(SettingsError, match="repeats itself"):
        GuardedKeyStore(
            Repeating(), [guard.SealingKeyRecord(version=1, scheme="", encrypted=bytes(32), created=0)]
        ).start()  # type: ignore[arg-type]


def test_after_a_fork_the_child_opens_for_itself(token: TokenHolder, tmp_path: Path) -> None:
    """A module is initialised by the process that uses it: what the parent opened is of no use to a child."""
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from kmip_server.keystore.pkcs11 import TokenHolder\n"
        f"holder = TokenHolder({token._module_path!r}, 'test token', Path({str(token._pin_file)!r}),"
        f" Path({str(token._softhsm_folder)!r}))\n"
        "child = os.fork()\n"
        "holder.open()\n"
        "assert len(holder.random(16)) == 16\n"
        "if child == 0:\n"
        "    os._exit(0)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0
