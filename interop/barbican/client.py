"""OpenStack Barbican with its KMIP secret store: its API is asked for every kind that it stores and generates."""

from __future__ import annotations

import base64
import datetime
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.x509.oid import NameOID

from interop import servers
from interop.barbican.service import Barbican, barbican
from interop.contract import KEPT, Client, Failed, call
from interop.endpoint import Endpoint
from interop.pykmip.suite import KmipOperationFailure, proxy_client
from interop.steps import Outcome, Steps, perform
from kmip_server.protocol.enums import KeyFormatType, Operation
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.versions import V1_4
from tests.support.wire import Client as WireClient
from tests.support.wire import Connection

PACKAGES = ("barbican==23.0.0", "pykmip==0.11.0")
VENV = KEPT / "barbican" / "venv"
BYTES = "application/octet-stream"

step = Steps()


@dataclass(frozen=True, slots=True)
class Fixture:
    api: Barbican
    endpoint: Endpoint

    def store(self, payload: bytes, kind: str, **more: object) -> str:
        """A secret as the API takes it: bytes in base64. Its reference."""
        sent = {"payload": base64.b64encode(payload).decode(), "payload_content_encoding": "base64"}
        body = {"name": kind, "secret_type": kind, "payload_content_type": BYTES, **sent, **more}
        answer = self.api("POST", "/v1/secrets", body)
        assert answer.status == 201, answer
        reference: str = answer.json()["secret_ref"]
        return reference

    def payload(self, reference: str, accept: str = BYTES) -> bytes:
        answer = self.api("GET", f"{reference}/payload", headers={"Accept": accept})
        assert answer.status == 200, answer
        return answer.body

    def order(self, kind: str, algorithm: str, length: int) -> dict[str, Any]:
        """An order that has been performed."""
        meta = {"name": algorithm, "algorithm": algorithm, "bit_length": length, "payload_content_type": BYTES}
        answer = self.api("POST", "/v1/orders", {"type": kind, "meta": meta})
        assert answer.status == 202, answer
        order: dict[str, Any] = self.api("GET", answer.json()["order_ref"]).json()
        assert order["status"] == "ACTIVE", order
        return order

    def pair(self, algorithm: str, length: int) -> tuple[bytes, bytes]:
        """A key pair made by an order: private, public, PEM."""
        container = self.api("GET", self.order("asymmetric", algorithm, length)["container_ref"]).json()
        found = {each["name"]: each["secret_ref"] for each in container["secret_refs"]}
        return self.payload(found["private_key"]), self.payload(found["public_key"])

    def identifier(self, reference: str) -> str:
        """The Unique Identifier of a secret, which Barbican keeps in its database."""
        query = "SELECT value FROM secret_store_metadata WHERE secret_id = ? AND key = 'key_uuid'"
        with closing(sqlite3.connect(self.api.folder / "barbican.sqlite")) as database:
            ((found,),) = database.execute(query, [reference.rpartition("/")[2]])
            return str(found)

    @contextmanager
    def kms(self) -> Iterator[Any]:
        """The KMS, asked by PyKMIP with the certificate that Barbican has."""
        endpoint = self.endpoint
        with proxy_client(endpoint, endpoint.certificate, endpoint.key, "1.4") as client:
            yield client

    def encoded(self, reference: str, form: KeyFormatType) -> bytes:
        """A key in another format than its own, for which PyKMIP cannot ask: this server's own wire client does."""
        assert self.endpoint.server is not None
        request = GetRequest(unique_identifier=self.identifier(reference), key_format_type=form)
        with Connection(self.endpoint.server, self.endpoint.identity) as connection:
            got = WireClient(connection, V1_4).call(Operation.GET, request)
        value: bytes = got.managed_object.key_block.key_value.key_material
        return value

    def kept(self, reference: str) -> Any:
        with self.kms() as client:
            return client.get(self.identifier(reference))


def _pem_private(key: rsa.RSAPrivateKey | dsa.DSAPrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def _pem_public(key: rsa.RSAPublicKey | dsa.DSAPublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@step("AES keys of 128, 192 and 256 bits: stored, read, as given in the KMS, not in Barbican's database")
def _aes(fixture: Fixture) -> None:
    for length in (128, 192, 256):
        key = os.urandom(length // 8)
        reference = fixture.store(key, "symmetric", algorithm="aes", bit_length=length, mode="cbc")
        assert fixture.payload(reference) == key
        kept = fixture.kept(reference)
        assert (kept.value, kept.cryptographic_algorithm.name, kept.cryptographic_length) == (key, "AES", length)
        database = (fixture.api.folder / "barbican.sqlite").read_bytes()
        assert key not in database
        assert base64.b64encode(key) not in database


@step("3DES and HMAC keys: stored and read")
def _other_symmetric(fixture: Fixture) -> None:
    lengths = {"desede": 192, "hmacsha1": 160, "hmacsha256": 256, "hmacsha384": 384, "hmacsha512": 512}
    for algorithm, length in lengths.items():
        key = os.urandom(length // 8)
        reference = fixture.store(key, "symmetric", algorithm=algorithm, bit_length=length)
        assert fixture.payload(reference) == key, algorithm


@step("a passphrase: stored as text and read as text")
def _passphrase(fixture: Fixture) -> None:
    text = "a passphrase with an ü"
    body = {"name": "p", "secret_type": "passphrase", "payload": text, "payload_content_type": "text/plain"}
    reference = fixture.api("POST", "/v1/secrets", body).json()["secret_ref"]
    assert fixture.payload(reference, "text/plain").decode() == text
    kept = fixture.kept(reference)
    assert (type(kept).__name__, kept.value.decode()) == ("SecretData", text)


@step("opaque bytes, one and as many as Barbican takes")
def _opaque(fixture: Fixture) -> None:
    for size in (1, 15_000):  # 20,000 in base64, `max_allowed_secret_in_bytes`
        given = os.urandom(size)
        reference = fixture.store(given, "opaque")
        assert fixture.payload(reference) == given
        assert type(fixture.kept(reference)).__name__ == "OpaqueObject"


@step("a secret announced first, and given its value later")
def _later(fixture: Fixture) -> None:
    body = {"name": "later", "secret_type": "symmetric", "algorithm": "aes", "bit_length": 256}
    reference = fixture.api("POST", "/v1/secrets", body).json()["secret_ref"]
    key = os.urandom(32)
    headers = {"Content-Type": BYTES, "Content-Encoding": "base64"}
    answer = fixture.api("PUT", reference, base64.b64encode(key), headers)
    assert answer.status == 204, answer
    assert fixture.payload(reference) == key


@step("a certificate: stored and read")
def _certificate(fixture: Fixture) -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "interop")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    reference = fixture.store(made.public_bytes(serialization.Encoding.PEM), "certificate")
    assert x509.load_pem_x509_certificate(fixture.payload(reference)) == made
    assert fixture.kept(reference).value == made.public_bytes(serialization.Encoding.DER)


@step("RSA and DSA keys, private and public: stored and read")
def _asymmetric(fixture: Fixture) -> None:
    for algorithm, key in (("rsa", rsa.generate_private_key(65537, 2048)), ("dsa", dsa.generate_private_key(2048))):
        of = {"algorithm": algorithm, "bit_length": 2048}
        private = fixture.payload(fixture.store(_pem_private(key), "private", **of))
        public = fixture.payload(fixture.store(_pem_public(key.public_key()), "public", **of))
        assert _pem_private(serialization.load_pem_private_key(private, None)) == _pem_private(key), algorithm
        assert _pem_public(serialization.load_pem_public_key(public)) == _pem_public(key.public_key()), algorithm


@step("AES keys generated: of the length asked for, and no two alike")
def _generate_aes(fixture: Fixture) -> None:
    for length in (128, 192, 256):
        first, second = (fixture.order("key", "aes", length)["secret_ref"] for _ in range(2))
        key = fixture.payload(first)
        assert len(key) == length // 8
        assert key != fixture.payload(second)
        assert fixture.kept(first).value == key


@step("3DES keys generated")
def _generate_3des(fixture: Fixture) -> None:
    for length in (128, 192):
        assert len(fixture.payload(fixture.order("key", "desede", length)["secret_ref"])) == length // 8


@step("3DES named without its parity bits: generated, and not read by PyKMIP, which wants 168 bits to be 21 bytes")
def _generate_168(fixture: Fixture) -> None:
    reference = fixture.order("key", "desede", 168)["secret_ref"]
    assert fixture.api("GET", f"{reference}/payload", headers={"Accept": BYTES}).status == 500
    assert "key length (168) not equal to key value length (192)" in fixture.api.log


@step("HMAC keys generated")
def _generate_hmac(fixture: Fixture) -> None:
    lengths = {"hmacsha1": 160, "hmacsha256": 256, "hmacsha384": 384, "hmacsha512": 512}
    for algorithm, length in lengths.items():
        reference = fixture.order("key", algorithm, length)["secret_ref"]
        assert len(fixture.payload(reference)) == length // 8, algorithm


@step("RSA pairs generated: the public key is the private one's")
def _generate_rsa(fixture: Fixture) -> None:
    for length in (1024, 2048, 3072, 4096):
        private, public = fixture.pair("rsa", length)
        key = serialization.load_pem_private_key(private, None)
        assert isinstance(key, rsa.RSAPrivateKey)
        assert key.key_size == length
        assert _pem_public(key.public_key()) == _pem_public(serialization.load_pem_public_key(public))


@step("DSA pairs generated: they belong together, and are not read by PyKMIP, which knows no Transparent key")
def _generate_dsa(fixture: Fixture) -> None:
    container = fixture.api("GET", fixture.order("asymmetric", "dsa", 2048)["container_ref"]).json()
    found = {each["name"]: each["secret_ref"] for each in container["secret_refs"]}
    for reference in found.values():
        assert fixture.api("GET", f"{reference}/payload", headers={"Accept": BYTES}).status == 500
    assert "expected <class 'kmip.core.objects.KeyMaterial'>, received Struct()" in fixture.api.log
    key = serialization.load_der_private_key(fixture.encoded(found["private_key"], KeyFormatType.PKCS_8), None)
    assert isinstance(key, dsa.DSAPrivateKey)
    public = serialization.load_der_public_key(fixture.encoded(found["public_key"], KeyFormatType.X_509))
    assert _pem_public(key.public_key()) == _pem_public(public)


@step("a secret deleted is destroyed in the KMS, another stays")
def _delete(fixture: Fixture) -> None:
    gone = fixture.store(os.urandom(32), "symmetric", algorithm="aes", bit_length=256)
    key = os.urandom(32)
    stays = fixture.store(key, "symmetric", algorithm="aes", bit_length=256)
    uid = fixture.identifier(gone)
    assert fixture.api("DELETE", gone).status == 204
    assert fixture.api("GET", gone).status == 404
    with fixture.kms() as client:
        try:
            client.get(uid)
        except KmipOperationFailure as failure:
            assert failure.reason.name in ("ITEM_NOT_FOUND", "OBJECT_DESTROYED"), failure
        else:
            raise AssertionError("a deleted secret was fetched")
    assert fixture.payload(stays) == key


@step("a secret whose object was destroyed in the KMS: an error, and others as before")
def _destroyed(fixture: Fixture) -> None:
    reference = fixture.store(os.urandom(32), "symmetric", algorithm="aes", bit_length=256)
    with fixture.kms() as client:
        client.destroy(fixture.identifier(reference))
    answer = fixture.api("GET", f"{reference}/payload", headers={"Accept": BYTES})
    assert answer.status == 500, answer
    key = os.urandom(32)
    assert fixture.payload(fixture.store(key, "symmetric", algorithm="aes", bit_length=256)) == key


@step("Barbican started again has every secret")
def _again(fixture: Fixture) -> None:
    key = os.urandom(32)
    reference = fixture.store(key, "symmetric", algorithm="aes", bit_length=256)
    with barbican(fixture.api.folder, VENV, fixture.endpoint) as api:
        path = f"/v1/secrets/{reference.rpartition('/')[2]}"
        assert Fixture(api, fixture.endpoint).payload(path) == key


@step("without the KMS secrets are neither stored nor read, with it again they are")
def _away(fixture: Fixture) -> None:
    """At a server of this step's own: the other identity goes on with the one they share."""
    folder = fixture.api.folder / "away"
    folder.mkdir()
    with servers.ours(folder) as endpoints:
        endpoint = endpoints[servers.IDENTITIES[0]]
        assert endpoint.server is not None
        with barbican(folder, VENV, endpoint) as api:
            there = Fixture(api, endpoint)
            key = os.urandom(32)
            reference = there.store(key, "symmetric", algorithm="aes", bit_length=256)
            endpoint.server.stop()
            assert api("GET", f"{reference}/payload", headers={"Accept": BYTES}).status == 500
            body = {"name": "p", "payload": "text", "payload_content_type": "text/plain"}
            assert api("POST", "/v1/secrets", body).status == 500
            endpoint.server.start()
            assert there.payload(reference) == key
            assert there.payload(there.store(key, "opaque")) == key


_HERE_ONLY = (_away,)


def prepare(kept: Path) -> None:
    """Barbican and PyKMIP, in an environment of their own."""
    if not (kept / "venv" / "ready").exists():
        call([sys.executable, "-m", "venv", "--clear", kept / "venv"])
        call([kept / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", *PACKAGES])
        (kept / "venv" / "ready").touch()


def run(endpoint: Endpoint, folder: Path) -> list[Outcome]:
    steps = [each for each in step.steps if endpoint.server is not None or each.perform not in _HERE_ONLY]
    try:
        with barbican(folder, VENV, endpoint) as api:
            return [perform(each, "1.2", Fixture(api, endpoint)) for each in steps]
    except Failed as error:
        return [Outcome("1.2", "Barbican starts", False, str(error))]


def probe(endpoint: Endpoint, folder: Path) -> str:
    """What a user of the API sees, and the last error that the operator finds in the log."""
    body = {"name": "probe", "payload": "text", "payload_content_type": "text/plain"}
    with barbican(folder, VENV, endpoint) as api:
        answer = api("POST", "/v1/secrets", body)
        if answer.status != 201:
            said = [line.rpartition("Reason: ")[2] for line in api.log.splitlines() if "Reason: " in line]
            return f"{answer.status} {answer.json()['description']} (log: {said[-1] if said else 'nothing'})"
        fixture = Fixture(api, endpoint)
        text = fixture.payload(answer.json()["secret_ref"], "text/plain")
    return "a secret, stored and read" if text == b"text" else "another secret than was stored"


CLIENT = Client(
    name="barbican",
    title="OpenStack Barbican, KMIP secret store",
    version="23.0.0",
    language="Python",
    installed_by="`pip install barbican==23.0.0 pykmip==0.11.0`",
    # 3DES, DSA and RSA of 1024 bits, which this server generates only where the administrator allows it.
    settings=("protocol.weak_algorithms=true",),
    limits=(
        "PyKMIP: 3DES keys generated with 112 or 168 bits and DES keys are not read, since it counts parity bits; "
        "neither are generated DSA pairs, whose default format, a Transparent one, it does not know.",
        "Barbican: its paste pipeline without Keystone (`unauthenticated-context`) fails at every request.",
    ),
    prepare=prepare,
    run=run,
    probe=probe,
    page="integrations/barbican.md",
)
