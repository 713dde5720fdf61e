#!/bin/sh
# README's code, word for word. What has a main() is also run, against a local sandbox that stands for ws.api.video: a proxy of the environment
# leads there, and SSL_CERT_FILE makes it trusted. The C# is run by bindings/dotnet/test.sh, with
# that package's own README.
set -u
cd "$(dirname "$0")/.." || exit 1

work=target/readme
sandbox_program=target/release/apivideo-sandbox
strict="-Wall -Wextra -Wpedantic -Werror"
link="-Ltarget/release -lapivideo -Wl,-rpath,$PWD/target/c-tests"
passed=0
failed=0

rm -rf "$work" && mkdir -p "$work" && mkfifo "$work/alive"

# The blocks of one language, in files readme-1.c, readme-2.c …
extract() {
    awk -v language="$1" -v prefix="$work/readme-" '
        $0 == "```" language { inside = 1; n++; next }
        /^```/ { inside = 0 }
        inside { print > (prefix n "." language) }' README.md
}

await() {
    for _ in $(seq 100); do
        [ -s "$1" ] && return 0
        sleep 0.1
    done
    echo "error: $1 did not appear" >&2
    exit 1
}

"$sandbox_program" --tls --tls-name ws.api.video --ca-file "$work/ca.pem" --ready-file "$work/url" --exit-with-parent \
    <"$work/alive" >/dev/null &
exec 9>"$work/alive" # What reads from there ends when this script does.
await "$work/url"
# Without 9, which it would keep open for both.
python3 tests/connect_proxy.py "$(sed 's/.*://' "$work/url")" "$work/port" <"$work/alive" 9>&- &
await "$work/port"

run() {
    env -u NO_PROXY -u no_proxy -u https_proxy HTTPS_PROXY="http://127.0.0.1:$(cat "$work/port")" \
        SSL_CERT_FILE="$work/ca.pem" APIVIDEO_API_KEY=sandbox-key "$@"
}

# check FILE COMPILER…
check() {
    source=$1
    shift
    if ! grep -q '\bmain(' "$source"; then
        "$@" $strict -Iinclude -c "$source" -o "$source.o"
    elif "$@" $strict -Iinclude "$source" -o "$source.out" $link; then
        run "$source.out"
    else
        false
    fi
    if [ $? = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "error: $source, a block of README.md, does not work" >&2
    fi
}

# check_python FILE: with the package as it lies in the tree.
check_python() {
    if PYTHONPATH=bindings/python/src LIBAPIVIDEO_PATH=$PWD/target/release/libapivideo.so PYTHONDONTWRITEBYTECODE=1 \
        run python3 -W error "$1"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "error: $1, a block of README.md, does not work" >&2
    fi
}

extract c
extract cpp
extract python
for source in "$work"/readme-*.c; do check "$source" ${CC:-cc} -std=c99; done
for source in "$work"/readme-*.cpp; do check "$source" ${CXX:-c++} -std=c++17; done
for source in "$work"/readme-*.python; do check_python "$source"; done

# Every file that README points to exists, and every test it names is in that file.
for link_target in $(grep -o '](\([^)#]*\))' README.md | sed 's/](\(.*\))/\1/' | grep -v '^http'); do
    if [ -e "$link_target" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "error: README.md points to $link_target, which is not there" >&2
    fi
done
grep -o '\[`[a-z0-9_]*…`\]([^)]*)' README.md | sed 's/\[`\(.*\)…`\](\(.*\))/\1 \2/' >"$work/tests"
while read -r name file; do
    if grep -q "$name" "$file"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "error: README.md names the test $name, which is not in $file" >&2
    fi
done <"$work/tests"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
