"""Builds the Rust library, with its licences, into the wheel, and its source into the sdist.

LIBAPIVIDEO_MANYLINUX, such as 2_17: link against that old a glibc, with zig's linker, for a wheel
that runs on any Linux distribution with the same or a newer one. The linker comes from PyPI.

APIVIDEO_WHEEL_LIBRARY and APIVIDEO_WHEEL_TAG: a shared library that is built already, and the
platform's tag of its wheel, such as musllinux_1_2_aarch64 or win_amd64. CARGO_BUILD_TARGET says
whose licences go along. `make wheels` does that.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = ["Cargo.toml", "Cargo.lock", "LICENSE", "build.rs", "packaging/windows/version.rc", "licenses.sh", "src", "cli/Cargo.toml", "cli/src", "tests/sandbox/Cargo.toml", "tests/sandbox/src"]
PREBUILT = os.environ.get("APIVIDEO_WHEEL_LIBRARY")
TAG = os.environ.get("APIVIDEO_WHEEL_TAG") if PREBUILT else None
SYSTEM = TAG or sys.platform
FILE_NAME = "apivideo.dll" if SYSTEM.startswith("win") else "libapivideo.dylib" if SYSTEM.startswith(("darwin", "macosx")) else "libapivideo.so"
NOTICES = "THIRD-PARTY-LICENSES.txt"
MANYLINUX = os.environ.get("LIBAPIVIDEO_MANYLINUX")


class CargoBuildHook(BuildHookInterface[Any]):
    def dependencies(self) -> list[str]:
        return ["cargo-zigbuild==0.24.0", "ziglang==0.15.2"] if MANYLINUX and not PREBUILT and self.target_name == "wheel" else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        in_sdist = Path(self.root, "rust")
        if self.target_name == "sdist":
            if not in_sdist.is_dir():
                crate = Path(self.root, "..", "..")
                build_data["force_include"].update({str(crate / name): f"rust/{name}" for name in SOURCES})
            return
        crate = in_sdist if in_sdist.is_dir() else Path(self.root, "..", "..")
        if not (crate / "Cargo.toml").is_file():
            raise SystemExit(f"libapivideo: the Rust sources are missing; they should be in {in_sdist} or {crate.resolve()}.")
        library = Path(PREBUILT).resolve() if PREBUILT else self.build(crate.resolve())
        if version == "editable":
            shutil.copy(library, Path(self.root, "src", "libapivideo", FILE_NAME))
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"
        build_data["force_include"][str(library)] = f"libapivideo/{FILE_NAME}"
        metadata = f"libapivideo-{self.metadata.version}.dist-info"
        build_data["force_include"][str(self.licenses(crate.resolve()))] = f"{metadata}/licenses/{NOTICES}"

    def build(self, crate: Path) -> Path:
        check_rust(crate)
        target = Path(os.environ.get("CARGO_TARGET_DIR") or crate / "target")
        command = ["cargo", "rustc", "--release", "--lib", "--crate-type", "cdylib", "--locked", "--package", "apivideo"]
        environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
        built = target / "release" / FILE_NAME
        if MANYLINUX:
            triple = f"{platform.machine()}-unknown-linux-gnu"
            command = ["cargo-zigbuild", *command[1:], "--target", f"{triple}.{MANYLINUX.replace('_', '.')}"]
            environment["CARGO_ZIGBUILD_PYTHON_PATH"] = sys.executable
            built = target / triple / "release" / FILE_NAME
        if sys.platform == "darwin":
            environment.setdefault("MACOSX_DEPLOYMENT_TARGET", "11.0")
        try:
            subprocess.run(command, cwd=crate, env=environment, check=True)
        except subprocess.CalledProcessError:
            raise SystemExit(f"libapivideo: {' '.join(command)} failed in {crate}; its own output says why.") from None
        return self.stripped(built)

    def stripped(self, built: Path) -> Path:
        """A copy without the symbols that only a debugger reads."""
        copy = Path(self.directory, FILE_NAME)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(built, copy)
        strip = shutil.which("strip")
        if strip and sys.platform != "win32":
            subprocess.run([strip, "-x" if sys.platform == "darwin" else "--strip-unneeded", str(copy)], check=True)
        return copy

    def licenses(self, crate: Path) -> Path:
        notices = Path(self.directory, NOTICES)
        with notices.open("wb") as file:
            subprocess.run(["sh", "licenses.sh", *filter(None, [os.environ.get("CARGO_BUILD_TARGET")])], cwd=crate, stdout=file, check=True)
        return notices

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        for name in (FILE_NAME, NOTICES):
            Path(self.directory, name).unlink(missing_ok=True)


def check_rust(crate: Path) -> None:
    """Says in words what is wrong with this machine's Rust, which cargo would say in riddles."""
    needed = re.search(r'^rust-version = "([\d.]+)"', (crate / "Cargo.toml").read_text("utf-8"), re.MULTILINE)[1]
    if not shutil.which("cargo"):
        found = "cargo is not on PATH"
    else:
        try:
            said = subprocess.run(["cargo", "--version"], cwd=crate, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError) as why:
            said = getattr(why, "stderr", "") or str(why)
        version = re.match(r"cargo (\d+)\.(\d+)", said)
        if version and tuple(map(int, version.groups())) >= tuple(map(int, needed.split(".")[:2])):
            return
        found = f"this is {version[0]}" if version else f"cargo does not run: {said.strip()}"
    raise SystemExit(
        f"libapivideo: building from source needs Rust {needed} or later, and {found}. Get it with 'rustup update stable' or"
        " from https://rustup.rs, or install a wheel, which needs no Rust."
    )


def platform_tag() -> str:
    if PREBUILT:
        if not TAG:
            raise SystemExit("libapivideo: APIVIDEO_WHEEL_LIBRARY needs APIVIDEO_WHEEL_TAG, such as win_amd64.")
        return TAG
    machine = platform.machine().lower()
    if MANYLINUX:
        return f"manylinux_{MANYLINUX}_{machine}"
    if sys.platform == "darwin":
        return f"macosx_11_0_{machine}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
