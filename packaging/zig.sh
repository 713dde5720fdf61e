# shellcheck shell=sh
# Sourced, in the repository's root: zig's compilers and linker, which know old glibcs and musl, and cargo-zigbuild, which gives them to
# cargo. From PyPI, into target/tools/zig. $zig is the compiler: `$zig cc -target aarch64-linux-musl`.
tools=$PWD/target/tools
pinned=$PWD/packaging/requirements-zig.txt
export CARGO_ZIGBUILD_CACHE_DIR="$tools/zig-cache" ZIG_GLOBAL_CACHE_DIR="$tools/zig-cache" ZIG_LOCAL_CACHE_DIR="$tools/zig-cache"
export CARGO_ZIGBUILD_PYTHON_PATH="$tools/zig/bin/python"
zig="$tools/zig/bin/python -m ziglang"

# Parts that run side by side may both want it.
prepare_zig() {
    cmp -s "$pinned" "$tools/zig/pinned" && return
    rm -rf "$tools/zig"
    python3 -m venv "$tools/zig" &&
        "$tools/zig/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$pinned" &&
        cp "$pinned" "$tools/zig/pinned"
}
mkdir -p "$tools"
exec 8>"$tools/zig.lock"
if command -v flock >/dev/null; then flock 8; fi
prepare_zig || { echo "error: zig cannot be had: pip said why" >&2; return 1; }
exec 8>&-
PATH=$tools/zig/bin:$PATH
