"""The example for prefork servers, in the real gunicorn: 4 workers, load, and expiries."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import KEY, ROOT, Sandbox, wait_until

WORKERS = 4
LIFETIME = 3


@pytest.mark.parametrize("threads", [1, 8])
def test_four_workers_under_load_through_expiries(sandbox: Sandbox, tmp_path: Path, threads: int) -> None:
    sandbox.settings(expires_in=LIFETIME)
    errors = tmp_path / "errors"
    command = [
        *(sys.executable, "-m", "gunicorn", "--preload", "--workers", str(WORKERS), "--threads", str(threads)),
        *("--bind", "127.0.0.1:0", "--error-logfile", str(errors), "gunicorn_app:app"),
    ]
    environment = {**os.environ, "APIVIDEO_API_KEY": KEY, "APIVIDEO_BASE_URL": sandbox.url}
    process = subprocess.Popen(command, cwd=ROOT / "examples" / "python", env=environment)
    try:
        wait_until(lambda: errors.exists() and "Listening at" in errors.read_text(), "gunicorn listens")
        port = int(errors.read_text().split("http://127.0.0.1:")[1].split()[0])
        answers: Counter[tuple[int, int]] = Counter()
        failures: list[object] = []
        lock = threading.Lock()
        done = threading.Event()

        def load() -> None:
            while not done.is_set():
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                connection.request("GET", "/")
                response = connection.getresponse()
                body = json.loads(response.read())
                connection.close()
                with lock:
                    answers[body["worker"], response.status] += 1
                    if response.status != 200:
                        failures.append(body)

        begin = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(load) for _ in range(8)]

            def all_have_answered() -> bool:
                with lock:
                    return len(answers) >= WORKERS and time.monotonic() > begin + 2 * LIFETIME

            try:
                wait_until(lambda: all_have_answered() or failures or any(each.done() for each in running), "two lives of a token")
            finally:
                done.set()
            for each in running:
                each.result()
        assert not failures
        assert {status for _, status in answers} == {200} and len(answers) == WORKERS
        counters = sandbox.counters()
        assert counters["refresh"]["replayed"] == 0, "a refresh token was used by two processes"
        assert counters["videos"]["rejected"] == 0, "a request went out with an expired token"
        assert counters["api_key"]["requests"] + counters["refresh"]["requests"] < 12 * WORKERS
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, errors.read_text()
    assert "Traceback" not in errors.read_text()
