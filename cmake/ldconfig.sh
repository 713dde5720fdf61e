#!/bin/sh
# `make install`: tells the loader of a new library, or the user what to do. ldconfig.sh LIBDIR SONAME
PATH=$PATH:/usr/sbin:/sbin
[ "$(uname -s)" = Linux ] && command -v ldconfig >/dev/null || exit 0

# In some containers the cache is a mount of its own: it cannot be replaced, but written.
refresh() {
    ldconfig 2>/dev/null && return
    new=$(mktemp)
    ldconfig -C "$new" && cat "$new" >/etc/ld.so.cache
    rm -f "$new"
}

[ "$(id -u)" != 0 ] || refresh
ldconfig -p 2>/dev/null | grep -qF "$1/$2" || cat <<END
note: the loader does not look for $2 in $1. Link programs with -Wl,-rpath,'$1', or run them with
LD_LIBRARY_PATH='$1', or as root: echo '$1' > /etc/ld.so.conf.d/apivideo.conf && ldconfig
END
