#!/bin/sh
# The C suite with musl, in a root that has nothing but musl's libc, the library and the tests: as on Alpine. For this
# machine's processor; the other one's is tests/arm64.sh. As root it is a chroot; else the programs still load nothing but that.
#
# memory_test is not here: it counts glibc's allocations, by its __libc_malloc.
set -u
cd "$(dirname "$0")/.." || exit 1
processor=$(uname -m)
target=$processor-unknown-linux-musl
root=$PWD/target/musl
sh packaging/build.sh "$target" || exit 1
. tests/platform.sh || exit 1

rm -rf "$root"
mkdir -p "$root/lib" "$root/proc" "$root/dev" "$root/tmp"
cp -L "/lib/ld-musl-$processor.so.1" "$root/lib"
programs="abi_test token_test request_test upload_test store_test process_test coredump_test dlopen_test"
suite "$target" "$root/t" $programs || exit 1

# The folder /proc is needed by musl's $ORIGIN. Mounts are in a name space of their own, and end with it.
in_root() { # PROGRAM
    if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
        APIVIDEO_TEST_LIBRARY=/t/libapivideo.so unshare --mount sh -c '
            mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" && exec chroot "$1" "/t/$2"' sh "$root" "$1"
    else
        APIVIDEO_TEST_LIBRARY=$root/t/libapivideo.so "$root/t/$1"
    fi
}

result=0
for name in $programs; do
    echo "-- $name, musl"
    in_root "$name" || result=1
done
exit $result
