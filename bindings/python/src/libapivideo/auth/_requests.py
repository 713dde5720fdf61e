"""requests."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import requests
from requests.auth import AuthBase

from .._client import Client
from .._token import Token
from ._rule import Rule, rewound, start_of


class RequestsAuth(AuthBase):
    """Authenticates requests: `requests.get(url, auth=RequestsAuth(client))`, or once and for all `session.auth = …`.

    Any number of threads and sessions may share one.

    origins: further servers that may have the token, such as `["https://gateway.example:8443"]`. You need this when a
        proxy of yours stands for api.video under a name of its own. The client's own server always has it.
    """

    def __init__(self, client: Client, *, origins: Iterable[str] = ()) -> None:
        self._client = client
        self._rule = Rule(client, origins)

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
