"""Which Result Reason an error becomes, by version and operation.

Strategy: the engine says what is wrong; here stands how each version tells it. 1.x has few, general reasons
and sometimes another one for the same fault in another operation (KMIP 1.4 section 11); 2.x has one for
each fault. A row names the general answer; `_IN_OPERATION` the exceptions.
"""

from __future__ import annotations

from kmip_server import errors as e
from kmip_server.protocol.enums import Operation, ResultReason
from kmip_server.protocol.versions import V1_1, V1_2, V1_4, V2_1, Version

_R = ResultReason

# error: (the 1.x reason, the 2.x reason)
_REASONS: dict[type[e.KmipError], tuple[ResultReason, ResultReason]] = {
    e.CodecError: (_R.INVALID_MESSAGE, _R.INVALID_MESSAGE),
    e.UnsupportedProtocolVersion: (_R.INVALID_MESSAGE, _R.UNSUPPORTED_PROTOCOL_VERSION),
    e.UnknownTag: (_R.INVALID_FIELD, _R.UNKNOWN_TAG),
    e.UnknownEnumeration: (_R.INVALID_FIELD, _R.UNKNOWN_ENUMERATION),
    e.MissingData: (_R.INVALID_MESSAGE, _R.MISSING_DATA),
    e.DuplicateField: (_R.INVALID_MESSAGE, _R.INVALID_MESSAGE),
    e.UnknownMessageExtension: (_R.FEATURE_NOT_SUPPORTED, _R.UNKNOWN_MESSAGE_EXTENSION),
    e.ResponseTooLarge: (_R.RESPONSE_TOO_LARGE, _R.RESPONSE_TOO_LARGE),
    e.OperationNotSupported: (_R.OPERATION_NOT_SUPPORTED, _R.OPERATION_NOT_SUPPORTED),
    e.FeatureNotSupported: (_R.FEATURE_NOT_SUPPORTED, _R.FEATURE_NOT_SUPPORTED),
    e.ServerLimitExceeded: (_R.GENERAL_FAILURE, _R.SERVER_LIMIT_EXCEEDED),
    e.AuthenticationNotSuccessful: (_R.AUTHENTICATION_NOT_SUCCESSFUL, _R.AUTHENTICATION_NOT_SUCCESSFUL),
    e.PermissionDenied: (_R.PERMISSION_DENIED, _R.PERMISSION_DENIED),
    e.ObjectNotFound: (_R.ITEM_NOT_FOUND, _R.OBJECT_NOT_FOUND),
    e.ObjectArchived: (_R.OBJECT_ARCHIVED, _R.OBJECT_ARCHIVED),
    e.ObjectDestroyed: (_R.PERMISSION_DENIED, _R.OBJECT_DESTROYED),
    e.WrongKeyLifecycleState: (_R.PERMISSION_DENIED, _R.WRONG_KEY_LIFECYCLE_STATE),
    e.InvalidObjectType: (_R.PERMISSION_DENIED, _R.INVALID_OBJECT_TYPE),
    e.IllegalOperation: (_R.ILLEGAL_OPERATION, _R.INVALID_OBJECT_TYPE),
    e.CannotBeRekeyed: (_R.PERMISSION_DENIED, _R.INVALID_OBJECT_TYPE),
    e.ConflictingDates: (_R.INVALID_MESSAGE, _R.INVALID_MESSAGE),
    e.IncompatibleCryptographicUsageMask: (
        _R.PERMISSION_DENIED,
        _R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
    ),
    e.KeyValueNotPresent: (_R.KEY_VALUE_NOT_PRESENT, _R.KEY_VALUE_NOT_PRESENT),
    e.UsageLimitExceeded: (_R.PERMISSION_DENIED, _R.USAGE_LIMIT_EXCEEDED),
    e.Sensitive: (_R.SENSITIVE, _R.SENSITIVE),
    e.NotExtractable: (_R.NOT_EXTRACTABLE, _R.NOT_EXTRACTABLE),
    e.ObjectAlreadyExists: (_R.OBJECT_ALREADY_EXISTS, _R.OBJECT_ALREADY_EXISTS),
    e.InvalidField: (_R.INVALID_FIELD, _R.INVALID_FIELD),
    e.InvalidAttribute: (_R.INVALID_FIELD, _R.INVALID_ATTRIBUTE),
    e.InvalidAttributeValue: (_R.INVALID_FIELD, _R.INVALID_ATTRIBUTE_VALUE),
    e.AttributeReadOnly: (_R.PERMISSION_DENIED, _R.ATTRIBUTE_READ_ONLY),
    e.AttributeSingleValued: (_R.INDEX_OUT_OF_BOUNDS, _R.ATTRIBUTE_SINGLE_VALUED),
    e.MultiValuedAttribute: (_R.INVALID_FIELD, _R.MULTI_VALUED_ATTRIBUTE),
    e.InvalidDataType: (_R.INVALID_FIELD, _R.INVALID_DATA_TYPE),
    e.NumericRange: (_R.INVALID_FIELD, _R.NUMERIC_RANGE),
    e.NotQuantumSafe: (_R.GENERAL_FAILURE, _R.GENERAL_FAILURE),
    e.ProtectionStorageUnavailable: (_R.FEATURE_NOT_SUPPORTED, _R.PROTECTION_STORAGE_UNAVAILABLE),
    e.AttributeNotFound: (_R.ITEM_NOT_FOUND, _R.ATTRIBUTE_NOT_FOUND),
    e.AttributeInstanceNotFound: (_R.ITEM_NOT_FOUND, _R.ATTRIBUTE_INSTANCE_NOT_FOUND),
    e.AttributeIndexGiven: (_R.INVALID_FIELD, _R.INVALID_FIELD),
    e.UnsupportedAttribute: (_R.PERMISSION_DENIED, _R.UNSUPPORTED_ATTRIBUTE),
    e.TooManyInstances: (_R.INDEX_OUT_OF_BOUNDS, _R.SERVER_LIMIT_EXCEEDED),
    e.NonUniqueNameAttribute: (_R.INVALID_FIELD, _R.NON_UNIQUE_NAME_ATTRIBUTE),
    e.ApplicationNamespaceNotSupported: (
        _R.APPLICATION_NAMESPACE_NOT_SUPPORTED,
        _R.APPLICATION_NAMESPACE_NOT_SUPPORTED,
    ),
    e.CryptographicFailure: (_R.CRYPTOGRAPHIC_FAILURE, _R.CRYPTOGRAPHIC_FAILURE),
    e.BadCryptographicParameters: (_R.INVALID_FIELD, _R.BAD_CRYPTOGRAPHIC_PARAMETERS),
    e.UnsupportedCryptographicParameters: (_R.INVALID_FIELD, _R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS),
    e.MissingInitializationVector: (_R.INVALID_MESSAGE, _R.MISSING_INITIALIZATION_VECTOR),
    e.KeyFormatTypeNotSupported: (_R.KEY_FORMAT_TYPE_NOT_SUPPORTED, _R.KEY_FORMAT_TYPE_NOT_SUPPORTED),
    e.KeyCompressionTypeNotSupported: (
        _R.KEY_COMPRESSION_TYPE_NOT_SUPPORTED,
        _R.KEY_COMPRESSION_TYPE_NOT_SUPPORTED,
    ),
    e.KeyWrapTypeNotSupported: (_R.FEATURE_NOT_SUPPORTED, _R.KEY_WRAP_TYPE_NOT_SUPPORTED),
    e.EncodingOptionError: (_R.ENCODING_OPTION_ERROR, _R.ENCODING_OPTION_ERROR),
    e.WrappingObjectNotFound: (_R.ITEM_NOT_FOUND, _R.WRAPPING_OBJECT_NOT_FOUND),
    e.WrappingObjectArchived: (_R.OBJECT_ARCHIVED, _R.WRAPPING_OBJECT_ARCHIVED),
    e.WrappingObjectDestroyed: (_R.PERMISSION_DENIED, _R.WRAPPING_OBJECT_DESTROYED),
    e.WrappingParametersNotFound: (_R.ITEM_NOT_FOUND, _R.BAD_CRYPTOGRAPHIC_PARAMETERS),
    e.WrappingKeyUnusable: (_R.PERMISSION_DENIED, _R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK),
    e.InvalidCorrelationValue: (_R.ITEM_NOT_FOUND, _R.INVALID_CORRELATION_VALUE),
    e.InternalError: (_R.GENERAL_FAILURE, _R.GENERAL_FAILURE),
}

_CREATING = (
    Operation.CREATE,
    Operation.CREATE_KEY_PAIR,
    Operation.REGISTER,
    Operation.IMPORT,
    Operation.RE_KEY,
    Operation.RE_KEY_KEY_PAIR,
)

# Where an operation's own error table in 1.x says otherwise (KMIP 1.4 §11.2-11.36).
_IN_OPERATION: dict[tuple[Operation, type[e.KmipError]], ResultReason] = {
    **{(operation, e.AttributeReadOnly): _R.INVALID_FIELD for operation in _CREATING},
    **{(operation, e.UnsupportedAttribute): _R.INVALID_FIELD for operation in _CREATING},
    (Operation.ADD_ATTRIBUTE, e.AttributeSingleValued): _R.ILLEGAL_OPERATION,
    (Operation.ADD_ATTRIBUTE, e.NonUniqueNameAttribute): _R.ILLEGAL_OPERATION,
    (Operation.MODIFY_ATTRIBUTE, e.NonUniqueNameAttribute): _R.ILLEGAL_OPERATION,
    (Operation.MODIFY_ATTRIBUTE, e.AttributeNotFound): _R.INVALID_FIELD,
    (Operation.GET, e.ObjectDestroyed): _R.ITEM_NOT_FOUND,
    (Operation.GET, e.KeyValueNotPresent): _R.ILLEGAL_OPERATION,
    (Operation.EXPORT, e.KeyValueNotPresent): _R.ILLEGAL_OPERATION,
    (Operation.RE_KEY, e.MissingData): _R.INVALID_MESSAGE,
}

# Reasons that an old version does not know, and what it says instead.
_BEFORE: dict[ResultReason, tuple[Version, ResultReason]] = {
    _R.ENCODING_OPTION_ERROR: (V1_1, _R.INVALID_FIELD),
    _R.KEY_VALUE_NOT_PRESENT: (V1_2, _R.ILLEGAL_OPERATION),
    _R.SENSITIVE: (V1_4, _R.PERMISSION_DENIED),
    _R.NOT_EXTRACTABLE: (V1_4, _R.PERMISSION_DENIED),
    _R.OBJECT_ALREADY_EXISTS: (V1_4, _R.ILLEGAL_OPERATION),
}


def reason_of(error: e.KmipError, operation: Operation | None, version: Version) -> ResultReason:
    """The Result Reason for `error` in an operation of `version`; one the version knows."""
    for kind in type(error).__mro__:
        if kind in _REASONS:
            return _known(_row(kind, operation, version), version)
    return _R.GENERAL_FAILURE


def _row(kind: type[e.KmipError], operation: Operation | None, version: Version) -> ResultReason:
    first, second = _REASONS[kind]
    if version.major == 1:
        return _IN_OPERATION.get((operation, kind), first) if operation is not None else first
    if second == _R.WRONG_KEY_LIFECYCLE_STATE and version < V2_1:
        # The test cases of 2.0 still want Permission Denied.
        return _R.PERMISSION_DENIED
    return second


def _known(reason: ResultReason, version: Version) -> ResultReason:
    since, instead = _BEFORE.get(reason, (version, reason))
    return instead if version < since else reason
