package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"
	"sync"

	wrapping "github.com/openbao/go-kms-wrapping/v2"
	kmipseal "github.com/openbao/go-kms-wrapping/wrappers/kmip/v2"
	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
	"google.golang.org/protobuf/proto"
)

// A step is something that OpenBao or its operator does. Keys are made by the client that the seal is built on.
type step struct {
	name string
	play func(*player)
}

type player struct {
	*kmipclient.Client
	settings
}

var steps = []step{
	{"a root key sealed and unsealed by an AES key, in 1.4", sealsByAES},
	{"the sealed blob is AES-GCM by that key", isGCM},
	{"another seal, started anew, unseals it", unsealsAnew},
	{"sealed and unsealed by RSA-OAEP with SHA-256, SHA-384, SHA-512", sealsByRSA},
	{"a spoilt blob is refused", refusesSpoilt},
	{"eight seal and unseal at once", sealsAtOnce},
	{"keys that the seal must not take are refused when it starts", refusesKeys},
	{"a key that is not active neither seals nor unseals", needsActive},
	{"a revoked key seals no more, and still unseals", isRevoked},
	{"a compromised key seals no more", isCompromised},
	{"a destroyed key neither seals nor unseals", isDestroyed},
	{"after Re-key a new key seals, and what the old one sealed is unsealed", rotates},
	{"another client cannot use the key", isApart},
}

func performed(s settings, each step) (result outcome) {
	result = outcome{Version: "1.4", Name: each.name}
	defer func() {
		if caught := recover(); caught != nil {
			result.Passed, result.Detail = false, oneLine(caught)
		}
	}()
	client := must(s.dial(s.certificate, s.key))
	defer client.Close()
	each.play(&player{client, s})
	result.Passed = true
	return result
}

func probed(s settings) (said string) {
	defer func() {
		if caught := recover(); caught != nil {
			said = oneLine(caught)
		}
	}()
	// What the seal says of the server comes first; that there is no such key is what a good one answers.
	if _, _, err := s.seal("there is none"); !strings.Contains(err.Error(), "ItemNotFound") {
		return oneLine(err)
	}
	client := must(s.dial(s.certificate, s.key))
	defer client.Close()
	p := &player{client, s}
	uid := p.activeAES()
	wrapper, _ := p.mustSeal(uid)
	must(unsealed(wrapper, must(sealed(wrapper, []byte("root key")))))
	return "a root key, sealed and unsealed"
}

func (s settings) dial(certificate, key string) (*kmipclient.Client, error) {
	return kmipclient.Dial(s.address,
		kmipclient.WithRootCAFile(s.ca), kmipclient.WithClientCertFiles(certificate, key))
}

const cipherUse = kmip.CryptographicUsageEncrypt | kmip.CryptographicUsageDecrypt

func (p *player) activeAES() string {
	uid := p.Create().AES(256, cipherUse).MustExec().UniqueIdentifier
	p.Activate(uid).MustExec()
	return uid
}

func (p *player) mustSeal(uid string, options ...string) (*kmipseal.Wrapper, *wrapping.WrapperConfig) {
	wrapper, config, err := p.seal(uid, options...)
	check(err == nil, "%v", err)
	return wrapper, config
}

var root = []byte("a root key of OpenBao, 32 bytes!")

func sealsByAES(p *player) {
	uid := p.activeAES()
	wrapper, config := p.mustSeal(uid)
	check(config.Metadata["kmip_version"] == "1.4", "speaks %s", config.Metadata["kmip_version"])
	check(config.Metadata["kms_key_id"] == uid, "uses the key %s", config.Metadata["kms_key_id"])
	kept := must(sealed(wrapper, root))
	check(!bytes.Contains(kept, root), "the root key stands in the blob")
	check(bytes.Equal(must(unsealed(wrapper, kept)), root), "another root key came out")
}

func isGCM(p *player) {
	uid := p.activeAES()
	wrapper, _ := p.mustSeal(uid)
	blob := parsed(must(sealed(wrapper, root)))
	key := must(p.Get(uid).MustExec().SymmetricKey())
	aead := must(cipher.NewGCM(must(aes.NewCipher(key))))
	check(bytes.Equal(must(aead.Open(nil, blob.Iv, blob.Ciphertext, nil)), root), "another root key came out")
	check(blob.KeyInfo.KeyId == uid, "the blob names the key %s", blob.KeyInfo.KeyId)
}

func unsealsAnew(p *player) {
	uid := p.activeAES()
	one, _ := p.mustSeal(uid)
	kept := must(sealed(one, root))
	other, _ := p.mustSeal(uid)
	check(bytes.Equal(must(unsealed(other, kept)), root), "another root key came out")
}

func sealsByRSA(p *player) {
	digests := map[string]func() hash.Hash{
		"RSA_OAEP_SHA256": sha256.New, "RSA_OAEP_SHA384": sha512.New384, "RSA_OAEP_SHA512": sha512.New,
	}
	pair := p.CreateKeyPair().RSA(2048, kmip.CryptographicUsageDecrypt, kmip.CryptographicUsageEncrypt).MustExec()
	p.Activate(pair.PrivateKeyUniqueIdentifier).MustExec()
	p.Activate(pair.PublicKeyUniqueIdentifier).MustExec()
	private := must(p.Get(pair.PrivateKeyUniqueIdentifier).MustExec().RsaPrivateKey())
	for name, digest := range digests {
		wrapper, config := p.mustSeal(pair.PrivateKeyUniqueIdentifier, "encrypt_alg", name)
		public := config.Metadata["kms_public_key_id"]
		check(public == pair.PublicKeyUniqueIdentifier, "%s: the public key found is %s", name, public)
		kept := must(sealed(wrapper, root))
		opened := must(rsa.DecryptOAEP(digest(), nil, private, parsed(kept).Ciphertext, nil))
		check(bytes.Equal(opened, root), "%s: another root key came out here", name)
		check(bytes.Equal(must(unsealed(wrapper, kept)), root), "%s: another root key came out", name)
	}
}

func refusesSpoilt(p *player) {
	wrapper, _ := p.mustSeal(p.activeAES())
	for _, spoil := range []func(*wrapping.BlobInfo){
		func(blob *wrapping.BlobInfo) { blob.Ciphertext[0] ^= 1 },
		func(blob *wrapping.BlobInfo) { blob.Ciphertext[len(blob.Ciphertext)-1] ^= 1 },
		func(blob *wrapping.BlobInfo) { blob.Iv[0] ^= 1 },
	} {
		blob := parsed(must(sealed(wrapper, root)))
		spoil(blob)
		_, err := unsealed(wrapper, must(proto.Marshal(blob)))
		refused(err)
	}
}

func sealsAtOnce(p *player) {
	wrapper, _ := p.mustSeal(p.activeAES())
	var group sync.WaitGroup
	failed := make(chan any, 8)
	for each := range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			defer func() {
				if caught := recover(); caught != nil {
					failed <- caught
				}
			}()
			own := fmt.Appendf(nil, "root key %d", each)
			check(bytes.Equal(must(unsealed(wrapper, must(sealed(wrapper, own)))), own), "another root key came out")
		}()
	}
	group.Wait()
	close(failed)
	for caught := range failed {
		panic(caught)
	}
}

func refusesKeys(p *player) {
	starts := func(wanted, uid string, options ...string) {
		_, _, err := p.seal(uid, options...)
		check(err != nil, "the seal starts with a key that it cannot use")
		check(strings.Contains(err.Error(), wanted), "says %v", err)
	}
	pair := p.CreateKeyPair().RSA(2048, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify).MustExec()
	onlyOne := p.Create().AES(256, kmip.CryptographicUsageEncrypt).MustExec().UniqueIdentifier
	starts("failed to get key attributes", "there is none")
	starts("does not allow decrypt", onlyOne)
	starts("unexpected object type", pair.PrivateKeyUniqueIdentifier)
	starts("does not allow decrypt", pair.PrivateKeyUniqueIdentifier, "encrypt_alg", "RSA_OAEP_SHA256")
}

func needsActive(p *player) {
	uid := p.Create().AES(256, cipherUse).MustExec().UniqueIdentifier
	wrapper, _ := p.mustSeal(uid)
	_, err := sealed(wrapper, root)
	refused(err)
	p.Activate(uid).MustExec()
	must(sealed(wrapper, root))
}

func isRevoked(p *player) {
	uid := p.activeAES()
	wrapper, _ := p.mustSeal(uid)
	kept := must(sealed(wrapper, root))
	p.Revoke(uid).WithRevocationReasonCode(kmip.RevocationReasonCodeSuperseded).MustExec()
	_, err := sealed(wrapper, root)
	refused(err)
	check(bytes.Equal(must(unsealed(wrapper, kept)), root), "another root key came out")
}

func isCompromised(p *player) {
	uid := p.activeAES()
	wrapper, _ := p.mustSeal(uid)
	must(sealed(wrapper, root))
	p.Revoke(uid).WithRevocationReasonCode(kmip.RevocationReasonCodeKeyCompromise).MustExec()
	_, err := sealed(wrapper, root)
	refused(err)
}

func isDestroyed(p *player) {
	uid := p.activeAES()
	wrapper, _ := p.mustSeal(uid)
	kept := must(sealed(wrapper, root))
	p.Revoke(uid).WithRevocationReasonCode(kmip.RevocationReasonCodeCessationOfOperation).MustExec()
	p.Destroy(uid).MustExec()
	_, err := sealed(wrapper, root)
	refused(err)
	_, err = unsealed(wrapper, kept)
	refused(err)
}

func rotates(p *player) {
	uid := p.activeAES()
	wrapper, _ := p.mustSeal(uid)
	before := must(sealed(wrapper, root))
	fresh := p.Rekey(uid).MustExec().UniqueIdentifier
	if p.GetAttributes(fresh, kmip.AttributeNameState).MustExec().Attribute[0].AttributeValue != kmip.StateActive {
		p.Activate(fresh).MustExec()
	}
	wrapper, _ = p.mustSeal(fresh)
	after := must(sealed(wrapper, root))
	check(parsed(after).KeyInfo.KeyId == fresh, "sealed by %s", parsed(after).KeyInfo.KeyId)
	check(bytes.Equal(must(unsealed(wrapper, before)), root), "another root key came out")
	check(bytes.Equal(must(unsealed(wrapper, after)), root), "another root key came out")
}

func isApart(p *player) {
	uid := p.activeAES()
	_, _, err := p.seal(uid, "client_cert", p.otherCertificate, "client_key", p.otherKey)
	refused(err)
}

func parsed(kept []byte) *wrapping.BlobInfo {
	var blob wrapping.BlobInfo
	err := proto.Unmarshal(kept, &blob)
	check(err == nil, "%v", err)
	return &blob
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func check(holds bool, otherwise string, values ...any) {
	if !holds {
		panic(fmt.Sprintf(otherwise, values...))
	}
}

// refused checks that the server said no.
func refused(err error) {
	check(err != nil, "was not refused")
	check(strings.Contains(err.Error(), "OperationFailed"), "not a refusal: %v", err)
}
