"""The commands as their users meet them: init, run, check, kmip-admin; and everything that can be wrong."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import sqlite3
import ssl
import stat
from pathlib import Path

import pytest

from kmip_server.protocol import ttlv
from kmip_server.protocol.enums import Operation, ResultReason, ResultStatus
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_2
from tests.support.engine import child, request_message
from tests.support.requests import create, name
from tests.support.server import WORKERS, RunningServer, command, make_instance, run
from tests.support.wire import Connection

PASSPHRASE = "correct horse battery staple"


def payload(request: object) -> object:
    from kmip_server.protocol.codec import encode_structure

    return encode_structure(request, V1_2)


def make_key(server: RunningServer, title: str, client: str = "client") -> str:
    with Connection(server, client) as connection:
        response = connection.exchange(request_message(V1_2, [(1, payload(create(name(title))), None)]))  # type: ignore[list-item]
    uid: str = child(response, Tag.BATCH_ITEM, Tag.RESPONSE_PAYLOAD, Tag.UNIQUE_IDENTIFIER)
    return uid


def fetch(server: RunningServer, uid: str, client: str = "client") -> bytes:
    """The response to a Get, without its time stamp."""
    message = request_message(V1_2, [(int(Operation.GET), payload(GetRequest(unique_identifier=uid)), None)])  # type: ignore[list-item]
    with Connection(server, client) as connection:
        response = connection.exchange(message)
    assert child(response, Tag.BATCH_ITEM, Tag.RESULT_STATUS) == ResultStatus.SUCCESS
    material: bytes = child(
        response,
        Tag.BATCH_ITEM,
        Tag.RESPONSE_PAYLOAD,
        Tag.SYMMETRIC_KEY,
        Tag.KEY_BLOCK,
        Tag.KEY_VALUE,
        Tag.KEY_MATERIAL,
    )
    return material


# --- init ---------------------------------------------------------------------------------------


def test_init_makes_what_the_contract_says(instance_folder: Path) -> None:
    for each in ("kmip-server.toml", "kmip.db", "certs/ca.pem"):
        assert (instance_folder / each).exists()
    for principal in ("server", "client", "client2", "admin"):
        assert (instance_folder / "certs" / f"{principal}.pem").exists()
        key = instance_folder / "certs" / f"{principal}.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert key.read_text().startswith("-----BEGIN " + "PRIVATE KEY-----")
    assert stat.S_IMODE(instance_folder.stat().st_mode) == 0o700


def test_init_never_touches_what_is_there(new_instance: Path) -> None:
    before = (new_instance / "kmip-server.toml").read_text()
    refused = run("kmip-server", "init", str(new_instance), check=False)
    assert refused.returncode == 2
    assert "never touched" in refused.stderr
    assert (new_instance / "kmip-server.toml").read_text() == before


def test_init_that_fails_leaves_nothing(tmp_path: Path) -> None:
    refused = run("kmip-server", "init", str(tmp_path / "kmip"), "--set", 'kmip.tls_profile="fast"', check=False)
    assert refused.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_init_writes_what_is_set(tmp_path: Path) -> None:
    folder = make_instance(tmp_path / "kmip", "--keystore", "software", "--set", 'names.unique="domain"')
    assert 'unique = "domain"' in (folder / "kmip-server.toml").read_text()


def test_another_node_joins(new_instance: Path, tmp_path: Path) -> None:
    other = make_instance(tmp_path / "other", "--join", str(new_instance / "kmip-server.toml"))
    with RunningServer(new_instance) as first, RunningServer(other) as second:
        second.folder = new_instance  # the same clients, the same CA
        uid = make_key(first, "shared")
        assert fetch(second, uid) == fetch(first, uid)


# --- run ----------------------------------------------------------------------------------------


def test_a_restart_keeps_everything(new_instance: Path) -> None:
    with RunningServer(new_instance) as server:
        uid = make_key(server, "kept")
        before = fetch(server, uid)
    with RunningServer(new_instance) as server:
        assert fetch(server, uid) == before
        assert json.loads(server.admin("audit", "verify", "--json").stdout)["faults"] == []


def test_kill_9_keeps_what_was_acknowledged(new_instance: Path) -> None:
    server = RunningServer(new_instance).start()
    made = {uid: fetch(server, uid) for uid in (make_key(server, f"key {number}") for number in range(10))}
    server.stop(signal.SIGKILL)
    with RunningServer(new_instance) as server:
        assert {uid: fetch(server, uid) for uid in made} == made
        assert json.loads(server.admin("audit", "verify", "--json").stdout)["faults"] == []


def _wrong_pin(folder: Path) -> str:
    (folder / "hsm.pin").write_text("0000")
    return "PIN in"


def _missing_token(folder: Path) -> str:
    shutil.rmtree(folder / "softhsm" / "tokens")
    return "SoftHSM token is missing"


def _open_key(folder: Path) -> str:
    (folder / "certs" / "server.key").chmod(0o644)
    return "chmod 600"


def _other_key(folder: Path) -> str:
    (folder / "certs" / "server.key").write_bytes((folder / "certs" / "client.key").read_bytes())
    return "is not that of"


def _newer_schema(folder: Path) -> str:
    connection = sqlite3.connect(folder / "kmip.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    return "made by a newer release"


def _missing_database(folder: Path) -> str:
    (folder / "kmip.db").unlink()
    return "does not exist"


def _emptied_database(folder: Path) -> str:
    for each in folder.glob("kmip.db*"):
        each.write_bytes(b"")
    return f"the database {folder / 'kmip.db'} (store.url) is empty; restore a backup"


def _damaged_database(folder: Path) -> str:
    for each in folder.glob("kmip.db-*"):
        each.unlink()
    (folder / "kmip.db").write_bytes(b"not a database " * 1000)
    return f"the database {folder / 'kmip.db'} (store.url) is damaged"


def _emptied_token(folder: Path) -> str:
    shutil.rmtree(folder / "softhsm" / "tokens")
    (folder / "softhsm" / "tokens").mkdir()
    return f"the folder {folder / 'softhsm' / 'tokens'} has no token 'kmip-server'; restore it"


def _open_authority(folder: Path) -> str:
    (folder / "certs" / "ca.key").chmod(0o644)
    return "ca.key can be read by others; run: chmod 600"


def _misspelt(folder: Path) -> str:
    path = folder / "kmip-server.toml"
    path.write_text(path.read_text().replace("tls_profile", "tls_profil"))
    return "do you mean tls_profile"


def _unavailable(folder: Path) -> str:
    path = folder / "kmip-server.toml"
    path.write_text(path.read_text().replace("retention_days = 3650", "retention_days = 30"))
    return "not available in this version"


@pytest.mark.parametrize(
    "break_it",
    [
        _wrong_pin,
        _missing_token,
        _emptied_token,
        _open_key,
        _open_authority,
        _other_key,
        _newer_schema,
        _missing_database,
        _emptied_database,
        _damaged_database,
        _misspelt,
        _unavailable,
    ],
)
def test_what_is_broken_is_one_clear_sentence(tmp_path: Path, break_it: object) -> None:
    folder = make_instance(tmp_path / "kmip")
    expected = break_it(folder)  # type: ignore[operator]
    config = str(folder / "kmip-server.toml")
    for name_, *arguments in (
        ("kmip-server", "run", "--config", config, "--port", "0", "--admin-port", "0"),
        ("kmip-server", "check", "--config", config),
    ):
        refused = run(name_, *arguments, check=False)
        told = refused.stdout + refused.stderr
        assert refused.returncode in (1, 2)
        assert expected in told
        assert "Traceback" not in told


def test_a_database_that_another_program_holds_is_one_clear_sentence(new_instance: Path) -> None:
    other = sqlite3.connect(new_instance / "kmip.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    done = run("kmip-server", "run", "--config", str(new_instance / "kmip-server.toml"), "--port", "0", check=False)
    other.close()
    assert (done.returncode, done.stdout) == (1, "")
    assert "locked" in done.stderr
    assert "then start again" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_at_the_start_is_one_clear_sentence(new_instance: Path) -> None:
    """No file may grow: as where the disk is full."""

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    arguments = ("run", "--config", str(new_instance / "kmip-server.toml"), "--port", "0", "--admin-port", "0")
    done = run("kmip-server", *arguments, check=False, preexec_fn=bounded)
    assert (done.returncode, done.stdout) == (1, "")
    assert "see that its disk has room" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_one_clear_sentence(server: RunningServer, new_instance: Path) -> None:
    arguments = ("run", "--config", str(new_instance / "kmip-server.toml"), "--port", str(server.port))
    refused = run("kmip-server", *arguments, check=False)
    assert refused.returncode == 2
    assert "is a server running?" in refused.stderr


def test_a_clock_that_was_turned_back_stands(new_instance: Path) -> None:
    connection = sqlite3.connect(new_instance / "kmip.db")
    with RunningServer(new_instance) as server:
        make_key(server, "before")
    connection.execute("UPDATE audit_chains SET last_time = last_time + 3600000000")
    connection.commit()
    with RunningServer(new_instance) as server:
        make_key(server, "after")
        assert json.loads(server.admin("status", "--json").stdout)["clock_behind_seconds"] > 3000
        assert "behind the record" in server.log.read_text()
    arguments = ("check", "--config", str(new_instance / "kmip-server.toml"))
    assert "behind the newest record" in run("kmip-server", *arguments, check=False).stdout


# --- check --------------------------------------------------------------------------------------


def test_check_of_a_sound_instance(instance_folder: Path) -> None:
    done = run("kmip-server", "check", "--config", str(instance_folder / "kmip-server.toml"), "--json")
    findings = json.loads(done.stdout)
    assert {each["severity"] for each in findings} == {"ok"}
    assert {"settings", "certificates", "database", "hsm", "clock", "dependencies"} <= {
        each["subject"] for each in findings
    }


# --- kmip-admin ---------------------------------------------------------------------------------


def test_status(server: RunningServer) -> None:
    status = json.loads(server.admin("status", "--json").stdout)
    assert status["running"] is True
    assert status["hsm_available"] is True
    assert "hsm available" in server.admin("status").stdout


def test_a_client_is_enrolled_used_listed_and_revoked(server: RunningServer, tmp_path: Path) -> None:
    prefix = tmp_path / "array"
    server.admin("client", "enroll", "array", "--role", "Appliance", "--out", str(prefix))
    assert stat.S_IMODE((tmp_path / "array.key").stat().st_mode) == 0o600
    for suffix in ("pem", "key"):
        shutil.copy(f"{prefix}.{suffix}", server.folder / "certs" / f"array.{suffix}")
    uid = make_key(server, "of the array", "array")
    assert "array" in server.admin("client", "list").stdout
    with Connection(server, "array") as connected:
        server.admin("client", "revoke", "array")
        # The connection that is there ends, and there is no new way in.
        message = request_message(V1_2, [(int(Operation.GET), payload(GetRequest(unique_identifier=uid)), None)])  # type: ignore[list-item]
        try:
            connected.send(message)
            received = connected.receive()
        except (ssl.SSLError, ConnectionError):
            received = b""
        assert received == b"" or ResultReason.AUTHENTICATION_NOT_SUCCESSFUL.to_bytes(4, "big") in received
    with Connection(server, "array") as again:
        again.send(message)
        received = again.receive()
    # A worker that hears of it just now closes the connection, as it does all of the client's.
    if received or WORKERS == 1:
        reason = child(ttlv.decode(received), Tag.BATCH_ITEM, Tag.RESULT_REASON)
        assert reason == ResultReason.AUTHENTICATION_NOT_SUCCESSFUL
    again_ = server.admin(
        "client", "enroll", "array", "--role", "Appliance", "--out", str(tmp_path / "b"), check=False
    )
    assert again_.returncode == 2
    assert not (tmp_path / "b.key").exists()


def test_keys_are_listed_and_shown_without_their_value(server: RunningServer) -> None:
    uid = make_key(server, "shown")
    value = fetch(server, uid)
    listed = json.loads(server.admin("key", "list", "--json").stdout)
    assert uid in [each["unique_identifier"] for each in listed]
    shown = server.admin("key", "show", uid).stdout
    assert "shown" in shown
    assert value.hex() not in shown.lower()
    absent = server.admin("key", "show", "absent", check=False)
    assert absent.returncode == 1
    assert "no object" in absent.stderr


def test_the_record_shows_who_did_what(server: RunningServer) -> None:
    uid = make_key(server, "recorded")
    records = json.loads(server.admin("audit", "tail", "-n", "50", "--json").stdout)
    (found,) = [each for each in records if uid in each["object"]]
    assert (found["principal"], found["operation"], found["outcome"]) == ("client", "Create", "allowed")
    assert found["rule"] == "role Appliance: none"
    assert "whole" in server.admin("audit", "verify").stdout


def test_remote_administration_goes_by_roles(server: RunningServer) -> None:
    def remote(principal: str) -> list[str]:
        certificate, key = server.certificate(principal)
        url = f"https://127.0.0.1:{server.admin_port}"
        return ["--url", url, "--cert", certificate, "--key", key, "--ca", server.ca, "status", "--json"]

    assert json.loads(run("kmip-admin", *remote("admin")).stdout)["running"] is True
    refused = run("kmip-admin", *remote("client"), check=False)
    assert refused.returncode == 1
    assert "may not status" in refused.stderr
    records = json.loads(server.admin("audit", "tail", "-n", "20", "--json").stdout)
    assert ("client", "status", "refused") in [(r["principal"], r["operation"], r["outcome"]) for r in records]


def test_a_stopped_instance_can_be_administered(new_instance: Path, tmp_path: Path) -> None:
    config = str(new_instance / "kmip-server.toml")
    run(
        "kmip-admin",
        "--config",
        config,
        "client",
        "enroll",
        "late",
        "--role",
        "Appliance",
        "--out",
        str(tmp_path / "late"),
    )
    assert "late" in run("kmip-admin", "--config", config, "client", "list").stdout
    assert "whole" in run("kmip-admin", "--config", config, "audit", "verify").stdout
    assert json.loads(run("kmip-admin", "--config", config, "status", "--json").stdout)["running"] is False


# --- backup -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--keystore", "software")], ids=["softhsm", "software"])
def test_a_backup_made_while_serving_is_the_whole_instance(tmp_path: Path, options: tuple[str, ...]) -> None:
    folder = make_instance(tmp_path / "kmip", *options)
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE)
    secret.chmod(0o600)
    backup = tmp_path / "backup"
    with RunningServer(folder) as server:
        uid = make_key(server, "saved")
        value = fetch(server, uid)
        server.admin("backup", "create", str(backup), "--passphrase-file", str(secret))
        make_key(server, "too late")
    assert value not in backup.read_bytes()
    assert b"PRIVATE KEY" not in backup.read_bytes()
    shutil.rmtree(folder)
    restored = tmp_path / "elsewhere"
    run("kmip-admin", "backup", "restore", str(backup), str(restored), "--passphrase-file", str(secret))
    with RunningServer(restored) as server:
        assert fetch(server, uid) == value
        assert len(json.loads(server.admin("key", "list", "--json").stdout)) == 1
        assert json.loads(server.admin("audit", "verify", "--json").stdout)["faults"] == []


def test_a_damaged_backup_restores_nothing(new_instance: Path, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE)
    secret.chmod(0o600)
    backup = tmp_path / "backup"
    config = str(new_instance / "kmip-server.toml")
    run("kmip-admin", "--config", config, "backup", "create", str(backup), "--passphrase-file", str(secret))
    whole = backup.read_bytes()
    secret2 = tmp_path / "other"
    secret2.write_text("another passphrase entirely")
    secret2.chmod(0o600)
    for content, used in (
        (whole[:-1], secret),
        (whole[:100], secret),
        (whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :], secret),
        (whole + b"x", secret),
        (b"nonsense", secret),
        (whole, secret2),
    ):
        backup.write_bytes(content)
        target = tmp_path / "restored"
        arguments = ("backup", "restore", str(backup), str(target), "--passphrase-file", str(used))
        refused = run("kmip-admin", *arguments, check=False)
        assert refused.returncode == 2
        assert "Traceback" not in refused.stderr
        assert not target.exists()


# --- leaks --------------------------------------------------------------------------------------


def test_no_key_byte_is_in_any_file(tmp_path: Path) -> None:
    """Every file of the instance, and its log, searched for every key that was in it."""
    from tests.support.requests import register_key, revoke

    folder = make_instance(tmp_path / "kmip")
    known = b"a key that nobody may ever read!"
    values = [known]
    with RunningServer(folder, "--set", 'log.level="debug"') as server:
        register = request_message(V1_2, [(int(Operation.REGISTER), payload(register_key(known)), None)])  # type: ignore[list-item]
        with Connection(server) as connection:
            response = connection.exchange(register)
            uid = child(response, Tag.BATCH_ITEM, Tag.RESPONSE_PAYLOAD, Tag.UNIQUE_IDENTIFIER)
            broken = bytearray(register)
            for at in range(32, len(broken), 7):
                # Fail it in many ways: nothing of it may be told anywhere.
                changed = bytearray(broken)
                changed[at] ^= 0xFF
                try:
                    connection.exchange(bytes(changed))
                except Exception:
                    connection.close()
                    connection = Connection(server)
            connection.exchange(request_message(V1_2, [(int(Operation.REVOKE), payload(revoke(uid)), None)]))  # type: ignore[list-item]
        values += [fetch(server, make_key(server, f"key {number}")) for number in range(5)]
        server.admin("key", "list")
        pages = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
        pages.append(server.log.read_bytes())
    pages += [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    for value in values:
        for page in pages:
            assert value not in page
            assert value.hex().encode() not in page.lower()


def test_help_works_without_anything() -> None:
    for each in ("kmip-server", "kmip-admin"):
        assert "Usage" in run(each, "--help").stdout
    assert command("kmip-server")[-1]


# --- quirks -------------------------------------------------------------------------------------


def test_a_quirk_is_switched_on_for_one_client_and_off_again(new_instance: Path) -> None:
    with RunningServer(new_instance) as server:
        make_key(server, "twice")
        assert not make_key(server, "twice")
        told = server.admin("client", "quirk", "client", "names-not-unique").stdout
        assert told == "quirks of client: names-not-unique\n"
        assert make_key(server, "twice")
        shown = server.admin("client", "show", "client").stdout
        assert "quirk names-not-unique: a Name may be given to several objects" in shown
        assert json.loads(server.admin("client", "show", "client2", "--json").stdout)["quirks"] == []
        assert server.admin("client", "quirk", "client", "names-not-unique", "--off").stdout == (
            "quirks of client: none\n"
        )
        assert not make_key(server, "twice")
        wrong = server.admin("client", "quirk", "client", "of-no-kind", check=False)
        assert wrong.returncode != 0
        assert "there is no quirk 'of-no-kind'; there are iv-before-ciphertext, names-not-unique" in wrong.stderr
