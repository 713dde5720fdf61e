#!/bin/sh
# Packs a folder into a zip that depends on nothing but the files' names and contents, and writes its checksum beside it:
# `sh packaging/windows/zip.sh WHERE FOLDER` makes WHERE/FOLDER.zip and WHERE/FOLDER.zip.sha256.
set -eu
cd "$1"
command -v zip >/dev/null || { echo 'error: a zip for Windows needs zip (Debian: apt-get install zip)' >&2; exit 1; }
# As early as a zip can tell, in its local time.
export TZ=UTC
find "$2" -exec touch -h -d '1980-01-01 00:00:00' {} +
rm -f "$2.zip"
find "$2" ! -type d | LC_ALL=C sort | zip -q -X -9 -@ "$2.zip"
sha256sum "$2.zip" >"$2.zip.sha256"
cat "$2.zip.sha256"
