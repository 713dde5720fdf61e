# shellcheck shell=sh
# Sourced: the names that each world has for a platform. Empty where it has none.

wheel_tag() {
    case $1 in
        *-linux-gnu) echo "manylinux_2_17_${1%%-*}" ;;
        *-linux-musl) echo "musllinux_1_2_${1%%-*}" ;;
        x86_64-pc-windows-*) echo win_amd64 ;;
        x86_64-apple-darwin) echo macosx_11_0_x86_64 ;;
        aarch64-apple-darwin) echo macosx_11_0_arm64 ;;
    esac
}

# .NET's runtime identifier.
rid() {
    case $1 in
        x86_64-*) processor=x64 ;;
        aarch64-*) processor=arm64 ;;
    esac
    case $1 in
        *-linux-gnu) echo "linux-$processor" ;;
        *-linux-musl) echo "linux-musl-$processor" ;;
        *-windows-*) echo "win-$processor" ;;
        *-apple-darwin) echo "osx-$processor" ;;
    esac
}

# What build.sh has built.
built_platforms() { for facts in target/platforms/*.facts; do [ ! -f "$facts" ] || basename "$facts" .facts; done; }
shared_library() { find "target/platforms/$1" -type f \( -name 'libapivideo*.so*' -o -name 'libapivideo*.dylib' -o -name apivideo.dll \); }
