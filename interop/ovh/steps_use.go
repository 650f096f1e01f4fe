package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"
)

// --- the life of a key

func livesAndDies(p *player) {
	uid := p.Create().AES(256, cipherUse).MustExec().UniqueIdentifier
	p.Activate(uid).MustExec()
	check(p.state(uid) == kmip.StateActive, "state %s after Activate", ttlv.EnumStr(p.state(uid)))
	_, err := p.Activate(uid).Exec()
	refused(err)
	_, err = p.Destroy(uid).Exec()
	refused(err)
	p.Revoke(uid).WithRevocationReasonCode(kmip.RevocationReasonCodeCessationOfOperation).
		WithRevocationMessage("no longer used").MustExec()
	has := p.attributes(uid)
	check(has[kmip.AttributeNameState] == kmip.StateDeactivated, "state %v after Revoke", has[kmip.AttributeNameState])
	reason := has[kmip.AttributeNameRevocationReason].(kmip.RevocationReason)
	check(reason.RevocationReasonCode == kmip.RevocationReasonCodeCessationOfOperation &&
		reason.RevocationMessage == "no longer used", "reason %v", reason)
	p.Destroy(uid).MustExec()
	_, err = p.Get(uid).Exec()
	refused(err)
	_, err = p.Destroy(uid).Exec()
	refused(err)
}

func isCompromised(p *player) {
	uid := p.Create().AES(256, cipherUse).MustExec().UniqueIdentifier
	p.Revoke(uid).WithRevocationReasonCode(kmip.RevocationReasonCodeKeyCompromise).MustExec()
	has := p.attributes(uid)
	check(has[kmip.AttributeNameState] == kmip.StateCompromised, "state %v", has[kmip.AttributeNameState])
	_, dated := has[kmip.AttributeNameCompromiseDate]
	check(dated, "no compromise date")
	_, err := p.Activate(uid).Exec()
	refused(err)
}

func rekeys(p *player) {
	old := p.Create().AES(256, cipherUse).WithName(p.name("rekeyed")).MustExec().UniqueIdentifier
	p.Activate(old).MustExec()
	replacement := p.Rekey(old).MustExec().UniqueIdentifier
	check(replacement != old, "the same key again")
	check(!bytes.Equal(p.keyBytes(old), p.keyBytes(replacement)), "the same bytes again")
	found := p.Locate().WithName(p.name("rekeyed")).MustExec().UniqueIdentifier
	check(slices.Equal(found, []string{replacement}), "the name stands for %v", found)
	link := p.attributes(old)[kmip.AttributeNameLink].(kmip.Link)
	wanted := kmip.Link{LinkType: kmip.LinkTypeReplacementObjectLink, LinkedObjectIdentifier: replacement}
	check(link == wanted, "link %v", link)
	check(p.state(old) == kmip.StateActive, "the old key is %s", ttlv.EnumStr(p.state(old)))
}

func rekeysPair(p *player) {
	pair := p.CreateKeyPair().RSA(2048, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify).MustExec()
	fresh := p.RekeyKeyPair(pair.PrivateKeyUniqueIdentifier).MustExec()
	check(fresh.PrivateKeyUniqueIdentifier != pair.PrivateKeyUniqueIdentifier, "the same pair again")
	private := must(p.Get(fresh.PrivateKeyUniqueIdentifier).MustExec().RsaPrivateKey())
	public := must(p.Get(fresh.PublicKeyUniqueIdentifier).MustExec().RsaPublicKey())
	check(private.PublicKey.Equal(public), "the two keys are no pair")
	before := must(p.Get(pair.PublicKeyUniqueIdentifier).MustExec().RsaPublicKey())
	check(!before.Equal(public), "the same key again")
}

// --- what keys are used for

var gcm = kmip.CryptographicParameters{
	CryptographicAlgorithm: kmip.CryptographicAlgorithmAES, BlockCipherMode: kmip.BlockCipherModeGCM,
}

var cbc = kmip.CryptographicParameters{
	CryptographicAlgorithm: kmip.CryptographicAlgorithmAES, BlockCipherMode: kmip.BlockCipherModeCBC,
	PaddingMethod: kmip.PaddingMethodPKCS5,
}

func (p *player) activeAES(options ...kmip.Attribute) string {
	uid := p.Create().AES(256, cipherUse).WithAttributes(options...).MustExec().UniqueIdentifier
	p.Activate(uid).MustExec()
	return uid
}

// encryptsGCM compares with Go's GCM: before 1.4 the messages have no fields for the tag and the additional data.
func encryptsGCM(p *player) {
	uid, iv, plain := p.activeAES(), random(12), []byte("Hello World!")
	aead := must(cipher.NewGCM(must(aes.NewCipher(p.keyBytes(uid)))))
	encrypt := p.Encrypt(uid).WithCryptographicParameters(gcm).WithIvCounterNonce(iv)
	decrypt := p.Decrypt(uid).WithCryptographicParameters(gcm).WithIvCounterNonce(iv)
	var additional []byte
	if p.version.Minor() >= 4 {
		additional = []byte("in the clear")
		encrypt, decrypt = encrypt.WithAAD(additional), decrypt.WithAAD(additional)
	}
	made := encrypt.Data(plain).MustExec()
	sealed := append(slices.Clone(made.Data), made.AuthenticatedEncryptionTag...)
	check(bytes.Equal(sealed, aead.Seal(nil, iv, plain, additional)), "not what GCM makes of it")
	spoilt := slices.Clone(made.Data)
	spoilt[0] ^= 1
	if p.version.Minor() >= 4 {
		check(len(made.AuthenticatedEncryptionTag) == 16, "a tag of %d bytes", len(made.AuthenticatedEncryptionTag))
		decrypt = decrypt.WithAuthTag(made.AuthenticatedEncryptionTag)
	}
	check(bytes.Equal(decrypt.Data(made.Data).MustExec().Data, plain), "decrypted to something else")
	_, err := decrypt.Data(spoilt).Exec()
	refused(err)
}

func encryptsCBC(p *player) {
	uid, iv, plain := p.activeAES(), random(16), []byte("a text that is longer than a block")
	made := p.Encrypt(uid).WithCryptographicParameters(cbc).WithIvCounterNonce(iv).Data(plain).MustExec()
	padded := append(slices.Clone(plain), bytes.Repeat([]byte{14}, 14)...)
	wanted := make([]byte, len(padded))
	cipher.NewCBCEncrypter(must(aes.NewCipher(p.keyBytes(uid))), iv).CryptBlocks(wanted, padded)
	check(bytes.Equal(made.Data, wanted), "not what CBC makes of it")
	got := p.Decrypt(uid).WithCryptographicParameters(cbc).WithIvCounterNonce(iv).Data(made.Data).MustExec().Data
	check(bytes.Equal(got, plain), "decrypted to something else")
}

// encryptsByDefaults uses the parameters that the key was made with, and an IV of the server's.
func encryptsByDefaults(p *player) {
	yes := true
	parameters := gcm
	parameters.RandomIV = &yes
	uid := p.activeAES(kmip.Attribute{
		AttributeName: kmip.AttributeNameCryptographicParameters, AttributeValue: parameters,
	})
	made := p.Encrypt(uid).Data([]byte("Hello World!")).MustExec()
	check(len(made.IVCounterNonce) == 12, "an IV of %d bytes", len(made.IVCounterNonce))
	decrypt := p.Decrypt(uid).WithIvCounterNonce(made.IVCounterNonce)
	if p.version.Minor() >= 4 {
		decrypt = decrypt.WithAuthTag(made.AuthenticatedEncryptionTag)
	}
	check(string(decrypt.Data(made.Data).MustExec().Data) == "Hello World!", "decrypted to something else")
}

// encryptsByConstants uses the client's own kmip.AES_GCM and kmip.AES_CBC_PKCS5, whose IV Length is in bytes.
func encryptsByConstants(p *player) {
	for _, parameters := range []kmip.CryptographicParameters{kmip.AES_GCM, kmip.AES_CBC_PKCS5} {
		uid, iv := p.activeAES(), random(int(parameters.IVLength))
		made := p.Encrypt(uid).WithCryptographicParameters(parameters).WithIvCounterNonce(iv).
			Data([]byte("text")).MustExec()
		decrypt := p.Decrypt(uid).WithCryptographicParameters(parameters).WithIvCounterNonce(iv)
		if len(made.AuthenticatedEncryptionTag) > 0 {
			decrypt = decrypt.WithAuthTag(made.AuthenticatedEncryptionTag)
		}
		check(string(decrypt.Data(made.Data).MustExec().Data) == "text", "decrypted to something else")
	}
}

func encryptsRSA(p *player) {
	pair := p.CreateKeyPair().RSA(2048, kmip.CryptographicUsageDecrypt, kmip.CryptographicUsageEncrypt).MustExec()
	p.Activate(pair.PrivateKeyUniqueIdentifier).MustExec()
	p.Activate(pair.PublicKeyUniqueIdentifier).MustExec()
	private := must(p.Get(pair.PrivateKeyUniqueIdentifier).MustExec().RsaPrivateKey())
	oaep := kmip.CryptographicParameters{CryptographicAlgorithm: kmip.CryptographicAlgorithmRSA,
		PaddingMethod: kmip.PaddingMethodOAEP, HashingAlgorithm: kmip.HashingAlgorithmSHA_256}
	if p.version.Minor() >= 4 {
		oaep.MaskGenerator, oaep.MaskGeneratorHashingAlgorithm = kmip.MaskGeneratorMGF1, kmip.HashingAlgorithmSHA_256
	}
	made := p.Encrypt(pair.PublicKeyUniqueIdentifier).WithCryptographicParameters(oaep).Data([]byte("text")).MustExec()
	got := must(rsa.DecryptOAEP(sha256.New(), nil, private, made.Data, nil))
	check(string(got) == "text", "decrypted here to %q", got)
	got = p.Decrypt(pair.PrivateKeyUniqueIdentifier).WithCryptographicParameters(oaep).Data(made.Data).MustExec().Data
	check(string(got) == "text", "decrypted there to %q", got)
}

func signs(p *player) {
	data := []byte("foobarbaz")
	pair := p.activePair(p.CreateKeyPair().RSA(2048, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify))
	public := must(p.Get(pair.PublicKeyUniqueIdentifier).MustExec().RsaPublicKey())
	parameters := kmip.CryptographicParameters{
		DigitalSignatureAlgorithm: kmip.DigitalSignatureAlgorithmSHA_256WithRSAEncryption,
	}
	sign := func() []byte {
		ask := p.Sign(pair.PrivateKeyUniqueIdentifier).WithCryptographicParameters(parameters)
		return ask.Data(data).MustExec().SignatureData
	}
	signature := sign()
	check(rsa.VerifyPKCS1v15(public, crypto.SHA256, digest(data), signature) == nil, "no signature of the data")
	p.verifies(pair.PublicKeyUniqueIdentifier, parameters, data, signature)

	pair = p.activePair(p.CreateKeyPair().
		ECDSA(kmip.RecommendedCurveP_256, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify))
	point := must(p.Get(pair.PublicKeyUniqueIdentifier).MustExec().EcdsaPublicKey())
	parameters.DigitalSignatureAlgorithm = kmip.DigitalSignatureAlgorithmECDSAWithSHA256
	signature = sign()
	check(ecdsa.VerifyASN1(point, digest(data), signature), "no signature of the data: %x", signature)
	p.verifies(pair.PublicKeyUniqueIdentifier, parameters, data, signature)
}

func (p *player) verifies(uid string, parameters kmip.CryptographicParameters, data, signature []byte) {
	ask := p.SignatureVerify(uid).WithCryptographicParameters(parameters)
	said := ask.Data(data).Signature(signature).MustExec().ValidityIndicator
	check(said == kmip.ValidityIndicatorValid, "a good signature is %s", ttlv.EnumStr(said))
	said = ask.Data([]byte("other data")).Signature(signature).MustExec().ValidityIndicator
	check(said == kmip.ValidityIndicatorInvalid, "a bad signature is %s", ttlv.EnumStr(said))
}

func (p *player) activePair(request kmipclient.ExecCreateKeyPairAttr) *payloads.CreateKeyPairResponsePayload {
	pair := request.MustExec()
	p.Activate(pair.PrivateKeyUniqueIdentifier).MustExec()
	p.Activate(pair.PublicKeyUniqueIdentifier).MustExec()
	return pair
}

// isSigner lets Go's own certificate maker sign by keys that stay on the server. It hands over a digest, for which
// there is no field before 1.4.
func isSigner(p *player) {
	requests := []kmipclient.ExecCreateKeyPairAttr{
		p.CreateKeyPair().RSA(2048, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify),
		p.CreateKeyPair().ECDSA(kmip.RecommendedCurveP_384, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify),
	}
	algorithms := [][]x509.SignatureAlgorithm{
		{x509.SHA256WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS}, {x509.ECDSAWithSHA384},
	}
	for i, request := range requests {
		pair := p.activePair(request)
		signer := must(p.Signer(context.Background(), pair.PrivateKeyUniqueIdentifier, ""))
		for _, algorithm := range algorithms[i] {
			template := &x509.Certificate{
				SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a CA"}, SignatureAlgorithm: algorithm,
				NotBefore: time.Now(), NotAfter: time.Now().AddDate(1, 0, 0),
				IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
			}
			made := must(x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer))
			certificate := must(x509.ParseCertificate(made))
			err := certificate.CheckSignatureFrom(certificate)
			check(err == nil, "%s: %v", algorithm, err)
		}
	}
}

func hashes(p *player) {
	parameters := kmip.CryptographicParameters{HashingAlgorithm: kmip.HashingAlgorithmSHA_256}
	made := p.Hash().WithCryptographicParameters(parameters).Data([]byte("data")).MustExec().Data
	check(bytes.Equal(made, digest([]byte("data"))), "not the digest of the data")
}

// usesUp a key that may encrypt three objects.
func usesUp(p *player) {
	uid := p.Create().AES(256, cipherUse).WithUsageLimit(3, kmip.UsageLimitsUnitObject).MustExec().UniqueIdentifier
	p.Activate(uid).MustExec()
	encrypt := func() error {
		_, err := p.Encrypt(uid).WithCryptographicParameters(cbc).WithIvCounterNonce(random(16)).Data([]byte("x")).Exec()
		return err
	}
	for range 3 {
		check(encrypt() == nil, "an allowed use was refused")
	}
	refused(encrypt())
	limits := p.attributes(uid)[kmip.AttributeNameUsageLimits].(kmip.UsageLimits)
	check(*limits.UsageLimitsCount == 0, "%d uses left", *limits.UsageLimitsCount)
}

// refusesUses that a key's mask or state does not allow.
func refusesUses(p *player) {
	encrypt := func(uid string) error {
		_, err := p.Encrypt(uid).WithCryptographicParameters(cbc).WithIvCounterNonce(random(16)).Data([]byte("x")).Exec()
		return err
	}
	early := p.Create().AES(256, cipherUse).MustExec().UniqueIdentifier
	refused(encrypt(early))
	other := p.Create().AES(256, wrapUse).MustExec().UniqueIdentifier
	p.Activate(other).MustExec()
	refused(encrypt(other))
	p.Activate(early).MustExec()
	check(encrypt(early) == nil, "an active key does not encrypt")
	p.Revoke(early).WithRevocationReasonCode(kmip.RevocationReasonCodeKeyCompromise).MustExec()
	refused(encrypt(early))
}

// --- keys on the way

func wraps(p *player) {
	wrapping := p.Create().AES(256, wrapUse).MustExec().UniqueIdentifier
	p.Activate(wrapping).MustExec()
	specification := kmip.KeyWrappingSpecification{
		WrappingMethod: kmip.WrappingMethodEncrypt,
		EncryptionKeyInformation: &kmip.EncryptionKeyInformation{
			UniqueIdentifier:        wrapping,
			CryptographicParameters: &kmip.CryptographicParameters{BlockCipherMode: kmip.BlockCipherModeNISTKeyWrap},
		},
	}
	uid := p.Create().AES(256, cipherUse).MustExec().UniqueIdentifier
	got := p.Get(uid).WithKeyWrapping(specification).MustExec().Object.(*kmip.SymmetricKey)
	check(got.KeyBlock.KeyWrappingData != nil, "the key is not wrapped")
	block := got.KeyBlock
	again := p.Register().Object(&kmip.SymmetricKey{KeyBlock: block}).
		WithAttribute(kmip.AttributeNameCryptographicUsageMask, cipherUse).
		MustExec().UniqueIdentifier
	check(again != uid, "the same object")
	stored := p.Get(again).MustExec().Object.(*kmip.SymmetricKey)
	check(stored.KeyBlock.KeyWrappingData != nil, "the wrapped key came back unwrapped")
	check(bytes.Equal(*stored.KeyBlock.KeyValue.Wrapped, *block.KeyValue.Wrapped), "another wrapped key came back")
}

func exports(p *player) {
	uid := p.Create().AES(256, cipherUse).WithName(p.name("exported")).MustExec().UniqueIdentifier
	p.Activate(uid).MustExec()
	got := p.Export(uid).MustExec()
	key := must(got.Object.(*kmip.SymmetricKey).KeyMaterial())
	check(got.ObjectType == kmip.ObjectTypeSymmetricKey && bytes.Equal(key, p.keyBytes(uid)), "another key came back")
	named := slices.ContainsFunc(got.Attribute, func(each kmip.Attribute) bool {
		name, is := each.AttributeValue.(kmip.Name)
		return is && name.NameValue == p.name("exported")
	})
	check(named, "the name is not among the attributes")
}

// imports what Export gave, under an identifier of the client's choice. The client's own Import leaves the object
// out, so the payload is filled here.
func imports(p *player) {
	first := p.Create().AES(256, cipherUse).WithAttribute(kmip.AttributeNameContactInformation, "the vault").
		MustExec().UniqueIdentifier
	p.Activate(first).MustExec()
	got := p.Export(first).MustExec()
	chosen := fmt.Sprintf("ovh-%x", random(8))
	request := &payloads.ImportRequestPayload{UniqueIdentifier: chosen, Object: got.Object}
	for _, each := range got.Attribute {
		if each.AttributeName != kmip.AttributeNameUniqueIdentifier {
			request.Attribute = append(request.Attribute, each)
		}
	}
	answer := must(p.Request(context.Background(), request)).(*payloads.ImportResponsePayload)
	check(answer.UniqueIdentifier == chosen, "imported as %s", answer.UniqueIdentifier)
	check(bytes.Equal(p.keyBytes(chosen), p.keyBytes(first)), "another key came back")
	has := p.attributes(chosen)
	check(has[kmip.AttributeNameState] == kmip.StateActive, "state %v", has[kmip.AttributeNameState])
	check(has[kmip.AttributeNameContactInformation] == "the vault", "attributes %v", has)
	_, err := p.Request(context.Background(), request)
	refused(err)
	request.ReplaceExisting = true
	must(p.Request(context.Background(), request))
}

// --- several operations in one message, several connections

func batches(p *player) {
	done := p.Create().AES(256, cipherUse).
		Then(func(c *kmipclient.Client) kmipclient.PayloadBuilder { return c.Activate("") }).
		Then(func(c *kmipclient.Client) kmipclient.PayloadBuilder {
			return c.GetAttributes("", kmip.AttributeNameState)
		}).
		Then(func(c *kmipclient.Client) kmipclient.PayloadBuilder {
			return c.Revoke("").WithRevocationReasonCode(kmip.RevocationReasonCodeCessationOfOperation)
		}).
		Then(func(c *kmipclient.Client) kmipclient.PayloadBuilder { return c.Destroy("") }).
		MustExec().MustUnwrap()
	uid := done[0].(*payloads.CreateResponsePayload).UniqueIdentifier
	got := done[2].(*payloads.GetAttributesResponsePayload)
	check(got.UniqueIdentifier == uid && got.Attribute[0].AttributeValue == kmip.StateActive, "state %v", got)
	check(done[4].(*payloads.DestroyResponsePayload).UniqueIdentifier == uid, "another key was destroyed")
}

func encryptsByName(p *player) {
	uid, iv := p.activeAES(kmip.Attribute{AttributeName: kmip.AttributeNameName, AttributeValue: kmip.Name{
		NameValue: p.name("cipher"), NameType: kmip.NameTypeUninterpretedTextString}}), random(16)
	done := p.Locate().WithName(p.name("cipher")).
		Then(func(c *kmipclient.Client) kmipclient.PayloadBuilder {
			return c.Encrypt("").WithCryptographicParameters(cbc).WithIvCounterNonce(iv).Data([]byte("text"))
		}).
		MustExec(kmipclient.OnBatchErr(kmip.BatchErrorContinuationOptionStop)).MustUnwrap()
	made := done[1].(*payloads.EncryptResponsePayload)
	check(made.UniqueIdentifier == uid, "encrypted by another key")
	got := p.Decrypt(uid).WithCryptographicParameters(cbc).WithIvCounterNonce(iv).Data(made.Data).MustExec().Data
	check(string(got) == "text", "decrypted to %q", got)
}

func goesOnOrStops(p *player) {
	uid := p.Create().AES(256, cipherUse).MustExec().UniqueIdentifier
	batch := []kmip.OperationPayload{
		&payloads.GetAttributesRequestPayload{UniqueIdentifier: uid},
		&payloads.GetAttributesRequestPayload{UniqueIdentifier: "there is none"},
		&payloads.GetAttributesRequestPayload{UniqueIdentifier: uid},
	}
	goOn := kmipclient.OnBatchErr(kmip.BatchErrorContinuationOptionContinue)
	went := must(p.BatchOpt(context.Background(), batch, goOn))
	check(went[0].Err() == nil && went[2].Err() == nil, "a good item failed")
	refused(went[1].Err())
	// After an error that stops the batch there are fewer answers than requests, and the client says so.
	_, err := p.BatchOpt(context.Background(), batch, kmipclient.OnBatchErr(kmip.BatchErrorContinuationOptionStop))
	check(err != nil && err.Error() == "Batch count mismatch", "said %v", err)
}

func clones(p *player) {
	uid := p.Create().AES(256, cipherUse).MustExec().UniqueIdentifier
	wanted := p.keyBytes(uid)
	var group sync.WaitGroup
	failed := make(chan any, 8)
	for range 8 {
		group.Go(func() {
			defer func() {
				if caught := recover(); caught != nil {
					failed <- caught
				}
			}()
			client := must(p.Clone())
			defer client.Close()
			for range 5 {
				got := must(client.Get(uid).MustExec().SymmetricKey())
				check(bytes.Equal(got, wanted), "another key came back")
			}
		})
	}
	group.Wait()
	close(failed)
	for caught := range failed {
		panic(caught)
	}
}

// refusesUnknown operations, and those that the server does not offer, and goes on.
func refusesUnknown(p *player) {
	offered := p.Query().Operations().MustExec().Operations
	uid := p.Create().AES(256, cipherUse).MustExec().UniqueIdentifier
	asked := []kmip.OperationPayload{
		kmip.NewUnknownPayload(0x8000041, ttlv.Value{Tag: kmip.TagUniqueIdentifier, Value: uid}),
		must(p.Archive(uid).Build()), must(p.Recover(uid).Build()), must(p.ObtainLease(uid).Build()),
		must(p.GetUsageAllocation(uid, 1).Build()),
	}
	for _, each := range asked {
		if !slices.Contains(offered, each.Operation()) {
			_, err := p.Request(context.Background(), each)
			refused(err, "OperationNotSupported")
		}
	}
	check(len(p.keyBytes(uid)) == 32, "the connection is of no use afterwards")
}

func correlates(p *player) {
	client := p.dial(kmipclient.EnforceVersion(p.version),
		kmipclient.WithMiddlewares(kmipclient.CorrelationValueMiddleware(func() string { return "ovh-correlates" })))
	defer client.Close()
	message := kmip.NewRequestMessage(p.version, &payloads.QueryRequestPayload{
		QueryFunction: []kmip.QueryFunction{kmip.QueryFunctionOperations}})
	answer := must(client.RoundTrip(context.Background(), &message))
	value := answer.Header.ClientCorrelationValue
	check(value == "ovh-correlates", "came back as %q", value)
}
