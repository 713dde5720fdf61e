# shellcheck shell=sh
# Sourced by tests/musl.sh and tests/arm64.sh: the C suite, compiled by zig for another platform.
. packaging/zig.sh || exit 1
strict="-Wall -Wextra -Wpedantic -Werror"

# suite TARGET FOLDER NAME…: tests/c/NAME.c as FOLDER/NAME, with the shared library beside them.
suite() {
    target=$1 folder=$2
    shift 2
    tree=target/platforms/$target
    machine=$(echo "$target" | sed 's/-unknown//')
    # The programs are for the glibc that they meet; the library is for 2.17.
    case $machine in *-gnu) machine=$machine.2.36 ;; esac
    mkdir -p "$folder"
    cp "$tree"/lib/libapivideo.so.*.*.* "$folder/libapivideo.so"
    ln -sf libapivideo.so "$folder/$(make --silent print-soname)"
    # Without zig's sanitizer of undefined behaviour: its runtime is not in these systems.
    flags="-target $machine -g -O1 -fno-sanitize=undefined ${defines:-} $strict -Iinclude -Itests/c"
    link="-L$folder -lapivideo -Wl,-rpath,\$ORIGIN -lpthread -ldl"
    for name in "$@"; do
        # shellcheck disable=SC2086 # lists of flags
        $zig cc -std=c11 -D_GNU_SOURCE $flags "tests/c/$name.c" -o "$folder/$name" $link || return 1
    done
}
