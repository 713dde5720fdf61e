"""How a caller waits, and where callbacks run.

A caller waits on its thread, or so that other work of gevent, eventlet, asyncio or trio goes on
meanwhile. Callbacks run on the library's thread, or in a greenlet.

This module imports none of these: a caller that waits in one has imported it, and a frozen program
packs only what it uses.
"""

from __future__ import annotations

import _thread
import importlib
import sys
from collections import deque
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Awaitable, Callable
    from typing import Any, Protocol

    class Waitable(Protocol):
        """A call under way, whose answer is never None."""

        def wait(self, timeout_ms: int) -> Any: ...
        def on_complete(self, wake: Callable[[], object]) -> None: ...


SLICE_MS = 200
"""How long a wait keeps a thread from noticing Ctrl-C."""

LONGEST_PAUSE = 0.05
"""How many seconds a wait in eventlet pauses at most: no other thread can wake it."""


def wait(call: Waitable) -> Any:
    """Waits for the call's answer. Other greenlets of this thread run meanwhile."""
    answer = call.wait(0)
    run_callbacks()
    if answer is None:
        hub = _gevent_hub()
        if hub is not None:
            _wait_in_gevent(call, hub)
        elif _in_eventlet():
            answer = _wait_in_eventlet(call)
    while answer is None:
        answer = call.wait(SLICE_MS)
    return answer


async def wait_async(call: Waitable) -> Any:
    """Waits for the call's answer. The library wakes the event loop, so no thread waits."""
    answer = call.wait(0)
    if answer is None:
        wake, woken = _trio() or _asyncio()
        call.on_complete(wake)
        await woken()
        answer = call.wait(0)
        assert answer is not None, "a completed call has an answer"
    return answer


# --- gevent and eventlet ---


def _gevent_hub() -> Any:
    """This thread's hub, if greenlets run here and this is one of them."""
    local: Any = sys.modules.get("gevent._hub_local")
    hub: Any = local and local.get_hub_if_exists()
    return None if hub is None or hub.dead or _is_current(hub) else hub


def _wait_in_gevent(call: Waitable, hub: Any) -> None:
    waiter = sys.modules["gevent.hub"].Waiter(hub)
    # The one thing of a hub that another thread may touch.
    watcher = hub.loop.async_()
    watcher.start(waiter.switch, None)
    try:
        call.on_complete(watcher.send)
        waiter.get()
    finally:
        watcher.stop()
        watcher.close()


def _in_eventlet() -> bool:
    hubs: Any = sys.modules.get("eventlet.hubs")
    hub: Any = hubs and getattr(hubs._threadlocal, "hub", None)
    return hub is not None and not _is_current(hub.greenlet)


def _wait_in_eventlet(call: Waitable) -> Any:
    eventlet: Any = sys.modules["eventlet"]

    pause = 0.001
    while True:
        eventlet.sleep(pause)
        answer = call.wait(0)
        run_callbacks()
        if answer is not None:
            return answer
        pause = min(2 * pause, LONGEST_PAUSE)


def call_elsewhere(function: Callable[..., Any], *arguments: object) -> Any:
    """Calls what blocks its thread. Other greenlets of this thread run meanwhile."""
    hub = _gevent_hub()
    if hub is not None:
        return hub.threadpool.apply(function, arguments)
    if _in_eventlet():
        return importlib.import_module("eventlet.tpool").execute(function, *arguments)
    return function(*arguments)


def _is_current(greenlet: Any) -> bool:
    return bool(greenlet is sys.modules["greenlet"].getcurrent())


# --- Callbacks where Python's locks are patched: a thread that is none of theirs must not wait for
# one. gevent sometimes loses the wake-up between two threads, and eventlet knows no threads. So a
# greenlet waits instead ---

_waiting_callbacks: deque[Callable[[], object]] = deque()
_running_callbacks = False
_wake_greenlet: Callable[[], object] | None = None
_spawn: Callable[[Callable[[], object]], object] | None = None


def adopt_greenlets() -> None:
    """If gevent or eventlet has patched locks, callbacks run in greenlets of this thread."""
    global _wake_greenlet, _spawn
    gevent: Any = sys.modules.get("gevent.monkey")
    eventlet: Any = sys.modules.get("eventlet.patcher")
    if gevent is not None and gevent.is_module_patched("threading"):
        loop = sys.modules["gevent"].get_hub().loop
        spawn = sys.modules["gevent"].spawn
        _spawn = lambda work: loop.run_callback_threadsafe(spawn, work)
        _wake_greenlet = lambda: loop.run_callback_threadsafe(spawn, run_callbacks)
    elif eventlet is not None and eventlet.is_monkey_patched("thread"):
        # No other thread can wake it: they run at the next call.
        spawn = sys.modules["eventlet"].spawn_n
        _spawn = lambda work: _waiting_callbacks.append(lambda: spawn(work))
        _wake_greenlet = lambda: None


def run_callback(callback: Callable[[], object]) -> None:
    """Runs it at once, or lets a greenlet run it."""
    if _wake_greenlet is None:
        callback()
    else:
        _waiting_callbacks.append(callback)
        _wake_greenlet()


def start(work: Callable[[], object]) -> None:
    """Lets a greenlet or a thread of its own do it, which may take its time."""
    if _spawn is None:
        _thread.start_new_thread(work, ())
    else:
        _spawn(work)


def run_callbacks() -> None:
    """Runs the callbacks that wait for a greenlet, in order and one at a time."""
    global _running_callbacks
    if _running_callbacks:
        return
    _running_callbacks = True
    try:
        while _waiting_callbacks:
            try:
                _waiting_callbacks.popleft()()
            except Exception as error:
                # Shown as a thread's is: the caller that happens to run this must not get it.
                sys.excepthook(type(error), error, error.__traceback__)
    finally:
        _running_callbacks = False


# --- trio and asyncio: what wakes a task, from any thread, and what the task waits by ---


def _trio() -> tuple[Callable[[], object], Callable[[], Awaitable[Any]]] | None:
    trio: Any = sys.modules.get("trio")
    if trio is None or _in_asyncio_task():
        return None
    try:
        token = trio.lowlevel.current_trio_token()
    except RuntimeError:
        return None
    complete = trio.Event()
    return partial(token.run_sync_soon, complete.set), complete.wait


def _in_asyncio_task() -> bool:
    asyncio: Any = sys.modules.get("asyncio")
    try:
        return asyncio is not None and asyncio.current_task() is not None
    except RuntimeError:
        return False


def _asyncio() -> tuple[Callable[[], object], Callable[[], Awaitable[Any]]]:
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "AsyncClient waits in asyncio, in trio, and so in anyio; none of them runs here. Use Client, in a thread."
        ) from None
    complete = loop.create_future()
    return lambda: loop.call_soon_threadsafe(_set, complete), lambda: complete


def _set(complete: Future[None]) -> None:
    if not complete.done():
        complete.set_result(None)
