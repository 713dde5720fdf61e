#!/bin/bash
# What reads of a valid token cost: `make bench-dotnet`.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET
. bindings/dotnet/dotnet-env.sh
work=$PWD/target/dotnet/bench
mkdir -p "$work"
make --silent CARGOFLAGS='--locked --quiet'
cargo build --quiet --release --package apivideo-sandbox
rm -f "$work/url" "$work/alive"
mkfifo "$work/alive"
target/release/apivideo-sandbox --ready-file "$work/url" --exit-with-parent <"$work/alive" >/dev/null &
exec 9>"$work/alive"
until [ -s "$work/url" ]; do
    kill -0 $! || exit 1
    sleep 0.1
done
"$dotnet" build -c Release -v q -nologo bindings/dotnet/bench >"$work/build" || { cat "$work/build"; exit 1; }
APIVIDEO_TEST_URL=$(cat "$work/url") LIBAPIVIDEO_PATH=$PWD/target/release/libapivideo.so \
    "$dotnet" "$(ls target/dotnet/bin/LibApiVideo.Bench/Release/*/LibApiVideo.Bench.dll | tail -1)"
