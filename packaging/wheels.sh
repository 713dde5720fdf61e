#!/bin/sh
# Python wheels of the platforms that build.sh has built, or of those named: `sh packaging/wheels.sh [TARGET…]`, into target/wheels.
# Each is checked: its tag, what is in it, its RECORD, and by auditwheel that it runs wherever its tag says.
set -eu
cd "$(dirname "$0")/.."
. packaging/platforms.sh
# shellcheck disable=SC2046 # a list of platforms
[ $# -gt 0 ] || set -- $(built_platforms)
[ $# -gt 0 ] || { echo "error: nothing is built: sh packaging/build.sh TARGET…" >&2; exit 1; }
environment=target/tools/wheels
requirements=bindings/python/tests/requirements-build.txt
wheels=target/wheels

cmp -s $requirements $environment/requirements || {
    rm -rf $environment
    python3 -m venv $environment
    $environment/bin/pip install --quiet --disable-pip-version-check --requirement $requirements 'hatchling>=1.27'
    cp $requirements $environment/requirements
}
mkdir -p $wheels
for target in "$@"; do
    tag=$(wheel_tag "$target")
    [ -n "$tag" ] || { echo "error: Python has no wheels for $target" >&2; exit 1; }
    # Without it the build would take in all that is in this folder, and wait at the first pipe.
    library=$(shared_library "$target")
    [ -f "$library" ] || { echo "error: $target is not built: sh packaging/build.sh $target" >&2; exit 1; }
    rm -f "$wheels"/*-"$tag".whl
    # The same bytes from the same sources: hatchling takes the times of the files from here.
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1577836800)} \
        APIVIDEO_WHEEL_LIBRARY=$PWD/$library APIVIDEO_WHEEL_TAG=$tag CARGO_BUILD_TARGET=$target \
        $environment/bin/python -m build --wheel --no-isolation --outdir $wheels bindings/python >"target/wheels-$target.log" 2>&1 ||
        { cat "target/wheels-$target.log"; exit 1; }
    $environment/bin/python packaging/check_wheel.py "$wheels"/*-"$tag".whl "$tag"
done
