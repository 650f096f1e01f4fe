"""The servers that clients meet: this one, and PyKMIP's, each with the certificates of an instance."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from interop.contract import running
from interop.endpoint import Endpoint
from tests.support.server import RunningServer, make_instance

IDENTITIES = ("client", "client2")
"""Two clients that know nothing of each other: `init` makes both."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ours(folder: Path, settings: Sequence[str] = ()) -> Iterator[dict[str, Endpoint]]:
    """This server as `init` makes it, always at the same port; an endpoint for each identity."""
    options = [word for setting in settings for word in ("--set", setting)]
    instance = make_instance(folder / "ours", *options)
    with RunningServer(instance, "--port", str(free_port())) as server:
        yield {name: endpoint(server, name) for name in IDENTITIES}


def endpoint(server: RunningServer, identity: str) -> Endpoint:
    (other,) = (each for each in IDENTITIES if each != identity)
    files = (server.ca, *server.certificate(identity), identity, *server.certificate(other))
    return Endpoint("127.0.0.1", server.port, *files, server)


@contextmanager
def pykmip(folder: Path) -> Iterator[Endpoint]:
    """PyKMIP's server 0.11.0, over TLS 1.2: it speaks no other."""
    instance = make_instance(folder / "pykmip-certificates", "--keystore", "software")
    certs, port = instance / "certs", free_port()
    own = folder / "pykmip-server"
    (own / "policy").mkdir(parents=True)
    (own / "server.conf").write_text(
        "[server]\n"
        f"hostname=127.0.0.1\nport={port}\n"
        f"certificate_path={certs / 'server.pem'}\nkey_path={certs / 'server.key'}\nca_path={certs / 'ca.pem'}\n"
        f"auth_suite=TLS1.2\npolicy_path={own / 'policy'}\nenable_tls_client_auth=True\n"
        f"logging_level=ERROR\ndatabase_path={own / 'pykmip.db'}\n"
    )
    script = (
        "from kmip.services.server import KmipServer\n"
        f"with KmipServer(config_path={str(own / 'server.conf')!r}, log_path={str(own / 'log')!r}) as server:\n"
        "    server.serve()\n"
    )
    with running([sys.executable, "-W", "ignore", "-c", script], own / "output") as process:
        made = replace(endpoint(RunningServer(instance), "client"), port=port, server=None)
        _wait(made, process)
        yield made


def _wait(endpoint: Endpoint, process: subprocess.Popen[bytes]) -> None:
    """Until it answers a handshake."""
    context = ssl.create_default_context(cafile=endpoint.ca)
    context.load_cert_chain(endpoint.certificate, endpoint.key)
    context.check_hostname = False
    for _ in range(300):
        try:
            with (
                socket.create_connection((endpoint.host, endpoint.port), timeout=5) as plain,
                context.wrap_socket(plain),
            ):
                return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError("PyKMIP's server did not start") from None
            time.sleep(0.05)
    raise RuntimeError("PyKMIP's server does not answer")
