#!/bin/sh
# The headers as projects compile them: each compiler and standard, every warning as an error,
# without exceptions, without RTTI, after other headers' macros, in libraries that hide their
# symbols.
#
#     APIVIDEO_TEST_URL=… sh tests/c/cpp_builds.sh
#
# Needs g++ or clang++, the built library, and a sandbox, whose base URL is in APIVIDEO_TEST_URL.
# shellcheck disable=SC2016,SC2046,SC2086 # lists of flags and files
set -u
cd "$(dirname "$0")/../.." || exit 1
target=${CARGO_TARGET_DIR:-target}
work=$target/c-tests/cpp-builds
test=tests/c/cpp_no_exceptions_test.cpp
failed=0
rm -rf "$work"
mkdir -p "$work"

# expect WHAT COMMAND…
expect() {
    what=$1
    shift
    "$@" >"$work/said" 2>&1 && return
    echo "error: $what" >&2
    sed 's/^/    /' "$work/said" | head -20 >&2
    failed=1
}

warnings_of() {
    common="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual
        -Wcast-align -Wcast-qual -Wundef -Wdeprecated -Wzero-as-null-pointer-constant"
    case $("$1" --version) in
        *clang*) echo $common -Weverything -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-padded -Wno-unsafe-buffer-usage \
            -Wno-weak-vtables -Wno-unknown-warning-option ;;
        *) echo $common -Wuseless-cast -Wlogical-op -Wduplicated-cond -Wextra-semi -Wsuggest-override -Weffc++ ;;
    esac
}

cat >"$work/macros.cpp" <<'EOF'
#define Status int
#define Success 0
#define None 0L
#define Bool int
#define timeout(delay) wtimeout(0, delay)
#define ERROR 0
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define interface struct
#define small char
#include <apivideo.hpp>
int main() {}
EOF

cat >"$work/wrapped.cpp" <<'EOF'
extern "C" {
#include <apivideo.h>
}
int main() { return apivideo_version() == nullptr; }
EOF

cat >"$work/thrower.cpp" <<'EOF'
#include <apivideo.hpp>
__attribute__((visibility("default"))) void fail() { apivideo::client client(""); }
EOF

cat >"$work/catcher.cpp" <<'EOF'
#include <apivideo.hpp>
void fail();
int main() {
    try {
        fail();
    } catch (const apivideo::error& why) {
        return why.status() == apivideo::status::invalid_argument ? 0 : 1;
    }
    return 2;
}
EOF

# Both kinds of code in one program: each goes on as it was compiled.
cat >"$work/with.cpp" <<'EOF'
#include <apivideo.hpp>
int fails_without();
int main() {
    try {
        apivideo::config().set_base_url("ftp://x");
    } catch (const apivideo::error&) {
        return fails_without();
    }
    return 2;
}
EOF

cat >"$work/without.cpp" <<'EOF'
#include <apivideo.hpp>
int fails_without() {
    apivideo::config().set_base_url("https://ws.api.video");
    return apivideo::client::try_create("") ? 3 : 0;
}
EOF

link="-L$target/release -lapivideo -Wl,-rpath,$PWD/$target/c-tests -lpthread"
ln -sf ../release/libapivideo.so "$target/c-tests/libapivideo.so.0.1"
for cxx in ${CXX:-g++ clang++}; do
    command -v "$cxx" >/dev/null || { echo "-- no $cxx here"; continue; }
    warnings=$(warnings_of "$cxx")
    for standard in c++17 c++20 c++2b; do
        "$cxx" -std=$standard -fsyntax-only -x c++ /dev/null 2>/dev/null || continue
        echo "-- $cxx -std=$standard"
        compile="$cxx -std=$standard -Iinclude -Werror -fsyntax-only"
        expect "$cxx -std=$standard, every warning" $compile $warnings "$test"
        expect "$cxx -std=$standard -fno-exceptions -fno-rtti" $compile $warnings -fno-exceptions -fno-rtti "$test"
    done
    expect "$cxx, other headers' macros" $compile "$work/macros.cpp"
    expect "$cxx, apivideo.h in extern \"C\"" $compile "$work/wrapped.cpp"
    expect "$cxx -fno-exceptions -fno-rtti" \
        "$cxx" -std=c++17 -Iinclude -fno-exceptions -fno-rtti -g "$test" -o "$work/no_exceptions" $link
    expect "$cxx -fno-exceptions: the program" "$work/no_exceptions"

    flags="-std=c++17 -Iinclude -fvisibility=hidden -fvisibility-inlines-hidden"
    expect "$cxx -fvisibility=hidden" "$cxx" $flags -shared -fPIC "$work/thrower.cpp" -o "$work/libthrower.so" $link
    expect "$cxx, a catcher" "$cxx" $flags "$work/catcher.cpp" -o "$work/catcher" -L"$work" -lthrower -Wl,-rpath,"$PWD/$work" $link
    expect "an error that crosses libraries that hide their symbols ($cxx)" "$work/catcher"
    # What makes it one class where types are compared by address, as libc++ does.
    expect "its type is visible ($cxx)" sh -c 'nm -D --defined-only "$1" | grep -q " _ZTIN8apivideo5errorE$"' sh "$work/libthrower.so"

    for order in "with without" "without with"; do
        for file in $order; do
            [ $file = with ] && mode=-fexceptions || mode=-fno-exceptions
            expect "$cxx $mode" "$cxx" -std=c++17 -Iinclude -O0 $mode -c "$work/$file.cpp" -o "$work/$file.o"
        done
        expect "$cxx, both in one program" "$cxx" $(for file in $order; do echo "$work/$file.o"; done) -o "$work/both" $link
        expect "with and without exceptions in one program, linked as $order ($cxx)" "$work/both"
    done
done
exit $failed
