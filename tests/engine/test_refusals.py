"""A State, date, mask or permission that forbids a use leaves everything as it was, including usage counts.

Strategy: every use of a key, every obstacle, one table each; before and after, all that the database holds but the
record of what was asked is read and compared. The same use without an obstacle changes the count of a key that has
one, so that a refusal which changes nothing is no accident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives import keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kmip_server.errors import IncompatibleCryptographicUsageMask, ObjectNotFound, PermissionDenied
from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.enums import (
    BatchErrorContinuationOption,
    BlockCipherMode,
    EncodingOption,
    HashingAlgorithm,
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    Operation,
    ResultReason,
    ResultStatus,
    RevocationReasonCode,
    UsageLimitsUnit,
    WrappingMethod,
)
from kmip_server.protocol.objects import (
    EncryptionKeyInformation,
    KeyBlock,
    KeyValue,
    KeyWrappingData,
    KeyWrappingSpecification,
    MACSignatureKeyInformation,
    PrivateKey,
    PublicKey,
    SymmetricKey,
)
from kmip_server.protocol.payloads.attributes import GetAttributesRequest
from kmip_server.protocol.payloads.cryptographic import (
    DecryptRequest,
    EncryptRequest,
    MACRequest,
    MACVerifyRequest,
    SignatureVerifyRequest,
    SignRequest,
)
from kmip_server.protocol.payloads.get import GetRequest
from kmip_server.protocol.payloads.lifecycle import DestroyRequest
from kmip_server.protocol.payloads.register import RegisterRequest
from kmip_server.protocol.payloads.transfer import ExportRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_4, V2_1, Version
from tests.support.engine import Engine, Refused, child, told
from tests.support.requests import A, M, attribute, parameters, register_key, revoke, template

T, Op, R = ObjectType, Operation, ResultReason
LIMIT = 1000
LIMITS = attribute(Tag.USAGE_LIMITS, UsageLimits(usage_limits_total=LIMIT, usage_limits_unit=UsageLimitsUnit.BYTE))
ACTIVE = attribute(Tag.ACTIVATION_DATE, 0)
CBC = parameters(block_cipher_mode=BlockCipherMode.CBC)
KEYWRAP = parameters(block_cipher_mode=BlockCipherMode.NISTKEYWRAP)
SHA_256 = parameters(hashing_algorithm=HashingAlgorithm.SHA_256)
KEY = bytes(range(32))
PRIVATE = ec.derive_private_key(1 << 100, ec.SECP256R1())


# --- keys ---------------------------------------------------------------------------------------


def registering(object_type: ObjectType, algorithm: A, mask: M, *attributes: Any) -> RegisterRequest:
    """A key of the client's: the same material each time, so that what it is used upon is known."""
    if object_type == T.SYMMETRIC_KEY:
        return register_key(KEY, *attributes, algorithm=algorithm, mask=mask)
    der = serialization.Encoding.DER
    if object_type == T.PRIVATE_KEY:
        free = serialization.NoEncryption()
        kind: Any = PrivateKey
        form, material = KeyFormatType.PKCS_8, PRIVATE.private_bytes(der, serialization.PrivateFormat.PKCS8, free)
    else:
        kind = PublicKey
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        form, material = KeyFormatType.X_509, PRIVATE.public_key().public_bytes(der, spki)
    block = KeyBlock(
        key_format_type=form,
        key_value=KeyValue(key_material=material),
        cryptographic_algorithm=algorithm,
        cryptographic_length=256,
    )
    return RegisterRequest(
        object_type=object_type,
        template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask), *attributes),
        managed_object=kind(key_block=block),
    )


def registered(engine: Engine, object_type: ObjectType, algorithm: A, mask: M, *attributes: Any) -> str:
    request = registering(object_type, algorithm, mask, *attributes)
    uid: str = engine.call(Op.REGISTER, request).unique_identifier
    return uid


def another(engine: Engine, algorithm: A = A.AES, mask: M = M.ENCRYPT) -> str:
    """A second key that the use is about, with a count of its own: nothing is in its way."""
    return registered(engine, T.SYMMETRIC_KEY, algorithm, mask, ACTIVE, LIMITS)


def wrapped_by(encryption: str, mac: str | None = None) -> KeyWrappingSpecification:
    return KeyWrappingSpecification(
        wrapping_method=WrappingMethod.ENCRYPT_THEN_MAC_SIGN if mac else WrappingMethod.ENCRYPT,
        encryption_key_information=EncryptionKeyInformation(
            unique_identifier=encryption, cryptographic_parameters=KEYWRAP
        ),
        mac_signature_key_information=MACSignatureKeyInformation(unique_identifier=mac) if mac else None,
        encoding_option=EncodingOption.NO_ENCODING,
    )


def stored_wrapped(engine: Engine, uid: str) -> str:
    """A key that was registered as `uid` wraps it."""
    block = KeyBlock(
        key_format_type=KeyFormatType.RAW,
        key_value=keywrap.aes_key_wrap(KEY, bytes(32)),
        cryptographic_algorithm=A.AES,
        cryptographic_length=256,
        key_wrapping_data=KeyWrappingData(
            wrapping_method=WrappingMethod.ENCRYPT,
            encryption_key_information=EncryptionKeyInformation(
                unique_identifier=uid, cryptographic_parameters=KEYWRAP
            ),
            encoding_option=EncodingOption.NO_ENCODING,
        ),
    )
    request = RegisterRequest(
        object_type=T.SYMMETRIC_KEY,
        template_attribute=template(attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, M.ENCRYPT)),
        managed_object=SymmetricKey(key_block=block),
    )
    made: str = engine.call(Op.REGISTER, request).unique_identifier
    return made


# --- the uses -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Use:
    """One way to use a key."""

    operation: Operation
    mask: M
    """What the key needs."""
    request: Callable[[Engine, str], Any]
    """The request that uses the key with this identifier."""
    object_type: ObjectType = T.SYMMETRIC_KEY
    algorithm: A = A.AES
    protects: bool = True
    """Else it opens or verifies what was protected before."""
    wraps: bool = False
    """The key is not the one that is asked for."""
    counted: bool = True


def _uses(kind: type[Any], **given: Any) -> Callable[[Engine, str], Any]:
    return lambda _, uid: kind(unique_identifier=uid, **given)


_CIPHER = {"cryptographic_parameters": CBC, "data": bytes(16), "iv_counter_nonce": bytes(16)}
_SIGNED = {"cryptographic_parameters": SHA_256, "data": b"contract"}
_PRIVATE = {"object_type": T.PRIVATE_KEY, "algorithm": A.EC}
_HMAC = {"algorithm": A.HMAC_SHA256}

USES: dict[str, Use] = {
    "Encrypt": Use(operation=Op.ENCRYPT, mask=M.ENCRYPT, request=_uses(EncryptRequest, **_CIPHER)),
    "Encrypt, the first part": Use(
        operation=Op.ENCRYPT,
        mask=M.ENCRYPT,
        request=_uses(EncryptRequest, init_indicator=True, **_CIPHER),
    ),
    "Decrypt": Use(
        operation=Op.DECRYPT,
        mask=M.DECRYPT,
        request=_uses(DecryptRequest, **_CIPHER),
        protects=False,
        counted=False,
    ),
    "Sign": Use(operation=Op.SIGN, mask=M.SIGN, request=_uses(SignRequest, **_SIGNED), **_PRIVATE),
    "Sign, the first part": Use(
        operation=Op.SIGN,
        mask=M.SIGN,
        request=_uses(SignRequest, init_indicator=True, **_SIGNED),
        **_PRIVATE,
    ),
    "Signature Verify": Use(
        operation=Op.SIGNATURE_VERIFY,
        mask=M.VERIFY,
        request=_uses(SignatureVerifyRequest, signature_data=b"any", **_SIGNED),
        object_type=T.PUBLIC_KEY,
        algorithm=A.EC,
        protects=False,
        counted=False,
    ),
    "MAC": Use(operation=Op.MAC, mask=M.MAC_GENERATE, request=_uses(MACRequest, data=b"contract"), **_HMAC),
    "MAC Verify": Use(
        operation=Op.MAC_VERIFY,
        mask=M.MAC_VERIFY,
        request=_uses(MACVerifyRequest, data=b"contract", mac_data=b"any"),
        protects=False,
        counted=False,
        **_HMAC,
    ),
    "Get, wrapped": Use(
        operation=Op.GET,
        mask=M.WRAP_KEY,
        request=lambda engine, uid: GetRequest(
            unique_identifier=another(engine), key_wrapping_specification=wrapped_by(uid)
        ),
        wraps=True,
    ),
    "Get, wrapped and then MACed": Use(
        operation=Op.GET,
        mask=M.MAC_GENERATE,
        request=lambda engine, uid: GetRequest(
            unique_identifier=another(engine),
            key_wrapping_specification=wrapped_by(another(engine, mask=M.WRAP_KEY), uid),
        ),
        wraps=True,
        **_HMAC,
    ),
    "Get, unwrapped": Use(
        operation=Op.GET,
        mask=M.UNWRAP_KEY,
        request=lambda engine, uid: GetRequest(
            unique_identifier=stored_wrapped(engine, uid), key_wrap_type=KeyWrapType.NOT_WRAPPED
        ),
        protects=False,
        wraps=True,
        counted=False,
    ),
    "Export, wrapped": Use(
        operation=Op.EXPORT,
        mask=M.WRAP_KEY,
        request=lambda engine, uid: ExportRequest(
            unique_identifier=another(engine), key_wrapping_specification=wrapped_by(uid)
        ),
        wraps=True,
    ),
}


# --- what is in the way -------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """Why the key cannot be used so."""

    attributes: Callable[[int], tuple[Any, ...]] = lambda _: (ACTIVE,)
    """What the key is made with, `now`."""
    meanwhile: Callable[[Engine, str], None] = lambda engine, uid: None
    """What becomes of it before it is used."""
    forbids_processing: bool = True
    forbids_protecting: bool = True
    masked: bool = False
    principal: str = "one"


def _revoked(code: RevocationReasonCode, *, destroyed: bool = False) -> Callable[[Engine, str], None]:
    def revoking(engine: Engine, uid: str) -> None:
        engine.call(Op.REVOKE, revoke(uid, code))
        if destroyed:
            engine.call(Op.DESTROY, DestroyRequest(unique_identifier=uid))

    return revoking


def _dated(**dates: int) -> Callable[[int], tuple[Any, ...]]:
    """Dates as seconds from now; the use comes 20 seconds after."""
    return lambda now: tuple(attribute(Tag[tag.upper()], now + seconds) for tag, seconds in dates.items())


CESSATION, COMPROMISE = RevocationReasonCode.CESSATION_OF_OPERATION, RevocationReasonCode.KEY_COMPROMISE
OBSTACLES: dict[str, Obstacle] = {
    "Pre-Active": Obstacle(attributes=lambda _: ()),
    "Deactivated": Obstacle(meanwhile=_revoked(CESSATION), forbids_processing=False),
    "Compromised": Obstacle(meanwhile=_revoked(COMPROMISE), forbids_processing=False),
    "Destroyed": Obstacle(meanwhile=_revoked(CESSATION, destroyed=True)),
    "Destroyed Compromised": Obstacle(meanwhile=_revoked(COMPROMISE, destroyed=True)),
    "Activation Date to come": Obstacle(attributes=_dated(activation_date=100)),
    "Deactivation Date passed": Obstacle(
        attributes=_dated(activation_date=-100, deactivation_date=10), forbids_processing=False
    ),
    "Process Start Date to come": Obstacle(
        attributes=_dated(activation_date=-100, process_start_date=100), forbids_protecting=False
    ),
    "Protect Stop Date passed": Obstacle(
        attributes=_dated(activation_date=-100, protect_stop_date=10), forbids_processing=False
    ),
    "mask": Obstacle(masked=True),
    "another's": Obstacle(principal="two"),
    "another domain's": Obstacle(principal="elsewhere"),
    "nobody's": Obstacle(principal="nobody"),
    "a manager's, who sees no keys": Obstacle(principal="admin"),
}


def cells() -> list[Any]:
    return [
        pytest.param(use, obstacle, id=f"{use_name}-{obstacle_name}")
        for use_name, use in USES.items()
        for obstacle_name, obstacle in OBSTACLES.items()
        if (obstacle.forbids_protecting if use.protects else obstacle.forbids_processing)
    ]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One for all: each test makes its own keys, and what it compares is the database before and after."""
    made = Engine(tmp_path_factory.mktemp("refusals"))
    yield made
    made.close()


# --- the tests ----------------------------------------------------------------------------------


def everything(engine: Engine) -> dict[str, list[Any]]:
    """Every row of every table, but the record of what was asked."""
    connection = engine.connect()
    try:
        named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        tables = sorted(name for (name,) in named if not name.startswith("audit_"))
        assert {"objects", "materials", "names", "attribute_terms", "meta"} <= set(tables)
        return {each: sorted(connection.execute(f"SELECT * FROM {each}"), key=repr) for each in tables}
    finally:
        connection.close()


def records(engine: Engine) -> int:
    connection = engine.connect()
    try:
        (count,) = connection.execute("SELECT count(*) FROM audit_records").fetchone()
        return int(count)
    finally:
        connection.close()


def usable_key(engine: Engine, use: Use, obstacle: Obstacle) -> str:
    mask = (M.ENCRYPT | M.DECRYPT | M.SIGN | M.VERIFY | M.DERIVE_KEY) & ~use.mask if obstacle.masked else use.mask
    attributes = obstacle.attributes(engine.clock.now())
    return registered(engine, use.object_type, use.algorithm, mask, *attributes, LIMITS)


def count(engine: Engine, uid: str) -> int:
    asked = GetAttributesRequest(unique_identifier=uid, attribute_names=(Tag.USAGE_LIMITS,))
    left: int = engine.call(Op.GET_ATTRIBUTES, asked).attributes[0].value.usage_limits_count
    return left


@pytest.mark.parametrize(("use", "obstacle"), cells())
@pytest.mark.parametrize("version", [V1_4, V2_1], ids=str)
def test_what_is_refused_leaves_everything_as_it_was(
    engine: Engine, use: Use, obstacle: Obstacle, version: Version
) -> None:
    uid = usable_key(engine, use, obstacle)
    request = use.request(engine, uid)
    obstacle.meanwhile(engine, uid)
    engine.clock.advance(20)
    before, recorded, under_way = everything(engine), records(engine), len(engine.answerer.streams)
    with pytest.raises(Refused) as refused:
        engine.call(use.operation, request, version=version, principal=obstacle.principal)
    assert everything(engine) == before
    assert len(engine.answerer.streams) == under_way
    # It was asked, and that is on record.
    assert records(engine) == recorded + 1
    assert refused.value.payload is None
    if obstacle.principal in ("two", "elsewhere", "nobody"):
        assert refused.value.reason == told(ObjectNotFound, use.operation, version)
    elif obstacle.principal == "admin":
        assert refused.value.reason == told(PermissionDenied, use.operation, version)
    elif obstacle.masked and not use.wraps:
        assert refused.value.reason == told(IncompatibleCryptographicUsageMask, use.operation, version)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("version", [V1_4, V2_1], ids=str)
def test_without_an_obstacle_it_is_done_and_counted(engine: Engine, use: Use, version: Version) -> None:
    uid = usable_key(engine, use, Obstacle())
    request = use.request(engine, uid)
    engine.call(use.operation, request, version=version)
    assert (count(engine, uid) < LIMIT) == use.counted


@pytest.mark.parametrize("use", [each for each in USES.values() if not each.wraps and each.counted])
@pytest.mark.parametrize("version", [V1_4, V2_1], ids=str)
def test_what_an_undone_batch_did_is_not_counted(engine: Engine, use: Use, version: Version) -> None:
    """The first item is done, the second may not be: neither leaves anything."""
    good, bad = usable_key(engine, use, Obstacle()), usable_key(engine, use, OBSTACLES["mask"])
    requests = [(use.operation, use.request(engine, uid)) for uid in (good, bad)]
    before, under_way = everything(engine), len(engine.answerer.streams)
    items = engine.batch(version, requests, option=BatchErrorContinuationOption.UNDO)
    statuses = [child(item, Tag.RESULT_STATUS) for item in items]
    assert statuses == [ResultStatus.OPERATION_UNDONE, ResultStatus.OPERATION_FAILED]
    assert everything(engine) == before
    assert len(engine.answerer.streams) == under_way


@pytest.mark.parametrize("use", [each for each in USES.values() if each.counted])
def test_limits_that_are_spent_leave_everything_as_it_was(engine: Engine, use: Use) -> None:
    """No part of what is left is taken, and of what else the request used nothing is either."""
    few = UsageLimits(usage_limits_total=1, usage_limits_unit=UsageLimitsUnit.BYTE)
    request = registering(use.object_type, use.algorithm, use.mask, ACTIVE, attribute(Tag.USAGE_LIMITS, few))
    uid = engine.call(Op.REGISTER, request).unique_identifier
    asked = use.request(engine, uid)
    before = everything(engine)
    with pytest.raises(Refused):
        engine.call(use.operation, asked)
    assert everything(engine) == before
    assert count(engine, uid) == 1
