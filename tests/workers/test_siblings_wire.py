"""Two workers, and clients that have connections to both: operations in parts, and the status of all, over TLS."""

from __future__ import annotations

import hashlib
import json
import signal
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    BlockCipherMode,
    HashingAlgorithm,
    Operation,
    PaddingMethod,
    ResultStatus,
    UsageLimitsUnit,
    ValidityIndicator,
)
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    EncryptRequest,
    HashRequest,
    MACRequest,
    MACVerifyRequest,
    SignatureVerifyRequest,
    SignRequest,
)
from kmip_server.protocol.payloads.lifecycle import ActivateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_3, V1_4, V2_1, Version
from tests.support.certificates import client_context, make
from tests.support.engine import Refused, child, request_message
from tests.support.requests import A, attribute, create, create_key_pair, parameters
from tests.support.server import RunningServer
from tests.support.wire import Client
from tests.support.workers import connection_to, kill, logged, processes, until, worker_of
from tests.transport.test_wire import answered
from tests.workers.conftest import TWO

PLAIN = bytes(range(256)) * 5
CUTS = (slice(0, 100), slice(100, 600), slice(600, 601), slice(601, None))
IV = bytes(range(12))
GCM = parameters(block_cipher_mode=BlockCipherMode.GCM, tag_length=16)
SHA_256 = parameters(hashing_algorithm=HashingAlgorithm.SHA_256)
PSS = parameters(padding_method=PaddingMethod.PSS, hashing_algorithm=HashingAlgorithm.SHA_256)


UNKNOWN = "no operation with this Correlation Value is outstanding"


def number_of(client: Client) -> int:
    """The number of the worker that has the connection: the first byte of the Correlation Values that it makes."""
    request = HashRequest(cryptographic_parameters=SHA_256, data=b"x", init_indicator=True)
    value = client.call(Operation.HASH, request).correlation_value
    client.call(
        Operation.HASH, HashRequest(cryptographic_parameters=SHA_256, correlation_value=value, final_indicator=True)
    )
    number: int = value[0]
    return number


class Both:
    """A client's connections to two workers, by the workers' numbers."""

    def __init__(self, server: RunningServer, version: Version = V1_4, name: str = "client") -> None:
        connections = [connection_to(server, pid, name) for pid in processes(server)]
        clients = [Client(connection, version) for connection in connections]
        self.clients = {number_of(client): client for client in clients}
        assert len(self.clients) == 2

    def turns(self) -> Iterator[Client]:
        """One, the other, and so on."""
        while True:
            yield from self.clients.values()

    def __enter__(self) -> Both:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients.values():
            client.connection.close()


def in_parts(
    both: Both, operation: Operation, request: Any, more: dict[str, Any], last: dict[str, Any]
) -> list[Any]:
    """The responses to the parts of PLAIN, each over the other connection than the one before."""
    done: list[Any] = []
    for number, (client, cut) in enumerate(zip(both.turns(), CUTS, strict=False)):
        given = dict(more) if number == 0 else {key: more[key] for key in ("unique_identifier",) if key in more}
        if operation == Operation.HASH:
            given = dict(more)
        if number == 0:
            given["init_indicator"] = True
        else:
            given["correlation_value"] = done[0].correlation_value
        if number == len(CUTS) - 1:
            given |= {"final_indicator": True, **last}
        done.append(client.call(operation, request(data=PLAIN[cut], **given)))
    return done


def activated(client: Client, uid: str) -> str:
    client.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
    return uid


@pytest.mark.parametrize("version", [V1_3, V1_4, V2_1])
def test_encrypt_and_decrypt_in_parts_over_two_workers(pair: RunningServer, version: Version) -> None:
    with Both(pair, version) as both:
        client = next(both.turns())
        uid = activated(client, client.call(Operation.CREATE, create()).unique_identifier)
        whole = {"unique_identifier": uid, "cryptographic_parameters": GCM, "iv_counter_nonce": IV}
        expected = client.call(Operation.ENCRYPT, EncryptRequest(data=PLAIN, **whole))
        tag = getattr(expected, "authenticated_encryption_tag", None)
        parts = in_parts(both, Operation.ENCRYPT, EncryptRequest, whole, {})
        assert b"".join(each.data or b"" for each in parts) == expected.data
        assert getattr(parts[-1], "authenticated_encryption_tag", None) == tag
        first, second = expected.data[:700], expected.data[700:]
        turns = both.turns()
        value = (
            next(turns)
            .call(
                Operation.DECRYPT,
                DecryptRequest(data=first, init_indicator=True, authenticated_encryption_tag=tag, **whole),
            )
            .correlation_value
        )
        rest = DecryptRequest(unique_identifier=uid, data=second, correlation_value=value, final_indicator=True)
        assert next(turns).call(Operation.DECRYPT, rest).data == PLAIN


def test_sign_and_verify_in_parts_over_two_workers(pair: RunningServer) -> None:
    with Both(pair) as both:
        client = next(both.turns())
        made = client.call(Operation.CREATE_KEY_PAIR, create_key_pair(A.RSA, 2048))
        private = activated(client, made.private_key_unique_identifier)
        public = activated(client, made.public_key_unique_identifier)
        more = {"unique_identifier": private, "cryptographic_parameters": PSS}
        signature = in_parts(both, Operation.SIGN, SignRequest, more, {})[-1].signature_data
        whole = SignatureVerifyRequest(
            unique_identifier=public, cryptographic_parameters=PSS, data=PLAIN, signature_data=signature
        )
        assert client.call(Operation.SIGNATURE_VERIFY, whole).validity_indicator == ValidityIndicator.VALID
        more["unique_identifier"] = public
        last = {"signature_data": signature}
        parts = in_parts(both, Operation.SIGNATURE_VERIFY, SignatureVerifyRequest, more, last)
        assert parts[-1].validity_indicator == ValidityIndicator.VALID


def test_mac_and_hash_in_parts_over_two_workers(pair: RunningServer) -> None:
    with Both(pair) as both:
        client = next(both.turns())
        made = client.call(Operation.CREATE, create(algorithm=A.HMAC_SHA256))
        uid = activated(client, made.unique_identifier)
        more = {"unique_identifier": uid}
        mac = in_parts(both, Operation.MAC, MACRequest, more, {})[-1].mac_data
        assert client.call(Operation.MAC, MACRequest(unique_identifier=uid, data=PLAIN)).mac_data == mac
        parts = in_parts(both, Operation.MAC_VERIFY, MACVerifyRequest, more, {"mac_data": mac})
        assert parts[-1].validity_indicator == ValidityIndicator.VALID
        more = {"cryptographic_parameters": SHA_256}
        assert in_parts(both, Operation.HASH, HashRequest, more, {})[-1].data == hashlib.sha256(PLAIN).digest()


def begun(client: Client, uid: str, version: Version = V1_4) -> bytes:
    request = EncryptRequest(
        unique_identifier=uid,
        cryptographic_parameters=GCM,
        iv_counter_nonce=IV,
        data=PLAIN[:50],
        init_indicator=True,
    )
    value: bytes = client.call(Operation.ENCRYPT, request).correlation_value
    return value


def part(uid: str, value: bytes, data: bytes = PLAIN[50:], *, last: bool = True) -> EncryptRequest:
    return EncryptRequest(unique_identifier=uid, data=data, correlation_value=value, final_indicator=last or None)


def test_a_part_is_paid_for_once_wherever_it_comes(pair: RunningServer) -> None:
    with Both(pair) as both:
        one, other = both.clients.values()
        limits = UsageLimits(usage_limits_total=1000, usage_limits_unit=UsageLimitsUnit.BYTE)
        uid = activated(
            one, one.call(Operation.CREATE, create(attribute(Tag.USAGE_LIMITS, limits))).unique_identifier
        )
        value = begun(one, uid)
        other.call(Operation.ENCRYPT, part(uid, value, PLAIN[50:250]))
        asked = GetAttributesRequest(unique_identifier=uid, attribute_names=(Tag.USAGE_LIMITS,))
        for client in (one, other):
            assert client.call(Operation.GET_ATTRIBUTES, asked).attributes[0].value.usage_limits_count == 750


def test_a_stream_is_its_principals_at_every_worker(pair: RunningServer) -> None:
    with Both(pair) as both, Both(pair, name="client2") as others:
        client = next(both.turns())
        uid = activated(client, client.call(Operation.CREATE, create()).unique_identifier)
        value = begun(client, uid)
        hashing = HashRequest(cryptographic_parameters=SHA_256, data=b"x", init_indicator=True)
        hashed = client.call(Operation.HASH, hashing).correlation_value
        for stranger in others.clients.values():
            rest = HashRequest(cryptographic_parameters=SHA_256, correlation_value=hashed, final_indicator=True)
            with pytest.raises(Refused, match=UNKNOWN):
                stranger.call(Operation.HASH, rest)
        assert both.clients[1 - value[0]].call(Operation.ENCRYPT, part(uid, value)).data


@pytest.mark.parametrize("version", [V1_4, V2_1])
def test_a_batch_of_two_workers_values_goes_to_the_firsts(pair: RunningServer, version: Version) -> None:
    with Both(pair, version) as both:
        one, other = both.clients.values()
        uid = activated(one, one.call(Operation.CREATE, create()).unique_identifier)
        for asked in (one, other):
            values = [begun(client, uid) for client in (one, other)]
            assert [value[0] for value in values] == list(both.clients)
            items = asked.batch(*((Operation.ENCRYPT, part(uid, value)) for value in values))
            statuses = [ResultStatus(child(each, Tag.RESULT_STATUS)) for each in items]
            assert statuses == [ResultStatus.SUCCESS, ResultStatus.OPERATION_FAILED]
            assert child(items[1], Tag.RESULT_MESSAGE) == UNKNOWN
            # Where it lives the other has not moved.
            assert other.call(Operation.ENCRYPT, part(uid, values[1])).data


def test_data_that_looks_like_a_correlation_value_is_data(pair: RunningServer) -> None:
    with Both(pair) as both:
        client = next(both.turns())
        uid = activated(client, client.call(Operation.CREATE, create()).unique_identifier)
        lure = Tag.CORRELATION_VALUE.to_bytes(3, "big") + b"\x08\0\0\0\x10"
        for number, asked in both.clients.items():
            value = begun(asked, uid)
            for other in both.clients:
                data = lure + bytes([other]) + bytes(15)
                both.clients[1 - number].call(Operation.ENCRYPT, part(uid, value, data, last=False))
            asked.call(Operation.ENCRYPT, part(uid, value))


def test_many_clients_at_once_each_with_its_streams(pair: RunningServer) -> None:
    faults: list[BaseException] = []

    def work() -> None:
        try:
            with Both(pair) as both:
                for _ in range(10):
                    more = {"cryptographic_parameters": SHA_256}
                    digest = in_parts(both, Operation.HASH, HashRequest, more, {})[-1].data
                    assert digest == hashlib.sha256(PLAIN).digest()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults
    assert not any(thread.is_alive() for thread in threads)


# --- the status of all ----------------------------------------------------------------------------


def status(server: RunningServer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.admin("status", "--json").stdout)
    return found


def test_status_sums_all_workers_whoever_is_asked(pair: RunningServer) -> None:
    with Both(pair) as both:
        before = status(pair)
        for _ in range(3):
            for client in both.clients.values():
                number_of(client)
        # Whichever of them answers.
        for _ in range(6):
            now = status(pair)
            assert now["messages"] == before["messages"] + 3 * 2 * 2
            assert now["connections"] == sum(row["connections"] for row in now["workers"])
            assert "workers_not_answering" not in now


# --- a worker that is gone ------------------------------------------------------------------------


def test_a_stream_whose_worker_is_gone_is_unknown(new_instance: Path) -> None:
    with RunningServer(new_instance, *TWO) as server, Both(server) as both:
        one, other = both.clients.values()
        uid = activated(one, one.call(Operation.CREATE, create()).unique_identifier)
        value = begun(one, uid)
        before = processes(server)
        kill(worker_of(server, one.connection))
        assert one.connection.receive() == b""
        # Handed over before the other has heard of the end, the request would share it: its outcome is unknown.
        until(lambda: set(processes(server)) - set(before), "another in its place")
        with pytest.raises(Refused, match=UNKNOWN):
            other.call(Operation.ENCRYPT, part(uid, value))
        # The same at whoever comes in its place, and its own operations are known to both.
        until(lambda: len(processes(server)) == 2, "another in its place")
        with Both(server) as again:
            for client in again.clients.values():
                with pytest.raises(Refused, match=UNKNOWN):
                    client.call(Operation.ENCRYPT, part(uid, value))
            turns = again.turns()
            value = begun(next(turns), uid)
            assert next(turns).call(Operation.ENCRYPT, part(uid, value)).data


def test_a_worker_that_hangs_with_a_message_ends_the_clients_connection(new_instance: Path) -> None:
    options = (*TWO, "--set", "server.hang_seconds=1.0")
    with RunningServer(new_instance, *options) as server, Both(server) as both:
        one, other = both.clients.values()
        uid = activated(one, one.call(Operation.CREATE, create()).unique_identifier)
        value = begun(one, uid)
        kill(worker_of(server, one.connection), signal.SIGSTOP)
        payload = encode_structure(part(uid, value), V1_4)
        other.connection.send(request_message(V1_4, [(int(Operation.ENCRYPT), payload, None)]))
        assert other.connection.receive() == b""
        logged(server, "the outcome is unknown")


def test_a_worker_that_does_not_answer_is_named(new_instance: Path) -> None:
    options = (*TWO, "--set", "server.hang_seconds=60.0")
    with RunningServer(new_instance, *options) as server, Both(server) as both:
        process = worker_of(server, both.clients[0].connection)
        kill(process, signal.SIGSTOP)
        try:
            assert status(server)["workers_not_answering"] == [0]
            assert "workers not answering" in server.admin("status").stdout
        finally:
            kill(process, signal.SIGCONT)


def test_an_ended_server_leaves_no_socket(new_instance: Path) -> None:
    with RunningServer(new_instance, *TWO) as server:
        assert len(list(new_instance.glob("worker-*.sock"))) == 2
        assert server.stop() == 0
        assert not list(new_instance.glob("worker-*.sock"))


# --- resumption -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_with_an_intermediate_is_resumed_at_the_other_worker(
    tmp_path: Path, new_instance: Path, version: ssl.TLSVersion
) -> None:
    root = make("test root", ca=True)
    issuing = make("test issuing", by=root, ca=True)
    (new_instance / "certs" / "other.pem").write_bytes(root.pem)
    authorities = 'tls.client_ca=["certs/ca.pem", "certs/other.pem"]'
    with RunningServer(new_instance, *TWO, "--set", authorities) as server:
        tls = client_context(tmp_path, server.ca, make("client", by=issuing), issuing)
        tls.minimum_version = tls.maximum_version = version
        one, other = processes(server)
        with connection_to(server, one, tls=tls) as full:
            assert answered(full) == ResultStatus.SUCCESS
            session = full.socket.session
        with connection_to(server, other, tls=tls, session=session) as resumed:
            assert resumed.socket.session_reused
            assert answered(resumed) == ResultStatus.SUCCESS
