"""OpenStack Swift with its KMIP keymaster: real servers, a proxy whose root secrets come from the KMS."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from interop import servers
from interop.contract import KEPT, Client, Failed, call
from interop.endpoint import Endpoint
from interop.pykmip.suite import enums, proxy_client
from interop.steps import Outcome, Steps, perform
from interop.swift.store import ACCOUNT, NotStarted, Proxy, Store

PACKAGES = ("swift==2.38.3", "pykmip==0.11.0")
VENV = KEPT / "swift" / "venv"
TEXT = b"what the container's owner wrote, in words that would be found again. " * 300
_MASKS = (enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT)

step = Steps()


@dataclass(frozen=True, slots=True)
class Fixture:
    store: Store
    endpoint: Endpoint

    def proxy(self, keys: Mapping[str, str], active: str = "") -> Any:
        return self.store.proxy(self.endpoint, keys, active)

    def refused(self, keys: Mapping[str, str], active: str = "") -> str:
        """What a proxy said that did not start."""
        try:
            with self.proxy(keys, active):
                raise AssertionError("the proxy started")
        except NotStarted as said:
            return str(said)


@contextmanager
def _keys(endpoint: Endpoint) -> Iterator[Any]:
    """The administrator's hand: PyKMIP with the certificate that the proxy has."""
    with proxy_client(endpoint, endpoint.certificate, endpoint.key, "1.4") as client:
        yield client


def make_secret(endpoint: Endpoint, length: int = 256) -> str:
    """An active AES key for a root secret; its Unique Identifier."""
    with _keys(endpoint) as client:
        uid: str = client.create(enums.CryptographicAlgorithm.AES, length, cryptographic_usage_mask=list(_MASKS))
        client.activate(uid)
    return uid


def _put(proxy: Proxy, path: str, body: bytes = TEXT, **headers: str) -> None:
    container = path.rpartition("/")[0]
    assert proxy("PUT", container).status in (201, 202)
    assert proxy("PUT", path, body, **headers).status == 201


def _get(proxy: Proxy, path: str) -> bytes:
    answer = proxy("GET", path)
    assert answer.status == 200, answer.status
    return answer.body


def _opened(secret: bytes, path: str, encryption: Mapping[str, Any], body: bytes) -> bytes:
    """As Swift has it: a key of the object's path opens the object's key, which opens the bytes. AES-CTR."""
    of_path = hmac.digest(secret, (ACCOUNT.removeprefix("/v1") + path).encode(), hashlib.sha256)
    wrapped = {name: base64.b64decode(value) for name, value in encryption["body_key"].items()}
    key = _aes_ctr(of_path, wrapped["iv"], wrapped["key"])
    return _aes_ctr(key, base64.b64decode(encryption["iv"]), body)


def _aes_ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(iv)).decryptor().update(data)


@step("an object is put and read again, whole and in part; its metadata too")
def _object(fixture: Fixture) -> None:
    with fixture.proxy({"": make_secret(fixture.endpoint)}) as proxy:
        _put(proxy, "/object/text", X_Object_Meta_Colour="a colour to be found again")
        assert _get(proxy, "/object/text") == TEXT
        part = proxy("GET", "/object/text", Range="bytes=100-299")
        assert (part.status, part.body) == (206, TEXT[100:300])
        head = proxy("HEAD", "/object/text").headers
        assert head["x-object-meta-colour"] == "a colour to be found again"
        assert head["etag"].strip('"') == hashlib.md5(TEXT).hexdigest()
        for size in (0, 1, 15, 16, 17, 65535, 65536, 65537):
            body = os.urandom(size)
            _put(proxy, f"/object/size-{size}", body)
            assert _get(proxy, f"/object/size-{size}") == body, size


@step("the disk keeps ciphertext, opened here with the KMS's key and without the proxy")
def _ciphertext(fixture: Fixture) -> None:
    uid = make_secret(fixture.endpoint)
    with fixture.proxy({"": uid}) as proxy:
        _put(proxy, "/ciphertext/text")
    file = fixture.store.stored()[-1]
    stored = file.read_bytes()
    assert len(stored) == len(TEXT)
    assert TEXT[:64] not in stored
    encryption = fixture.store.encryption(file)
    with _keys(fixture.endpoint) as client:
        secret = client.get(uid).value
    assert _opened(secret, "/ciphertext/text", encryption, stored) == TEXT
    assert _opened(os.urandom(32), "/ciphertext/text", encryption, stored) != TEXT


@step("rotation: a second root secret for what is new, the first still opens what is old")
def _rotation(fixture: Fixture) -> None:
    first, second = make_secret(fixture.endpoint), make_secret(fixture.endpoint)
    with fixture.proxy({"": first}) as proxy:
        _put(proxy, "/rotation/old")
    # As Swift's page has it: every proxy knows the new one first, then each uses it.
    with fixture.proxy({"": first, "2026": second}) as proxy:
        assert _get(proxy, "/rotation/old") == TEXT
        _put(proxy, "/rotation/between")
    between = fixture.store.stored()[-1]
    assert "secret_id" not in fixture.store.encryption(between)["key_id"]
    with fixture.proxy({"": first, "2026": second}, active="2026") as proxy:
        assert _get(proxy, "/rotation/old") == TEXT
        _put(proxy, "/rotation/new")
        new = fixture.store.stored()[-1]
        assert fixture.store.encryption(new)["key_id"]["secret_id"] == "2026"
        assert _get(proxy, "/rotation/new") == TEXT
        # Put again, it no longer needs the first.
        _put(proxy, "/rotation/old", _get(proxy, "/rotation/old"))
        _put(proxy, "/rotation/between", _get(proxy, "/rotation/between"))
    with _keys(fixture.endpoint) as client:
        client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, first)
        client.destroy(first)
    with fixture.proxy({"2026": second}, active="2026") as proxy:
        for name in ("old", "between", "new"):
            assert _get(proxy, f"/rotation/{name}") == TEXT


@step("without the secret that it was put under an object is refused, with it again it is read")
def _missing(fixture: Fixture) -> None:
    first, second = make_secret(fixture.endpoint), make_secret(fixture.endpoint)
    with fixture.proxy({"": second, "2025": first}, active="2025") as proxy:
        _put(proxy, "/missing/text")
    with fixture.proxy({"": second}) as proxy:
        answer = proxy("GET", "/missing/text")
        assert answer.status == 500
        assert TEXT[:64] not in answer.body
    with fixture.proxy({"": second, "2025": first}) as proxy:
        assert _get(proxy, "/missing/text") == TEXT


@step("with an unknown key the proxy does not start, and says which it is")
def _unknown(fixture: Fixture) -> None:
    known = make_secret(fixture.endpoint)
    assert "ITEM_NOT_FOUND" in fixture.refused({"": "no-such-key"})
    assert "ITEM_NOT_FOUND" in fixture.refused({"": known, "2026": "no-such-key"})


@step("with another client's key the proxy does not start")
def _others(fixture: Fixture) -> None:
    endpoint = fixture.endpoint
    with proxy_client(endpoint, endpoint.other_certificate, endpoint.other_key, "1.4") as other:
        uid = other.create(enums.CryptographicAlgorithm.AES, 256)
    assert "ITEM_NOT_FOUND" in fixture.refused({"": uid}) or "PERMISSION_DENIED" in fixture.refused({"": uid})


@step("a key of 128 bits is refused by the keymaster: what the key block says is read")
def _short(fixture: Fixture) -> None:
    uid = make_secret(fixture.endpoint, 128)
    assert f"Expected key {uid} to be an AES-256 key, not AES-128" in fixture.refused({"": uid})


@step("a revoked key still opens what it protects")
def _revoked(fixture: Fixture) -> None:
    uid = make_secret(fixture.endpoint)
    with fixture.proxy({"": uid}) as proxy:
        _put(proxy, "/revoked/text")
    with _keys(fixture.endpoint) as client:
        client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid)
    with fixture.proxy({"": uid}) as proxy:
        assert _get(proxy, "/revoked/text") == TEXT


@step("a key destroyed: the proxy that runs has it still, none starts with it again")
def _destroyed(fixture: Fixture) -> None:
    uid = make_secret(fixture.endpoint)
    with fixture.proxy({"": uid}) as proxy:
        _put(proxy, "/destroyed/text")
        with _keys(fixture.endpoint) as client:
            client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid)
            client.destroy(uid)
        assert _get(proxy, "/destroyed/text") == TEXT
    assert "ITEM_NOT_FOUND" in fixture.refused({"": uid})


@step("without the KMS a proxy that runs goes on and none starts; with it again one does")
def _away(fixture: Fixture) -> None:
    """At a server of this step's own: the other identity goes on with the one they share."""
    with servers.ours(fixture.store.folder) as endpoints:
        endpoint = endpoints[servers.IDENTITIES[0]]
        assert endpoint.server is not None
        there = Fixture(fixture.store, endpoint)
        uid = make_secret(endpoint)
        with there.proxy({"": uid}) as proxy:
            endpoint.server.stop()
            _put(proxy, "/away/text")
            assert _get(proxy, "/away/text") == TEXT
        assert "Connection refused" in there.refused({"": uid})
        endpoint.server.start()
        with there.proxy({"": uid}) as proxy:
            assert _get(proxy, "/away/text") == TEXT


_HERE_ONLY = (_away,)


def prepare(kept: Path) -> None:
    """Swift and PyKMIP, in an environment of their own."""
    if not (kept / "venv" / "ready").exists():
        call([sys.executable, "-m", "venv", "--clear", kept / "venv"])
        call([kept / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", *PACKAGES])
        (kept / "venv" / "ready").touch()


def run(endpoint: Endpoint, folder: Path) -> list[Outcome]:
    steps = [each for each in step.steps if endpoint.server is not None or each.perform not in _HERE_ONLY]
    try:
        with Store(folder, VENV / "bin") as store:
            return [perform(each, "1.2", Fixture(store, endpoint)) for each in steps]
    except Failed as error:
        return [Outcome("1.2", "Swift starts", False, str(error))]


def probe(endpoint: Endpoint, folder: Path) -> str:
    """What an operator sees: whether the proxy starts, and the last line of what it says if not."""
    # The first probe's key, when nothing is in the way, serves the others: what is wrong is the proxy's to tell.
    made = folder.parent / "root-secret"
    if not made.exists():
        made.write_text(make_secret(endpoint))
    uid = made.read_text()
    with Store(folder, VENV / "bin") as store:
        try:
            with store.proxy(endpoint, {"": uid}) as proxy:
                _put(proxy, "/probe/text")
                return (
                    "an object, put and read" if _get(proxy, "/probe/text") == TEXT else "other bytes than were put"
                )
        except NotStarted as said:
            return str(said).strip().rpartition("\n")[2]


CLIENT = Client(
    name="swift",
    title="OpenStack Swift, KMIP keymaster",
    version="2.38.3",
    language="Python",
    installed_by="`pip install swift==2.38.3 pykmip==0.11.0`",
    prepare=prepare,
    run=run,
    probe=probe,
    page="integrations/swift.md",
)
