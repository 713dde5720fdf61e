#!/bin/sh
# Whether the Rust code compiles for systems that nothing here can run or link for: .github/workflows/ci.yml builds and tests it on
# machines of their own. ring's C is left out: a compiler for it would need those systems' headers.
set -u
cd "$(dirname "$0")/.." || exit 1
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET
stand_in=$PWD/tests/no-compiler.sh
result=0
# For Windows on arm64 ring asks for clang by its name.
mkdir -p target/portability && ln -sf "$stand_in" target/portability/clang || exit 1
PATH=$PWD/target/portability:$PATH
for target in x86_64-pc-windows-msvc aarch64-pc-windows-gnullvm aarch64-apple-darwin x86_64-apple-darwin; do
    name=$(echo "$target" | tr - _)
    if env "CC_$name=$stand_in" "AR_$name=$stand_in" cargo check --quiet --locked --lib --target "$target"; then
        echo "ok   $target"
    else
        echo "FAIL $target"
        result=1
    fi
done
exit $result
