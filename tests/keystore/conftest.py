"""A token and a file, each made as `init` makes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kmip_server.keystore import softhsm
from kmip_server.keystore.holder import Holder
from kmip_server.keystore.pkcs11 import TokenHolder
from kmip_server.keystore.software import SoftwareHolder

MakeHolder = Callable[[], Holder]


def write_secret(path: Path, secret: str) -> Path:
    path.write_text(secret)
    path.chmod(0o600)
    return path


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> TokenHolder:
    """SoftHSM reads its configuration once in a process: one token serves all tests."""
    folder = tmp_path_factory.mktemp("token")
    library = softhsm.find_library()
    assert library is not None, "SoftHSM is not installed; run make setup"
    pin = write_secret(folder / "pin", "1234-user")
    made = TokenHolder(str(library), "test token", pin, folder / "softhsm")
    made.initialise_softhsm("1234-user", "5678-officer")
    made.create()
    made.open()
    return made


@pytest.fixture
def software(tmp_path: Path) -> SoftwareHolder:
    write_secret(tmp_path / "passphrase", "correct horse battery staple")
    made = SoftwareHolder(tmp_path / "keystore.json", tmp_path / "passphrase")
    made.create()
    made.open()
    return made


@pytest.fixture(params=["token", "software"])
def holder(request: pytest.FixtureRequest) -> Holder:
    made: Holder = request.getfixturevalue(request.param)
    return made
