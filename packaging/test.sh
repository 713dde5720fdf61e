#!/bin/sh
# The packages as users get them: each is made, checked, installed and used: `sh tests/run.sh packages`. APIVIDEO_TEST_URL is that of a
# sandbox. What needs a program that is not here is skipped, by name. Ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
. packaging/platforms.sh
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
export APIVIDEO_BASE_URL="$APIVIDEO_TEST_URL" APIVIDEO_API_KEY=sandbox-key
gnu=$(uname -m)-unknown-linux-gnu
musl=$(uname -m)-unknown-linux-musl
version=$(make --silent print-VERSION)
SOURCE_DATE_EPOCH=$(make --silent print-SOURCE_DATE_EPOCH)
export SOURCE_DATE_EPOCH
work=$PWD/target/packages-test
rm -rf "$work"
mkdir -p "$work"

passed=0 failed=0
check() { # WHAT COMMAND…
    what=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $what"
    else
        failed=$((failed + 1))
        echo "FAILED  $what"
        sed 's/^/        | /' "$work/output"
    fi
}
# with PROGRAM WHAT COMMAND…: tests/run.sh has said what is missing.
with() {
    program=$1
    shift
    if command -v "$program" >/dev/null; then check "$@"; else echo "skipped $1: needs $program"; fi
}
hash_of() { sha256sum "$1" | cut -d' ' -f1; }

# --- The archives ---

has_standard_library() { [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]; }
targets=$gnu
! has_standard_library "$musl" || targets="$targets $musl"
archives() { rm -rf target/dist && sh packaging/build.sh --dist $targets; }
archive=target/dist/libapivideo-$version-$gnu.tar.gz
same_again() {
    before=$(hash_of "$archive")
    find "target/platforms/$gnu" README.md -exec touch -h {} +
    (umask 077 && sh packaging/build.sh --dist "$gnu") && [ "$(hash_of "$archive")" = "$before" ]
}
check "an archive of each: $targets" archives
check "an archive has no time and no umask of its builder" same_again
too_new() { # A library for a newer glibc is refused.
    mkdir -p "$work/new/lib" && cp "target/platforms/$gnu/lib/libapivideo.a" "$work/new/lib" &&
        echo 'int apivideo_version(void) { return 0; }' >"$work/new.c" && cc -shared -fPIC -o "$work/new/lib/libapivideo.so" "$work/new.c" || return 1
    sh packaging/check.sh "$gnu" "$work/new" && return 1
    grep -q 'does not export exactly' "$work/output" && grep -q 'its SONAME is' "$work/output"
}
check "a library with other functions and another name is refused" too_new

# --- The bill of materials ---

sbom() {
    python3 packaging/sbom.py "$gnu" >"$work/sbom.json" && python3 packaging/sbom.py "$gnu" | cmp - "$work/sbom.json" || return 1
    python3 -m venv "$work/sbom" && "$work/sbom/bin/pip" install -q --disable-pip-version-check 'cyclonedx-python-lib[json-validation]==11.12.0' || return 1
    "$work/sbom/bin/python" - "$work/sbom.json" <<'PYTHON'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
text = open(sys.argv[1]).read()
sys.exit(JsonStrictValidator(SchemaVersion.V1_5).validate_str(text))
PYTHON
}
check "the SBOM is CycloneDX 1.5, and the same each time" sbom
same_as_licences() {
    sh licenses.sh "$gnu" | sed -n 's/^=* \([a-z0-9_-]* [0-9][^ ]*\)$/\1/p' | sort >"$work/licensed"
    python3 -c 'import json, sys
for made in json.load(open(sys.argv[1]))["components"]:
    if made["purl"].startswith("pkg:cargo/"): print(made["name"], made["version"])' "$work/sbom.json" | sort | diff - "$work/licensed"
}
check "it names the crates that THIRD-PARTY-LICENSES.txt names" same_as_licences

# --- Python ---

exchange="import libapivideo, os; print(libapivideo.Client('sandbox-key', base_url=os.environ['APIVIDEO_TEST_URL']).get_token())"
check "wheels of these" sh packaging/wheels.sh $targets
no_compiler() { # In an environment of its own, with no compiler to be found.
    python3 -m venv "$work/python" && "$work/python/bin/pip" install -q --no-index target/wheels/*-"$(wheel_tag "$gnu")".whl &&
        env -i APIVIDEO_TEST_URL="$APIVIDEO_TEST_URL" PATH=/nonexistent "$work/python/bin/python" -c "$exchange"
}
check "the manylinux wheel installs and runs without a compiler" no_compiler
musllinux() {
    sh packaging/musl_python.sh "$work/musl" && python3 -m zipfile -e target/wheels/*-"$(wheel_tag "$musl")".whl "$work/musl/wheel" || return 1
    APIVIDEO_TEST_URL=$APIVIDEO_TEST_URL PYTHONHOME=/python PYTHONPATH=/wheel chroot "$work/musl" /lib/ld-musl-x86_64.so.1 --library-path /python/lib \
        --preload /python/lib/later.so /python/bin/python3.13 -c "$exchange"
}
if [ "$(id -u)" = 0 ] && [ "$(uname -m)" = x86_64 ] && [ -e /lib/ld-musl-x86_64.so.1 ] && [ -n "$(find /usr/lib -name libffi_pic.a)" ]; then
    check "the musllinux wheel runs in a root with musl and its Python" musllinux
else
    echo "skipped the musllinux wheel: needs root, musl and libffi-dev"
fi

# --- C and C++ ---

mkdir -p "$work/meson/subprojects" "$work/fetch"
cat >"$work/meson/subprojects/apivideo.wrap" <<END
[wrap-file]
directory = libapivideo-$version-$gnu
source_url = file://$PWD/$archive
source_filename = libapivideo-$version-$gnu.tar.gz
source_hash = $(hash_of "$archive")

[provide]
dependency_names = apivideo
END
cat >"$work/meson/meson.build" <<'END'
project('consumer', 'c')
executable('version', 'version.c', dependencies: dependency('apivideo'))
END
cat >"$work/fetch/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.16)
project(consumer C)
include(FetchContent)
FetchContent_Declare(apivideo URL "file://$PWD/$archive" URL_HASH SHA256=$(hash_of "$archive"))
FetchContent_MakeAvailable(apivideo)
find_package(apivideo REQUIRED PATHS "\${apivideo_SOURCE_DIR}" NO_DEFAULT_PATH)
add_executable(version version.c)
target_link_libraries(version PRIVATE apivideo::apivideo)
END
cp packaging/version.c "$work/meson"
cp packaging/version.c "$work/fetch"
meson_wrap() { meson setup "$work/meson/build" "$work/meson" --wrap-mode=forcefallback && ninja -C "$work/meson/build" && "$work/meson/build/version"; }
fetch_content() { cmake -S "$work/fetch" -B "$work/fetch/build" && cmake --build "$work/fetch/build" && "$work/fetch/build/version"; }
with meson "Meson's wrap" meson_wrap
with cmake "CMake's FetchContent" fetch_content

with dh "Debian packages, in which lintian finds nothing" sh packaging/deb.sh
debian_root() { # Unpacked side by side, and used.
    for deb in target/deb/*.deb; do dpkg-deb -x "$deb" "$work/debian" || return 1; done
    libraries=$(dirname "$(find "$work/debian" -name libapivideo.a)")
    cc packaging/version.c -I"$work/debian/usr/include" -L"$libraries" -lapivideo -o "$work/version" && LD_LIBRARY_PATH=$libraries "$work/version" &&
        "$work/debian/usr/bin/apivideo-sandbox" --help
}
with dh "they are used" debian_root

recipes() {
    mkdir -p target/packages && cp "$archive" target/packages && git archive --format=tar.gz -o "$work/libapivideo-$version.tar.gz" HEAD &&
        sh packaging/recipes.sh "https://example.org/releases/$version" "$work/libapivideo-$version.tar.gz" && ! grep -rn '@[A-Z0-9]*@' target/recipes &&
        python3 -m json.tool target/recipes/vcpkg/apivideo/vcpkg.json
}
check "the recipes are filled in" recipes
# vcpkg itself cannot be had here: its functions are stood in for, and what the port does with them is looked at.
vcpkg_port() {
    cat >"$work/port.cmake" <<END
function(vcpkg_download_distfile out)
    cmake_parse_arguments(PARSE_ARGV 1 of "" "URLS;FILENAME;SHA512" "")
    set(file "$PWD/target/packages/\${of_FILENAME}")
    file(SHA512 "\${file}" sum)
    if(NOT sum STREQUAL of_SHA512)
        message(FATAL_ERROR "the hash of \${of_FILENAME} is another one")
    endif()
    set(\${out} "\${file}" PARENT_SCOPE)
endfunction()
function(vcpkg_extract_source_archive out)
    cmake_parse_arguments(PARSE_ARGV 1 of "" "ARCHIVE" "")
    file(ARCHIVE_EXTRACT INPUT "\${of_ARCHIVE}" DESTINATION "$work/port")
    set(\${out} "$work/port/libapivideo-$version-$gnu" PARENT_SCOPE)
endfunction()
function(vcpkg_install_copyright)
endfunction()
set(VERSION $version)
set(VCPKG_TARGET_ARCHITECTURE $(uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/'))
set(VCPKG_LIBRARY_LINKAGE dynamic)
set(CURRENT_PACKAGES_DIR "$work/vcpkg")
include("$PWD/target/recipes/vcpkg/apivideo/portfile.cmake")
END
    cmake -P "$work/port.cmake" && cc packaging/version.c -I"$work/vcpkg/include" -L"$work/vcpkg/lib" -lapivideo -o "$work/version" &&
        LD_LIBRARY_PATH=$work/vcpkg/lib "$work/version"
}
with cmake "vcpkg's port, with vcpkg's functions stood in for" vcpkg_port
with ruby "Homebrew's formula is Ruby" ruby -c target/recipes/homebrew/apivideo.rb
conan_create() {
    python3 -m venv "$work/conan" && "$work/conan/bin/pip" install -q --disable-pip-version-check conan==2.34.0 || return 1
    export CONAN_HOME="$work/conan-home" CARGO_TARGET_DIR="$PWD/target/conan"
    "$work/conan/bin/conan" profile detect && PATH="$work/conan/bin:$PATH" "$work/conan/bin/conan" create packaging/conan --version "$version"
}
# It compiles the library once more: `make prove`, and RELEASING.md.
[ "${APIVIDEO_TEST_CONAN:-}" != yes ] || with cmake "Conan makes a package, and a program uses it" conan_create

check "docs/platforms.md is what is true" python3 packaging/platforms.py --check
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
