"""The ctypes declarations against the C header: every function, status, enum and callback."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import libapivideo
import pytest
from libapivideo import _abi
from support import ROOT

HEADER = (ROOT / "include" / "apivideo.h").read_text()
CODE = re.sub(r"/\*.*?\*/|//[^\n]*|^\s*#[^\n]*", "", HEADER, flags=re.S | re.M)

HANDLES = {
    "apivideo_client": _abi.ClientPointer,
    "apivideo_config": _abi.ConfigPointer,
    "apivideo_error": _abi.ErrorPointer,
    "apivideo_operation": _abi.OperationPointer,
    "apivideo_response": _abi.ResponsePointer,
    "apivideo_record": _abi.RecordPointer,
    "apivideo_statistics": _abi.StatisticsPointer,
    "apivideo_store": _abi.StorePointer,
    "apivideo_token": _abi.TokenPointer,
    "apivideo_upload": _abi.UploadPointer,
}
CALLBACKS: dict[str, Any] = {
    "apivideo_log_callback": _abi.LogCallback,
    "apivideo_release_callback": _abi.ReleaseCallback,
    "apivideo_state_callback": _abi.StateCallback,
    "apivideo_completion_callback": _abi.CompletionCallback,
    "apivideo_progress_callback": _abi.ProgressCallback,
    "apivideo_store_load_callback": _abi.StoreLoadCallback,
    "apivideo_store_swap_callback": _abi.StoreSwapCallback,
}
PLAIN: dict[str, Any] = {
    "void": None,
    "void *": ctypes.c_void_p,
    "const void *": ctypes.c_void_p,
    "const char *": ctypes.c_char_p,
    "size_t": ctypes.c_size_t,
    "bool": ctypes.c_bool,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64,
    "uint64_t *": ctypes.POINTER(ctypes.c_uint64),
    "apivideo_status": ctypes.c_int32,
    **CALLBACKS,
}
for name, handle in HANDLES.items():
    for const in ("", "const "):
        PLAIN[f"{const}{name} *"] = handle
        PLAIN[f"{const}{name} **"] = ctypes.POINTER(handle)


def ctype(declaration: str) -> Any:
    """What a C declaration, with or without its parameter's name, is in ctypes."""
    words = re.sub(r"\s+", " ", declaration).strip()
    words = re.sub(r"(?<=[ *])(?!bool$|void$)[a-z_0-9]+$", "", words).strip() if words not in PLAIN else words
    return PLAIN[re.sub(r"\s*(\*+)$", r" \1", words)]


def parameters(text: str) -> list[Any]:
    return [] if text.strip() == "void" else [ctype(each) for each in text.split(",")]


def functions() -> dict[str, tuple[Any, list[Any]]]:
    found = re.findall(r"([\w ]+?[\s*]+)(apivideo_\w+)\(([^()]*)\);", CODE)
    declared = {name: (ctype(result), parameters(arguments)) for result, name, arguments in found}
    # ctypes would end a `const char *` at its first NUL.
    declared["apivideo_response_body"] = (ctypes.c_void_p, declared["apivideo_response_body"][1])
    return declared


def constants(enum: str) -> dict[str, int]:
    (body,) = re.findall(rf"enum apivideo_{enum}\s*:\s*int32_t\s*\{{(.*?)\}}", CODE, flags=re.S)
    prefix = f"APIVIDEO_{enum.upper()}_"
    return {name[len(prefix) :]: int(number) for name, number in re.findall(r"(\w+) = (\d+)", body)}


def test_the_parser_finds_what_the_header_declares() -> None:
    assert len(functions()) == CODE.count(");") - len(CALLBACKS)
    assert functions()["apivideo_token_clone"] == (_abi.TokenPointer, [_abi.TokenPointer])


def test_every_function_is_declared_as_in_the_header() -> None:
    assert _abi.PROTOTYPES == functions()


@pytest.mark.parametrize("name", functions())
def test_the_function_that_is_called_has_these_types(name: str) -> None:
    function = getattr(_abi.lib, name[len("apivideo_") :])
    result, arguments = functions()[name]
    assert function.restype is result
    assert list(function.argtypes) == arguments


@pytest.mark.parametrize(
    ("enum", "ours"),
    [
        ("status", _abi.Status),
        ("statistic", _abi.Statistic),
        ("environment", _abi.Environment),
        ("log_level", _abi.LogLevel),
        ("token_state", _abi.TokenState),
        ("store_result", _abi.StoreResult),
    ],
)
def test_enums_have_the_header_s_numbers(enum: str, ours: Any) -> None:
    assert {each.name: each.value for each in ours} == constants(enum)


def test_every_enum_handle_and_callback_of_the_header_is_covered() -> None:
    assert set(re.findall(r"enum apivideo_(\w+)[\s:\w]*\{", CODE)) == {
        "status",
        "statistic",
        "environment",
        "log_level",
        "token_state",
        "store_result",
    }
    assert set(re.findall(r"typedef struct (\w+)", CODE)) == set(HANDLES)
    callbacks = re.findall(r"typedef (\w+) \(\*(\w+)\)\(([^()]*)\);", CODE)
    assert {name for _, name, _ in callbacks} == set(CALLBACKS)
    for result, name, arguments in callbacks:
        assert (CALLBACKS[name]._restype_, list(CALLBACKS[name]._argtypes_)) == (ctype(result), parameters(arguments))


def test_the_versions_are_the_header_s() -> None:
    assert f"#define APIVIDEO_ABI_VERSION {_abi.ABI_VERSION}\n" in HEADER
    assert f'#define APIVIDEO_VERSION "{libapivideo.__version__}"' in HEADER
    assert libapivideo.library_version() == libapivideo.__version__
