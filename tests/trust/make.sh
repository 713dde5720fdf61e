#!/bin/sh
# Makes the certificates of this folder, which Rust's own tools cannot sign: for `localhost`, by CAs
# on each curve with each hash. The key is a test's, and nobody's secret. Needs OpenSSL.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
new_key() { openssl genpkey -quiet -algorithm EC -pkeyopt "ec_paramgen_curve:$1" -out "$2"; }

new_key P-256 key.pem
openssl req -new -key key.pem -subj /CN=localhost -out "$work/csr"
printf '%s\n' basicConstraints=CA:FALSE subjectAltName=DNS:localhost extendedKeyUsage=serverAuth >"$work/ext"
for kind in P-256-sha512 P-384-sha512 P-521-sha256 P-521-sha384 P-521-sha512; do
    curve=${kind%-*} hash=${kind##*-}
    new_key "$curve" "$work/key"
    openssl req -x509 -new -key "$work/key" "-$hash" -days 36500 -subj "/CN=$kind" -out "$work/ca"
    openssl x509 -req -in "$work/csr" -CA "$work/ca" -CAkey "$work/key" "-$hash" -days 36500 \
        -extfile "$work/ext" -out "$work/server" 2>/dev/null
    # The server's first, then the CA's.
    cat "$work/server" "$work/ca" >"$kind.pem"
done
