"""Settings: what is written is read, and every complaint names its place."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from kmip_server.config import load, write
from kmip_server.config.settings import Settings
from kmip_server.errors import SettingsError

SOFTWARE = '[keystore]\nkind = "software"\n'


def complaint(text: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load.parse(tomllib.loads(text), "FILE")
    return str(refused.value)


def test_the_sample_says_the_defaults() -> None:
    data = tomllib.loads(write.sample({"keystore.kind": "software"}))
    made = load.parse(data, "FILE")
    default = load.parse({"keystore": {"kind": "software"}}, "FILE")
    assert made == default


def test_the_contracts_defaults() -> None:
    settings = load.parse(tomllib.loads(SOFTWARE), "FILE")
    assert (settings.kmip.port, settings.https.port, settings.admin.port) == (5696, 5697, 5698)
    assert settings.kmip.host == settings.admin.host == "127.0.0.1"
    assert settings.kmip.tls_profile == "compatible"
    assert settings.names.unique == "owner"
    assert settings.store.url == "sqlite:///kmip.db"
    assert settings.keystore.grace_seconds == 0
    assert settings.audit.reads == "durable"
    assert settings.protocol.lease_time_seconds == 3600


WRONG: dict[str, tuple[str, str]] = {
    "unknown section": ("[kmp]\n", "FILE: kmp is not a setting; do you mean kmip?"),
    "unknown key": ("[kmip]\nprot = 1\n", "FILE: kmip.prot is not a setting; do you mean port?"),
    "wrong type": ('[kmip]\nport = "x"\n', "kmip.port: input should be a valid integer"),
    "out of range": ("[kmip]\nport = 70000\n", "kmip.port: input should be less than or equal to 65535, not 70000"),
    "wrong choice": (
        '[names]\nunique = "all"\n',
        "names.unique: input should be 'owner', 'domain' or 'off', not 'all'",
    ),
    "no token": ('[keystore]\nkind = "pkcs11"\n', "a pkcs11 keystore needs a [[keystore.token]]"),
    "rule of no source": ('[[identity.rule]]\nfrom = "subject.X"\n', "from = 'subject.X' is not one of sha256"),
    "https": ("[https]\nenabled = true\n", "https.enabled: HTTPS is not available in this version"),
    "workers": ("[server]\nworkers = 0\n", "server.workers: input should be greater than or equal to 1, not 0"),
    "database": ('[store]\nurl = "postgresql+psycopg://x"\n', "store.url: a database other than SQLite"),
    "directory": ('[directory]\nurls = ["ldap://x"]\n', "directory.urls: a directory"),
    "retention": ("[audit]\nretention_days = 30\n", "audit.retention_days: an end of retention is not available"),
    "start_tls": ("[directory]\nstart_tls = true\n", "directory: a directory is not available"),
    "https port": ("[https]\nport = 1\n", "https: HTTPS is not available"),
    "a port that is a truth": ("[kmip]\nport = true\n", "kmip.port: input should be a valid integer, not True"),
    "a port that is a fraction": ("[kmip]\nport = 5696.0\n", "kmip.port: input should be a valid integer"),
    "crl": ('[tls]\ncrl = ["x"]\n', "tls.crl: revocation lists"),
    "mapping": ('[[role_mapping]]\ngroup = "g"\nrole = "r"\n', "role_mapping: a mapping of directory groups"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_complaints_name_file_section_key_and_what_was_expected(text: str, expected: str) -> None:
    given = text if "keystore" in text else text + SOFTWARE
    assert expected in complaint(given)


def test_all_complaints_come_at_once() -> None:
    told = complaint('[kmip]\nport = "x"\nprot = 1\n[foo]\n')
    assert len(told.splitlines()) == 3


def test_overrides(tmp_path: Path) -> None:
    path = tmp_path / "kmip-server.toml"
    path.write_text(SOFTWARE)
    settings = load.load(path, ["kmip.port=0", 'names.unique="off"', 'tls.client_ca=["a", "b"]'])
    assert (settings.kmip.port, settings.names.unique, settings.tls.client_ca) == (0, "off", ["a", "b"])
    assert settings.path("x") == tmp_path / "x"
    for wrong, expected in (
        ("kmip.port", "expected SECTION.KEY=VALUE"),
        ("kmip.host=localhost", "text stands in quotes"),
        ("kmip.prot=1", "do you mean port?"),
    ):
        with pytest.raises(SettingsError, match=expected.replace("?", r"\?")):
            load.load(path, [wrong])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load.load(tmp_path / "absent.toml")
    (tmp_path / "broken.toml").write_text("[kmip\n")
    with pytest.raises(SettingsError, match="is not TOML"):
        load.load(tmp_path / "broken.toml")


def test_every_key_is_explained() -> None:
    def keys(kind: Any) -> None:
        for key in dataclasses.fields(kind):
            inner = write._kind(kind, key.name)
            if dataclasses.is_dataclass(inner):
                keys(inner)
            elif key.name != "folder" or kind is not Settings:
                assert len(key.metadata["text"]) > 3, key.name

    keys(Settings)


def test_rows_that_are_set_are_written(tmp_path: Path) -> None:
    rows = load.parse(
        tomllib.loads(SOFTWARE + '[[identity.rule]]\nfrom = "san.email"\nprincipal = "mail {value}"\n'), "FILE"
    )
    text = write.sample({"keystore.kind": "software", "identity.rule": rows.identity.rule})
    assert load.parse(tomllib.loads(text), "FILE").identity == rows.identity
