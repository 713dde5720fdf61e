"""Processes: fork, spawn, signals, exit."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress

import libapivideo
import pytest
from support import DEADLINE, KEY, Sandbox, in_child, python, run, wait_until

FORKS = int(os.environ.get("APIVIDEO_TEST_FORKS", "300"))
SETUP = "import libapivideo, sys, threading, time; client = libapivideo.Client('sandbox-key', base_url=sys.argv[1]"


def test_a_forked_child_keeps_the_token_and_gets_its_own(client: libapivideo.Client, sandbox: Sandbox) -> None:
    header = client.authorization()

    def child() -> int:
        assert client.authorization() == header
        assert client.get_token().authorization == header
        client.invalidate(client.get_token())
        assert client.authorization() != header
        assert client.stats().tokens_granted == 1
        return 7

    assert in_child(child) == 7
    assert client.authorization() == header
    # The parent's refresh token died when the child authenticated: routine.
    assert client.authenticate().authorization != header
    assert sandbox.counters()["refresh"]["replayed"] == 0


def test_a_fork_while_calls_wait(sandbox: Sandbox) -> None:
    """The child has none of the parent's waiting calls, and makes its own."""
    sandbox.fault("hang", times=1)
    client = libapivideo.Client(KEY, base_url=sandbox.url)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(call) for call in [client.get_token, client.authorization] * 2]
        wait_until(lambda: client.stats().waiters == 4, "calls wait")

        def child() -> int:
            assert not client._core.calls
            assert client.get_token().token_type == "Bearer"
            assert libapivideo.Client(KEY, base_url=sandbox.url).authorization()
            client.close()
            return 7

        assert in_child(child) == 7
        assert not any(each.done() for each in waiting)
        client.close()
        for each in waiting:
            with pytest.raises(libapivideo.ClosedError):
                each.result(5)


@contextmanager
def renewing(sandbox: Sandbox, expires_in: int) -> Iterator[libapivideo.Client]:
    """A client with 8 threads that read and one that renews, so that there is nearly always an
    exchange in flight.

    Afterwards: no refresh token came twice, and none came from another process.
    """
    sandbox.settings(expires_in=expires_in, latency_ms=50)
    client = libapivideo.Client(KEY, base_url=sandbox.url)
    client.authorization()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            client.authorization()

    def renew() -> None:
        while not done.is_set():
            try:
                client.refresh()
            except (libapivideo.RefreshRejectedError, libapivideo.NoRefreshTokenError):
                # A child has authenticated, which retires this process's refresh token.
                client.authenticate()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 50)  # Else whoever forks waits for nine other threads' turns.
    try:
        with ThreadPoolExecutor(9) as pool:
            threads = [pool.submit(each) for each in [renew] + [read] * 8]
            try:
                yield client
            finally:
                done.set()
        for each in threads:
            each.result()
    finally:
        sys.setswitchinterval(interval)
    wait_until(lambda: not client.stats().exchanges_in_flight, "the last exchange ends")
    refreshes = [entry["refresh_token_id"] for entry in sandbox.log() if entry["path"] == "/auth/refresh"]
    assert len(refreshes) == len(set(refreshes)) == client.stats().refresh_requests > 0
    assert sandbox.counters()["refresh"]["replayed"] == 0
    client.close()


def test_many_forks_in_the_middle_of_renewals(sandbox: Sandbox) -> None:
    in_flight = 0
    with renewing(sandbox, expires_in=60) as client:
        for number in range(FORKS):

            def child(renews: bool = number % 20 == 0) -> int:
                header = client.authorization()
                with pytest.raises(libapivideo.NoRefreshTokenError):
                    client.refresh()
                if renews:
                    client.invalidate(client.get_token())
                    assert client.authorization() != header
                assert client.stats().refresh_requests == 0
                return 7

            in_flight += client.stats().exchanges_in_flight
            assert in_child(child) == 7
    assert in_flight > FORKS / 4, "the forks were not in the middle of renewals"


inherited: libapivideo.Client


def inherit(client: libapivideo.Client) -> None:
    global inherited
    inherited = client


def work(number: int) -> int:
    header = inherited.authorization()
    if number % 10 == 0:
        inherited.invalidate(inherited.get_token())
        assert inherited.authorization() != header
        assert inherited.stats().authenticate_requests > 0
    assert inherited.stats().refresh_requests == 0
    return os.getpid()


def test_a_pool_of_many_processes_in_the_middle_of_renewals(sandbox: Sandbox) -> None:
    """A process for each task; they run two at a time, and are forked by the pool's own thread."""
    processes = FORKS // 4
    # So long a life that no child has to refresh a token of its own, however slowly it runs.
    with renewing(sandbox, expires_in=3600) as client:
        context = multiprocessing.get_context("fork")
        with context.Pool(2, inherit, (client,), maxtasksperchild=1) as pool:
            pids = pool.map_async(work, range(processes), chunksize=1).get(DEADLINE + processes)
    assert len(set(pids)) == processes


def test_async_in_a_forked_child(sandbox: Sandbox) -> None:
    import asyncio

    client = libapivideo.AsyncClient(KEY, base_url=sandbox.url)

    async def main() -> str:
        return await client.authorization()

    header = run(main())

    def child() -> int:
        assert asyncio.run(main()) == header
        client.invalidate(asyncio.run(client.get_token()))
        assert asyncio.run(main()) != header
        return 7

    assert in_child(child) == 7
    client.close()


def authorize(url: str) -> str:
    """What a worker process does: it makes its client when it needs one."""
    with libapivideo.Client(KEY, base_url=url) as client:
        return client.authorization()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(client: libapivideo.Client, sandbox: Sandbox, method: str) -> None:
    header = client.authorization()
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        headers = list(pool.map(authorize, [sandbox.url] * 4))
    assert all(each.startswith("Bearer ") and each != header for each in headers)
    assert client.authorization() == header


@pytest.mark.parametrize("call", ["get_token()", "authorization()", "authenticate()", "get_token(min_validity=60)"])
def test_ctrl_c_ends_a_wait_at_once(sandbox: Sandbox, call: str) -> None:
    sandbox.fault("hang", times=0)
    program = f"""{SETUP})
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background job ignores it, and so do its children.
def tell():
    while client.stats().waiters == 0:
        time.sleep(0.005)
    print("waiting", flush=True)
threading.Thread(target=tell).start()
try:
    client.{call}
except KeyboardInterrupt:
    assert client.stats().waiters == 0
    print("interrupted", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, sandbox.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "waiting\n"
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        took = time.monotonic() - begin
        assert process.wait(10) == 0
        assert process.stderr and process.stderr.read() == ""
    assert took < 1


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a call that waits in a daemon thread", "threading.Thread(target=client.get_token, daemon=True).start(); inside()"),
        ("authenticate in a daemon thread", "threading.Thread(target=client.authenticate, daemon=True).start(); inside()"),
        ("many of both", "[threading.Thread(target=f, daemon=True).start() for f in [client.get_token, client.authenticate] * 5]; inside()"),
        ("an event loop in a daemon thread", "import asyncio; a = libapivideo.AsyncClient.sharing(client);"
         " threading.Thread(target=lambda: asyncio.run(a.get_token()), daemon=True).start(); inside()"),
        ("nothing at all", ""),
    ],
)
def test_exit_with_an_exchange_in_flight_is_clean_and_not_delayed(sandbox: Sandbox, name: str, body: str) -> None:
    sandbox.fault("hang", times=0)
    program = f"""{SETUP}, on_state=print)
def inside():
    while client.stats().waiters == 0 or not client.stats().exchanges_in_flight:
        time.sleep(0.005)
{body}
print("exit", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, sandbox.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "exit\n"
        begin = time.monotonic()
        code = process.wait(10)
        assert (code, process.stdout.read(), process.stderr and process.stderr.read()) == (0, "", "")
        assert time.monotonic() - begin < 5, "an attempt takes 10 seconds: exit waited for it"


@pytest.mark.parametrize(
    ("wait_timeout", "call", "then"),
    [
        (0, "give_up()", "del client"),
        (0, "give_up()", "client.close()"),
        (0, "give_up()", ""),
        (30, "threading.Thread(target=client.get_token, daemon=True).start()", ""),
    ],
)
def test_a_connection_lost_while_the_interpreter_ends_is_nobodys_business(
    wait_timeout: int, call: str, then: str
) -> None:
    """An exchange hangs, its client is gone, and the server hangs up while Python finalizes."""
    program = f"""{SETUP}, wait_timeout={wait_timeout})
import os
def give_up():
    try:
        client.get_token()
    except libapivideo.WaitTimeoutError:
        pass
{call}
sys.stdin.readline()
{then}
class Last:
    def __del__(self, read=os.read, write=os.write):
        write(1, b"finalizing\\n")
        read(0, 1)
last = Last()
"""
    with socket.create_server(("127.0.0.1", 0)) as server, subprocess.Popen(
        [sys.executable, "-c", program, f"http://127.0.0.1:{server.getsockname()[1]}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        server.settimeout(DEADLINE)
        connection, _ = server.accept()
        with connection:
            assert process.stdin
            process.stdin.write(b"go on\n")
            process.stdin.flush()
            assert process.stdout and process.stdout.readline() == b"finalizing\n"
            hang_up(connection)
        # What the library does about it must not be heard of. So there is nothing to wait for.
        time.sleep(0.3)
        out, error = process.communicate(b".", timeout=DEADLINE)
    assert (process.returncode, out, error) == (0, b"", b"")


def hang_up(connection: socket.socket) -> None:
    """Ends a connection, and waits until the other side has noticed."""
    connection.settimeout(DEADLINE)
    with suppress(ConnectionError):
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def test_exit_in_the_middle_of_renewals(sandbox: Sandbox) -> None:
    """Exits at every moment of renewals that log and report states: no crash, not a word."""
    sandbox.settings(expires_in=1)
    program = f"""{SETUP}, keep_fresh=True, on_state=lambda state: None)
import logging, random
logging.basicConfig(level=logging.DEBUG, stream=open("/dev/null", "w"))
client.authorization()
for _ in range(3):
    threading.Thread(target=lambda: [client.authorization() for _ in iter(int, 1)], daemon=True).start()
time.sleep(random.uniform(0.6, 0.8))
client.invalidate(client.get_token())
"""
    for _ in range(4):
        running = [
            subprocess.Popen([sys.executable, "-c", program, sandbox.url], stderr=subprocess.PIPE, text=True)
            for _ in range(4)
        ]
        ended = [(process.communicate(timeout=30)[1], process.returncode) for process in running]
        assert ended == [("", 0)] * len(running)


def test_exit_of_a_forked_child_that_ends_like_any_program(sandbox: Sandbox) -> None:
    program = f"""{SETUP})
import os
client.authorization()
if os.fork() == 0:
    client.authorization()
    sys.exit(0)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    result = python(program, sandbox.url)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
