"""A token that processes share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import libapivideo
import pytest
from support import KEY, Sandbox

SCRIPT = "import sys, libapivideo; print(libapivideo.Client(sys.argv[1], base_url=sys.argv[2]).get_token().access_token)"


def test_clients_share_a_token_by_files(sandbox: Sandbox, tmp_path: Path) -> None:
    store = libapivideo.FileStore(tmp_path / "tokens")
    with libapivideo.Client(KEY, base_url=sandbox.url, store=store, store_timeout=0.5) as one:
        first = one.get_token()
    with libapivideo.Client(KEY, base_url=sandbox.url, store=store) as other:
        assert other.get_token().access_token == first.access_token
        assert other.stats().tokens_adopted == 1
        assert other.stats().authenticate_requests == 0
    assert not first.refresh_token


def test_a_script_that_runs_again_makes_no_exchange(sandbox: Sandbox, tmp_path: Path) -> None:
    tokens = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, KEY, sandbox.url],
            env={"APIVIDEO_STORE": f"file:{tmp_path / 'tokens'}", "PYTHONPATH": ":".join(sys.path), **library()},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for _ in range(3)
    }
    assert len(tokens) == 1


def library() -> dict[str, str]:
    from libapivideo import _abi

    return {"LIBAPIVIDEO_PATH": _abi.library_path()}


def test_a_directory_that_is_not_safe_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(libapivideo.InvalidArgumentError, match="0700"):
        libapivideo.FileStore(tmp_path)
    with pytest.raises(TypeError):
        libapivideo.FileStore(7)  # type: ignore[arg-type] # pyright: ignore


def test_a_redis_that_is_down_costs_no_token_and_no_url_is_repeated(sandbox: Sandbox) -> None:
    store = libapivideo.RedisStore("redis://user:hush@127.0.0.1:1")
    with libapivideo.Client(KEY, base_url=sandbox.url, store=store) as client:
        assert client.get_token()
        assert client.stats().store_failures == 1
    with pytest.raises(libapivideo.InvalidArgumentError) as refused:
        libapivideo.RedisStore("redis://user:hush@")
    assert "hush" not in str(refused.value)
