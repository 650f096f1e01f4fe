"""The servers of the benchmark, each a process of its own, with the same certificates."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import messages
from bench.load import Endpoint, Job, Refused, connect, exchange
from tests.support.server import RunningServer, run

ROOT = Path(__file__).resolve().parent.parent
OURS, TWO_WORKERS, DEFERRED, BEFORE = "ours", "ours, 2 workers", "ours, deferred", "before"
PYKMIP, BARE = "PyKMIP", "bare TLS"
_DATABASES: dict[int, Path] = {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Failed(Exception):
    """A server could not be measured: it ended a connection, or nothing came."""


def load(job: Job) -> dict[str, Any]:
    """One measurement, by the load generator in its own process. Raises Refused, Failed."""
    told = asdict(job) | {"messages": [each.hex() for each in job.messages]}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(told, file)
        file.flush()
        command = [sys.executable, "-m", "bench.load", file.name]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    if "refused" in result:
        raise Refused(result["refused"])
    if "failed" in result:
        raise Failed(result["failed"])
    return result


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server that runs."""

    who: str
    endpoint: Endpoint
    process: int


def environment(tree: Path) -> dict[str, str]:
    """For a process whose kmip_server is that tree's, wherever it is started."""
    return os.environ | {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}


def make(folder: Path, *options: str, tree: Path = ROOT) -> Path:
    """An instance, by that tree's `init`."""
    run("kmip-server", "init", str(folder), *options, env=environment(tree))
    return folder


def running(instance: Path, *options: str, tree: Path = ROOT) -> RunningServer:
    return RunningServer(instance, *options, environment=environment(tree))


def endpoint(server: RunningServer) -> Endpoint:
    certificate, key = server.certificate()
    return Endpoint(server.port, certificate, key, server.ca)


@contextmanager
def ours(folder: Path, who: str, *options: str, tree: Path = ROOT) -> Iterator[Contestant]:
    """A server as `init` makes it with these settings: SoftHSM, durable record, everything on."""
    sets = [word for option in options for word in ("--set", option)]
    with running(make(folder, *sets, tree=tree), tree=tree) as server:
        assert server.process is not None
        yield Contestant(who, endpoint(server), server.process.pid)


def _wait(endpoint: Endpoint, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        try:
            connect(endpoint).close()
            return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError("a server of the benchmark did not start") from None
            time.sleep(0.05)
    raise RuntimeError("a server of the benchmark does not answer")


@contextmanager
def _process(who: str, endpoint: Endpoint, *command: str) -> Iterator[Contestant]:
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(endpoint, process)
        yield Contestant(who, endpoint, process.pid)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def pykmip(folder: Path, like: Endpoint) -> Iterator[Contestant]:
    """PyKMIP's server 0.11.0. It speaks TLS 1.2 only."""
    port, database = _free_port(), folder / "pykmip.db"
    certs = Path(like.ca).parent
    (folder / "policy").mkdir()
    (folder / "pykmip.conf").write_text(
        "[server]\n"
        f"hostname=127.0.0.1\nport={port}\n"
        f"certificate_path={certs / 'server.pem'}\nkey_path={certs / 'server.key'}\nca_path={like.ca}\n"
        f"auth_suite=TLS1.2\npolicy_path={folder / 'policy'}\nenable_tls_client_auth=True\n"
        f"logging_level=ERROR\ndatabase_path={database}\n"
    )
    script = (
        "from kmip.services.server import KmipServer\n"
        f"settings = {str(folder / 'pykmip.conf')!r}\n"
        f"with KmipServer(config_path=settings, log_path={str(folder / 'pykmip.log')!r}) as server:\n"
        "    server.serve()\n"
    )
    endpoint = Endpoint(port, like.certificate, like.key, like.ca, tls12=True)
    _DATABASES[port] = database
    with _process(PYKMIP, endpoint, sys.executable, "-W", "ignore", "-c", script) as contestant:
        yield contestant


def populate_pykmip(endpoint: Endpoint, start: int, count: int) -> None:
    """Named keys as rows copied from one made over the wire: over the wire 10,000 would take half a minute
    and more."""
    connection = connect(endpoint)
    made = messages.unique_identifier(exchange(connection, messages.create("bench model")))
    connection.close()
    database = sqlite3.connect(_DATABASES[endpoint.port], timeout=30)
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    parents = [
        table for table in ("managed_objects", "crypto_objects", "keys", "symmetric_keys") if table in tables
    ]
    first = database.execute("SELECT max(uid) FROM managed_objects").fetchone()[0] + 1
    for table in parents:
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        rest = [column for column in columns if column != "uid"]
        listed = ", ".join(f'"{column}"' for column in rest)
        select = f"SELECT {listed or 'uid'} FROM {table} WHERE uid = ?"
        row = database.execute(select, (made,)).fetchone() if rest else ()
        marks = ", ".join("?" for _ in columns)
        database.executemany(
            f"INSERT INTO {table} (uid{', ' + listed if rest else ''}) VALUES ({marks})",
            [(first + number - start, *row) for number in range(start, count)],
        )
    columns = [row[1] for row in database.execute("PRAGMA table_info(managed_object_names)")]
    rest = [column for column in columns if column not in ("id", "mo_uid", "name", "uid")]
    owner = "mo_uid" if "mo_uid" in columns else "uid"
    listed = ", ".join(f'"{column}"' for column in rest)
    model = database.execute(f"SELECT {listed} FROM managed_object_names WHERE {owner} = ?", (made,)).fetchone()
    database.executemany(
        f"INSERT INTO managed_object_names ({owner}, name, {listed}) VALUES (?, ?, {', '.join('?' for _ in rest)})",
        [(first + number - start, f"bench key {number:06d}", *model) for number in range(start, count)],
    )
    database.commit()
    database.close()


@contextmanager
def bare(like: Endpoint) -> Iterator[Contestant]:
    """A Twisted TLS responder that does nothing: what TLS and the load generator cost by themselves."""
    port = _free_port()
    endpoint = Endpoint(port, like.certificate, like.key, like.ca)
    certs = Path(like.ca).parent
    command = (sys.executable, "-m", "bench.responder", str(port), str(certs))
    with _process(BARE, endpoint, *command) as contestant:
        yield contestant
