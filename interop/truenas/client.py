"""TrueNAS's pattern of use, by PyKMIP. The smallest of these folders: copy it for a new client."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from kmip.core import enums
from kmip.pie.client import ProxyKmipClient
from kmip.pie.exceptions import KmipOperationFailure
from kmip.pie.objects import SecretData

from interop.contract import Client
from interop.endpoint import Endpoint
from interop.steps import Outcome, Steps, perform

step = Steps()


def _client(endpoint: Endpoint) -> ProxyKmipClient:
    return ProxyKmipClient(
        hostname=endpoint.host,
        port=endpoint.port,
        cert=endpoint.certificate,
        key=endpoint.key,
        ca=endpoint.ca,
    )


def _greet(endpoint: Endpoint) -> None:
    context = ssl.create_default_context(cafile=endpoint.ca)
    context.load_cert_chain(endpoint.certificate, endpoint.key)
    with (
        socket.create_connection((endpoint.host, endpoint.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=endpoint.host),
    ):
        pass


@step("test connection: a handshake, and nothing asked")
def _test(endpoint: Endpoint) -> None:
    _greet(endpoint)


@step("a password: registered, activated, fetched, revoked, destroyed")
def _password(endpoint: Endpoint) -> None:
    with _client(endpoint) as client:
        password = SecretData(b"a passphrase of a pool", enums.SecretDataType.PASSWORD, name="tank")
        uid = client.register(password)
        client.activate(uid)
        assert client.get(uid).value == b"a passphrase of a pool"
        client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid)
        client.destroy(uid)
        try:
            client.get(uid)
        except KmipOperationFailure:
            pass
        else:
            raise AssertionError("a destroyed password was fetched")


@step("twenty connections that ask nothing, and one that does")
def _many(endpoint: Endpoint) -> None:
    for _ in range(20):
        _greet(endpoint)
    with _client(endpoint) as client:
        client.destroy(client.register(SecretData(b"another", enums.SecretDataType.PASSWORD)))


def run(endpoint: Endpoint, _: Path) -> list[Outcome]:
    return [perform(each, "1.2", endpoint) for each in step.steps]


CLIENT = Client(
    name="truenas",
    title="TrueNAS's pattern of use, by PyKMIP",
    version="0.11.0",
    language="Python",
    installed_by="`pip install pykmip==0.11.0`",
    run=run,
)
