#!/bin/sh
# The library on arm64: the C suite with glibc and with musl, under Debian's arm64 kernel in qemu. Nothing is emulated by halves, as it is
# by qemu's user mode, where a fork() with threads hangs and seccomp does nothing. And a wheel's exchange, request and upload, by
# Debian's Python for arm64.
#
# Debian's packages of arm64 are downloaded and unpacked, not installed: dpkg's own architectures stay as they are. They are kept in
# target/arm64, and so is what was built.
set -u
cd "$(dirname "$0")/.." || exit 1
[ "$(uname -m)" != aarch64 ] || { echo "This is arm64: every other part is its test."; exit 0; }
gnu=aarch64-unknown-linux-gnu
musl=aarch64-unknown-linux-musl
work=$PWD/target/arm64
root=$work/root
sh packaging/build.sh $gnu $musl || exit 1
. tests/platform.sh || exit 1
# Fewer of what is made a thousand times where it is quick.
defines=-DFORKS=100

# apt's programs for another processor's packages, with lists of their own.
foreign() {
    program=$1
    shift
    "$program" -o Dir::State="$work/apt" -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$work/apt" -o APT::Architecture=amd64 \
        -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=root "$@"
}

debian_of_arm64() {
    [ ! -f "$work/ready" ] || return 0
    rm -rf "$work/apt" "$work/debs" "$work/debian"
    mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/debs"
    foreign apt-get update -qq || return 1
    kernel=$(foreign apt-cache depends linux-image-arm64:arm64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1)
    (cd "$work/debs" && foreign apt-get download -qq libc6:arm64 libgcc-s1:arm64 busybox-static:arm64 musl:arm64 libpython3.11-minimal:arm64 \
        libpython3.11-stdlib:arm64 python3.11-minimal:arm64 libffi8:arm64 zlib1g:arm64 libexpat1:arm64 "$kernel") || return 1
    for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/debian" || return 1; done
    touch "$work/ready"
}

# The wheel, unpacked where Python looks for it, as pip does.
wheel_for_python() {
    sh packaging/wheels.sh $gnu && python3 -m zipfile -e target/wheels/*-manylinux_2_17_aarch64.whl "$root/wheel"
}

system() {
    rm -rf "$root" && mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/usr" || return 1
    cp -a "$work/debian/lib" "$root/lib" && rm -rf "$root/lib/modules"
    cp -a "$work/debian/usr/bin" "$work/debian/usr/lib" "$root/usr"
    cp "$work/debian/bin/busybox" "$root/bin"
    # The sandbox, quick to compile rather than small.
    CARGO_TARGET_DIR=target/platforms/cargo cargo-zigbuild build --quiet --locked --profile mutation --target $gnu --package apivideo-sandbox &&
        aarch64-linux-gnu-strip -o "$root/bin/apivideo-sandbox" target/platforms/cargo/$gnu/mutation/apivideo-sandbox || return 1
    suite $gnu "$root/glibc" abi_test token_test request_test upload_test store_test process_test memory_test coredump_test dlopen_test || return 1
    # What differs with musl: its loader, threads and fork. memory_test counts glibc's allocations.
    suite $musl "$root/musl" abi_test token_test request_test upload_test store_test process_test || return 1
    wheel_for_python || return 1
    cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mkdir -p /dev/shm
ip link set lo up
uname -srm
/bin/apivideo-sandbox --ready-file /tmp/url >/dev/null &
while [ ! -s /tmp/url ]; do sleep 0.2; done
export APIVIDEO_TEST_URL=$(cat /tmp/url)
run() {
    echo "-- $1"
    shift
    "$@" 2>&1
    echo "status $?"
}
for libc in glibc musl; do
    export APIVIDEO_TEST_LIBRARY=/$libc/libapivideo.so
    for name in abi_test token_test request_test upload_test store_test process_test memory_test coredump_test dlopen_test; do
        [ ! -x /$libc/$name ] || run "$name, $libc" /$libc/$name
    done
done
PYTHONPATH=/wheel run "the wheel, Python" /usr/bin/python3.11 -c "
import io, os, libapivideo
client = libapivideo.Client('sandbox-key', base_url=os.environ['APIVIDEO_TEST_URL'])
print(client.get_token())
video = client.request('POST', '/videos', json={'title': 'Harbour'}).json()['videoId']
print(client.upload(io.BytesIO(bytes(6 << 20)), video_id=video).json()['videoId'] == video or exit(1))"
echo "all was run"
poweroff -f
INIT
    chmod +x "$root/init"
    (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd"
}

debian_of_arm64 || { echo "error: Debian's packages for arm64 cannot be had" >&2; exit 1; }
system || exit 1
timeout 900 qemu-system-aarch64 -M virt -cpu max,pauth-impdef=on -smp 2 -m 1536 -nic none -nographic -no-reboot \
    -kernel "$work"/debian/boot/vmlinuz-* -initrd "$work/initrd" -append 'console=ttyAMA0 quiet panic=-1' </dev/null | sed -u 's/\r//' | tee "$work/said"
# Every program was run, and each ended well.
grep -qx 'all was run' "$work/said" && ! grep -E '^status ' "$work/said" | grep -qvx 'status 0'
