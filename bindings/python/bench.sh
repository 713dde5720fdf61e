#!/bin/sh
# The Python package's numbers beside the official one's: `make bench-python`. Takes about three
# minutes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
python=${PYTHON:-python3}

cd "$root"
cargo build --quiet --release --package apivideo-sandbox
export APIVIDEO_SANDBOX="$target/release/apivideo-sandbox"
work=$root/target/python/bench
rm -rf "$work"
mkdir -p "$work"
"$python" -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/tests/requirements-bench.txt"
"$work/env/bin/pip" install --quiet --disable-pip-version-check --no-deps "$here"
"$work/env/bin/python" -m compileall -q "$work/env/lib"/python*/site-packages >/dev/null
exec "$work/env/bin/python" "$here/benches/bench.py"
