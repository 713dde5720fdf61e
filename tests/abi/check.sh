#!/bin/sh
# Compares include/apivideo.h and the built library with tests/abi/promises.txt. A change that is
# not an addition fails.
#
#     sh tests/abi/check.sh            # after `make`
#     sh tests/abi/check.sh --freeze   # also promises what is new, as of the header's version
#
# Needs Python 3.9 or later and pycparser, which it fetches into target/abi when Python has none.
# abidiff (Debian: abigail-tools) compares once more where it is installed.
set -u
cd "$(dirname "$0")/../.." || exit 1
target=${CARGO_TARGET_DIR:-target}
library=$target/release/libapivideo.so
result=0
complain() { echo "error: $*" >&2; result=1; }

python=python3
if ! python3 -c 'import pycparser' 2>/dev/null; then
    python=$target/abi/bin/python
    "$python" -c 'import pycparser' 2>/dev/null || {
        python3 -m venv "$target/abi" && "$python" -m pip install --quiet --disable-pip-version-check pycparser==2.22
    } || { complain "Python has no pycparser. Install it with: apt-get install -y python3-pycparser"; exit 1; }
fi
command -v abidiff >/dev/null || echo "abidiff is not installed (Debian: abigail-tools): only the declarations are compared."
[ -f "$library" ] || { complain "$library is not built. Run make first."; exit 1; }

export PYTHONDONTWRITEBYTECODE=1
"$python" -m unittest --quiet tests/abi/compare_test.py || complain "the comparer does not find what it must"
"$python" tests/abi/compare.py include/apivideo.h tests/abi/promises.txt --library "$library" "$@" ||
    complain "A promise is broken. Give what is better another name, and keep the old one."

if [ "$(uname -s)" = Linux ]; then
    soname=$(make --silent print-soname)
    readelf -d "$library" | grep -qF "[$soname]" || complain "the library's SONAME is not $soname"
    readelf -d "$library" | grep -q NODELETE || complain "the library is not linked with -z nodelete"
fi
exit $result
