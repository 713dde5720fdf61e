#!/bin/sh
# An upload through two faults, killed in the middle and gone on with by another process:
# upload.sh SANDBOX_URL APIVIDEO, the command by its whole path. `make demo` ends with it. On a
# terminal there is a bar.
set -eu

if [ $# -lt 2 ]; then
    echo 'The upload is left out: it takes a server that fails when it is told to, and no account.'
    exit
fi

export APIVIDEO_BASE_URL="$1" APIVIDEO_API_KEY=sandbox-key
unset APIVIDEO_STORE APIVIDEO_ENVIRONMENT
apivideo=$2
cd "$TMPDIR"
chunk=5242880
half=2621440
file=film.mp4
uploading=
trap '[ -z "$uploading" ] || kill "$uploading"' EXIT
trap 'exit 143' TERM

complain() { echo "error: $*" >&2; exit 1; }
request() { "$apivideo" request "$@"; }
# member NAME: the value of one string in JSON.
member() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p'; }
# A line for each request of the upload; what comes before its headers is on the line before.
sent() { request GET /_sandbox/log | tr '{' '\n' | grep '/source"'; }
checksum() { { sha256sum "$1" 2> /dev/null || shasum -a 256 "$1"; } | cut -d ' ' -f 1; }

# In the background, for a signal is heeded during `wait` but not during a command.
upload() { "$apivideo" upload --video "$video" "$@" "$file" & uploading=$!; }

half_of_the_third_chunk_is_there() {
    sent | grep "\"range\":\"bytes $((2 * chunk))-" | grep -q "\"received\":$half"
}

# That was the tokens' demo; here only what is said goes wrong.
request POST /_sandbox/settings '{"expires_in":3600}' > settings
head -c $((5 * chunk)) /dev/urandom > "$file"
video=$(request POST /videos '{"title":"A film"}' | member videoId)
# The one that hangs is no fault to go through: it waits for the kill.
request POST /_sandbox/faults '[
    {"on":"uploads","from":'$chunk',"after":'$half',"fault":{"kind":"reset"}},
    {"on":"uploads","from":'$((2 * chunk))',"after":'$half',"fault":{"kind":"hang","handled":false}},
    {"on":"uploads","from":'$((3 * chunk))',"fault":{"kind":"close","handled":true}},
    {"on":"uploads","times":0,"fault":{"kind":"throttle","bytes_per_second":4000000}}]' > faults

echo 'An upload of 26 MB, at 4 MB/s. In its second chunk the connection is lost, and of its fourth the reply.'
upload
waited=0
until half_of_the_third_chunk_is_there; do
    waited=$((waited + 1))
    [ $waited -lt 300 ] || complain 'half of the third chunk does not arrive'
    sleep 0.1
done
{ kill -KILL "$uploading" && wait "$uploading"; } 2> /dev/null || :
uploading=
[ ! -t 2 ] || echo >&2 # Whoever was killed left its bar there.

echo 'Killed in its third chunk. Another process goes on:'
upload --resume
wait "$uploading"
uploading=

arrived=$(request GET "/_sandbox/videos/$video")
[ "$(echo "$arrived" | member sha256)" = "$(checksum "$file")" ] || complain "what has arrived is not the file: $arrived"
chunks=$(echo "$arrived" | tr '{' '\n' | grep -c '"from"')
faults=$(request GET /_sandbox/log | tr '{' '\n' | grep -c -e '"fault":"reset"' -e '"fault":"close"')
again=$(sent | grep -v '"outcome":"done"' | sed 's/.*"received":\([0-9]*\).*/\1/' | awk '{ sum += $1 } END { printf "%.1f", sum / 1000000 }')
echo "All $chunks chunks have arrived, as they are in the file: through $faults faults and a kill, with $again MB sent again."
