// Plays OpenBao's KMIP seal, module github.com/openbao/go-kms-wrapping/wrappers/kmip/v2, unmodified.
//
// With -steps it prints a line of JSON for each step: version, name, passed, detail. Without, it is a seal that
// stays: configured by the BAO_KMIP_ variables, it reads lines `seal HEX` and `unseal HEX`, and answers each with
// `ok HEX` or `error TEXT`. A blob is the protobuf message that OpenBao keeps in its storage.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"

	wrapping "github.com/openbao/go-kms-wrapping/v2"
	kmipseal "github.com/openbao/go-kms-wrapping/wrappers/kmip/v2"
	"google.golang.org/protobuf/proto"
)

type outcome struct {
	Version string `json:"version"`
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Detail  string `json:"detail,omitempty"`
}

type settings struct {
	address, ca, certificate, key, otherCertificate, otherKey string
}

func main() {
	var s settings
	flag.StringVar(&s.address, "address", "", "host:port of the server")
	flag.StringVar(&s.ca, "ca", "", "CA of the server, PEM")
	flag.StringVar(&s.certificate, "cert", "", "the client's certificate, PEM")
	flag.StringVar(&s.key, "key", "", "its private key, PEM")
	flag.StringVar(&s.otherCertificate, "other-cert", "", "another client's certificate, PEM")
	flag.StringVar(&s.otherKey, "other-key", "", "its private key, PEM")
	play := flag.Bool("steps", false, "play the steps")
	probe := flag.Bool("probe", false, "seal once with a key made for it, and print what the seal says")
	flag.Parse()
	switch {
	case *play:
		lines := json.NewEncoder(os.Stdout)
		for _, each := range steps {
			_ = lines.Encode(performed(s, each))
		}
	case *probe:
		fmt.Println(probed(s))
	default:
		stay()
	}
}

// stay is a seal in a process that goes on, as OpenBao's does.
func stay() {
	wrapper := kmipseal.NewWrapper()
	config, err := wrapper.SetConfig(context.Background())
	if err != nil {
		fmt.Println("error", oneLine(err))
		os.Exit(1)
	}
	fmt.Println("ok", config.Metadata["kmip_version"])
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		said, err := asked(wrapper, lines.Text())
		if err != nil {
			fmt.Println("error", oneLine(err))
			continue
		}
		fmt.Println("ok", hex.EncodeToString(said))
	}
}

func asked(wrapper *kmipseal.Wrapper, line string) ([]byte, error) {
	word, value, _ := strings.Cut(line, " ")
	data, err := hex.DecodeString(value)
	if err != nil {
		return nil, err
	}
	if word == "seal" {
		return sealed(wrapper, data)
	}
	return unsealed(wrapper, data)
}

// sealed is the blob as it is kept.
func sealed(wrapper *kmipseal.Wrapper, plain []byte) ([]byte, error) {
	blob, err := wrapper.Encrypt(context.Background(), plain)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(blob)
}

func unsealed(wrapper *kmipseal.Wrapper, kept []byte) ([]byte, error) {
	var blob wrapping.BlobInfo
	if err := proto.Unmarshal(kept, &blob); err != nil {
		return nil, err
	}
	return wrapper.Decrypt(context.Background(), &blob)
}

// seal is a fresh one, configured as OpenBao does by the `seal "kmip"` stanza of its settings.
func (s settings) seal(uid string, options ...string) (*kmipseal.Wrapper, *wrapping.WrapperConfig, error) {
	stanza := map[string]string{
		"kms_key_id": uid, "endpoint": s.address, "ca_cert": s.ca,
		"client_cert": s.certificate, "client_key": s.key,
	}
	for i := 0; i < len(options); i += 2 {
		stanza[options[i]] = options[i+1]
	}
	wrapper := kmipseal.NewWrapper()
	config, err := wrapper.SetConfig(context.Background(), wrapping.WithConfigMap(stanza))
	return wrapper, config, err
}

func oneLine(value any) string {
	return strings.SplitN(strings.TrimSpace(fmt.Sprint(value)), "\n", 2)[0]
}
