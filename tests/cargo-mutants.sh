#!/bin/sh
# A test of the tests: whatever cargo-mutants can change in a token's life, they must notice. `make cargo-mutants`.
#
# .cargo/mutants.toml says where, and which changes are none. `tests/cargo-mutants.sh -F backoff` tries those with that name.
# With CI=true cargo-mutants is built into target/tools when it is missing. What was found is in target/mutants.out.
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PWD/target/tools/bin:$PATH

if ! command -v cargo-mutants >/dev/null && [ "${CI:-}" = true ]; then
    cargo install cargo-mutants --locked --quiet --root target/tools
fi
if ! command -v cargo-mutants >/dev/null; then
    need="This needs cargo-mutants. Install it with: cargo install cargo-mutants --locked --root target/tools"
    [ "${CI:-}" = true ] && { echo "error: $need" >&2; exit 1; }
    printf '\n*** NOTHING WAS MUTATED ***\n%s\n\n' "$need"
    echo "skipped: cargo-mutants"
    exit 0
fi

# A mutant that never ends must not take all the memory until its time is up.
ulimit -v 12000000 2>/dev/null
mkdir -p target
cargo mutants --no-times "$@"
case $? in
    0 | 3) ;; # 3: in some the tests went on for ever, which is noticed too.
    *) exit 1 ;;
esac
