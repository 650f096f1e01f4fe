"""Ceph's RADOS Gateway, SSE-KMS by its KMIP backend: each run has a cluster of its own, boto3 speaks S3 to it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from interop import servers
from interop.ceph.cluster import S3, Cluster, Refused
from interop.contract import KEPT, Client, Failed, call
from interop.endpoint import Endpoint
from interop.pykmip.suite import enums, proxy_client
from interop.steps import Outcome, Skipped, Steps, perform

PACKAGES = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common")
PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "rados", "monmaptool")
BOTO3 = "boto3==1.40.0"
VENV = KEPT / "ceph" / "venv"
BUCKET = "interop"
TEXT = b"what the bucket's owner wrote, in words that would be found again. " * 300
MIB = 1 << 20

step = Steps()


@dataclass(frozen=True, slots=True)
class Fixture:
    cluster: Cluster
    s3: S3
    endpoint: Endpoint

    def put(self, name: str, key: str, body: bytes = TEXT) -> None:
        self.s3("put_object", Bucket=BUCKET, Key=name, Body=body, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)

    def get(self, name: str) -> bytes:
        body: bytes = self.s3("get_object", Bucket=BUCKET, Key=name)["Body"]
        return body

    def names(self) -> list[str]:
        return [each["Key"] for each in self.s3("list_objects_v2", Bucket=BUCKET).get("Contents", [])]


@contextmanager
def _keys(endpoint: Endpoint) -> Iterator[Any]:
    """The administrator's hand: PyKMIP with the certificate that the gateway has."""
    with proxy_client(endpoint, endpoint.certificate, endpoint.key, "1.4") as client:
        yield client


def make_key(endpoint: Endpoint, name: str) -> str:
    """An active AES-256 key of that Name, by which the gateway will ask for it; its Unique Identifier."""
    masks = [enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT]
    with _keys(endpoint) as client:
        uid: str = client.create(enums.CryptographicAlgorithm.AES, 256, name=name, cryptographic_usage_mask=masks)
        client.activate(uid)
    return uid


def revoke_key(endpoint: Endpoint, uid: str) -> None:
    with _keys(endpoint) as client:
        client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid)


def destroy_key(endpoint: Endpoint, uid: str) -> None:
    """Only what is no longer active can be destroyed."""
    revoke_key(endpoint, uid)
    with _keys(endpoint) as client:
        client.destroy(uid)


def _refused(call_: Any, *arguments: Any) -> Refused:
    try:
        call_(*arguments)
    except Refused as refused:
        return refused
    raise AssertionError("it was not refused")


@step("an object put under a key of the KMS is read again, and its head names the key")
def _put(fixture: Fixture) -> None:
    make_key(fixture.endpoint, "key-of-put")
    fixture.put("put", "key-of-put")
    assert fixture.get("put") == TEXT
    head = fixture.s3("head_object", Bucket=BUCKET, Key="put")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "key-of-put")
    assert head["ContentLength"] == len(TEXT)


@step("RADOS keeps ciphertext: AES-CBC under the very key of the KMS, opened here without the gateway")
def _ciphertext(fixture: Fixture) -> None:
    uid = make_key(fixture.endpoint, "key-of-ciphertext")
    fixture.s3("put_object", Bucket=BUCKET, Key="open", Body=TEXT)
    assert TEXT in fixture.cluster.stored(), "an object without encryption is not found as it is"
    fixture.s3("delete_object", Bucket=BUCKET, Key="open")
    fixture.put("closed", "key-of-ciphertext")
    assert TEXT[:64] not in fixture.cluster.stored()
    closed = fixture.cluster.stored_as("closed")
    assert len(closed) == len(TEXT)
    with _keys(fixture.endpoint) as client:
        key = client.get(uid).value
    whole = len(TEXT) // 16 * 16
    assert _opened(key, closed)[:whole] == TEXT[:whole]


def _opened(key: bytes, stored: bytes) -> bytes:
    """As the gateway has it: pieces of 4096 bytes, the IV counts blocks; without the last block's part."""
    first = int.from_bytes(b"aes256iv_ctr1337")
    opened = b""
    for start in range(0, len(stored), 4096):
        piece = stored[start : start + 4096]
        piece = piece[: len(piece) // 16 * 16]
        iv = (first + start // 16) % (1 << 128)
        opened += Cipher(algorithms.AES(key), modes.CBC(iv.to_bytes(16))).decryptor().update(piece)
    return opened


@step("objects of no byte, of one, and around a block; a part of an object")
def _sizes(fixture: Fixture) -> None:
    make_key(fixture.endpoint, "key-of-sizes")
    for size in (0, 1, 15, 16, 17, 4095, 4096, 4097):
        body = os.urandom(size)
        fixture.put(f"size {size}", "key-of-sizes", body)
        assert fixture.get(f"size {size}") == body, size
    part = fixture.s3("get_object", Bucket=BUCKET, Key="size 4097", Range="bytes=4090-4096")
    assert part["Body"] == body[4090:]


@step("an object of three parts, and a piece across two of them")
def _multipart(fixture: Fixture) -> None:
    make_key(fixture.endpoint, "key-of-parts")
    parts = [os.urandom(5 * MIB), os.urandom(5 * MIB), os.urandom(MIB + 7)]
    where = {"Bucket": BUCKET, "Key": "parts"}
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-of-parts"}
    upload = {"UploadId": fixture.s3("create_multipart_upload", **where, **encryption)["UploadId"]}
    done = []
    for number, part in enumerate(parts, 1):
        tag = fixture.s3("upload_part", **where, **upload, PartNumber=number, Body=part)["ETag"]
        done.append({"PartNumber": number, "ETag": tag})
    fixture.s3("complete_multipart_upload", **where, **upload, MultipartUpload={"Parts": done})
    whole = b"".join(parts)
    assert fixture.get("parts") == whole
    piece = fixture.s3("get_object", **where, Range=f"bytes={5 * MIB - 100}-{5 * MIB + 99}")
    assert piece["Body"] == whole[5 * MIB - 100 : 5 * MIB + 100]
    assert whole[:64] not in fixture.cluster.stored()


@step("thirty objects under three keys, in turn: each is read with its own")
def _many(fixture: Fixture) -> None:
    for number in range(3):
        make_key(fixture.endpoint, f"key-of-many-{number}")
    bodies = [os.urandom(1000) for _ in range(30)]
    for number, body in enumerate(bodies):
        fixture.put(f"many {number}", f"key-of-many-{number % 3}", body)
    assert [fixture.get(f"many {number}") for number in range(30)] == bodies


@step("an unknown key is refused, and nothing is stored")
def _unknown(fixture: Fixture) -> None:
    refused = _refused(fixture.put, "unknown", "no-such-key")
    assert (refused.status, refused.code) == (404, "NoSuchKey")
    assert "unknown" not in fixture.names()


@step("another client's key is refused like one that does not exist")
def _others(fixture: Fixture) -> None:
    endpoint = fixture.endpoint
    with proxy_client(endpoint, endpoint.other_certificate, endpoint.other_key, "1.4") as other:
        name = f"key-of-another-than-{endpoint.identity}"
        other.create(enums.CryptographicAlgorithm.AES, 256, name=name)
    theirs = _refused(fixture.put, "theirs", name)
    nobodys = _refused(fixture.put, "theirs", "no-such-key")
    assert (theirs.code, theirs.status) == (nobodys.code, nobodys.status)
    assert "theirs" not in fixture.names()


@step("rotation: what was put under the old key stays readable, put again it no longer needs it")
def _rotation(fixture: Fixture) -> None:
    old = make_key(fixture.endpoint, "key-of-2025")
    fixture.put("rotated", "key-of-2025")
    make_key(fixture.endpoint, "key-of-2026")
    fixture.put("new", "key-of-2026")
    assert fixture.get("rotated") == TEXT
    before = fixture.cluster.stored_as("rotated")
    fixture.put("rotated", "key-of-2026", fixture.get("rotated"))
    assert fixture.s3("head_object", Bucket=BUCKET, Key="rotated")["SSEKMSKeyId"] == "key-of-2026"
    assert fixture.cluster.stored_as("rotated") != before
    destroy_key(fixture.endpoint, old)
    assert fixture.get("rotated") == TEXT
    assert fixture.get("new") == TEXT


@step("a revoked key still opens what it protects")
def _revoked(fixture: Fixture) -> None:
    uid = make_key(fixture.endpoint, "key-of-revoked")
    fixture.put("revoked", "key-of-revoked")
    revoke_key(fixture.endpoint, uid)
    assert fixture.get("revoked") == TEXT


@step("a destroyed key opens nothing and protects nothing, and other keys are as before")
def _destroyed(fixture: Fixture) -> None:
    uid = make_key(fixture.endpoint, "key-of-destroyed")
    make_key(fixture.endpoint, "key-of-kept")
    fixture.put("destroyed", "key-of-destroyed")
    fixture.put("kept", "key-of-kept")
    destroy_key(fixture.endpoint, uid)
    assert _refused(fixture.get, "destroyed").status == 404
    assert _refused(fixture.put, "destroyed later", "key-of-destroyed").status == 404
    assert fixture.get("kept") == TEXT


@step("what the gateway does not guard: equal objects are equal ciphertext, a Name used again opens them wrongly")
def _unguarded(fixture: Fixture) -> None:
    uid = make_key(fixture.endpoint, "key-of-unguarded")
    fixture.put("one", "key-of-unguarded")
    fixture.put("same", "key-of-unguarded")
    assert fixture.cluster.stored_as("one") == fixture.cluster.stored_as("same")
    destroy_key(fixture.endpoint, uid)
    make_key(fixture.endpoint, "key-of-unguarded")
    opened = fixture.get("one")
    assert len(opened) == len(TEXT)
    assert opened != TEXT


@step("without the KMS an object cannot be read or put, with it again it can; others can all the time")
def _away(fixture: Fixture) -> None:
    """At a server of this step's own: the other identity goes on with the one they share."""
    with servers.ours(fixture.cluster.folder) as endpoints:
        endpoint = endpoints[servers.IDENTITIES[0]]
        assert endpoint.server is not None
        make_key(endpoint, "key-of-away")
        gateway = fixture.cluster.gateway("away", endpoint, seconds=3)
        there = Fixture(fixture.cluster, gateway, endpoint)
        there.put("away", "key-of-away")
        there.s3("put_object", Bucket=BUCKET, Key="open", Body=TEXT)
        endpoint.server.stop()
        # 16.2 logs that it cannot connect and never wakes the request that waits: to S3's client it is silent.
        assert _refused(there.get, "away").status in (0, 503)
        assert "Connection refused" in fixture.cluster.log("away")
        assert _refused(there.put, "never", "key-of-away").status in (0, 503)
        assert there.get("open") == TEXT
        endpoint.server.start()
        assert there.get("away") == TEXT
        there.put("back", "key-of-away")
        assert there.get("back") == TEXT
        assert "never" not in there.names()


_HERE_ONLY = (_away,)


def prepare(kept: Path) -> None:
    """Debian's packages where a program is missing, and boto3 in an environment of its own."""
    if any(shutil.which(program) is None for program in PROGRAMS):
        _install()
    if not (kept / "venv" / "ready").exists():
        call([sys.executable, "-m", "venv", "--clear", kept / "venv"])
        call([kept / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", BOTO3])
        (kept / "venv" / "ready").touch()


def _install() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Skipped(f"Ceph needs Debian's packages {', '.join(PACKAGES)}, which are not on this machine")
    policy = Path("/usr/sbin/policy-rc.d")
    if not policy.exists():
        # So that the packages start no daemons.
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    call(["apt-get", "update", "-q"], environment=quiet)
    call(["apt-get", "install", "-q", "-y", "--no-install-recommends", *PACKAGES], environment=quiet, seconds=600)


@contextmanager
def _fixture(endpoint: Endpoint, folder: Path, seconds: float = 60) -> Iterator[Fixture]:
    with Cluster(folder, VENV / "bin" / "python") as cluster:
        s3 = cluster.gateway("rgw", endpoint, seconds)
        s3("create_bucket", Bucket=BUCKET)
        yield Fixture(cluster, s3, endpoint)


def run(endpoint: Endpoint, folder: Path) -> list[Outcome]:
    steps = [each for each in step.steps if endpoint.server is not None or each.perform not in _HERE_ONLY]
    try:
        with _fixture(endpoint, folder) as fixture:
            return [perform(each, "1.0", fixture) for each in steps]
    except (Failed, Refused) as error:
        return [Outcome("1.0", "the cluster starts", False, str(error))]


def probe(endpoint: Endpoint, folder: Path) -> str:
    """What a user of S3 sees."""
    name = "key-of-probe"
    with suppress(Exception):  # where the server cannot be had, the gateway has to tell it
        make_key(endpoint, name)
    with _fixture(endpoint, folder, seconds=3) as fixture:
        try:
            fixture.put("probe", name)
        except Refused as refused:
            return f"{refused.status} {refused.code}" if refused.status else "no answer"
        return "an object, put and read" if fixture.get("probe") == TEXT else "other bytes than were put"


CLIENT = Client(
    name="ceph",
    title="Ceph RADOS Gateway, SSE-KMS",
    version="16.2.15",
    language="C++",
    installed_by="Debian's `ceph-mon ceph-osd radosgw ceph-common`",
    limits=(
        "The gateway: while the KMS refuses connections, a request that needs a key gets no answer (the gateway "
        "logs it and never wakes the request); with the KMS back, the next ones are served.",
        "The gateway: it asks for keys by Name alone and for no State. It goes on with a revoked key, and reads "
        "old objects wrongly where a new key has a destroyed one's Name.",
        "The gateway: equal objects under one key are equal ciphertext.",
    ),
    prepare=prepare,
    run=run,
    probe=probe,
    page="integrations/ceph.md",
)
