#!/bin/sh
# Is a built tree fit for others' machines? `sh packaging/check.sh TARGET TREE`: what the shared library exports and needs, its name, its
# size, and that nothing in it names a folder of this machine. Prints what it found, as `name: value`, and keeps it in TREE.facts.
set -eu
cd "$(dirname "$0")/.."
target=$1 tree=$2
largest=2600000
glibc=2.17
failed=0

complain() { echo "error: $target: $*" >&2; failed=1; }
fact() { printf '%s: %s\n' "$1" "$2" | tee -a "$tree.facts"; }
lines() { tr '\n' ' ' | sed 's/ $//'; }
# The header's functions; tests/abi/ watches over the header.
declared() { grep -v '^ *[/*]' include/apivideo.h | grep -oE '\<apivideo_[a-z0-9_]+\(' | tr -d '(' | LC_ALL=C sort -u; }

# Of ELF. Windows' and macOS' are looked at on their own machines.
exported() { readelf --dyn-syms --wide "$1" | awk '$7 != "UND" && ($5 == "GLOBAL" || $5 == "WEAK") { print $8 }' | LC_ALL=C sort; }
dynamic() { readelf --dynamic --wide "$1" | sed -n "s/.*($2).*\[\(.*\)\]/\1/p"; }
newest_glibc() { readelf --version-info --wide "$1" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1 | sed 's/GLIBC_//'; }
not_newer() { [ "$(printf '%s\n' "$1" "$2" | sort -V | tail -n 1)" = "$2" ]; }

check_elf() { # LIBRARY
    [ "$(exported "$1")" = "$(declared)" ] || complain "it does not export exactly the functions of include/apivideo.h"
    fact exports "$(exported "$1" | wc -l) functions"
    name=$(dynamic "$1" SONAME)
    [ "$name" = "$(make --silent "TARGET=$target" print-soname)" ] || complain "its SONAME is $name"
    fact soname "$name"
    needed=$(dynamic "$1" NEEDED | lines)
    fact needs "$needed"
    readelf --dynamic --wide "$1" | grep -q NODELETE || complain "it is not linked with -z nodelete"
    case $target in
        *-musl) [ "$needed" = libc.so ] || complain "it needs more than libc.so" ;;
        *)
            newest=$(newest_glibc "$1")
            not_newer "$newest" $glibc || complain "it needs glibc $newest"
            fact glibc "$newest"
            ;;
    esac
}

names_nobody() { ! grep -aoE "($HOME|$PWD|${CARGO_HOME:-$HOME/.cargo}/registry)/[^[:cntrl:]]{0,60}" "$1"; }

rm -f "$tree.facts"
echo "-- $target"
fact rust "$(rustc --version | cut -d' ' -f2)"
shared=$(find "$tree" -type f \( -name 'libapivideo*.so*' -o -name 'libapivideo*.dylib' -o -name apivideo.dll \) | head -n 1)
[ -n "$shared" ] || { complain "there is no shared library in $tree"; exit 1; }
case $target in *-linux-*) check_elf "$shared" ;; esac
size=$(wc -c <"$shared")
[ "$size" -le $largest ] || complain "it has $size bytes, and may have $largest"
fact bytes "$((size))"
for file in "$shared" "$tree"/lib/*.a; do
    names_nobody "$file" || complain "$file names a folder of its builder"
done
exit $failed
