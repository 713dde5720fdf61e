#!/bin/sh
# Every suite of every language: `make test`. `sh tests/run.sh c python` runs these parts only; race, leaks, mutants, arm64 and windows only so.
#
# Begins with what is needed and missing, and installs that as root on Debian or Ubuntu. Then two rows of parts run side by side.
# What a part prints is shown when it ends, and is kept in target/tests. Ends with a table, and "N passed, N failed, N skipped".
# What cannot run is skipped, by name; with CI=true only what README.md allows, anything else that is missing is a failure.
# shellcheck disable=SC2046,SC2048 # lists of names
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/doctor.sh
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET # Everything here is in target/.
logs=target/tests
results=$logs/results

allowed() { sed -n 's/.*may be skipped with `CI=true`: //p' README.md | grep -qF "\`$1\`"; }

# record NAME passed|failed|skipped SECONDS NOTE
record() { printf '%-14s  %-8s  %6s  %s\n' "$@" >>"$results"; }

skip() { # NAME WHAT-IS-MISSING…
    name=$1
    shift
    how=skipped
    [ "${CI:-}" != true ] || allowed "$name" || how=failed
    record "$name" $how "" "needs $*"
    printf '\n== %s: %s, needs %s\n' "$name" $how "$*"
}

run() { # PART
    lacking=$(missing $(needs "$1"))
    [ -z "$lacking" ] || { skip "$1" $lacking; return; }
    for tool in $(missing $(wants "$1")); do skip "$1/$tool" "$tool"; done
    echo "-- $1 …"
    started=$(date +%s)
    if sh tests/part.sh "$1" >"$logs/$1.log" 2>&1 </dev/null; then how=passed; else how=failed; fi
    seconds=$(($(date +%s) - started))
    record "$1" $how "$seconds s" "$([ $how = passed ] || echo "see $logs/$1.log")"
    { printf '\n== %s\n' "$1"; cat "$logs/$1.log"; printf '== %s: %s after %s s\n' "$1" $how $seconds; } >"$logs/$1.shown"
    cat "$logs/$1.shown" # At once: the other row prints too.
}

# Each part once: whoever makes its folder runs it.
row() { for part in "$@"; do mkdir "$logs/claimed-$part" 2>/dev/null && run "$part"; done; }

count() { grep -c "^[^ ]*  *$1 " "$results"; }

for part in "$@"; do
    [ -n "$(needs "$part")" ] || { echo "error: there is no part $part. Parts: $all_parts race leaks mutants arm64 windows" >&2; exit 2; }
done
rm -rf "$logs" && mkdir -p "$logs" && : >"$results" || exit 1
doctor ${*:-$all_parts} || exit 1
install_packages $lacking

if [ $# -gt 0 ]; then
    row "$@"
else
    # The long ones first; who is through with its own row takes the last of the other's.
    row format lint docs rust packages model fuzz musl sanitizer portability site prism &
    trap 'kill $! 2>/dev/null' EXIT
    trap 'exit 130' INT TERM HUP
    row build c store cpp abi examples readme install reproducible valgrind python dotnet prism site portability sanitizer
    wait $!
fi

printf '\n== all\n'
cat "$results"
# Their last words again: a long log is often kept in part, from its end.
sed -n 's/^\([^ ]*\)  *failed .*/\1/p' "$results" | while read -r part; do
    [ -f "$logs/$part.log" ] && printf '\n== %s ended with\n' "$part" && tail -n 8 "$logs/$part.log" | cut -c 1-300
done
printf '\n%s passed, %s failed, %s skipped\n' "$(count passed)" "$(count failed)" "$(count skipped)"
[ "$(count failed)" = 0 ]
