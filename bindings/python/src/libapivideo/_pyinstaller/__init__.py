"""Tells PyInstaller where this package's hook is; the entry point in `pyproject.toml` names it."""

import os


def hook_dirs() -> "list[str]":
    return [os.path.dirname(os.path.abspath(__file__))]
