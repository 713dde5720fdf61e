"""PyInstaller's hook: the shared library belongs beside the code that loads it."""

from PyInstaller.utils.hooks import collect_dynamic_libs  # type: ignore[import-untyped,import-not-found,unused-ignore]

binaries = collect_dynamic_libs("libapivideo")
