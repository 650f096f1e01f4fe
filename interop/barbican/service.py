"""OpenStack Barbican's API on loopback, with the KMIP secret store and a database of its own.

Strategy: Barbican finds its settings in the home folder that it is given. Its pipeline is the one for Keystone less
the filter that asks Keystone, so that a request carries what that filter would write. Orders are performed at once.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interop.contract import Failed
from interop.endpoint import Endpoint
from interop.servers import free_port

SERVE = Path(__file__).with_name("serve.py")
PASTE = Path("etc") / "barbican" / "barbican-api-paste.ini"

AUTHENTICATED = {
    "X-Identity-Status": "Confirmed",
    "X-Project-Id": "interop",
    "X-User-Id": "user",
    "X-Roles": "admin,creator,member,reader",
}

SETTINGS = """\
[DEFAULT]
db_auto_create = True
log_file = {folder}/barbican.log

[database]
connection = sqlite:///{folder}/barbican.sqlite

[secretstore]
namespace = barbican.secretstore.plugin
enabled_secretstore_plugins = kmip_plugin

[kmip_plugin]
host = {endpoint.host}
port = {endpoint.port}
ca_certs = {endpoint.ca}
certfile = {endpoint.certificate}
keyfile = {keyfile}
"""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Barbican:
    """The API as its users see it."""

    port: int
    folder: Path

    def __call__(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """`path` may be a reference that Barbican gave; `body` is sent as JSON, but for bytes."""
        path = path.removeprefix(f"http://127.0.0.1:{self.port}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        json_headers = {"Accept": "application/json", "Content-Type": "application/json"}
        sent = {**AUTHENTICATED, **json_headers, **(headers or {})}
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body)
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        finally:
            connection.close()

    @property
    def log(self) -> str:
        return (self.folder / "barbican.log").read_text(errors="replace")


@contextmanager
def barbican(folder: Path, environment: Path, endpoint: Endpoint) -> Iterator[Barbican]:
    """Barbican in this folder, which keeps its database; `environment` is the virtual environment that has it."""
    port, keyfile = free_port(), folder / "client.key"
    if not keyfile.exists():
        # Barbican takes a key of this mode and no other.
        shutil.copy(endpoint.key, keyfile)
        keyfile.chmod(0o400)
    home = folder / ".barbican"
    home.mkdir(exist_ok=True)
    (home / "barbican.conf").write_text(SETTINGS.format(folder=folder, endpoint=endpoint, keyfile=keyfile))
    paste = folder / "paste.ini"
    given = (environment / PASTE).read_text()
    paste.write_text(given.replace(" authtoken context ", " context "))
    with (folder / "out").open("ab") as output:
        process = subprocess.Popen(
            [environment / "bin" / "python", SERVE, paste, str(port)],
            cwd=folder,
            env=os.environ | {"HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        served = Barbican(port, folder)
        _wait(served, process)
        yield served
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
        process.wait(30)


def _wait(served: Barbican, process: subprocess.Popen[bytes]) -> None:
    """Until it answers."""
    for _ in range(600):
        try:
            served("GET", "/v1/secrets")
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    raise Failed(f"Barbican did not start: {(served.folder / 'out').read_text(errors='replace')[-1500:]}")
