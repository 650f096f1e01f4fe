#!/usr/bin/env bash
# What the server and its tests need from Debian: SoftHSM, venv for the system's own Python, and a C compiler for
# the layer that the durability tests put beneath the server.
# As root what is missing is installed; otherwise the command is printed.
set -eu

missing=()
have_softhsm() {
    for path in /usr/lib/softhsm /usr/lib/*/softhsm /usr/lib64/softhsm /usr/lib64/pkcs11 /usr/local/lib/softhsm; do
        [ -e "$path/libsofthsm2.so" ] && return 0
    done
    return 1
}
have_softhsm || missing+=(softhsm2)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v openssl >/dev/null || missing+=(openssl)

[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "Missing: ${missing[*]}. Install them with: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
