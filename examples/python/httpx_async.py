"""Many requests at once with httpx and asyncio: one authentication, whatever their number.

    APIVIDEO_API_KEY=… python httpx_async.py
"""

import asyncio

import httpx
import libapivideo
import libapivideo.auth


async def main() -> None:
    async with libapivideo.AsyncClient() as client:
        auth = libapivideo.auth.HttpxAuth(client)
        async with httpx.AsyncClient(base_url=client.base_url, auth=auth) as http:
            responses = await asyncio.gather(*(http.get("/videos") for _ in range(20)))
        for response in responses:
            response.raise_for_status()
        print(f"{len(responses)} requests, {client.stats().authenticate_requests} authentication")


asyncio.run(main())
