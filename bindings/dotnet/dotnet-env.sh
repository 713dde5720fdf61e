# shellcheck shell=bash
# Sourced by test.sh, bench.sh and pack.sh, in the repository's root: sets $dotnet to a .NET SDK,
# the one on PATH if it is 8 or newer, or one under target/.

dotnet_root=$PWD/target/dotnet/sdk
if [ -n "$(command -v dotnet)" ] && dotnet --list-sdks 2>/dev/null | grep -qE '^([89]|[1-9][0-9])\.'; then
    dotnet=dotnet
else
    bindings/dotnet/setup-dotnet.sh "$dotnet_root" || exit 1
    dotnet=$dotnet_root/dotnet
    export DOTNET_ROOT=$dotnet_root DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
    export PATH=$dotnet_root:$PATH
    # No nuget.org; and Microsoft.Extensions.Http only for this framework. MSBuild takes them as
    # properties.
    export RestoreSources=$dotnet_root/feed ExtensionsFramework=netcoreapp3.1 DisableRarCache=true
    no_nuget=yes
fi
# What the newer one of the package's two assemblies is for. The SDK under target/ has a name of its
# own for that.
modern_framework=${no_nuget:+netcoreapp8.0}
modern_framework=${modern_framework:-net8.0}
# A program for an older .NET runs on the one that is there.
export DOTNET_ROLL_FORWARD=LatestMajor
# No build or compile server that stays behind.
export UseSharedCompilation=false MSBUILDDISABLENODEREUSE=1
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
# Packages of this tree have one version number for many contents: they must not stay in the user's
# cache.
export NUGET_PACKAGES=$PWD/target/dotnet/packages
