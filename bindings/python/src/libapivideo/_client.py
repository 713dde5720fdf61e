"""`Client` and `AsyncClient`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from . import _core
from ._abi import Statistic, TokenState, lib
from ._response import Response
from ._store import use
from ._token import Token
from ._upload import Settings, Upload
from ._version import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType
    from typing import Any, Literal, NoReturn, TypeVar

    from ._core import NoKey, Seconds
    from ._store import Store
    from ._upload import Progress, Source

    _Self = TypeVar("_Self", bound="_Base")

_token_id = lib.client_token_id


class _Default:
    """Not None: a None that was meant to be a key must not become another account's."""

    def __repr__(self) -> str:
        return "APIVIDEO_API_KEY"


_THE_ENVIRONMENTS: Any = _Default()


class Stats(NamedTuple):
    """A client's counters, read at one moment. A forked child counts from 0.

    authenticate_requests: `POST /auth/api-key` requests made.
    refresh_requests: `POST /auth/refresh` requests made.
    tokens_granted: tokens obtained.
    refresh_rejections: refresh tokens that api.video refused.
    key_rejections: times that api.video refused the API key.
    failures: exchanges that failed otherwise.
    invalidations: tokens withdrawn because the API rejected them.
    timeouts: callers whose wait ended without an answer.
    waiters: callers that wait at this moment.
    consecutive_failures: tries that have failed since the last token.
    retry_in: seconds to the next try while tries fail, otherwise 0.
    exchanges_in_flight: 1 while an exchange is under way, otherwise 0.
    tokens_adopted: tokens taken from the store, which another process got.
    store_failures: operations of the store that failed.

    waiters to exchanges_in_flight describe the moment; the others count since the client was made.
    """

    authenticate_requests: int
    refresh_requests: int
    tokens_granted: int
    refresh_rejections: int
    key_rejections: int
    failures: int
    invalidations: int
    timeouts: int
    waiters: int
    consecutive_failures: int
    retry_in: float
    exchanges_in_flight: int
    tokens_adopted: int
    store_failures: int


class _Base:
    __slots__ = ("_core",)

    def __init__(
        self,
        api_key: str | NoKey = _THE_ENVIRONMENTS,
        *,
        environment: Literal["production", "sandbox"] | None = None,
        base_url: str | None = None,
        app_name: str | None = None,
        app_version: str | None = None,
        connect_timeout: Seconds | None = None,
        attempt_timeout: Seconds | None = None,
        wait_timeout: Seconds | None = None,
        wait_for_recovery: bool = False,
        keep_fresh: bool = False,
        max_reply_bytes: int | None = None,
        proxy: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        store: Store | str | None = None,
        store_timeout: Seconds | None = None,
        on_state: Callable[[TokenState], None] | None = None,
    ) -> None:
        """Makes a client. It sends no request yet: the first call that asks for a token does.

        What is left out here is filled in from the environment: APIVIDEO_API_KEY, APIVIDEO_BASE_URL
        or APIVIDEO_ENVIRONMENT, APIVIDEO_CA_FILE and APIVIDEO_STORE. The environment is read only
        here.

        api_key: 1 to 4,096 bytes, without control characters and without white space at its ends.
            It may be left out, but not None. `libapivideo.NO_KEY`: none at all, for a program in
            the hands of people who must not have it. Such a client can `upload` by token, and
            nothing else.
        environment: which of api.video's two environments the key belongs to: "production", the
            default, or "sandbox".
        base_url: a server to use instead of api.video's: `https://host[:port][/path]`; `http://`
            only with a loopback address.
        app_name, app_version: tell api.video which application this is, as AV-Origin-App. A name is
            1 to 50 of A-Z, a-z, 0-9, "-" and "_"; a version is 1 to 3 numbers of 1 to 3 digits with
            dots between them.
        connect_timeout: the limit for resolving the server's name, and again for connecting; 0.001
            to 60. Default: 3.
        attempt_timeout: the limit for one whole HTTP exchange; 0.001 to 300. Default: 10.
        wait_timeout: how long a call waits for its answer; 0 to 3,600. Default: 30. With 0 a call
            takes only what is there, but starts the exchange that is needed; and a request always
            fails.
        wait_for_recovery: what a call does while the client cannot get a valid token. If False, the
            default, it raises the last try's error at once. If True, it waits for the next tries.
        keep_fresh: renew the token ahead of its expiry even when nobody reads it. If False, the
            default, a read renews it.
        max_reply_bytes: how many bytes the body of a reply to a request may have; 1 to
            1,073,741,824. Default: 16,777,216.
        proxy: `scheme://[user:password@]host[:port]`, user and password percent-encoded; or "" for
            none. The scheme is http, https, socks4, socks4a, socks5 or socks5h. Default: the first
            of the environment's https_proxy, HTTPS_PROXY, all_proxy and ALL_PROXY, unless no_proxy
            or NO_PROXY names the server.
        ca_file: a PEM file of certificates that are trusted in addition to the system's: those of
            CAs, or a server's own. It is read again when it has changed. SSL_CERT_FILE and
            SSL_CERT_DIR name the system's certificates, if they are set. TLS verification cannot be
            turned off.
        store: where the processes that use this key share its token, so that all of them together
            make one exchange for each: a FileStore, a RedisStore, an OwnStore, or a text: `file`,
            `file:` and a directory, or a URL as for RedisStore, whose server may also show a
            certificate of `ca_file`; or "" for nowhere. Whatever happens to it, the client is never
            worse off than without one. With a store, tokens have no refresh token. Default: the
            text that the environment's APIVIDEO_STORE is; nowhere if it is not set.
        store_timeout: the limit for an operation of the store; 0.001 to 10. Default: 1.
        on_state: a function that is called with the new TokenState when it has changed, from any
            thread. It must be quick, and should not raise. If gevent has patched Python's locks,
            on_state and the log are called in a greenlet. If eventlet has, they are called at the
            next call that waits.

        Timeouts are seconds, as a number or a `datetime.timedelta`.

        Raises InvalidArgumentError, which names the argument or the variable that is out of its
        range, and TypeError if `api_key` is no str.
        """
        config = _core.configured(
            environment=environment,
            base_url=base_url,
            app=(app_name, app_version),
            sdk=("libapivideo-python", __version__),
            proxy=proxy,
            ca_file=ca_file,
            timeouts={
                "connect_timeout": connect_timeout,
                "attempt_timeout": attempt_timeout,
                "wait_timeout": wait_timeout,
                "store_timeout": store_timeout,
            },
            switches={"wait_for_recovery": wait_for_recovery, "keep_fresh": keep_fresh},
            max_reply_bytes=max_reply_bytes,
        )
        kept = None if store is None else use(store, ca_file, config)
        self._core = _core.Core(_key(api_key), config, on_state, kept)

    @classmethod
    def sharing(cls: type[_Self], other: Client | AsyncClient) -> _Self:
        """Makes a Client or AsyncClient that is the same client as `other`.

        Threads and coroutines share one token that way. Closing one closes both.
        """
        shared = cls.__new__(cls)
        shared._core = other._core
        return shared

    def invalidate(self, token: Token) -> None:
        """Reports a 401: the API rejected a request with `token`.

        The next call gets another token, with the API key.
        Every request that got a 401 may report it: this does nothing if the client already has a
        newer token. It does not wait, and sends nothing.

        Raises TokenRejectedError if this token replaced a rejected one less than 60 seconds ago.
        The client keeps it, because another one would not help. Raises ClosedError.
        """
        self._core.invalidate(token)

    def stats(self) -> Stats:
        """Reads the client's counters. Raises ClosedError."""
        statistics = self._core.statistics()
        values: dict[str, int] = {each.name.lower(): _core.value_of(statistics, each) for each in Statistic}
        return Stats(retry_in=values.pop("retry_in_ms") / 1000, **values)

    def close(self) -> None:
        """Closes the client. Calls that wait end with ClosedError, and so does every later one.

        Tokens stay usable. Any thread may close it, at any time and as often as it likes. It does
        not wait for an exchange that is under way.

        When this has returned and no other thread is within a call, no new call of `on_state` or of
        the log begins. One that has begun may still be running, and one that waits for a greenlet
        of gevent or eventlet is still made. A call that waits for a token does not count.
        """
        self._core.close()

    @property
    def base_url(self) -> str:
        """The server that the tokens come from and are for, such as "https://ws.api.video".

        It has no slash at its end. It stays known when the client is closed.
        """
        return self._core.base_url

    @property
    def closed(self) -> bool:
        """Whether the client is closed."""
        return self._core.pointer is None

    def __repr__(self) -> str:
        return f"<libapivideo.{type(self).__name__}, {'closed' if self.closed else 'open'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} cannot be pickled or copied; make one in each process")


def _key(given: str | NoKey | None) -> bytes | NoKey | None:
    """The key for C, to which None means that of the environment."""
    if isinstance(given, _core.NoKey):
        return given
    if given is _THE_ENVIRONMENTS:
        return None
    if given is None:
        raise TypeError("`api_key` is None. Pass a key, or leave it out for APIVIDEO_API_KEY of the environment.")
    return _core.encoded("api_key", given)


class Client(_Base):
    """Keeps one API key's token, for any number of threads.

        with libapivideo.Client(api_key) as client:
            requests.get(url, headers={"Authorization": client.authorization()})

    Make one and share it. A forked child may go on using it: it keeps the access token and gets its
    own from then on. Every wait ends after `wait_timeout`, and Ctrl-C ends it at once. In gevent
    and eventlet the other greenlets run while one waits, and a timeout of theirs ends its wait.
    """

    __slots__ = ()

    def authorization(self) -> str:
        """Gives the value of an `Authorization` header: "Bearer", a space and a valid access token.

        Call it for each request: if there is a valid token, it neither waits nor locks. The client
        renews the token ahead of its expiry, in the background. Raises what `get_token` raises.
        """
        core = self._core
        token = core.token
        if _token_id(core.pointer) == token._id:
            return token.authorization
        return core.wait(lib.get_token_start, 0).authorization

    def get_token(self, min_validity: Seconds | None = None) -> Token:
        """Gives a valid token: at once if there is one.

        If not, the call waits for one exchange, which all callers share.

        min_validity: how long the token must stay valid from now, for a request that takes long;
            seconds, or a `datetime.timedelta`. You may ask for up to 59 minutes of a token that
            lives an hour.

        Raises KeyRejectedError, RateLimitedError, ServerError, ProtocolError, NetworkError,
        TLSError, WaitTimeoutError, ResourceError or ClosedError, and InvalidArgumentError if even a
        new token would expire sooner. While tries fail, a call that needs a new token raises the
        last error at once. Its `retry_after` is the time to the next try. See `wait_for_recovery`
        to wait instead.
        """
        core = self._core
        token = core.token
        if min_validity is None and _token_id(core.pointer) == token._id:
            return token
        return core.wait(lib.get_token_start, _core.validity(min_validity))

    def authenticate(self) -> Token:
        """Sends `POST /auth/api-key` now.

        The new token becomes the client's own, and its old refresh token becomes invalid.
        Programs need not call this: `get_token` does what is necessary. Calls at the same time
        share one exchange. It sends its request even shortly after a failure. Raises what
        `get_token` raises.
        """
        return self._core.wait(lib.authenticate_start)

    def refresh(self) -> Token:
        """Sends `POST /auth/refresh` with the client's refresh token now.

        The new token becomes the client's own. Programs need not call this: `get_token` does what
        is necessary. Calls at the same time share one exchange. It never uses the API key instead,
        and a failure leaves the access token in use. Raises what `get_token` raises except
        KeyRejectedError, and also RefreshRejectedError and NoRefreshTokenError.
        """
        return self._core.wait(lib.refresh_start)

    def request(self, method: str, path: str, *, json: object = None) -> Response:
        """Makes a request to the API with a valid token, and waits for its end.

            client.request("POST", "/videos", json={"title": "Harbour at dawn"}).json()["videoId"]

        method: such as "GET".
        path: what follows the base URL, query and all, such as "/videos?pageSize=100";
            percent-encoded (`urllib.parse.quote` and `urlencode` do that).
        json: the body: anything that `json.dumps` can write. None: no body.

        The call ends within `wait_timeout`, and each attempt within `attempt_timeout`. With a
        `wait_timeout` of 0 nothing is sent. 64 requests of a client are made at once; the others
        wait in order for their turn.

        A 401 of api.video's renews the token and sends once more, unless it is about another
        credential, such as an upload token. A 429 waits as it is told, if that is within
        `wait_timeout`. A connection that was refused, or lost before anything was sent, is tried
        again, and GET, PUT, DELETE and HEAD also after a 502, 503 or 504 or a lost reply: with
        growing delays, four times in all, or as often as `wait_timeout` allows with
        `wait_for_recovery`. Other methods are not sent again once they may have been carried out:
        the message then says so, and `retryable` is False. After a status of success whose body
        broke off only GET and HEAD are sent again. A DELETE that is sent again may find nothing
        left to delete. Redirects are not followed.

        If the call ends early, also by Ctrl-C, its connection is closed; what the server has of it
        may still be carried out.

        Raises RequestRejectedError for a 4xx; its `problems` has each of its faults. Raises
        ProtocolError also for a reply that is larger than `max_reply_bytes`, and for a 401 that is
        not api.video's. Raises RateLimitedError, ServerError, NetworkError, TLSError,
        WaitTimeoutError, ResourceError or ClosedError, InvalidArgumentError, and what `get_token`
        raises.
        """
        return self._core.request(method, path, json)

    def pages(self, path: str) -> Iterator[Response]:
        """Gives the pages of a list, one request each, which is made when it is asked for.

            for page in client.pages("/videos?pageSize=100"):
                for video in page.json()["data"]:
                    print(video["title"])

        It ends at a page that came before. Raises what `request` raises.
        """
        seen: set[str] = set()
        following: str | None = path
        while following is not None and following not in seen:
            seen.add(following)
            page = self.request("GET", following)
            yield page
            following = page.next_page

    def upload(
        self,
        source: Source,
        *,
        video_id: str | None = None,
        token: str | None = None,
        progress: Progress | bool | None = None,
        file_name: str | None = None,
        size: int | None = None,
        chunk_size: int | None = None,
        parallel: int | None = None,
        resume: bool = False,
    ) -> Response:
        """Sends the source of a video, and waits for the end, however long it takes.

            video = client.request("POST", "/videos", json={"title": "Harbour"}).json()
            client.upload("harbour.mp4", video_id=video["videoId"], progress=True)

        Whatever may pass is ridden out: an outage of some minutes, errors of the server, rate
        limits, lost replies, access tokens that expire. Then only the chunk that it happened to is
        sent again. A file takes one buffer of 384 KiB, whatever its size. The answer is api.video's
        with the video.

        source: a path, or anything with `read(size)` that gives bytes: a file that was opened with
            mode "rb", `sys.stdin.buffer`, a camera. That is read in a thread, or in a greenlet
            where gevent or eventlet has patched threads, until it gives no more.
        video_id: the video that the source is for. It was made with `POST /videos`.
        token: an upload token to send with, in place of the API key. It makes the video, unless
            `video_id` names one.
        progress: a function that is called with an `UploadProgress` when a chunk has arrived, and
            while bytes are sent up to ten times a second, from any thread. True: a bar on stderr,
            if that is a terminal.
        file_name: the name that api.video is told. Default: the file's own, or "video".
        size: how many bytes the source will give, where it is no file and that is known.
        chunk_size: 5 to 200 MiB, in bytes. Default: of a path, by its size, 5 to 50 MiB; otherwise
            16 MiB.
        parallel: how many chunks are sent side by side, 1 to 8. Default: of a path, 1; otherwise 2.
            Of a source that is no path, so many chunks are held in memory.
        resume: go on where an earlier upload ended, in this process or in another, within 7 days:
            ask what has arrived, and send the rest. It takes `video_id`, the API key, and the same
            bytes from the beginning.

        If the call ends early, also by Ctrl-C, the upload ends, and can be resumed.

        Raises InvalidArgumentError; FileError if the file cannot be read, or changes meanwhile;
        what the source raises; RequestRejectedError; RateLimitedError, ServerError, ProtocolError,
        NetworkError, TLSError or WaitTimeoutError when a chunk has failed time after time;
        ClosedError, ResourceError, and what `get_token` raises.
        """
        settings = Settings(video_id, token, file_name, size, chunk_size, parallel, resume, progress)
        upload = Upload(source, settings)
        try:
            response: Response = self._core.answer(upload, upload.begin)
            return response
        finally:
            upload.end()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(_Base):
    """Keeps one API key's token, for coroutines. It is `Client` with `await`.

        async with libapivideo.AsyncClient(api_key) as client:
            headers = {"Authorization": await client.authorization()}

    It works in asyncio, in trio and in anyio, with any number of event loops. In any other loop a
    call that has to wait raises RuntimeError at once. A task that waits holds no thread, and one
    that is cancelled leaves nothing behind. `invalidate`, `stats` and `close` do not wait, and are
    not awaited.
    """

    __slots__ = ()

    async def authorization(self) -> str:
        """Does what `Client.authorization` does."""
        core = self._core
        token = core.token
        if _token_id(core.pointer) == token._id:
            return token.authorization
        return (await core.wait_async(lib.get_token_start, 0)).authorization

    async def get_token(self, min_validity: Seconds | None = None) -> Token:
        """Does what `Client.get_token` does."""
        core = self._core
        token = core.token
        if min_validity is None and _token_id(core.pointer) == token._id:
            return token
        return await core.wait_async(lib.get_token_start, _core.validity(min_validity))

    async def authenticate(self) -> Token:
        """Does what `Client.authenticate` does."""
        return await self._core.wait_async(lib.authenticate_start)

    async def refresh(self) -> Token:
        """Does what `Client.refresh` does."""
        return await self._core.wait_async(lib.refresh_start)

    async def request(self, method: str, path: str, *, json: object = None) -> Response:
        """Does what `Client.request` does. If the task is cancelled, the request is too."""
        return await self._core.request_async(method, path, json)

    async def pages(self, path: str) -> AsyncIterator[Response]:
        """Does what `Client.pages` does, for `async for`."""
        seen: set[str] = set()
        following: str | None = path
        while following is not None and following not in seen:
            seen.add(following)
            page = await self.request("GET", following)
            yield page
            following = page.next_page

    async def aclose(self) -> None:
        """Does what `close` does."""
        self.close()

    async def upload(
        self,
        source: Source,
        *,
        video_id: str | None = None,
        token: str | None = None,
        progress: Progress | bool | None = None,
        file_name: str | None = None,
        size: int | None = None,
        chunk_size: int | None = None,
        parallel: int | None = None,
        resume: bool = False,
    ) -> Response:
        """Does what `Client.upload` does. If the task is cancelled, the upload is too."""
        settings = Settings(video_id, token, file_name, size, chunk_size, parallel, resume, progress)
        upload = Upload(source, settings)
        try:
            response: Response = await self._core.answer_async(upload, upload.begin)
            return response
        finally:
            upload.end()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
