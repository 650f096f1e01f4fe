//go:build version20

package main

// 2.0 by the module's own structures for it. They stand in a program of their own: in one that has them, the module
// writes any Unique Identifier that is a number as an enumeration, in 1.4 too, which ceph-csi and Rook never do.

import (
	"github.com/gemalto/kmip-go"
	"github.com/gemalto/kmip-go/kmip14"
	"github.com/gemalto/kmip-go/kmip20"
)

var steps = []step{
	{"2.0", "Discover Versions, Create, Activate, Get", getsIn20},
	{"2.0", "Create, Activate, Get in a batch by the ID Placeholder, an enumeration", getsByPlaceholder},
	{"2.0", "Locate by name, Revoke, Destroy; then nothing to get", livesIn20},
}

type attributes struct {
	CryptographicAlgorithm kmip14.CryptographicAlgorithm
	CryptographicLength    int
	CryptographicUsageMask kmip14.CryptographicUsageMask
	Name                   *kmip.Name `ttlv:",omitempty"`
}

func create20(name string) kmip20.CreateRequestPayload {
	wanted := attributes{
		CryptographicAlgorithm: kmip14.CryptographicAlgorithmAES, CryptographicLength: 256,
		CryptographicUsageMask: kmip14.CryptographicUsageMaskEncrypt | kmip14.CryptographicUsageMaskDecrypt,
	}
	if name != "" {
		wanted.Name = &kmip.Name{NameValue: name, NameType: kmip14.NameTypeUninterpretedTextString}
	}
	return kmip20.CreateRequestPayload{ObjectType: kmip20.ObjectTypeSymmetricKey, Attributes: wanted}
}

func text(uid string) *kmip20.UniqueIdentifierValue { return &kmip20.UniqueIdentifierValue{Text: uid} }

type got20 struct {
	ObjectType       kmip14.ObjectType
	UniqueIdentifier string
	SymmetricKey     kmip.SymmetricKey
}

func (g got20) key() []byte { return g.SymmetricKey.KeyBlock.KeyValue.KeyMaterial.([]byte) }

func getsIn20(s settings) {
	c := s.connect(v20)
	defer c.Close()
	var made kmip20.CreateResponsePayload
	call := func(operation kmip14.Operation, payload, into any) {
		err := c.call(operation, payload, into)
		check(err == nil, "%v", err)
	}
	call(kmip14.OperationCreate, create20(""), &made)
	call(kmip14.OperationActivate, kmip20.ActivateRequestPayload{UniqueIdentifier: text(made.UniqueIdentifier)}, nil)
	var got got20
	call(kmip14.OperationGet, kmip20.GetRequestPayload{UniqueIdentifier: text(made.UniqueIdentifier)}, &got)
	check(got.UniqueIdentifier == made.UniqueIdentifier && len(got.key()) == 32, "a key of %d bytes", len(got.key()))
}

func getsByPlaceholder(s settings) {
	c := s.connect(v20)
	defer c.Close()
	it := &kmip20.UniqueIdentifierValue{Enum: kmip20.UniqueIdentifierIDPlaceholder}
	items, decoder := c.exchange(
		kmip.RequestBatchItem{Operation: kmip14.OperationCreate, RequestPayload: create20("")},
		kmip.RequestBatchItem{
			Operation: kmip14.OperationActivate, RequestPayload: kmip20.ActivateRequestPayload{UniqueIdentifier: it},
		},
		kmip.RequestBatchItem{
			Operation: kmip14.OperationGet, RequestPayload: kmip20.GetRequestPayload{UniqueIdentifier: it},
		},
	)
	var made kmip20.CreateResponsePayload
	var got got20
	for i, into := range []any{&made, nil, &got} {
		err := read(items[i], decoder, into)
		check(err == nil, "%v", err)
	}
	check(got.UniqueIdentifier == made.UniqueIdentifier && len(got.key()) == 32, "got %s", got.UniqueIdentifier)
}

func livesIn20(s settings) {
	c := s.connect(v20)
	defer c.Close()
	call := func(operation kmip14.Operation, payload, into any) {
		err := c.call(operation, payload, into)
		check(err == nil, "%v", err)
	}
	var made kmip20.CreateResponsePayload
	var found kmip20.LocateResponsePayload
	name := "gemalto 2.0"
	call(kmip14.OperationCreate, create20(name), &made)
	uid := text(made.UniqueIdentifier)
	named := struct{ Name kmip.Name }{kmip.Name{NameValue: name, NameType: kmip14.NameTypeUninterpretedTextString}}
	call(kmip14.OperationLocate, kmip20.LocateRequestPayload{Attributes: named}, &found)
	check(found.UniqueIdentifier == made.UniqueIdentifier, "located %s", found.UniqueIdentifier)
	revoke := kmip20.RevokeRequestPayload{UniqueIdentifier: uid}
	revoke.RevocationReason.RevocationReasonCode = kmip14.RevocationReasonCodeKeyCompromise
	call(kmip14.OperationRevoke, revoke, nil)
	call(kmip14.OperationDestroy, kmip20.DestroyRequestPayload{UniqueIdentifier: uid}, nil)
	refused(c.call(kmip14.OperationGet, kmip20.GetRequestPayload{UniqueIdentifier: uid}, nil))
}
