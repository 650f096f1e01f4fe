package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
	"github.com/ovh/kmip-go/ttlv"
)

const (
	cipherUse = kmip.CryptographicUsageEncrypt | kmip.CryptographicUsageDecrypt
	wrapUse   = kmip.CryptographicUsageWrapKey | kmip.CryptographicUsageUnwrapKey
)

// --- versions and what the server offers

func negotiates(p *player) {
	client := p.dial(kmipclient.WithKmipVersions(p.version))
	defer client.Close()
	check(client.Version() == p.version, "negotiated %s", client.Version())
}

func prefersTheNewest(p *player) {
	client := p.dial()
	defer client.Close()
	check(client.Version() == kmip.V1_4, "negotiated %s", client.Version())
}

func queries(p *player) {
	told := p.Query().All().MustExec()
	operations := []kmip.Operation{
		kmip.OperationCreate, kmip.OperationRegister, kmip.OperationGet, kmip.OperationLocate,
	}
	types := []kmip.ObjectType{kmip.ObjectTypeSymmetricKey, kmip.ObjectTypePrivateKey, kmip.ObjectTypeSecretData}
	for _, each := range operations {
		check(slices.Contains(told.Operations, each), "%s is not among the operations", ttlv.EnumStr(each))
	}
	for _, each := range types {
		check(slices.Contains(told.ObjectType, each), "%s is not among the object types", ttlv.EnumStr(each))
	}
	check(told.VendorIdentification != "", "no vendor identification")
}

// --- keys that the server makes

func createsAES(p *player) {
	uid := p.Create().AES(256, cipherUse).WithName(p.name("aes")).MustExec().UniqueIdentifier
	check(len(p.keyBytes(uid)) == 32, "a key of %d bytes", len(p.keyBytes(uid)))
	has := p.attributes(uid)
	check(has[kmip.AttributeNameCryptographicAlgorithm] == kmip.CryptographicAlgorithmAES, "algorithm %v", has)
	check(has[kmip.AttributeNameCryptographicLength] == int32(256), "length %v", has)
	check(has[kmip.AttributeNameCryptographicUsageMask] == cipherUse, "mask %v", has)
	check(has[kmip.AttributeNameState] == kmip.StatePreActive, "state %v", has)
	check(has[kmip.AttributeNameName].(kmip.Name).NameValue == p.name("aes"), "name %v", has)
}

func createsRSA(p *player) {
	pair := p.CreateKeyPair().RSA(2048, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify).
		PrivateKey().WithName(p.name("rsa private")).
		PublicKey().WithName(p.name("rsa public")).
		MustExec()
	private := must(p.Get(pair.PrivateKeyUniqueIdentifier).MustExec().RsaPrivateKey())
	public := must(p.Get(pair.PublicKeyUniqueIdentifier).MustExec().RsaPublicKey())
	check(private.PublicKey.Equal(public) && public.N.BitLen() == 2048, "the two keys are no pair")
	p.areLinked(pair.PrivateKeyUniqueIdentifier, pair.PublicKeyUniqueIdentifier)
}

func createsECDSA(p *player) {
	pair := p.CreateKeyPair().
		ECDSA(kmip.RecommendedCurveP_256, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify).
		MustExec()
	private := must(p.Get(pair.PrivateKeyUniqueIdentifier).MustExec().EcdsaPrivateKey())
	public := must(p.Get(pair.PublicKeyUniqueIdentifier).MustExec().EcdsaPublicKey())
	check(private.PublicKey.Equal(public) && public.Curve == elliptic.P256(), "the two keys are no pair")
	p.areLinked(pair.PrivateKeyUniqueIdentifier, pair.PublicKeyUniqueIdentifier)
}

func (p *player) areLinked(private, public string) {
	to := p.attributes(private)[kmip.AttributeNameLink].(kmip.Link)
	from := p.attributes(public)[kmip.AttributeNameLink].(kmip.Link)
	check(to == kmip.Link{LinkType: kmip.LinkTypePublicKeyLink, LinkedObjectIdentifier: public}, "link %v", to)
	check(from == kmip.Link{LinkType: kmip.LinkTypePrivateKeyLink, LinkedObjectIdentifier: private}, "link %v", from)
}

// --- objects that the client brings

func registersSymmetric(p *player) {
	for _, format := range []kmipclient.KeyFormat{kmipclient.RAW, kmipclient.Transparent} {
		key := random(24)
		uid := p.Register().WithKeyFormat(format).
			SymmetricKey(kmip.CryptographicAlgorithmAES, cipherUse, key).MustExec().UniqueIdentifier
		check(bytes.Equal(p.keyBytes(uid), key), "another key came back")
		got := p.Get(uid).WithKeyFormat(kmip.KeyFormatTypeTransparentSymmetricKey).MustExec()
		again := must(got.Object.(*kmip.SymmetricKey).KeyMaterial())
		check(bytes.Equal(again, key), "another key came back in transparent form")
	}
}

func registersSecret(p *player) {
	uid := p.Register().SecretString(kmip.SecretDataTypePassword, "Grüße, 世界").WithName(p.name("secret")).
		MustExec().UniqueIdentifier
	secret := must(p.Get(uid).MustExec().Object.(*kmip.SecretData).Data())
	check(string(secret) == "Grüße, 世界", "came back as %q", secret)
}

func registersRSA(p *player) {
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	for _, format := range []kmipclient.KeyFormat{kmipclient.PKCS1, kmipclient.PKCS8, kmipclient.Transparent} {
		uid := p.Register().WithKeyFormat(format).RsaPrivateKey(key, kmip.CryptographicUsageSign).
			MustExec().UniqueIdentifier
		got := must(p.Get(uid).MustExec().RsaPrivateKey())
		check(got.Equal(key), "another private key came back from format %d", format)
	}
	for _, format := range []kmipclient.KeyFormat{kmipclient.PKCS1, kmipclient.X509, kmipclient.Transparent} {
		uid := p.Register().WithKeyFormat(format).RsaPublicKey(&key.PublicKey, kmip.CryptographicUsageVerify).
			MustExec().UniqueIdentifier
		got := must(p.Get(uid).MustExec().RsaPublicKey())
		check(got.Equal(&key.PublicKey), "another public key came back from format %d", format)
	}
}

func registersECDSA(p *player) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key := must(ecdsa.GenerateKey(curve, rand.Reader))
		for _, format := range []kmipclient.KeyFormat{kmipclient.SEC1, kmipclient.PKCS8, kmipclient.Transparent} {
			uid := p.Register().WithKeyFormat(format).EcdsaPrivateKey(key, kmip.CryptographicUsageSign).
				MustExec().UniqueIdentifier
			got := must(p.Get(uid).MustExec().EcdsaPrivateKey())
			check(got.Equal(key), "another private key came back from format %d", format)
		}
		for _, format := range []kmipclient.KeyFormat{kmipclient.X509, kmipclient.Transparent} {
			uid := p.Register().WithKeyFormat(format).EcdsaPublicKey(&key.PublicKey, kmip.CryptographicUsageVerify).
				MustExec().UniqueIdentifier
			got := must(p.Get(uid).MustExec().EcdsaPublicKey())
			check(got.Equal(&key.PublicKey), "another public key came back from format %d", format)
		}
	}
}

func registersCertificate(p *player) {
	certificate := p.selfSigned()
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	uid := p.Register().PemCertificate(block).WithName(p.name("certificate")).MustExec().UniqueIdentifier
	got := must(p.Get(uid).MustExec().Object.(*kmip.Certificate).X509Certificate())
	check(got.Equal(certificate), "another certificate came back")
	if p.version.Minor() >= 1 {
		subject := p.attributes(uid)[kmip.AttributeNameX509CertificateSubject].(kmip.X_509CertificateSubject)
		check(bytes.Equal(subject.SubjectDistinguishedName, certificate.RawSubject), "subject %x", subject)
	}
}

func (p *player) selfSigned() *x509.Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: p.name("subject"), Country: []string{"FR"}},
		DNSNames:     []string{"name.example"},
		NotBefore:    time.Now(),
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
	made := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return must(x509.ParseCertificate(made))
}

func registersOpaque(p *player) {
	value := random(40)
	uid := p.Register().Object(&kmip.OpaqueObject{OpaqueDataType: 0x80000001, OpaqueDataValue: value}).
		WithName(p.name("opaque")).MustExec().UniqueIdentifier
	got := p.Get(uid).MustExec().Object.(*kmip.OpaqueObject)
	check(bytes.Equal(got.OpaqueDataValue, value) && got.OpaqueDataType == 0x80000001, "came back as %v", got)
}

func registersSplitKey(p *player) {
	part := random(16)
	uid := p.Register().Object(&kmip.SplitKey{
		SplitKeyParts: 2, KeyPartIdentifier: 1, SplitKeyThreshold: 2, SplitKeyMethod: kmip.SplitKeyMethodXOR,
		KeyBlock: kmip.KeyBlock{
			KeyFormatType:          kmip.KeyFormatTypeRaw,
			CryptographicAlgorithm: kmip.CryptographicAlgorithmAES,
			CryptographicLength:    128,
			KeyValue:               &kmip.KeyValue{Plain: &kmip.PlainKeyValue{KeyMaterial: kmip.KeyMaterial{Bytes: &part}}},
		},
	}).WithAttribute(kmip.AttributeNameCryptographicUsageMask, cipherUse).MustExec().UniqueIdentifier
	got := p.Get(uid).MustExec().Object.(*kmip.SplitKey)
	check(got.KeyPartIdentifier == 1 && got.SplitKeyMethod == kmip.SplitKeyMethodXOR, "came back as %v", got)
	check(bytes.Equal(*got.KeyBlock.KeyValue.Plain.KeyMaterial.Bytes, part), "another part came back")
}

func registersPGP(p *player) {
	value := random(64)
	uid := p.Register().Object(&kmip.PGPKey{
		PGPKeyVersion: 4,
		KeyBlock: kmip.KeyBlock{
			KeyFormatType: kmip.KeyFormatTypeRaw, CryptographicAlgorithm: kmip.CryptographicAlgorithmRSA,
			CryptographicLength: 2048,
			KeyValue:            &kmip.KeyValue{Plain: &kmip.PlainKeyValue{KeyMaterial: kmip.KeyMaterial{Bytes: &value}}},
		},
	}).WithAttribute(kmip.AttributeNameCryptographicUsageMask, kmip.CryptographicUsageSign).MustExec().UniqueIdentifier
	got := p.Get(uid).MustExec().Object.(*kmip.PGPKey)
	check(got.PGPKeyVersion == 4, "version %d", got.PGPKeyVersion)
	check(bytes.Equal(*got.KeyBlock.KeyValue.Plain.KeyMaterial.Bytes, value), "another key came back")
}

func usesTemplate(p *player) {
	tomorrow := time.Now().AddDate(0, 0, 1).Truncate(time.Second)
	p.Register().Object(&kmip.Template{Attribute: []kmip.Attribute{
		{AttributeName: kmip.AttributeNameActivationDate, AttributeValue: tomorrow},
	}}).WithName(p.name("template")).MustExec()
	uid := p.Create().AES(128, cipherUse).WithTemplate(p.name("template"), kmip.NameTypeUninterpretedTextString).
		MustExec().UniqueIdentifier
	date := p.attributes(uid)[kmip.AttributeNameActivationDate].(time.Time)
	check(date.Equal(tomorrow), "activation date %v", date)
}

// --- finding, and what is known of an object

func locates(p *player) {
	one := p.Create().AES(256, cipherUse).WithName(p.name("locate one")).MustExec().UniqueIdentifier
	two := p.Create().AES(128, cipherUse).WithName(p.name("locate two")).MustExec().UniqueIdentifier
	is := func(request kmipclient.ExecLocate, wanted ...string) {
		found := request.MustExec().UniqueIdentifier
		check(slices.Equal(found, wanted), "found %v, wanted %v", found, wanted)
	}
	is(p.Locate().WithName(p.name("locate one")), one)
	is(p.Locate().WithName(p.name("locate two")).WithObjectType(kmip.ObjectTypeSymmetricKey), two)
	is(p.Locate().WithName(p.name("locate two")).WithObjectType(kmip.ObjectTypeCertificate))
	is(p.Locate().WithName(p.name("locate two")).WithAttribute(kmip.AttributeNameCryptographicLength, int32(256)))
	is(p.Locate().WithName("nobody's"))
	few := p.Locate().WithObjectType(kmip.ObjectTypeSymmetricKey).WithMaxItems(2).MustExec()
	check(len(few.UniqueIdentifier) == 2, "%d of two at most", len(few.UniqueIdentifier))
}

func locatesByDate(p *player) {
	key := func(minutes int) (string, time.Time) {
		date := time.Now().Add(time.Duration(minutes) * time.Minute)
		return p.Create().AES(256, cipherUse).WithAttribute(kmip.AttributeNameProcessStartDate, date).
			MustExec().UniqueIdentifier, date
	}
	first, from := key(10)
	second, to := key(100)
	third, _ := key(1000)
	found := p.Locate().WithAttribute(kmip.AttributeNameProcessStartDate, from).
		WithAttribute(kmip.AttributeNameProcessStartDate, to).MustExec().UniqueIdentifier
	check(slices.Contains(found, first) && slices.Contains(found, second), "found %v", found)
	check(!slices.Contains(found, third), "found what is beyond the range")
}

func changesAttributes(p *player) {
	uid := p.Create().AES(256, cipherUse).WithAttribute("x-Purpose", "tape").MustExec().UniqueIdentifier
	p.AddAttribute(uid, kmip.AttributeNameContactInformation, "the vault").MustExec()
	check(p.attributes(uid)[kmip.AttributeNameContactInformation] == "the vault", "was not added")
	changed := p.ModifyAttribute(uid, kmip.AttributeNameContactInformation, "the other vault").MustExec()
	check(changed.Attribute.AttributeValue == "the other vault", "answered %v", changed.Attribute)
	check(p.attributes(uid)[kmip.AttributeNameContactInformation] == "the other vault", "was not changed")
	p.DeleteAttribute(uid, kmip.AttributeNameContactInformation).MustExec()
	names := p.GetAttributeList(uid).MustExec().AttributeName
	check(!slices.Contains(names, kmip.AttributeNameContactInformation), "is still listed")
	check(slices.Contains(names, "x-Purpose"), "the custom attribute is not listed: %v", names)
	custom := p.attributes(uid)["x-Purpose"].(ttlv.Value)
	check(custom.Value == "tape", "the custom attribute is %v", custom)
	_, err := p.ModifyAttribute(uid, kmip.AttributeNameState, kmip.StateActive).Exec()
	refused(err)
}

func keepsUsageLimits(p *player) {
	uid := p.Create().AES(256, cipherUse).WithUsageLimit(10, kmip.UsageLimitsUnitObject).MustExec().UniqueIdentifier
	limits := p.attributes(uid)[kmip.AttributeNameUsageLimits].(kmip.UsageLimits)
	count := int64(10)
	check(limits.Equals(&kmip.UsageLimits{UsageLimitsTotal: 10, UsageLimitsCount: &count,
		UsageLimitsUnit: kmip.UsageLimitsUnitObject}), "limits %v", limits)
}

func hidesSensitive(p *player) {
	for _, name := range []kmip.AttributeName{kmip.AttributeNameSensitive, kmip.AttributeNameExtractable} {
		secret := name == kmip.AttributeNameSensitive
		uid := p.Create().AES(256, cipherUse).WithAttribute(name, secret).MustExec().UniqueIdentifier
		check(p.attributes(uid)[name] == secret, "%s is %v", name, p.attributes(uid)[name])
		_, err := p.Get(uid).Exec()
		refused(err)
	}
}

func isApart(p *player) {
	uid := p.Create().AES(256, cipherUse).WithName(p.name("apart")).MustExec().UniqueIdentifier
	other := must(kmipclient.Dial(p.address, kmipclient.WithRootCAFile(p.ca),
		kmipclient.WithClientCertFiles(p.otherCertificate, p.otherKey), kmipclient.EnforceVersion(p.version)))
	defer other.Close()
	_, err := other.Get(uid).Exec()
	refused(err)
	_, err = other.Destroy(uid).Exec()
	refused(err)
	found := other.Locate().WithName(p.name("apart")).MustExec().UniqueIdentifier
	check(!slices.Contains(found, uid), "another client locates the key")
}

// --- helpers

func random(count int) []byte {
	made := make([]byte, count)
	_ = must(rand.Read(made))
	return made
}

func (p *player) keyBytes(uid string) []byte {
	return must(p.Get(uid).MustExec().SymmetricKey())
}

// attributes of an object by name; of several instances, the first.
func (p *player) attributes(uid string) map[kmip.AttributeName]any {
	found := map[kmip.AttributeName]any{}
	for _, each := range p.GetAttributes(uid).MustExec().Attribute {
		if _, there := found[each.AttributeName]; !there {
			found[each.AttributeName] = each.AttributeValue
		}
	}
	return found
}

func (p *player) state(uid string) kmip.State {
	return p.attributes(uid)[kmip.AttributeNameState].(kmip.State)
}

func digest(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}
