"""What an administrator is told when something is not right: one sentence, which names the key or file to mend."""

from __future__ import annotations

import json
import resource
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from kmip_server import check
from kmip_server.check import Severity, examine
from tests.commands.test_commands import make_key
from tests.support.server import RunningServer, command, make_instance, run


def complaint(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line on standard error, besides the warning that a software keystore is no HSM."""
    assert done.returncode == code
    (line,) = [each for each in done.stderr.splitlines() if "keystore.kind is software" not in each]
    assert line.startswith("error: ")
    assert "Errno" not in line
    return line


# --- where it listens ---------------------------------------------------------------------------


def test_an_ipv6_address_stands_in_brackets(new_instance: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with RunningServer(new_instance, "--host", "::1") as server:
        arguments = ("--url", f"https://[::1]:{server.admin_port}", "--ca", server.ca)
        certificate, key = server.certificate("admin")
        run("kmip-admin", *arguments, "--cert", certificate, "--key", key, "status")
        (record,) = [
            each
            for each in json.loads(server.admin("audit", "tail", "--json").stdout)
            if each["principal"] == "admin"
        ]
        assert record["source"].startswith("[::1]:")


def refused_start(folder: Path, *arguments: str) -> str:
    done = run("kmip-server", "run", "--config", str(folder / "kmip-server.toml"), *arguments, check=False)
    assert done.stdout == ""
    return complaint(done, 2)


def test_what_cannot_be_listened_on_is_told_by_its_key(server: RunningServer, new_instance: Path) -> None:
    taken, other = str(server.port), str(server.admin_port)
    address = "cannot be listened on: Address already in use; is a server running?"
    told = refused_start(new_instance, "--port", taken, "--admin-port", "0")
    assert told == f"error: kmip.port: 127.0.0.1:{taken} {address}"
    told = refused_start(new_instance, "--port", "0", "--admin-port", other)
    assert told == f"error: admin.port: 127.0.0.1:{other} {address}"
    # TEST-NET-3 of RFC 5737 is no machine's address.
    told = refused_start(new_instance, "--port", "0", "--set", 'kmip.host="203.0.113.7"')
    assert told.startswith("error: kmip.host: 203.0.113.7:0 cannot be listened on: ")
    told = refused_start(new_instance, "--port", "0", "--admin-port", "0", "--set", 'admin.host="203.0.113.7"')
    assert told.startswith("error: admin.host: 203.0.113.7:0 cannot be listened on: ")


def test_the_log_is_ours_alone(new_instance: Path) -> None:
    with RunningServer(new_instance) as server:
        make_key(server, "one")
        server.admin("status")
    assert "twisted" not in server.log.read_text().lower()


# --- the disk -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "severity"),
    [(10 << 20, Severity.ERROR), (500 << 20, Severity.WARNING), (2 << 30, Severity.OK)],
)
def test_check_says_how_much_room_there_is(
    new_instance: Path, monkeypatch: pytest.MonkeyPatch, free: int, severity: Severity
) -> None:
    monkeypatch.setattr(check.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 40, 0, free))
    (found,) = [each for each in examine(new_instance / "kmip-server.toml") if each.subject == "disk"]
    assert found.severity == severity
    assert f"{free >> 20} MiB are free where {new_instance} is" in found.message


def test_a_disk_that_fills_is_told_and_logged(new_instance: Path) -> None:
    """No file may grow over what the log needs: as where the disk is full."""
    with RunningServer(new_instance) as server:
        bounds = resource.getrlimit(resource.RLIMIT_FSIZE)
        for process in server.workers():
            resource.prlimit(process, resource.RLIMIT_FSIZE, (8192, bounds[1]))
        refused = server.admin(
            "client", "enroll", "x", "--role", "Appliance", "--out", str(new_instance / "x"), check=False
        )
        assert "the database refused" in complaint(refused, 1)
        assert "an administrative action failed: the database refused" in server.log.read_text()
        assert "Traceback" not in server.log.read_text()
        for process in server.workers():
            resource.prlimit(process, resource.RLIMIT_FSIZE, bounds)
        server.admin("client", "enroll", "x", "--role", "Appliance", "--out", str(new_instance / "x"))


# --- check --------------------------------------------------------------------------------------


def test_check_warns_of_an_ec_key_for_clients_that_know_only_rsa(new_instance: Path) -> None:
    config = new_instance / "kmip-server.toml"
    warnings = [
        each for each in examine(config, ['kmip.tls_profile="legacy"']) if each.severity == Severity.WARNING
    ]
    (found,) = [each for each in warnings if each.subject == "certificates"]
    assert "has an EC key" in found.message
    assert not [each for each in examine(config) if "EC key" in each.message]


def test_check_of_settings_that_are_wrong_ends_as_usage(new_instance: Path) -> None:
    arguments = ("check", "--config", str(new_instance / "kmip-server.toml"))
    assert run("kmip-server", *arguments, "--set", "kmip.port=true", check=False).returncode == 2
    (new_instance / "certs" / "ca.key").chmod(0o640)
    assert run("kmip-server", *arguments, check=False).returncode == 1
    (new_instance / "certs" / "ca.key").chmod(0o600)
    assert run("kmip-server", *arguments, check=False).returncode == 0


def test_check_of_a_certificate_that_is_none(new_instance: Path) -> None:
    for name, what in (("server.pem", "certificate"), ("ca.pem", "client CA")):
        path = new_instance / "certs" / name
        path.write_text("nothing")
        told = [each.message for each in examine(new_instance / "kmip-server.toml")]
        assert f"the {what} {path} cannot be read: it is no certificate in PEM form" in told
        path.unlink()
        told = [each.message for each in examine(new_instance / "kmip-server.toml")]
        assert f"the {what} {path} cannot be read: No such file or directory" in told
        shutil.copy(new_instance / "certs" / "client.pem", path)


def test_a_missing_token_is_one_line(tmp_path: Path) -> None:
    folder = make_instance(tmp_path / "kmip")
    shutil.move(folder / "softhsm", tmp_path / "away")
    told = refused_start(folder, "--port", "0", "--admin-port", "0")
    assert f"nor is there a folder {folder / 'softhsm'} of its own; restore it, or a backup" in told


# --- enrolment ----------------------------------------------------------------------------------


def enrolment(folder: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    config = str(folder / "kmip-server.toml")
    words = ("client", "enroll", "array", "--role", "Appliance", "--out", str(out), *more)
    return run("kmip-admin", "--config", config, *words, check=False)


def test_a_ca_key_that_others_can_read_enrols_nobody(new_instance: Path, tmp_path: Path) -> None:
    key = new_instance / "certs" / "ca.key"
    key.chmod(0o644)
    told = complaint(enrolment(new_instance, tmp_path / "array"), 2)
    assert told == f"error: the private key {key} can be read by others; run: chmod 600 {key}"
    assert not list(tmp_path.glob("array*"))
    key.chmod(0o600)
    assert enrolment(new_instance, tmp_path / "array").returncode == 0


def test_a_node_without_the_cas_key_says_where_to_enrol(new_instance: Path, tmp_path: Path) -> None:
    other = make_instance(tmp_path / "other", "--join", str(new_instance / "kmip-server.toml"))
    told = complaint(enrolment(other, tmp_path / "array"), 2)
    assert "enrol on the node that has the CA's key, or pin the device's own certificate with --certificate" in told
    assert not list(tmp_path.glob("array*"))


def test_what_enrol_is_given_is_answered_in_words(new_instance: Path, tmp_path: Path) -> None:
    told = complaint(enrolment(new_instance, tmp_path / "none" / "array"), 2)
    assert told == f"error: the folder {tmp_path / 'none'} does not exist; nothing was enrolled"
    assert "days is 1 to 3650" in complaint(enrolment(new_instance, tmp_path / "array", "--days", "3651"), 2)
    config = str(new_instance / "kmip-server.toml")
    words = ("client", "enroll", "two\nlines", "--role", "Appliance", "--out", str(tmp_path / "array"))
    told = complaint(run("kmip-admin", "--config", config, *words, check=False), 1)
    assert told == "error: client.enroll: name: a name has no control characters"


# --- kmip-admin from elsewhere ------------------------------------------------------------------


def test_what_a_remote_command_lacks_is_said(server: RunningServer, tmp_path: Path) -> None:
    certificate, key = server.certificate("admin")
    _, other_key = server.certificate("client")
    no_certificate = server.folder / "kmip-server.toml"
    here = f"https://127.0.0.1:{server.admin_port}"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers
        away = f"https://127.0.0.1:{closed.getsockname()[1]}"
        cases = (
            (
                here,
                certificate,
                key,
                None,
                1,
                "is not trusted (self-signed certificate in certificate chain); give --ca",
            ),
            (here, certificate, other_key, server.ca, 2, "are not a certificate and its unencrypted private key"),
            (here, certificate, key, no_certificate, 2, f"--ca {no_certificate} holds no certificate in PEM form"),
            (here, certificate, key, tmp_path / "none", 2, f"{tmp_path / 'none'} cannot be read: No such file"),
            (here, tmp_path / "none", key, server.ca, 2, f"{tmp_path / 'none'} cannot be read: No such file"),
            (
                away,
                certificate,
                key,
                server.ca,
                1,
                f"the server at {away.removeprefix('https://')} does not answer: Connection refused",
            ),
            ("https://127.0.0.1:x", certificate, key, server.ca, 2, "--url is https://HOST:PORT"),
            ("https://[::1", certificate, key, server.ca, 2, "--url is https://HOST:PORT"),
            ("http://127.0.0.1:1", certificate, key, server.ca, 2, "--url is https://HOST:PORT"),
        )
        for url, cert_file, key_file, ca, code, expected in cases:
            words = ["--url", url, "--cert", str(cert_file), "--key", str(key_file)]
            words += ["--ca", str(ca)] if ca is not None else []
            assert expected in complaint(run("kmip-admin", *words, "status", check=False), code)


def test_where_nobody_can_be_asked_the_passphrase_is_wanted_in_a_file(new_instance: Path, tmp_path: Path) -> None:
    config, target = str(new_instance / "kmip-server.toml"), tmp_path / "backup"
    done = subprocess.run(
        command("kmip-admin", "--config", config, "backup", "create", str(target)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert "give --passphrase-file FILE" in complaint(done, 2)
    assert not target.exists()


def test_a_reader_that_has_seen_enough_gets_no_complaint(new_instance: Path) -> None:
    config = str(new_instance / "kmip-server.toml")
    process = subprocess.Popen(
        command("kmip-admin", "--config", config, "status"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


def test_an_object_is_shown_in_words(server: RunningServer) -> None:
    uid = make_key(server, "in words")
    shown = server.admin("key", "show", uid).stdout
    assert shown.count(" UTC") >= 3
    lines = [line.split("  ") for line in shown.splitlines() if line]
    words = {line[0]: line[-1].strip() for line in lines}
    assert words["Cryptographic Usage Mask"] == "Sign, Verify, Encrypt, Decrypt, Wrap Key, MAC Generate, MAC Verify"
    assert words["Name"] == "name value: in words, name type: Uninterpreted Text String"
    assert "=" not in shown
    assert "b'" not in shown
    assert not [word for word in shown.split() if word.isdigit() and len(word) == 10]
