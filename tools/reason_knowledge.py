"""What the errors of this server mean in the standard's own reasons: the hand-written half of the reason table.

Strategy: the standard's error tables say which reasons an operation gives, and in 2.x nothing about when. Here
stands, for each error, which reasons mean it, the most specific first. `generate_reasons.py` joins the two: the
first reason that the operation's table lists, else the first of all. That is KMIP 2.1 section 6.1: "The list of
Result Reasons listed for each Operation is not exhaustive for each Operation. Any Result Reason listed in the
Message Data Structures Section MAY be used. A Server SHALL return the most appropriate Result Reason for the given
context."

Errors are classes of `kmip_server/errors.py`, by name.
"""

from __future__ import annotations

from typing import NamedTuple

from kmip_server.protocol.enums import Operation, ResultReason
from kmip_server.protocol.versions import V1_1, V1_2, V1_4, V2_1, Version

R, Op = ResultReason, Operation


class Meaning(NamedTuple):
    """The reasons that mean one error, by major version; the most specific first."""

    first: tuple[ResultReason, ...]
    second: tuple[ResultReason, ...]


def both(*reasons: ResultReason) -> Meaning:
    return Meaning(reasons, reasons)


MEANINGS: dict[str, Meaning] = {
    # The message itself: any operation may give these, though no table lists them.
    "CodecError": both(R.INVALID_MESSAGE),
    "UnsupportedProtocolVersion": Meaning((R.INVALID_MESSAGE,), (R.UNSUPPORTED_PROTOCOL_VERSION,)),
    "UnknownTag": Meaning((R.INVALID_FIELD,), (R.UNKNOWN_TAG,)),
    "UnknownEnumeration": Meaning((R.INVALID_FIELD,), (R.UNKNOWN_ENUMERATION,)),
    "MissingData": Meaning((R.INVALID_MESSAGE,), (R.MISSING_DATA,)),
    "DuplicateField": both(R.INVALID_MESSAGE),
    "UnknownMessageExtension": Meaning((R.FEATURE_NOT_SUPPORTED,), (R.UNKNOWN_MESSAGE_EXTENSION,)),
    "ResponseTooLarge": both(R.RESPONSE_TOO_LARGE),
    "OperationNotSupported": both(R.OPERATION_NOT_SUPPORTED),
    "FeatureNotSupported": both(R.FEATURE_NOT_SUPPORTED),
    "ServerLimitExceeded": Meaning((R.GENERAL_FAILURE,), (R.SERVER_LIMIT_EXCEEDED,)),
    "InternalError": Meaning((R.GENERAL_FAILURE,), (R.INTERNAL_SERVER_ERROR,)),
    # Who and whether.
    "AuthenticationNotSuccessful": both(R.AUTHENTICATION_NOT_SUCCESSFUL),
    "PermissionDenied": both(R.PERMISSION_DENIED),
    "ObjectNotFound": Meaning((R.ITEM_NOT_FOUND,), (R.OBJECT_NOT_FOUND, R.ITEM_NOT_FOUND)),
    # The object.
    "ObjectArchived": both(R.OBJECT_ARCHIVED),
    "ObjectDestroyed": Meaning((R.PERMISSION_DENIED,), (R.OBJECT_DESTROYED, R.WRONG_KEY_LIFECYCLE_STATE)),
    "WrongKeyLifecycleState": Meaning((R.PERMISSION_DENIED,), (R.WRONG_KEY_LIFECYCLE_STATE,)),
    "InvalidObjectType": Meaning((R.PERMISSION_DENIED,), (R.INVALID_OBJECT_TYPE, R.ILLEGAL_OBJECT_TYPE)),
    "IllegalOperation": Meaning((R.ILLEGAL_OPERATION,), (R.INVALID_OBJECT_TYPE, R.ILLEGAL_OBJECT_TYPE)),
    "CannotBeRekeyed": Meaning((R.PERMISSION_DENIED,), (R.INVALID_OBJECT_TYPE,)),
    "ConflictingDates": both(R.INVALID_MESSAGE),
    "IncompatibleCryptographicUsageMask": Meaning(
        (R.PERMISSION_DENIED,), (R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,)
    ),
    "KeyValueNotPresent": both(R.KEY_VALUE_NOT_PRESENT),
    "UsageLimitExceeded": Meaning((R.PERMISSION_DENIED,), (R.USAGE_LIMIT_EXCEEDED,)),
    "Sensitive": both(R.SENSITIVE),
    "NotExtractable": both(R.NOT_EXTRACTABLE),
    "ObjectAlreadyExists": both(R.OBJECT_ALREADY_EXISTS),
    # Attributes.
    "InvalidField": both(R.INVALID_FIELD),
    "InvalidAttribute": Meaning(
        (R.INVALID_FIELD,), (R.INVALID_ATTRIBUTE, R.UNSUPPORTED_ATTRIBUTE, R.ATTRIBUTE_NOT_FOUND)
    ),
    "InvalidAttributeValue": Meaning((R.INVALID_FIELD,), (R.INVALID_ATTRIBUTE_VALUE, R.INVALID_ATTRIBUTE)),
    "AttributeReadOnly": Meaning((R.PERMISSION_DENIED,), (R.ATTRIBUTE_READ_ONLY, R.READ_ONLY_ATTRIBUTE)),
    "AttributeSingleValued": Meaning((R.INDEX_OUT_OF_BOUNDS,), (R.ATTRIBUTE_SINGLE_VALUED,)),
    "MultiValuedAttribute": Meaning((R.INVALID_FIELD,), (R.MULTI_VALUED_ATTRIBUTE,)),
    "InvalidDataType": Meaning((R.INVALID_FIELD,), (R.INVALID_DATA_TYPE,)),
    "NumericRange": Meaning((R.INVALID_FIELD,), (R.NUMERIC_RANGE,)),
    "AttributeNotFound": Meaning((R.ITEM_NOT_FOUND,), (R.ATTRIBUTE_NOT_FOUND,)),
    "AttributeInstanceNotFound": Meaning((R.ITEM_NOT_FOUND,), (R.ATTRIBUTE_INSTANCE_NOT_FOUND,)),
    "AttributeIndexGiven": both(R.INVALID_FIELD),
    # "An attribute is invalid for this object"; Unsupported Attribute is for those that the server does not have.
    "UnsupportedAttribute": Meaning((R.PERMISSION_DENIED,), (R.INVALID_ATTRIBUTE, R.UNSUPPORTED_ATTRIBUTE)),
    "TooManyInstances": Meaning((R.INDEX_OUT_OF_BOUNDS,), (R.SERVER_LIMIT_EXCEEDED,)),
    "NonUniqueNameAttribute": Meaning((R.INVALID_FIELD,), (R.NON_UNIQUE_NAME_ATTRIBUTE,)),
    "ApplicationNamespaceNotSupported": both(R.APPLICATION_NAMESPACE_NOT_SUPPORTED),
    "NotQuantumSafe": both(R.GENERAL_FAILURE),
    # For a pair there are two, and none for what both keys have in common.
    "ProtectionStorageUnavailable": Meaning(
        (R.FEATURE_NOT_SUPPORTED,), (R.PROTECTION_STORAGE_UNAVAILABLE, R.PRIVATE_PROTECTION_STORAGE_UNAVAILABLE)
    ),
    "PrivateProtectionStorageUnavailable": Meaning(
        (R.FEATURE_NOT_SUPPORTED,), (R.PRIVATE_PROTECTION_STORAGE_UNAVAILABLE,)
    ),
    "PublicProtectionStorageUnavailable": Meaning(
        (R.FEATURE_NOT_SUPPORTED,), (R.PUBLIC_PROTECTION_STORAGE_UNAVAILABLE,)
    ),
    # Cryptography.
    "CryptographicFailure": Meaning(
        (R.CRYPTOGRAPHIC_FAILURE,), (R.CRYPTOGRAPHIC_FAILURE, R.BAD_CRYPTOGRAPHIC_PARAMETERS)
    ),
    "BadCryptographicParameters": Meaning(
        (R.INVALID_FIELD,), (R.BAD_CRYPTOGRAPHIC_PARAMETERS, R.INVALID_ATTRIBUTE_VALUE, R.CRYPTOGRAPHIC_FAILURE)
    ),
    "UnsupportedCryptographicParameters": Meaning(
        (R.INVALID_FIELD,),
        (
            R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS,
            R.BAD_CRYPTOGRAPHIC_PARAMETERS,
            R.INVALID_ATTRIBUTE_VALUE,
            R.CRYPTOGRAPHIC_FAILURE,
        ),
    ),
    "InvalidTagLength": Meaning((R.INVALID_FIELD,), (R.BAD_CRYPTOGRAPHIC_PARAMETERS,)),
    "MissingInitializationVector": Meaning((R.INVALID_MESSAGE,), (R.MISSING_INITIALIZATION_VECTOR,)),
    "KeyFormatTypeNotSupported": Meaning(
        (R.KEY_FORMAT_TYPE_NOT_SUPPORTED,), (R.KEY_FORMAT_TYPE_NOT_SUPPORTED, R.INVALID_OBJECT_TYPE)
    ),
    "KeyCompressionTypeNotSupported": both(R.KEY_COMPRESSION_TYPE_NOT_SUPPORTED),
    "KeyWrapTypeNotSupported": Meaning((R.FEATURE_NOT_SUPPORTED,), (R.KEY_WRAP_TYPE_NOT_SUPPORTED,)),
    "EncodingOptionError": both(R.ENCODING_OPTION_ERROR),
    "WrappingObjectNotFound": Meaning((R.ITEM_NOT_FOUND,), (R.WRAPPING_OBJECT_NOT_FOUND,)),
    "WrappingObjectArchived": Meaning((R.OBJECT_ARCHIVED,), (R.WRAPPING_OBJECT_ARCHIVED,)),
    "WrappingObjectDestroyed": Meaning((R.PERMISSION_DENIED,), (R.WRAPPING_OBJECT_DESTROYED,)),
    "WrappingKeyUnusable": Meaning((R.PERMISSION_DENIED,), (R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,)),
    "WrappingParametersNotFound": Meaning((R.ITEM_NOT_FOUND,), (R.BAD_CRYPTOGRAPHIC_PARAMETERS,)),
    "InvalidCorrelationValue": Meaning((R.ITEM_NOT_FOUND,), (R.INVALID_CORRELATION_VALUE,)),
}

_CREATING = (
    Op.CREATE,
    Op.CREATE_KEY_PAIR,
    Op.REGISTER,
    Op.IMPORT,
    Op.DERIVE_KEY,
    Op.CREATE_SPLIT_KEY,
    Op.JOIN_SPLIT_KEY,
    Op.RE_KEY,
    Op.RE_KEY_KEY_PAIR,
    Op.CERTIFY,
    Op.RE_CERTIFY,
)

_USING = (Op.ENCRYPT, Op.DECRYPT, Op.SIGN, Op.SIGNATURE_VERIFY, Op.MAC, Op.MAC_VERIFY)

# Where a 1.x table gives a fault in one operation another reason than elsewhere (KMIP 1.4 section 11).
FIRST_IN_OPERATION: dict[tuple[Operation, str], ResultReason] = {
    # "Incorrect attribute value(s) specified".
    **{(each, "AttributeReadOnly"): R.INVALID_FIELD for each in _CREATING},
    **{(each, "UnsupportedAttribute"): R.INVALID_FIELD for each in _CREATING},
    # "Object specified is not able to be used for encryption", and so on.
    **{(each, "IllegalOperation"): R.PERMISSION_DENIED for each in _USING},
    **{(each, "KeyFormatTypeNotSupported"): R.PERMISSION_DENIED for each in _USING},
    (Op.ADD_ATTRIBUTE, "AttributeSingleValued"): R.ILLEGAL_OPERATION,
    (Op.ADD_ATTRIBUTE, "NonUniqueNameAttribute"): R.ILLEGAL_OPERATION,
    (Op.MODIFY_ATTRIBUTE, "NonUniqueNameAttribute"): R.ILLEGAL_OPERATION,
    (Op.MODIFY_ATTRIBUTE, "AttributeNotFound"): R.INVALID_FIELD,
    # "Object Type is not recognized", "does not match type of cryptographic object provided".
    (Op.CREATE, "InvalidObjectType"): R.INVALID_FIELD,
    (Op.REGISTER, "InvalidObjectType"): R.INVALID_FIELD,
    # "Object does not exist".
    (Op.GET, "ObjectDestroyed"): R.ITEM_NOT_FOUND,
    (Op.EXPORT, "ObjectDestroyed"): R.ITEM_NOT_FOUND,
    # "The server only has attributes for this object".
    (Op.GET, "KeyValueNotPresent"): R.ILLEGAL_OPERATION,
    (Op.EXPORT, "KeyValueNotPresent"): R.ILLEGAL_OPERATION,
    # "Not of the correct type", "not able to be used to derive a new key".
    (Op.DERIVE_KEY, "InvalidObjectType"): R.INVALID_FIELD,
    (Op.DERIVE_KEY, "IncompatibleCryptographicUsageMask"): R.INVALID_FIELD,
    (Op.DERIVE_KEY, "WrongKeyLifecycleState"): R.INVALID_FIELD,
    (Op.DERIVE_KEY, "UsageLimitExceeded"): R.INVALID_FIELD,
}

# The same for 2.x: here it is not the object that is wrong.
SECOND_IN_OPERATION: dict[tuple[Operation, str], ResultReason] = {
    # An Offset without an Activation Date to move from.
    (Op.RE_KEY, "IllegalOperation"): R.INVALID_FIELD,
    (Op.RE_KEY_KEY_PAIR, "IllegalOperation"): R.INVALID_FIELD,
}


class Case(NamedTuple):
    """What an official test case expects against the text; it decides: other servers are measured by it."""

    error: str
    operation: Operation
    reason: ResultReason
    name: str


OFFICIAL: tuple[Case, ...] = (
    Case("UsageLimitExceeded", Op.ENCRYPT, R.PERMISSION_DENIED, "CS-BC-M-7"),
    Case("MissingInitializationVector", Op.DECRYPT, R.INVALID_MESSAGE, "CS-BC-M-11, 12, 13"),
    Case("InvalidTagLength", Op.ENCRYPT, R.GENERAL_FAILURE, "CS-BC-M-GCM-1, CS-BC-M-CHACHA20POLY1305-1"),
)

# What a version says instead of a reason that it does not know, or that its test cases do without: those of 2.0
# want Permission Denied for a wrong State, though its text has the reason.
BEFORE: dict[ResultReason, tuple[Version, ResultReason]] = {
    R.ENCODING_OPTION_ERROR: (V1_1, R.INVALID_FIELD),
    R.KEY_VALUE_NOT_PRESENT: (V1_2, R.ILLEGAL_OPERATION),
    R.SENSITIVE: (V1_4, R.PERMISSION_DENIED),
    R.NOT_EXTRACTABLE: (V1_4, R.PERMISSION_DENIED),
    R.OBJECT_ALREADY_EXISTS: (V1_4, R.ILLEGAL_OPERATION),
    R.WRONG_KEY_LIFECYCLE_STATE: (V2_1, R.PERMISSION_DENIED),
}
