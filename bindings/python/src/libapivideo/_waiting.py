"""How a caller waits: on its thread, or so that gevent's, eventlet's, asyncio's or trio's other work goes on meanwhile. And where
callbacks run: on the library's thread, or in a greenlet.

None of them is imported here: whoever waits in one has done that, and a frozen program takes along only what it uses.
"""

from __future__ import annotations

import sys
from collections import deque
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Awaitable, Callable
    from typing import Any, Protocol

    from ._token import Token

    class Waitable(Protocol):
        """A call under way."""

        def wait(self, timeout_ms: int) -> Token | None: ...
        def on_complete(self, wake: Callable[[], object]) -> None: ...


SLICE_MS = 200
"""How long a wait keeps a thread from noticing Ctrl-C."""

LONGEST_PAUSE = 0.05
"""For how many seconds a wait in eventlet, which no other thread can wake, looks away."""


def wait(call: Waitable) -> Token:
    """The call's answer. Other greenlets of this thread run until it is there."""
    token = call.wait(0)
    run_callbacks()
    if token is None:
        hub = _gevent_hub()
        if hub is not None:
            _wait_in_gevent(call, hub)
        elif _in_eventlet():
            token = _wait_in_eventlet(call)
    while token is None:
        token = call.wait(SLICE_MS)
    return token


async def wait_async(call: Waitable) -> Token:
    """The call's answer. The library tells the event loop when it is there, so no thread waits for it."""
    token = call.wait(0)
    if token is None:
        wake, woken = _trio() or _asyncio()
        call.on_complete(wake)
        await woken()
        token = call.wait(0)
        assert token is not None, "a completed call has an answer"
    return token


# --- gevent and eventlet ---


def _gevent_hub() -> Any:
    """This thread's hub, if greenlets run here, and this is one of them."""
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


def _wait_in_eventlet(call: Waitable) -> Token:
    eventlet: Any = sys.modules["eventlet"]

    pause = 0.001
    while True:
        eventlet.sleep(pause)
        token = call.wait(0)
        run_callbacks()
        if token is not None:
            return token
        pause = min(2 * pause, LONGEST_PAUSE)


def _is_current(greenlet: Any) -> bool:
    return bool(greenlet is sys.modules["greenlet"].getcurrent())


# --- Callbacks where Python's locks are patched: a thread that is none of theirs must not wait for one, since gevent now and then
# loses the wake-up between two threads, and eventlet knows nothing of threads. So a greenlet waits instead ---

_waiting_callbacks: deque[Callable[[], object]] = deque()
_running_callbacks = False
_wake_greenlet: Callable[[], object] | None = None


def adopt_greenlets() -> None:
    """Callbacks run in greenlets of this thread from now on, if gevent or eventlet has patched Python's locks."""
    global _wake_greenlet
    gevent: Any = sys.modules.get("gevent.monkey")
    eventlet: Any = sys.modules.get("eventlet.patcher")
    if gevent is not None and gevent.is_module_patched("threading"):
        loop = sys.modules["gevent"].get_hub().loop
        spawn = sys.modules["gevent"].spawn
        _wake_greenlet = lambda: loop.run_callback_threadsafe(spawn, run_callbacks)
    elif eventlet is not None and eventlet.is_monkey_patched("thread"):
        # No other thread can wake it: they run at the next call.
        _wake_greenlet = lambda: None


def run_callback(callback: Callable[[], object]) -> None:
    """Runs it at once, unless a greenlet has to."""
    if _wake_greenlet is None:
        callback()
    else:
        _waiting_callbacks.append(callback)
        _wake_greenlet()


def run_callbacks() -> None:
    """Runs those that wait for a greenlet, in order, one at a time."""
    global _running_callbacks
    if _running_callbacks:
        return
    _running_callbacks = True
    try:
        while _waiting_callbacks:
            try:
                _waiting_callbacks.popleft()()
            except Exception as error:
                # As a thread's would be, and none of whoever happens to run this.
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
