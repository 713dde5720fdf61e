"""`AsyncClient`: the same, without threads."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import anyio
import httpx
import libapivideo
import libapivideo.auth
import pytest
import trio
from libapivideo import _core
from support import KEY, Sandbox, run


async def until(condition: object) -> None:
    async def look() -> None:
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)

    await asyncio.wait_for(look(), 30)


def test_tokens_for_a_thousand_tasks_without_a_thread_of_python(sandbox: Sandbox) -> None:
    sandbox.fault("delay", ms=8_000)  # Time for a busy machine to start a thousand tasks.

    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            threads = threading.active_count()
            tasks = [asyncio.ensure_future(client.authorization()) for _ in range(1000)]
            await asyncio.sleep(0)
            assert len(client._core.calls) == 1000
            assert threading.active_count() == threads
            assert len(set(await asyncio.gather(*tasks))) == 1
            assert not client._core.calls
            token = await client.get_token()
            assert token.authorization == await client.authorization()
            assert await client.get_token(min_validity=60) == token

    asyncio.run(main())  # Its checks are slow for so many.
    assert sandbox.auth_requests() == 1


def test_the_loop_runs_on_while_a_task_waits(sandbox: Sandbox) -> None:
    sandbox.fault("hang")

    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url, wait_timeout=0.3) as client:
            task = asyncio.ensure_future(client.get_token())
            turns = 0
            while not task.done():
                turns += 1
                await asyncio.sleep(0.001)
            assert turns > 20
            with pytest.raises(libapivideo.WaitTimeoutError):
                await task

    run(main())


def test_cancellation_leaves_nothing_behind(sandbox: Sandbox) -> None:
    sandbox.fault("hang", times=0)

    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            tasks = [asyncio.ensure_future(client.get_token()) for _ in range(100)]
            await until(lambda: client.stats().waiters == 100)
            calls = [weakref.ref(call) for call in client._core.calls]
            for task in tasks:
                task.cancel()
            assert all(isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*tasks, return_exceptions=True))
            del tasks, task
            await asyncio.sleep(0)
            gc.collect()
            assert client.stats().waiters == 0
            assert not client._core.calls and not _core._awaited
            assert not any(call() for call in calls)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.authenticate(), 0.05)
            assert not client._core.calls

    run(main())


def test_one_that_gives_up_does_not_take_it_from_the_others(sandbox: Sandbox) -> None:
    sandbox.fault("delay", ms=500)

    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            first, second = (asyncio.ensure_future(client.get_token()) for _ in range(2))
            await until(lambda: client.stats().waiters == 2)
            first.cancel()
            assert (await second).token_type == "Bearer"

    run(main())
    assert sandbox.auth_requests() == 1


def test_closing_ends_tasks_that_wait(sandbox: Sandbox) -> None:
    sandbox.fault("hang", times=0)

    async def main() -> None:
        client = libapivideo.AsyncClient(KEY, base_url=sandbox.url)
        tasks = [asyncio.ensure_future(client.get_token()), asyncio.ensure_future(client.authenticate())]
        await until(lambda: client.stats().waiters == 2)
        await client.aclose()
        for task in tasks:
            with pytest.raises(libapivideo.ClosedError):
                await asyncio.wait_for(task, 5)
        with pytest.raises(libapivideo.ClosedError, match="^The client is closed"):
            await client.authorization()

    run(main())


def test_closing_frees_the_librarys_client_although_a_task_waits(sandbox: Sandbox) -> None:
    sandbox.fault("hang", times=0)

    async def main() -> None:
        client = libapivideo.AsyncClient(KEY, base_url=sandbox.url)
        task = asyncio.ensure_future(client.get_token())
        await until(lambda: client.stats().waiters == 1)
        pointer = weakref.ref(client._core.pointer)
        client.close()
        assert not task.done() and pointer() is None
        with pytest.raises(libapivideo.ClosedError):
            await task

    run(main())


def test_a_loop_may_go_away_while_its_tasks_wait(sandbox: Sandbox) -> None:
    sandbox.fault("hang", times=0)
    client = libapivideo.AsyncClient(KEY, base_url=sandbox.url)
    loop = asyncio.new_event_loop()
    task = loop.create_task(client.get_token())
    loop.run_until_complete(until(lambda: client.stats().waiters == 1))
    loop.close()
    client.close()
    assert not _core._awaited
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    task.get_coro().close()
    assert not client._core.calls


def test_authenticate_and_refresh(sandbox: Sandbox) -> None:
    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            with pytest.raises(libapivideo.NoRefreshTokenError):
                await client.refresh()
            first = await client.authenticate()
            second = await client.refresh()
            assert first != second == await client.get_token()
            client.invalidate(second)
            assert await client.authorization() != second.authorization

    run(main())


def test_one_token_for_threads_and_tasks(sandbox: Sandbox) -> None:
    async def main() -> None:
        with libapivideo.Client(KEY, base_url=sandbox.url) as client:
            shared = libapivideo.AsyncClient.sharing(client)
            assert await shared.authorization() == client.authorization()
            assert libapivideo.Client.sharing(shared).authorization() == client.authorization()
        assert shared.closed

    run(main())
    assert sandbox.auth_requests() == 1


# --- trio and anyio, in the same process as asyncio ---


def test_trio(sandbox: Sandbox) -> None:
    sandbox.fault("delay", ms=500)

    async def main() -> None:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await trio.sleep(0.001)

        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client, trio.open_nursery() as nursery:
            nursery.start_soon(others)
            first = await client.get_token()
            assert turns > 20
            assert await client.authorization() == first.authorization
            assert await client.authenticate() != first
            assert await client.refresh() == await client.get_token()
            nursery.cancel_scope.cancel()

    trio.run(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("name", ["get_token", "authenticate"])
def test_anyio_cancels_and_leaves_nothing_behind(sandbox: Sandbox, backend: str, name: str) -> None:
    sandbox.fault("hang", times=0)

    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            with anyio.move_on_after(0.1) as scope:
                await getattr(client, name)()
            assert scope.cancelled_caught
            assert not client._core.calls and not _core._awaited

    anyio.run(main, backend=backend)


def test_a_trio_that_is_over_is_not_woken(sandbox: Sandbox) -> None:
    sandbox.fault("hang", times=0)
    client = libapivideo.AsyncClient(KEY, base_url=sandbox.url)

    async def main() -> None:
        with trio.move_on_after(0.05):
            await client.authenticate()

    trio.run(main)
    client.close()


def test_httpx_under_trio(sandbox: Sandbox) -> None:
    async def main() -> int:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            auth = libapivideo.auth.HttpxAuth(client)
            async with httpx.AsyncClient(auth=auth, trust_env=False) as http:
                await client.get_token()
                sandbox.revoke("access")
                return (await http.get(f"{sandbox.url}/videos")).status_code

    assert trio.run(main) == 200


def test_trio_as_a_guest_of_asyncio(sandbox: Sandbox) -> None:
    """Both run in one thread: each task is woken by its own."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        client = libapivideo.AsyncClient(KEY, base_url=sandbox.url)
        over = loop.create_future()
        sandbox.fault("delay", ms=200)
        trio.lowlevel.start_guest_run(
            client.get_token, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=over.set_result
        )
        token = await client.get_token()
        assert (await over).unwrap() == token
        client.close()

    run(main())


@pytest.mark.parametrize("name", ["get_token", "authenticate"])
def test_any_other_loop_is_told_at_once(sandbox: Sandbox, name: str) -> None:
    sandbox.fault("hang", times=0)
    client = libapivideo.AsyncClient(KEY, base_url=sandbox.url)
    with pytest.raises(RuntimeError, match="asyncio, in trio"):
        getattr(client, name)().send(None)
    assert not client._core.calls
    client.close()
