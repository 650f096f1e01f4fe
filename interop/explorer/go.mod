module kmip-key-server/interop/explorer

go 1.26.0

tool github.com/phsym/kmip-explorer/cmd/kmip-explorer

require github.com/phsym/kmip-explorer v0.8.0 // indirect

require (
	github.com/atotto/clipboard v0.1.4 // indirect
	github.com/gdamore/encoding v1.0.1 // indirect
	github.com/gdamore/tcell/v2 v2.13.10 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/joho/godotenv v1.5.1 // indirect
	github.com/lucasb-eyer/go-colorful v1.4.0 // indirect
	github.com/ovh/kmip-go v0.9.2 // indirect
	github.com/rivo/tview v0.42.0 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	golang.org/x/mod v0.37.0 // indirect
	golang.org/x/sys v0.46.0 // indirect
	golang.org/x/term v0.44.0 // indirect
	golang.org/x/text v0.38.0 // indirect
)
