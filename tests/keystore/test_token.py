"""The wrapping key in a real token: what it lets out, what operators get wrong, what a module gets wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType

from kmip_server.errors import KeyStoreUnavailable, SealBroken, SettingsError
from kmip_server.keystore import factory, module, softhsm
from kmip_server.keystore.pkcs11 import WRAPPING_KEY, TokenHolder
from kmip_server.keystore.schemes import SCHEMES, Scheme
from tests.keystore.conftest import LABEL, PIN, make_token, write_secret
from tests.keystore.faults import GENERAL_ERROR, Replaced, failing, library, watched

DATA = bytes(range(32))


# --- the wrapping key and the schemes -----------------------------------------------------------


def test_the_wrapping_key_does_not_leave_the_token(token: TokenHolder) -> None:
    key = token._key()
    assert key[Attribute.EXTRACTABLE] is False
    assert key[Attribute.SENSITIVE] is True
    assert key[Attribute.NEVER_EXTRACTABLE] is True
    assert key[Attribute.PRIVATE] is True
    assert (key[Attribute.WRAP], key[Attribute.UNWRAP]) == (False, False)
    with pytest.raises(pkcs11.PKCS11Error):
        key[Attribute.VALUE]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_every_scheme_refuses_every_edited_byte(token: TokenHolder, scheme: Scheme) -> None:
    encrypted = scheme.encrypt(token._key(), DATA)
    assert len(encrypted) == scheme.size
    assert DATA not in encrypted
    assert token.decrypt(scheme.name, encrypted) == DATA
    for at in range(len(encrypted)):
        with pytest.raises(SealBroken):
            token.decrypt(scheme.name, encrypted[:at] + bytes([encrypted[at] ^ 1]) + encrypted[at + 1 :])
    for wrong in (b"", encrypted[:-1], encrypted + b"\0"):
        with pytest.raises(SealBroken):
            token.decrypt(scheme.name, wrong)


def test_what_the_wrapping_key_encrypted_otherwise_is_no_sealing_key(token: TokenHolder) -> None:
    plain = pkcs11.GCMParams(bytes(12), b"", 128)
    encrypted = token._key().encrypt(DATA, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=plain)
    with pytest.raises(SealBroken):
        token.decrypt("AES-GCM", bytes(12) + encrypted)


def test_the_best_scheme_is_used(token: TokenHolder) -> None:
    assert token.encrypt(DATA)[0] == "AES-GCM"


def test_a_token_without_gcm_uses_cbc(token: TokenHolder) -> None:
    other = TokenHolder(token._module_path, LABEL, token._pin_file)

    def without_gcm(replaced: Replaced, arguments: tuple[Any, ...]) -> int:
        """C_GetMechanismList(slot, list, count): AES-GCM, 0x1087, becomes a number that nobody knows."""
        result = replaced.original(*arguments)
        _, listed, count = arguments[:3]
        if result == 0 and listed:
            number = module.ctypes.c_ulong.from_address(count).value
            mechanisms = (module.ctypes.c_ulong * number).from_address(listed)
            mechanisms[:] = [0x80001087 if each == 0x1087 else each for each in mechanisms]
        return result

    with Replaced("C_GetMechanismList", without_gcm):
        other.open()
    scheme, encrypted = other.encrypt(DATA)
    assert scheme == "AES-CBC-HMAC"
    assert other.decrypt(scheme, encrypted) == DATA
    assert token.decrypt(scheme, encrypted) == DATA
    other.close()


@pytest.mark.parametrize("function", ["C_EncryptInit", "C_DecryptInit"])
def test_a_listed_mechanism_that_does_not_work_is_passed_over(token: TokenHolder, function: str) -> None:
    def only_cbc(replaced: Replaced, arguments: tuple[Any, ...]) -> int:
        """Both have (session, mechanism, key); AES-CBC is 0x1082."""
        mechanism = module.ctypes.c_ulong.from_address(arguments[1]).value
        return replaced.original(*arguments) if mechanism == 0x1082 else GENERAL_ERROR

    with Replaced(function, only_cbc):
        scheme, encrypted = token.encrypt(DATA)
    assert scheme == "AES-CBC-HMAC"
    assert token.decrypt(scheme, encrypted) == DATA


# --- what operators get wrong -------------------------------------------------------------------


def test_settings_faults_are_sentences(token: TokenHolder, tmp_path: Path) -> None:
    good = write_secret(tmp_path / "good", PIN)
    public = write_secret(tmp_path / "public", PIN)
    public.chmod(0o644)
    no_module = tmp_path / "text.so"
    no_module.write_text("this is no library")
    cases = [
        (TokenHolder(str(tmp_path / "absent.so"), LABEL, good), "cannot be loaded"),
        (TokenHolder(str(no_module), LABEL, good), "cannot be loaded"),
        (TokenHolder("libc.so.6", LABEL, good), "cannot be loaded"),
        (TokenHolder(library(), "no such token", good), "no token with the label"),
        (TokenHolder(library(), LABEL, tmp_path / "absent"), "cannot be read"),
        (TokenHolder(library(), LABEL, public), "chmod 600"),
    ]
    for holder, sentence in cases:
        with pytest.raises(SettingsError, match=sentence) as complaint:
            holder.open()
        assert PIN not in str(complaint.value)
        assert "\n" not in str(complaint.value)


def test_a_token_without_the_wrapping_key_is_named(empty_token: TokenHolder) -> None:
    with pytest.raises(SettingsError, match="does not hold the key 'kmip-server wrapping key'; restore"):
        empty_token.open()
    empty_token.create()
    empty_token.open()
    assert empty_token.decrypt(*empty_token.encrypt(DATA)) == DATA
    with pytest.raises(SettingsError, match="holds a wrapping key already"):
        empty_token.create()
    empty_token.close()


def test_the_sealing_key_of_another_token_does_not_open(token: TokenHolder, empty_token: TokenHolder) -> None:
    empty_token.create()
    empty_token.open()
    for scheme in SCHEMES:
        encrypted = scheme.encrypt(token._key(), DATA)
        with pytest.raises(SealBroken):
            empty_token.decrypt(scheme.name, encrypted)
    empty_token.close()


@pytest.mark.parametrize(
    "template", [{Attribute.EXTRACTABLE: True}, {Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True}]
)
def test_a_wrapping_key_that_can_be_taken_out_is_refused(
    empty_token: TokenHolder, template: dict[Attribute, bool]
) -> None:
    found = module.load(library()).get_token(token_label=empty_token._label)
    with found.open(rw=True, user_pin=PIN) as session:
        session.generate_key(KeyType.AES, 256, label=WRAPPING_KEY, store=True, template=template)
    with pytest.raises(SettingsError, match="can be taken out of it"):
        empty_token.open()


def test_two_wrapping_keys_are_not_chosen_between(empty_token: TokenHolder) -> None:
    empty_token.create()
    with module.load(library()).get_token(token_label=empty_token._label).open(rw=True, user_pin=PIN) as session:
        session.generate_key(KeyType.AES, 256, label=WRAPPING_KEY, store=True)
    with pytest.raises(SettingsError, match="holds several keys"):
        empty_token.open()


def test_two_tokens_of_one_label_are_not_chosen_between(token: TokenHolder) -> None:
    for _ in range(2):
        # The second is not found by its label: its PIN stays as it was made, unset.
        with suppress(pkcs11.MultipleTokensReturned):
            make_token("twice")
    with pytest.raises(SettingsError, match="several tokens have the label 'twice'"):
        TokenHolder(library(), "twice", token._pin_file).open()


def test_a_token_that_cannot_be_looked_at_once_is_looked_at_again(token: TokenHolder) -> None:
    other = TokenHolder(library(), LABEL, token._pin_file)

    def once(replaced: Replaced, arguments: tuple[Any, ...]) -> int:
        return GENERAL_ERROR if replaced.calls == 1 else replaced.original(*arguments)

    with Replaced("C_GetTokenInfo", once):
        other.open()
    with failing("C_GetTokenInfo"), pytest.raises(SettingsError, match="DeviceError; see its own log"):
        other.open()
    other.close()


@pytest.mark.parametrize("function", ["C_GetMechanismList", "C_OpenSession"])
def test_a_module_that_fails_at_start_is_a_sentence(token: TokenHolder, function: str) -> None:
    other = TokenHolder(library(), LABEL, token._pin_file)
    with failing(function), pytest.raises(SettingsError, match="DeviceError"):
        other.open()
    with failing(function), pytest.raises(SettingsError, match="DeviceError"):
        other.create()


def test_a_wrong_pin_is_tried_once(token: TokenHolder, tmp_path: Path, empty_token: TokenHolder) -> None:
    """A second try, or a third, would lock the token."""
    wrong = TokenHolder(library(), empty_token._label, write_secret(tmp_path / "wrong", "4321-user"))
    with watched("C_Login") as login:
        with pytest.raises(SettingsError, match="the PIN in .*wrong is wrong; correct it") as complaint:
            wrong.open()
        for _ in range(3):
            with pytest.raises(KeyStoreUnavailable, match="is wrong"):
                wrong.random(16)
        with ThreadPoolExecutor(4) as pool:
            for answer in [pool.submit(wrong.random, 16) for _ in range(4)]:
                assert isinstance(answer.exception(), KeyStoreUnavailable)
    assert login.calls == 1
    assert "4321" not in str(complaint.value)


@pytest.mark.parametrize(("result", "words"), [(0xA4, "is locked"), (0xA3, "has expired"), (0x102, "never set")])
def test_other_refusals_of_the_pin_say_what_to_do(token: TokenHolder, result: int, words: str) -> None:
    other = TokenHolder(library(), LABEL, token._pin_file)
    with failing("C_Login", result) as login, pytest.raises(SettingsError, match=words):
        other.open()
    assert login.calls == 1


# --- sessions -----------------------------------------------------------------------------------


def test_a_thread_that_ends_logs_nobody_out(token: TokenHolder) -> None:
    assert token.random(16)

    def work() -> None:
        token.encrypt(DATA)
        token.close()

    with watched("C_OpenSession") as opened:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert opened.calls == 1
        assert token.decrypt(*token.encrypt(DATA)) == DATA
        assert opened.calls == 1


def test_a_failed_session_is_closed_and_replaced(token: TokenHolder) -> None:
    token.random(16)
    with watched("C_OpenSession") as opened, watched("C_CloseSession") as closed:
        with failing("C_GenerateRandom"), pytest.raises(KeyStoreUnavailable, match="DeviceError"):
            token.random(16)
        with failing("C_Login"):
            for _ in range(3):
                with pytest.raises(KeyStoreUnavailable, match="opens no session"):
                    token.random(16)
        assert len(token.random(16)) == 16
    assert opened.calls == 4
    assert closed.calls == 4


# python-pkcs11 complains from a destructor when a search did not begin.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("function", ["C_DecryptInit", "C_EncryptInit", "C_FindObjectsInit"])
@pytest.mark.parametrize("result", [0x05, 0x30, 0x32, 0xB3, 0x101, 0x190], ids=hex)
def test_a_module_that_fails_is_unavailable_and_heals(token: TokenHolder, function: str, result: int) -> None:
    """CKR_GENERAL_ERROR among them, with which SoftHSM also says that a tag is wrong: the record is not to blame."""
    scheme, encrypted = token.encrypt(DATA)
    token.close()
    call = token.encrypt if function == "C_EncryptInit" else lambda data: token.decrypt(scheme, encrypted)
    with failing(function, result), pytest.raises(KeyStoreUnavailable) as failed:
        call(DATA)
    assert DATA.hex() not in str(failed.value)
    assert token.decrypt(scheme, encrypted) == DATA


def test_all_sessions_lost_at_once_heal(token: TokenHolder) -> None:
    """An HSM that was restarted knows no session and nobody logged in."""
    scheme, encrypted = token.encrypt(DATA)
    module._function(library(), "C_Finalize", module.ctypes.c_void_p)(None)
    with pytest.raises(KeyStoreUnavailable):
        token.decrypt(scheme, encrypted)
    assert token.decrypt(scheme, encrypted) == DATA


# --- processes and folders ----------------------------------------------------------------------


def run_script(script: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


OPEN_IN = """
import sys
from pathlib import Path
from kmip_server.errors import KmipError, SettingsError
from kmip_server.keystore.pkcs11 import TokenHolder
def open_in(folder):
    holder = TokenHolder(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(folder))
    holder.open()
    return holder
"""


def test_a_token_folder_that_was_moved_opens(token: TokenHolder, tmp_path: Path) -> None:
    assert token._softhsm_folder is not None
    moved = tmp_path / "restored elsewhere"
    shutil.copytree(token._softhsm_folder, moved)
    scheme, encrypted = token.encrypt(DATA)
    script = OPEN_IN + "print(open_in(sys.argv[4]).decrypt(sys.argv[5], bytes.fromhex(sys.argv[6])).hex())"
    shown = run_script(script, library(), LABEL, token._pin_file, moved, scheme, encrypted.hex())
    assert shown.strip() == DATA.hex()
    assert str(moved) in (moved / "softhsm2.conf").read_text()


def test_a_second_folder_in_one_process_is_refused(token: TokenHolder, tmp_path: Path) -> None:
    """SoftHSM would go on with the first one's token, and the PIN of the second would be tried on that."""
    softhsm_folder = tmp_path / "second"
    with pytest.raises(SettingsError, match="start another"):
        softhsm.create_folder(softhsm_folder)
    assert softhsm_folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(SettingsError, match="is missing; restore it"):
        TokenHolder(library(), LABEL, token._pin_file, tmp_path / "absent").open()


def test_the_settings_name_the_holder(tmp_path: Path) -> None:
    """An instance's own SoftHSM token is the one below its folder; any other token is left as it is configured."""
    foreign = factory.token_holder(library(), LABEL, tmp_path / "pin", tmp_path)
    (tmp_path / softhsm.FOLDER).mkdir()
    own = factory.token_holder(library(), LABEL, tmp_path / "pin", tmp_path)
    other_make = factory.token_holder("libother.so", LABEL, tmp_path / "pin", tmp_path)
    assert isinstance(own, TokenHolder)
    assert own._softhsm_folder == tmp_path / softhsm.FOLDER
    for holder in (foreign, other_make):
        assert isinstance(holder, TokenHolder)
        assert holder._softhsm_folder is None
    assert "keystore.json" in factory.software_holder(tmp_path).description


def test_after_a_fork_the_child_opens_for_itself(token: TokenHolder) -> None:
    """A module is initialised by the process that uses it: what the parent opened is of no use to a child."""
    script = (
        OPEN_IN
        + """
import os
holder = open_in(sys.argv[4])
child = os.fork()
if child == 0:
    try:
        holder.random(16)
        os._exit(3)
    except KmipError as error:
        assert "not open in this process" in error.message
    holder.open()
    scheme, encrypted = holder.encrypt(bytes(32))
    os._exit(0 if holder.decrypt(scheme, encrypted) == bytes(32) else 4)
assert len(holder.random(16)) == 16
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    )
    run_script(script, library(), LABEL, token._pin_file, token._softhsm_folder)
