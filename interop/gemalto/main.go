// Plays what ceph-csi and Rook say to a KMIP server, by the module that both are built on, unmodified:
// github.com/gemalto/kmip-go. Their own packages are internal to them, so their conversations are spoken here; how
// each message is written and read is the module's doing.
//
// It prints a line of JSON for each step: version, name, passed, detail.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
)

type outcome struct {
	Version string `json:"version"`
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Detail  string `json:"detail,omitempty"`
}

type step struct {
	version, name string
	play          func(settings)
}

func main() {
	var s settings
	flag.StringVar(&s.address, "address", "", "host:port of the server")
	flag.StringVar(&s.ca, "ca", "", "CA of the server, PEM")
	flag.StringVar(&s.certificate, "cert", "", "the client's certificate, PEM")
	flag.StringVar(&s.key, "key", "", "its private key, PEM")
	flag.StringVar(&s.otherCertificate, "other-cert", "", "another client's certificate, PEM")
	flag.StringVar(&s.otherKey, "other-key", "", "its private key, PEM")
	probe := flag.Bool("probe", false, "keep, fetch and delete a passphrase as Rook does, and print what it says")
	flag.Parse()
	if *probe {
		result := performed(s, steps[1])
		if result.Passed {
			result.Detail = "a passphrase kept, fetched and deleted"
		}
		fmt.Println(result.Detail)
		return
	}
	lines := json.NewEncoder(os.Stdout)
	for _, each := range steps {
		_ = lines.Encode(performed(s, each))
	}
}

// performed plays a step; whatever it panics with is a failure.
func performed(s settings, each step) (result outcome) {
	result = outcome{Version: each.version, Name: each.name}
	defer func() {
		if caught := recover(); caught != nil {
			result.Passed, result.Detail = false, strings.SplitN(fmt.Sprint(caught), "\n", 2)[0]
		}
	}()
	each.play(s)
	result.Passed = true
	return result
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

// refused checks that the server said no, and told why.
func refused(err error) {
	check(err != nil, "was not refused")
	no, is := err.(refusal)
	check(is, "not a refusal: %v", err)
	check(no.reason != 0 && no.message != "", "without a reason: %v", err)
}
