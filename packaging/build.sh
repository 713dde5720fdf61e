#!/bin/sh
# Builds the library for platforms, reproducibly, and checks each: `sh packaging/build.sh TARGET…`. The tree that `make install` makes
# is in target/platforms/TARGET; it can be moved anywhere. The same on every machine of one kind with the same Rust. With --dist first,
# the archive of `make dist` is made as well, in target/dist.
#
#     x86_64-unknown-linux-gnu   aarch64-unknown-linux-gnu     for glibc 2.17, of 2014, and later
#     x86_64-unknown-linux-musl  aarch64-unknown-linux-musl    for Alpine and its like
#     x86_64-pc-windows-gnu                                    by mingw
#     x86_64-apple-darwin        aarch64-apple-darwin          on a Mac
#
# Needs the standard library of each (`rustup target add`, which is tried), python3 with venv, and the binutils of another processor.
set -eu
cd "$(dirname "$0")/.."
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET MAKEFLAGS MAKELEVEL DESTDIR
built=target/platforms

standard_library() { [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]; }

# binutils PROCESSOR: their prefix, here.
binutils() {
    [ "$(uname -m)" = "$1" ] || echo "$1-linux-gnu-"
}

build() { # TARGET
    target=$1
    standard_library "$target" || rustup target add "$target" ||
        { echo "error: there is no Rust standard library for $target here, and rustup cannot get it" >&2; return 1; }
    processor=${target%%-*}
    set -- CARGO_TARGET_DIR=$built/cargo "TARGET=$target" "stage=$built/stage/$target"
    case $target in
        *-linux-*)
            # shellcheck source=packaging/zig.sh
            . packaging/zig.sh
            set -- "$@" CARGO=cargo-zigbuild "CROSS=$(binutils "$processor")"
            case $target in *-gnu) set -- "$@" GLIBC=2.17 ;; esac
            ;;
        *-windows-gnu) set -- "$@" "CROSS=$processor-w64-mingw32-" ;;
    esac
    rm -rf "${built:?}/$target"
    set -- "$@" CARGOFLAGS='--locked --quiet'
    make --silent "$@" all install "DESTDIR=$PWD/$built/$target" PREFIX= libdir=/lib includedir=/include
    sh packaging/check.sh "$target" "$built/$target"
    [ "$archive" = no ] || make --silent "$@" dist=target/dist dist
}

archive=no
[ "${1:-}" != --dist ] || { archive=yes; shift; }
[ $# -gt 0 ] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 2; }
for each in "$@"; do build "$each"; done
