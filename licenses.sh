#!/bin/sh
# The licences of all that is linked into the library: whoever hands a binary on must hand these on too. `sh licenses.sh [TARGET
# [PACKAGE]]` prints them for the crate in the working directory, or another of its workspace; TARGET is a platform, this one by
# default, or `all`.
#
# cargo-about and cargo-deny do this too, but would have to be compiled first wherever a package is made.
set -eu
package=${2:-}
target=${1:-$(rustc -vV | sed -n 's/^host: //p')}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

filter="--filter-platform $target"
[ "$target" != all ] || filter=""
# shellcheck disable=SC2086 # an option and its value, or nothing
cargo metadata --format-version 1 --locked $filter >"$work/metadata"
cargo tree --locked ${package:+--package "$package"} --target "$target" --edges normal,no-proc-macro --prefix none --format '{p}|{l}' >"$work/tree"

# A line for each crate, "NAME VERSION|FOLDER". Only packages have a name and a version side by side.
grep -oE '"name":"[^"]*","version":"[^"]*"|"manifest_path":"[^"]*"' "$work/metadata" |
    awk -F'"' '/^"name"/ { crate = $4 " " $8 } /^"manifest_path"/ { sub("/Cargo.toml$", "", $4); print crate "|" $4 }' >"$work/folders"
# And another, "NAME VERSION|SPDX", for each that is linked. The first is the package itself; the library is ours too.
sed -e 1d -e '/^apivideo v/d' -e 's/ (\*)$//' -e 's/ v\([^ |]*\)[^|]*|/ \1|/' "$work/tree" | sort -u >"$work/linked"

# text FILE NAME CRATE: prints a file, or where the same has been before.
text() {
    sum=$(cksum <"$1")
    before=$(sed -n "s/^$sum //p" "$work/texts")
    if [ -n "$before" ]; then
        printf '\n--- %s: the same as %s\n' "$2" "$before"
    else
        printf '\n--- %s\n' "$2"
        cat "$1"
        echo "$sum $2 of $3" >>"$work/texts"
    fi
}

heading() { printf '\n\n================ %s\nLicence: %s\n' "$1" "${2:-as below}"; }

: >"$work/texts"
echo "${package:-libapivideo} contains what is listed here, each under its own licence."
while IFS='|' read -r crate spdx; do
    heading "$crate" "$spdx"
    folder=$(awk -F'|' -v crate="$crate" '$1 == crate { print $2 }' "$work/folders")
    [ -d "$folder" ] || { echo "error: the sources of $crate are nowhere" >&2; exit 1; }
    find "$folder" -type f ! -name '*.rs' \( -iname 'licen[cs]e*' -o -iname 'unlicense*' -o -iname 'copying*' -o -iname 'copyright*' \
        -o -iname 'notice*' \) | LC_ALL=C sort >"$work/files"
    [ -s "$work/files" ] || echo "It comes without a text of this licence: https://spdx.org/licenses/"
    while read -r file; do text "$file" "${file#"$folder"/}" "$crate"; done <"$work/files"
done <"$work/linked"

heading "The Rust standard library, $(rustc --version)" 'MIT OR Apache-2.0'
notices=$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html
if [ -f "$notices" ]; then
    sed -e 's/<[^>]*>//g' -e 's/&lt;/</g' -e 's/&gt;/>/g' -e 's/&#60;/</g' -e 's/&#62;/>/g' -e 's/&#34;/"/g' -e "s/&#39;/'/g" \
        -e 's/&quot;/"/g' -e 's/&amp;/\&/g' -e 's/^ *$//' "$notices" | cat -s
else
    echo "Its notices: https://github.com/rust-lang/rust/blob/$(rustc -vV | sed -n 's/^release: //p')/COPYRIGHT"
fi
