#!/bin/sh
# `make test` on a machine that has nothing but git, gcc, make, python3 and this machine's Rust: a bare Debian, made by debootstrap. First
# as a user, for whom most is missing and skipped; then as root, who installs it, with CI=true. Each works on a clone of what is committed.
#
# `sh tests/fresh.sh COMMAND…` runs this instead of `make test`, twice. Needs root and debootstrap. The bare system is kept in
# target/fresh/bare (or $FRESH_BASE); each run has a copy. Mounts are in a name space of their own, and end with it.
set -eu
cd "$(dirname "$0")/.."
work=$PWD/target/fresh
base=${FRESH_BASE:-$work/bare}
system=$work/system
suite=${FRESH_SUITE:-bookworm}
[ "$(id -u)" = 0 ] || { echo "error: a chroot needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "error: this needs debootstrap: apt-get install debootstrap" >&2; exit 1; }

if [ "${FRESH_MOUNTS:-}" != own ]; then
    FRESH_MOUNTS=own exec unshare --mount sh "$0" "$@"
fi
mkdir -p "$work"
[ -x "$base/usr/bin/python3" ] ||
    debootstrap --variant=minbase --include=git,gcc,libc6-dev,make,python3,ca-certificates "$suite" "$base" "${FRESH_MIRROR:-http://deb.debian.org/debian}"
rm -rf "$system"
cp -a "$base" "$system"

# How this machine reaches the network, so that the copy does as well.
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
    [ ! -e "$file" ] || cp -L "$file" "$system$file"
done
cp /etc/apt/apt.conf.d/* "$system/etc/apt/apt.conf.d/"
network=$(env | grep -iE '^(https?_proxy|no_proxy|all_proxy|pip_cert|npm_config_registry)=' || true)

mount --bind /dev "$system/dev"
mount -t proc proc "$system/proc"
mount -t tmpfs tmpfs "$system/dev/shm"
mkdir -p "$system/opt/rust"
mount --bind "$(rustc --print sysroot)" "$system/opt/rust"
mount -o remount,bind,ro "$system/opt/rust"
chroot "$system" useradd --create-home tester

# inside USER HOME COMMAND…: in a clone of its own.
inside() {
    user=$1 home=$2
    shift 2
    rm -rf "$system$home/libapivideo"
    git clone --quiet --no-hardlinks "$PWD" "$system$home/libapivideo"
    chroot "$system" chown -R "$user:" "$home/libapivideo"
    chroot --userspec="$user" "$system" env -i -C "$home/libapivideo" ${network:+$network} HOME="$home" USER="$user" LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/rust/bin "$@"
}

[ $# -gt 0 ] || set -- make test
failed=""
printf '\n==== as a user: %s\n' "$*"
inside tester /home/tester "$@" || failed="$failed as a user"
printf '\n==== as root, with CI=true: %s\n' "$*"
inside root /root CI=true "$@" || failed="$failed as root"
[ -z "$failed" ] || { echo "error: on a bare machine '$*' failed:$failed" >&2; exit 1; }
