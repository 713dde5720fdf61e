#!/bin/bash
# Both packages, with this machine's native library, into target/dotnet/feed.
#
# Where cargo-zigbuild and zig are at hand (pip install cargo-zigbuild ziglang) the library is built
# for glibc 2.17, and runs on every distribution since 2014; otherwise for the glibc of this
# machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET
. bindings/dotnet/dotnet-env.sh
libraries=$PWD/target/dotnet/native
triple=$(rustc -vV | sed -n 's/^host: //p')
case $triple in
    x86_64-unknown-linux-gnu) rid=linux-x64 ;;
    aarch64-unknown-linux-gnu) rid=linux-arm64 ;;
    *) echo "error: pack.sh is for Linux; elsewhere use dotnet pack, as README.md says" >&2; exit 1 ;;
esac
if command -v cargo-zigbuild >/dev/null; then
    cargo-zigbuild rustc --quiet --locked --release --lib --crate-type cdylib --target "$triple.2.17"
    built=target/$triple/release/libapivideo.so
else
    echo "note: no cargo-zigbuild; the library needs this machine's glibc or a newer one"
    make --silent CARGOFLAGS='--locked --quiet'
    built=target/release/libapivideo.so
fi
mkdir -p "$libraries/$rid"
cp "$built" "$libraries/$rid/libapivideo.so"
strip --strip-unneeded "$libraries/$rid/libapivideo.so"
echo "$rid: glibc $(readelf -V --wide "$libraries/$rid/libapivideo.so" | grep -o 'GLIBC_2[0-9.]*' | sort -uV | tail -1 | sed 's/GLIBC_//') or newer, $(stat -c %s "$libraries/$rid/libapivideo.so") bytes"

sh licenses.sh "$triple" >target/THIRD-PARTY-LICENSES.txt
rm -rf target/dotnet/feed
for package in LibApiVideo LibApiVideo.Extensions.Http; do
    "$dotnet" pack -v q -nologo -c Release "bindings/dotnet/src/$package" -o target/dotnet/feed "-p:NativeLibraries=$libraries"
done
ls target/dotnet/feed
