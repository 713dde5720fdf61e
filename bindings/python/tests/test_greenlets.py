"""gevent and eventlet: while one greenlet waits, the others run. Each program has a process of its
own, as both patch Python.
"""

from __future__ import annotations

import pytest
from support import KEY, Sandbox, python

GEVENT = """
import gevent
from gevent import Timeout, sleep, spawn
def result(thread):
    return thread.get()
def patch():
    from gevent import monkey
    monkey.patch_all()
"""
EVENTLET = """
import eventlet
from eventlet import Timeout, sleep, spawn
def result(thread):
    return thread.wait()
def patch():
    eventlet.monkey_patch()
"""
PROGRAM = """
import sys, threading, time
if {patched}:
    patch()
import libapivideo
client = libapivideo.Client(sys.argv[1], base_url=sys.argv[2])
beats = [time.monotonic()]
def heart():
    while True:
        beats.append(time.monotonic())
        sleep(0.01)
heart = spawn(heart)
sleep(0)
def longest_pause():
    return max(b - a for a, b in zip(beats, beats[1:] + [time.monotonic()]))
"""


# eventlet warns of itself: nobody should begin to use it.
IGNORING = ("-W", "ignore")


@pytest.fixture(params=["gevent", "gevent, patched", "eventlet", "eventlet, patched"])
def setup(request: pytest.FixtureRequest) -> str:
    kind = GEVENT if request.param.startswith("gevent") else EVENTLET
    return kind + PROGRAM.format(patched="patched" in request.param)


def runs(program: str, sandbox: Sandbox) -> None:
    result = python(program, KEY, sandbox.url, flags=IGNORING)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr


@pytest.mark.parametrize("call", ["get_token", "authorization", "authenticate"])
def test_others_run_while_one_waits(setup: str, sandbox: Sandbox, call: str) -> None:
    sandbox.fault("delay", ms=1_000)
    waits = f"""
waiting = [spawn(client.{call}) for _ in range(10)]
assert len({{str(result(each)) for each in waiting}}) == 1
assert beats[-1] - beats[0] > 0.9, "nobody had to wait"
assert longest_pause() < 0.5, longest_pause()
assert not client._core.calls
"""
    runs(setup + waits, sandbox)
    assert sandbox.auth_requests() == 1


@pytest.mark.parametrize("call", ["get_token", "authenticate"])
def test_the_main_greenlet_may_wait_too(setup: str, sandbox: Sandbox, call: str) -> None:
    sandbox.fault("delay", ms=1_000)
    runs(f"{setup}\nclient.{call}()\nassert longest_pause() < 0.5, longest_pause()", sandbox)


@pytest.mark.parametrize("call", ["get_token", "authenticate"])
def test_a_timeout_ends_a_wait_and_leaves_nothing_behind(setup: str, sandbox: Sandbox, call: str) -> None:
    sandbox.fault("hang", times=0)
    ends = f"""
begin = time.monotonic()
for limit in (0.2, 0.01, 0.001):
    try:
        with Timeout(limit):
            client.{call}()
    except Timeout:
        pass
    else:
        sys.exit("no timeout")
assert time.monotonic() - begin < 5
assert not client._core.calls and not libapivideo._core._awaited
"""
    runs(setup + ends, sandbox)


@pytest.mark.parametrize("call", ["get_token", "authenticate"])
def test_closing_ends_a_wait(setup: str, sandbox: Sandbox, call: str) -> None:
    sandbox.fault("hang", times=0)
    ends = f"""
waiting = spawn(client.{call})
while not client.stats().waiters:
    sleep(0.01)
client.close()
try:
    result(waiting)
except libapivideo.ClosedError:
    sys.exit(0)
sys.exit("not closed")
"""
    result = python(setup + ends, KEY, sandbox.url, flags=IGNORING)
    # gevent prints what ends a greenlet.
    assert result.returncode == 0, result.stderr


def test_others_run_while_a_source_waits_for_the_server(setup: str, sandbox: Sandbox) -> None:
    sandbox.fault("hang", on="uploads", times=0, handled=False)
    ends = """
import types
endless = types.SimpleNamespace(read=bytes)
video_id = client.request("POST", "/videos", json={"title": "x"}).json()["videoId"]
try:
    with Timeout(1):
        client.upload(endless, video_id=video_id, chunk_size=5 * 1024 * 1024)
except Timeout:
    pass
else:
    sys.exit("no timeout")
assert longest_pause() < 0.5, longest_pause()
assert not client._core.calls and not libapivideo._core._awaited
"""
    runs(setup + ends, sandbox)


def test_a_source_is_sent_while_others_run(setup: str, sandbox: Sandbox) -> None:
    sandbox.fault("delay", on="uploads", ms=1_000)
    sends = """
import io
source = io.BytesIO(bytes(12 * 1024 * 1024))
video_id = client.request("POST", "/videos", json={"title": "x"}).json()["videoId"]
client.upload(source, video_id=video_id, chunk_size=5 * 1024 * 1024)
assert longest_pause() < 0.5, longest_pause()
"""
    runs(setup + sends, sandbox)
    assert [video["length"] for video in sandbox.control("videos")][-1] == 12 * 1024 * 1024


def test_a_thread_without_greenlets_waits_as_ever(sandbox: Sandbox) -> None:
    """A real thread, in a program that gevent has patched: no hub is made for it."""
    sandbox.fault("delay", ms=500)
    program = GEVENT + PROGRAM.format(patched=True) + """
from gevent import monkey
from gevent._hub_local import get_hub_if_exists
said = []
def work():
    said.append((client.get_token().token_type, get_hub_if_exists()))
monkey.get_original("_thread", "start_new_thread")(work, ())
while not said:
    sleep(0.01)
assert said == [("Bearer", None)], said
assert longest_pause() < 0.4, longest_pause()
"""
    runs(program, sandbox)


@pytest.mark.parametrize("kind", [GEVENT, EVENTLET])
def test_a_thread_never_waits_for_a_patched_lock(sandbox: Sandbox, kind: str) -> None:
    """The library's threads log while a greenlet holds the lock of logging: with such a lock, a
    thread might wait for ever.
    """
    program = kind + PROGRAM.format(patched=True) + """
import _thread, logging
class Handler(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())
        threads.add(threading.get_native_id())
said, states, threads = [], [], set()
handler = Handler()
libapivideo._core.logger.addHandler(handler)
libapivideo._core.logger.setLevel(logging.DEBUG)
def on_state(state):
    states.append(state.name)
    threads.add(threading.get_native_id())
    raise RuntimeError("which a callback should not")
errors = []
def excepthook(kind, error, trace):
    errors.append(str(error)) if kind is RuntimeError else sys.__excepthook__(kind, error, trace)
sys.excepthook = excepthook
client = libapivideo.Client(sys.argv[1], base_url=sys.argv[2], on_state=on_state)
with handler.lock:
    waiting = spawn(client.get_token)
    granted = time.monotonic() + 20
    while not client.stats().tokens_granted:
        assert time.monotonic() < granted
        sleep(0.01)
assert result(waiting).token_type == "Bearer"
until = time.monotonic() + 20
while not (states and "token" in "".join(said)):
    assert time.monotonic() < until, (said, states)
    sleep(0.01)
    client.get_token(0)  # Looks for callbacks; without an argument a token may come without a look.
assert states == ["VALID"], states
assert errors == ["which a callback should not"], errors
assert threads == {threading.get_native_id()}, "a greenlet of this thread calls"
assert longest_pause() < 0.5, longest_pause()
"""
    runs(program, sandbox)


def test_ctrl_c_ends_a_wait_in_gevent(sandbox: Sandbox) -> None:
    sandbox.fault("hang", times=0)
    program = GEVENT + PROGRAM.format(patched=True) + """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
def interrupt():
    while not client.stats().waiters:
        sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
spawn(interrupt)
begin = time.monotonic()
try:
    client.get_token()
except KeyboardInterrupt:
    print("interrupted")
assert time.monotonic() - begin < 5
"""
    result = python(program, KEY, sandbox.url, flags=IGNORING)
    assert (result.returncode, result.stdout) == (0, "interrupted\n"), result.stderr


@pytest.mark.parametrize("kind", [GEVENT, EVENTLET])
def test_a_program_s_own_store_is_asked_in_a_greenlet(sandbox: Sandbox, kind: str) -> None:
    """It may wait there as the program does, and takes no timeout of a caller's."""
    program = kind + PROGRAM.format(patched=True) + """
class Table(libapivideo.OwnStore):
    kept = None
    def load(self, name, timeout):
        threads.add(threading.get_native_id())
        time.sleep(0.3)
        return self.kept
    def swap(self, name, expected, record, keep, timeout):
        sleep(0.01)
        self.kept = record
        return True
threads = set()
table = Table()
first, second = (libapivideo.Client(sys.argv[1], base_url=sys.argv[2], store=table) for _ in range(2))
try:
    with Timeout(0.1):
        first.get_token()
except Timeout:
    pass
else:
    sys.exit("no timeout")
token = first.get_token().access_token
assert second.get_token().access_token == token
assert first.stats().store_failures == second.stats().store_failures == 0
assert second.stats().tokens_adopted == 1
assert threads == {threading.get_native_id()}, "a greenlet of this thread is asked"
assert longest_pause() < 0.25, longest_pause()
"""
    runs(program, sandbox)
    assert sandbox.auth_requests() == 1
