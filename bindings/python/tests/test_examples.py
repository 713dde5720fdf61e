"""What people copy: the examples and README's Python, run as they are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import KEY, ROOT, SANDBOX, Sandbox, python

EXAMPLES = ROOT / "examples" / "python"
README = (ROOT / "bindings" / "python" / "README.md").read_text()


def environment(sandbox: Sandbox) -> dict[str, str]:
    return {**os.environ, "APIVIDEO_API_KEY": KEY, "APIVIDEO_BASE_URL": sandbox.url, "APIVIDEO_SANDBOX": SANDBOX}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("first_token.py", "The token is good for 3"),
        ("requests_session.py", "videos"),
        ("httpx_async.py", "20 requests, 1 authentication"),
        ("prometheus_metrics.py", "apivideo_tokens_granted_total 1.0"),
        ("upload.py", "is there: https://embed.api.video/"),
        ("prometheus_metrics.py", "apivideo_tokens_adopted_total 0.0"),
        ("prometheus_metrics.py", "apivideo_store_failures_total 0.0"),
    ],
)
def test_examples(sandbox: Sandbox, name: str, says: str) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name],
        env=environment(sandbox),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert says in result.stdout


def test_a_store_in_sql(sandbox: Sandbox, tmp_path: Path) -> None:
    """One exchange for programs that begin together, and for those that come later."""
    sandbox.settings(latency_ms=300)
    command = [sys.executable, "-W", "error", EXAMPLES / "sql_store.py", tmp_path / "tokens.db"]

    def said(programs: int) -> list[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        running = [subprocess.Popen(command, env=environment(sandbox), **pipes) for _ in range(programs)]
        return sorted(each.communicate(timeout=60)[0].partition(",")[0] for each in running)

    another = "The token is another process's"
    assert said(4) == [another] * 3 + ["The token is this process's own"]
    assert said(2) == [another] * 2
    assert sandbox.auth_requests() == 1


def test_first_token_says_what_is_wrong(sandbox: Sandbox) -> None:
    result = subprocess.run(
        [sys.executable, EXAMPLES / "first_token.py"],
        env={**environment(sandbox), "APIVIDEO_API_KEY": "wrong"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1 and "refused the API key" in result.stderr


def test_every_example_is_tested() -> None:
    assert {each.name for each in EXAMPLES.glob("*.py")} == {
        "first_token.py",
        "requests_session.py",
        "httpx_async.py",
        "gunicorn_app.py",
        "prometheus_metrics.py",
        "upload.py",
        "sql_store.py",
    }


def test_readme(sandbox: Sandbox) -> None:
    """README's Python, from its first line to its last, as one program, word for word."""
    program = "".join(re.findall(r"```python\n(.*?)```", README, flags=re.S))
    result = python(program, env=environment(sandbox))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("200\n") == 2 and "libapivideo.Token, expires at" in result.stdout
