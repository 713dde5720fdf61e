#!/bin/sh
# `tests/fuzz.sh`: a short run of every fuzz target, with the same inputs each time, so that a test which fails fails again. A slow machine
# gets through fewer of them.
# `tests/fuzz.sh 600 boundary`: a search at random, for so many seconds, of this target or of all, going on from what was found.
#
# Needs a nightly Rust and cargo-fuzz. With CI=true the latter is built into target/tools when it is missing.
# What a search finds on its way is kept in target/fuzz; fuzz/corpus has only the seeds. A finding is repeated with
# `cargo +nightly fuzz run TARGET FILE`.
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PWD/target/tools/bin:$PATH
work=$PWD/target/fuzz
if [ $# -gt 0 ]; then
    corpus=$work/corpus
    limits="-max_total_time=$1"
    shift
else
    corpus=$work/short
    rm -rf "$corpus"
    limits="-max_total_time=10 -seed=1 -runs=20000"
fi
passed=0
failed=0

missing() {
    if [ "${CI:-}" = true ]; then
        echo "error: $1" >&2
        exit 1
    fi
    printf '\n*** NOTHING WAS FUZZED ***\n%s\n\n' "$1"
    echo "skipped: fuzzing"
    exit 0
}

cargo +nightly --version >/dev/null 2>&1 ||
    missing "Fuzzing needs a nightly Rust. Install it with: rustup toolchain install nightly"
if ! command -v cargo-fuzz >/dev/null && [ "${CI:-}" = true ]; then
    cargo install cargo-fuzz --locked --quiet --root target/tools
fi
command -v cargo-fuzz >/dev/null ||
    missing "Fuzzing needs cargo-fuzz. Install it with: cargo install cargo-fuzz --locked --root target/tools"

# Whatever proxy or sanitizer settings are about are not what is tested.
unset HTTPS_PROXY https_proxy NO_PROXY no_proxy

fuzz() {
    subcommand=$1
    shift
    cargo +nightly fuzz "$subcommand" --target-dir "$work/build" "$@"
}

targets=${*:-$(cargo +nightly fuzz list)}
[ -n "$targets" ] || { echo "error: there are no fuzz targets" >&2; exit 1; }
mkdir -p "$work"
fuzz build >"$work/build.log" 2>&1 || { cat "$work/build.log"; echo "error: the fuzz targets do not build" >&2; exit 1; }
for target in $targets; do
    mkdir -p "$corpus/$target" "$work/artifacts/$target"
    if fuzz run "$target" "$corpus/$target" "fuzz/corpus/$target" -- $limits -timeout=20 -print_final_stats=1 \
        -artifact_prefix="$work/artifacts/$target/" >"$work/$target.log" 2>&1; then
        echo "ok   $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log") executions"
        passed=$((passed + 1))
    else
        grep -a -A 1 -e ' panicked at ' -e 'ERROR: ' -e '^Base64: ' "$work/$target.log"
        echo "FAIL $target: see $work/$target.log and $work/artifacts/$target"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
