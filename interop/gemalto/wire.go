package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/gemalto/kmip-go"
	"github.com/gemalto/kmip-go/kmip14"
	"github.com/gemalto/kmip-go/ttlv"
	"github.com/google/uuid"
)

type settings struct {
	address, ca, certificate, key, otherCertificate, otherKey string
}

// other is the same server met by another client.
func (s settings) other() settings {
	s.certificate, s.key = s.otherCertificate, s.otherKey
	return s
}

// A refusal is a batch item that did not succeed.
type refusal struct {
	operation kmip14.Operation
	reason    kmip14.ResultReason
	message   string
}

func (r refusal) Error() string {
	return fmt.Sprintf("%s: %s: %s", r.operation, r.reason, r.message)
}

type connection struct {
	*tls.Conn
	reader  *bufio.Reader
	version kmip.ProtocolVersion
}

var v14 = kmip.ProtocolVersion{ProtocolVersionMajor: 1, ProtocolVersionMinor: 4}
var v20 = kmip.ProtocolVersion{ProtocolVersionMajor: 2, ProtocolVersionMinor: 0}

// connect opens a connection as ceph-csi and Rook do: the version is asked for first, and one answer is allowed.
func (s settings) connect(version kmip.ProtocolVersion) *connection {
	roots := x509.NewCertPool()
	check(roots.AppendCertsFromPEM(must(os.ReadFile(s.ca))), "no CA in %s", s.ca)
	plain := must(tls.Dial("tcp", s.address, &tls.Config{
		MinVersion:   tls.VersionTLS12,
		RootCAs:      roots,
		Certificates: []tls.Certificate{must(tls.LoadX509KeyPair(s.certificate, s.key))},
	}))
	check(plain.SetDeadline(time.Now().Add(10*time.Second)) == nil, "no deadline can be set")
	c := &connection{plain, bufio.NewReader(plain), version}
	var answer kmip.DiscoverVersionsResponsePayload
	ask := kmip.DiscoverVersionsRequestPayload{ProtocolVersion: []kmip.ProtocolVersion{version}}
	err := c.call(kmip14.OperationDiscoverVersions, ask, &answer)
	check(err == nil, "%v", err)
	found := answer.ProtocolVersion
	check(len(found) == 1 && found[0] == version, "versions discovered: %v", found)
	return c
}

// call sends one operation and reads its answer into `into`. The answer must name the operation and hold the batch
// identifier, 16 bytes, as it was sent.
func (c *connection) call(operation kmip14.Operation, payload, into any) error {
	items, decoder := c.exchange(kmip.RequestBatchItem{Operation: operation, RequestPayload: payload})
	return read(items[0], decoder, into)
}

func (c *connection) exchange(items ...kmip.RequestBatchItem) ([]kmip.ResponseBatchItem, *ttlv.Decoder) {
	for i := range items {
		identifier := uuid.New()
		items[i].UniqueBatchItemID = identifier[:]
	}
	request := must(ttlv.Marshal(kmip.RequestMessage{
		RequestHeader: kmip.RequestHeader{ProtocolVersion: c.version, BatchCount: len(items)},
		BatchItem:     items,
	}))
	_ = must(c.Write(request))
	decoder := ttlv.NewDecoder(c.reader)
	raw := must(decoder.NextTTLV())
	var answer kmip.ResponseMessage
	err := decoder.DecodeValue(&answer, raw)
	check(err == nil, "the answer cannot be read: %v", err)
	got := len(answer.BatchItem)
	check(got > 0, "no answer")
	if first := answer.BatchItem[0]; first.Operation == 0 {
		panic(refusal{0, first.ResultReason, first.ResultMessage}) // of the whole message
	}
	check(got == len(items) && answer.ResponseHeader.BatchCount == got, "%d items, %d answers", len(items), got)
	check(answer.ResponseHeader.ProtocolVersion == c.version, "answered in %v", answer.ResponseHeader.ProtocolVersion)
	for i, item := range answer.BatchItem {
		check(item.Operation == items[i].Operation, "an answer of %s to %s", item.Operation, items[i].Operation)
		check(bytes.Equal(item.UniqueBatchItemID, items[i].UniqueBatchItemID), "the batch identifier changed")
	}
	return answer.BatchItem, decoder
}

func read(item kmip.ResponseBatchItem, decoder *ttlv.Decoder, into any) error {
	if item.ResultStatus != kmip14.ResultStatusSuccess {
		return refusal{item.Operation, item.ResultReason, item.ResultMessage}
	}
	if into == nil {
		return nil
	}
	return decoder.DecodeValue(into, item.ResponsePayload.(ttlv.TTLV))
}

// once does one operation on a connection of its own.
func (s settings) once(operation kmip14.Operation, payload, into any) error {
	c := s.connect(v14)
	defer c.Close()
	return c.call(operation, payload, into)
}

func random(count int) []byte {
	made := make([]byte, count)
	_ = must(rand.Read(made))
	return made
}
