// Plays OVHcloud's KMIP client (module github.com/ovh/kmip-go, unmodified) against a server.
//
// It prints a line of JSON for each step: version, name, passed, detail. Each step makes what it needs, and
// compares what came back with what Go's own cryptography says. The exit code is 0 where every step was played.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
)

// A step is something that a user of the client does. Versions are the minor ones of KMIP 1.
type step struct {
	name         string
	since, until int
	play         func(*player)
}

// A player has a client that speaks one version, and the settings to make more.
type player struct {
	*kmipclient.Client
	settings
	version kmip.ProtocolVersion
}

type settings struct {
	address, ca, certificate, key, otherCertificate, otherKey string
}

type outcome struct {
	Version string `json:"version"`
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Detail  string `json:"detail,omitempty"`
}

func main() {
	var s settings
	flag.StringVar(&s.address, "address", "", "host:port of the server")
	flag.StringVar(&s.ca, "ca", "", "CA of the server, PEM")
	flag.StringVar(&s.certificate, "cert", "", "the client's certificate, PEM")
	flag.StringVar(&s.key, "key", "", "its private key, PEM")
	flag.StringVar(&s.otherCertificate, "other-cert", "", "another client's certificate, PEM")
	flag.StringVar(&s.otherKey, "other-key", "", "its private key, PEM")
	probe := flag.Bool("probe", false, "make and fetch a key, and print what the client says")
	flag.Parse()
	if *probe {
		fmt.Println(probed(s))
		return
	}
	lines := json.NewEncoder(os.Stdout)
	for _, version := range []kmip.ProtocolVersion{kmip.V1_0, kmip.V1_1, kmip.V1_2, kmip.V1_3, kmip.V1_4} {
		for _, each := range steps {
			if each.since <= version.Minor() && version.Minor() <= each.until {
				_ = lines.Encode(performed(s, version, each))
			}
		}
	}
}

// performed plays a step on a connection of its own, in this version; whatever it panics with is a failure.
func performed(s settings, version kmip.ProtocolVersion, each step) (result outcome) {
	result = outcome{Version: version.String(), Name: each.name}
	defer func() {
		if caught := recover(); caught != nil {
			result.Passed, result.Detail = false, strings.TrimSpace(fmt.Sprint(caught))
		}
	}()
	client := s.dial(kmipclient.EnforceVersion(version))
	defer client.Close()
	each.play(&player{client, s, version})
	result.Passed = true
	return result
}

func probed(s settings) (said string) {
	defer func() {
		if caught := recover(); caught != nil {
			said = strings.SplitN(fmt.Sprint(caught), "\n", 2)[0]
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client := must(kmipclient.DialContext(ctx, s.address,
		kmipclient.WithRootCAFile(s.ca), kmipclient.WithClientCertFiles(s.certificate, s.key),
		kmipclient.WithMiddlewares(kmipclient.TimeoutMiddleware(10*time.Second))))
	defer client.Close()
	uid := client.Create().AES(256, kmip.CryptographicUsageEncrypt).MustExec().UniqueIdentifier
	client.Get(uid).MustExec()
	client.Destroy(uid).MustExec()
	return "a key, made and fetched"
}

// dial connects as this client; more options may say otherwise.
func (s settings) dial(options ...kmipclient.Option) *kmipclient.Client {
	return must(kmipclient.Dial(s.address, append([]kmipclient.Option{
		kmipclient.WithRootCAFile(s.ca),
		kmipclient.WithClientCertFiles(s.certificate, s.key),
	}, options...)...))
}

// name is a Name that no other version's steps use: names are unique to their owner.
func (p *player) name(of string) string {
	return fmt.Sprintf("ovh %s %s", p.version, of)
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

// refused checks that the server said no, and for which of these reasons; none means for any.
func refused(err error, reasons ...string) {
	check(err != nil, "was not refused")
	check(strings.Contains(err.Error(), "OperationFailed"), "not a refusal: %v", err)
	for _, reason := range reasons {
		if strings.Contains(err.Error(), reason) {
			return
		}
	}
	check(len(reasons) == 0, "refused for another reason than %v: %v", reasons, err)
}
