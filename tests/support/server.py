"""Starting the real server for a test, and ending it by its process id."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

READY = re.compile(r"^ready kmip=(\S+):(\d+) https=(\S+) admin=(\S+)$")
DEADLINE_SECONDS = 60


def command(name: str, *arguments: str) -> list[str]:
    """A command line of ours, by this interpreter."""
    call = {"kmip-server": "server", "kmip-admin": "admin"}[name]
    return [sys.executable, "-c", f"from kmip_server.__main__ import {call}; {call}()", *arguments]


def run(name: str, *arguments: str, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
    """Run one of our commands to its end."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command(name, *arguments),
        capture_output=True,
        text=True,
        check=check,
        timeout=DEADLINE_SECONDS,
        **options,  # type: ignore[call-overload]
    )
    return done


WORKERS = int(os.environ.get("KMIP_TEST_WORKERS", "1"))
"""KMIP_TEST_WORKERS=2 in the environment: every test of the wire runs with two workers."""


def make_instance(folder: Path, *options: str) -> Path:
    workers = ["--set", f"server.workers={WORKERS}"] if WORKERS > 1 else []
    run("kmip-server", "init", str(folder), *workers, *options)
    return folder


class RunningServer:
    """A server process. Free ports, its log in a file, ended by SIGTERM and looked after."""

    def __init__(self, folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        """`environment`: the process's, where it is not this one's."""
        self.folder = folder
        self.config = folder / "kmip-server.toml"
        self.log = folder.parent / f"{folder.name}.log"
        self._options = options
        self.environment = environment
        self.process: subprocess.Popen[str] | None = None
        self.port = 0
        self.admin_port = 0

    def command(self) -> list[str]:
        arguments = ["run", "--config", str(self.config), "--port", "0", "--admin-port", "0", *self._options]
        return command("kmip-server", *arguments)

    def start(self) -> Self:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment
            )
        assert self.process.stdout is not None
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if select.select([self.process.stdout], [], [], 0.5)[0]:
                line = self.process.stdout.readline()
                found = READY.match(line)
                if found:
                    self.port = int(found[2])
                    self.admin_port = int(found[4].rpartition(":")[2]) if found[4] != "-" else 0
                    return self
                if not line:
                    break
        self.stop()
        raise AssertionError(f"the server did not get ready: {self.log.read_text()}")

    def workers(self) -> list[int]:
        """The processes that serve, in the order of their start: those of a supervisor, or the one there is."""
        assert self.process is not None
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] or [pid]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, and return its exit code. SIGKILL ends all of its processes: first who would replace the others."""
        assert self.process is not None
        if self.process.poll() is None:
            workers = self.workers() if number == signal.SIGKILL else []
            for pid in (self.process.pid, *workers):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        code = self.process.wait(DEADLINE_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def certificate(self, name: str = "client") -> tuple[str, str]:
        """Certificate and key file of one of the instance's principals."""
        return str(self.folder / "certs" / f"{name}.pem"), str(self.folder / "certs" / f"{name}.key")

    @property
    def ca(self) -> str:
        return str(self.folder / "certs" / "ca.pem")

    def admin(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """kmip-admin over the local socket."""
        return run("kmip-admin", "--config", str(self.config), *arguments, check=check)
