"""Set and Adjust Attribute, and instances named by their value. KMIP 2.1 sections 6.1.3, 6.1.13, 6.1.34, 6.1.51."""

from __future__ import annotations

from typing import Any

import pytest

from kmip_server.protocol import ttlv
from kmip_server.protocol.attribute_set import Attribute, VendorAttribute
from kmip_server.protocol.attribute_values import UsageLimits
from kmip_server.protocol.enums import (
    AdjustmentType,
    BlockCipherMode,
    ItemType,
    Operation,
    PaddingMethod,
    ResultReason,
    State,
    UsageLimitsUnit,
)
from kmip_server.protocol.payloads.attributes import (
    AdjustAttributeRequest,
    DeleteAttributeRequest,
    GetAttributesRequest,
    ModifyAttributeRequest,
    SetAttributeRequest,
)
from kmip_server.protocol.payloads.cryptographic import EncryptRequest
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.ttlv import Item
from kmip_server.protocol.versions import V1_4, V2_1
from tests.support.engine import Engine, Refused
from tests.support.requests import attribute, create, custom, name, parameters

Op, R = Operation, ResultReason
INCREMENT, DECREMENT, NEGATE = AdjustmentType.INCREMENT, AdjustmentType.DECREMENT, AdjustmentType.NEGATE
COUNT = VendorAttribute("x", "Count")


def key(engine: Engine, *attributes: Attribute) -> str:
    made: str = engine.call(Op.CREATE, create(*attributes), version=V2_1).unique_identifier
    return made


def values(engine: Engine, uid: str, wanted: Any) -> list[Any]:
    answer = engine.call(Op.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=uid), version=V2_1)
    return [getattr(each.value, "value", each.value) for each in answer.attributes if each.key == wanted]


def refusal(engine: Engine, operation: Operation, request: Any) -> ResultReason:
    """Why it is refused; every attribute of the object is as it was."""
    before = engine.call(Op.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=request.unique_identifier))
    with pytest.raises(Refused) as refused:
        engine.call(operation, request, version=V2_1)
    after = engine.call(Op.GET_ATTRIBUTES, GetAttributesRequest(unique_identifier=request.unique_identifier))
    assert before == after
    return refused.value.reason


def settle(uid: str, given: Attribute) -> SetAttributeRequest:
    return SetAttributeRequest(unique_identifier=uid, attribute=given)


def adjust(uid: str, what: Any, how: AdjustmentType, amount: Item | None = None) -> AdjustAttributeRequest:
    return AdjustAttributeRequest(
        unique_identifier=uid, attribute_references=(what,), adjustment_type=how, adjustment_value=amount
    )


def amount(kind: int, value: int) -> Item:
    return (Tag.ADJUSTMENT_VALUE, kind, value)


# --- Set Attribute ------------------------------------------------------------------------------


def test_set_adds_and_changes(engine: Engine) -> None:
    uid = key(engine)
    for text in ("first", "second"):
        engine.call(Op.SET_ATTRIBUTE, settle(uid, attribute(Tag.COMMENT, text)), version=V2_1)
        assert values(engine, uid, Tag.COMMENT) == [text]


def test_set_does_not_guess_among_several(engine: Engine) -> None:
    uid = key(engine, name("a"), name("b"))
    assert refusal(engine, Op.SET_ATTRIBUTE, settle(uid, name("c"))) == R.MULTI_VALUED_ATTRIBUTE


@pytest.mark.parametrize(
    "given",
    [attribute(Tag.STATE, State.ACTIVE), attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128), custom("y-Own", "v")],
    ids=["state", "length", "y-"],
)
def test_what_is_read_only_cannot_be_set(engine: Engine, given: Attribute) -> None:
    assert refusal(engine, Op.SET_ATTRIBUTE, settle(key(engine), given)) in (
        R.ATTRIBUTE_READ_ONLY,
        R.READ_ONLY_ATTRIBUTE,
    )


def test_a_name_of_another_object_cannot_be_set(engine: Engine) -> None:
    key(engine, name("taken"))
    assert refusal(engine, Op.SET_ATTRIBUTE, settle(key(engine), name("taken"))) == R.NON_UNIQUE_NAME_ATTRIBUTE


# --- Modify and Delete by value -----------------------------------------------------------------


def test_an_instance_is_named_by_its_value(engine: Engine) -> None:
    uid = key(engine, name("a"), name("b"))
    change = ModifyAttributeRequest(unique_identifier=uid, current_attribute=name("b"), attribute=name("c"))
    engine.call(Op.MODIFY_ATTRIBUTE, change, version=V2_1)
    assert [each.name_value for each in values(engine, uid, Tag.NAME)] == ["a", "c"]
    engine.call(
        Op.DELETE_ATTRIBUTE,
        DeleteAttributeRequest(unique_identifier=uid, current_attribute=name("a")),
        version=V2_1,
    )
    assert [each.name_value for each in values(engine, uid, Tag.NAME)] == ["c"]
    # The only one needs no naming.
    engine.call(
        Op.MODIFY_ATTRIBUTE, ModifyAttributeRequest(unique_identifier=uid, attribute=name("d")), version=V2_1
    )
    assert [each.name_value for each in values(engine, uid, Tag.NAME)] == ["d"]


def test_an_instance_that_is_not_there_or_not_named_is_refused(engine: Engine) -> None:
    uid = key(engine, name("a"), name("b"))
    absent = ModifyAttributeRequest(unique_identifier=uid, current_attribute=name("z"), attribute=name("c"))
    unnamed = ModifyAttributeRequest(unique_identifier=uid, attribute=name("c"))
    assert refusal(engine, Op.MODIFY_ATTRIBUTE, absent) == R.ATTRIBUTE_INSTANCE_NOT_FOUND
    assert refusal(engine, Op.MODIFY_ATTRIBUTE, unnamed) == R.ATTRIBUTE_INSTANCE_NOT_FOUND
    gone = DeleteAttributeRequest(unique_identifier=uid, current_attribute=name("z"))
    assert refusal(engine, Op.DELETE_ATTRIBUTE, gone) == R.ATTRIBUTE_INSTANCE_NOT_FOUND
    mixed = ModifyAttributeRequest(
        unique_identifier=uid, current_attribute=name("a"), attribute=attribute(Tag.OBJECT_GROUP, "g")
    )
    assert refusal(engine, Op.MODIFY_ATTRIBUTE, mixed) in (R.INVALID_FIELD, R.ATTRIBUTE_NOT_FOUND)


def test_a_reference_deletes_every_instance(engine: Engine) -> None:
    uid = key(engine, name("a"), name("b"), custom("x-Note", "n"))
    references = (Tag.NAME, VendorAttribute("x", "Note"))
    engine.call(
        Op.DELETE_ATTRIBUTE,
        DeleteAttributeRequest(unique_identifier=uid, attribute_references=references),
        version=V2_1,
    )
    assert values(engine, uid, Tag.NAME) == values(engine, uid, references[1]) == []
    again = DeleteAttributeRequest(unique_identifier=uid, attribute_references=(Tag.NAME,))
    assert refusal(engine, Op.DELETE_ATTRIBUTE, again) == R.ATTRIBUTE_NOT_FOUND
    state = DeleteAttributeRequest(unique_identifier=uid, attribute_references=(Tag.COMMENT, Tag.STATE))
    assert refusal(engine, Op.DELETE_ATTRIBUTE, state) in (R.ATTRIBUTE_READ_ONLY, R.ATTRIBUTE_NOT_FOUND)


# --- Adjust Attribute ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ItemType.INTEGER, ItemType.LONG_INTEGER, ItemType.BIG_INTEGER], ids=str)
def test_numbers_are_counted(engine: Engine, kind: ItemType) -> None:
    uid = key(engine, custom("x-Count", 5, kind))
    for how, by, expected in (
        (INCREMENT, None, 6),
        (INCREMENT, amount(kind, 10), 16),
        (DECREMENT, amount(kind, 20), -4),
        (DECREMENT, None, -5),
        (NEGATE, None, 5),
    ):
        engine.call(Op.ADJUST_ATTRIBUTE, adjust(uid, COUNT, how, by), version=V2_1)
        assert values(engine, uid, COUNT) == [expected]


def test_what_is_absent_counts_from_nothing(engine: Engine) -> None:
    uid = key(engine)
    period = amount(ttlv.INTERVAL, 60)
    engine.call(Op.ADJUST_ATTRIBUTE, adjust(uid, Tag.PROTECTION_PERIOD, INCREMENT, period), version=V2_1)
    assert values(engine, uid, Tag.PROTECTION_PERIOD) == [60]
    engine.call(Op.ADJUST_ATTRIBUTE, adjust(uid, Tag.QUANTUM_SAFE, NEGATE), version=V2_1)
    assert values(engine, uid, Tag.QUANTUM_SAFE) == [True]
    assert refusal(engine, Op.ADJUST_ATTRIBUTE, adjust(uid, COUNT, INCREMENT)) in (
        R.ITEM_NOT_FOUND,
        R.ATTRIBUTE_NOT_FOUND,
    )


def test_a_date_moves_by_seconds_and_within_its_rules(engine: Engine) -> None:
    uid = key(engine, attribute(Tag.DEACTIVATION_DATE, engine.clock.now() + 100))
    for by in (None, amount(ttlv.INTERVAL, 9), amount(ttlv.DATE_TIME, 90)):
        engine.call(Op.ADJUST_ATTRIBUTE, adjust(uid, Tag.DEACTIVATION_DATE, INCREMENT, by), version=V2_1)
    assert values(engine, uid, Tag.DEACTIVATION_DATE) == [engine.clock.now() + 200]
    before_1970 = amount(ttlv.DATE_TIME, 1 << 62)
    assert refusal(engine, Op.ADJUST_ATTRIBUTE, adjust(uid, Tag.DEACTIVATION_DATE, DECREMENT, before_1970)) in (
        R.INVALID_ATTRIBUTE_VALUE,
        R.INVALID_FIELD,
    )


@pytest.mark.parametrize(
    ("given", "what", "how", "by", "reason"),
    [
        (custom("x-Count", (1 << 31) - 1, ItemType.INTEGER), COUNT, INCREMENT, None, R.NUMERIC_RANGE),
        (custom("x-Count", -(1 << 31), ItemType.INTEGER), COUNT, NEGATE, None, R.NUMERIC_RANGE),
        (custom("x-Count", 0, ItemType.INTERVAL), COUNT, DECREMENT, None, R.NUMERIC_RANGE),
        (custom("x-Count", "text"), COUNT, INCREMENT, None, R.INVALID_DATA_TYPE),
        (custom("x-Count", 1, ItemType.INTERVAL), COUNT, NEGATE, None, R.INVALID_DATA_TYPE),
        (custom("x-Count", True, ItemType.BOOLEAN), COUNT, INCREMENT, None, R.INVALID_DATA_TYPE),
        (custom("x-Count", 1, ItemType.INTEGER), COUNT, INCREMENT, amount(ttlv.INTERVAL, 1), R.INVALID_DATA_TYPE),
        (custom("x-Count", 1, ItemType.INTEGER), COUNT, NEGATE, amount(ttlv.INTEGER, 1), R.INVALID_DATA_TYPE),
        (name("n"), Tag.NAME, INCREMENT, None, R.INVALID_DATA_TYPE),
    ],
)
def test_what_cannot_be_counted_is_refused(
    engine: Engine, given: Attribute, what: Any, how: AdjustmentType, by: Item | None, reason: ResultReason
) -> None:
    assert refusal(engine, Op.ADJUST_ATTRIBUTE, adjust(key(engine, given), what, how, by)) == reason


def test_what_is_read_only_or_several_cannot_be_adjusted(engine: Engine) -> None:
    uid = key(engine, custom("x-Count", 1, ItemType.INTEGER), custom("x-Count", 2, ItemType.INTEGER))
    assert refusal(engine, Op.ADJUST_ATTRIBUTE, adjust(uid, COUNT, INCREMENT)) == R.MULTI_VALUED_ATTRIBUTE
    assert refusal(engine, Op.ADJUST_ATTRIBUTE, adjust(uid, Tag.CRYPTOGRAPHIC_LENGTH, INCREMENT)) in (
        R.READ_ONLY_ATTRIBUTE,
        R.ATTRIBUTE_READ_ONLY,
    )


# --- Usage Limits stand once they have been used ------------------------------------------------


def test_usage_limits_cannot_be_renewed_by_their_user(engine: Engine) -> None:
    limits = UsageLimits(usage_limits_total=32, usage_limits_unit=UsageLimitsUnit.BYTE)
    given = attribute(Tag.USAGE_LIMITS, limits)
    uid = key(engine, given, attribute(Tag.ACTIVATION_DATE, 0))
    use = EncryptRequest(
        unique_identifier=uid,
        cryptographic_parameters=parameters(
            block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5, random_iv=True
        ),
        data=b"sixteen bytes ok",
    )
    # Not used yet, they can still be corrected.
    engine.call(Op.MODIFY_ATTRIBUTE, ModifyAttributeRequest(unique_identifier=uid, attribute=given))
    engine.call(Op.ENCRYPT, use)
    for operation, request in (
        (Op.MODIFY_ATTRIBUTE, ModifyAttributeRequest(unique_identifier=uid, attribute=given)),
        (Op.SET_ATTRIBUTE, settle(uid, given)),
        (
            Op.DELETE_ATTRIBUTE,
            DeleteAttributeRequest(unique_identifier=uid, attribute_references=(Tag.USAGE_LIMITS,)),
        ),
    ):
        assert refusal(engine, operation, request) in (R.ATTRIBUTE_READ_ONLY, R.READ_ONLY_ATTRIBUTE)
    with pytest.raises(Refused):
        engine.call(
            Op.DELETE_ATTRIBUTE,
            DeleteAttributeRequest(unique_identifier=uid, attribute_name="Usage Limits"),
            version=V1_4,
        )
