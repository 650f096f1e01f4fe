"""PyKMIP as a client of `make interop`: its steps in every version."""

from __future__ import annotations

from pathlib import Path

from interop.contract import Client
from interop.endpoint import Endpoint
from interop.pykmip import suite
from interop.steps import Outcome


def run(endpoint: Endpoint, _: Path) -> list[Outcome]:
    """Every step in every version."""
    return [outcome for version in suite.VERSIONS for outcome in suite.run(endpoint, version)]


def probe(endpoint: Endpoint, _: Path) -> str:
    """A key made and fetched."""
    try:
        with suite.proxy_client(endpoint, endpoint.certificate, endpoint.key, "1.4") as client:
            uid = client.create(suite.enums.CryptographicAlgorithm.AES, 256)
            client.get(uid)
            client.destroy(uid)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "a key, made and fetched"


CLIENT = Client(
    name="pykmip",
    title="PyKMIP: ProxyKmipClient and KMIPProxy",
    version="0.11.0",
    language="Python",
    installed_by="`pip install pykmip==0.11.0`",
    run=run,
    probe=probe,
)
