"""Authentication for requests."""

from __future__ import annotations

from functools import partial
from typing import Any

import requests
from requests.auth import AuthBase

from .._client import Client
from .._token import Token
from ._rule import Rule, rewound, start_of


class RequestsAuth(AuthBase):
    """Authenticates requests: `requests.get(url, auth=RequestsAuth(client))`.

    Set `session.auth` to authenticate all requests of a session. Any number of threads and sessions
    may share one object.

    api_origin: the URL of the server that gets the token. Only its scheme, host and port matter.
        Default: the client's own server. Name another if your requests go to a proxy that passes
        them on to api.video.
    """

    def __init__(self, client: Client, *, api_origin: str | None = None) -> None:
        self._client = client
        self._rule = Rule(client, api_origin)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not self._rule.covers(request.url):
            return request
        token = self._client.get_token()
        request.headers["Authorization"] = token.authorization
        hook = partial(self._answered, token, start_of(request.body))
        request.register_hook("response", hook)  # type: ignore[no-untyped-call,unused-ignore]
        return request

    def _answered(self, token: Token, start: int | None, response: requests.Response, **sending: Any) -> requests.Response:
        if not self._rule.rejects(token, response):
            return response
        again = response.request.copy()
        if not rewound(again.body, start):
            return response
        another = self._client.get_token()
        again.headers["Authorization"] = another.authorization
        _ = response.content  # Read to its end, so that the connection can be used again.
        response.close()
        answer: requests.Response = response.connection.send(again, **sending)  # type: ignore[attr-defined,unused-ignore]
        answer.history.append(response)
        answer.request = again
        self._rule.rejects(another, answer)
        return answer
