#!/bin/sh
# Debian packages of this machine's processor, into target/deb: libapivideo0.1, libapivideo-dev and apivideo-tools. What `make` has built
# is used. Needs debhelper and dpkg-dev. lintian, where it is, must find nothing.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
unset MAKEFLAGS MAKELEVEL DESTDIR CARGO_BUILD_TARGET
version=$(make --silent print-VERSION)
soversion=$(make --silent print-SOVERSION)
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(make --silent print-SOURCE_DATE_EPOCH)}"
tree=target/deb/libapivideo-$version
rm -rf target/deb
mkdir -p "$tree/target"
git ls-files | tar -cf - -T - | tar -xf - -C "$tree"
cp -R packaging/debian "$tree/debian"
cd "$tree/debian"
sed -e "s/@SOVERSION@/$soversion/" -e "s/@RUST@/$(make --silent -C "$root" print-RUST)/" control.in >control
for file in library.*; do mv "$file" "libapivideo$soversion.${file#library.}"; done
{
    printf 'libapivideo (%s) unstable; urgency=medium\n\n  * Release. CHANGELOG.md says what is new.\n\n' "$version"
    printf ' -- The libapivideo authors <libapivideo@users.noreply.invalid>  %s\n' "$(LC_ALL=C date -u -d "@$SOURCE_DATE_EPOCH" '+%a, %d %b %Y %H:%M:%S +0000')"
} >changelog
{
    echo "libapivideo.so.$soversion libapivideo$soversion #MINVER#"
    # "0.1 function NAME …": since which version.
    awk '$2 == "function" { printf " %s@Base %s\n", $3, $1 }' "$root/tests/abi/promises.txt" | LC_ALL=C sort
} >"libapivideo$soversion.symbols"
cd ..
# What a library built here needs of the sources' folder is nothing but where it is: it is built in the root, and only packed here.
make --silent -C "$root" CARGOFLAGS='--locked --quiet' all licenses
cargo build --quiet --release --locked --manifest-path "$root/Cargo.toml" --package apivideo-sandbox
APIVIDEO_PREBUILT=$root/target dpkg-buildpackage -d -b -us -uc >../build.log 2>&1 || { tail -n 40 ../build.log; exit 1; }
cd ..
if command -v lintian >/dev/null; then lintian --fail-on error,warning --tag-display-limit 0 --allow-root ./*.deb; fi
ls ./*.deb
