#!/bin/sh
# Everything that a release has for platforms, in target/packages: an archive and an SBOM (CycloneDX) of each, its wheel, the NuGet packages
# with all of them, and SHA256SUMS. `sh packaging/release.sh [TARGET…]`; by default those that Linux on x86-64 builds and tests.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
packages=target/packages
rm -rf $packages target/dist target/wheels
mkdir -p $packages
sh packaging/build.sh --dist "$@"
version=$(make --silent print-VERSION)
for target in "$@"; do
    python3 packaging/sbom.py "$target" >"$packages/libapivideo-$version-$target.cdx.json"
done
sh packaging/wheels.sh "$@"
bash bindings/dotnet/pack.sh "$@"
cp target/dist/* target/wheels/*.whl target/dotnet/feed/*nupkg $packages
(cd $packages && sha256sum -- * >SHA256SUMS)
cat $packages/SHA256SUMS
