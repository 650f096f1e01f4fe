"""All 27 operations of cyphera-kmip's client; run by the client's own Python, which writes the outcomes as JSON.

Strategy: of some operations the client sends what no server can accept (wrong tags, fields that are missing). Those
must be refused by an answer, with its reason, over a connection that stays; what the reason is, is read from the
answer's bytes, since the client looks for it under a wrong tag as well.

`operations.py HOST PORT CA CERTIFICATE KEY` plays all; `… pair` what needs a server where two objects may have one
Name; `… probe` does the least.
"""

import json
import sys
from dataclasses import asdict
from itertools import count
from pathlib import Path

from cyphera_kmip import Algorithm, KmipClient, KmipError, ObjectType, Operation, decode_ttlv, find_child

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from interop.steps import Steps, perform

RESULT_REASON = 0x42007E
ITEM_NOT_FOUND, INVALID_MESSAGE, NOT_SUPPORTED, MISSING_DATA, INVALID_FIELD, DENIED = 1, 4, 5, 6, 7, 12
MALFORMED = (INVALID_MESSAGE, MISSING_DATA, INVALID_FIELD)

step = Steps()
pair = Steps()
numbers = count(1)


class Watched(KmipClient):
    """The client as it is, and the last answer's bytes."""

    answer = b""

    def _send(self, request: bytes) -> bytes:
        self.answer = super()._send(request)
        return self.answer

    def reason(self) -> int | None:
        item = find_child(find_child(decode_ttlv(self.answer), 0x42000F), RESULT_REASON)
        return None if item is None else item["value"]


def refused(client: Watched, call, *arguments, reasons=MALFORMED) -> None:
    """By an answer; and the connection is the same afterwards, and is as good."""
    uid = _key(client, f"beside {next(numbers)}")
    connection = client._sock
    try:
        call(*arguments)
    except KmipError as error:
        assert error.result_status == 1
    else:
        raise AssertionError(f"{call.__name__} succeeded")
    assert client.reason() in reasons, client.reason()
    assert client.get(uid)["unique_identifier"] == uid
    assert client._sock is connection


def served(client: Watched, call, *arguments):
    """What it returns; None where the server says that it has no such operation, over a connection that stays."""
    try:
        return call(*arguments)
    except KmipError:
        if client.reason() != NOT_SUPPORTED:
            raise
    refused(client, call, *arguments, reasons=(NOT_SUPPORTED,))
    return None


def _key(client: Watched, name: str) -> str:
    return client.create(name, "AES", 256)["unique_identifier"]


@step("discover versions")
def _versions(client: Watched) -> None:
    assert {"major": 1, "minor": 4} in client.discover_versions()["versions"]


@step("query, which asks for nothing")
def _query(client: Watched) -> None:
    assert client.query() == {"operations": [], "object_types": []}


@step("create, locate, get, fetch by name")
def _create(client: Watched) -> None:
    made = client.create("a key", "AES", 256)
    uid = made["unique_identifier"]
    assert made["object_type"] == ObjectType.SymmetricKey
    assert client.locate("a key") == [uid]
    assert client.locate("no key") == []
    found = client.get(uid)
    assert found["unique_identifier"] == uid
    assert len(found["key_material"]) == 32
    assert client.fetch_key("a key") == found["key_material"]


@step("create an HMAC key")
def _others(client: Watched) -> None:
    uid = client.create("an HMAC key", "HMACSHA256", 256)["unique_identifier"]
    assert len(client.get(uid)["key_material"]) == 32


@step("register, the object before the attributes and no usage mask")
def _register(client: Watched) -> None:
    material = bytes(range(32))
    made = client.register(ObjectType.SymmetricKey, material, "brought along", Algorithm.AES, 256)
    assert client.get(made["unique_identifier"])["key_material"] == material
    assert client.fetch_key("brought along") == material


@step("create key pair with one Name for both keys is refused, since names are unique; the connection stays")
def _one_name(client: Watched) -> None:
    refused(client, client.create_key_pair, "a pair", Algorithm.RSA, 2048)
    assert client.locate("a pair") == []


@pair("create key pair with a plain Template-Attribute, where names need not be unique")
def _pair(client: Watched) -> None:
    made = client.create_key_pair("a pair", Algorithm.RSA, 2048)
    private, public = made["private_key_uid"], made["public_key_uid"]
    assert sorted(client.locate("a pair")) == sorted((private, public))
    assert "Cryptographic Algorithm" in client.get_attribute_list(private)


@step("re-key: a new key, which has the name")
def _rekey(client: Watched) -> None:
    old = _key(client, "renewed")
    client.activate(old)
    new = client.re_key(old)["unique_identifier"]
    assert new != old
    assert client.locate("renewed") == [new]
    assert client.get(new)["key_material"] != client.get(old)["key_material"]


@step("check")
def _check(client: Watched) -> None:
    uid = _key(client, "checked")
    client.activate(uid)
    assert client.check(uid)["unique_identifier"] == uid


@step("get attributes, get attribute list")
def _attributes(client: Watched) -> None:
    uid = _key(client, "described")
    assert client.get_attributes(uid)["unique_identifier"] == uid
    assert {"Name", "State", "Cryptographic Length"} <= set(client.get_attribute_list(uid))


@step("add attribute, modify attribute")
def _custom(client: Watched) -> None:
    uid = _key(client, "marked")
    client.add_attribute(uid, "x-shelf", "left")
    assert "x-shelf" in client.get_attribute_list(uid)
    client.modify_attribute(uid, "x-shelf", "right")


@step("obtain lease, or Operation Not Supported")
def _lease(client: Watched) -> None:
    seconds = served(client, client.obtain_lease, _key(client, "leased"))
    assert seconds is None or seconds > 0


@step("archive, recover, or Operation Not Supported")
def _archive(client: Watched) -> None:
    uid = _key(client, "put away")
    served(client, client.archive, uid)
    served(client, client.recover, uid)
    assert client.locate("put away") == [uid]
    assert len(client.get(uid)["key_material"]) == 32


@step("activate, and destroy a key that is not active")
def _destroy(client: Watched) -> None:
    active, other = _key(client, "active"), _key(client, "not active")
    client.activate(active)
    refused(client, client.destroy, active, reasons=(DENIED,))
    client.destroy(other)
    refused(client, client.get, other, reasons=(ITEM_NOT_FOUND,))


@step("a key that is not there: Item Not Found")
def _unknown(client: Watched) -> None:
    refused(client, client.get, "no-such-key", reasons=(ITEM_NOT_FOUND,))


@step("malformed revoke (Revocation Reason under a wrong tag) is refused, the connection stays")
def _revoke(client: Watched) -> None:
    uid = _key(client, "not revoked")
    client.activate(uid)
    refused(client, client.revoke, uid, 1)
    assert len(client.get(uid)["key_material"]) == 32


@step("malformed derive key (no Object Type, the method inside the parameters) is refused, the connection stays")
def _derive(client: Watched) -> None:
    reasons = (*MALFORMED, NOT_SUPPORTED)
    refused(client, client.derive_key, _key(client, "a base"), b"data", "derived", 256, reasons=reasons)


@step("malformed delete attribute (no Attribute Name of its own) is refused, the connection stays")
def _delete(client: Watched) -> None:
    uid = _key(client, "kept")
    client.add_attribute(uid, "x-shelf", "left")
    refused(client, client.delete_attribute, uid, "x-shelf")
    assert "x-shelf" in client.get_attribute_list(uid)


@step("malformed poll (no correlation value) is refused, the connection stays")
def _poll(client: Watched) -> None:
    refused(client, client.poll, reasons=(*MALFORMED, NOT_SUPPORTED))


@step("malformed encrypt and decrypt (Data under a wrong tag) are refused, the connection stays")
def _encrypt(client: Watched) -> None:
    uid = _key(client, "not used")
    client.activate(uid)
    refused(client, client.encrypt, uid, b"sixteen bytes ok")
    refused(client, client.decrypt, uid, b"sixteen bytes ok", bytes(16))


@step("malformed sign, signature verify and MAC (Data under a wrong tag) are refused, the connection stays")
def _sign(client: Watched) -> None:
    uid = client.create("not used either", "HMACSHA256", 256)["unique_identifier"]
    client.activate(uid)
    refused(client, client.sign, uid, b"a message")
    refused(client, client.signature_verify, uid, b"a message", bytes(256))
    refused(client, client.mac, uid, b"a message")


def connect(host: str, port: str, ca: str, certificate: str, key: str) -> Watched:
    return Watched(host, certificate, key, port=int(port), ca_cert=ca)


def main() -> None:
    words = sys.argv[1:6]
    if sys.argv[6:] == ["probe"]:
        try:
            client = connect(*words)
            client.destroy(client.create("probe")["unique_identifier"])
            print("a key, made and destroyed")
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
        return
    outcomes = []
    for each in (pair if sys.argv[6:] == ["pair"] else step).steps:
        client = connect(*words)
        outcomes.append(perform(each, "1.4", client))
        client.close()
    assert len([name for name in vars(Operation) if not name.startswith("_")]) == 27
    json.dump([asdict(each) for each in outcomes], sys.stdout)


if __name__ == "__main__":
    main()
