#!/bin/sh
# libapivideo beside what a user would take instead, in one run: `make bench`. About six minutes,
# besides what is built once. `make bench-save` also keeps the result, in results.json and in
# README.md's table.
set -eu
cd "$(dirname "$0")/.."
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET
work=$PWD/target/bench
mkdir -p "$work"

missing=
need() { eval "$2" >/dev/null 2>&1 || missing="$missing $1"; }
need python3-venv 'python3 -c "import ensurepip, venv"'
need strace 'command -v strace'
need valgrind 'command -v valgrind'
need golang-go 'command -v go'
need ca-certificates 'test -f /etc/ssl/certs/ca-certificates.crt'
need redis-server 'command -v redis-server'
need libcurl4-openssl-dev 'echo "#include <curl/curl.h>" | cc -E -'
if [ -n "$missing" ]; then
    echo "error: these packages are missing. Install them with: apt-get install -y --no-install-recommends$missing" >&2
    exit 1
fi

echo 'building …'
make --silent CARGOFLAGS='--locked --quiet'
cargo build --quiet --locked --release --package apivideo-sandbox
library='-Ltarget/stage/lib -lapivideo -Wl,-rpath,$ORIGIN/../stage/lib -lpthread -ldl'
compile() { cc -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Iinclude -Itests/c "benches/$1.c" -o "$work/$1" $2; }
for program in read renewal herd clients fleet first_token upload; do compile $program "$library"; done
for program in first_token_curl upload_curl; do compile $program -lcurl; done
compile load -ldl
go build -o "$work/read_go" benches/read.go
rustc --edition 2024 -C opt-level=3 -C codegen-units=1 benches/read.rs -o "$work/read_rs"

python=$work/env/bin/python
[ -x "$python" ] || python3 -m venv "$work/env"
"$python" -m pip install --quiet --disable-pip-version-check --requirement bindings/python/tests/requirements-bench.txt --requirement benches/requirements.txt
"$python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps ./bindings/python
"$python" -m compileall -q "$work/env/lib"/python*/site-packages >/dev/null || :
exec "$python" benches/bench.py "$@"
