"""`Client`: what it gives, and what it does not give away."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import libapivideo
import pytest
from libapivideo import _core
from support import KEY, Sandbox, wait_until


def test_a_token_has_the_four_fields_and_its_times(client: libapivideo.Client, sandbox: Sandbox) -> None:
    before = datetime.now(timezone.utc)
    token = client.get_token()
    assert token.authorization == f"Bearer {token.access_token}"
    assert token.token_type == "Bearer"
    assert token.refresh_token
    assert token.expires_at.tzinfo is timezone.utc
    assert timedelta(minutes=59) < token.expires_at - before < timedelta(minutes=61)
    assert timedelta(minutes=59) < token.expires_in <= token.lifetime == timedelta(hours=1)
    assert sandbox.status_of(token.authorization) == 200


def test_a_token_without_a_refresh_token(client: libapivideo.Client, sandbox: Sandbox) -> None:
    sandbox.fault("patch", remove=["refresh_token"])
    assert client.get_token().refresh_token is None


def test_the_header_is_kept_as_long_as_the_token_is(client: libapivideo.Client, sandbox: Sandbox) -> None:
    first = client.authorization()
    assert client.authorization() is first
    assert client.get_token() is client.get_token()
    assert sandbox.auth_requests() == 1
    client.invalidate(client.get_token())
    second = client.authorization()
    assert second != first
    assert sandbox.auth_requests() == 2


def test_tokens_do_not_change_and_compare_by_grant(client: libapivideo.Client) -> None:
    token = client.get_token()
    with pytest.raises(AttributeError):
        token.authorization = "Bearer x"
    with pytest.raises(AttributeError):
        del token.authorization
    with pytest.raises(AttributeError):
        token.access_token = "x"  # type: ignore[misc]
    same, other = client.get_token(min_validity=1), client.authenticate()
    assert same == token and hash(same) == hash(token)
    assert other != token and token != "token"
    assert {token, same, other} == {token, other}


def test_a_token_outlives_its_client(sandbox: Sandbox) -> None:
    with libapivideo.Client(KEY, base_url=sandbox.url) as client:
        token = client.get_token()
    del client
    gc.collect()
    assert sandbox.status_of(f"Bearer {token.access_token}") == 200
    assert token.expires_in > timedelta(minutes=59)


def test_min_validity(client: libapivideo.Client, sandbox: Sandbox) -> None:
    sandbox.settings(expires_in=4)
    first = client.get_token()
    wait_until(lambda: first.expires_in < timedelta(seconds=3.2), "some of its life is over")
    second = client.get_token(min_validity=3)
    assert second != first
    assert second.expires_in > timedelta(seconds=3)
    assert client.get_token(min_validity=timedelta(milliseconds=1)) == second
    with pytest.raises(libapivideo.InvalidArgumentError):
        client.get_token(min_validity=timedelta(hours=2))
    for wrong in (-1, float("nan"), float("inf"), 1e300, timedelta(seconds=-1)):
        with pytest.raises(libapivideo.InvalidArgumentError, match="min_validity"):
            client.get_token(min_validity=wrong)


def test_authenticate_and_refresh(client: libapivideo.Client, sandbox: Sandbox) -> None:
    with pytest.raises(libapivideo.NoRefreshTokenError):
        client.refresh()
    first = client.authenticate()
    second = client.refresh()
    assert first != second == client.get_token()
    sandbox.revoke("refresh")
    with pytest.raises(libapivideo.RefreshRejectedError):
        client.refresh()
    assert client.get_token() == second
    counters = sandbox.counters()
    assert (counters["api_key"]["requests"], counters["refresh"]["requests"]) == (1, 2)


def test_an_invalidated_token_is_replaced_once(client: libapivideo.Client, sandbox: Sandbox) -> None:
    first = client.get_token()
    client.invalidate(first)
    second = client.get_token()
    client.invalidate(first)
    assert client.get_token() is second
    with pytest.raises(libapivideo.TokenRejectedError) as caught:
        client.invalidate(second)
    assert caught.value.retry_after is not None and 0 < caught.value.retry_after <= 60
    assert client.get_token() is second
    with pytest.raises(TypeError):
        client.invalidate(second.authorization)  # type: ignore[arg-type]


def test_stats(client: libapivideo.Client) -> None:
    assert set(client.stats()) == {0}
    client.get_token()
    stats = client.stats()
    assert (stats.authenticate_requests, stats.tokens_granted, stats.retry_in) == (1, 1, 0)


def test_every_setting_arrives(tls_sandbox: Sandbox) -> None:
    states: list[libapivideo.TokenState] = []
    with libapivideo.Client(
        KEY,
        environment="sandbox",
        base_url=tls_sandbox.url,
        app_name="my-app",
        app_version="1.2",
        connect_timeout=5,
        attempt_timeout=timedelta(seconds=20),
        wait_timeout=25.5,
        wait_for_recovery=True,
        keep_fresh=True,
        proxy="http://127.0.0.1:9",
        ca_file=tls_sandbox.ca_file,
        on_state=states.append,
    ) as client:
        assert client.get_token().token_type == "Bearer"
        wait_until(lambda: states, "the state is told")
    assert states == [libapivideo.TokenState.VALID]


def test_origins_are_sent(sandbox: Sandbox) -> None:
    with libapivideo.Client(KEY, base_url=sandbox.url, app_name="my-app", app_version="1.2") as client:
        client.get_token()
    (entry,) = sandbox.log()
    assert entry["headers"]["av-origin-app"] == "my-app:1.2"
    assert entry["headers"]["av-origin-sdk"] == f"libapivideo-python:{libapivideo.__version__}"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"environment": "staging"}, "environment"),
        ({"environment": 1}, "environment"),
        ({"base_url": "http://ws.api.video"}, "base_url"),
        ({"base_url": "https://a\0b"}, "base_url"),
        ({"app_name": "a b", "app_version": "1"}, "app"),
        ({"app_name": "a"}, "app_version"),
        ({"app_version": "1"}, "app_name"),
        ({"connect_timeout": 0}, "connect_timeout"),
        ({"connect_timeout": 61}, "connect_timeout"),
        ({"attempt_timeout": 1e6}, "attempt_timeout"),
        ({"attempt_timeout": 2**40}, "attempt_timeout"),
        ({"wait_timeout": -1}, "wait_timeout"),
        ({"wait_timeout": timedelta(hours=2)}, "wait_timeout"),
        ({"proxy": "ftp://user:hush@x"}, "proxy"),
        ({"ca_file": "/nonexistent.pem"}, "ca_file"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict[str, object], named: str) -> None:
    with pytest.raises(libapivideo.InvalidArgumentError, match=named) as caught:
        libapivideo.Client(KEY, **settings)  # type: ignore[arg-type]
    assert isinstance(caught.value, ValueError)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"connect_timeout": 61}, "`connect_timeout` is 61 s; it must be from 0.001 s to 60 s."),
        ({"attempt_timeout": 0}, "`attempt_timeout` is 0 s; it must be from 0.001 s to 300 s."),
        ({"wait_timeout": timedelta(hours=1, milliseconds=1)}, "`wait_timeout` is 3,600.001 s; it must be from 0 s to 3,600 s."),
        ({"wait_timeout": 2**40}, "`wait_timeout` is longer than 49 days."),
        ({"app_name": "a b", "app_version": "1"}, "`app_name` must be 1 to 50 of A-Z, a-z, 0-9, - and _."),
        ({"base_url": "https://\ud800"}, "`base_url` has half of a surrogate pair in it, which UTF-8 cannot express."),
    ],
)
def test_messages_speak_of_python_s_arguments_and_seconds(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(libapivideo.InvalidArgumentError) as caught:
        libapivideo.Client(KEY, **settings)
    assert str(caught.value) == says


def test_min_validity_s_message_is_in_seconds(client: libapivideo.Client) -> None:
    with pytest.raises(libapivideo.InvalidArgumentError, match="^`min_validity` is 3,600 s, but a fresh token is good for 3,540 s"):
        client.get_token(min_validity=3600)


@pytest.mark.parametrize("name", ["base_url", "app_name", "proxy", "ca_file", "connect_timeout", "wait_timeout", "on_state"])
def test_a_wrong_type_is_named(name: str) -> None:
    settings: dict[str, Any] = {"app_version": "1"} if name == "app_name" else {}
    with pytest.raises(TypeError, match=f"`{name}` must be .*, not object"):
        libapivideo.Client(KEY, **settings, **{name: object()})


@pytest.mark.parametrize("key", ["", " k", "k\n", "secret\0rest", "x" * 5000, "secret\ud800"])
def test_a_key_that_cannot_be_one_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(libapivideo.InvalidArgumentError) as caught:
        libapivideo.Client(key)
    assert "secret" not in repr(caught.value) and "xxxx" not in repr(caught.value)
    with pytest.raises(TypeError, match="api_key"):
        libapivideo.Client(b"key")  # type: ignore[arg-type]
    with pytest.raises(TypeError) as wrong:
        libapivideo.Client(b"secret")  # type: ignore[arg-type]
    assert "secret" not in str(wrong.value)


def test_errors_answer_what_comes_next(sandbox: Sandbox) -> None:
    with libapivideo.Client("another-key", base_url=sandbox.url) as client:
        with pytest.raises(libapivideo.KeyRejectedError) as caught:
            client.get_token()
        error = caught.value
        assert (error.status, error.http_status, error.name) == (libapivideo.Status.KEY_REJECTED, 400, "apiKey")
        assert error.problem_type and error.problem_type.startswith("https://")
        assert error.title and not error.retryable
        # The same error, at once and without another request.
        with pytest.raises(libapivideo.KeyRejectedError):
            client.authorization()
    assert sandbox.auth_requests() == 1
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is type(error) and str(copied) == str(error) and vars(copied) == vars(error)


def test_a_slow_down_tells_how_long(client: libapivideo.Client, sandbox: Sandbox) -> None:
    sandbox.fault("reply", status=429, headers={"Retry-After": "7"}, body="{}")
    with pytest.raises(libapivideo.RateLimitedError) as caught:
        client.get_token()
    assert caught.value.http_status == 429 and caught.value.retryable
    assert caught.value.retry_after is not None and 6 < caught.value.retry_after <= 7


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "reply", "status": 503, "body": ""}, libapivideo.ServerError),
        ({"kind": "reply", "status": 200, "body": "<html>"}, libapivideo.ProtocolError),
        ({"kind": "redirect", "location": "https://example.com/"}, libapivideo.ProtocolError),
        ({"kind": "close"}, libapivideo.NetworkError),
        ({"kind": "huge", "bytes": 1_000_000}, libapivideo.ProtocolError),
    ],
)
def test_faults_have_their_exceptions(
    client: libapivideo.Client, sandbox: Sandbox, fault: dict[str, object], kind: type[libapivideo.ApiVideoError]
) -> None:
    sandbox.fault(times=0, **fault)  # type: ignore[arg-type]
    with pytest.raises(kind) as caught:
        client.get_token()
    assert caught.value.retryable


def test_an_unknown_ca_is_a_tls_error(tls_sandbox: Sandbox) -> None:
    with libapivideo.Client(KEY, base_url=tls_sandbox.url) as client, pytest.raises(libapivideo.TLSError):
        client.get_token()


def test_every_status_has_its_exception() -> None:
    from libapivideo import _errors

    failures = set(libapivideo.Status) - {libapivideo.Status.OK}
    assert set(_errors.CLASSES) == failures
    assert len(set(_errors.CLASSES.values())) == len(failures)
    for kind in _errors.CLASSES.values():
        assert kind is getattr(libapivideo, kind.__name__) and issubclass(kind, libapivideo.ApiVideoError)
        assert kind.__name__ in libapivideo.__all__


def test_a_call_waits_no_longer_than_it_is_told(sandbox: Sandbox) -> None:
    sandbox.fault("hang", times=0)
    with libapivideo.Client(KEY, base_url=sandbox.url, wait_timeout=0.3) as client:
        begin = time.monotonic()
        with pytest.raises(libapivideo.WaitTimeoutError) as caught:
            client.get_token()
        assert 0.25 < time.monotonic() - begin < 5
        assert isinstance(caught.value, TimeoutError) and caught.value.retryable
        assert client.stats().timeouts == 1


def test_fifty_threads_share_one_exchange(client: libapivideo.Client, sandbox: Sandbox) -> None:
    sandbox.fault("delay", ms=300)
    barrier = threading.Barrier(50)

    def first_request() -> str:
        barrier.wait()
        return client.authorization()

    with ThreadPoolExecutor(50) as pool:
        headers = {each.result() for each in [pool.submit(first_request) for _ in range(50)]}
    assert len(headers) == 1
    assert sandbox.auth_requests() == 1


@pytest.mark.parametrize("name", ["get_token", "authenticate"])
def test_other_threads_run_while_one_waits(client: libapivideo.Client, sandbox: Sandbox, name: str) -> None:
    """The wait gives the GIL back: else nobody could see that it waits, nor count, nor end it."""
    sandbox.fault("hang", times=0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(getattr(client, name))
        wait_until(lambda: client.stats().waiters == 1, "a call waits")
        assert sum(1 for _ in range(1_000_000)) == 1_000_000
        assert not waiting.done()
        client.close()
        with pytest.raises(libapivideo.ClosedError):
            waiting.result(5)


def test_closing_ends_calls_that_wait(sandbox: Sandbox) -> None:
    sandbox.fault("hang", times=0)
    client = libapivideo.Client(KEY, base_url=sandbox.url)
    calls = [client.get_token, client.authorization, client.authenticate] * 3
    with ThreadPoolExecutor(len(calls)) as pool:
        waiting = [pool.submit(call) for call in calls]
        wait_until(lambda: client.stats().waiters == len(calls), "all calls wait")
        begin = time.monotonic()
        client.close()
        for each in waiting:
            with pytest.raises(libapivideo.ClosedError, match="was closed while the call waited"):
                each.result(5)
        assert time.monotonic() - begin < 2
    client.close()
    assert client.closed and repr(client) == "<libapivideo.Client, closed>"
    for call in [client.get_token, client.authorization, client.authenticate, client.refresh, client.stats]:
        with pytest.raises(libapivideo.ClosedError, match="^The client is closed"):
            call()


def test_a_call_that_waits_does_not_keep_the_librarys_client_from_being_freed(sandbox: Sandbox) -> None:
    sandbox.fault("hang", times=0)
    with libapivideo.Client(KEY, base_url=sandbox.url) as client, ThreadPoolExecutor(1) as pool:
        core = client._core
        references = sys.getrefcount(core.pointer)
        waiting = pool.submit(client.get_token)
        wait_until(lambda: client.stats().waiters == 1, "the call waits")
        wait_until(lambda: sys.getrefcount(core.pointer) == references, "it has let go of the client", seconds=5)
        client.close()
        with pytest.raises(libapivideo.ClosedError):
            waiting.result(5)


def test_closing_at_any_moment_is_safe(sandbox: Sandbox) -> None:
    """Threads use clients in every way while others close them; nothing crashes, and nothing but
    ClosedError comes.
    """
    rounds, threads = 40, 6

    def use(client: libapivideo.Client, barrier: threading.Barrier, number: int) -> None:
        barrier.wait()
        try:
            for _ in range(20):
                token = client.get_token()
                client.authorization()
                if number == 1:
                    client.invalidate(token)
                if number == 2:
                    client.authenticate()
                client.stats()
        except (libapivideo.ClosedError, libapivideo.TokenRejectedError):
            pass

    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            client = libapivideo.Client(KEY, base_url=sandbox.url)
            barrier = threading.Barrier(threads)
            used = [pool.submit(use, client, barrier, number) for number in range(threads - 2)]
            closed = [pool.submit(lambda c=client, b=barrier: (b.wait(), c.close())) for _ in range(2)]
            for each in used + closed:
                each.result(30)


def test_a_dropped_client_is_freed(sandbox: Sandbox) -> None:
    client = libapivideo.Client(KEY, base_url=sandbox.url)
    client.get_token()
    core = weakref.ref(client._core)
    del client
    gc.collect()
    assert core() is None


def test_nothing_shows_a_secret(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "libapivideo")
    with libapivideo.Client(KEY, base_url=sandbox.url) as client:
        token = client.get_token()
        client.invalidate(token)
        second = client.get_token()
        wait_until(lambda: caplog.text.count("New token") == 2, "both tokens are logged")
        shown = [repr(client), repr(token), str(token), f"{token}", repr(client._core), repr(client.stats()), caplog.text]
        sandbox.settings(key="new")
        with pytest.raises(libapivideo.KeyRejectedError) as caught:
            client.authenticate()
        shown += [repr(caught.value), str(vars(caught.value)), caplog.text]
        for secret in (KEY, token.access_token, token.refresh_token, second.access_token):
            assert secret and not any(secret in text for text in shown)
        for thing in (client, token):
            with pytest.raises(TypeError):
                pickle.dumps(thing)
            with pytest.raises(TypeError):
                copy.copy(thing)
    assert "New token" in caplog.text and "The API rejected the token" in caplog.text


def test_the_log_has_python_s_levels(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "libapivideo")
    with libapivideo.Client("wrong", base_url=sandbox.url) as client:
        with pytest.raises(libapivideo.KeyRejectedError):
            client.get_token()
        # The thread that made the exchange tells of it when it has answered.
        wait_until(lambda: {logging.DEBUG, logging.ERROR} <= {record.levelno for record in caplog.records}, "both are logged")
    assert {record.name for record in caplog.records} == {"libapivideo"}
    caplog.clear()
    caplog.set_level(logging.ERROR, "libapivideo")
    with libapivideo.Client(KEY, base_url=sandbox.url) as client:
        client.get_token()
    assert not caplog.records


def test_a_state_callback_may_call_the_client(sandbox: Sandbox) -> None:
    seen: list[object] = []

    def on_state(state: libapivideo.TokenState) -> None:
        seen.append((state, client.stats().tokens_granted, client.authorization()))

    with libapivideo.Client(KEY, base_url=sandbox.url, on_state=on_state) as client:
        header = client.authorization()
        wait_until(lambda: seen, "the state is told")
    assert seen == [(libapivideo.TokenState.VALID, 1, header)]


def test_a_state_callback_that_raises_does_no_harm(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: raised.append(unraisable.exc_value))

    def on_state(state: libapivideo.TokenState) -> None:
        raise ZeroDivisionError

    with libapivideo.Client(KEY, base_url=sandbox.url, on_state=on_state) as client:
        assert client.authorization()
        wait_until(lambda: raised, "the exception is told")
    assert isinstance(raised[0], ZeroDivisionError)


def test_keep_fresh_renews_what_nobody_reads(sandbox: Sandbox) -> None:
    sandbox.settings(expires_in=2)
    with libapivideo.Client(KEY, base_url=sandbox.url, keep_fresh=True) as client:
        client.get_token()
        wait_until(lambda: sandbox.counters()["refresh"]["ok"] >= 1, "the token is renewed")


def test_an_expiry_under_load_is_not_noticed(sandbox: Sandbox) -> None:
    sandbox.settings(expires_in=2)
    with libapivideo.Client(KEY, base_url=sandbox.url) as client, ThreadPoolExecutor(8) as pool:
        client.get_token()
        done = threading.Event()

        def read() -> float:
            longest = 0.0
            while not done.is_set():
                begin = time.monotonic()
                client.authorization()
                longest = max(longest, time.monotonic() - begin)
            return longest

        readers = [pool.submit(read) for _ in range(8)]
        wait_until(lambda: sandbox.counters()["refresh"]["ok"] >= 2, "two renewals")
        done.set()
        for each in readers:
            each.result()
        assert client.stats().failures == 0
    assert sandbox.counters()["api_key"]["requests"] == 1


def test_everything_is_freed(sandbox: Sandbox) -> None:
    """Objects of the C library come and go in numbers; none is left."""
    before = len(_core._cores)
    for _ in range(50):
        with libapivideo.Client("wrong", base_url=sandbox.url) as client:
            with pytest.raises(libapivideo.KeyRejectedError):
                client.get_token()
            assert not client._core.calls
        del client
    gc.collect()
    assert len(_core._cores) == before
