"""OpenStack Swift on loopback: one account, container and object server, and proxies in front of them.

Strategy: Swift's own programs as they are, in the foreground, with everything below one folder; `swift_dir` tells
them where their settings are. Nobody is asked who he is: the proxy's pipeline is what encryption needs, no more.
"""

from __future__ import annotations

import getpass
import http.client
import json
import subprocess
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interop.contract import Failed, call, running
from interop.endpoint import Endpoint
from interop.servers import free_port

KINDS = ("account", "container", "object")
ACCOUNT = "/v1/AUTH_interop"
RINGS = Path(__file__).with_name("rings.py")

SETTINGS = """\
[swift-hash]
swift_hash_path_suffix = interop

[storage-policy:0]
name = only
default = yes
"""

COMMON = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
workers = 0
swift_dir = {folder}
"""

NODE = """\
devices = {folder}/srv
mount_check = false
fallocate_reserve = 0
disable_fallocate = true

[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
"""

PROXY = """\

[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck kmip_keymaster encryption proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:gatekeeper]
use = egg:swift#gatekeeper

[filter:healthcheck]
use = egg:swift#healthcheck

[filter:encryption]
use = egg:swift#encryption

[filter:kmip_keymaster]
use = egg:swift#kmip_keymaster
keymaster_config_path = {keymaster}
"""

KEYMASTER = """\
[kmip_keymaster]
host = {endpoint.host}
port = {endpoint.port}
certfile = {endpoint.certificate}
keyfile = {endpoint.key}
ca_certs = {endpoint.ca}
"""


class NotStarted(Exception):
    """A proxy that ended instead of serving; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Proxy:
    """Swift as its users see it."""

    port: int

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, ACCOUNT + path, body, named)
            answer = connection.getresponse()
            return Answer(
                answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
            )
        finally:
            connection.close()


@dataclass(slots=True)
class Store:
    """The servers that keep, and what it takes to put a proxy before them."""

    folder: Path
    programs: Path
    """Where Swift's programs are."""
    _open: ExitStack = field(default_factory=ExitStack)
    _proxies: int = 0

    def __enter__(self) -> Store:
        try:
            self._start()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _start(self) -> None:
        (self.folder / "srv" / "disk").mkdir(parents=True)
        (self.folder / "swift.conf").write_text(SETTINGS)
        ports = {kind: free_port() for kind in KINDS}
        rings = [f"{kind}={port}" for kind, port in ports.items()]
        call([self.programs / "python", RINGS, self.folder, *rings], folder=self.folder)
        started = []
        for kind, port in ports.items():
            configuration = self._common(f"{kind}-server.conf", port, NODE.format(kind=kind, folder=self.folder))
            command = (self.programs / f"swift-{kind}-server", configuration, "-v")
            started.append(self._open.enter_context(running(command, self.folder / f"{kind}.out")))
        for process, port in zip(started, ports.values(), strict=True):
            if not _serves(process, port, "/"):
                raise Failed("one of Swift's servers did not start")

    def _common(self, name: str, port: int, rest: str) -> Path:
        made = self.folder / name
        made.write_text(COMMON.format(port=port, user=getpass.getuser(), folder=self.folder) + rest)
        return made

    @contextmanager
    def proxy(self, endpoint: Endpoint, keys: Mapping[str, str], active: str = "") -> Iterator[Proxy]:
        """A proxy with these root secrets, Unique Identifiers by secret id ("" is the one that has none).

        Raises NotStarted where it does not serve.
        """
        self._proxies += 1
        port = free_port()
        keymaster = self.folder / f"keymaster-{self._proxies}.conf"
        lines = [f"key_id{'_' if name else ''}{name} = {uid}\n" for name, uid in keys.items()]
        lines += [f"active_root_secret_id = {active}\n"] if active else []
        keymaster.write_text(KEYMASTER.format(endpoint=endpoint) + "".join(lines))
        name = f"proxy-{self._proxies}"
        configuration = self._common(f"{name}.conf", port, PROXY.format(keymaster=keymaster))
        output = self.folder / f"{name}.out"
        with running((self.programs / "swift-proxy-server", configuration, "-v"), output) as process:
            if not _serves(process, port, "/healthcheck"):
                raise NotStarted(output.read_text(errors="replace"))
            yield Proxy(port)

    def stored(self) -> list[Path]:
        """The files of all objects, oldest first."""
        return sorted((self.folder / "srv").rglob("*.data"), key=lambda path: path.name)

    def encryption(self, file: Path) -> dict[str, Any]:
        """What Swift keeps beside an object's bytes of how they are encrypted, by Swift's own tool."""
        told = call([self.programs / "swift-object-info", "-n", "-d", self.folder, file], folder=self.folder)
        (line,) = (each for each in told.splitlines() if "X-Object-Sysmeta-Crypto-Body-Meta:" in each)
        found: dict[str, Any] = json.loads(urllib.parse.unquote_plus(line.partition(":")[2].strip()))
        return found


def _serves(process: subprocess.Popen[bytes], port: int, path: str) -> bool:
    """Wait until it does, or has ended. Swift loads its filters once more after it listens: hence a request."""
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path)
            connection.getresponse().read()
            return True
        except (OSError, http.client.HTTPException):
            if process.poll() is not None:
                return False
            time.sleep(0.05)
        finally:
            connection.close()
    return False
