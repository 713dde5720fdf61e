#!/bin/sh
# Stands in for the C compiler and the archiver of a system that is not here, for `cargo check`, which links nothing: it makes the
# file that it is asked for, empty.
before=""
for argument in "$@"; do
    case $argument in
        -Fo?*) : >"${argument#-Fo}" ;;
        -out:?* | -OUT:?*) : >"${argument#-*:}" ;;
        *.a) [ "$before" = -o ] || : >"$argument" ;;
    esac
    case $before in -o | -Fo) : >"$argument" ;; esac
    before=$argument
done
exit 0
