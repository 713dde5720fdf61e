#!/bin/sh
# Every suite of every language: `make test`. Each part can be run by itself: `tests/run.sh rust`, `tests/run.sh c` …
#
# Prints a line for each part and says at the end which failed. Needs Rust, a C and a C++ compiler, and for the last parts
# pkg-config, CMake, valgrind and libcurl's headers; what is missing of these is named, and installed when CI=true on Debian as
# root. The parts race, leaks and mutants are run only when they are named.
set -u
cd "$(dirname "$0")/.." || exit 1
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET # Everything here is in target/.

parts="tools format lint docs rust build c cpp abi examples readme install python dotnet model valgrind sanitizer fuzz"
build=target/c-tests
sandbox_program=target/release/apivideo-sandbox
library=target/release/libapivideo.so
strict="-Wall -Wextra -Wpedantic -Werror"
static_libs="-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc"
failed=""
passed=0

note() { printf '\n== %s\n' "$*"; }
complain() { echo "error: $*" >&2; return 1; }
# What cannot run here is a failure in CI, and hard to miss elsewhere.
skip() {
    [ "${CI:-}" != true ] || { complain "$*"; return; }
    printf '\n*** SKIPPED ***\n%s\n\n' "$*"
}
cc_() { ${CC:-cc} "$@"; }
cxx_() { ${CXX:-c++} "$@"; }
host() { rustc -vV | sed -n 's/^host: //p'; }

# --- What the parts need ---

missing_packages() {
    command -v pkg-config >/dev/null || echo pkg-config
    command -v cmake >/dev/null || echo cmake
    command -v valgrind >/dev/null || echo valgrind
    echo '#include <curl/curl.h>' | cc_ -E - >/dev/null 2>&1 || echo libcurl4-openssl-dev
}

part_tools() {
    missing=$(missing_packages | tr '\n' ' ')
    [ -z "$missing" ] && return 0
    install="apt-get install -y --no-install-recommends $missing"
    if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install >/dev/null
    else
        complain "these packages are missing, and some parts cannot run without them. Install them with: $install"
    fi
}

start_sandbox() {
    mkdir -p "$build"
    rm -f "$build/url" "$build/alive"
    mkfifo "$build/alive"
    "$sandbox_program" --ready-file "$build/url" --exit-with-parent <"$build/alive" >/dev/null &
    exec 9>"$build/alive" # The sandbox ends when this script does.
    for _ in $(seq 100); do
        [ -s "$build/url" ] && break
        sleep 0.1
    done
    APIVIDEO_TEST_URL=$(cat "$build/url") || return 1
    export APIVIDEO_TEST_URL
}

need_sandbox() {
    [ -n "${APIVIDEO_TEST_URL:-}" ] || start_sandbox || complain "the sandbox did not start"
}

# --- Rust ---

part_format() { cargo fmt --all --check; }
part_lint() {
    cargo clippy --quiet --workspace --all-targets -- -D warnings &&
        cargo clippy --quiet --no-default-features --lib -- -D warnings
}
part_docs() { RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps; }
part_rust() { cargo test --quiet --workspace; }

# --- C and C++ ---

part_build() {
    make --silent CARGOFLAGS='--locked --quiet' && cargo build --quiet --release --package apivideo-sandbox || return 1
    mkdir -p "$build"
    ln -sf "../release/libapivideo.so" "$build/libapivideo.so.0.1"
}

# compile OUTPUT SOURCE LANGUAGE(c99…) LINK
compile() {
    out=$1 source=$2 standard=$3
    shift 3
    flags="-std=$standard -D_GNU_SOURCE -g -O1 $strict -Iinclude -Itests/c"
    case $standard in
        c++*) cxx_ -x c++ $flags "$source" -x none -o "$out" "$@" ;;
        *) cc_ $flags "$source" -o "$out" "$@" ;;
    esac || complain "$source does not compile as $standard"
}

shared='-Ltarget/release -lapivideo -Wl,-rpath,$ORIGIN -lpthread -ldl'
static="target/release/libapivideo.a -Wl,--gc-sections $static_libs"

# test_program NAME STANDARD KIND LINK…
test_program() {
    name=$1 standard=$2 kind=$3
    shift 3
    compile "$build/$name-$standard-$kind" "tests/c/$name.c" "$standard" "$@" || return 1
    echo "-- $name, $standard, $kind"
    APIVIDEO_TEST_LIBRARY=$PWD/$library "$build/$name-$standard-$kind"
}

part_c() {
    need_sandbox || return 1
    result=0
    for standard in c99 c11 c17 c++11 c++17; do
        for name in abi_test token_test; do
            test_program $name $standard shared $shared || result=1
        done
    done
    for name in process_test memory_test coredump_test; do
        for standard in c99 c++11; do
            test_program $name $standard shared $shared || result=1
        done
    done
    for name in abi_test token_test process_test memory_test coredump_test; do
        test_program $name c11 static $static || result=1
    done
    test_program dlopen_test c99 loaded -ldl -lpthread || result=1
    return $result
}

part_cpp() {
    need_sandbox || return 1
    for kind in shared static; do
        eval "link=\$$kind"
        cxx_ -std=c++17 -g $strict -Wshadow -Iinclude tests/c/cpp_test.cpp -o "$build/cpp_test-$kind" $link ||
            return 1
        "$build/cpp_test-$kind" || return 1
    done
    sh tests/c/cpp_builds.sh
}

# --- The ABI's ledger ---

part_abi() { sh tests/abi/check.sh; }

# --- What users copy ---

part_examples() {
    need_sandbox || return 1
    for source in examples/*.c examples/*.cpp; do
        name=$(basename "$source")
        case $name in
            demo*) continue ;; # `make demo` runs it.
            *curl*) extra=$(pkg-config --cflags --libs libcurl) || return 1 ;;
            *) extra="" ;;
        esac
        case $name in
            *.cpp) cxx_ -std=c++17 $strict -Iinclude "$source" -o "$build/$name.out" $shared $extra || return 1 ;;
            *) cc_ -std=c99 -D_POSIX_C_SOURCE=200809L $strict -Iinclude "$source" -o "$build/$name.out" $shared $extra || return 1 ;;
        esac
        echo "-- $name"
        APIVIDEO_API_KEY=sandbox-key APIVIDEO_BASE_URL=$APIVIDEO_TEST_URL "$build/$name.out" >"$build/$name.log" 2>&1 ||
            { cat "$build/$name.log"; complain "$source failed"; return 1; }
    done
}

part_python() { bash bindings/python/test.sh; }
part_dotnet() { bash bindings/dotnet/test.sh; }
part_readme() { need_sandbox && sh tests/readme.sh; }
part_install() { need_sandbox && sh tests/install.sh; }

# --- Looking for what goes wrong unseen ---

part_model() { RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR=target/shuttle cargo test --quiet --release --lib model; }
part_mutants() { sh tests/mutants.sh; }
part_fuzz() { sh tests/fuzz.sh; }

part_valgrind() {
    need_sandbox || return 1
    result=0
    for name in abi_test token_test; do
        echo "-- $name under valgrind"
        valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9 --fair-sched=yes \
            "$build/$name-c99-shared" >"$build/$name.valgrind" 2>&1 ||
            { tail -40 "$build/$name.valgrind"; result=1; }
    done
    return $result
}

part_sanitizer() {
    if ! cargo +nightly --version >/dev/null 2>&1; then
        skip "AddressSanitizer needs a nightly Rust. Install it with: rustup toolchain install nightly"
        return
    fi
    need_sandbox || return 1
    target=$(host)
    RUSTFLAGS="-Zsanitizer=address -Cforce-frame-pointers=yes" CARGO_TARGET_DIR=target/asan \
        cargo +nightly rustc --quiet --lib --crate-type cdylib --target "$target" || return 1
    asan=target/asan/$target/debug
    ln -sf libapivideo.so "$asan/libapivideo.so.0.1"
    for name in abi_test token_test; do
        cc_ -std=c11 -D_GNU_SOURCE -g -fsanitize=address $strict -Iinclude -Itests/c "tests/c/$name.c" \
            -o "$build/$name-asan" -L"$asan" -lapivideo -Wl,-rpath,"$PWD/$asan" -lpthread -ldl || return 1
        echo "-- $name under AddressSanitizer"
        "$build/$name-asan" || return 1
    done
}

# Each row of the fault matrix, and each lost connection.
part_leaks() {
    cargo +nightly --version >/dev/null 2>&1 || complain "LeakSanitizer needs a nightly Rust: rustup toolchain install nightly" || return 1
    RUSTFLAGS="-Zsanitizer=leak -Cforce-frame-pointers=yes" CARGO_TARGET_DIR=target/lsan cargo +nightly test --quiet \
        --target "$(host)" --test matrix --test cuts --test transport --test faults
}

# std's locks must be instrumented too, or each would be taken for a race.
part_race() {
    if [ ! -d "$(rustc +nightly --print sysroot 2>/dev/null)/lib/rustlib/src/rust" ]; then
        complain "ThreadSanitizer needs a nightly Rust and its sources: rustup toolchain install nightly --component rust-src"
        return 1
    fi
    need_sandbox || return 1
    target=$(host)
    RUSTFLAGS="-Zsanitizer=thread" CARGO_TARGET_DIR=target/tsan \
        cargo +nightly rustc -Zbuild-std --quiet --lib --crate-type cdylib --target "$target" || return 1
    tsan=target/tsan/$target/debug
    runtime=$(rustc +nightly --print sysroot)/lib/rustlib/$target/lib/librustc-nightly_rt.tsan.a
    ln -sf libapivideo.so "$tsan/libapivideo.so.0.1"
    for name in abi_test token_test; do
        # gcc's runtime lacks what Rust's code calls, so the program gets Rust's.
        cc_ -std=c11 -D_GNU_SOURCE -g -fsanitize=thread $strict -Iinclude -Itests/c -c "tests/c/$name.c" -o "$build/$name-tsan.o" &&
            cc_ "$build/$name-tsan.o" -o "$build/$name-tsan" -Wl,--whole-archive "$runtime" -Wl,--no-whole-archive -rdynamic \
                -L"$tsan" -lapivideo -Wl,-rpath,"$PWD/$tsan" -lstdc++ -lpthread -ldl -lm || return 1
        echo "-- $name under ThreadSanitizer"
        "$build/$name-tsan" || return 1
    done
}

for part in ${*:-$parts}; do
    note "$part"
    if "part_$part"; then passed=$((passed + 1)); else failed="$failed $part"; fi
done

note "${failed:+failed:$failed}"
echo "$passed passed, $(echo $failed | wc -w | tr -d ' ') failed"
[ -z "$failed" ]
