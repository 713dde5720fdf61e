#!/bin/sh
# Runs cargo so that the same sources give the same bytes, wherever they and cargo's downloads are: `sh reproducible.sh cargo build …`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
between=$(printf '\037') # A path may have blanks.
flags=${CARGO_ENCODED_RUSTFLAGS-$(printf %s "${RUSTFLAGS:-}" | tr -s ' ' "$between")}

# remap FROM TO: of several that fit, rustc takes the last.
remap() { flags=${flags:+$flags$between}--remap-path-prefix=$1=$2; }
remap "$here" /libapivideo
case ${CARGO_TARGET_DIR:-} in /*) remap "$CARGO_TARGET_DIR" /libapivideo/target ;; esac
# Last, as it may be below the others.
remap "${CARGO_HOME:-$HOME/.cargo}" /cargo

export CARGO_ENCODED_RUSTFLAGS="$flags"
exec "$@"
