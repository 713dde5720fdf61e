"""A token that processes share."""

from __future__ import annotations

import copy
import gc
import logging
import multiprocessing
import pickle
import re
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import libapivideo
import pytest
from support import KEY, Sandbox, in_child, python, run

SCRIPT = "import sys, libapivideo; print(libapivideo.Client(sys.argv[1], base_url=sys.argv[2]).get_token().access_token)"


class Table(libapivideo.OwnStore):
    """A store in memory. It calls no constructor of its base."""

    def __init__(self) -> None:
        self.kept: dict[str, libapivideo.Record] = {}
        self.lock = threading.Lock()
        self.failure: BaseException | None = None
        self.later = 0.0
        self.keep = 0.0

    def load(self, name: str, timeout: float) -> libapivideo.Record | None:
        if self.failure is not None:
            raise self.failure
        with self.lock:
            kept = self.kept.get(name)
            return kept and kept._replace(now=time.time() + self.later)

    def swap(self, name: str, expected: int, record: libapivideo.Record, keep: float, timeout: float) -> bool:
        with self.lock:
            there = self.kept.get(name)
            if (there.version if there else 0) != expected:
                return False
            self.kept[name], self.keep = record, keep
            return True


def sharing(sandbox: Sandbox, store: libapivideo.Store | str, **settings: Any) -> libapivideo.Client:
    return libapivideo.Client(KEY, base_url=sandbox.url, store=store, **settings)


def test_clients_share_a_token_by_files(sandbox: Sandbox, tmp_path: Path) -> None:
    store = libapivideo.FileStore(tmp_path / "tokens")
    with sharing(sandbox, store, store_timeout=0.5) as one:
        first = one.get_token()
    with sharing(sandbox, store) as other:
        assert other.get_token().access_token == first.access_token
        assert other.stats().tokens_adopted == 1
        assert other.stats().authenticate_requests == 0
    assert not first.refresh_token


def test_coroutines_share_a_token_too(sandbox: Sandbox, tmp_path: Path) -> None:
    async def token(store: libapivideo.Store) -> str:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url, store=store) as client:
            return (await client.get_token()).access_token

    for store in [libapivideo.FileStore(tmp_path / "tokens"), Table()]:
        sandbox.reset()
        assert run(token(store)) == run(token(store))
        assert sandbox.auth_requests() == 1


def test_a_text_names_a_store(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"file:{tmp_path / 'tokens'}"
    with sharing(sandbox, name) as one, sharing(sandbox, libapivideo.FileStore(tmp_path / "tokens")) as other:
        assert one.get_token().access_token == other.get_token().access_token
    monkeypatch.setenv("APIVIDEO_STORE", name)
    with sharing(sandbox, "") as alone:
        assert alone.get_token().refresh_token, "nowhere, whatever the environment says"
    with pytest.raises(libapivideo.InvalidArgumentError, match="^`store` must be file, file:DIRECTORY") as refused:
        sharing(sandbox, "memcached:canary")
    assert "canary" not in str(refused.value)
    with pytest.raises(libapivideo.InvalidArgumentError, match="^`ca_file` "):
        sharing(sandbox, "rediss://127.0.0.1", ca_file="/no/such/file")
    for wrong in (7, libapivideo.Store()):
        with pytest.raises(TypeError, match="a FileStore, a RedisStore"):
            sharing(sandbox, wrong)  # type: ignore[arg-type] # pyright: ignore


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
    with sharing(sandbox, store) as client:
        assert client.get_token()
        assert client.stats().store_failures == 1
    with pytest.raises(libapivideo.InvalidArgumentError) as refused:
        libapivideo.RedisStore("redis://user:hush@")
    assert "hush" not in str(refused.value) + repr(store)


def test_no_store_can_be_pickled_or_copied(tmp_path: Path) -> None:
    for store in [libapivideo.FileStore(tmp_path / "tokens"), libapivideo.RedisStore("redis://x"), Table()]:
        for copied in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="make one in each process"):
                copied(store)


# --- A program's own ---


def test_a_program_s_own_store_shares(sandbox: Sandbox) -> None:
    table = Table()
    with sharing(sandbox, table) as one, sharing(sandbox, table) as other:
        assert one.get_token().access_token == other.get_token().access_token
        assert (one.stats().store_failures, other.stats().store_failures) == (0, 0)
        assert other.stats().tokens_adopted == 1
    assert 3_600 <= table.keep < 7_200
    ((name, record),) = table.kept.items()
    assert re.fullmatch("apivideo-[0-9a-f]{32}", name)
    assert one.base_url.encode() not in record.data


def test_a_client_keeps_its_store_and_leaves_nothing_of_it(sandbox: Sandbox) -> None:
    table = Table()
    kept = table.kept
    gone = weakref.ref(table)
    client = sharing(sandbox, table)
    del table
    gc.collect()
    assert client.get_token() and kept, "nobody but the client has it"
    client.close()
    del client
    gc.collect()
    assert gone() is None


def test_many_clients_make_one_exchange(sandbox: Sandbox) -> None:
    sandbox.settings(latency_ms=100)
    table = Table()
    clients = [sharing(sandbox, table) for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        assert len({token.access_token for token in pool.map(lambda each: each.get_token(), clients)}) == 1
    assert sandbox.auth_requests() == 1
    for each in clients:
        each.close()


def test_the_store_s_own_clock_counts(sandbox: Sandbox) -> None:
    table = Table()
    with sharing(sandbox, table) as one, sharing(sandbox, table) as other:
        one.get_token()
        table.later = 2 * 3_600
        assert other.get_token() and not other.stats().tokens_adopted, "to the store, the token has expired"


@pytest.mark.parametrize("failure", [OSError("no database"), SystemExit(3), GeneratorExit()])
def test_an_exception_is_a_failure_that_is_logged_once(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, failure: BaseException, recwarn: pytest.WarningsRecorder
) -> None:
    table = Table()
    unraisable: list[object] = []
    hook, sys.unraisablehook = sys.unraisablehook, unraisable.append

    def get_a_token() -> int:
        with sharing(sandbox, table) as client:
            assert client.get_token()
            return client.stats().store_failures

    def raised() -> list[logging.LogRecord]:
        return [each for each in caplog.records if each.exc_info]

    try:
        table.failure = failure
        assert (get_a_token(), get_a_token()) == (1, 1)
        (record,) = raised()
        assert record.getMessage() == "The program's own store: load() raised."
        assert record.exc_info and record.exc_info[1] is failure
        table.failure = None
        assert get_a_token() == 0
        table.failure = failure
        get_a_token()
        assert len(raised()) == 2, "it is said again when it begins again"
    finally:
        sys.unraisablehook = hook
    assert not unraisable and not recwarn


@pytest.mark.parametrize(
    "answer", [(0, b"x"), (2**63, b""), (1, b"", 5.0), (1, b"", 1.8e12), (1, b" " * 65_537), (1, "text"), (1.5, b""), (1, b"", "now"), (1, b"", -1.0), (1, b"", 1e300), 7, True]
)
def test_an_answer_that_is_none_is_a_failure(sandbox: Sandbox, caplog: pytest.LogCaptureFixture, answer: Any) -> None:
    class Wrong(Table):
        def load(self, name: str, timeout: float) -> libapivideo.Record | None:
            return libapivideo.Record(*answer) if isinstance(answer, tuple) else answer

    with sharing(sandbox, Wrong()) as client:
        assert client.get_token()
        assert client.stats().store_failures == 1
    assert any(each.exc_info for each in caplog.records)


def test_nothing_is_kept_and_the_clock_is_told_all_the_same(sandbox: Sandbox) -> None:
    class Empty(Table):
        def load(self, name: str, timeout: float) -> libapivideo.Record | None:
            return super().load(name, timeout) or libapivideo.Record(0, b"", time.time())

    with sharing(sandbox, Empty()) as client:
        assert client.get_token()
        assert client.stats().store_failures == 0


def test_a_method_that_was_forgotten_is_named(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    class Half(libapivideo.OwnStore):
        pass

    with sharing(sandbox, Half()) as client:
        assert client.get_token()
    assert "Half has no load()" in caplog.text


def test_a_store_that_hangs_is_left_alone(sandbox: Sandbox) -> None:
    done = threading.Event()

    class Hanging(Table):
        def load(self, name: str, timeout: float) -> libapivideo.Record | None:
            done.wait(30)
            return None

    with sharing(sandbox, Hanging(), store_timeout=0.05) as client:
        assert client.get_token()
        assert client.stats().store_failures == 1
        done.set()


HANGING = """
import sys, time, libapivideo
class Hanging(libapivideo.OwnStore):
    def load(self, name, timeout):
        asked.append(name)
        time.sleep({seconds})
    swap = load
asked, store = [], Hanging()
client = libapivideo.Client(sys.argv[1], base_url=sys.argv[2], store=store, store_timeout=10)
import threading
threading.Thread(target=client.get_token, daemon=True).start()
while not asked:
    time.sleep(0.001)
"""


@pytest.mark.parametrize("seconds", ["60", "0.02", "0.12", "0.15"])
def test_the_end_of_a_program_neither_waits_nor_fails_while_a_store_is_asked(sandbox: Sandbox, seconds: str) -> None:
    begin = time.monotonic()
    result = python(HANGING.format(seconds=seconds), KEY, sandbox.url)
    assert (result.returncode, result.stderr) == (0, "")
    assert time.monotonic() - begin < 9


def test_the_end_of_a_program_does_not_wait_for_a_store_that_nobody_asks(sandbox: Sandbox) -> None:
    program = HANGING.split("import threading")[0].format(seconds=0) + """
client.get_token()
import atexit, _thread
from libapivideo import _core
def check():
    begin = time.monotonic()
    _core._at_exit()
    if time.monotonic() - begin > _core.LONGEST_EXIT / 2:
        print("waited")
atexit.unregister(_core._at_exit)
from libapivideo import _store
atexit.unregister(_store._at_exit)
atexit.register(check)
atexit.register(_store._at_exit)
"""
    result = python(program, KEY, sandbox.url)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


# --- Processes ---


def test_a_forked_child_shares_its_parent_s_store(sandbox: Sandbox, tmp_path: Path) -> None:
    """Both kinds of store, cold and warm: parent and children make one exchange for each token."""
    for store in (libapivideo.FileStore(tmp_path / "tokens"), Table()):
        sandbox.reset()
        with sharing(sandbox, store) as client:
            first = client.get_token()

            def child() -> int:
                assert client.get_token().access_token == first.access_token
                client.invalidate(client.get_token())
                assert client.get_token().access_token != first.access_token
                return 7

            assert in_child(child) == 7
        with sharing(sandbox, store) as other:
            assert other.get_token()
            assert other.stats().store_failures == 0
        assert sandbox.auth_requests() == 2


def tokens_of_a_pool(method: str, url: str, directory: str) -> set[str]:
    context = multiprocessing.get_context(method)
    with context.Pool(6, initializer=make_client, initargs=(url, directory)) as pool:
        return set(pool.map(use_client, range(60), chunksize=1))


_client: libapivideo.Client | None = None


def make_client(url: str, directory: str) -> None:
    global _client
    _client = libapivideo.Client(KEY, base_url=url, store=libapivideo.FileStore(directory))


def use_client(_: int) -> str:
    assert _client is not None
    return _client.get_token().access_token


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_pool_of_processes_makes_one_exchange(sandbox: Sandbox, tmp_path: Path, method: str) -> None:
    sandbox.settings(latency_ms=200)
    assert len(tokens_of_a_pool(method, sandbox.url, str(tmp_path / "tokens"))) == 1
    assert sandbox.auth_requests() == 1
