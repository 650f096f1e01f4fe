"""Which holder the settings name."""

from __future__ import annotations

from pathlib import Path

from kmip_server.keystore import softhsm
from kmip_server.keystore.holder import Holder


def token_holder(module: str, label: str, pin_file: Path, folder: Path) -> Holder:
    """A PKCS#11 token. `folder` is the instance's: its own SoftHSM token lives below it."""
    from kmip_server.keystore.pkcs11 import TokenHolder

    own = folder / softhsm.FOLDER
    if not softhsm.is_softhsm(module):
        return TokenHolder(module, label, pin_file)
    if own.is_dir():
        return TokenHolder(module, label, pin_file, own)
    return TokenHolder(module, label, pin_file, absent_folder=own)


def software_holder(folder: Path) -> Holder:
    """The instance's own sealed file, and its passphrase beside it."""
    from kmip_server.keystore.software import SoftwareHolder

    return SoftwareHolder(folder / "keystore.json", folder / "keystore.passphrase")
