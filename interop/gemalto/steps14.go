//go:build !version20

package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"sync"

	"github.com/gemalto/kmip-go"
	"github.com/gemalto/kmip-go/kmip14"
)

var steps = []step{
	{"1.4", "Discover Versions on a new connection is answered with one version", discovers},
	{"1.4", "Rook: a passphrase of 128 bytes as an AES key, fetched, deleted while Pre-Active", rookKeepsPassphrase},
	{"1.4", "Rook: passphrases of 16 to 256 bytes; each its own", rookKeepsMany},
	{"1.4", "Rook: what is deleted cannot be fetched or deleted", rookDeletes},
	{"1.4", "Rook: another cluster's identity reaches nothing", rookIsApart},
	{"1.4", "ceph-csi: a volume's key encrypted and decrypted by AES-CBC, as Go makes it", csiEncrypts},
	{"1.4", "ceph-csi: another initialisation vector or spoilt data gives no key", csiRefusesSpoilt},
	{"1.4", "ceph-csi without crypto operations: the key fetched, AES-GCM done here", csiFetches},
	{"1.4", "ceph-csi: eight volumes at once", csiAtOnce},
	{"1.4", "ceph-csi: a key that is not active, revoked or gone encrypts nothing", csiNeedsActive},
}

func discovers(s settings) {
	s.connect(v14).Close()
}

// --- Rook: the passphrase of an encrypted disk stands in an AES key that is never used as one

func (s settings) rookRegister(passphrase []byte) string {
	payload := kmip.RegisterRequestPayload{
		ObjectType: kmip14.ObjectTypeSymmetricKey,
		SymmetricKey: &kmip.SymmetricKey{KeyBlock: kmip.KeyBlock{
			KeyFormatType:          kmip14.KeyFormatTypeRaw,
			KeyValue:               &kmip.KeyValue{KeyMaterial: passphrase},
			CryptographicAlgorithm: kmip14.CryptographicAlgorithmAES,
			CryptographicLength:    8 * len(passphrase),
		}},
	}
	payload.TemplateAttribute.Append(kmip14.TagCryptographicUsageMask, kmip14.CryptographicUsageMaskExport)
	var answer kmip.RegisterResponsePayload
	err := s.once(kmip14.OperationRegister, payload, &answer)
	check(err == nil, "%v", err)
	return answer.UniqueIdentifier
}

func (s settings) get(uid string) ([]byte, error) {
	var answer kmip.GetResponsePayload
	err := s.once(kmip14.OperationGet, kmip.GetRequestPayload{UniqueIdentifier: uid}, &answer)
	if err != nil {
		return nil, err
	}
	check(answer.ObjectType == kmip14.ObjectTypeSymmetricKey, "a %s came back", answer.ObjectType)
	return answer.SymmetricKey.KeyBlock.KeyValue.KeyMaterial.([]byte), nil
}

func (s settings) destroy(uid string) error {
	var answer kmip.DestroyResponsePayload
	err := s.once(kmip14.OperationDestroy, kmip.DestroyRequestPayload{UniqueIdentifier: uid}, &answer)
	check(err != nil || answer.UniqueIdentifier == uid, "destroyed %s", answer.UniqueIdentifier)
	return err
}

func rookKeepsPassphrase(s settings) {
	passphrase := random(128)
	uid := s.rookRegister(passphrase)
	check(bytes.Equal(must(s.get(uid)), passphrase), "another passphrase came back")
	err := s.destroy(uid)
	check(err == nil, "%v", err)
}

func rookKeepsMany(s settings) {
	kept := map[string][]byte{}
	for _, length := range []int{16, 24, 32, 64, 128, 256} {
		passphrase := random(length)
		kept[s.rookRegister(passphrase)] = passphrase
	}
	check(len(kept) == 6, "%d identifiers", len(kept))
	for uid, passphrase := range kept {
		check(bytes.Equal(must(s.get(uid)), passphrase), "another passphrase came back")
		err := s.destroy(uid)
		check(err == nil, "%v", err)
	}
}

func rookDeletes(s settings) {
	uid := s.rookRegister(random(128))
	err := s.destroy(uid)
	check(err == nil, "%v", err)
	_, err = s.get(uid)
	refused(err)
	refused(s.destroy(uid))
	_, err = s.get("there is none")
	refused(err)
}

func rookIsApart(s settings) {
	uid := s.rookRegister(random(128))
	_, err := s.other().get(uid)
	refused(err)
	refused(s.other().destroy(uid))
	_ = must(s.get(uid))
}

// --- ceph-csi: the key of a volume is encrypted by a key that an operator made

// The module has no structures for these two operations; ceph-csi declares its own, with these fields in order.
type cipherRequest struct {
	UniqueIdentifier        string
	CryptographicParameters kmip.CryptographicParameters
	Data                    []byte
	IVCounterNonce          []byte
}

type cipherAnswer struct {
	UniqueIdentifier string
	Data             []byte
	IVCounterNonce   []byte
}

func (s settings) create() string {
	payload := kmip.CreateRequestPayload{ObjectType: kmip14.ObjectTypeSymmetricKey}
	payload.TemplateAttribute.Append(kmip14.TagCryptographicAlgorithm, kmip14.CryptographicAlgorithmAES)
	payload.TemplateAttribute.Append(kmip14.TagCryptographicLength, 256)
	payload.TemplateAttribute.Append(kmip14.TagCryptographicUsageMask,
		kmip14.CryptographicUsageMaskEncrypt|kmip14.CryptographicUsageMaskDecrypt)
	var answer kmip.CreateResponsePayload
	err := s.once(kmip14.OperationCreate, payload, &answer)
	check(err == nil, "%v", err)
	return answer.UniqueIdentifier
}

type identified struct{ UniqueIdentifier string }

func (s settings) active() string {
	uid := s.create()
	err := s.once(kmip14.OperationActivate, identified{uid}, nil)
	check(err == nil, "%v", err)
	return uid
}

func (s settings) cipher(operation kmip14.Operation, uid string, iv, data []byte) ([]byte, error) {
	var answer cipherAnswer
	err := s.once(operation, cipherRequest{
		UniqueIdentifier: uid,
		CryptographicParameters: kmip.CryptographicParameters{
			PaddingMethod:          kmip14.PaddingMethodPKCS5,
			CryptographicAlgorithm: kmip14.CryptographicAlgorithmAES,
			BlockCipherMode:        kmip14.BlockCipherModeCBC,
		},
		Data:           data,
		IVCounterNonce: iv,
	}, &answer)
	check(err != nil || answer.UniqueIdentifier == uid, "done by the key %s", answer.UniqueIdentifier)
	return answer.Data, err
}

func csiEncrypts(s settings) {
	uid, iv, key := s.active(), random(16), []byte("the passphrase of a volume, in text")
	made := must(s.cipher(kmip14.OperationEncrypt, uid, iv, key))
	wanted := append(bytes.Clone(key), bytes.Repeat([]byte{13}, 13)...)
	cipher.NewCBCEncrypter(must(aes.NewCipher(must(s.get(uid)))), iv).CryptBlocks(wanted, wanted)
	check(bytes.Equal(made, wanted), "not what CBC makes of it")
	check(bytes.Equal(must(s.cipher(kmip14.OperationDecrypt, uid, iv, made)), key), "decrypted to something else")
}

func csiRefusesSpoilt(s settings) {
	uid, iv, key := s.active(), random(16), random(64)
	made := must(s.cipher(kmip14.OperationEncrypt, uid, iv, key))
	got, err := s.cipher(kmip14.OperationDecrypt, uid, random(16), made)
	check(err != nil || !bytes.Equal(got, key), "decrypted without its initialisation vector")
	_, err = s.cipher(kmip14.OperationDecrypt, uid, iv, made[:len(made)-1])
	refused(err)
}

func csiFetches(s settings) {
	uid := s.create()
	key := must(s.get(uid))
	check(len(key) == 32, "a key of %d bytes", len(key))
	sealed := must(cipher.NewGCM(must(aes.NewCipher(key)))).Seal(nil, make([]byte, 12), []byte("a volume's key"), nil)
	again := must(cipher.NewGCM(must(aes.NewCipher(must(s.get(uid))))))
	check(string(must(again.Open(nil, make([]byte, 12), sealed, nil))) == "a volume's key", "another key came back")
}

func csiAtOnce(s settings) {
	uid := s.active()
	var group sync.WaitGroup
	failed := make(chan any, 8)
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			defer func() {
				if caught := recover(); caught != nil {
					failed <- caught
				}
			}()
			iv, key := random(16), random(40)
			made := must(s.cipher(kmip14.OperationEncrypt, uid, iv, key))
			got := must(s.cipher(kmip14.OperationDecrypt, uid, iv, made))
			check(bytes.Equal(got, key), "another volume's key came back")
		}()
	}
	group.Wait()
	close(failed)
	for caught := range failed {
		panic(caught)
	}
}

type revocation struct {
	UniqueIdentifier string
	RevocationReason struct{ RevocationReasonCode kmip14.RevocationReasonCode }
}

func csiNeedsActive(s settings) {
	uid, iv := s.create(), random(16)
	encrypt := func() error {
		_, err := s.cipher(kmip14.OperationEncrypt, uid, iv, []byte("x"))
		return err
	}
	refused(encrypt())
	err := s.once(kmip14.OperationActivate, identified{uid}, nil)
	check(err == nil, "%v", err)
	check(encrypt() == nil, "an active key does not encrypt")
	revoke := revocation{UniqueIdentifier: uid}
	revoke.RevocationReason.RevocationReasonCode = kmip14.RevocationReasonCodeCessationOfOperation
	err = s.once(kmip14.OperationRevoke, revoke, nil)
	check(err == nil, "%v", err)
	refused(encrypt())
	err = s.destroy(uid)
	check(err == nil, "%v", err)
	refused(encrypt())
}
