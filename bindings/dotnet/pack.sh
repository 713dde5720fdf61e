#!/bin/bash
# Both packages into target/dotnet/feed, with this machine's native library; or with those of other
# platforms, as packaging/build.sh has built them: `pack.sh TARGET…`, `pack.sh built` for all.
#
# Where cargo-zigbuild and zig are at hand (pip install cargo-zigbuild ziglang) the library is built
# for glibc 2.17, and runs on every distribution since 2014; otherwise for the glibc of this
# machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET
. bindings/dotnet/dotnet-env.sh
. packaging/platforms.sh
libraries=$PWD/target/dotnet/native
host=$(rustc -vV | sed -n 's/^host: //p')
rm -rf "$libraries"

# add TARGET LIBRARY
add() {
    local folder
    folder=$libraries/$(rid "$1")
    mkdir -p "$folder"
    cp "$2" "$folder/$(case $2 in *.dll) echo apivideo.dll ;; *.dylib) echo libapivideo.dylib ;; *) echo libapivideo.so ;; esac)"
}

this_machines() {
    local built=target/release/libapivideo.so library glibc
    case $host in
        *-linux-gnu) ;;
        *) echo "error: pack.sh is for Linux; elsewhere use dotnet pack, as README.md says" >&2; exit 1 ;;
    esac
    if command -v cargo-zigbuild >/dev/null; then
        cargo-zigbuild rustc --quiet --locked --release --lib --crate-type cdylib --target "$host.2.17"
        built=target/$host/release/libapivideo.so
    else
        echo "note: no cargo-zigbuild; the library needs this machine's glibc or a newer one"
        make --silent CARGOFLAGS='--locked --quiet'
    fi
    add "$host" "$built"
    library=$libraries/$(rid "$host")/libapivideo.so
    strip --strip-unneeded "$library"
    glibc=$(readelf -V --wide "$library" | grep -o 'GLIBC_2[0-9.]*' | sort -uV | tail -1 | sed 's/GLIBC_//')
    echo "$(rid "$host"): glibc $glibc or newer, $(stat -c %s "$library") bytes"
}

# shellcheck disable=SC2046 # a list of platforms
[ "${1:-}" != built ] || set -- $(built_platforms)
if [ $# = 0 ]; then
    this_machines
    licences=$host
else
    # Of everything that is in one of them.
    licences=all
    for target; do add "$target" "$(shared_library "$target")"; done
fi

# For debuggers: where the sources are that the symbols speak of. A workflow of GitHub's says it.
links=()
if [ -n "${GITHUB_REPOSITORY:-}" ] && commit=$(git rev-parse HEAD 2>/dev/null); then
    repository=${GITHUB_SERVER_URL:-https://github.com}/$GITHUB_REPOSITORY
    printf '{"documents":{"/_/*":"https://raw.githubusercontent.com/%s/%s/*"}}\n' "$GITHUB_REPOSITORY" "$commit" >target/dotnet/sources.json
    links=("-p:SourceLink=$PWD/target/dotnet/sources.json" "-p:RepositoryUrl=$repository" -p:RepositoryType=git "-p:RepositoryCommit=$commit")
else
    echo "note: GITHUB_REPOSITORY is not set; the symbols will not say where the sources are"
fi

sh licenses.sh "$licences" >target/THIRD-PARTY-LICENSES.txt
rm -rf target/dotnet/feed
for package in LibApiVideo LibApiVideo.Extensions.Http; do
    rm -rf "target/dotnet/obj/$package" # The symbols of an earlier build name other sources, or none.
    "$dotnet" pack -v q -nologo -c Release "bindings/dotnet/src/$package" -o target/dotnet/feed "-p:NativeLibraries=$libraries" "${links[@]}"
done
ls target/dotnet/feed
