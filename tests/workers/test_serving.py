"""Two workers are one server: they start and end together, share the clients, and resume each other's sessions."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from kmip_server.protocol.enums import ResultStatus
from tests.support.server import RunningServer, run
from tests.support.wire import Connection, context
from tests.support.workers import connection_to, is_there, orphan, processes, until, worker_of
from tests.transport.test_wire import answered
from tests.workers.conftest import TWO


def test_the_workers_start_and_end_as_one(new_instance: Path, tmp_path: Path) -> None:
    """One line says ready, systemd is told once, and at the end nothing is left."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        environment = dict(os.environ, NOTIFY_SOCKET=str(tmp_path / "notify"))
        server = RunningServer(new_instance, *TWO, environment=environment).start()
        workers = processes(server)
        assert len(workers) == 2
        with Connection(server) as one:
            assert answered(one) == ResultStatus.SUCCESS
            assert server.process is not None
            assert server.process.stdout is not None
            os.kill(server.process.pid, signal.SIGTERM)
            assert one.receive() == b""
        assert server.process.stdout.read() == ""
        assert server.stop() == 0
        assert [systemd.recv(100), systemd.recv(100)] == [b"READY=1", b"STOPPING=1"]
        systemd.setblocking(False)
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
    assert not any(map(is_there, workers))
    assert not (new_instance / "admin.sock").exists()
    assert "Traceback" not in server.log.read_text()


def test_what_is_loaded_before_the_fork_has_no_threads_and_no_reactor() -> None:
    """Every worker would have them, and neither works there."""
    script = (
        "import sys, threading; from kmip_server import forked, supervisor; forked.load_modules(); "
        "print('twisted.internet.reactor' in sys.modules, threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False 1\n"


def test_status_tells_of_every_worker(pair: RunningServer) -> None:
    with Connection(pair) as one, Connection(pair) as two:
        assert worker_of(pair, one) != worker_of(pair, two)
        rows = json.loads(pair.admin("status", "--json").stdout)["workers"]
    assert [(row["slot"], row["state"], row["connections"], row["replaced"]) for row in rows] == [
        (0, "serving", 1, 0),
        (1, "serving", 1, 0),
    ]
    assert [row["pid"] for row in rows] == processes(pair)
    lines = pair.admin("status").stdout.splitlines()
    heading = next(at for at, line in enumerate(lines) if line.startswith("WORKER"))
    assert [line.split()[1] for line in lines[heading + 1 :]] == [str(row["pid"]) for row in rows]


def test_a_single_process_is_a_row_too(server: RunningServer) -> None:
    (row, *_) = json.loads(server.admin("status", "--json").stdout)["workers"]
    assert row["pid"] in processes(server)
    assert row["state"] == "serving"


def test_connections_are_shared_evenly_and_all_are_answered(pair: RunningServer) -> None:
    tls = context(pair)
    made = [Connection(pair, tls=tls) for _ in range(16)]
    try:
        shares = Counter(worker_of(pair, each) for each in made)
        assert sorted(shares) == sorted(processes(pair))
        assert all(6 <= count <= 10 for count in shares.values()), shares
        assert all(answered(each) == ResultStatus.SUCCESS for each in made)
    finally:
        for each in made:
            each.close()


def test_connections_that_come_all_at_once_are_shared_too(pair: RunningServer) -> None:
    """A burst: the handshakes are not waited for between two."""
    plain = [socket.create_connection(("127.0.0.1", pair.port), timeout=30) for _ in range(16)]
    tls = context(pair)
    made = []
    try:
        for each in plain:
            connection = Connection.__new__(Connection)
            connection.socket = tls.wrap_socket(each, server_hostname="127.0.0.1")
            made.append(connection)
        shares = Counter(worker_of(pair, each) for each in made)
        assert all(6 <= count <= 10 for count in shares.values()), shares
        assert all(answered(each) == ResultStatus.SUCCESS for each in made)
    finally:
        for each in made:
            each.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_of_one_worker_is_resumed_at_the_other(pair: RunningServer, version: ssl.TLSVersion) -> None:
    """With a client certificate, which the resumed session is still known by."""
    one, other = processes(pair)
    tls = context(pair)
    tls.minimum_version = tls.maximum_version = version
    for first, second in ((one, other), (other, one)):
        with connection_to(pair, first, tls=tls) as full:
            assert answered(full) == ResultStatus.SUCCESS
            assert not full.socket.session_reused
            session = full.socket.session
        with connection_to(pair, second, tls=tls, session=session) as resumed:
            assert resumed.socket.session_reused
            assert answered(resumed) == ResultStatus.SUCCESS
    records = json.loads(pair.admin("audit", "tail", "--json").stdout)
    assert records[-2]["principal"] == "client"


def test_a_second_server_on_the_same_instance_is_refused_by_name(pair: RunningServer) -> None:
    arguments = ("run", "--config", str(pair.config), "--port", "0", "--admin-port", "0")
    for workers in ("1", "2"):
        refused = run("kmip-server", *arguments, "--set", f"server.workers={workers}", check=False)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert pair.process is not None
        assert refused.stderr == (
            f"error: a server serves {pair.folder} already, process {pair.process.pid}; "
            "stop it before you start another there\n"
        )
    with Connection(pair) as connection:
        assert answered(connection) == ResultStatus.SUCCESS


def test_the_lock_is_gone_with_its_holder(own_pair: RunningServer) -> None:
    """Without a supervisor the workers end by themselves; neither they nor the file keep another from starting."""
    workers = processes(own_pair)
    orphan(own_pair)
    with RunningServer(own_pair.folder, *TWO) as again, Connection(again) as connection:
        assert answered(connection) == ResultStatus.SUCCESS
    until(lambda: not any(map(is_there, workers)), "the end of the orphans")


def test_an_orphan_answers_what_is_under_way(own_pair: RunningServer) -> None:
    """And closes its connections then, orderly."""
    with Connection(own_pair) as connection:
        assert answered(connection) == ResultStatus.SUCCESS
        orphan(own_pair)
        assert connection.receive() == b""
    until(lambda: own_pair.log.read_text().count("the supervisor is gone") == 2, "the workers' word")


def test_a_worker_that_cannot_begin_ends_the_start_with_its_sentence(new_instance: Path) -> None:
    (new_instance / "keystore.passphrase").unlink()
    arguments = ("run", "--config", str(new_instance / "kmip-server.toml"), "--port", "0", "--admin-port", "0")
    alone = run("kmip-server", *arguments, check=False)
    refused = run("kmip-server", *arguments, *TWO, check=False)
    assert (refused.returncode, refused.stdout) == (alone.returncode, "")
    (line,) = [each for each in refused.stderr.splitlines() if each.startswith("error: ")]
    assert line in alone.stderr.splitlines()
    assert not (new_instance / "admin.sock").exists()
