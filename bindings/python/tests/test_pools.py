"""README's table of process pools: each line is run with the real program, and all processes of it
make one exchange.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from libapivideo import _abi
from support import KEY, ROOT, SANDBOX, Sandbox, wait_until

(TABLE,) = re.findall(r"^\| Processes \|.*?\n\n", (ROOT / "README.md").read_text(), re.M | re.S)
LINES: dict[str, str] = dict(re.findall(r"^\| ([^|]+?) \| `([^`]+)`.*\|$", TABLE, re.M))

APP = """
import os, libapivideo
client = libapivideo.Client()
def app(environ, start_response):
    token = client.get_token()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {token.access_token}".encode()]
"""
TASKS = """
import os, time, celery, libapivideo
app = celery.Celery(broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": "broker", "data_folder_out": "broker", "processed_folder": "done"}
client = libapivideo.Client()
@app.task
def work():
    token = client.get_token()
    time.sleep(0.2)
    with open("said", "a") as said:
        said.write(f"{os.getpid()} {token.access_token}\\n")
"""
SCRIPT = f"""#!{sys.executable}
import os, libapivideo
with open("said", "a") as said:
    said.write(f"{{os.getpid()}} {{libapivideo.Client().get_token().access_token}}\\n")
"""
PHP = """<?php
$api = FFI::cdef("int apivideo_client_new(const char *, void *, void **, void **);
    int apivideo_get_token(void *, void **, void **); const char *apivideo_token_access_token(void *);", getenv("LIBAPIVIDEO_PATH"));
$client = FFI::new("void *"); $token = FFI::new("void *");
$failed = $api->apivideo_client_new(null, null, FFI::addr($client), null) || $api->apivideo_get_token($client, FFI::addr($token), null);
echo "\\r\\n", $failed ? "failed" : getmypid() . " " . $api->apivideo_token_access_token($token);
"""
PHP_POOL = """
[global]
error_log = {folder}/log
[www]
listen = {folder}/socket
pm = static
pm.max_children = 4
pm.max_requests = 2
env[APIVIDEO_API_KEY] = {key}
env[APIVIDEO_BASE_URL] = {url}
env[LIBAPIVIDEO_PATH] = {library}
{line}
"""


@pytest.fixture
def folder(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the programs are, and what they say."""
    sandbox.settings(latency_ms=200)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("APIVIDEO_API_KEY", KEY)
    monkeypatch.setenv("APIVIDEO_BASE_URL", sandbox.url)
    monkeypatch.setenv("LIBAPIVIDEO_PATH", _abi.library_path())
    monkeypatch.setenv("APIVIDEO_SANDBOX", SANDBOX)
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "first").write_text(SCRIPT)
    (tmp_path / "first").chmod(0o755)
    (tmp_path / "broker").mkdir()
    return tmp_path


def line(pool: str, folder: Path, instead: dict[str, str] | None = None) -> str:
    """README's line, with a folder of this test's for the user's own, and more instead."""
    text = LINES[pool]
    text, found = re.subn(r"(APIVIDEO_STORE\]? ?= ?file)\S*", rf"\1:{folder / 'tokens'}", text)
    assert found == 1
    for part, other in (instead or {}).items():
        text = text.replace(part, other)
    return text


@contextlib.contextmanager
def running(command: str, folder: Path) -> Iterator[None]:
    """A server, from a shell's line that may begin with a variable."""
    variable, program = re.fullmatch(r"(?:(APIVIDEO_STORE=\S+) )?(.*)", command).groups()  # type: ignore[union-attr]
    with open(folder / "log", "ab") as log:
        shell = ["sh", "-c", f"{'export ' + variable + ';' if variable else ''} exec {program}"]
        process = subprocess.Popen(shell, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            # gunicorn waits 30 seconds for a worker that it was just starting: that one may not
            # have heard the signal.
            process.wait(60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            print((folder / "log").read_text())


def free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])


def check(said: set[tuple[str, str]], sandbox: Sandbox, processes: int) -> None:
    assert len({pid for pid, _ in said}) >= processes
    assert len({token for _, token in said}) == 1
    assert sandbox.auth_requests() == 1


def answers(port: int, processes: int) -> set[tuple[str, str]]:
    """What a server's workers say, until so many of them have said something."""
    said: set[tuple[str, str]] = set()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask() -> bool:
        with contextlib.suppress(OSError):
            with opener.open(f"http://127.0.0.1:{port}/", timeout=10) as reply:
                pid, token = reply.read().decode().split()
                said.add((pid, token))
        return len({pid for pid, _ in said}) >= processes

    wait_until(ask, f"{processes} workers have answered")
    return said


def said_in(folder: Path, lines: int) -> set[tuple[str, str]]:
    file = folder / "said"
    wait_until(lambda: file.exists() and file.read_text().count("\n") >= lines, f"{lines} lines were said", 60)
    return {(pid, token) for pid, token in (each.split() for each in file.read_text().splitlines())}


@pytest.mark.parametrize("pool", ["gunicorn", "uWSGI"])
def test_a_prefork_server(sandbox: Sandbox, folder: Path, pool: str) -> None:
    port = free_port()
    command = line(pool, folder, {":8000": f"127.0.0.1:{port}"})
    if pool == "gunicorn":
        command += f" --bind 127.0.0.1:{port}"
    with running(command, folder):
        check(answers(port, 3), sandbox, 3)


def test_celery(sandbox: Sandbox, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", "import tasks\nfor _ in range(24): tasks.work.delay()"], check=True)
    with running(line("Celery", folder), folder):
        check(said_in(folder, 24), sandbox, 3)


def test_short_lived_programs(sandbox: Sandbox, folder: Path) -> None:
    (folder / "jobs").write_text("".join(f"{n}\n" for n in range(24)))
    (folder / "first").write_text(SCRIPT.replace("os, libapivideo", "os, libapivideo, sys; assert len(sys.argv) == 2"))
    subprocess.run(["sh", "-c", line("xargs", folder)], check=True)
    check(said_in(folder, 24), sandbox, 24)


def test_cron(sandbox: Sandbox, folder: Path) -> None:
    """As cron runs it: by sh, and with hardly any environment."""
    minute, command = re.fullmatch(r"((?:\S+ ){5})(.*)", line("cron", folder, {"$HOME/bin/": f"{folder}/"})).groups()  # type: ignore[union-attr]
    assert minute == "*/5 * * * * "
    environment = {name: os.environ[name] for name in ("APIVIDEO_API_KEY", "APIVIDEO_BASE_URL", "LIBAPIVIDEO_PATH", "PYTHONPATH") if name in os.environ}
    for _ in range(3):
        subprocess.run(["/bin/sh", "-c", command], check=True, env={**environment, "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"})
    check(said_in(folder, 3), sandbox, 3)


def test_php_fpm(sandbox: Sandbox, folder: Path) -> None:
    programs = glob.glob("/usr/sbin/php-fpm*")
    if not programs or not shutil.which("cgi-fcgi"):
        pytest.skip("php-fpm and cgi-fcgi are not installed (Debian: php-fpm libfcgi-bin)")
    (folder / "first.php").write_text(PHP)
    settings = {"key": KEY, "url": sandbox.url, "library": _abi.library_path(), "line": line("php-fpm", folder)}
    (folder / "pool.conf").write_text(PHP_POOL.format(folder=folder, **settings))
    root = ["-R"] if os.geteuid() == 0 else []
    command = " ".join([programs[0], "-F", *root, "-y", f"{folder}/pool.conf", "-d", "ffi.enable=true"])
    script = {"SCRIPT_FILENAME": f"{folder}/first.php", "REQUEST_METHOD": "GET"}
    said: set[tuple[str, str]] = set()
    with running(command, folder):
        wait_until((folder / "socket").exists, "php-fpm listens")
        requests: list[Any] = [
            subprocess.Popen(["cgi-fcgi", "-bind", "-connect", f"{folder}/socket"], env={**os.environ, **script}, stdout=subprocess.PIPE, text=True)
            for _ in range(24)
        ]
        for each in requests:
            pid, token = each.communicate(timeout=30)[0].split()[-2:]
            said.add((pid, token))
    # Each process answers two requests, and is followed by another.
    check(said, sandbox, 5)


def test_every_line_is_run() -> None:
    assert set(LINES) == {"gunicorn", "uWSGI", "Celery", "php-fpm", "xargs", "cron"}
