#!/bin/bash
# Everything about the .NET packages: builds, tests, packs, restores the package in a program, runs
# the examples and README's. `test.sh NAME…` runs only the tests whose name contains one of these.
set -euo pipefail
cd "$(dirname "$0")/../.."
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET
. bindings/dotnet/dotnet-env.sh
work=$PWD/target/dotnet/test
mkdir -p "$work"
version=$(make --silent print-VERSION)
passed=0 failed=0
unset LIBAPIVIDEO_PATH # Only where it is meant.

note() { printf '\n== %s\n' "$*"; }
build() { "$dotnet" build -c Release -v q -nologo "$@"; }

# check WHAT COMMAND…: a step that counts as one test.
check() {
    local what=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        passed=$((passed + 1))
        echo "ok   $what"
    else
        failed=$((failed + 1))
        echo "FAIL $what"
        cat "$work/output"
    fi
}

sandboxes=()
trap '[ ${#sandboxes[@]} = 0 ] || kill "${sandboxes[@]}"' EXIT

# sandbox NAME OPTION…: starts one that ends with this script; $url is its address.
sandbox() {
    local name=$1 alive
    shift
    rm -f "$work/$name.url" "$work/$name.alive"
    mkfifo "$work/$name.alive"
    target/release/apivideo-sandbox --ready-file "$work/$name.url" --exit-with-parent "$@" <"$work/$name.alive" >/dev/null &
    sandboxes+=($!)
    exec {alive}>"$work/$name.alive"
    until [ -s "$work/$name.url" ]; do
        kill -0 $! || { echo "error: the sandbox did not start" >&2; exit 1; }
        sleep 0.1
    done
    url=$(cat "$work/$name.url")
}

note "native library and sandbox"
make --silent CARGOFLAGS='--locked --quiet'
cargo build --quiet --release --package apivideo-sandbox
if [ -z "${APIVIDEO_TEST_URL:-}" ]; then
    sandbox plain
    export APIVIDEO_TEST_URL=$url
fi
sandbox tls --tls --ca-file "$work/ca.pem"
export APIVIDEO_TEST_TLS_URL=$url APIVIDEO_TEST_CA_FILE=$work/ca.pem
export APIVIDEO_TEST_ROOT=$PWD APIVIDEO_TEST_WRONG_ABI=$work/libwrong.so
"${CC:-cc}" -shared -fPIC -o "$APIVIDEO_TEST_WRONG_ABI" bindings/dotnet/tests/LibApiVideo.Tests/wrong_abi.c

# run_tests WHAT COMMAND…: runs the test program and adds its counts up.
run_tests() {
    note "tests on $1"
    shift
    LIBAPIVIDEO_PATH=$PWD/target/release/libapivideo.so "$@" "${only[@]}" | tee "$work/tests" || true
    local counts
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$work/tests")
    counts=${counts:-0 1}
    passed=$((passed + ${counts% *})) failed=$((failed + ${counts#* }))
}
only=("$@")

note "building"
build bindings/dotnet/src/LibApiVideo.Extensions.Http
# The package has two assemblies. A program for .NET Core 3.1 takes that for .NET Standard.
frameworks=(netcoreapp3.1 "$modern_framework")
for framework in "${frameworks[@]}"; do
    build bindings/dotnet/tests/LibApiVideo.Tests "-p:AppFramework=$framework"
    run_tests "$framework, the SDK $("$dotnet" --version)" "$dotnet" "target/dotnet/bin/LibApiVideo.Tests/Release/$framework/LibApiVideo.Tests.dll"
done
# With APIVIDEO_TEST_MONO=yes: README.md says what does not work there.
if [ "${APIVIDEO_TEST_MONO:-}" = yes ]; then
    # Mono as Debian has it lacks the facades that .NET Standard needs; every SDK has them for .NET
    # Framework.
    build bindings/dotnet/tests/LibApiVideo.Tests -p:AppFramework=netstandard2.0
    mono_tests=target/dotnet/bin/LibApiVideo.Tests/Release/netstandard2.0
    sdk=$("$dotnet" --list-sdks | tail -1 | sed 's/^\([^ ]*\) \[\(.*\)\]$/\2\/\1/')
    cp "$sdk"/Microsoft/Microsoft.NET.Build.Extensions/net461/lib/*.dll "$mono_tests"
    rm "$mono_tests/System.Net.Http.dll"
    run_tests "$(mono --version | head -1)" mono "$mono_tests/LibApiVideo.Tests.dll"
fi

[ ${#only[@]} -gt 0 ] && { echo "$passed passed, $failed failed"; [ "$failed" = 0 ]; exit; }

note "package"
feed=$PWD/target/dotnet/feed

# has FILE ENTRY…
has() {
    local file=$1 entry
    shift
    python3 -m zipfile -l "$file" >"$work/entries"
    for entry; do
        grep -q "^$entry " "$work/entries" || { echo "$file has no $entry:"; cat "$work/entries"; return 1; }
    done
}

package_is_complete() {
    has "$feed/LibApiVideo.$version.nupkg" lib/netstandard2.0/LibApiVideo.dll lib/netstandard2.0/LibApiVideo.xml \
        "lib/$modern_framework/LibApiVideo.dll" "lib/$modern_framework/LibApiVideo.xml" README.md LICENSE THIRD-PARTY-LICENSES.txt \
        "runtimes/linux-$(uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/')/native/libapivideo.so" &&
        has "$feed/LibApiVideo.$version.snupkg" lib/netstandard2.0/LibApiVideo.pdb &&
        has "$feed/LibApiVideo.Extensions.Http.$version.nupkg" "lib/${ExtensionsFramework:-netstandard2.0}/LibApiVideo.Extensions.Http.xml"
}

other_platforms() {
    local libraries=$work/libraries
    rm -rf "$libraries" "$work/feed"
    mkdir -p "$libraries"/{osx-arm64,win-x64,linux-arm64,linux-musl-x64}
    touch "$libraries/osx-arm64/libapivideo.dylib" "$libraries/win-x64/apivideo.dll" "$libraries"/{linux-arm64,linux-musl-x64}/libapivideo.so
    "$dotnet" pack -v q -nologo -c Release bindings/dotnet/src/LibApiVideo -o "$work/feed" "-p:NativeLibraries=$libraries" &&
        has "$work/feed/LibApiVideo.$version.nupkg" runtimes/osx-arm64/native/libapivideo.dylib runtimes/win-x64/native/apivideo.dll \
            runtimes/linux-arm64/native/libapivideo.so runtimes/linux-musl-x64/native/libapivideo.so
}

no_libraries() {
    ! "$dotnet" pack -v q -nologo -c Release bindings/dotnet/src/LibApiVideo -o "$work/feed" "-p:NativeLibraries=$work/none" >"$work/said" &&
        grep -q "has no library in a folder named after a runtime identifier" "$work/said"
}

forget_package() { rm -rf "$NUGET_PACKAGES"/libapivideo*; }

# consumer FRAMEWORK
consumer() {
    forget_package
    rm -rf target/dotnet/obj/Consumer target/dotnet/bin/Consumer
    build bindings/dotnet/tests/Consumer "-p:RestoreAdditionalProjectSources=$feed" "-p:AppFramework=$1" &&
        "$dotnet" "target/dotnet/bin/Consumer/Release/$1/Consumer.dll" >"$work/consumer" && cat "$work/consumer" &&
        grep -q '^OK$' "$work/consumer" && grep -q '^Token (redacted)' "$work/consumer"
}

sources_are_named() {
    rm -rf "$work/symbols"
    python3 -m zipfile -e "$feed/LibApiVideo.$version.snupkg" "$work/symbols" &&
        grep -q "https://raw.githubusercontent.com/owner/name/$(git rev-parse HEAD)/" "$work/symbols/lib/netstandard2.0/LibApiVideo.pdb"
}

check "pack.sh" env GITHUB_REPOSITORY=owner/name bindings/dotnet/pack.sh
check "the package is complete" package_is_complete
check "its symbols say where the sources are" sources_are_named
for framework in "${frameworks[@]}"; do
    check "a program for $framework restores it from a folder and runs" consumer "$framework"
done
check "other platforms' libraries are packed" other_platforms
check "without a library there is no package" no_libraries

note "examples"
example() {
    build "examples/dotnet/$1" && LIBAPIVIDEO_PATH=$PWD/target/release/libapivideo.so APIVIDEO_API_KEY=sandbox-key APIVIDEO_BASE_URL=$APIVIDEO_TEST_URL \
        "$dotnet" "$(ls "target/dotnet/bin/$1/Release"/*/"$1.dll" | tail -1)"
}
for name in FirstToken HttpClient DependencyInjection Upload; do
    check "$name" example "$name"
done

note "README.md"
# Its C# as programs, and that of the repository's README, word for word. The environment names the
# sandbox.
readme_programs() {
    rm -rf "$work/readme"
    python3 - "$work/readme" <<'PYTHON'
import os, re, sys
out, = sys.argv[1:]
def csharp(readme):
    return re.findall(r"^```csharp\n(.*?)^```", open(readme, encoding="utf-8").read(), re.M | re.S)
theirs, ours = csharp("README.md"), csharp("bindings/dotnet/README.md")
assert theirs and len(ours) > 3, "a README.md has lost its C#"
blocks = ours + theirs
for number, code in enumerate(blocks):
    body = re.sub(r"^using [\w.]+( = [\w.]+)?;\n", "", code, flags=re.M)
    usings = "".join(re.findall(r"^using [\w.]+(?: = [\w.]+)?;\n", code, re.M))
    os.makedirs(f"{out}/Readme{number}")
    with open(f"{out}/Readme{number}/Program.cs", "w", encoding="utf-8") as f:
        f.write(usings + "internal static class Program\n{\n    private static async System.Threading.Tasks.Task Main()\n    {\n"
                + body + "        await System.Threading.Tasks.Task.Yield();\n    }\n}\n")
    with open(f"{out}/Readme{number}/Readme{number}.csproj", "w") as f:
        f.write(open("examples/dotnet/DependencyInjection/DependencyInjection.csproj").read().replace("../../../bindings", os.getcwd() + "/bindings"))
PYTHON
    cp examples/dotnet/Directory.Build.props "$work/readme"
    sed -i "s|\.\./\.\./bindings|$PWD/bindings|" "$work/readme/Directory.Build.props"
}
readme_program() {
    build "$work/readme/$1" && LIBAPIVIDEO_PATH=$PWD/target/release/libapivideo.so APIVIDEO_SANDBOX=$PWD/target/release/apivideo-sandbox \
        APIVIDEO_API_KEY=sandbox-key APIVIDEO_BASE_URL=$APIVIDEO_TEST_URL "$dotnet" "$(ls "target/dotnet/bin/$1/Release"/*/"$1.dll")"
}
# Its shell commands, as they stand but for the sandbox's port.
readme_commands() {
    forget_package
    rm -rf target/first-token "$feed"
    sed -n '/^```sh$/,/^```$/{/^```/d;p}' bindings/dotnet/README.md | sed "s|http://127.0.0.1:8790|$APIVIDEO_TEST_URL|" >"$work/readme.sh"
    (set -e; unset LIBAPIVIDEO_PATH; . "$work/readme.sh") >"$work/readme.out" 2>&1 && grep 'Token (redacted), expires' "$work/readme.out" ||
        { cat "$work/readme.out"; return 1; }
}
check "its programs are found" readme_programs
for program in "$work"/readme/*/; do
    check "$(basename "$program")" readme_program "$(basename "$program")"
done
check "its commands" readme_commands

echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
