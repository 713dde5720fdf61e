"""A user's program, for `mypy --strict` and pyright: they must know what everything is."""

from __future__ import annotations

import asyncio
import io
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Optional

import httpx
import libapivideo
import libapivideo.auth
import requests

if TYPE_CHECKING:
    from typing_extensions import assert_type


def show(progress: libapivideo.UploadProgress) -> None:
    if TYPE_CHECKING:
        assert_type(progress.sent, int)
        assert_type(progress.total, Optional[int])


def sync(key: str) -> str:
    with libapivideo.Client(
        key,
        environment="sandbox",
        app_name="a",
        app_version="1",
        wait_timeout=timedelta(seconds=5),
        connect_timeout=1,
        keep_fresh=True,
        on_state=lambda state: print(state.name),
    ) as client:
        token = client.get_token(min_validity=timedelta(minutes=5))
        if TYPE_CHECKING:
            assert_type(token, libapivideo.Token)
            assert_type(token.expires_at, datetime)
            assert_type(token.expires_in, timedelta)
            assert_type(token.refresh_token, Optional[str])
            assert_type(client.authorization(), str)
            assert_type(client.stats().retry_in, float)
            assert_type(client.authenticate(), libapivideo.Token)
            assert_type(client.upload("a.mp4", video_id="vi1", progress=True), libapivideo.Response)
            assert_type(client.request("GET", "/videos").body, bytes)
            assert_type([page.next_page for page in client.pages("/videos")], list[Optional[str]])
            assert_type(client.upload(io.BytesIO(), token="to1", progress=show), libapivideo.Response)
            assert_type(libapivideo.Client(libapivideo.NO_KEY), libapivideo.Client)
            header: Optional[str] = None
            assert_type(libapivideo.verify_webhook("secret", b"", header), bool)
        session = requests.Session()
        session.auth = libapivideo.auth.RequestsAuth(client)
        httpx.get("https://sandbox.api.video/videos", auth=libapivideo.auth.HttpxAuth(client))
        client.invalidate(token)
        return token.authorization


async def asynchronous(key: str) -> str:
    async with libapivideo.AsyncClient(key) as client:
        try:
            token = await client.get_token()
            if TYPE_CHECKING:
                assert_type(token, libapivideo.Token)
                assert_type(libapivideo.Client.sharing(client), libapivideo.Client)
                assert_type(await client.request("POST", "/videos", json={}), libapivideo.Response)
                assert_type(await client.upload("a.mp4", video_id="vi1"), libapivideo.Response)
                assert_type([page.http_status async for page in client.pages("/videos")], list[int])
            return await client.authorization()
        except libapivideo.ApiVideoError as error:
            if TYPE_CHECKING:
                assert_type(error.status, libapivideo.Status)
                assert_type(error.http_status, Optional[int])
                assert_type(error.retry_after, Optional[float])
                assert_type(error.problems, list[libapivideo.Problem])
            raise


if __name__ == "__main__":
    sync("key")
    asyncio.run(asynchronous("key"))
