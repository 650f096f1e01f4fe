"""Operations in several parts: whose they are, when they end, what they cost, and a request evaluated twice."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kmip_server.answer import Evaluation
from kmip_server.crypto import mac
from kmip_server.engine.streams import StreamBounds, Streams
from kmip_server.errors import UsageLimitExceeded
from kmip_server.principal import Peer
from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.codec import encode_structure
from kmip_server.protocol.enums import (
    BatchErrorContinuationOption,
    BlockCipherMode,
    HashingAlgorithm,
    Operation,
    PaddingMethod,
    ResultReason,
    ResultStatus,
    RevocationReasonCode,
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
from kmip_server.protocol.payloads.lifecycle import ActivateRequest, DestroyRequest
from kmip_server.protocol.payloads.locate import LocateRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.versions import V1_3, V1_4, V2_1
from tests.engine.test_use import active, encrypt, refusal
from tests.support.engine import Engine, Refused, child, children, request_message, result_of, told
from tests.support.requests import A, attribute, create, create_key_pair, parameters, register_key, revoke

R, B = ResultReason, BlockCipherMode
IV = bytes(range(16))
PLAIN = bytes(range(100))
CBC = parameters(block_cipher_mode=B.CBC, padding_method=PaddingMethod.PKCS5)
GCM = parameters(block_cipher_mode=B.GCM, tag_length=16)
XTS = parameters(block_cipher_mode=B.XTS)
CTR = parameters(block_cipher_mode=B.CTR)


def first(uid: str | None, data: bytes | None = PLAIN[:50], given: Any = CBC, iv: Any = IV, **more: Any) -> Any:
    return EncryptRequest(
        unique_identifier=uid,
        cryptographic_parameters=given,
        data=data,
        iv_counter_nonce=iv,
        init_indicator=True,
        **more,
    )


def later(uid: str | None, value: bytes, data: bytes | None = PLAIN[50:], *, last: bool = True, **more: Any) -> Any:
    return EncryptRequest(
        unique_identifier=uid, data=data, correlation_value=value, final_indicator=last or None, **more
    )


def begun(engine: Engine, uid: str, **more: Any) -> bytes:
    value: bytes = engine.call(Operation.ENCRYPT, first(uid, **more)).correlation_value
    return value


def gone(engine: Engine, request: Any, **more: Any) -> None:
    """The stream is unknown: in the words and the reason of one that never was."""
    with pytest.raises(Refused) as refused:
        engine.call(Operation.ENCRYPT, request, version=V2_1, **more)
    assert refused.value.reason == R.INVALID_CORRELATION_VALUE
    assert refused.value.message == "no operation with this Correlation Value is outstanding"


# --- each operation -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "iv", "flows"), [(CBC, IV, True), (CTR, IV, True), (GCM, IV[:12], True), (XTS, IV, False)]
)
@pytest.mark.parametrize("version", [V1_3, V1_4, V2_1])
def test_encrypt_and_decrypt(engine: Engine, given: Any, iv: bytes, flows: bool, version: Any) -> None:
    uid = active(engine)
    whole = engine.call(Operation.ENCRYPT, encrypt(uid, PLAIN, given, iv_counter_nonce=iv), version=version)
    one = engine.call(Operation.ENCRYPT, first(uid, PLAIN[:40], given, iv), version=version)
    two = engine.call(
        Operation.ENCRYPT, later(uid, one.correlation_value, PLAIN[40:90], last=False), version=version
    )
    three = engine.call(Operation.ENCRYPT, later(uid, one.correlation_value, PLAIN[90:]), version=version)
    assert two.correlation_value == one.correlation_value
    assert three.correlation_value is None
    assert (one.data is not None) == flows
    assert b"".join(each.data or b"" for each in (one, two, three)) == whole.data
    tag = getattr(three, "authenticated_encryption_tag", None)
    assert tag == getattr(whole, "authenticated_encryption_tag", None)
    assert getattr(one, "authenticated_encryption_tag", None) is None

    opening = DecryptRequest(
        unique_identifier=uid,
        cryptographic_parameters=given,
        data=whole.data[:40],
        iv_counter_nonce=iv,
        init_indicator=True,
        authenticated_encryption_tag=tag,
    )
    one = engine.call(Operation.DECRYPT, opening, version=version)
    rest = DecryptRequest(
        unique_identifier=uid,
        data=whole.data[40:],
        correlation_value=one.correlation_value,
        final_indicator=True,
    )
    two = engine.call(Operation.DECRYPT, rest, version=version)
    assert (one.data or b"") + two.data == PLAIN
    # Nothing of what must be authentic is told before it is known to be.
    assert (one.data is None) == (given in (GCM, XTS))
    assert len(engine.answerer.streams) == 0


def test_the_tag_may_come_with_any_part_and_is_verified(engine: Engine) -> None:
    uid = active(engine)
    done = engine.call(Operation.ENCRYPT, encrypt(uid, PLAIN, GCM, iv_counter_nonce=IV[:12]))
    tag = done.authenticated_encryption_tag
    wrong = bytes([tag[0] ^ 1]) + tag[1:]
    opening = DecryptRequest(
        unique_identifier=uid,
        cryptographic_parameters=GCM,
        data=done.data,
        iv_counter_nonce=IV[:12],
        init_indicator=True,
    )

    def end(value: bytes, **more: Any) -> DecryptRequest:
        return DecryptRequest(unique_identifier=uid, correlation_value=value, final_indicator=True, **more)

    value = engine.call(Operation.DECRYPT, opening).correlation_value
    assert engine.call(Operation.DECRYPT, end(value, authenticated_encryption_tag=tag)).data == PLAIN
    for early, late, reason in (
        (None, wrong, R.CRYPTOGRAPHIC_FAILURE),
        (wrong, None, R.CRYPTOGRAPHIC_FAILURE),
        (wrong, tag, R.BAD_CRYPTOGRAPHIC_PARAMETERS),
    ):
        value = engine.call(
            Operation.DECRYPT, replace(opening, authenticated_encryption_tag=early)
        ).correlation_value
        request = end(value, authenticated_encryption_tag=late)
        assert refusal(engine, Operation.DECRYPT, request, V2_1) == reason
        # It has failed, so it is over.
        assert refusal(engine, Operation.DECRYPT, request, V2_1) == R.INVALID_CORRELATION_VALUE


def test_a_random_iv_is_told_once(engine: Engine) -> None:
    uid = active(engine)
    one = engine.call(Operation.ENCRYPT, first(uid, given=replace(CBC, random_iv=True), iv=None))
    assert len(one.iv_counter_nonce) == 16
    # It may be repeated, as the parameters may.
    two = engine.call(
        Operation.ENCRYPT,
        later(uid, one.correlation_value, cryptographic_parameters=CBC, iv_counter_nonce=one.iv_counter_nonce),
    )
    assert two.iv_counter_nonce is None
    back = DecryptRequest(
        unique_identifier=uid,
        cryptographic_parameters=CBC,
        data=one.data + two.data,
        iv_counter_nonce=one.iv_counter_nonce,
    )
    assert engine.call(Operation.DECRYPT, back).data == PLAIN


def test_rsa_keeps_the_parts(engine: Engine) -> None:
    pair = engine.call(Operation.CREATE_KEY_PAIR, create_key_pair(A.RSA, 2048))
    private, public = pair.private_key_unique_identifier, pair.public_key_unique_identifier
    for uid in (private, public):
        engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
    given = parameters(padding_method=PaddingMethod.OAEP, hashing_algorithm=HashingAlgorithm.SHA_256)
    one = engine.call(Operation.ENCRYPT, first(public, b"some ", given, None))
    two = engine.call(Operation.ENCRYPT, later(public, one.correlation_value, b"data"))
    assert one.data is None
    opening = DecryptRequest(
        unique_identifier=private, cryptographic_parameters=given, data=two.data[:9], init_indicator=True
    )
    value = engine.call(Operation.DECRYPT, opening).correlation_value
    rest = DecryptRequest(
        unique_identifier=private, data=two.data[9:], correlation_value=value, final_indicator=True
    )
    assert engine.call(Operation.DECRYPT, rest).data == b"some data"


def test_mac_and_mac_verify(engine: Engine) -> None:
    key = bytes(range(32))
    uid = active(engine, register_key(key, algorithm=A.HMAC_SHA256), Operation.REGISTER)
    one = engine.call(Operation.MAC, MACRequest(unique_identifier=uid, data=PLAIN[:50], init_indicator=True))
    assert one.mac_data is None
    two = engine.call(
        Operation.MAC,
        MACRequest(
            unique_identifier=uid,
            data=PLAIN[50:],
            correlation_value=one.correlation_value,
            final_indicator=True,
        ),
    )
    expected = mac.mac(A.HMAC_SHA256, key, PLAIN)
    assert two.mac_data == expected

    for early, late, data, validity in (
        (expected, None, PLAIN[50:], ValidityIndicator.VALID),
        (None, expected, PLAIN[50:], ValidityIndicator.VALID),
        (None, expected, PLAIN[51:], ValidityIndicator.INVALID),
    ):
        verifying = MACVerifyRequest(unique_identifier=uid, data=PLAIN[:50], mac_data=early, init_indicator=True)
        one = engine.call(Operation.MAC_VERIFY, verifying)
        assert one.validity_indicator == ValidityIndicator.UNKNOWN
        rest = MACVerifyRequest(
            unique_identifier=uid,
            data=data,
            mac_data=late,
            correlation_value=one.correlation_value,
            final_indicator=True,
        )
        assert engine.call(Operation.MAC_VERIFY, rest).validity_indicator == validity
    one = engine.call(Operation.MAC_VERIFY, replace(verifying, mac_data=None))
    without = replace(rest, mac_data=None, correlation_value=one.correlation_value)
    assert refusal(engine, Operation.MAC_VERIFY, without, V1_4) == R.INVALID_MESSAGE


def test_hash(engine: Engine) -> None:
    given = parameters(hashing_algorithm=HashingAlgorithm.SHA_256)
    one = engine.call(
        Operation.HASH, HashRequest(cryptographic_parameters=given, data=PLAIN[:50], init_indicator=True)
    )
    assert one.data is None
    request = HashRequest(
        cryptographic_parameters=given,
        data=PLAIN[50:],
        correlation_value=one.correlation_value,
        final_indicator=True,
    )
    with pytest.raises(Refused, match="no operation with this Correlation Value"):
        engine.call(Operation.HASH, request, principal="two")
    assert engine.call(Operation.HASH, request).data == hashlib.sha256(PLAIN).digest()


def test_the_first_and_the_last_part_may_be_without_data(engine: Engine) -> None:
    uid = active(engine)
    whole = engine.call(Operation.ENCRYPT, encrypt(uid, PLAIN, CBC))
    value = begun(engine, uid, data=None)
    done = engine.call(Operation.ENCRYPT, later(uid, value, PLAIN, last=False)).data
    done += engine.call(Operation.ENCRYPT, later(uid, value, None)).data
    assert done == whole.data
    value = begun(engine, uid)
    between = later(uid, value, None, last=False)
    assert refusal(engine, Operation.ENCRYPT, between, V1_4) == R.INVALID_MESSAGE


def test_both_indicators_at_once_are_an_operation_in_one_part(engine: Engine) -> None:
    uid = active(engine)
    whole = engine.call(Operation.ENCRYPT, encrypt(uid, PLAIN, CBC))
    done = engine.call(Operation.ENCRYPT, first(uid, PLAIN, final_indicator=True))
    assert done == whole
    assert len(engine.answerer.streams) == 0


# --- whose it is, and when it ends --------------------------------------------------------------


def test_indicators_that_contradict_each_other(engine: Engine) -> None:
    uid = active(engine)
    value = begun(engine, uid)
    for request in (
        encrypt(uid, PLAIN, CBC, final_indicator=True),
        replace(later(uid, value), init_indicator=True),
    ):
        assert refusal(engine, Operation.ENCRYPT, request) == R.INVALID_FIELD
    engine.call(Operation.ENCRYPT, later(uid, value))


def test_what_is_unknown_anothers_or_finished_is_told_alike(engine: Engine) -> None:
    uid, other = active(engine), active(engine)
    value = begun(engine, uid)
    gone(engine, later(uid, b"never heard of"))
    gone(engine, later(uid, b""))
    gone(engine, later(other, value))
    with pytest.raises(Refused, match="no operation with this Correlation Value"):
        engine.call(Operation.ENCRYPT, later(uid, value), principal="two")
    decrypting = DecryptRequest(unique_identifier=uid, data=b"", correlation_value=value, final_indicator=True)
    assert refusal(engine, Operation.DECRYPT, decrypting, V2_1) == R.INVALID_CORRELATION_VALUE
    # None of these has hurt it.
    engine.call(Operation.ENCRYPT, later(uid, value))
    gone(engine, later(uid, value))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cryptographic_parameters": replace(CBC, padding_method=PaddingMethod.ZEROS)}, True),
        ({"cryptographic_parameters": GCM}, True),
        ({"iv_counter_nonce": bytes(16)}, True),
        ({"authenticated_encryption_additional_data": b"late"}, True),
        ({"cryptographic_parameters": CBC, "iv_counter_nonce": IV}, False),
        ({"cryptographic_parameters": parameters(padding_method=PaddingMethod.PKCS5)}, False),
    ],
)
def test_later_parts_repeat_the_first_and_do_not_contradict_it(
    engine: Engine, change: dict[str, Any], reason: bool
) -> None:
    uid = active(engine)
    request = later(uid, begun(engine, uid), **change)
    if reason:
        assert refusal(engine, Operation.ENCRYPT, request, V2_1) == R.BAD_CRYPTOGRAPHIC_PARAMETERS
        gone(engine, later(uid, request.correlation_value))
    else:
        engine.call(Operation.ENCRYPT, request)


def test_a_key_that_cannot_protect_any_more_ends_it(engine: Engine) -> None:
    uid = active(engine)
    value = begun(engine, uid)
    engine.call(Operation.REVOKE, revoke(uid))
    assert refusal(engine, Operation.ENCRYPT, later(uid, value), V2_1) == R.WRONG_KEY_LIFECYCLE_STATE
    gone(engine, later(uid, value))
    assert len(engine.answerer.streams) == 0


def test_a_change_of_state_ends_even_what_the_new_state_allows(engine: Engine) -> None:
    uid = active(engine)
    done = engine.call(Operation.ENCRYPT, encrypt(uid, PLAIN, CBC))
    opening = DecryptRequest(
        unique_identifier=uid,
        cryptographic_parameters=CBC,
        data=done.data,
        iv_counter_nonce=IV,
        init_indicator=True,
    )
    value = engine.call(Operation.DECRYPT, opening).correlation_value
    engine.call(Operation.REVOKE, revoke(uid))
    rest = DecryptRequest(unique_identifier=uid, correlation_value=value, final_indicator=True)
    assert refusal(engine, Operation.DECRYPT, rest, V2_1) == R.INVALID_CORRELATION_VALUE
    # Begun anew, it may be done.
    value = engine.call(Operation.DECRYPT, opening).correlation_value
    engine.call(Operation.DECRYPT, replace(rest, correlation_value=value))


def test_a_destroyed_key_ends_it(engine: Engine) -> None:
    uid = active(engine)
    value = begun(engine, uid)
    engine.call(Operation.REVOKE, revoke(uid, RevocationReasonCode.KEY_COMPROMISE))
    engine.call(Operation.DESTROY, DestroyRequest(unique_identifier=uid))
    assert refusal(engine, Operation.ENCRYPT, later(uid, value), V2_1) == R.WRONG_KEY_LIFECYCLE_STATE
    assert len(engine.answerer.streams) == 0


def test_the_id_placeholder_names_the_key(engine: Engine) -> None:
    uid = active(engine)
    value = begun(engine, uid)
    items = engine.batch(V1_4, [(Operation.LOCATE, LocateRequest()), (Operation.ENCRYPT, later(None, value))])
    assert result_of(items[1], V1_4).unique_identifier == uid


def pair_of(engine: Engine, algorithm: A, length: int = 256) -> tuple[str, str]:
    """An active key pair that signs: private, public."""
    pair = engine.call(Operation.CREATE_KEY_PAIR, create_key_pair(algorithm, length), version=V2_1)
    both = pair.private_key_unique_identifier, pair.public_key_unique_identifier
    for uid in both:
        engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=uid))
    return both


SHA_256 = HashingAlgorithm.SHA_256
SIGNATURES = [
    (A.RSA, 2048, parameters(padding_method=PaddingMethod.PKCS1_V1_5, hashing_algorithm=SHA_256)),
    (A.RSA, 2048, parameters(padding_method=PaddingMethod.PSS, hashing_algorithm=HashingAlgorithm.SHA3_256)),
    (A.EC, 256, parameters(hashing_algorithm=HashingAlgorithm.SHA_512)),
    (A.ED25519, 256, None),
    (A.ED448, 456, None),
]


@pytest.mark.parametrize(("algorithm", "length", "given"), SIGNATURES)
@pytest.mark.parametrize("version", [V1_3, V1_4, V2_1])
def test_sign_and_signature_verify(engine: Engine, algorithm: A, length: int, given: Any, version: Any) -> None:
    private, public = pair_of(engine, algorithm, length)

    def sign(data: bytes, **more: Any) -> Any:
        return engine.call(
            Operation.SIGN, SignRequest(unique_identifier=private, data=data, **more), version=version
        )

    one = sign(PLAIN[:40], cryptographic_parameters=given, init_indicator=True)
    two = sign(PLAIN[40:90], correlation_value=one.correlation_value)
    three = sign(PLAIN[90:], correlation_value=one.correlation_value, final_indicator=True)
    assert [each.signature_data is None for each in (one, two, three)] == [True, True, False]
    assert two.correlation_value == one.correlation_value
    assert three.correlation_value is None
    signature = three.signature_data

    def verify(data: bytes, **more: Any) -> Any:
        request = SignatureVerifyRequest(unique_identifier=public, data=data, **more)
        return engine.call(Operation.SIGNATURE_VERIFY, request, version=version)

    # What was signed in parts is verified whole, and in parts, with the signature in the first or the last.
    whole = verify(PLAIN, cryptographic_parameters=given, signature_data=signature)
    assert whole.validity_indicator == ValidityIndicator.VALID
    for early, late, rest, validity in (
        (signature, None, PLAIN[50:], ValidityIndicator.VALID),
        (None, signature, PLAIN[50:], ValidityIndicator.VALID),
        (None, signature, PLAIN[51:], ValidityIndicator.INVALID),
        (None, bytes([signature[0] ^ 1]) + signature[1:], PLAIN[50:], ValidityIndicator.INVALID),
    ):
        one = verify(PLAIN[:50], cryptographic_parameters=given, signature_data=early, init_indicator=True)
        assert one.validity_indicator == ValidityIndicator.UNKNOWN
        two = verify(rest, signature_data=late, correlation_value=one.correlation_value, final_indicator=True)
        assert two.validity_indicator == validity
    assert len(engine.answerer.streams) == 0


def test_parts_of_a_deterministic_signature_make_the_signature_of_the_whole(engine: Engine) -> None:
    for algorithm, length, given in (SIGNATURES[0], *SIGNATURES[3:]):
        private, _ = pair_of(engine, algorithm, length)
        whole = SignRequest(unique_identifier=private, cryptographic_parameters=given, data=PLAIN)
        expected = engine.call(Operation.SIGN, whole).signature_data
        one = engine.call(Operation.SIGN, replace(whole, data=PLAIN[:1], init_indicator=True))
        rest = replace(whole, data=PLAIN[1:], correlation_value=one.correlation_value, final_indicator=True)
        assert engine.call(Operation.SIGN, rest).signature_data == expected


def test_two_signatures_that_contradict_each_other(engine: Engine) -> None:
    _, public = pair_of(engine, A.EC)
    given = parameters(hashing_algorithm=SHA_256)
    request = SignatureVerifyRequest(
        unique_identifier=public,
        cryptographic_parameters=given,
        data=PLAIN,
        signature_data=b"one",
        init_indicator=True,
    )
    value = engine.call(Operation.SIGNATURE_VERIFY, request).correlation_value
    last = replace(
        request, signature_data=b"two", init_indicator=None, correlation_value=value, final_indicator=True
    )
    assert refusal(engine, Operation.SIGNATURE_VERIFY, last, V2_1) == R.BAD_CRYPTOGRAPHIC_PARAMETERS
    value = engine.call(Operation.SIGNATURE_VERIFY, replace(request, signature_data=None)).correlation_value
    last = replace(last, signature_data=None, correlation_value=value)
    assert refusal(engine, Operation.SIGNATURE_VERIFY, last, V1_4) == R.INVALID_MESSAGE
    assert len(engine.answerer.streams) == 0


@pytest.mark.parametrize(("version", "reason"), [(V1_4, R.INVALID_FIELD), (V2_1, R.INVALID_FIELD)])
def test_digested_data_is_given_in_one_part(engine: Engine, version: Any, reason: R) -> None:
    private, public = pair_of(engine, A.EC)
    given = parameters(hashing_algorithm=SHA_256)
    digest = hashlib.sha256(PLAIN).digest()
    signing = SignRequest(unique_identifier=private, cryptographic_parameters=given, digested_data=digest)
    both_indicators = replace(signing, init_indicator=True, final_indicator=True)
    for request in (signing, both_indicators):
        signature = engine.call(Operation.SIGN, request, version=version).signature_data
        verifying = SignatureVerifyRequest(
            unique_identifier=public, cryptographic_parameters=given, data=PLAIN, signature_data=signature
        )
        valid = engine.call(Operation.SIGNATURE_VERIFY, verifying, version=version)
        assert valid.validity_indicator == ValidityIndicator.VALID
    assert refusal(engine, Operation.SIGN, replace(signing, init_indicator=True), version) == reason
    opening = replace(signing, digested_data=None, data=PLAIN, init_indicator=True)
    value = engine.call(Operation.SIGN, opening, version=version).correlation_value
    late = replace(signing, correlation_value=value, final_indicator=True)
    assert refusal(engine, Operation.SIGN, late, version) == reason
    assert len(engine.answerer.streams) == 0


def test_what_cannot_be_signed_is_refused_with_the_first_part(engine: Engine) -> None:
    private, _ = pair_of(engine, A.RSA, 2048)
    weak = parameters(padding_method=PaddingMethod.PKCS1_V1_5, hashing_algorithm=HashingAlgorithm.SHA_1)
    for given, reason in (
        (weak, R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS),
        (parameters(hashing_algorithm=SHA_256), R.BAD_CRYPTOGRAPHIC_PARAMETERS),
    ):
        request = SignRequest(
            unique_identifier=private, cryptographic_parameters=given, data=PLAIN, init_indicator=True
        )
        assert refusal(engine, Operation.SIGN, request, V2_1) == reason
    assert len(engine.answerer.streams) == 0


def test_a_signature_in_parts_evaluated_again_is_the_same(engine: Engine) -> None:
    """ECDSA takes a new random number each time: the answer that is told again is the one that was made."""
    private, _ = pair_of(engine, A.EC)
    opening = SignRequest(
        unique_identifier=private,
        cryptographic_parameters=parameters(hashing_algorithm=SHA_256),
        data=PLAIN[:50],
        init_indicator=True,
    )
    value = engine.call(Operation.SIGN, opening).correlation_value
    last = SignRequest(unique_identifier=private, data=PLAIN[50:], correlation_value=value, final_indicator=True)
    play = Evaluations(engine)
    made = {results(play.evaluate("r2", (Operation.SIGN, last)))[0].signature_data for _ in range(3)}
    play.settle("r2")
    assert len(made) == 1
    assert refusal(engine, Operation.SIGN, last, V2_1) == R.INVALID_CORRELATION_VALUE


# --- bounds -------------------------------------------------------------------------------------


@pytest.fixture
def small(engine: Engine) -> Engine:
    """An engine that lets little be under way."""
    bounds = StreamBounds(count=3, count_per_principal=2, seconds=10, bytes=100, bytes_in_all=150)
    engine.answerer = replace(engine.answerer, streams=Streams(bounds))
    return engine


def test_how_many_of_one_principal_and_in_all(small: Engine) -> None:
    given = parameters(hashing_algorithm=HashingAlgorithm.SHA_256)
    request = HashRequest(cryptographic_parameters=given, data=b"x", init_indicator=True)
    values = [small.call(Operation.HASH, request).correlation_value for _ in range(2)]
    assert len(set(values)) == 2
    assert refusal(small, Operation.HASH, request, V2_1) == R.SERVER_LIMIT_EXCEEDED
    small.call(Operation.HASH, request, principal="two")
    with pytest.raises(Refused, match="too many"):
        small.call(Operation.HASH, request, principal="elsewhere")
    last = HashRequest(cryptographic_parameters=given, correlation_value=values[0], final_indicator=True)
    small.call(Operation.HASH, last)
    small.call(Operation.HASH, request, principal="elsewhere")


def test_how_much_is_kept(small: Engine) -> None:
    uid = active(small)
    value = begun(small, uid, data=bytes(60), given=XTS)
    other = begun(small, uid, data=bytes(60), given=XTS)
    # 120 of 150 in all; 60 of 100 each.
    assert refusal(small, Operation.ENCRYPT, later(uid, value, bytes(31)), V2_1) == R.SERVER_LIMIT_EXCEEDED
    gone(small, later(uid, value))
    assert refusal(small, Operation.ENCRYPT, later(uid, other, bytes(41)), V2_1) == R.SERVER_LIMIT_EXCEEDED
    assert refusal(small, Operation.ENCRYPT, first(uid, bytes(101), XTS), V2_1) == R.SERVER_LIMIT_EXCEEDED
    assert len(small.answerer.streams) == 0
    # What flows is not kept.
    value = begun(small, uid, data=bytes(1000))
    assert len(small.call(Operation.ENCRYPT, later(uid, value, bytes(1000))).data) == 2016 - 992


def test_eddsa_keeps_the_parts_and_what_is_hashed_flows(small: Engine) -> None:
    private, _ = pair_of(small, A.ED25519)
    opening = SignRequest(unique_identifier=private, data=bytes(60), init_indicator=True)
    value = small.call(Operation.SIGN, opening).correlation_value
    last = SignRequest(unique_identifier=private, data=bytes(41), correlation_value=value, final_indicator=True)
    assert refusal(small, Operation.SIGN, last, V2_1) == R.SERVER_LIMIT_EXCEEDED
    private, _ = pair_of(small, A.EC)
    given = parameters(hashing_algorithm=SHA_256)
    opening = replace(opening, unique_identifier=private, cryptographic_parameters=given, data=bytes(1000))
    value = small.call(Operation.SIGN, opening).correlation_value
    small.call(Operation.SIGN, replace(last, unique_identifier=private, correlation_value=value, data=bytes(1000)))


def test_how_long_the_next_part_may_take(small: Engine) -> None:
    uid = active(small)
    value = begun(small, uid)
    for _ in range(3):
        small.clock.advance(10)
        small.call(Operation.ENCRYPT, later(uid, value, b"x", last=False))
    small.clock.advance(11)
    gone(small, later(uid, value))
    assert len(small.answerer.streams) == 0


# --- what it costs ------------------------------------------------------------------------------


def limited(engine: Engine, total: int, unit: UsageLimitsUnit) -> str:
    limits = UsageLimits(usage_limits_total=total, usage_limits_unit=unit)
    return active(engine, create(attribute(Tag.USAGE_LIMITS, limits)))


def left(engine: Engine, uid: str) -> int:
    asked = GetAttributesRequest(unique_identifier=uid, attribute_names=(Tag.USAGE_LIMITS,))
    count: int = engine.call(Operation.GET_ATTRIBUTES, asked).attributes[0].value.usage_limits_count
    return count


def test_bytes_are_debited_as_they_come(engine: Engine) -> None:
    uid = limited(engine, 100, UsageLimitsUnit.BYTE)
    value = begun(engine, uid, data=bytes(30))
    assert left(engine, uid) == 70
    engine.call(Operation.ENCRYPT, later(uid, value, bytes(20), last=False))
    assert left(engine, uid) == 50
    assert refusal(engine, Operation.ENCRYPT, later(uid, value, bytes(51)), V2_1) == told(
        UsageLimitExceeded, Operation.ENCRYPT
    )
    # The part that failed costs nothing, and ends the operation.
    assert left(engine, uid) == 50
    gone(engine, later(uid, value, bytes(1)))


def test_an_operation_in_parts_is_one_use(engine: Engine) -> None:
    uid = limited(engine, 2, UsageLimitsUnit.OBJECT)
    for expected in (1, 0):
        value = begun(engine, uid)
        engine.call(Operation.ENCRYPT, later(uid, value, b"x", last=False))
        engine.call(Operation.ENCRYPT, later(uid, value))
        assert left(engine, uid) == expected
    assert refusal(engine, Operation.ENCRYPT, first(uid), V2_1) == told(UsageLimitExceeded, Operation.ENCRYPT)
    assert len(engine.answerer.streams) == 0


@pytest.mark.parametrize(
    ("unit", "after"), [(UsageLimitsUnit.BYTE, (70, 50, 50)), (UsageLimitsUnit.OBJECT, (99, 99, 99))]
)
def test_a_signature_in_parts_is_paid_for_as_it_comes(
    engine: Engine, unit: UsageLimitsUnit, after: tuple[int, ...]
) -> None:
    limits = UsageLimits(usage_limits_total=100, usage_limits_unit=unit)
    request = create_key_pair(A.EC, 256, attribute(Tag.USAGE_LIMITS, limits))
    private = engine.call(Operation.CREATE_KEY_PAIR, request).private_key_unique_identifier
    engine.call(Operation.ACTIVATE, ActivateRequest(unique_identifier=private))
    opening = SignRequest(
        unique_identifier=private,
        cryptographic_parameters=parameters(hashing_algorithm=SHA_256),
        data=bytes(30),
        init_indicator=True,
    )
    value = engine.call(Operation.SIGN, opening).correlation_value
    counts = [left(engine, private)]
    last = SignRequest(unique_identifier=private, data=bytes(20), correlation_value=value, final_indicator=True)
    engine.call(Operation.SIGN, last)
    counts.append(left(engine, private))
    assert refusal(engine, Operation.SIGN, last, V2_1) == R.INVALID_CORRELATION_VALUE
    counts.append(left(engine, private))
    assert tuple(counts) == after


# --- batches ------------------------------------------------------------------------------------


def test_two_parts_in_one_message(engine: Engine) -> None:
    uid = active(engine)
    whole = engine.call(Operation.ENCRYPT, encrypt(uid, PLAIN, CBC))
    one = engine.call(Operation.ENCRYPT, first(uid, PLAIN[:10]))
    items = engine.batch(
        V1_4,
        [
            (Operation.ENCRYPT, later(uid, one.correlation_value, PLAIN[10:50], last=False)),
            (Operation.ENCRYPT, later(uid, one.correlation_value, PLAIN[50:])),
        ],
    )
    done = [result_of(item, V1_4).data or b"" for item in items]
    assert (one.data or b"") + b"".join(done) == whole.data


def test_an_undone_batch_ends_what_it_advanced(engine: Engine) -> None:
    uid = active(engine)
    value = begun(engine, uid)
    failing = (Operation.ENCRYPT, first("no such key"))
    items = engine.batch(
        V1_4,
        [(Operation.ENCRYPT, later(uid, value, b"x" * 16, last=False)), (Operation.ENCRYPT, first(uid)), failing],
        option=BatchErrorContinuationOption.UNDO,
    )
    statuses = [child(item, Tag.RESULT_STATUS) for item in items]
    assert statuses == [ResultStatus.OPERATION_UNDONE, ResultStatus.OPERATION_UNDONE, ResultStatus.OPERATION_FAILED]
    gone(engine, later(uid, value))
    assert len(engine.answerer.streams) == 0


def test_an_item_that_fails_ends_only_its_own(engine: Engine) -> None:
    uid = active(engine)
    kept, lost = begun(engine, uid), begun(engine, uid)
    items = engine.batch(
        V1_4,
        [
            (Operation.ENCRYPT, later(uid, kept, b"x" * 16, last=False)),
            (Operation.ENCRYPT, later(uid, lost, iv_counter_nonce=bytes(16))),
            (Operation.ENCRYPT, later(uid, lost)),
        ],
        option=BatchErrorContinuationOption.CONTINUE,
    )
    reasons = [child(item, Tag.RESULT_REASON) for item in items]
    assert reasons == [None, R.INVALID_FIELD, R.ITEM_NOT_FOUND]
    gone(engine, later(uid, lost))
    engine.call(Operation.ENCRYPT, later(uid, kept))


def test_an_answer_too_large_for_the_client_ends_it(engine: Engine) -> None:
    uid = active(engine)
    value = begun(engine, uid)
    header = [(Tag.MAXIMUM_RESPONSE_SIZE, ttlv.INTEGER, 150)]
    payload = encode_structure(later(uid, value, bytes(200), last=False), V1_4)
    message = request_message(V1_4, [(int(Operation.ENCRYPT), payload, None)], header=header)
    reply = engine.exchange(message)
    assert child(reply, Tag.BATCH_ITEM, Tag.RESULT_REASON) == R.RESPONSE_TOO_LARGE
    gone(engine, later(uid, value))


# --- a request that is evaluated twice ----------------------------------------------------------


class Evaluations:
    """Requests evaluated and settled by hand, as the executor does."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def evaluate(self, identifier: str, *requests: tuple[Operation, Any]) -> Evaluation:
        items = [
            (int(operation), encode_structure(request, V1_4), bytes([number]) if len(requests) > 1 else None)
            for number, (operation, request) in enumerate(requests)
        ]
        peer = Peer(address="test:1", certificate=b"", fingerprint="", subject_common_name="one")
        reader = self.engine.reader
        reader.begin_snapshot()
        try:
            return self.engine.answerer.evaluate(request_message(V1_4, items), peer, reader, identifier)
        finally:
            reader.end_snapshot()

    def settle(self, identifier: str, durable: bool = True) -> None:
        self.engine.answerer.settle(identifier, durable)


def results(evaluation: Evaluation) -> list[Any]:
    return [result_of(item, V1_4) for item in children(ttlv.decode(evaluation.reply), Tag.BATCH_ITEM)]


def reason_of(evaluation: Evaluation, number: int = 0) -> Any:
    return child(children(ttlv.decode(evaluation.reply), Tag.BATCH_ITEM)[number], Tag.RESULT_REASON)


E = Operation.ENCRYPT


def test_a_part_evaluated_again_answers_the_same_and_advances_once(engine: Engine) -> None:
    uid = active(engine)
    whole = engine.call(E, encrypt(uid, PLAIN, CTR)).data
    one = engine.call(E, first(uid, PLAIN[:10], CTR))
    play = Evaluations(engine)
    for _ in range(3):
        (two,) = results(play.evaluate("r2", (E, later(uid, one.correlation_value, PLAIN[10:50], last=False))))
        assert two.data == whole[10:50]
    play.settle("r2")
    for _ in range(3):
        (three,) = results(play.evaluate("r3", (E, later(uid, one.correlation_value))))
        assert three.data == whole[50:]
    play.settle("r3")
    gone(engine, later(uid, one.correlation_value))


def test_a_first_part_evaluated_again_begins_anew(engine: Engine) -> None:
    uid = active(engine)
    play = Evaluations(engine)
    request = first(uid, given=replace(CBC, random_iv=True), iv=None)
    (one,) = results(play.evaluate("r1", (E, request)))
    (again,) = results(play.evaluate("r1", (E, request)))
    play.settle("r1")
    assert one.correlation_value != again.correlation_value
    assert one.iv_counter_nonce != again.iv_counter_nonce
    assert len(engine.answerer.streams) == 1
    gone(engine, later(uid, one.correlation_value))
    engine.call(E, later(uid, again.correlation_value))


def test_two_parts_of_one_message_evaluated_again(engine: Engine) -> None:
    uid = active(engine)
    whole = engine.call(E, encrypt(uid, PLAIN, CTR)).data
    value = begun(engine, uid, data=PLAIN[:10], given=CTR)
    parts = ((E, later(uid, value, PLAIN[10:30], last=False)), (E, later(uid, value, PLAIN[30:50], last=False)))
    play = Evaluations(engine)
    for _ in range(2):
        assert [each.data for each in results(play.evaluate("r2", *parts))] == [whole[10:30], whole[30:50]]
    play.settle("r2")
    assert engine.call(E, later(uid, value)).data == whole[50:]


def test_an_error_is_remembered_too(engine: Engine) -> None:
    uid = active(engine)
    value = begun(engine, uid, data=bytes(17), given=parameters(block_cipher_mode=B.CBC))
    play = Evaluations(engine)
    for _ in range(2):
        # No whole blocks in the end. A cipher that is finalized twice would raise something else.
        assert reason_of(play.evaluate("r2", (E, later(uid, value, b"")))) == R.CRYPTOGRAPHIC_FAILURE
    play.settle("r2")
    gone(engine, later(uid, value))


def test_until_a_part_is_settled_no_other_request_can_go_on(engine: Engine) -> None:
    uid = active(engine)
    whole = engine.call(E, encrypt(uid, PLAIN, CTR)).data
    value = begun(engine, uid, data=PLAIN[:10], given=CTR)
    play = Evaluations(engine)
    play.evaluate("r2", (E, later(uid, value, PLAIN[10:50], last=False)))
    # The other one fails, and does not hurt it.
    assert reason_of(play.evaluate("r3", (E, later(uid, value)))) == R.ITEM_NOT_FOUND
    play.settle("r3")
    (two,) = results(play.evaluate("r2", (E, later(uid, value, PLAIN[10:50], last=False))))
    assert two.data == whole[10:50]
    play.settle("r2")
    assert engine.call(E, later(uid, value)).data == whole[50:]


def test_what_is_not_durable_ends(engine: Engine) -> None:
    uid = active(engine)
    value = begun(engine, uid)
    play = Evaluations(engine)
    results(play.evaluate("r2", (E, later(uid, value, b"x", last=False)), (E, first(uid))))
    play.settle("r2", durable=False)
    gone(engine, later(uid, value))
    assert len(engine.answerer.streams) == 0


def test_a_part_that_the_second_evaluation_refuses_ends_it(engine: Engine) -> None:
    uid = active(engine)
    value = begun(engine, uid)
    play = Evaluations(engine)
    part = (E, later(uid, value, b"x" * 16, last=False))
    results(play.evaluate("r2", part))
    engine.call(Operation.REVOKE, revoke(uid))
    assert reason_of(play.evaluate("r2", part)) == R.PERMISSION_DENIED
    play.settle("r2")
    gone(engine, later(uid, value))
    assert len(engine.answerer.streams) == 0


def test_a_second_evaluation_that_comes_less_far_ends_it(engine: Engine) -> None:
    """The cipher stands where the first evaluation left it, which the client is not told."""
    uid, other = active(engine), active(engine)
    value = begun(engine, uid)
    play = Evaluations(engine)
    batch = (
        (E, later(uid, value, b"x" * 16, last=False)),
        (E, encrypt(other, PLAIN, CBC)),
        (E, later(uid, value, b"y" * 16, last=False)),
    )
    assert len(results(play.evaluate("r2", *batch))) == 3
    engine.call(Operation.REVOKE, revoke(other))
    evaluation = play.evaluate("r2", *batch)
    assert reason_of(evaluation, 0) is None
    assert reason_of(evaluation, 1) == R.PERMISSION_DENIED
    play.settle("r2")
    gone(engine, later(uid, value))


def test_a_request_without_streams_leaves_nothing(engine: Engine) -> None:
    uid = active(engine)
    play = Evaluations(engine)
    play.evaluate("r1", (E, encrypt(uid, PLAIN, CBC)))
    play.settle("r1")
    play.settle("never heard of", durable=False)
    assert len(engine.answerer.streams) == 0


def test_nothing_of_a_stream_shows_its_data(engine: Engine, tmp_path: Path) -> None:
    uid = active(engine)
    value = begun(engine, uid, data=b"secret", given=XTS)
    stream = engine.answerer.streams._streams[value]
    assert b"secret".hex() not in repr(stream)
    assert "secret" not in repr(stream)
