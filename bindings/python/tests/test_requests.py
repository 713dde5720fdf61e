"""Requests to the API, with `Client` and `AsyncClient`."""

from __future__ import annotations

import asyncio
import copy
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import libapivideo
import pytest
import trio
from support import KEY, Sandbox, run, wait_until

PROBLEM = {
    "type": "https://docs.api.video/reference/attributes",
    "title": "Two faults.",
    "detail": "See below.",
    "problems": [{"title": "It is required.", "name": "title"}, {"type": "https://docs.api.video/b", "detail": "B."}],
}


def test_a_request_gives_the_answer_as_it_came(client: libapivideo.Client, sandbox: Sandbox) -> None:
    sandbox.fault("reply", on="videos", status=201, headers={"X-Number": "7"}, body=list("é\0b".encode()))
    response = client.request("post", "/videos", json={"title": "Harbour"})
    assert (response.http_status, response.body) == (201, "é\0b".encode())
    assert response.header("x-NUMBER") == "7"
    assert response.header("X-Nothing") is None
    assert response.next_page is None
    assert repr(response) == "<libapivideo.Response, HTTP 201, 4 bytes>"
    with pytest.raises(TypeError):
        copy.copy(response)


def test_pages_lead_to_the_last_one(client: libapivideo.Client, sandbox: Sandbox) -> None:
    titles = [video["title"] for page in client.pages("/videos?pageSize=2") for video in page.json()["data"]]
    assert len(set(titles)) == 3
    next(iter(client.pages("/videos?pageSize=1")))
    assert sandbox.counters()["videos"]["requests"] == 3, "each page is asked for when it is"


def test_a_page_that_leads_to_itself_has_an_end(client: libapivideo.Client, sandbox: Sandbox) -> None:
    body = json.dumps({"pagination": {"links": [{"rel": "next", "uri": "/videos"}]}})
    sandbox.fault("reply", on="videos", times=0, status=200, body=body)
    assert len(list(client.pages("/videos"))) == 1


def test_pages_that_lead_to_one_another_have_an_end(client: libapivideo.Client, sandbox: Sandbox) -> None:
    for uri in ("/videos?currentPage=2", "/videos"):
        body = json.dumps({"pagination": {"links": [{"rel": "next", "uri": uri}]}})
        sandbox.fault("reply", on="videos", times=1, status=200, body=body)
    assert len(list(client.pages("/videos"))) == 2


def test_a_refusal_has_each_of_the_faults(client: libapivideo.Client, sandbox: Sandbox) -> None:
    sandbox.fault("reply", on="videos", status=400, body=json.dumps(PROBLEM))
    with pytest.raises(libapivideo.RequestRejectedError, match="title: It is required") as caught:
        client.request("POST", "/videos", json={})
    error = caught.value
    assert (error.status, error.http_status) == (libapivideo.Status.REQUEST_REJECTED, 400)
    assert (error.title, error.name, error.detail) == ("Two faults.", None, "See below.")
    assert error.problems == [
        libapivideo.Problem(None, "It is required.", "title", None),
        libapivideo.Problem("https://docs.api.video/b", None, None, "B."),
    ]
    assert not error.retryable
    assert libapivideo.ClosedError("x").problems == []


def test_a_401_gets_another_token_and_a_503_another_try(client: libapivideo.Client, sandbox: Sandbox) -> None:
    first = client.get_token()
    sandbox.revoke("access")
    assert client.request("GET", "/videos").http_status == 200
    assert client.get_token() != first
    sandbox.fault("reply", on="videos", status=503, body="")
    assert client.request("GET", "/videos").http_status == 200


def test_a_401_about_another_credential_withdraws_no_token(client: libapivideo.Client, sandbox: Sandbox) -> None:
    token = client.get_token()
    kind = "https://docs.api.video/reference/authentication-invalid-upload-token"
    sandbox.fault("reply", on="videos", status=401, body=json.dumps({"type": kind, "title": "No such token."}))
    with pytest.raises(libapivideo.RequestRejectedError) as caught:
        client.request("GET", "/videos")
    assert (caught.value.http_status, caught.value.problem_type) == (401, kind)
    sandbox.fault("reply", on="videos", status=401, body="<html>Sign in</html>")
    with pytest.raises(libapivideo.ProtocolError, match="sign-in page"):
        client.request("GET", "/videos")
    assert client.get_token() == token
    assert sandbox.counters()["videos"]["requests"] == 2


@pytest.mark.parametrize("fault", [{"kind": "reply", "status": 503, "body": ""}, {"kind": "reset"}])
def test_what_may_have_been_done_is_not_sent_again(
    fault: dict[str, Any], client: libapivideo.Client, sandbox: Sandbox
) -> None:
    for method in ("POST", "PATCH"):
        sandbox.fault(on="videos", **fault)
        with pytest.raises(libapivideo.ApiVideoError, match="may have been carried out") as caught:
            client.request(method, "/videos", json={})
        assert isinstance(caught.value, (libapivideo.ServerError, libapivideo.NetworkError))
        assert not caught.value.retryable
    assert sandbox.counters()["videos"]["requests"] == 2


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GE T", "/", "method"),
        ("GET", "https://example.com/", "path"),
        ("GET", "/a/%2e%2e/b", "path"),
        ("GET", "/a\r\nX: y", "path"),
        ("GET", "/\0", "path"),
        ("GET", "/vidéos", "percent-encoded"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    method: str, path: str, words: str, client: libapivideo.Client, sandbox: Sandbox
) -> None:
    with pytest.raises(libapivideo.InvalidArgumentError, match=words):
        client.request(method, path)
    assert sandbox.counters()["requests"] == 0


def test_json_is_what_json_can_be(client: libapivideo.Client) -> None:
    with pytest.raises(TypeError):
        client.request("POST", "/videos", json=object())
    with pytest.raises(ValueError):
        client.request("POST", "/videos", json=float("nan"))


def test_a_reply_that_is_too_large_is_refused(sandbox: Sandbox) -> None:
    with libapivideo.Client(KEY, base_url=sandbox.url, max_reply_bytes=1000) as client:
        with pytest.raises(libapivideo.ProtocolError, match="larger than 1000 bytes"):
            client.request("GET", "/videos")
    for out_of_range in (0, -1, 2**30 + 1, 2**64):
        with pytest.raises(libapivideo.InvalidArgumentError, match="max_reply_bytes"):
            libapivideo.Client(KEY, max_reply_bytes=out_of_range)
    with pytest.raises(TypeError):
        libapivideo.Client(KEY, max_reply_bytes="many")  # type: ignore[arg-type]


def test_closing_ends_a_request(client: libapivideo.Client, sandbox: Sandbox) -> None:
    client.get_token()
    sandbox.fault("hang", on="videos", times=0)
    with ThreadPoolExecutor() as pool:
        waits = pool.submit(client.request, "GET", "/videos")
        wait_until(lambda: sandbox.counters()["videos"]["requests"], "the request has come")
        client.close()
        with pytest.raises(libapivideo.ClosedError):
            waits.result(10)
    with pytest.raises(libapivideo.ClosedError):
        client.request("GET", "/videos")


def test_a_hundred_requests_take_one_connection(client: libapivideo.Client, sandbox: Sandbox) -> None:
    for _ in range(100):
        client.request("GET", "/videos")
    assert sandbox.counters()["connections"] == 2, "and one for the token"


def test_coroutines_make_requests_without_a_thread_of_python(sandbox: Sandbox) -> None:
    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            threads = threading.active_count()
            tasks = [asyncio.ensure_future(client.request("GET", "/videos?pageSize=1")) for _ in range(20)]
            await asyncio.sleep(0)
            assert threading.active_count() == threads
            assert {response.http_status for response in await asyncio.gather(*tasks)} == {200}
            assert len([page async for page in client.pages("/videos?pageSize=1")]) == 3
            with pytest.raises(libapivideo.InvalidArgumentError):
                await client.request("GET", "videos")

    run(main())


def test_coroutines_see_no_page_twice(sandbox: Sandbox) -> None:
    for uri in ("/videos?currentPage=2", "/videos"):
        body = json.dumps({"pagination": {"links": [{"rel": "next", "uri": uri}]}})
        sandbox.fault("reply", on="videos", status=200, body=body)

    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            assert len([page async for page in client.pages("/videos")]) == 2

    run(main())


def test_a_task_that_is_cancelled_ends_its_request(sandbox: Sandbox) -> None:
    sandbox.fault("hang", on="videos", times=0)

    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            task = asyncio.ensure_future(client.request("POST", "/videos", json={}))
            while not sandbox.counters()["videos"]["requests"]:
                await asyncio.sleep(0.01)
            (call,) = client._core.calls
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert_cancelled(client, call)

    run(main())


def test_a_request_that_takes_too_long_for_its_task_is_cancelled(sandbox: Sandbox) -> None:
    sandbox.fault("hang", on="videos", times=0)

    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            task = asyncio.ensure_future(asyncio.wait_for(client.request("POST", "/videos", json={}), 0.1))
            while not client._core.calls:
                await asyncio.sleep(0)
            (call,) = client._core.calls
            with pytest.raises(asyncio.TimeoutError):
                await task
            assert_cancelled(client, call)

    run(main())


def assert_cancelled(client: libapivideo.AsyncClient, call: Any) -> None:
    """The library has given it up too."""
    assert not client._core.calls
    with pytest.raises(libapivideo.CancelledError):
        call.wait(0)


def test_trio_makes_requests_too(sandbox: Sandbox) -> None:
    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            assert (await client.request("GET", "/videos")).http_status == 200

    trio.run(main)


def test_a_webhook_is_verified() -> None:
    # RFC 4231, test case 2.
    body = b"what do ya want for nothing?"
    signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert libapivideo.verify_webhook("Jefe", body, signature) is True
    assert libapivideo.verify_webhook("Jefe", bytearray(body), signature) is True
    assert libapivideo.verify_webhook("jefe", body, signature) is False
    assert libapivideo.verify_webhook("Jefe", body + b"\0", signature) is False
    assert libapivideo.verify_webhook("Jefe", body, "") is False
    empty = "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0"
    assert libapivideo.verify_webhook("key", b"", empty) is True
    assert libapivideo.verify_webhook("", b"", empty) is False
    for strange in (None, "\udcff", signature + "\0"):
        assert libapivideo.verify_webhook("Jefe", body, strange) is False
    with pytest.raises(TypeError):
        libapivideo.verify_webhook(b"Jefe", body, signature)  # type: ignore[arg-type]
