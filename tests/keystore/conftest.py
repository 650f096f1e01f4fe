"""A token and a file, each made as `init` makes them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pkcs11 import TokenFlag

from kmip_server.keystore import module
from kmip_server.keystore.guard import GuardedKeyStore, new_sealing_key
from kmip_server.keystore.holder import Holder
from kmip_server.keystore.pkcs11 import TokenHolder
from kmip_server.keystore.software import SoftwareHolder
from tests.keystore.faults import library

PIN = "1234-user"
LABEL = "test token"
_labels = itertools.count(2)


def write_secret(path: Path, secret: str) -> Path:
    path.write_text(secret)
    path.chmod(0o600)
    return path


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> TokenHolder:
    """SoftHSM reads its configuration once in a process: one token serves all tests."""
    folder = tmp_path_factory.mktemp("token")
    made = TokenHolder(library(), LABEL, write_secret(folder / "pin", PIN), folder / "softhsm")
    made.initialise_softhsm(PIN, "5678-officer")
    made.create()
    made.open()
    return made


@pytest.fixture
def empty_token(token: TokenHolder, tmp_path: Path) -> TokenHolder:
    """Another token beside the first, of the test's own, with a PIN and nothing in it."""
    label = f"test token {next(_labels)}"
    make_token(label)
    return TokenHolder(library(), label, write_secret(tmp_path / "pin", PIN))


def make_token(label: str) -> None:
    loaded = module.load(library())
    slot = next(s for s in loaded.get_slots() if not s.get_token().flags & TokenFlag.TOKEN_INITIALIZED)
    module.initialise_token(library(), slot.slot_id, label, "5678-officer")
    with loaded.get_token(token_label=label).open(rw=True, so_pin="5678-officer") as session:
        session.init_pin(PIN)


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


StartKeyStore = Callable[..., GuardedKeyStore]


@pytest.fixture
def start_keystore() -> Iterator[StartKeyStore]:
    """Starts a keystore with a new sealing key, impatient, and stops it after the test."""
    started = []

    def start(holder: Holder, grace_seconds: float = 0, **options: float) -> GuardedKeyStore:
        records = [new_sealing_key(holder, 1, 0), new_sealing_key(holder, 2, 0)]
        options = {"probe_seconds": 0.1, "answer_seconds": 1.0, **options}
        keystore = GuardedKeyStore(holder, records, grace_seconds, **options)
        keystore.start()
        started.append(keystore)
        return keystore

    yield start
    for keystore in started:
        keystore.stop()


def wait_until_available(keystore: GuardedKeyStore, available: bool, seconds: float = 30) -> bool:
    """Whether it came to that in time."""
    with keystore._changed:
        return keystore._changed.wait_for(lambda: (keystore._sealer is not None) == available, seconds)
