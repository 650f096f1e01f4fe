"""An application that encrypts fields, by pymongo's ClientEncryption; run by the client's own Python.

Strategy: all of it is MongoDB's own (the driver, libmongocrypt, its KMIP) but for the collection that holds the
data keys: a file stands in for a MongoDB server. Requests are read as JSON from the file that is named first,
answers written to the second; what the driver raises is an answer too. Nothing but the collection outlives a
process.
"""

import base64
import json
import sys
from contextlib import contextmanager
from pathlib import Path

import bson
from bson.binary import Binary
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.encryption import Algorithm, ClientEncryption
from pymongo.errors import PyMongoError


class Collection:
    """The key vault's collection, as far as the driver uses it: documents of BSON, a line each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def with_options(self, **_):
        return self

    def documents(self) -> list[dict]:
        if not self._path.exists():
            return []
        return [bson.decode(base64.b64decode(line)) for line in self._path.read_text().split()]

    def _write(self, documents) -> None:
        self._path.write_text("\n".join(base64.b64encode(bson.encode(each)).decode() for each in documents))

    @contextmanager
    def find(self, wanted):
        yield [RawBSONDocument(bson.encode(each)) for each in self.documents() if _matches(each, wanted)]

    def find_one(self, wanted):
        """That of get_key_by_alt_name: {"keyAltNames": …}."""
        return next(each for each in self.documents() if wanted["keyAltNames"] in each["keyAltNames"])

    def insert_one(self, document) -> None:
        self._write([*self.documents(), bson.decode(document.raw)])

    def bulk_write(self, updates):
        """Those of rewrap_many_data_key: {"_id": …}, {"$set": …, "$currentDate": …}."""
        documents = {bytes(each["_id"]): each for each in self.documents()}
        for update in updates:
            documents[bytes(update._filter["_id"])] |= bson.decode(bson.encode(update._doc["$set"]))
        self._write(documents.values())
        return len(updates)


def _matches(document: dict, wanted: dict) -> bool:
    """Everything, or what libmongocrypt asks for: {"$or": [{"_id": {"$in": …}}, {"keyAltNames": {"$in": …}}]}."""
    if not wanted:
        return True
    by_id, by_name = wanted["$or"]
    names = set(document.get("keyAltNames", ()))
    return document["_id"] in by_id["_id"]["$in"] or bool(names & set(by_name["keyAltNames"]["$in"]))


class Server(MongoClient):
    """Connects nowhere; its one collection is the file."""

    def __init__(self, path: Path) -> None:
        super().__init__(connect=False)
        self._collection = Collection(path)

    def __getitem__(self, _: str):
        return {"__keyVault": self._collection}


def _master_key(request: dict) -> dict:
    key = {"delegated": True} if request["delegated"] else {}
    return key | ({"keyId": request["key_id"]} if "key_id" in request else {})


def create(encryption: ClientEncryption, request: dict) -> dict:
    """A data key under a master key: one that is named, or one that libmongocrypt makes."""
    encryption.create_data_key("kmip", master_key=_master_key(request), key_alt_names=[request["name"]])
    return {}


def encrypt(encryption: ClientEncryption, request: dict) -> dict:
    algorithm = getattr(Algorithm, f"AEAD_AES_256_CBC_HMAC_SHA_512_{request.get('algorithm', 'Random')}")
    made = encryption.encrypt(request["value"], algorithm, key_alt_name=request["name"])
    return {"ciphertext": base64.b64encode(made).decode()}


def decrypt(encryption: ClientEncryption, request: dict) -> dict:
    return {"value": encryption.decrypt(Binary(base64.b64decode(request["ciphertext"]), 6))}


def rewrap(encryption: ClientEncryption, request: dict) -> dict:
    """Every data key under a new master key."""
    return {"rewrapped": encryption.rewrap_many_data_key({}, "kmip", _master_key(request)).bulk_write_result}


ACTIONS = {each.__name__: each for each in (create, encrypt, decrypt, rewrap)}


def perform(requests: list[dict], given: dict) -> list[dict]:
    """In one process, with one ClientEncryption: it keeps data keys for a minute."""
    server = Server(Path(given["vault"]))
    encryption = ClientEncryption(
        {"kmip": {"endpoint": given["server"]}},
        "encryption.__keyVault",
        server,
        CodecOptions(),
        kms_tls_options={"kmip": {"tlsCAFile": given["ca"], "tlsCertificateKeyFile": given["certificate_and_key"]}},
    )
    answers = []
    for request in requests:
        if "master_of" in request:  # the master key of a data key that is there already
            request["key_id"] = encryption.get_key_by_alt_name(request["master_of"])["masterKey"]["keyId"]
        try:
            answers.append(ACTIONS[request["action"]](encryption, request))
        except PyMongoError as error:
            answers.append({"error": f"{type(error).__name__}: {error}"})
    names = {each["keyAltNames"][0]: each for each in server["encryption"]["__keyVault"].documents()}
    for request, answer in zip(requests, answers, strict=True):
        if request.get("name") in names:
            answer["master_key"] = names[request["name"]]["masterKey"]
    return answers


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps(perform(asked["requests"], asked)))
