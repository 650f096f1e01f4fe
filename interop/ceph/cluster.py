"""A Ceph cluster of the least size on loopback: a monitor, an OSD in memory, RADOS Gateways.

Strategy: Debian's programs as they are, in the foreground, everything they write below one folder, each ended by
its process id. The cluster asks nobody for a key of its own (cephx is off): it is reached from this machine only.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interop.contract import Failed, call, running
from interop.endpoint import Endpoint
from interop.servers import free_port

ACCESS, SECRET = "interop", "a-secret-of-this-test-only"  # the user of a cluster that lives a minute
BUCKETS_DATA = "default.rgw.buckets.data"
WORKER = Path(__file__).with_name("s3.py")

# Pools of one copy and the daemons' own folders; no manager is needed, since nothing balances or counts here. A
# gateway wants its line to the monitor encrypted, which there cannot be without cephx: hence its `crc`.
CONFIGURATION = """\
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{port}]
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_bind_msgr1 = false
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
admin_socket =
run_dir = {folder}
crash_dir = {folder}
log_file = {folder}/$name.log
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_crit = 1
paxos_propose_interval = 0.05
paxos_min_wait = 0.01

[mon]
mon_data = {folder}/mon

[osd]
osd_data = {folder}/osd
osd_objectstore = memstore
"""

GATEWAY = """
[client.{name}]
rgw_data = {folder}
rgw_frontends = beast endpoint=127.0.0.1:{port}
rgw_thread_pool_size = 8
ms_mon_client_mode = crc
rgw_run_sync_thread = false
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = kmip
rgw_crypt_kmip_addr = {endpoint.host}:{endpoint.port}
rgw_crypt_kmip_ca_path = {endpoint.ca}
rgw_crypt_kmip_client_cert = {endpoint.certificate}
rgw_crypt_kmip_client_key = {endpoint.key}
"""


class Refused(Exception):
    """What the gateway answered to a call that it did not perform; status 0 where it did not answer in time."""

    def __init__(self, code: str, status: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.status = status


_END_SECONDS = 3.0
"""A gateway with a request that it never answers does not end by itself."""


@dataclass(slots=True)
class S3:
    """boto3 in a process of its own."""

    process: subprocess.Popen[str]

    def __call__(self, name: str, **arguments: Any) -> dict[str, Any]:
        """A call of boto3's S3 client. Raises Refused where the gateway answers an error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps([name, arguments], default=_written), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"boto3 ended at {name}")
        found: dict[str, Any] = json.loads(line, object_hook=_read)
        if "answer" not in found:
            raise Refused(**found)
        answer: dict[str, Any] = found["answer"]
        return answer


def _written(value: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(value).decode()}


def _read(found: dict[str, Any]) -> Any:
    return base64.b64decode(found["base64"]) if set(found) == {"base64"} else found


@dataclass(slots=True)
class Cluster:
    """Monitor and OSD of one identity's run, and the gateways in front of them."""

    folder: Path
    python: Path
    """The interpreter that has boto3."""
    _open: ExitStack = field(default_factory=ExitStack)

    @property
    def configuration(self) -> Path:
        return self.folder / "ceph.conf"

    def call(self, program: str, *arguments: str) -> str:
        """What one of Ceph's programs prints."""
        return call([program, "--conf", self.configuration, *arguments], folder=self.folder, seconds=60)

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _start(self) -> None:
        fsid, port = str(uuid.uuid4()), free_port()
        self.configuration.write_text(CONFIGURATION.format(fsid=fsid, port=port, folder=self.folder))
        monmap, osd = self.folder / "monmap", str(uuid.uuid4())
        (self.folder / "osd").mkdir()
        address = f"[v2:127.0.0.1:{port}]"
        call(["monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, monmap])
        self.call("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(monmap))
        self._daemon("ceph-mon", "-i", "a")
        self.call("ceph", "--connect-timeout", "30", "osd", "new", osd)
        self.call("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osd)
        self._daemon("ceph-osd", "-i", "0")

    def _daemon(self, *words: str) -> subprocess.Popen[bytes]:
        command = (words[0], "--conf", self.configuration, "-f", *words[1:])
        return self._open.enter_context(running(command, self.folder / f"{words[0]}.out", seconds=_END_SECONDS))

    def gateway(self, name: str, endpoint: Endpoint, seconds: float = 60) -> S3:
        """A RADOS Gateway that asks `endpoint` for keys, and boto3 at it, which waits so long for an answer."""
        port = free_port()
        with self.configuration.open("a") as file:
            file.write(GATEWAY.format(name=name, port=port, folder=self.folder, endpoint=endpoint))
        known = json.loads(self.call("radosgw-admin", "--name", f"client.{name}", "user", "list"))
        if ACCESS not in known:
            words = ("user", "create", "--uid", ACCESS, "--display-name", ACCESS)
            keys = ("--access-key", ACCESS, "--secret-key", SECRET)
            self.call("radosgw-admin", "--name", f"client.{name}", *words, *keys)
        process = self._daemon("radosgw", "--name", f"client.{name}")
        _wait(port, process)
        worker = subprocess.Popen(
            [self.python, WORKER, f"http://127.0.0.1:{port}", ACCESS, SECRET, str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._open.callback(_end, worker)
        return S3(worker)

    def log(self, name: str) -> str:
        """What a gateway wrote."""
        return (self.folder / f"client.{name}.log").read_text(errors="replace")

    def stored(self) -> bytes:
        """Everything of the buckets' objects as RADOS keeps it."""
        return b"".join(map(self._object, self._names()))

    def stored_as(self, key: str) -> bytes:
        """One object that is small enough for one piece: RADOS names it MARKER_KEY."""
        (name,) = (each for each in self._names() if each.endswith(f"_{key}"))
        return self._object(name)

    def _names(self) -> list[str]:
        return [name for name in self.call("rados", "--pool", BUCKETS_DATA, "ls").split("\n") if name]

    def _object(self, name: str) -> bytes:
        file = self.folder / "object"
        self.call("rados", "--pool", BUCKETS_DATA, "get", name, str(file))
        return file.read_bytes()


def _end(worker: subprocess.Popen[str]) -> None:
    """It ends where nothing more can be asked."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.close()
    worker.wait(30)
    worker.stdout.close()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the gateway listens."""
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            if process.poll() is not None:
                raise Failed("the gateway did not start") from None
            time.sleep(0.05)
    raise Failed("the gateway does not listen")
