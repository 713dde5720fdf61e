#!/bin/sh
# The library, built once more in another folder with another cargo home: the same bytes, and no path of either builder.
# `make` has built the first.
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0
other=$PWD/target/another-builder-with-a-longer-name
trap 'rm -rf "$other"' EXIT
rm -rf "$other"
mkdir -p "$other/cargo"

check() { # WHAT COMMAND…
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "error: not so: $what" >&2
    fi
}

git ls-files | tar -cf - -T - | tar -xf - -C "$other" # As it is in the work tree.
registry=${CARGO_HOME:-$HOME/.cargo}/registry
cp -rl "$registry" "$other/cargo" 2>/dev/null || cp -r "$registry" "$other/cargo"
CARGO_HOME=$other/cargo CARGO_NET_OFFLINE=true make --silent -C "$other" CARGOFLAGS='--locked --quiet' || exit 1

names_nobody() {
    ! grep -aoE "($HOME|$PWD|$registry)/[^[:cntrl:]]{0,60}" "$1"
}
shared=target/stage/lib/$(make --silent print-real)
for file in "$shared" target/stage/lib/libapivideo.a; do
    check "$file is the same" cmp "$file" "$other/$file"
    check "$file names no folder of its builder" names_nobody "$file"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
