#!/bin/sh
# The whole Python suite: `make test` calls it. Ends with pytest's lines, and with its exit code.
#
# Builds the library, an sdist, a wheel from that sdist, and a portable wheel; installs the last one
# on the oldest and on the newest Python found (3.9 or later) and runs pytest on both; then mypy
# --strict, pyright, and ruff for the length of comments. Virtual environments go to target/python/.
# APIVIDEO_TEST_URL names a sandbox that runs already; else the tests start their own.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
work=$root/target/python
failed=""

note() { printf '\n== Python: %s\n' "$*"; }
fail() { echo "error: $*" >&2; failed="$failed; $*"; }
# What cannot run here is a failure in CI, and hard to miss elsewhere.
skip() {
    [ "${CI:-}" != true ] || { fail "$*"; return; }
    printf '\n*** SKIPPED ***\n%s\n\n' "$*"
}
die() { echo "error: $*" >&2; exit 1; }
pip_of() { env=$1; shift; "$env/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
make_env() { rm -rf "$2"; "$1" -m venv "$2" || die "$1 cannot make a virtual environment (Debian: apt-get install python3-venv)"; }

# Every Python from 3.9 on: "3.11 /path/to/python".
pythons() {
    {
        for minor in 9 10 11 12 13 14 15; do command -v "python3.$minor"; done
        command -v python3
        ls "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3 2>/dev/null
    } | while read -r python; do
        # A pyenv shim without a version behind it says so by failing.
        "$python" -c 'import sys, venv, ensurepip; v = sys.version_info
if v >= (3, 9): print(f"{v[0]}.{v[1]:02} {sys.executable}")' 2>/dev/null
    done | sort -u
}

all=$(pythons)
[ -n "$all" ] || die "no Python 3.9 or later with venv was found"
oldest=$(echo "$all" | head -1 | cut -d' ' -f2)
newest=$(echo "$all" | tail -1 | cut -d' ' -f2)
mkdir -p "$work"
cd "$root" || exit 1

note "the sandbox and the library ($("$newest" --version))"
cargo build --quiet --release --package apivideo-sandbox || die "the sandbox does not build"
export APIVIDEO_SANDBOX="$target/release/apivideo-sandbox"
make_env "$newest" "$work/build"
pip_of "$work/build" install --requirement "$here/tests/requirements-build.txt" || die "pip failed"

note "an sdist, and from it in a clean folder a portable wheel"
rm -rf "$work/dist"
"$work/build/bin/python" -m build --sdist --outdir "$work/dist" "$here" >"$work/sdist.log" 2>&1 || { cat "$work/sdist.log"; die "no sdist"; }
PATH="$work/build/bin:$PATH" LIBAPIVIDEO_MANYLINUX=$([ "$(uname -s)" = Linux ] && echo 2_17) CARGO_TARGET_DIR="$target" \
    pip_of "$work/build" wheel --no-deps --wheel-dir "$work/dist" "$work"/dist/*.tar.gz || die "no wheel"
wheel=$(ls "$work"/dist/*.whl)
if [ "$(uname -s)" = Linux ]; then
    "$work/build/bin/auditwheel" show "$wheel" >"$work/audit.log" 2>&1
    grep -q 'platform tag: "manylinux_2_17_' "$work/audit.log" || { cat "$work/audit.log"; fail "the wheel is not manylinux_2_17"; }
fi
"$work/build/bin/python" -m zipfile -l "$wheel" | grep '\.dist-info/licenses/THIRD-PARTY-LICENSES\.txt ' >/dev/null ||
    fail "the wheel lacks the licences of what the library contains"
echo "$(basename "$wheel"), $(wc -c <"$wheel") bytes"

note "pip install ./bindings/python, in a fresh virtual environment"
make_env "$newest" "$work/install"
CARGO_TARGET_DIR="$target" pip_of "$work/install" install ./bindings/python || fail "pip install ./bindings/python"
(cd / && "$work/install/bin/python" -c 'import libapivideo; print("libapivideo", libapivideo.library_version(), "on", __import__("sys").version.split()[0])') ||
    fail "what pip installed does not run"
[ "$("$work/install/bin/python" -m pip list --disable-pip-version-check --format=freeze | grep -cv '^pip==\|^setuptools==')" = 1 ] ||
    fail "the package brings others along"

note "mypy --strict, pyright, and the length of comments"
make_env "$newest" "$work/types"
pip_of "$work/types" install --requirement "$here/tests/requirements.txt" --requirement "$here/tests/requirements-types.txt" "$wheel" || die "pip failed"
(cd "$here" && "$work/types/bin/mypy" --cache-dir "$work/mypy") || fail "mypy --strict"
"$work/types/bin/ruff" check --quiet --no-cache "$here" || fail "comments longer than 100 columns"
if command -v node >/dev/null; then
    (cd "$here" && PYRIGHT_PYTHON_IGNORE_WARNINGS=1 "$work/types/bin/pyright" --pythonpath "$work/types/bin/python") || fail "pyright"
else
    skip "pyright needs Node.js, and there is no node on PATH. Only mypy has checked the types."
fi

# In a fresh virtual environment, from another folder: the installed package is what is tested.
pytest_on() { # PYTHON
    env=$work/$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    make_env "$1" "$env"
    pip_of "$env" install wheel && pip_of "$env" install --requirement "$here/tests/requirements.txt" "$wheel" || die "pip failed"
    cd "$work" && "$env/bin/python" -m pytest --quiet --rootdir "$here" --config-file "$here/pyproject.toml" "$here/tests"
}

# Side by side: the tests mostly wait.
note "pytest on $("$oldest" --version) and $("$newest" --version), with the portable wheel"
code=0
[ "$oldest" = "$newest" ] || { (pytest_on "$oldest") >"$work/oldest.log" 2>&1 & }
(pytest_on "$newest") || code=$?
if [ "$oldest" != "$newest" ]; then
    wait $! || code=$?
    note "pytest on $("$oldest" --version)"
    cat "$work/oldest.log"
fi
[ -z "$failed" ] || { echo "error: failed before pytest$failed" >&2; [ $code != 0 ] || code=1; }
exit $code
