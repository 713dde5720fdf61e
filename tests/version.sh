#!/bin/sh
# The version stands in Cargo.toml alone: what needs it reads it there. Besides, it is in what a tool writes (lock files, the header, a
# badge), in the change log, as an example of what a version looks like, and in two copies, which are compared here.
set -u
cd "$(dirname "$0")/.." || exit 1
version=$(make --silent print-VERSION)
failed=0

git grep -nIwF "$version" -- . ':!*Cargo.lock' ':!Cargo.toml' ':!CHANGELOG.md' ':!include/apivideo.h' ':!docs/pictures/*.svg' ':!benches/*.json' \
    ':!bindings/python/src/libapivideo/_version.py' ':!bindings/dotnet/README.md' |
    grep -v "such as \"$version\"" >target/versions && {
    echo "error: the version is written out in:" >&2
    cat target/versions >&2
    failed=1
}

# agree WHAT VERSION: what reads it has got it right.
agree() {
    [ "$2" = "$version" ] || { echo "error: $1 has version '$2', and Cargo.toml $version" >&2; failed=1; }
}
agree include/apivideo.h "$(sed -n 's/^#define APIVIDEO_VERSION "\(.*\)"$/\1/p' include/apivideo.h)"
agree CHANGELOG.md "$(sed -n 's/^## \([0-9.]*\) — .*/\1/p' CHANGELOG.md | head -n 1)"
agree bindings/python/src/libapivideo/_version.py "$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' bindings/python/src/libapivideo/_version.py)"
agree bindings/dotnet/README.md "$(sed -n 's/.*LibApiVideo --version \([^ ]*\) .*/\1/p' bindings/dotnet/README.md)"
agree docs/pictures "$(sed -n 's/.*aria-label="version: \([^"]*\)".*/\1/p' docs/pictures/badge-version.svg)"

# Before 1.0 a minor release may change the ABI, so the SONAME has two numbers of the version; from then on it has one.
case $version in
    0.*) soversion=$(echo "$version" | cut -d. -f1-2) ;;
    *) soversion=$(echo "$version" | cut -d. -f1) ;;
esac
[ "$(make --silent print-SOVERSION)" = "$soversion" ] ||
    { echo "error: with version $version, version_suffix_components in Cargo.toml must make $soversion" >&2; failed=1; }
[ $failed = 0 ]
