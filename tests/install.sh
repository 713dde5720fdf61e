#!/bin/sh
# Installs the library as users get it, by `make install` and as the archive of `make dist`, and builds programs with it.
#
#     APIVIDEO_TEST_URL=http://127.0.0.1:8790 sh tests/install.sh
#
# The URL is that of an apivideo-sandbox with its default key. Ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 2
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR # when called by make

CC=${CC:-cc}
CXX=${CXX:-c++}
MAKE=${MAKE:-make}
STRICT='-Wall -Wextra -Wpedantic -Werror'

need() { # PROGRAM DEBIAN-PACKAGE
    command -v "$1" > /dev/null || { echo "This test needs $1: apt-get install $2" >&2; exit 2; }
}
need pkg-config pkg-config
need cmake cmake
need readelf binutils
need "$CC" gcc
cpp=examples/cpp_first_token.cpp
need "$CXX" g++
if [ -z "${APIVIDEO_TEST_URL-}" ]; then
    echo 'Set APIVIDEO_TEST_URL to the URL of an apivideo-sandbox: cargo run -p apivideo-sandbox -- --port 8790' >&2
    exit 2
fi
export APIVIDEO_BASE_URL="$APIVIDEO_TEST_URL" APIVIDEO_API_KEY=sandbox-key

# Short and without blanks, since the output of pkg-config is split at them.
work=$(mktemp -d /tmp/apivideo-install.XXXXXX) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

passed=0
failed=0
check() { # NAME COMMAND...
    name=$1
    shift
    if "$@" > "$work/output" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
        sed 's/^/        | /' "$work/output"
    fi
}
same() { [ "$1" = "$2" ] || { echo "\"$1\" is not \"$2\""; return 1; }; }
fails() { ! "$@"; }
absent() { [ ! -e "$1" ] || { echo "$1 is still there"; return 1; }; }

make_it() { "$MAKE" --no-print-directory "$@"; }
version=$(make_it --silent print-VERSION)
soname=$(make_it --silent print-soname)

# --- Programs built with an installed tree ---

needed() { readelf -d "$1" | grep NEEDED | grep -o 'libapivideo[^]]*'; }

# Compiles SOURCE with what pkg-config says about TREE, and runs it.
with_pkg_config() { # TREE shared|static SOURCE [FLAG...]
    PKG_CONFIG_PATH=$(dirname "$(find "$1" -name apivideo.pc)")
    export PKG_CONFIG_PATH
    kind=$2 source=$3
    shift 3
    case $source in
        *.cpp) compiler="$CXX -std=c++17" ;;
        *) compiler="$CC -std=c99" ;;
    esac
    packages=apivideo
    case $source in *curl*) packages='apivideo libcurl' ;; esac
    # shellcheck disable=SC2046,SC2086 # lists of flags
    case $kind in
        shared)
            $compiler $STRICT "$@" "$source" -o "$work/program" $(pkg-config --cflags --libs $packages) || return 1
            same "$(needed "$work/program")" "$soname" || return 1
            LD_LIBRARY_PATH=$(pkg-config --variable=libdir apivideo) "$work/program"
            ;;
        static)
            $compiler $STRICT "$@" "$source" -o "$work/program" $(pkg-config --cflags apivideo) \
                $(pkg-config --static --libs apivideo | sed 's/-lapivideo/-l:libapivideo.a/') || return 1
            same "$(needed "$work/program")" '' || return 1
            "$work/program"
            ;;
    esac
}

write_cmake_project() {
    mkdir "$work/project"
    cat > "$work/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(consumer C CXX)
set(CMAKE_CXX_STANDARD 17)
find_package(apivideo 0.1 REQUIRED)
find_package(apivideo 0.1 REQUIRED) # twice is fine
foreach(source ${SOURCES})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name}_shared ${source})
    target_link_libraries(${name}_shared PRIVATE apivideo::apivideo)
    add_executable(${name}_static ${source})
    target_link_libraries(${name}_static PRIVATE apivideo::apivideo_static)
endforeach()
END
    mkdir "$work/version"
    cat > "$work/version/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(version NONE)
find_package(apivideo ${WANTED} REQUIRED COMPONENTS ${COMPONENTS})
END
}

# Builds and runs every program with CMake.
with_cmake() { # TREE
    sources="$PWD/examples/first_token.c;$PWD/$cpp"
    rm -rf "$work/build"
    CC=$CC CXX=$CXX cmake -S "$work/project" -B "$work/build" -DCMAKE_PREFIX_PATH="$1" -DSOURCES="$sources" || return 1
    cmake --build "$work/build" || return 1
    for program in "$work"/build/*_shared; do
        same "$(needed "$program")" "$soname" || return 1
        "$program" || return 1
    done
    for program in "$work"/build/*_static; do
        same "$(needed "$program")" '' || return 1
        "$program" || return 1
    done
}

cmake_finds() { # WANTED [COMPONENT…]: a version, perhaps with EXACT
    rm -rf "$work/build"
    wanted=$(echo "$1" | tr ' ' ';')
    shift
    cmake -S "$work/version" -B "$work/build" -DCMAKE_PREFIX_PATH="$tree" -DWANTED="$wanted" -DCOMPONENTS="$(echo "$*" | tr ' ' ';')"
}
cmake_names_the_component() {
    cmake_finds 0.1 nonsense && return 1
    grep -q 'no component "nonsense"' "$work/output"
}

# A program that needs nothing of the system, for a container made from nothing.
fully_static() { # -static|-static-pie
    PKG_CONFIG_PATH=$tree/lib/pkgconfig
    export PKG_CONFIG_PATH
    # shellcheck disable=SC2046 # a list of flags
    $CC "$1" examples/first_token.c -o "$work/program" $(pkg-config --static --cflags --libs apivideo) || return 1
    same "$(readelf -d "$work/program" | grep NEEDED)" '' || return 1
    "$work/program"
}

# Another part in Rust, with a std of its own.
another_rust_library() {
    mkdir "$work/other"
    printf '#[unsafe(no_mangle)]\npub extern "C" fn other() -> i32 { std::thread::spawn(|| 7).join().unwrap() }\n' > "$work/other/other.rs"
    printf '#include <apivideo.h>\nint other(void);\nint main(void) { return !apivideo_version() || other() != 7; }\n' > "$work/other/main.c"
    rustc --edition 2024 --crate-type staticlib -o "$work/other/libother.a" "$work/other/other.rs"
}
beside_another_rust_library() { # ARCHIVE ARCHIVE
    # shellcheck disable=SC2046 # a list of flags
    $CC -I"$tree/include" "$work/other/main.c" "$@" $(make_it --silent print-native) -o "$work/program" && "$work/program"
}

consumers() { # NAME TREE
    check "$1: C, shared, pkg-config" with_pkg_config "$2" shared examples/first_token.c
    check "$1: C, static, pkg-config" with_pkg_config "$2" static examples/first_token.c
    check "$1: C++17, shared, pkg-config" with_pkg_config "$2" shared $cpp -pthread
    check "$1: C++17, static, pkg-config" with_pkg_config "$2" static $cpp -pthread
    check "$1: all of these, CMake" with_cmake "$2"
}

# --- The tests ---

tree=$work/root/opt/apivideo
installation="DESTDIR=$work/root PREFIX=/opt/apivideo libdir=/opt/apivideo/lib includedir=/opt/apivideo/include"
write_cmake_project

# shellcheck disable=SC2086 # a list of variables
check 'make install' make_it install $installation
if [ "$failed" -gt 0 ]; then
    echo "$passed passed, $failed failed"
    exit 1
fi
check 'the SONAME' same "$(readelf -d "$tree/lib/libapivideo.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')" "$soname"
check 'the link for programs that run' same "$(readlink "$tree/lib/$soname")" "libapivideo.so.$version"
check 'the link for the linker' same "$(readlink "$tree/lib/libapivideo.so")" "$soname"
check 'nothing is exported but apivideo_*' same "$(nm -D --defined-only "$tree/lib/libapivideo.so" | grep -v ' T apivideo_')" ''
check 'the static library shows nothing but apivideo_*' \
    same "$(nm -g --defined-only "$tree/lib/libapivideo.a" | awk 'NF == 3 && $3 !~ /^apivideo_/')" ''
check "pkg-config's version" same "$(PKG_CONFIG_PATH=$tree/lib/pkgconfig pkg-config --modversion apivideo)" "$version"
check "the header's version" grep -q "^#define APIVIDEO_VERSION \"$version\"\$" "$tree/include/apivideo.h"
check "no placeholder is left" fails grep -rn '@[A-Z]*@' "$tree/lib/pkgconfig" "$tree/lib/cmake"
check 'no path of this machine' fails grep -rn -e "$work" -e "$PWD" "$tree/lib/pkgconfig" "$tree/lib/cmake"
for wanted in 0.1 "$version" "$version EXACT" 0.1...0.2; do
    check "CMake finds $wanted" cmake_finds "$wanted"
done
for wanted in 0.0 0.2 1 1.0 0.1.99 0.10 "0.1...<$version" 0.2...0.3; do
    check "CMake does not find $wanted" fails cmake_finds "$wanted"
done
check 'CMake finds its components' cmake_finds 0.1 shared static
check 'CMake names a component that there is not' cmake_names_the_component

consumers 'installed' "$tree"
check 'fully static' fully_static -static
check 'fully static, anywhere in memory' fully_static -static-pie
check 'another static library in Rust' another_rust_library
check 'beside that' beside_another_rust_library "$tree/lib/libapivideo.a" "$work/other/libother.a"
check 'beside that, in the other order' beside_another_rust_library "$work/other/libother.a" "$tree/lib/libapivideo.a"
check 'asynchronous.c' with_pkg_config "$tree" shared examples/asynchronous.c
check 'threads.c' with_pkg_config "$tree" shared examples/threads.c -pthread
if pkg-config --exists libcurl || [ "${CI:-}" = true ]; then
    check 'videos_with_curl.c' with_pkg_config "$tree" shared examples/videos_with_curl.c
else
    printf '\n*** SKIPPED ***\nvideos_with_curl.c needs libcurl: apt-get install libcurl4-openssl-dev\n\n'
fi

mkdir "$work/elsewhere"
cp -R "$tree" "$work/elsewhere/moved"
mv "$tree" "$tree.away"
consumers 'moved' "$work/elsewhere/moved"
mv "$work/elsewhere/moved" "$work/elsewhere/a folder with blanks"
check 'moved to a folder with blanks, CMake' with_cmake "$work/elsewhere/a folder with blanks"
mv "$tree.away" "$tree"

# shellcheck disable=SC2086 # a list of variables
check 'make uninstall' make_it uninstall $installation
check 'no file is left' same "$(find "$work/root" ! -type d)" ''
check 'no folder of ours is left' absent "$tree/lib/cmake/apivideo"

# The command, which comes with the library only for who asks.
command_works() {
    "$tree/bin/apivideo" token > "$work/token" && [ -s "$work/token" ]
}
check 'make cli' make_it cli
# shellcheck disable=SC2086 # a list of variables
check 'make install-cli' make_it install-cli $installation
check 'nothing but the command is installed' same "$(find "$work/root" ! -type d)" "$tree/bin/apivideo"
check 'it works' command_works
# shellcheck disable=SC2086 # a list of variables
check 'make uninstall-cli' make_it uninstall-cli $installation
check 'no file of that is left, too' same "$(find "$work/root" ! -type d)" ''

# As distributions have it.
debian="DESTDIR=$work/debian PREFIX=/usr libdir=/usr/lib/x86_64-linux-gnu includedir=/usr/include/apivideo"
# shellcheck disable=SC2086 # a list of variables
check 'make install, another libdir and includedir' make_it install $debian
consumers 'another libdir and includedir' "$work/debian/usr"
# shellcheck disable=SC2086 # a list of variables
check 'make uninstall, another libdir and includedir' make_it uninstall $debian
check 'no file of that is left' same "$(find "$work/debian" ! -type d)" ''

# pkg-config writes a backslash before a blank, so the shell must read its words.
prefix_with_a_blank() {
    make_it install DESTDIR="$work/blank" PREFIX='/opt/a prefix' || return 1
    PKG_CONFIG_PATH="$work/blank/opt/a prefix/lib/pkgconfig"
    export PKG_CONFIG_PATH
    eval "$CC examples/first_token.c $(pkg-config --cflags --libs apivideo) -o '$work/program'" || return 1
    LD_LIBRARY_PATH="$work/blank/opt/a prefix/lib" "$work/program"
}
check 'make install, a PREFIX with a blank, pkg-config' prefix_with_a_blank
check 'the same, CMake' with_cmake "$work/blank/opt/a prefix"
check 'make uninstall, a PREFIX with a blank' make_it uninstall DESTDIR="$work/blank" PREFIX='/opt/a prefix'
check 'no file of that is left either' same "$(find "$work/blank" ! -type d)" ''

# sed, which fills in the paths, would read some of their characters itself.
odd_paths() {
    PREFIX='/a|b' libdir='/c & d/lib' includedir='/a|b/x\&y' VERSION=1 SOVERSION=1 REAL=real SONAME=name NATIVE=-lc \
        sh cmake/fill.sh apivideo.pc.in >"$work/odd.pc" || return 1
    grep -qxF 'libdir=/c\ &\ d/lib' "$work/odd.pc" && grep -qxF 'includedir=${prefix}/x\&y' "$work/odd.pc"
}
check 'paths with |, & and \ are written as they are' odd_paths

# What a distribution does, to have the symbols in a package of their own.
symbols_stay() { # STRIP
    make_it install DESTDIR="$work/symbols" PREFIX=/usr STRIP="$1" || return 1
    nm "$work/symbols/usr/lib/libapivideo.so" | grep -q ' t '
}
for strip in : true ''; do check "STRIP=$strip leaves the symbols" symbols_stay "$strip"; done
check 'the next build strips them again' make_it install DESTDIR="$work/symbols" PREFIX=/usr
check 'and there are none' fails symbols_stay strip

# README's two steps in a /usr/local of our own: the loader finds what was installed there.
in_usr_local() {
    mkdir "$work/local" "$work/ld.so"
    cp /etc/ld.so.cache "$work/ld.so"
    unshare --mount sh -euc '
        mount --bind "$1/local" /usr/local
        mount --bind "$1/ld.so/ld.so.cache" /etc/ld.so.cache
        PATH=/usr/sbin:/usr/bin:/sbin:/bin make --silent install CARGO=none
        cc examples/first_token.c $(pkg-config --cflags --libs apivideo) -o "$1/program"
        exec "$1/program"
    ' sh "$work"
}
if [ "$(id -u)" = 0 ] && unshare --mount mount --bind "$work" "$work" 2> /dev/null; then
    check "make install to /usr/local: a program finds it" in_usr_local
fi
# Elsewhere, what to do is said.
says_what_to_do() {
    make_it install PREFIX="$work/mine" > "$work/said" || return 1
    grep -q "^note: the loader .* $soname in $work/mine/lib" "$work/said"
}
check 'make install to a folder of which the loader knows nothing' says_what_to_do

no_compiler() {
    make_it install DESTDIR="$work/mine" CARGO=none CARGO_TARGET_DIR="$work/empty" && return 1
    grep -q 'is not there yet: run make first' "$work/output"
}
check 'without cargo, and before make, that is said' no_compiler
no_command() {
    make_it install-cli DESTDIR="$work/mine" CARGO=none CARGO_TARGET_DIR="$work/empty" && return 1
    grep -q 'is not there yet: run make cli first' "$work/output"
}
check 'so it is of the command' no_command
old_rust() { # VERSION THAT-IS-NEEDED
    printf '#!/bin/sh\necho "rustc %s (abc 2020-01-01)"\n' "$1" > "$work/rustc" && chmod +x "$work/rustc"
    make_it rust RUSTC="$work/rustc" RUST="$2" && return 1
    grep -q "^error: libapivideo needs Rust $2 or later, and PATH has $1\\." "$work/output"
}
check 'Rust that is too old is named' old_rust 1.75.0 "$(make_it --silent print-RUST)"
check 'its numbers are no decimals' old_rust 1.99.0 1.100
no_rust() {
    make_it rust RUSTC=false && return 1
    grep -q 'and PATH has none' "$work/output"
}
check 'so is Rust that is not there' no_rust

outside() {
    make_it install DESTDIR="$work/outside" PREFIX=/usr libdir=/lib64 includedir=/usr/include || return 1
    PKG_CONFIG_PATH=$work/outside/lib64/pkgconfig
    export PKG_CONFIG_PATH
    same "$(pkg-config --variable=libdir apivideo)" /lib64 || return 1
    same "$(pkg-config --variable=includedir apivideo)" /usr/include
}
check 'make install, libdir outside of PREFIX' outside

# Not in target/dist: packaging/test.sh, which may run beside this, makes an archive of that name
# there.
check 'make dist' make_it dist dist="$work/dist"
archive=$(echo "$work/dist/libapivideo-$version-"*.tar.gz)
mkdir "$work/unpacked"
check 'the archive unpacks' tar -C "$work/unpacked" -xzf "$archive"
unpacked=$(echo "$work/unpacked/libapivideo-$version-"*)
for file in LICENSE README.md CHANGELOG.md docs/guarantees.md docs/pictures/life.svg examples/first_token.c include/apivideo.h include/apivideo.hpp; do
    check "the archive has $file" cmp "$file" "$unpacked/$file"
done
consumers 'archive' "$unpacked"
check 'the archive has a local api.video' "$unpacked/bin/apivideo-sandbox" --help
check '… and the licences of what is linked into that' grep -q '^=* tokio [0-9]' "$unpacked/bin/THIRD-PARTY-LICENSES.txt"

# --- The licences of what is linked in ---

notices=$unpacked/THIRD-PARTY-LICENSES.txt
# "NAME VERSION" of every crate: as cargo has it, and as the library itself says in its messages of panics.
linked_crates() {
    cargo tree --locked --edges normal,no-proc-macro --prefix none --format '{p}' | sed -e 1d -e 's/ v\([^ ]*\).*/ \1/'
    grep -aoE 'registry/src/[^/]*/[^/]*/src' "$unpacked/lib/$soname" | sed -e 's|/src$||' -e 's|.*/||' -e 's/-\([0-9][0-9.]*\)/ \1/'
}
all_are_named() {
    linked_crates | sort -u > "$work/linked"
    [ -s "$work/linked" ] || return 1
    sed -n 's/^=* //p' "$notices" | sort -u | comm -23 "$work/linked" - > "$work/unnamed"
    same "$(cat "$work/unnamed")" ''
}
check 'every linked crate is in THIRD-PARTY-LICENSES.txt' all_are_named
check 'so is the standard library' grep -q '^=* The Rust standard library' "$notices"
check 'and the text of its licence' grep -q 'Permission is hereby granted, free of charge' "$notices"
check 'no path of this machine is there' fails grep -F -e "$HOME/" -e "$PWD" "$notices"

crate() { # FOLDER NAME DEPENDENCY: a crate that has no text of its licence
    mkdir -p "$1/src"
    touch "$1/src/lib.rs"
    printf '[package]\nname = "%s"\nversion = "1.2.3"\nedition = "2021"\nlicense = "0BSD"\n[dependencies]\n%s\n' "$2" "$3" > "$1/Cargo.toml"
}
crate "$work/crate" top 'bare = { path = "bare" }'
crate "$work/crate/bare" bare ''
script=$PWD/licenses.sh
without_a_text() {
    (cd "$work/crate" && cargo generate-lockfile --offline && sh "$script" > notices) || return 1
    grep -A1 '^=* bare 1.2.3$' "$work/crate/notices" | grep -qx 'Licence: 0BSD'
}
check 'a crate without a text is there with the name of its licence' without_a_text

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
