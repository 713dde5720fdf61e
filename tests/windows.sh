#!/bin/sh
# Windows, under Wine: the library built by mingw, and the suites of C, C++, Rust, the command, .NET and Python with it.
#
# `sh tests/windows.sh` is the part windows of tests/run.sh; `sh tests/windows.sh c rust` does these steps only. Their names are
# below, in $steps. What is downloaded stays in target/windows, with the prefix that Wine works in.
# shellcheck disable=SC2046,SC2048,SC2086 # lists of names and of flags
set -u
cd "$(dirname "$0")/.." || exit 1
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET
unset SSL_CERT_FILE SSL_CERT_DIR # They would be asked in place of Windows.

steps="library c cpp static rust command dotnet python"
target=x86_64-pc-windows-gnu
tools=x86_64-w64-mingw32
stage=target/$target/stage
work=$PWD/target/windows
run=$work/run
strict="-g -O1 -Wall -Wextra -Wpedantic -Werror -Iinclude -Itests/c"
failed=""

note() { printf '\n-- %s\n' "$*"; }
skip() { printf 'skipped: %s: %s\n' "$1" "$2"; }
complain() { echo "error: $*" >&2; return 1; }
windows_path() { printf 'Z:%s' "$1" | tr / '\\'; }

# fetch FILE SHA-256 COMMAND…: runs the command in target/windows/downloads, unless the file is there.
fetch() {
    file=$1 sum=$2
    shift 2
    mkdir -p "$work/downloads"
    (cd "$work/downloads" && { [ -f "$file" ] || "$@" >fetch.log 2>&1; } && echo "$sum  $file" | sha256sum --check --quiet) ||
        complain "$file could not be had: see $work/downloads/fetch.log"
}

# --- What the steps stand on ---

for wine in wine64 /usr/lib/wine/wine64 wine; do
    command -v "$wine" >/dev/null && break
done
export WINEPREFIX=$work/prefix WINEDEBUG=-all LC_ALL=C.UTF-8
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=$wine

# Wine's own folder. A Wine before 8.13 lacks a DLL that every program in Rust needs; .NET wants Windows 10.
prepare_wine() {
    [ -f "$WINEPREFIX/ready" ] && return
    rm -rf "$WINEPREFIX" && mkdir -p "$work" &&
        "$wine" wineboot -i >"$work/prefix.log" 2>&1 &&
        "$wine" winecfg -v win10 >>"$work/prefix.log" 2>&1 </dev/null || return 1
    system=$WINEPREFIX/drive_c/windows/system32
    [ -f "$system/bcryptprimitives.dll" ] ||
        $tools-gcc -O2 -Wall -Wextra -shared -s tests/windows/bcryptprimitives.c -o "$system/bcryptprimitives.dll" -ladvapi32 || return 1
    touch "$WINEPREFIX/ready"
}

# sandbox NAME OPTION…: a native one, which ends with this script; $url is its address.
sandbox() {
    name=$1
    shift
    rm -f "$run/$name.url" "$run/$name.alive"
    mkfifo "$run/$name.alive"
    target/release/apivideo-sandbox --ready-file "$run/$name.url" --exit-with-parent "$@" <"$run/$name.alive" >/dev/null 8>&- &
    case $name in
        plain) exec 8>"$run/$name.alive" ;;
        tls) exec 7>"$run/$name.alive" ;;
    esac
    until [ -s "$run/$name.url" ]; do sleep 0.1; done
    url=$(cat "$run/$name.url")
}

prepare() {
    note "the library and the sandbox"
    make --silent dist TARGET=$target CARGOFLAGS='--locked --quiet' && cargo build --quiet --release --package apivideo-sandbox || return 1
    archive=target/dist/libapivideo-$(make --silent print-VERSION)-$target.zip
    rm -rf "$work/archive" && python3 -m zipfile -e "$archive" "$work/archive" || return 1
    archive=$work/archive/$(basename "$archive" .zip)
    prepare_wine || complain "Wine does not start: see $work/prefix.log" || return 1
    rm -rf "$run" && mkdir -p "$run/été 漢字" && cp $stage/bin/apivideo.dll "$run" || return 1
    sandbox plain
    export APIVIDEO_TEST_URL="$url"
    sandbox tls --tls --ca-file "$run/été 漢字/ca.pem"
    APIVIDEO_TEST_TLS_URL=$url
    APIVIDEO_TEST_CA_FILE=$(windows_path "$run/été 漢字/ca.pem")
    APIVIDEO_TEST_LIBRARY=$(windows_path "$run/apivideo.dll")
    APIVIDEO_TEST_SANDBOX=$(windows_path "$archive/bin/apivideo-sandbox.exe")
    export APIVIDEO_TEST_TLS_URL APIVIDEO_TEST_CA_FILE APIVIDEO_TEST_LIBRARY APIVIDEO_TEST_SANDBOX
}

# --- The DLL ---

dll() { $tools-objdump -p $stage/bin/apivideo.dll; }
same() { [ "$2" = "$3" ] || complain "$1: \"$2\", and not \"$3\""; }

step_library() {
    exported=$(dll | sed -n 's/^.* \(apivideo_[a-z0-9_]*\)$/\1/p' | sort)
    # As the list of what is exported on every system has it.
    promised=$(sed -n 's/^[0-9.]* function .*\(apivideo_[a-z0-9_]*\)(.*/\1/p; s/^[0-9.]* function \(apivideo_[a-z0-9_]*\).*/\1/p' tests/abi/promises.txt | sort -u)
    same "exports" "$exported" "$promised" || return 1
    same "exports of others" "$(dll | sed -n '/Name Pointer/,/^$/s/^.*\[ *[0-9]*\].* \([^ ]*\)$/\1/p' | grep -vc '^apivideo_')" 0 || return 1
    for needed in $(dll | sed -n 's/.*DLL Name: //p' | tr '[:upper:]' '[:lower:]' | sort -u); do
        case $needed in
            advapi32.dll | kernel32.dll | msvcrt.dll | ntdll.dll | bcrypt.dll | bcryptprimitives.dll | crypt32.dll | ws2_32.dll | userenv.dll | dbghelp.dll) ;;
            api-ms-win-core-*) ;;
            *) complain "it needs $needed, which is not part of Windows"; return 1 ;;
        esac
    done
    for protection in HIGH_ENTROPY_VA DYNAMIC_BASE NX_COMPAT; do
        dll | grep -q "$protection" || complain "it is built without $protection" || return 1
    done
    # What Explorer shows: texts of the resource are in UTF-16.
    tr -d '\000' <$stage/bin/apivideo.dll | grep -aq "FileVersion.*$(make --silent print-VERSION)" || complain "it has no version resource" || return 1
    ! grep -aq "$PWD" $stage/bin/apivideo.dll || complain "it names a folder of its builder" || return 1
    for file in bin/apivideo.dll lib/apivideo.lib lib/libapivideo.dll.a lib/libapivideo.a; do
        cmp "$stage/$file" "$archive/$file" || return 1
    done
    "$wine" "$archive/bin/apivideo-sandbox.exe" --help >/dev/null || complain "the archive's apivideo-sandbox.exe does not run" || return 1
    echo "exports $(echo "$exported" | wc -l) functions, $(stat -c %s $stage/bin/apivideo.dll) bytes, needs parts of Windows only"
    import_library_of_microsofts
}

# Microsoft's linker is not here; LLVM's reads the same.
import_library_of_microsofts() {
    linker=$(command -v lld-link || ls /usr/bin/lld-link-* 2>/dev/null | tail -n 1)
    [ -n "$linker" ] || { skip apivideo.lib "needs lld-link (Debian: lld)"; return 0; }
    $tools-gcc -c -O1 -Iinclude -ffreestanding tests/windows/imported.c -o "$run/imported.obj" &&
        "$linker" -nologo -subsystem:console -entry:start -nodefaultlib -out:"$run/imported.exe" "$run/imported.obj" $stage/lib/apivideo.lib &&
        "$wine" "$run/imported.exe"
    same "with apivideo.lib, linked as Microsoft's linker does, the program ends with" $? 42
}

# --- C and C++ ---

# The import library by its file: with -static the linker looks for no other.
shared="$stage/lib/libapivideo.dll.a -lws2_32 -static -lpthread"

# program NAME LINK…: compiles tests/c/NAME.c, and runs it.
program() {
    name=$1
    shift
    $tools-gcc -std=c99 -D_GNU_SOURCE $strict "tests/c/$name.c" -o "$run/$name.exe" "$@" &&
        "$wine" "$run/$name.exe" >"$run/$name.log" 2>&1
    code=$?
    grep -v '^ok ' "$run/$name.log" | tail -n 20 | sed "s/^/$name: /"
    return $code
}

step_c() {
    result=0
    for name in abi_test token_test request_test upload_test memory_test store_test windows_test dlopen_test; do
        program $name $shared || result=1
    done
    skip process_test "is about fork(), signals, seccomp and pthread_cancel, which Windows has not; windows_test.c stands in"
    skip fleet_test "stops processes, as on Linux"
    skip coredump_test "reads cores of Linux; windows_test.c looks at the pages, and Error Reporting does not run under Wine"
    return $result
}

step_cpp() {
    $tools-g++-posix -std=c++17 $strict tests/c/cpp_test.cpp -o "$run/cpp_test.exe" $shared && "$wine" "$run/cpp_test.exe" ||
        return 1
    skip cpp_no_exceptions_test "forks"
}

step_static() {
    for name in abi_test upload_test; do
        program $name $stage/lib/libapivideo.a $(make --silent TARGET=$target print-native) -static -lpthread || return 1
    done
    for name in token_test request_test; do skip $name-static "moves the library's clocks, whose imports are here the program's too"; done
}

# --- Rust ---

step_rust() {
    # A connection takes longer here: not after each byte, but after each seventh.
    APIVIDEO_TEST_CUT_STEP=7 cargo test --quiet --locked --no-fail-fast --target $target --lib --test connection_loss --test faults --test trust --test requests --test uploads || return 1
    for name in store store_matrix redis; do skip $name "stops processes, or starts servers, of Linux"; done
    for name in matrix transport; do
        skip $name "stands in for functions of the C library by their names, which nobody calls on Windows"
    done
}

# --- The command ---

step_command() {
    cargo test --quiet --locked --no-fail-fast --target $target --package apivideo-cli || return 1
    skip an_interrupted_upload "sends a signal"
}

# --- .NET: Microsoft's runtime for Windows, and the test program as it is built on Linux ---

step_dotnet() { bash bindings/dotnet/test-windows.sh "$wine" "$work" "$run"; }

# --- Python: CPython's embeddable package for Windows ---

step_python() { bash bindings/python/test-windows.sh "$wine" "$work" "$run"; }

prepare || exit 1
for step in ${*:-$steps}; do
    note "$step"
    started=$(date +%s)
    "step_$step" || failed="$failed $step"
    echo "$step: $(($(date +%s) - started)) s"
done
[ -z "$failed" ] || complain "failed:$failed"
