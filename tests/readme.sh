#!/bin/sh
# README's code, word for word, against what `make sandbox` starts: with what that prints to export, and nothing else. A program without
# a main() is only compiled. The C# is run by bindings/dotnet/test.sh, with that package's own README.
set -u
cd "$(dirname "$0")/.." || exit 1

work=target/readme
strict="-Wall -Wextra -Wpedantic -Werror"
link="-Ltarget/release -lapivideo -Wl,-rpath,$PWD/target/c-tests"
passed=0
failed=0
unset APIVIDEO_API_KEY APIVIDEO_BASE_URL APIVIDEO_ENVIRONMENT APIVIDEO_CA_FILE APIVIDEO_STORE

rm -rf "$work" && mkdir -p "$work"

# count WHAT STATUS
count() {
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "error: $1" >&2
    fi
}

# extract LANGUAGE DOCUMENT…: the blocks of one language, in files readme-1.c, readme-2.c …
extract() {
    language=$1
    shift
    awk -v language="$language" -v prefix="$work/readme-" '
        $0 == "```" language { inside = 1; n++; next }
        /^```/ { inside = 0 }
        inside { print > (prefix n "." language) }' "$@"
}

# As in a terminal, but for the port.
make --silent sandbox PORT=0 >"$work/sandbox" &
sandbox=$!
trap 'kill $sandbox' EXIT
for _ in $(seq 600); do
    grep -q '^Ctrl-C' "$work/sandbox" && break
    sleep 0.1
done
exports=$(grep '^    export ' "$work/sandbox") || { echo "error: make sandbox printed nothing to export" >&2; exit 1; }

# run COMMAND…: with what is to be exported.
run() { (eval "$exports" && "$@"); }
run_with_wrong_key() { (eval "$exports" && export APIVIDEO_API_KEY=wrong && "$@"); }

# says WHAT COMMAND…: it ends with 1, and has that on stderr.
says() {
    what=$1
    shift
    "$@" >/dev/null 2>"$work/stderr"
    [ $? = 1 ] && grep -qF "$what" "$work/stderr"
}

# check_failures COMMAND…: the program says what is wrong.
check_failures() {
    says 'APIVIDEO_API_KEY' "$@"
    count "$1 does not say that there is no key" $?
    says 'refused the API key' run_with_wrong_key "$@"
    count "$1 does not say that the key is wrong" $?
}

# check FILE COMPILER…
check() {
    source=$1
    shift
    if ! grep -q '\bmain(' "$source"; then
        "$@" $strict -Iinclude -c "$source" -o "$source.o"
        count "$source, a block of README.md or a guide, does not compile" $?
        return
    fi
    "$@" $strict -Iinclude "$source" -o "$source.out" $link && run "$source.out"
    count "$source, a block of README.md, does not work" $?
    check_failures "$source.out"
}

# With the package as it lies in the tree.
python_() {
    PYTHONPATH=bindings/python/src LIBAPIVIDEO_PATH=$PWD/target/release/libapivideo.so PYTHONDONTWRITEBYTECODE=1 python3 -W error "$@"
}

extract c README.md docs/guides/uploads.md
extract cpp README.md
extract python README.md
extract sh README.md
for source in "$work"/readme-*.c; do check "$source" ${CC:-cc} -std=c99; done
for source in "$work"/readme-*.cpp; do check "$source" ${CXX:-c++} -std=c++17; done
for source in "$work"/readme-*.python; do
    run python_ "$source"
    count "$source, a block of README.md, does not work" $?
    check_failures python_ "$source"
done

# The first steps: what is to be exported is what the sandbox says.
steps=$(grep -l '^cc examples/' "$work"/readme-*.sh)
port=$(echo "$exports" | sed -n 's/.*BASE_URL=.*:\([0-9]*\)$/\1/p')
[ "$(grep '^export' "$steps" | sed "s/:8790$/:$port/;s/^/    /")" = "$exports" ]
count "README.md exports something else than make sandbox says" $?
sed "s/:8790$/:$port/" "$steps" >"$work/steps" && sh -e "$work/steps" && rm first
count "README.md's first steps do not work" $?

# The command: README's lines and the guide's, with films of 6 MB.
make --silent cli CARGOFLAGS='--locked --quiet'
count "make cli fails" $?
film=$work/film.mp4
head -c 6000000 /dev/urandom >"$film"
lines=$(grep -l '^make cli' "$work"/readme-*.sh)
sed "s|film.mp4|$film|" "$lines" >"$work/command" && run sh -e "$work/command" >"$work/command.log"
count "README.md's lines for the command line do not work" $?
grep -q "film.mp4 is the video vi" "$work/command.log"
count "README.md's upload does not say which video it has become" $?

# In a home of its own.
home=$PWD/$work/home
mkdir -p "$home/films" && cp "$film" "$home" && cp "$film" "$home/films"
echo "$exports" | sed 's/^ *//' >"$home/.apivideo"
rm -f "$work"/readme-*.sh && extract sh docs/guides/command.md
[ -e "$work/readme-6.sh" ]
count "docs/guides/command.md has hardly any commands" $?
in_home() { HOME=$home PATH=$PWD/target/command:$PATH && export HOME PATH && cd "$home" && sh -eu "$1"; }
for commands in "$work"/readme-*.sh; do
    run in_home "$PWD/$commands" >"$commands.log" 2>&1
    count "$commands, a block of docs/guides/command.md, does not work: $(cat "$commands.log")" $?
done
[ -s "$home/films/sent/film.mp4" ] && [ ! -e "$home/films/film.mp4" ]
count "the guide's cron job does not move away what has arrived" $?
target/command/apivideo --help | sed -n 's/^  \([0-9][0-9]*\)  *\(.*\)$/| \1 | \2 |/p' >"$work/statuses"
[ "$(wc -l <"$work/statuses")" = 9 ] && [ "$(grep -cxFf "$work/statuses" docs/guides/command.md)" = 9 ]
count "docs/guides/command.md has other exit statuses than apivideo --help" $?

# Every file that README points to exists, and every test it names is in that file.
for link_target in $(grep -o '](\([^)#]*\))' README.md | sed 's/](\(.*\))/\1/' | grep -v '^http'); do
    [ -e "$link_target" ]
    count "README.md points to $link_target, which is not there" $?
done
grep -o '\[`[a-z0-9]*_[^]]*\]([^)]*)' README.md | while read -r link; do
    file=$(echo "$link" | sed 's/.*(\(.*\))/\1/')
    echo "$link" | grep -oE '`[a-z0-9_]+' | tr -d '`' | sed "s|\$| $file|"
done >"$work/tests"
[ "$(wc -l <"$work/tests")" -ge 30 ]
count "README.md names hardly any tests" $?
while read -r name file; do
    grep -q "$name" "$file"
    count "README.md names the test $name, which is not in $file" $?
done <"$work/tests"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
