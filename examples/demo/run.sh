#!/bin/sh
# Runs a demo: run.sh DEMO SANDBOX [ARGUMENT…]. With APIVIDEO_API_KEY set it talks to api.video;
# otherwise to a sandbox of its own, which ends with it. Its temporary files lie in a folder that is
# removed at the end.
set -eu

if [ -n "${APIVIDEO_API_KEY-}" ]; then
    exec "$1"
fi

program=$1
folder=$(mktemp -d)
sandbox=
demo=
clean_up() {
    for process in $demo $sandbox; do kill "$process" 2> /dev/null || :; done
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The sandbox ends when the other end of this pipe is closed, even if this script is killed.
mkfifo "$folder/alive"
"$2" --expires-in 3 --ready-file "$folder/url" --exit-with-parent < "$folder/alive" > /dev/null &
sandbox=$!
exec 3> "$folder/alive"
shift 2
until [ -s "$folder/url" ]; do
    kill -0 "$sandbox" 2> /dev/null || { echo 'The sandbox did not start.' >&2; exit 1; }
    sleep 0.1
done

# In the background, for a signal is heeded during `wait` but not during a command.
TMPDIR=$folder "$program" "$(cat "$folder/url")" "$@" 3>&- &
demo=$!
result=0
wait "$demo" || result=$?
demo=
exit "$result"
