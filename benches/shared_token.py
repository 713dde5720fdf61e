"""Processes that share a token, in Python: libapivideo, MSAL extensions' file cache with its lock, botocore's file cache.

    shared_token.py WHO cold COUNT URL PLACE
        So many processes without a token want one at the same moment. Prints the milliseconds until the last has it, and how
        many got none.
    shared_token.py WHO next COUNT URL PLACE
        One after another, each when the one before it has ended, they take the token that is there. Prints the microseconds
        that each takes, from a client that was made to a token.

All ask the same server in the same way, by a connection for each exchange. Processes are forked when everything is imported, and
make their client themselves. What a peer's server says of itself costs it nothing.
"""

from __future__ import annotations

import datetime
import http.client
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

KEY = "sandbox-key"
Get = Callable[[], object]


def exchange(url: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("POST", "/auth/api-key", json.dumps({"apiKey": KEY}), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, text


# --- Clients: each is a function that gives a token ---


def ours(url: str, place: str) -> Get:
    import libapivideo

    store: Any = libapivideo.RedisStore(place) if place.startswith("redis:") else libapivideo.FileStore(place)
    return libapivideo.Client(KEY, base_url=url, store=store).authorization


def msal(url: str, place: str) -> Get:
    import msal  # type: ignore[import-untyped]
    import msal_extensions  # type: ignore[import-untyped]

    authority = "https://login.example/tenant"
    ends = {f"{name}_endpoint": f"{authority}/{name}" for name in ("token", "authorization")}

    class Http:
        """What MSAL asks its server by."""

        def reply(self, status: int, text: str) -> Any:
            return SimpleNamespace(status_code=status, text=text, headers={}, raise_for_status=lambda: None)

        def get(self, *_: object, **__: object) -> Any:
            return self.reply(200, json.dumps({**ends, "issuer": authority}))

        def post(self, *_: object, **__: object) -> Any:
            return self.reply(*exchange(url))

        def close(self) -> None:
            pass

    cache = msal_extensions.PersistedTokenCache(msal_extensions.FilePersistence(f"{place}/cache.bin"))
    app = msal.ConfidentialClientApplication(
        "client", "secret", authority, http_client=Http(), token_cache=cache, instance_discovery=False
    )
    return lambda: app.acquire_token_for_client(["resource/.default"])["access_token"]


def boto(url: str, place: str) -> Get:
    import botocore.credentials  # type: ignore[import-untyped]
    import botocore.utils  # type: ignore[import-untyped]

    class Service:
        """What botocore asks for the credentials of a role."""

        def assume_role(self, **_: object) -> dict[str, Any]:
            reply = json.loads(exchange(url)[1])
            expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=reply["expires_in"])
            return {"Credentials": {"AccessKeyId": "id", "SecretAccessKey": "s", "SessionToken": reply["access_token"], "Expiration": expires}}

    fetcher = botocore.credentials.AssumeRoleCredentialFetcher(
        lambda *_, **__: Service(),
        botocore.credentials.Credentials("id", "secret"),
        "arn:aws:iam::123456789012:role/r",
        cache=botocore.utils.JSONFileCache(place),
    )
    return lambda: fetcher.fetch_credentials()["token"]


# --- Processes ---


def cold(make: Callable[[], Get], count: int) -> None:
    ready, gate, answers = os.pipe(), os.pipe(), os.pipe()
    for _ in range(count):
        if os.fork() == 0:
            os.close(gate[1])
            get = make()
            os.write(ready[1], b".")
            os.read(gate[0], 1)  # Its end, when it opens.
            try:
                good = bool(get())
            except Exception:
                good = False
            os.write(answers[1], f"{time.monotonic()} {int(good)}\n".encode())
            os._exit(0)
    while count > 0:
        count -= len(os.read(ready[0], count))
    began = time.monotonic()
    os.close(gate[1])
    os.close(answers[1])
    with os.fdopen(answers[0]) as stream:
        told = [(float(at), good) for at, good in (line.split() for line in stream)]
    print((max(at for at, _ in told) - began) * 1e3, sum(good == "0" for _, good in told))


def one_by_one(make: Callable[[], Get], count: int) -> None:
    for _ in range(count):
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            get = make()
            began = time.perf_counter()
            get()
            print((time.perf_counter() - began) * 1e6, flush=True)
            os._exit(0)
        os.waitpid(child, 0)


def main() -> None:
    who, work, count, url, place = sys.argv[1:]
    make = {"ours": ours, "msal": msal, "botocore": boto}[who]
    if not place.startswith("redis:"):
        Path(place).mkdir(mode=0o700, exist_ok=True)
    # All that takes long is imported now, and nothing is asked yet.
    make(url, place)
    {"cold": cold, "next": one_by_one}[work](lambda: make(url, place), int(count))


if __name__ == "__main__":
    main()
