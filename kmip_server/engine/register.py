"""Register: an object that the client brings. KMIP 1.4 section 4.3.

Strategy: what the client sent is kept exactly; attributes are read off it where the standard says that the server
sets them. What contradicts the object is refused; what cannot be looked into (an opaque or wrapped value) is
taken at the client's word.
"""

from __future__ import annotations

from dataclasses import replace

from kmip_server.crypto import conversion, distinguished_names, formats
from kmip_server.crypto.formats import KeyDescription
from kmip_server.engine import attribute_rules, key_formats, making, unwrapping
from kmip_server.engine.context import Context
from kmip_server.engine.registry import operation
from kmip_server.errors import InvalidAttributeValue, InvalidField, InvalidObjectType, MissingData
from kmip_server.protocol.attribute_set import Attribute, AttributeSet
from kmip_server.protocol.attribute_values import (
    CertificateIdentifier,
    CertificateIssuer,
    CertificateSubject,
    CryptographicDomainParameters,
    Link,
    X509CertificateIdentifier,
    X509CertificateIssuer,
    X509CertificateSubject,
)
from kmip_server.protocol.enums import (
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyCompressionType,
    KeyFormatType,
    LinkType,
    ObjectType,
    Operation,
)
from kmip_server.protocol.objects import (
    OBJECT_TYPES,
    Certificate,
    CertificateRequest,
    KeyBlock,
    KeyObject,
    KeyValue,
    ManagedObject,
    OpaqueObject,
    PrivateKey,
    PublicKey,
    SymmetricKey,
    Template,
    TransparentMaterial,
)
from kmip_server.protocol.payloads.register import RegisterRequest, RegisterResponse
from kmip_server.protocol.spellings import TemplateAttribute
from kmip_server.protocol.tags import Tag
from kmip_server.protocol.transparent import (
    TRANSPARENT,
    TransparentSymmetricKey,
    transparent_numbers,
)
from kmip_server.protocol.versions import LATEST


@operation(Operation.REGISTER)
def register(context: Context, request: RegisterRequest) -> RegisterResponse:
    """Keep an object that the client made, and put it into the ID Placeholder.

    Raises InvalidObjectType where the object is not of the Object Type, InvalidField where it cannot be what it
    says it is, MissingData where there is none, and what `attribute_rules.requested` raises.
    KMIP 1.4 §4.3; KMIP 2.1 §6.1.43.
    """
    context.permit(Operation.REGISTER)
    managed_object, object_type = request.managed_object, request.object_type
    if managed_object is None:
        raise MissingData("Register must have an object")
    if OBJECT_TYPES[type(managed_object)] != object_type:
        raise InvalidObjectType(f"the object that is given is not a {object_type.title}")
    making.require_storage(request.protection_storage_masks)
    wanted, said = _apart(request.template_attribute)
    attributes = attribute_rules.requested(context, object_type, wanted)
    managed_object, attributes = described(context, managed_object, object_type, attributes)
    _require_true(said, attributes)
    if unwrapping.is_wrapped(managed_object):
        attributes = _looked_into(context, managed_object, object_type, attributes)
    made = making.make(context, managed_object, object_type, attributes, generated=False)
    return RegisterResponse(unique_identifier=made.unique_identifier)


def _apart(template: TemplateAttribute) -> tuple[TemplateAttribute, list[Attribute]]:
    """What the client wants set, and what it says of the object that the server reads off it anyway."""
    said = [each for each in template.attributes if each.key in _READ_OFF]
    wanted = tuple(each for each in template.attributes if each.key not in _READ_OFF)
    return replace(template, attributes=wanted), said


_READ_OFF = frozenset({Tag.CERTIFICATE_TYPE, Tag.CERTIFICATE_LENGTH, Tag.DIGITAL_SIGNATURE_ALGORITHM})
"""Attributes of certificates: Register may name them (KMIP 1.4 §4.3), though the server sets them."""


def _require_true(said: list[Attribute], attributes: AttributeSet) -> None:
    for attribute in said:
        if attribute.value not in attributes.all(attribute.key):
            raise InvalidAttributeValue(f"{attribute.key.title} is not what the object says")


def _looked_into(
    context: Context, managed_object: ManagedObject, object_type: ObjectType, attributes: AttributeSet
) -> AttributeSet:
    """The attributes of an object that came wrapped, with what shows where the client's own keys here unwrap it.

    "The server SHALL create a Link attribute of Link Type Wrapping Key Link" (KMIP 2.1 §6.1.43).
    """
    clear = unwrapping.if_it_opens(context, managed_object)
    if clear is not None:
        clear, attributes = described(context, clear, object_type, attributes)
        attributes = attributes.with_value(Tag.DIGEST, making.digest(clear))
    key = unwrapping.wrapping_key(context, managed_object)
    links: tuple[Link, ...] = attributes.all(Tag.LINK)
    if key is None or any(each.link_type == LinkType.WRAPPING_KEY_LINK for each in links):
        return attributes
    link = Link(link_type=LinkType.WRAPPING_KEY_LINK, linked_object_identifier=key)
    return attributes.adding(Tag.LINK, link)


def described(
    context: Context, managed_object: ManagedObject, object_type: ObjectType, attributes: AttributeSet
) -> tuple[ManagedObject, AttributeSet]:
    """The object as it is kept, and its attributes with what can be read off it."""
    if isinstance(managed_object, Template):
        # Kept as checked and completed: the count of Usage Limits is the server's.
        inside = attribute_rules.collected(context, managed_object.attributes, ObjectType.TEMPLATE)
        return replace(managed_object, attributes=tuple(inside)), attributes
    if isinstance(managed_object, Certificate):
        return managed_object, _with_mask(_certificate(managed_object, attributes))
    if isinstance(managed_object, OpaqueObject):
        return managed_object, attributes
    if isinstance(managed_object, CertificateRequest):
        raise InvalidField(f"a {object_type.title} cannot be registered")
    block = managed_object.key_block
    unwrapping.check(block)
    if isinstance(block.key_value, KeyValue) and block.key_value.attributes:
        # Attributes inside the Key Value belong to the object; those in the request prevail.
        inside = attribute_rules.collected(context, block.key_value.attributes, object_type)
        attributes = attribute_rules.overriding(inside, attributes)
        block = replace(block, key_value=replace(block.key_value, attributes=()))
        managed_object = replace(managed_object, key_block=block)
    return managed_object, _with_mask(_key(managed_object, block, attributes))


def _with_mask(attributes: AttributeSet) -> AttributeSet:
    """A usage mask that was left out allows nothing."""
    if Tag.CRYPTOGRAPHIC_USAGE_MASK in attributes:
        return attributes
    return attributes.with_value(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask(0))


# --- keys ---------------------------------------------------------------------------------------


def _key(managed_object: KeyObject, block: KeyBlock, attributes: AttributeSet) -> AttributeSet:
    attributes = _agreed(attributes, Tag.CRYPTOGRAPHIC_ALGORITHM, block.cryptographic_algorithm)
    attributes = _agreed(attributes, Tag.CRYPTOGRAPHIC_LENGTH, block.cryptographic_length)
    if block.key_value is None:
        return attributes.with_value(Tag.KEY_VALUE_PRESENT, False)
    if block.key_wrapping_data is not None:
        return attributes
    if isinstance(block.key_value, bytes):
        raise InvalidField("a Key Value that is a Byte String must come with Key Wrapping Data")
    material = block.key_value.key_material
    if isinstance(material, bytes) and block.key_format_type in TRANSPARENT:
        raise InvalidField(f"Key Material of {block.key_format_type.title} must be a Structure")
    if isinstance(managed_object, (PublicKey, PrivateKey)):
        return _asymmetric(managed_object, block, material, attributes)
    _require_no_compression(block)
    if isinstance(material, TransparentMaterial):
        numbers = transparent_numbers(block.key_format_type, material, LATEST)
        if not isinstance(numbers, TransparentSymmetricKey):
            raise InvalidField(f"a {OBJECT_TYPES[type(managed_object)].title} is not {block.key_format_type.title}")
        material = numbers.key
    if isinstance(managed_object, SymmetricKey):
        return _symmetric(block, material, attributes)
    return attributes


def _require_no_compression(block: KeyBlock) -> None:
    if block.key_compression_type not in (None, KeyCompressionType.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED):
        raise InvalidField("only public keys of elliptic curves have a Key Compression Type")


def _agreed(attributes: AttributeSet, tag: Tag, said: object) -> AttributeSet:
    """`attributes` with what the Key Block says. Raises InvalidAttributeValue where they contradict."""
    present = attributes.one(tag)
    if said is None:
        return attributes
    if present is not None and present != said:
        raise InvalidAttributeValue(f"{tag.title} differs between the Key Block and the attributes")
    return attributes.with_value(tag, said)


def _symmetric(block: KeyBlock, material: bytes, attributes: AttributeSet) -> AttributeSet:
    """The length of a key is that of its bytes; its algorithm only the client can say."""
    if block.key_format_type not in (KeyFormatType.RAW, KeyFormatType.TRANSPARENT_SYMMETRIC_KEY):
        return attributes
    if attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM) is None:
        raise InvalidAttributeValue("a Symmetric Key must have a Cryptographic Algorithm")
    bits = len(material) * 8
    length = attributes.one(Tag.CRYPTOGRAPHIC_LENGTH)
    if length is None:
        return attributes.with_value(Tag.CRYPTOGRAPHIC_LENGTH, bits)
    # 3DES keys carry a parity bit in each byte, which some clients count and others do not.
    if length not in (bits, bits * 7 // 8):
        raise InvalidAttributeValue("Cryptographic Length is not the length of the Key Material")
    return attributes


def _asymmetric(
    managed_object: PublicKey | PrivateKey,
    block: KeyBlock,
    material: bytes | TransparentMaterial,
    attributes: AttributeSet,
) -> AttributeSet:
    """Algorithm, length and domain parameters are read off the key, where its format says them."""
    private = isinstance(managed_object, PrivateKey)
    read = key_formats.described(managed_object, attributes)
    compression = block.key_compression_type
    if private:
        _require_no_compression(block)
    elif (
        compression is not None
        and read is not None
        and block.key_format_type != KeyFormatType.RAW
        and not conversion.is_compressed_so(material, block.key_format_type, compression)
    ):
        raise InvalidField("the public key is not written as its Key Compression Type says")
    if read is None:
        return attributes
    attributes = _agreed(attributes, Tag.CRYPTOGRAPHIC_ALGORITHM, _same_family(attributes, read.algorithm))
    attributes = _agreed(attributes, Tag.CRYPTOGRAPHIC_LENGTH, read.length)
    return _with_domain(attributes, read)


def _with_domain(attributes: AttributeSet, read: KeyDescription) -> AttributeSet:
    """The Cryptographic Domain Parameters with what the key says. Raises InvalidAttributeValue for another curve.

    Of the algorithms that imply their curve, as Ed25519, the client alone says it.
    """
    given: CryptographicDomainParameters | None = attributes.one(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)
    said = given or CryptographicDomainParameters()
    for one, other in ((said.recommended_curve, read.curve), (said.qlength, read.qlength)):
        if one is not None and other is not None and one != other:
            raise InvalidAttributeValue("Cryptographic Domain Parameters differ from those of the key")
    if given is None and read.algorithm in (CryptographicAlgorithm.ED25519, CryptographicAlgorithm.ED448):
        return attributes
    if read.curve is None and read.qlength is None:
        return attributes
    whole = CryptographicDomainParameters(
        qlength=read.qlength or said.qlength, recommended_curve=read.curve or said.recommended_curve
    )
    return attributes.with_value(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, whole)


def _same_family(attributes: AttributeSet, read: object) -> object:
    """EC, ECDSA and ECDH keys look the same: the client's word for its use stands."""
    said = attributes.one(Tag.CRYPTOGRAPHIC_ALGORITHM)
    return said if said in formats.EC_ALGORITHMS and read in formats.EC_ALGORITHMS else read


# --- certificates -------------------------------------------------------------------------------


def _certificate(certificate: Certificate, attributes: AttributeSet) -> AttributeSet:
    """Every certificate attribute of KMIP 1.4 §3.8-3.16, read off the certificate."""
    values: dict[Tag, object] = {
        Tag.CERTIFICATE_TYPE: certificate.certificate_type,
        Tag.CERTIFICATE_LENGTH: len(certificate.certificate_value),
    }
    if certificate.certificate_type == CertificateType.X_509:
        read = formats.describe_certificate(certificate.certificate_value)
        attributes = _agreed(attributes, Tag.CRYPTOGRAPHIC_ALGORITHM, _same_family(attributes, read.algorithm))
        attributes = _agreed(attributes, Tag.CRYPTOGRAPHIC_LENGTH, read.length)
        values |= {
            Tag.DIGITAL_SIGNATURE_ALGORITHM: read.digital_signature_algorithm,
            Tag.X_509_CERTIFICATE_IDENTIFIER: X509CertificateIdentifier(
                issuer_distinguished_name=read.issuer_der, certificate_serial_number=read.serial_number_der
            ),
            Tag.X_509_CERTIFICATE_SUBJECT: X509CertificateSubject(
                subject_distinguished_name=read.subject_der,
                subject_alternative_names=read.subject_alternative_names_der,
            ),
            Tag.X_509_CERTIFICATE_ISSUER: X509CertificateIssuer(
                issuer_distinguished_name=read.issuer_der,
                issuer_alternative_names=read.issuer_alternative_names_der,
            ),
            Tag.CERTIFICATE_IDENTIFIER: CertificateIdentifier(issuer=read.issuer, serial_number=read.serial_number),
            Tag.CERTIFICATE_SUBJECT: CertificateSubject(
                certificate_subject_distinguished_name=read.subject,
                certificate_subject_alternative_names=read.subject_alternative_names,
            ),
            Tag.CERTIFICATE_ISSUER: CertificateIssuer(
                certificate_issuer_distinguished_name=read.issuer,
                certificate_issuer_alternative_names=read.issuer_alternative_names,
            ),
        }
        for (party, part), texts in distinguished_names.parts(certificate.certificate_value).items():
            for text in texts:
                attributes = attributes.adding(Tag[f"CERTIFICATE_{party}_{part}"], text)
    return attributes.with_values(values)
