#!/bin/bash
# The documentation site: builds it, and opens it in headless Chromium.
# Ends with "N passed, N failed"; with status 2 if a program is missing.
#
# Needs what docs/build.sh needs, and Chromium with its driver. What is missing is named; with
# CI=true on Debian, as root, it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=""
command -v doxygen >/dev/null || packages="$packages doxygen"
command -v chromium >/dev/null || packages="$packages chromium"
command -v chromedriver >/dev/null || packages="$packages chromium-driver"
if [ -n "$packages" ]; then
    install="apt-get install -y --no-install-recommends$packages"
    if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install >/dev/null
    else
        echo "error: the site's test needs$packages. Install with: $install" >&2
        exit 2
    fi
fi

bash docs/build.sh >target/docs-build.log 2>&1 || { cat target/docs-build.log; exit 1; }
for drawn in target/docs/pictures/*.svg; do
    cmp -s "$drawn" "docs/pictures/$(basename "$drawn")" || stale="${stale:-} $(basename "$drawn")"
done
if [ -n "${stale:-}" ]; then
    echo "error: docs/pictures are not what the simulation gives today:$stale. Draw them anew with: make pictures" >&2
    exit 1
fi
target/docs-venv/bin/pip install --quiet --disable-pip-version-check --requirement docs/requirements-test.txt
target/docs-venv/bin/python tests/docs.py target/docs/site
