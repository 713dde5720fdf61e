"""Building from source, where Rust is missing, too old, or does not run."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import ROOT

NEEDED: str = re.findall(r'^rust-version = "([\d.]+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[0]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`hatch_build.py`, without hatchling."""
    name = "hatchling.builders.hooks.plugin.interface"
    plugin: Any = ModuleType(name)
    plugin.BuildHookInterface = dict
    monkeypatch.setitem(sys.modules, name, plugin)
    path = ROOT / "bindings" / "python" / "hatch_build.py"
    spec = importlib.util.spec_from_file_location("hatch_build", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cargo(folder: Path, script: str) -> None:
    path = folder / "cargo"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (None, "cargo is not on PATH"),
        ("echo 'cargo 1.75.0 (1d8b05cdd 2023-11-20)'", "this is cargo 1.75"),
        ("echo 'cargo 0.99.0'", "this is cargo 0.99"),
        ("echo 'error: no default toolchain' >&2; exit 1", "cargo does not run: error: no default toolchain"),
    ],
)
def test_what_is_wrong_with_rust_is_said(
    hook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, says: str
) -> None:
    if script is not None:
        cargo(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        hook.check_rust(ROOT)
    said = str(caught.value)
    assert f"needs Rust {NEEDED} or later" in said and says in said and "rustup" in said


@pytest.mark.parametrize("version", [NEEDED, f"{NEEDED}.1", "1.95.0", "1.100.0", "2.0.0-nightly"])
def test_a_rust_that_is_new_enough_will_do(hook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    cargo(tmp_path, f"echo 'cargo {version}'")
    monkeypatch.setenv("PATH", str(tmp_path))
    hook.check_rust(ROOT)


def test_readme_names_the_version() -> None:
    assert f"[Rust](https://rustup.rs) {NEEDED} or later" in (ROOT / "bindings" / "python" / "README.md").read_text()
