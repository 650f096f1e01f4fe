"""The error family.

Strategy: the engine raises what is wrong in words that a client can act upon, and nothing else. Which
Result Status and Result Reason that becomes, for which version and operation, is a generated table,
`protocol/reason_table.py`; only the edge consults it. What a new error means stands in
`tools/reason_knowledge.py`. A message never repeats key material, and names nothing that the client
may not know to exist.
"""

from __future__ import annotations


class KmipError(Exception):
    """Something the client is told: `message` says what to change."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


# --- the message itself -------------------------------------------------------------------------


class CodecError(KmipError):
    """The bytes are not a well-formed message of this version (wrong type, length, order of nesting)."""


class UnsupportedProtocolVersion(KmipError):
    """The message's protocol version is not served."""


class UnknownTag(KmipError):
    """A field that the message's own version does not define stands where it may not."""


class UnknownEnumeration(KmipError):
    """An enumeration value nobody registered."""


class MissingData(KmipError):
    """A required field is absent."""


class DuplicateField(KmipError):
    """A field that may stand once stands twice."""


class UnknownMessageExtension(KmipError):
    """A Message Extension is critical and not understood."""


class ResponseTooLarge(KmipError):
    """The answer is larger than the client's Maximum Response Size."""


class OperationNotSupported(KmipError):
    """The operation is not served, or not in the message's version."""


class FeatureNotSupported(KmipError):
    """An optional feature of an operation is not served."""


class ServerLimitExceeded(KmipError):
    """A bound of this server (batch items, instances, sizes) is exceeded."""


# --- who and whether ----------------------------------------------------------------------------


class AuthenticationNotSuccessful(KmipError):
    """The certificate or the credential does not make a known principal."""


class PermissionDenied(KmipError):
    """A rule forbids the operation on an object that the principal may know to exist."""


class ObjectNotFound(KmipError):
    """No object of that identifier exists for this principal. Absent and forbidden look alike."""


# --- the object ---------------------------------------------------------------------------------


class ObjectArchived(KmipError):
    """The object is archived and must be recovered first."""


class ObjectDestroyed(KmipError):
    """The object was destroyed; only its attributes remain."""


class WrongKeyLifecycleState(KmipError):
    """The object's State does not allow the operation."""


class InvalidObjectType(KmipError):
    """The operation has no meaning for an object of this type."""


class IllegalOperation(KmipError):
    """The operation cannot be performed on this object, whoever asks."""


class NotInVersion(IllegalOperation):
    """The answer would hold what the client's version of KMIP does not know."""


class IncompatibleCryptographicUsageMask(KmipError):
    """The Cryptographic Usage Mask lacks the bit that the operation needs."""


class KeyValueNotPresent(KmipError):
    """The object was registered without its value."""


class UsageLimitExceeded(KmipError):
    """The Usage Limits of the object are spent."""


class Sensitive(KmipError):
    """The object is Sensitive: its value leaves only wrapped."""


class NotExtractable(KmipError):
    """The object is not Extractable: its value never leaves."""


class ObjectAlreadyExists(KmipError):
    """An object with this Unique Identifier is there already."""


class CannotBeRekeyed(KmipError):
    """The object is not one that Re-key replaces."""


class ConflictingDates(KmipError):
    """An Offset and an explicit date are given together."""


# --- attributes ---------------------------------------------------------------------------------


class InvalidField(KmipError):
    """A field's value is not acceptable."""


class InvalidAttribute(KmipError):
    """An attribute that no version defines, or not for an object of this type."""


class InvalidAttributeValue(KmipError):
    """An attribute's value has the wrong type or range."""


class AttributeReadOnly(KmipError):
    """The attribute is set by the server alone."""


class AttributeSingleValued(KmipError):
    """The attribute is there already and has one instance."""


class MultiValuedAttribute(KmipError):
    """The attribute has several instances, and the request does not say which one."""


class InvalidDataType(KmipError):
    """The value of the attribute is of a type that the operation cannot work with."""


class NumericRange(KmipError):
    """The value that would come out does not fit the type of the attribute."""


class AttributeNotFound(KmipError):
    """The object does not have the attribute."""


class AttributeInstanceNotFound(KmipError):
    """The object has the attribute, but not this instance of it."""


class AttributeIndexGiven(KmipError):
    """An Attribute Index stands where the server assigns it."""


class UnsupportedAttribute(KmipError):
    """The attribute does not apply to objects of this type."""


class TooManyInstances(KmipError):
    """No further instance of the attribute is accepted."""


class NonUniqueNameAttribute(KmipError):
    """Another object has this Name."""


class ApplicationNamespaceNotSupported(KmipError):
    """Application Data was left out, and the server cannot generate it for this namespace."""


# --- cryptography -------------------------------------------------------------------------------


class NotQuantumSafe(KmipError):
    """The object cannot be as safe as its Quantum Safe attribute demands."""


class ProtectionStorageUnavailable(KmipError):
    """No Protection Storage Mask that the client permits is served."""


class PrivateProtectionStorageUnavailable(ProtectionStorageUnavailable):
    """So for the private key of a pair."""


class PublicProtectionStorageUnavailable(ProtectionStorageUnavailable):
    """So for the public key of a pair."""


class CryptographicFailure(KmipError):
    """The cryptographic operation failed: wrong tag, padding, length."""


class BadCryptographicParameters(KmipError):
    """The parameters contradict each other or the key."""


class InvalidTagLength(BadCryptographicParameters):
    """The Tag Length is none that the mode has. A kind of its own, since the official test cases tell it apart."""


class UnsupportedCryptographicParameters(KmipError):
    """The algorithm, mode, padding or hash is not served, or weak and switched off."""


class MissingInitializationVector(KmipError):
    """The mode needs an IV / Counter / Nonce, and none was given."""


class KeyFormatTypeNotSupported(KmipError):
    """The object cannot be had, or is not accepted, in this Key Format Type."""


class KeyCompressionTypeNotSupported(KmipError):
    """The object cannot be had, or is not accepted, in this Key Compression Type."""


class KeyWrapTypeNotSupported(KmipError):
    """The Key Wrap Type is not served."""


class EncodingOptionError(KmipError):
    """The wrapped value cannot be encoded as asked."""


class WrappingObjectNotFound(KmipError):
    """No wrapping key of that identifier exists for this principal."""


class WrappingObjectArchived(KmipError):
    """The wrapping key is archived and must be recovered first."""


class WrappingObjectDestroyed(KmipError):
    """The wrapping key was destroyed."""


class WrappingParametersNotFound(KmipError):
    """The wrapping key has Cryptographic Parameters, and none of them are those that the request names."""


class WrappingKeyUnusable(KmipError):
    """The wrapping key exists, but its type, state or mask does not let it wrap."""


class InvalidCorrelationValue(KmipError):
    """No outstanding operation has this Correlation Value."""


# --- this side ----------------------------------------------------------------------------------


class InternalError(KmipError):
    """Not the client's fault. The message is fixed text; the cause goes to the log alone."""

    for_client = "the server failed to process the request; its log names the request identifier"


class KeyStoreUnavailable(InternalError):
    """The HSM is away beyond its grace, or refuses. Nothing is served from what was opened before."""

    for_client = "the server cannot reach its keys now; try again later"


class StoreUnavailable(InternalError):
    """The database cannot be read or written. Nothing was changed."""


class ClockNotTrusted(InternalError):
    """The machine's clock has jumped: nothing can be dated, and no date be said to have come."""


class OutcomeUnknown(StoreUnavailable):
    """The database failed in such a way that only a later look tells whether the change is durable."""


class SealBroken(InternalError):
    """A sealed value does not open with what the database says of it: edited, swapped or corrupt."""


class SettingsError(Exception):
    """Settings, files or environment keep the server from starting. One sentence that says what to do."""


def told(error: Exception) -> str:
    """What went wrong outside, in words for an operator: the file and what is wrong with it, without a number."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        return f"{where}{error.strerror}"
    return str(error)
