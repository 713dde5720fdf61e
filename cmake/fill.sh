#!/bin/sh
# `make install`: fills in a template of pkg-config's or CMake's. Paths below PREFIX are written so that the installed tree can be moved.
set -eu

# The way from libdir up to PREFIX; PREFIX itself if libdir is not below it.
case $libdir in
    "$PREFIX"/*) root='${here}/'$(echo "${libdir#"$PREFIX"/}" | sed 's|[^/][^/]*|..|g') ;;
    *) root=$PREFIX ;;
esac

below_prefix() {
    case $1 in
        "$PREFIX"/*) echo "\${prefix}/${1#"$PREFIX"/}" ;;
        *) echo "$1" ;;
    esac
}

# pkg-config wants a backslash before a blank.
case $1 in
    *.pc.in) written() { echo "$1" | sed 's/ /\\ /g'; } ;;
    *) written() { echo "$1"; } ;;
esac

# Without what sed would take for its own.
path() { written "$1" | sed 's/[\&|]/\\&/g'; }

sed -e "s|@VERSION@|$VERSION|" -e "s|@SOVERSION@|$SOVERSION|" -e "s|@REAL@|$REAL|" -e "s|@SONAME@|$SONAME|" -e "s|@NATIVE@|$NATIVE|" \
    -e "s|@ROOT@|$(path "$root")|" -e "s|@LIBDIR@|$(path "$(below_prefix "$libdir")")|" \
    -e "s|@INCLUDEDIR@|$(path "$(below_prefix "$includedir")")|" "$1"
