"""The reason table is the generated one, holds every error, and says what the standard and its test cases want."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kmip_server import errors as e
from kmip_server.protocol.enums import Operation, ResultReason
from kmip_server.protocol.reason_table import REASONS
from kmip_server.protocol.reasons import reason_of
from kmip_server.protocol.versions import V1_0, V1_1, V1_2, V1_4, V2_0, V2_1, Version

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT.parent / "shared" / "kmip-reference"
R, Op = ResultReason, Operation


@pytest.mark.skipif(not REFERENCE.exists(), reason="the standard's tables are not beside the project")
def test_the_committed_table_is_the_generated_one() -> None:
    tool = [sys.executable, str(ROOT / "tools" / "generate_reasons.py"), str(REFERENCE), "--check"]
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(tool, check=False, env={"PATH": path}, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "run python tools/generate_reasons.py ../shared/kmip-reference"


def test_every_error_has_a_meaning() -> None:
    kinds = {
        name: kind for name, kind in vars(e).items() if isinstance(kind, type) and issubclass(kind, e.KmipError)
    }
    for name, kind in kinds.items():
        if kind is not e.KmipError and kind.__base__ is e.KmipError:
            assert name in REASONS[V2_1][None], f"say in tools/reason_knowledge.py which reasons mean {name}"
    for version in Version:
        assert set(REASONS[version][None]) <= set(kinds), "tools/reason_knowledge.py names errors that are gone"


@pytest.mark.parametrize("version", Version, ids=str)
def test_no_version_says_what_it_does_not_know(version: Version) -> None:
    for operation, rows in REASONS[version].items():
        assert operation is None or operation.known_in(version)
        for error, reason in rows.items():
            assert reason.known_in(version), (operation, error)
            assert operation is None or error in REASONS[version][None], "a row without a general one is never read"


@pytest.mark.parametrize(
    ("error", "operation", "version", "reason"),
    [
        (e.WrongKeyLifecycleState, Op.DESTROY, V1_4, R.PERMISSION_DENIED),
        (e.WrongKeyLifecycleState, Op.DESTROY, V2_0, R.PERMISSION_DENIED),
        (e.WrongKeyLifecycleState, Op.DESTROY, V2_1, R.WRONG_KEY_LIFECYCLE_STATE),
        (e.NonUniqueNameAttribute, Op.CREATE, V1_4, R.INVALID_FIELD),
        (e.NonUniqueNameAttribute, Op.REGISTER, V1_0, R.INVALID_FIELD),
        (e.NonUniqueNameAttribute, Op.ADD_ATTRIBUTE, V1_4, R.ILLEGAL_OPERATION),
        (e.NonUniqueNameAttribute, Op.MODIFY_ATTRIBUTE, V1_4, R.ILLEGAL_OPERATION),
        (e.NonUniqueNameAttribute, Op.ADD_ATTRIBUTE, V2_1, R.NON_UNIQUE_NAME_ATTRIBUTE),
        (e.ObjectNotFound, Op.GET, V1_4, R.ITEM_NOT_FOUND),
        (e.ObjectNotFound, Op.GET, V2_1, R.OBJECT_NOT_FOUND),
        # Its table lists another spelling than most.
        (e.ObjectNotFound, Op.ADJUST_ATTRIBUTE, V2_1, R.ITEM_NOT_FOUND),
        (e.AttributeReadOnly, Op.MODIFY_ATTRIBUTE, V2_1, R.ATTRIBUTE_READ_ONLY),
        (e.AttributeReadOnly, Op.SET_ATTRIBUTE, V2_1, R.READ_ONLY_ATTRIBUTE),
        # Nothing that Create lists is Unsupported Cryptographic Parameters; they are attributes there.
        (e.UnsupportedCryptographicParameters, Op.CREATE, V2_1, R.INVALID_ATTRIBUTE_VALUE),
        (e.UnsupportedCryptographicParameters, Op.ENCRYPT, V2_1, R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS),
        # The official test cases decide.
        (e.UsageLimitExceeded, Op.ENCRYPT, V2_1, R.PERMISSION_DENIED),
        (e.UsageLimitExceeded, Op.SIGN, V2_1, R.USAGE_LIMIT_EXCEEDED),
        (e.MissingInitializationVector, Op.DECRYPT, V2_1, R.INVALID_MESSAGE),
        (e.MissingInitializationVector, Op.ENCRYPT, V2_1, R.MISSING_INITIALIZATION_VECTOR),
        (e.InvalidTagLength, Op.ENCRYPT, V1_4, R.GENERAL_FAILURE),
        (e.InvalidTagLength, Op.ENCRYPT, V2_1, R.GENERAL_FAILURE),
        (e.InvalidTagLength, Op.DECRYPT, V2_1, R.BAD_CRYPTOGRAPHIC_PARAMETERS),
        (e.ObjectDestroyed, Op.GET, V2_1, R.OBJECT_DESTROYED),
        (e.ObjectDestroyed, Op.ACTIVATE, V2_1, R.WRONG_KEY_LIFECYCLE_STATE),
        # What older versions say instead.
        (e.EncodingOptionError, Op.GET, V1_0, R.INVALID_FIELD),
        (e.EncodingOptionError, Op.GET, V1_1, R.ENCODING_OPTION_ERROR),
        (e.Sensitive, Op.GET, V1_2, R.PERMISSION_DENIED),
        (e.Sensitive, Op.GET, V1_4, R.SENSITIVE),
        # The operations of 1.2 have their tables since 1.3.
        (e.IllegalOperation, Op.ENCRYPT, V1_2, R.PERMISSION_DENIED),
        # An object type that cannot be made is a field in 1.x.
        (e.InvalidObjectType, Op.CREATE, V1_4, R.INVALID_FIELD),
        (e.InvalidObjectType, Op.CREATE, V2_1, R.INVALID_OBJECT_TYPE),
        (e.IllegalOperation, Op.RE_KEY, V1_4, R.ILLEGAL_OPERATION),
        (e.IllegalOperation, Op.RE_KEY, V2_1, R.INVALID_FIELD),
        # No operation, or none with a table.
        (e.UnknownTag, None, V2_1, R.UNKNOWN_TAG),
        (e.PermissionDenied, Op.PING, V2_1, R.PERMISSION_DENIED),
        # A fault of this side.
        (e.InternalError, Op.GET, V1_4, R.GENERAL_FAILURE),
        (e.InternalError, Op.GET, V2_1, R.INTERNAL_SERVER_ERROR),
        (e.KeyStoreUnavailable, Op.GET, V2_1, R.INTERNAL_SERVER_ERROR),
    ],
)
def test_how_it_is_told(
    error: type[e.KmipError], operation: Operation | None, version: Version, reason: ResultReason
) -> None:
    assert reason_of(error("x"), operation, version) == reason


def test_a_kind_of_an_error_is_told_as_that_error() -> None:
    class Particular(e.WrongKeyLifecycleState):
        pass

    class Combined(e.IncompatibleCryptographicUsageMask, e.PermissionDenied):
        pass

    assert reason_of(Particular("x"), Op.DESTROY, V2_1) == R.WRONG_KEY_LIFECYCLE_STATE
    assert reason_of(Combined("x"), Op.CHECK, V2_1) == R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK
    assert reason_of(Combined("x"), Op.CHECK, V1_4) == R.PERMISSION_DENIED
    assert reason_of(e.KmipError("x"), Op.GET, V2_1) == R.GENERAL_FAILURE
