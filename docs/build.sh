#!/bin/bash
# Builds the documentation site in target/docs/site: `make docs`. Needs Rust, Doxygen, and Python
# 3.10 or later with venv; the rest comes from PyPI, once, into target/docs-venv.
# With --pictures: only draws docs/pictures anew, as README shows them.
set -euo pipefail
cd "$(dirname "$0")/.."
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET # Everything here is in target/.
venv=target/docs-venv

die() { echo "error: $*" >&2; exit 1; }
python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
    die "the documentation needs Python 3.10 or later with venv. On Debian: apt-get install python3-venv"
command -v doxygen >/dev/null ||
    die "the documentation needs Doxygen, which reads the comments of C, C++ and C#. On Debian: apt-get install doxygen"

if ! cmp -s docs/requirements.txt "$venv/made-for"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement docs/requirements.txt
    cp docs/requirements.txt "$venv/made-for"
fi

# The pictures are told by the simulation, which is a test of the crate.
mkdir -p target/docs
APIVIDEO_PICTURES=$PWD/target/docs/simulation.json cargo test --quiet --locked --lib pictures >target/docs/pictures.log ||
    { cat target/docs/pictures.log; die "the simulation failed"; }
python3 docs/pictures.py target/docs/simulation.json target/docs/pictures
if [ "${1:-}" = --pictures ]; then
    cp target/docs/pictures/*.svg docs/pictures
    exit
fi

cargo doc --quiet --locked --no-deps --package apivideo
# Material would rather tell of its plans than of this site.
NO_MKDOCS_2_WARNING=1 "$venv/bin/mkdocs" build --quiet --strict --config-file mkdocs.yml
echo "The documentation is in target/docs/site. To read it, with the search:"
echo "    python3 -m http.server --bind 127.0.0.1 --directory target/docs/site 8000    # http://127.0.0.1:8000"
