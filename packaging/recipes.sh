#!/bin/sh
# Fills in the recipes of vcpkg and Homebrew, from the archives in target/packages, into target/recipes:
# `sh packaging/recipes.sh URL [SOURCE-ARCHIVE]`. URL is the folder of the release's files.
set -eu
cd "$(dirname "$0")/.."
url=${1:?where are the files of the release?}
source_archive=${2:-}
version=$(make --silent print-VERSION)
recipes=target/recipes
rm -rf $recipes
mkdir -p $recipes/vcpkg/apivideo $recipes/homebrew

hashes=$(for archive in "target/packages/libapivideo-$version"-*.tar.gz; do
    platform=$(basename "$archive" .tar.gz)
    printf 'set(sha512_%s %s)\n' "${platform#"libapivideo-$version-"}" "$(sha512sum "$archive" | cut -d' ' -f1)"
done)
sed "s/@VERSION@/$version/" packaging/vcpkg/vcpkg.json.in >$recipes/vcpkg/apivideo/vcpkg.json
awk -v url="$url" -v hashes="$hashes" '{ gsub("@URL@", url) } $0 == "@HASHES@" { print hashes; next } { print }' \
    packaging/vcpkg/portfile.cmake.in >$recipes/vcpkg/apivideo/portfile.cmake
[ -z "$source_archive" ] ||
    sed -e "s|@HOMEPAGE@|${url%/releases/*}|" -e "s|@SOURCE@|$url/$(basename "$source_archive")|" \
        -e "s|@SHA256@|$(sha256sum "$source_archive" | cut -d' ' -f1)|" packaging/homebrew/apivideo.rb.in >$recipes/homebrew/apivideo.rb
