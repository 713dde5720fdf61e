# shellcheck shell=bash
# Sourced by test.sh and bench.sh, in the repository's root: sets $dotnet to a .NET SDK, the one on PATH or one under target/.

dotnet_root=$PWD/target/dotnet/sdk
if [ -n "$(command -v dotnet)" ] && [ -n "$(dotnet --list-sdks 2>/dev/null)" ]; then
    dotnet=dotnet
else
    bindings/dotnet/setup-dotnet.sh "$dotnet_root" || exit 1
    dotnet=$dotnet_root/dotnet
    export DOTNET_ROOT=$dotnet_root DOTNET_ROLL_FORWARD=LatestMajor DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
    export PATH=$dotnet_root:$PATH
    # No nuget.org; and Microsoft.Extensions.Http only for this framework. MSBuild takes them as properties.
    export RestoreSources=$dotnet_root/feed ExtensionsFramework=netcoreapp3.1 DisableRarCache=true
    no_nuget=yes
fi
# No build or compile server that stays behind.
export UseSharedCompilation=false MSBUILDDISABLENODEREUSE=1
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
# Packages of this tree have one version number for many contents: they must not stay in the user's cache.
export NUGET_PACKAGES=$PWD/target/dotnet/packages
